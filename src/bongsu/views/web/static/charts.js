// All charts of a board: made as the server names them, drawn only while they are seen.
import { Chart } from "./chart.js";
import { byId } from "./dom.js";
import { keysNote } from "./frame.js";
import { Heat } from "./heat.js";
import { onTheme } from "./theme.js";

const PIXELS = 500; // of a chart's width: nothing moves in less time than one of them stands for

export class Charts {
  constructor(context) {
    this.context = context; // series, crosshair, travel
    this.charts = new Map();
    this.drawn = -Infinity;
    keysNote();
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
      chart.figure.remove();
      this.charts.delete(name);
    }
    for (const panel of panels) {
      if (!this.charts.has(panel.name)) {
        const chart = new (panel.heat ? Heat : Chart)(panel, this.context);
        this.charts.set(panel.name, chart);
        byId("charts").append(chart.figure);
        this.seen.observe(chart.figure);
      }
      this.charts.get(panel.name).take(panel);
    }
    this.draw();
  }

  draw() {
    this.drawn = performance.now();
    this.each((chart) => chart.draw());
  }

  // News came: worth drawing only when it moves something.
  tick() {
    if (performance.now() - this.drawn >= Math.max(0, (1000 * this.context.series.seconds) / PIXELS - 100)) this.draw();
  }
}
