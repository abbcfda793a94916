// Lines and stacks of one panel over time, with the least and the most that a value stands for behind it.
import { make, say, set } from "./dom.js";
import { Frame } from "./frame.js";
import { DASHES, dashOf, hueOf, markClass } from "./marks.js";
import { axisMarks } from "./timeline.js";
import { words } from "./time_words.js";
import { BYTE_STEPS, mark, write } from "./units.js";

const HEIGHT = 190;
const RIGHT = 18; // pixels after the newest time, for half of its mark; the heat map has as many
// On coarse screens a line of one pixel is drawn in a tenth of the time that a wider one takes without a GPU.
const lineWidth = () => (devicePixelRatio > 1 ? 1.5 : 1);
const BAND = "30"; // how much of a colour's 255 shows through, as hex
const NO_MOUSE = Object.fromEntries(["mousedown", "mouseup", "click", "dblclick", "mousemove", "mouseleave", "mouseenter"].map((name) => [name, () => null]));

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// A value between two gaps makes no line: it is drawn as a dot.
function alone(values) {
  const found = [];
  for (let i = 0; i < values.length; i += 1) {
    if (values[i] !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null) found.push(i);
  }
  return found;
}

// The sums of a stack, and what its peak was at least: while one line was at its most, the others were no lower than
// their least. A most that need not have been reached (`outer`) says nothing of it.
function stack(lines) {
  const sums = [];
  let below = null;
  for (const { values } of lines) {
    const base = below;
    below = values.map((v, i) => (v === null ? null : v + (base === null ? 0 : base[i] ?? 0)));
    sums.push(below);
  }
  if (!lines.some((line) => line.high)) return { sums, peak: null };
  const peak = below.map((sum, i) => {
    let lows = 0;
    let most = 0;
    for (const { values, low, high, outer } of lines) {
      const least = low?.[i] ?? values[i] ?? 0;
      lows += least;
      most = Math.max(most, ((outer ? null : high?.[i]) ?? values[i] ?? 0) - least);
    }
    return sum === null ? null : Math.max(sum, lows + most);
  });
  return { sums, peak };
}

export class Chart extends Frame {
  names() {
    this.cells = this.panel.series.map((line, i) =>
      this.row(make("span", { class: markClass(i), "aria-hidden": "true" }), line.legend));
    this.peakCell = this.peaked ? this.row(make("span", { class: "mark peak", "aria-hidden": "true" }), words.peak) : null;
  }

  get banded() {
    return this.panel.series.some((line) => line.high);
  }

  // Whether a stack has its peak drawn.
  get peaked() {
    return this.panel.stacked && this.banded;
  }

  build() {
    if (this.plot) this.plot.destroy();
    this.plot = new uPlot(this.options(), this.data(), this.box);
    set(this.figure, "data-bands", String(this.peaked ? 1 : this.panel.series.filter((line) => line.high).length));
  }

  options() {
    const { unit, top, stacked } = this.panel;
    const quiet = style("--quiet");
    const grid = { stroke: style("--grid"), width: 1 };
    const bytes = unit.startsWith("bytes");
    const font = style("--axis-font");
    return {
      width: this.width(), height: HEIGHT, legend: { show: false }, pxAlign: 1, padding: [8, RIGHT, 0, 0],
      cursor: { bind: NO_MOUSE, drag: { x: false, y: false }, points: { size: 5 }, y: false },
      scales: {
        x: { time: true, range: () => this.series.span },
        y: { range: (_, low, high) => this.limits(low, high, top) },
      },
      axes: [
        {
          stroke: quiet, grid, ticks: grid, font, space: 80, size: (_, texts) => (texts?.some((text) => text.includes("\n")) ? 42 : 28),
          values: (_, times) => axisMarks(times, this.series.seconds),
        },
        { stroke: quiet, grid, ticks: grid, size: 72, font, values: (_, marks) => marks.map((v) => mark(v, unit)), ...(bytes ? { incrs: BYTE_STEPS } : {}) },
      ],
      ...(stacked ? this.stacks() : this.strokes()),
    };
  }

