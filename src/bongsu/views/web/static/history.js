// What one thing is, and what it did over the time that the page shows: a dialog that Esc closes.
import { askRange, Refusal } from "./ask.js";
import { make, say } from "./dom.js";
import { Plot } from "./plot.js";
import { words } from "./table_words.js";
import { onTheme } from "./theme.js";
import { span } from "./units.js";

const POINTS = 240;
const REFRESH = 5; // s at least between two questions of a page that is live

// One line of a chart: `expression` is called with a selector's labels and the seconds before each point that it stands
// for, so that no peak is lost; the answer has the label `line`.
export const line = (name, expression) => ({ names: [name], of: (...all) => `label_replace(${expression(...all)},"line","${name}","","")` });
// A line for each of these values of a label.
export const linesBy = (label, names, expression) => ({
  names, of: (...all) => `label_replace(${expression(...all)},"line","$1","${label}","(.*)")`,
});

// What extends it has `drawn`: a list of [name, unit, lines], labels(subject) for them (a Refusal where it can have
// none), called(subject), state(now), `said` for a span, `nothing`, the sentence where the history has none, and perhaps
// `optional`: the facts that are left out where they are not known, else all are. `table` gives span(), spacing, focus().
export class History {
  constructor(table, name, facts, columns) {
    Object.assign(this, { table, name, writers: facts, subject: null, plots: [], asking: null, timer: null });
    this.title = make("h2", { id: `${name}-title` });
    this.note = make("p", { class: "quiet" });
    this.values = Object.fromEntries(Object.keys(facts).map((fact) => [fact, make("dd")]));
    this.facts = make("dl", { class: "facts" }, ...Object.entries(this.values).map(([fact, value]) =>
      make("div", { class: `fact ${fact}` }, make("dt", {}, columns[fact]), value)));
    this.help = make("p", { class: "quiet" });
    this.charts = make("div", { class: "plots" });
    this.dialog = make("dialog", { id: `${name}-dialog`, class: "history", "aria-labelledby": `${name}-title` },
      make("div", { class: "bar" }, this.title,
        make("button", { type: "button", class: "plain close", onclick: () => this.dialog.close() }, words.close)),
      this.note, this.facts, this.help, this.charts);
    this.dialog.addEventListener("close", () => this.end());
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    document.body.append(this.dialog);
    onTheme(() => this.plots.forEach((plot) => plot.draw()));
  }

  open(subject) {
    this.subject = subject;
    this.charts.replaceChildren(make("p", { class: "quiet" }, words.historyAsking));
    this.write(subject);
    this.tell(subject);
    if (!this.dialog.open) this.dialog.showModal();
    this.draw();
  }

  // What the newest table says of it.
  take(all) {
    if (!this.subject) return;
    const now = all.find((each) => each.key === this.subject.key);
    if (now) this.subject = now;
    this.write(this.subject);
    this.tell(now);
  }

  tell(now) {
    say(this.note, this.state(now));
  }

  write(subject) {
    say(this.title, this.called(subject));
    for (const [name, writer] of Object.entries(this.writers)) {
      const value = subject[name] ?? null;
      say(this.values[name], value === null ? words.unknown : writer(value, subject));
      this.values[name].parentElement.hidden = value === null && (this.optional?.has(name) ?? true);
    }
  }

  async draw() {
    clearTimeout(this.timer);
    const { from, to, live } = this.table.span();
    const step = Math.max(1, Math.ceil((to - from) / POINTS));
    const grid = { from: Math.floor(from / step) * step, to: Math.floor(to / step) * step, step };
    const text = span(Math.max(1, Math.round(to - from)));
    say(this.help, this.said(text));
    this.asking?.abort();
    const mine = (this.asking = new AbortController());
    try {
      const found = await this.ask({ ...grid, signal: mine.signal });
      if (mine !== this.asking) return;
      this.show(found, text);
    } catch (error) {
      if (mine !== this.asking) return;
      if (!(error instanceof Refusal)) throw error;
      this.clear(error.message);
    }
    if (live) this.timer = setTimeout(() => (document.hidden ? null : this.draw()), 1000 * Math.max(REFRESH, step));
  }

  ask(grid) {
    const labels = this.labels(this.subject);
    const over = Math.ceil(Math.max(grid.step, 5 * this.table.spacing, 10));
    return Promise.all(this.drawn.map(async ([name, unit, lines]) => {
      const { series, times } = await askRange(lines.map(({ of }) => of(labels, over)).join(" or "), grid);
      const drawn = lines.flatMap(({ names }) => names).flatMap((each) =>
        series.filter(({ labels: { line: said } }) => said === each).slice(0, 1).map(({ values }) => ({ legend: words.historyLines[each], values })));
      return { name, unit, times, lines: drawn };
    }));
  }

  show(found, text) {
    const charts = found.filter(({ lines }) => lines.length);
    if (!charts.length) {
      this.clear(this.nothing);
      return;
    }
    this.plots.forEach((plot) => plot.destroy());
    this.plots = charts.map(({ name, unit, times, lines }) => new Plot(words.historyCharts[name], unit, times, lines, text));
    this.charts.replaceChildren(...this.plots.map((plot, i) =>
      make("figure", { class: "plot-card", "data-plot": charts[i].name }, make("figcaption", {}, words.historyCharts[charts[i].name]), plot.box, plot.legend)));
    this.plots.forEach((plot) => plot.show());
  }

  clear(sentence) {
    this.plots.forEach((plot) => plot.destroy());
    this.plots = [];
    this.charts.replaceChildren(...(sentence ? [make("p", { class: "said" }, sentence)] : []));
  }

  end() {
    clearTimeout(this.timer);
    this.asking?.abort();
    this.asking = this.subject = null;
    this.clear("");
    say(this.note, "");
    this.table.focus(this.table.active);
  }
}
