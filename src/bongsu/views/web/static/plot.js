// A small chart of a few series that were asked for once: a canvas for the eye, numbers beneath for everyone.
import { make, set } from "./dom.js";
import { BYTE_STEPS, mark, when, write } from "./units.js";
import { words } from "./table_words.js";

const HEIGHT = 130;
const DASHES = [[], [6, 3], [2, 2]];

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const known = (values) => values.filter((v) => v !== null);
// A value between two gaps makes no line: it is drawn as a dot.
const alone = (values) => [...values.keys()].filter((i) =>
  values[i] !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null);
const last = (values) => values.findLast((v) => v !== null) ?? null;

export class Plot {
  // `lines` are {legend, values}, one value for each of `times` (Unix s), null for a gap.
  constructor(title, unit, times, lines, spanText) {
    this.box = make("div", { class: "plot", role: "img" });
    const said = lines.map(({ legend, values }) => {
      const all = known(values);
      const of = (v) => write(v, unit);
      return words.plotLine(legend, of(last(values)), of(all.length ? Math.min(...all) : null), of(all.length ? Math.max(...all) : null));
    });
    set(this.box, "aria-label", words.plot(title, spanText, said.join(", ")));
    this.legend = make("ul", { class: "plot-legend quiet" }, ...said.map((text, i) =>
      make("li", {}, make("span", { class: `mark hue-${i} dash-${i % 3}`, "aria-hidden": "true" }), text)));
    this.draw = () => {
      this.plot?.destroy();
      this.plot = new uPlot(this.options(unit, lines), [times, ...lines.map(({ values }) => values)], this.box);
    };
    this.sized = new ResizeObserver(() => {
      const width = this.width();
      if (this.plot && Math.abs(this.plot.width - width) > 1) this.plot.setSize({ width, height: HEIGHT });
    });
  }

  // Once its elements stand in the page, and so have a width.
  show() {
    this.draw();
    this.sized.observe(this.box);
  }

  destroy() {
    this.sized.disconnect();
    this.plot?.destroy();
    this.plot = null;
  }

  width() {
    return Math.max(160, this.box.clientWidth || 300);
  }

  options(unit, lines) {
    const quiet = style("--quiet");
    const grid = { stroke: style("--grid"), width: 1 };
    const axis = { stroke: quiet, grid, ticks: grid, font: style("--axis-font") };
    return {
      width: this.width(), height: HEIGHT, legend: { show: false }, cursor: { show: false },
      scales: { x: { time: true }, y: { range: (_, low, high) => [0, high > 0 ? high * 1.15 : 1] } },
      axes: [
        { ...axis, size: 26, space: 90, values: (_, marks) => marks.map((t) => when(t)) },
        { ...axis, size: 66, values: (_, marks) => marks.map((v) => mark(v, unit)), ...(unit.startsWith("bytes") ? { incrs: BYTE_STEPS } : {}) },
      ],
      series: [{}, ...lines.map(({ legend }, i) => ({
        label: legend, stroke: style(`--hue-${i}`), width: 1.5, spanGaps: false, dash: DASHES[i % 3],
        points: { show: true, size: 5, fill: style(`--hue-${i}`), filter: (plot, n) => alone(plot.data[n]) },
      }))],
    };
  }
}
