// Charts of a board's panels: a canvas for the eye, a table of values beneath for everyone.
import { byId, make, say, set } from "./dom.js";
import { DASHES, dashOf, hueOf, markClass } from "./marks.js";
import { chartTools } from "./table.js";
import { onTheme } from "./theme.js";
import { BYTE_STEPS, clock, mark, when, write } from "./units.js";
import { words } from "./words.js";

const HEIGHT = 190;
const SPEAK_EVERY = 10000; // ms between two sentences of one chart for a screen reader

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// A value between two gaps makes no line: it is drawn as a dot.
function alone(values) {
  const found = [];
  for (let i = 0; i < values.length; i += 1) {
    if (values[i] !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null) found.push(i);
  }
  return found;
}

class Chart {
  constructor(panel, series) {
    this.panel = panel;
    this.series = series;
    this.visible = false;
    this.spoken = -Infinity;
    this.box = make("div", { class: "canvas", role: "img" });
    this.body = make("tbody");
    this.note = make("p", { class: "quiet" });
    this.legendTable = make("table", { class: "legend" },
      make("caption", { class: "hidden" }, words.legendOf(panel.title)),
      make("thead", { class: "hidden" }, make("tr", {}, make("th", { scope: "col" }, words.line), make("th", { scope: "col" }, words.now))),
      this.body);
    const id = `chart-${panel.name}`;
    this.figure = make(
      "figure", { class: "chart", id, "aria-labelledby": `${id}-title` },
      make("figcaption", {}, make("h2", { id: `${id}-title` }, panel.title), chartTools(this), make("p", { class: "quiet" }, panel.help)),
      this.box,
      this.legendTable,
      this.note,
    );
  }

  // The panel as the server has drawn it anew: perhaps other lines, perhaps none.
  take(panel) {
    const same = this.plot && panel.unit === this.panel.unit && panel.series.length === this.panel.series.length &&
      panel.series.every((line, i) => line.key === this.panel.series[i].key);
    this.panel = panel;
    const nothing = panel.series.length === 0 ? words.noSeries : panel.whole === 0 ? words.noneHere : "";
    say(this.note, nothing || (panel.note ?? ""));
    this.note.hidden = this.note.textContent === "";
    this.box.hidden = this.legendTable.hidden = nothing !== "";
    this.figure.classList.toggle("empty", nothing !== "");
    this.spoken = -Infinity;
    if (!same) this.rebuild();
  }

  rebuild() {
    if (this.plot) this.plot.destroy();
    this.plot = null;
    this.body.replaceChildren();
    if (!this.panel.series.length) return;
    this.cells = this.panel.series.map((line, i) => {
      const cell = make("td");
      const stroke = make("span", { class: markClass(i), "aria-hidden": "true" });
      this.body.append(make("tr", {}, make("th", { scope: "row" }, stroke, make("span", {}, line.legend)), cell));
      return cell;
    });
    this.plot = new uPlot(this.options(), this.data(), this.box);
    this.draw();
  }

  options() {
    const { unit, top, stacked } = this.panel;
    const quiet = style("--quiet");
    const grid = { stroke: style("--grid"), width: 1 };
    const bytes = unit.startsWith("bytes");
    const lines = this.panel.series.map((line, i) => {
      const colour = style(`--hue-${hueOf(i)}`);
      return {
        label: line.legend, stroke: colour, width: stacked ? 0 : 1.5, spanGaps: false,
        points: stacked ? { show: false } : { show: true, size: 4, fill: colour, filter: (plot, n) => alone(plot.data[n]) },
        dash: stacked ? [] : DASHES[dashOf(i)],
        fill: stacked ? `${colour}bb` : undefined,
      };
    });
    return {
      width: this.width(), height: HEIGHT, legend: { show: false }, pxAlign: 1,
      cursor: { drag: { x: false, y: false }, sync: { key: "time" }, points: { size: 5 }, y: false },
      scales: {
        x: { time: true, range: () => this.series.span },
        y: { range: (_, low, high) => this.limits(low, high, top) },
      },
      axes: [
        { stroke: quiet, grid, ticks: grid, size: 28, font: style("--axis-font"), values: (_, marks) => marks.map((t) => this.moment(t)), space: 80 },
        { stroke: quiet, grid, ticks: grid, size: 72, font: style("--axis-font"), values: (_, marks) => marks.map((v) => mark(v, unit)), ...(bytes ? { incrs: BYTE_STEPS } : {}) },
      ],
      series: [{}, ...lines],
      // Each line of a stack is filled down to the one below it.
      bands: stacked ? lines.slice(1).map((_, i) => ({ series: [i + 2, i + 1] })) : [],
      hooks: { setCursor: [(plot) => this.legend(plot.cursor.idx)] },
    };
  }