  // Each line of a stack is filled down to the one below it.
  stacks() {
    const lines = this.panel.series.map((line, i) => {
      const colour = style(`--hue-${hueOf(i)}`);
      return { label: line.legend, stroke: colour, width: 0, spanGaps: false, points: { show: false }, fill: `${colour}bb` };
    });
    const bands = lines.slice(1).map((_, i) => ({ series: [i + 2, i + 1] }));
    if (this.banded) {
      const ink = style("--ink");
      lines.push({ label: words.peak, stroke: ink, width: 1, dash: DASHES[2], spanGaps: false, points: { show: false } });
      bands.push({ series: [lines.length, lines.length - 1], fill: `${ink}${BAND}` });
    }
    return { series: [{}, ...lines], bands };
  }

  // Bands lie behind all lines, so they come first.
  strokes() {
    const edges = [];
    const bands = [];
    const lines = this.panel.series.map((line, i) => {
      const colour = style(`--hue-${hueOf(i)}`);
      if (line.high) {
        const edge = { label: line.legend, width: 0, stroke: "transparent", spanGaps: false, points: { show: false } };
        edges.push(edge, { ...edge });
        bands.push({ series: [edges.length - 1, edges.length], fill: `${colour}${BAND}` });
      }
      return {
        label: line.legend, stroke: colour, width: lineWidth(), spanGaps: false, dash: DASHES[dashOf(i)],
        points: { show: true, size: 4, fill: colour, filter: (plot, n) => alone(plot.data[n]) },
      };
    });
    return { series: [{}, ...edges, ...lines], bands };
  }

  data() {
    const lines = this.lines();
    if (!this.panel.stacked) return [this.series.times, ...lines.flatMap((line) => (line.high ? [line.high, line.low] : [])), ...lines.map((line) => line.values)];
    const { sums, peak } = stack(lines);
    this.peak = peak;
    return [this.series.times, ...sums, ...(this.banded ? [peak] : [])];
  }

  limits(low, high, top) {
    if (this.panel.unit === "celsius") return low === null ? [20, 60] : [Math.min(low - 2, 30), Math.max(high + 2, 60)];
    if (this.panel.whole) return [0, Math.max(this.panel.whole, high ?? 0)];
    if (high === null) return [0, top ?? 1];
    // A ratio keeps its whole scale only when it comes near it: 2 % of a big scale would be a flat line.
    if (top !== null && high > 0.5 * top) return [0, Math.max(top, high)];
    return [0, high > 0 ? high * 1.15 : top ?? 1];
  }

  paint() {
    this.plot.setData(this.data());
  }

  mark(place) {
    const { unit } = this.panel;
    this.lines().forEach((line, i) => {
      const [low, high] = [line.low?.[place] ?? null, line.high?.[place] ?? null];
      const value = write(line.values[place], unit);
      say(this.cells[i], value);
      const range = line.outer ? words.within : words.between;
      set(this.cells[i], "title", low === null || high === null ? "" : range(write(low, unit), write(high, unit)));
    });
    if (this.peakCell) say(this.peakCell, write(this.peak?.[place], unit));
  }

  cross(time) {
    if (time === null && this.plot.cursor.left < 0) return;
    this.plot.setCursor(time === null ? { left: -10, top: -10 } : { left: this.plot.valToPos(time, "x"), top: 1 });
  }

  values(place) {
    return this.lines().map((line, i) => `${this.panel.series[i].legend} ${write(line.values[place], this.panel.unit)}`).join(", ");
  }

  area() {
    return this.plot.over;
  }

  timeAt(x) {
    return this.plot.posToVal(x - this.plot.over.getBoundingClientRect().left, "x");
  }

  left(time) {
    return this.plot.over.offsetLeft + this.plot.valToPos(time, "x");
  }

  resize() {
    if (this.built && Math.abs(this.plot.width - this.width()) > 1) this.plot.setSize({ width: this.width(), height: HEIGHT });
  }
}
