// The values behind the charts: one list of times, lists of values for each line, kept to what is shown.
import { view } from "./view.js";

export const MOST_POINTS = 900;
const LEAST = 60; // seconds that a live chart shows at least
const GAP = 3.5; // ticks without news that make a hole

// A line has values, and low and high where each value stands for many readings: the least and the most of them.
export class Series {
  constructor() {
    this.take({ times: [], panels: [], tiles: [], interval: 1 });
  }

  // Everything, as /api/board answers.
  take(board) {
    this.interval = board.interval;
    this.times = board.times;
    this.lines = new Map();
    this.columns = new Map(); // the values alone
    this.floors = new Map(board.panels.map((panel) => [panel.name, panel.floor ?? -Infinity])); // no line left out is higher
    this.merged = 0; // readings that the newest value stands for, of those that came by themselves
    for (const panel of board.panels) for (const line of panel.series) this.lines.set(`${panel.name} ${line.key}`, line);
    for (const tile of board.tiles) this.lines.set(tile.name, tile);
    for (const [name, line] of this.lines) this.columns.set(name, line.values);
  }

  // The line of a tile, or of a panel by its key; undefined where there is none.
  line(name, key) {
    return this.lines.get(key === undefined ? name : `${name} ${key}`);
  }

  get newest() {
    return this.times.length ? this.times[this.times.length - 1] : Date.now() / 1000;
  }

  // The times that charts show. Live: the range, or what there is of it while the machine has not been watched for so long.
  get span() {
    if (!view.live) return [view.from, view.to];
    const now = this.newest;
    const first = this.times.length ? this.times[0] : now;
    return [Math.max(now - view.range, Math.min(first, now - LEAST)), now];
  }

  get seconds() {
    const [from, to] = this.span;
    return to - from;
  }

  // Seconds between two values, as it is for most of them.
  get step() {
    return Math.max(this.interval, this.times.length > 1 ? (this.newest - this.times[0]) / this.times.length : 0);
  }

  // The place of the value nearest to a time; null where none is near.
  nearest(time) {
    const { times } = this;
    let low = 0;
    let high = times.length - 1;
    if (high < 0) return null;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (times[middle] <= time) low = middle;
      else high = middle;
    }
    const found = Math.abs(times[low] - time) <= Math.abs(times[high] - time) ? low : high;
    return Math.abs(times[found] - time) > GAP * this.step ? null : found;
  }

  // One tick. Says "again" when the page must ask for everything: a line that is new or now among the highest, a clock
  // set back.
  add(event) {
    const last = this.times[this.times.length - 1];
    if (last !== undefined && event.time <= last) return last - event.time > 10 * this.interval ? "again" : "known";
    const unknown = Object.entries(event.panels).some(([panel, lines]) =>
      Object.entries(lines).some(([key, value]) => !this.line(panel, key) && value > (this.floors.get(panel) ?? -Infinity)));
    const flat = new Map(Object.entries(event.tiles).map(([name, tile]) => [name, tile.value]));
    for (const [panel, lines] of Object.entries(event.panels)) for (const [key, value] of Object.entries(lines)) flat.set(`${panel} ${key}`, value);
    const hole = last !== undefined && event.time - last > GAP * Math.max(this.interval, this.usual());
    if (hole) this.push((last + event.time) / 2, () => null);
    if (!hole && this.merged && event.time - this.opened < view.range / MOST_POINTS) this.merge(event.time, flat);
    else {
      this.opened = event.time;
      this.push(event.time, (name) => flat.get(name) ?? null);
      this.merged = 1;
    }
    this.trim();
    return unknown ? "again" : "added";
  }

  usual() {
    const n = this.times.length;
    return n > 1 ? this.times[n - 1] - this.times[n - 2] : this.interval;
  }

  push(time, valueOf) {
    this.times.push(time);
    for (const [name, line] of this.lines) {
      const value = valueOf(name);
      line.values.push(value);
      line.low?.push(value);
      line.high?.push(value);
    }
  }

  // A long range shows fewer values than ticks come: the newest one takes in what belongs to it, as the server's do.
  merge(time, flat) {
    const at = this.times.length - 1;
    this.times[at] = time;
    this.merged += 1;
    for (const [name, line] of this.lines) {
      const value = flat.get(name) ?? null;
      const before = line.values[at];
      if (value === null) continue;
      line.values[at] = before === null ? value : before + (value - before) / this.merged;
      if (line.low) line.low[at] = Math.min(line.low[at] ?? value, value);
      if (line.high) line.high[at] = Math.max(line.high[at] ?? value, value);
    }
  }

  trim() {
    // A tenth may hang over, so that lists are not shifted at every tick.
    const oldest = this.newest - view.range;
    let gone = 0;
    while (gone < this.times.length && this.times[gone] < oldest) gone += 1;
    if (gone < Math.max(60, this.times.length / 10)) return;
    this.times.splice(0, gone);
    for (const line of this.lines.values()) for (const list of [line.values, line.low, line.high]) list?.splice(0, gone);
  }
}