  moment(t) {
    const { seconds } = this.series;
    return seconds > 43200 ? when(t).replace(/(:\d\d):\d\d$/, "$1") : clock(t).slice(0, seconds > 600 ? 5 : 8);
  }

  limits(low, high, top) {
    if (this.panel.unit === "celsius") return low === null ? [20, 60] : [Math.min(low - 2, 30), Math.max(high + 2, 60)];
    if (this.panel.whole) return [0, Math.max(this.panel.whole, high ?? 0)];
    if (high === null) return [0, top ?? 1];
    // A ratio keeps its whole scale only when it comes near it: 2 % of a big scale would be a flat line.
    if (top !== null && high > 0.5 * top) return [0, Math.max(top, high)];
    return [0, high > 0 ? high * 1.15 : top ?? 1];
  }

  width() {
    return Math.max(200, this.box.clientWidth || 400);
  }

  columns() {
    return this.panel.series.map((line) => this.series.column(this.panel.name, line.key) ?? []);
  }

  data() {
    const columns = this.columns();
    if (!this.panel.stacked) return [this.series.times, ...columns];
    const sums = [];
    let below = null;
    for (const column of columns) {
      const base = below;
      below = column.map((v, i) => (v === null ? null : v + (base === null ? 0 : base[i] ?? 0)));
      sums.push(below);
    }
    return [this.series.times, ...sums];
  }

  draw() {
    if (!this.plot || !this.visible) return;
    this.plot.setData(this.data());
    this.legend(this.plot.cursor.idx);
    this.speak();
  }

  legend(index) {
    const at = index ?? this.series.times.length - 1;
    this.columns().forEach((column, i) => say(this.cells[i], write(column[at], this.panel.unit)));
    set(this.figure, "data-at", index === null || index === undefined ? "now" : clock(this.series.times[index]));
  }

  speak() {
    if (performance.now() - this.spoken < SPEAK_EVERY) return;
    this.spoken = performance.now();
    const last = this.series.times.length - 1;
    const values = this.columns().map((column, i) => `${this.panel.series[i].legend} ${write(column[last], this.panel.unit)}`);
    set(this.box, "aria-label", words.chart(this.panel.title, words.ranges[this.series.range], values.join(", ")));
  }

  resize() {
    if (this.plot && Math.abs(this.plot.width - this.width()) > 1) this.plot.setSize({ width: this.width(), height: HEIGHT });
  }
}

export class Charts {
  constructor(series) {
    this.series = series;
    this.charts = new Map();
    this.seen = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        const chart = [...this.charts.values()].find((each) => each.figure === entry.target);
        if (!chart) continue;
        chart.visible = entry.isIntersecting;
        chart.draw();
      }
    }, { rootMargin: "150px" });
    this.sized = new ResizeObserver(() => requestAnimationFrame(() => this.each((chart) => chart.resize())));
    this.sized.observe(byId("charts"));
    onTheme(() => this.each((chart) => chart.rebuild()));
  }

  each(act) {
    for (const chart of this.charts.values()) act(chart);
  }

  take(panels) {
    const names = new Set(panels.map((panel) => panel.name));
    for (const [name, chart] of this.charts) {
      if (names.has(name)) continue;
      chart.figure.remove();
      this.charts.delete(name);
    }
    for (const panel of panels) {
      if (!this.charts.has(panel.name)) {
        const chart = new Chart(panel, this.series);
        this.charts.set(panel.name, chart);
        byId("charts").append(chart.figure);
        this.seen.observe(chart.figure);
      }
      this.charts.get(panel.name).take(panel);
    }
    this.draw();
  }

  draw() {
    this.each((chart) => chart.draw());
  }
}
