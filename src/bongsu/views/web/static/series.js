// The values behind the charts: one list of times, one list of values for each line, kept to the range shown.

const LEAST = 60; // seconds that a chart shows at least
const GAP = 3.5; // ticks without news that make a hole

export class Series {
  constructor() {
    this.range = 300;
    this.take({ times: [], panels: [], tiles: [], interval: 1 });
  }

  // Everything, as /api/board answers.
  take(board) {
    this.interval = board.interval;
    this.times = board.times;
    this.panels = board.panels;
    this.tiles = board.tiles;
    this.columns = new Map();
    for (const panel of board.panels) for (const line of panel.series) this.columns.set(`${panel.name} ${line.key}`, line.values);
    for (const tile of board.tiles) this.columns.set(tile.name, tile.values);
  }

  column(panel, key) {
    return this.columns.get(`${panel} ${key}`);
  }

  get now() {
    return this.times.length ? this.times[this.times.length - 1] : Date.now() / 1000;
  }

  // The times that charts show: the range, or what there is of it while the machine has not been watched for so long.
  get span() {
    const first = this.times.length ? this.times[0] : this.now;
    return [Math.max(this.now - this.range, Math.min(first, this.now - LEAST)), this.now];
  }

  get seconds() {
    const [from, to] = this.span;
    return to - from;
  }

  // One tick. Says "again" when the page must ask for everything: a line that it does not know, a clock set back.
  add(event) {
    const last = this.times[this.times.length - 1];
    if (last !== undefined && event.time <= last) return last - event.time > 10 * this.interval ? "again" : "known";
    if (last !== undefined && event.time - last > GAP * Math.max(this.interval, this.usual())) this.push((last + event.time) / 2, () => null);
    const unknown = Object.entries(event.panels).some(([panel, lines]) => Object.keys(lines).some((key) => !this.column(panel, key)));
    const flat = new Map(Object.entries(event.tiles).map(([name, tile]) => [name, tile.value]));
    for (const [panel, lines] of Object.entries(event.panels)) for (const [key, value] of Object.entries(lines)) flat.set(`${panel} ${key}`, value);
    this.push(event.time, (name) => flat.get(name) ?? null);
    this.trim();
    return unknown ? "again" : "added";
  }

  usual() {
    const n = this.times.length;
    return n > 1 ? this.times[n - 1] - this.times[n - 2] : this.interval;
  }

  push(time, valueOf) {
    this.times.push(time);
    for (const [name, values] of this.columns) values.push(valueOf(name));
  }

  trim() {
    // A tenth may hang over, so that lists are not shifted at every tick.
    const oldest = this.now - this.range;
    let gone = 0;
    while (gone < this.times.length && this.times[gone] < oldest) gone += 1;
    if (gone < Math.max(60, this.times.length / 10)) return;
    this.times.splice(0, gone);
    for (const values of this.columns.values()) values.splice(0, gone);
  }
}
