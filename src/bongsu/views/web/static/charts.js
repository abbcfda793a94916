// All charts of a board: made as the server names them, drawn only while they are seen.
import { Chart } from "./chart.js";
import { byId, make } from "./dom.js";
import { keysNote } from "./frame.js";
import { Heat } from "./heat.js";
import { onTheme } from "./theme.js";

const STEP = 2; // pixels by which lines have moved when they are drawn anew
const LATEST = 3000; // ms after which they are, however slowly they move
const PIXELS = 400; // of a drawing's width, where none is made yet

export class Charts {
  constructor(context) {
    this.context = context; // series, crosshair, travel
    this.charts = new Map();
    this.headings = new Map();
    this.drawn = -Infinity;
    keysNote();
    this.seen = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        const chart = [...this.charts.values()].find((each) => each.figure === entry.target);
        if (!chart) continue;
        chart.visible = entry.isIntersecting;
        chart.draw();
      }
    });
    this.sized = new ResizeObserver(() => requestAnimationFrame(() => this.each((chart) => chart.resize())));
    this.sized.observe(byId("charts"));
    context.crosshair.on(() => this.each((chart) => chart.point()));
    onTheme(() => this.each((chart) => chart.rebuild()));
  }

  each(act) {
    for (const chart of this.charts.values()) act(chart);
  }

  take(panels) {
    const names = new Set(panels.map((panel) => panel.name));
    for (const [name, chart] of this.charts) {
      if (names.has(name)) continue;
      this.seen.unobserve(chart.figure);
      this.charts.delete(name);
    }
    const elements = [];
    let section = null;
    for (const panel of panels) {
      const known = this.charts.get(panel.name);
      const chart = known ?? new (panel.heat ? Heat : Chart)(panel, this.context);
      if (!known) {
        this.charts.set(panel.name, chart);
        this.seen.observe(chart.figure);
      }
      if (panel.section && panel.section !== section) elements.push(this.heading(panel.section));
      section = panel.section;
      elements.push(chart.figure);
    }
    const there = byId("charts").children;
    if (elements.length !== there.length || elements.some((element, i) => element !== there[i])) byId("charts").replaceChildren(...elements);
    for (const panel of panels) this.charts.get(panel.name).take(panel);
    // Charts with nothing to show stand at the end; a heading over none of the others is not needed.
    for (const [title, heading] of this.headings) {
      heading.hidden = panels.every((panel) => panel.section !== title || this.charts.get(panel.name).figure.classList.contains("empty"));
    }
    this.draw();
  }

  heading(title) {
    if (!this.headings.has(title)) this.headings.set(title, make("h2", { class: "section" }, title));
    return this.headings.get(title);
  }

  draw() {
    this.drawn = performance.now();
    this.each((chart) => chart.draw());
  }

  // News came: worth drawing when it moves lines by a step that one sees.
  tick() {
    const wide = Math.max(0, ...[...this.charts.values()].map((chart) => chart.plot?.bbox.width ?? 0)) || PIXELS;
    const step = Math.min(LATEST, (STEP * 1000 * this.context.series.seconds) / wide);
    if (performance.now() - this.drawn >= step - 100) this.draw();
  }
}
