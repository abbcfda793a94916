// A heat map of one panel: a row for each line, time from left to right, the colour says how much.
import { make, say } from "./dom.js";
import { Frame } from "./frame.js";
import { axisMarks } from "./timeline.js";
import { words } from "./time_words.js";
import { write } from "./units.js";

const HEIGHT = 190;
const LEFT = 72; // as wide as the axis of other charts, so that times lie below each other
const RIGHT = 18;
const ABOVE = 8;
const BELOW = 42;
const SHADES = 256;
const MARK_EVERY = 80; // pixels between two marks of an axis of time
const ROW_MARK = 14;
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// One hue that grows darker (or lighter, on dark) all the way, for every eye.
function shades(context) {
  const ramp = context.createLinearGradient(0, 0, SHADES, 0);
  ramp.addColorStop(0, style("--heat-low"));
  ramp.addColorStop(0.5, style("--heat-middle"));
  ramp.addColorStop(1, style("--heat-high"));
  context.fillStyle = ramp;
  context.fillRect(0, 0, SHADES, 1);
  return new Uint32Array(context.getImageData(0, 0, SHADES, 1).data.buffer);
}

export class Heat extends Frame {
  build() {
    this.canvas = make("canvas", { class: "heat" });
    this.over = make("div", { class: "heat-over" });
    this.line = make("div", { class: "heat-line", hidden: true });
    this.over.append(this.line);
    this.box.append(this.canvas, this.over);
    this.rows = document.createElement("canvas"); // one pixel high for each row
    const ramp = make("canvas", { width: SHADES, height: 1, class: "ramp", "aria-hidden": "true" });
    this.shades = shades(ramp.getContext("2d"));
    this.body.append(make("tr", { class: "scale", "aria-hidden": "true" }, make("th", {}, write(0, this.panel.unit)), make("td", {}, ramp), make("td", {}, write(this.panel.top ?? 1, this.panel.unit)), make("td", { class: "quiet" }, words.heatColour)));
    this.cells = [words.heatHighest, words.heatMean, words.heatLowest].map((name) => this.row("", name));
    const names = this.panel.series.map((line, i) => [line.legend, i]);
    this.order = names.sort(([a], [b]) => a.localeCompare(b, undefined, { numeric: true })).map(([, i]) => i);
    [this.font, this.quiet] = [style("--axis-font"), style("--quiet")];
    this.size();
  }

  size() {
    const ratio = devicePixelRatio || 1;
    this.wide = this.width();
    this.canvas.width = Math.round(this.wide * ratio);
    this.canvas.height = Math.round(HEIGHT * ratio);
  }

