// The charts of one run: drawn as all charts are, over the time of the run or the part of it that the address names.
import { Chart } from "./chart.js";
import { Crosshair } from "./crosshair.js";
import { make, set } from "./dom.js";
import { notice } from "./notice.js";
import { words } from "./run_words.js";
import { Series } from "./series.js";
import { onTheme } from "./theme.js";
import { moment } from "./timeline.js";
import { clock } from "./units.js";
import { brief, view } from "./view.js";

const SHORTEST = 0.05; // seconds that charts show at least
const SPEAK_EVERY = 10000; // ms between two sentences of one chart for a screen reader

// The part of a run that the address names, in seconds after its start: [from, to], or null for all of it.
export function partOf(text) {
  const found = /^(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)$/.exec(text ?? "");
  const part = found && [Number(found[1]), Number(found[2])];
  const known = part !== null && part[1] - part[0] >= SHORTEST;
  notice("run-span", text && !known ? words.spanUnknown(brief(text)) : "");
  return known ? part : null;
}

class RunSeries extends Series {
  start = 0; // Unix s
  length = 1; // s
  part = null;

  get span() {
    const [from, to] = this.part ?? [0, Math.max(SHORTEST, this.length)];
    return [this.start + from, this.start + to];
  }

  get step() {
    return this.times.length > 1 ? Math.max(0.001, (this.newest - this.times[0]) / this.times.length) : this.interval;
  }
}

// Ways through the time of a run, as `Travel` has them for the machine's.
class RunTravel {
  constructor(series) {
    Object.assign(this, { series, trail: [] });
  }

  zoom(from, to) {
    this.go(from, to);
  }

  go(from, to, { replace = false } = {}) {
    const { start, length, part } = this.series;
    const wide = Math.min(length, Math.max(SHORTEST, to - from));
    const begin = Math.min(length - wide, Math.max(0, from - start));
    if (!replace) this.trail.push(part);
    const whole = wide >= length * 0.999;
    view.set({ "run-span": whole ? null : `${Number(begin.toFixed(3))}-${Number((begin + wide).toFixed(3))}` }, { replace });
  }

  pan(from, to, again = false) {
    if (this.series.part) this.go(from, to, { replace: again });
  }

  scale(factor) {
    const [from, to] = this.series.span;
    const by = (factor * (to - from)) / 2;
    this.go((from + to) / 2 - by, (from + to) / 2 + by);
  }

  back() {
    const part = this.trail.pop() ?? null;
    view.set({ "run-span": part && part.join("-") });
  }

  live() {
    if (this.series.part) this.go(this.series.start, this.series.start + this.series.length);
  }
}

class RunChart extends Chart {
  visible = true;

  // Of a run of seconds, marks tell parts of a second; the last one has room.
  options() {
    const options = super.options();
    const { values } = options.axes[0];
    options.axes[0].values = (plot, times) => (this.series.seconds > 10 ? values(plot, times)
      : times.map((t) => `${clock(t)}${(t % 1).toFixed(2).slice(1)}`));
    options.padding = [8, 30, 0, 0];
    return options;
  }

  speak() {
    if (performance.now() - this.spoken < SPEAK_EVERY) return;
    this.spoken = performance.now();
    const [from, to] = this.series.span;
    set(this.box, "aria-label", words.chartOf(this.panel.title, moment(from), moment(to), this.values(this.series.times.length - 1)));
  }
}

export class RunCharts {
  constructor() {
    this.box = make("div", { class: "run-charts" });
    this.series = new RunSeries();
    this.crosshair = new Crosshair();
    this.travel = new RunTravel(this.series);
    this.charts = new Map();
    this.crosshair.on(() => this.each((chart) => chart.point()));
    onTheme(() => this.each((chart) => chart.rebuild()));
    this.sized = new ResizeObserver(() => requestAnimationFrame(() => this.each((chart) => chart.resize())));
    this.sized.observe(this.box);
  }

  each(act) {
    for (const chart of this.charts.values()) act(chart);
  }

  // Another run.
  clear() {
    this.charts.clear();
    this.box.replaceChildren();
    this.travel.trail = [];
  }

  take(told) {
    Object.assign(this.series, { start: told.start, length: told.seconds });
    this.series.take({ ...told, tiles: [] });
    for (const panel of told.panels) {
      if (!this.charts.has(panel.name)) {
        const chart = new RunChart(panel, this);
        this.charts.set(panel.name, chart);
        this.box.append(chart.figure);
      }
      this.charts.get(panel.name).take(panel);
    }
    this.draw();
  }

  // On the span that is wanted now, with what is there.
  draw() {
    this.each((chart) => chart.draw());
  }
}