  paint() {
    const ratio = devicePixelRatio || 1;
    const context = this.canvas.getContext("2d");
    const width = this.wide - LEFT - RIGHT;
    const height = HEIGHT - ABOVE - BELOW;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.wide, HEIGHT);
    this.fill(Math.max(1, Math.round(width * ratio)));
    context.imageSmoothingEnabled = false;
    context.drawImage(this.rows, LEFT, ABOVE, width, height);
    this.axes(context, width, height);
  }

  // One column for each pixel; where several values fall into one, the highest is shown, so that no peak is lost.
  fill(width) {
    const lines = this.lines();
    const { times } = this.series;
    const [from, to] = this.series.span;
    const rows = this.order.length;
    this.rows.width = width;
    this.rows.height = rows;
    const context = this.rows.getContext("2d");
    const image = context.createImageData(width, rows);
    const pixels = new Uint32Array(image.data.buffer);
    const top = this.panel.top ?? 1;
    const place = times.map((t) => ((t - from) / (to - from)) * width);
    this.order.forEach((which, row) => {
      const values = lines[which].high ?? lines[which].values;
      const highest = new Float64Array(width).fill(-1);
      for (let i = 0; i < times.length; i += 1) {
        if (values[i] === null || values[i] === undefined) continue;
        // A value stands for the time since the one before it.
        const start = i > 0 && values[i - 1] !== null ? place[i - 1] : place[i] - 1;
        for (let x = Math.max(0, Math.floor(start)); x < Math.min(width, Math.max(Math.ceil(place[i]), Math.floor(start) + 1)); x += 1) {
          if (values[i] > highest[x]) highest[x] = values[i];
        }
      }
      for (let x = 0; x < width; x += 1) {
        if (highest[x] >= 0) pixels[row * width + x] = this.shades[Math.min(SHADES - 1, Math.round((highest[x] / top) * (SHADES - 1)))];
      }
    });
    context.putImageData(image, 0, 0);
  }

  axes(context, width, height) {
    const [from, to] = this.series.span;
    context.font = this.font;
    context.fillStyle = this.quiet;
    context.textAlign = "right";
    context.textBaseline = "middle";
    const rowHeight = height / this.order.length;
    const every = Math.max(1, Math.ceil(ROW_MARK / rowHeight));
    for (let row = 0; row < this.order.length; row += every) {
      context.fillText(this.panel.series[this.order[row]].legend.slice(0, 10), LEFT - 8, ABOVE + (row + 0.5) * rowHeight);
    }
    context.textAlign = "center";
    context.textBaseline = "top";
    const step = STEPS.find((each) => (each / (to - from)) * width >= MARK_EVERY) ?? 86400 * Math.ceil(((to - from) / 86400) * (MARK_EVERY / width));
    const local = new Date(from * 1000).getTimezoneOffset() * 60;
    const marks = [];
    for (let t = Math.ceil((from - local) / step) * step + local; t <= to; t += step) marks.push(t);
    axisMarks(marks, to - from).forEach((text, i) => {
      const x = LEFT + ((marks[i] - from) / (to - from)) * width;
      text.split("\n").forEach((each, n) => context.fillText(each, x, ABOVE + height + 8 + 15 * n));
    });
  }

  mark(place) {
    const { highest, mean, lowest } = this.summary(place);
    const { unit } = this.panel;
    [highest, null, lowest].forEach((found, i) =>
      say(this.cells[i], found ? words.heatRow(found.legend, write(found.value, unit)) : write(i === 1 ? mean : null, unit)));
  }

  summary(place) {
    const of = (list) => this.lines()
      .map((line, i) => ({ legend: this.panel.series[i].legend, value: (line[list] ?? line.values)[place] ?? null }))
      .filter(({ value }) => value !== null);
    const known = of("values");
    if (!known.length) return { highest: null, mean: null, lowest: null };
    return {
      highest: of("high").reduce((one, other) => (other.value > one.value ? other : one)), // as the colours have it
      mean: known.reduce((sum, { value }) => sum + value, 0) / known.length,
      lowest: known.reduce((one, other) => (other.value < one.value ? other : one)),
    };
  }

  values(place) {
    const { highest, mean, lowest } = this.summary(place);
    if (!highest) return "";
    const { unit } = this.panel;
    return `${words.heatHighest} ${highest.legend} ${write(highest.value, unit)}, ${words.heatMean} ${write(mean, unit)}, ${words.heatLowest} ${lowest.legend} ${write(lowest.value, unit)}. ${words.heatRows(this.order.length)}`;
  }

  cross(time) {
    this.line.hidden = time === null;
    if (time !== null) this.line.style.left = `${this.left(time) - LEFT}px`;
  }

  area() {
    return this.over;
  }

  timeAt(x) {
    const { left, width } = this.over.getBoundingClientRect();
    const [from, to] = this.series.span;
    return from + ((x - left) / width) * (to - from);
  }

  left(time) {
    const [from, to] = this.series.span;
    return LEFT + ((time - from) / (to - from)) * (this.wide - LEFT - RIGHT);
  }

  resize() {
    if (!this.built || Math.abs(this.wide - this.width()) <= 1) return;
    this.size();
    this.draw();
  }
}
