// What one process is, and what its program did over the time that the page shows: a dialog that Esc closes.
import { askRange, quoted, Refusal } from "./ask.js";
import { make, say } from "./dom.js";
import { Plot } from "./plot.js";
import { words } from "./table_words.js";
import { onTheme } from "./theme.js";
import { span, when, write } from "./units.js";

const POINTS = 240;
const REFRESH = 5; // s at least between two questions of a page that is live

const CHARTS = [
  ["cpu", "ratio", [["cpu", "rate", "cpu_seconds_total"]]],
  ["memory", "bytes", [["memory", "max_over_time", "resident_memory_bytes"]]],
  ["io", "bytes/s", [["read", "rate", "read_bytes_total"], ["write", "rate", "written_bytes_total"]]],
  ["processes", "count", [["processes", "max_over_time", "processes"], ["threads", "max_over_time", "threads"]]],
];
const FACTS = {
  pid: String, user: String, state: (v) => words.processStates[v] ?? v, start: when, cpu: (v) => write(v, "ratio"),
  memory: (v) => write(v, "bytes"), read: (v) => write(v, "bytes/s"), write: (v) => write(v, "bytes/s"), threads: String,
  arguments: String,
};

// The expression of one line: all processes of a group together, over `seconds` before each point so that no peak is lost.
export function expression([, how, metric], [user, executable, kind], seconds) {
  const selector = `process_group_${metric}{user=${quoted(user)},executable=${quoted(executable)},kind=${quoted(kind)}}`;
  return `sum(${how}(${selector}[${seconds}s]))`;
}

export class ProcessHistory {
  // `span()` gives {from, to, live} in Unix s, `spacing()` the seconds between two readings, `closed()` is called after.
  constructor({ span: spanOf, spacing, closed }) {
    Object.assign(this, { spanOf, spacing, closed, process: null, plots: [], asking: null, timer: null });
    this.title = make("h2", { id: "process-title" });
    this.note = make("p", { class: "quiet" });
    this.values = Object.fromEntries(Object.keys(FACTS).map((name) => [name, make("dd")]));
    this.facts = make("dl", { class: "facts" }, ...Object.entries(this.values).map(([name, value]) =>
      make("div", { class: `fact ${name}` }, make("dt", {}, words.processColumns[name]), value)));
    this.help = make("p", { class: "quiet" });
    this.charts = make("div", { class: "plots" });
    this.dialog = make("dialog", { id: "process-dialog", "aria-labelledby": "process-title" },
      make("div", { class: "bar" }, this.title,
        make("button", { type: "button", class: "plain close", onclick: () => this.dialog.close() }, words.close)),
      this.note, this.facts, this.help, this.charts);
    this.dialog.addEventListener("close", () => this.end());
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    document.body.append(this.dialog);
    onTheme(() => this.plots.forEach((plot) => plot.draw()));
  }

  open(process) {
    this.process = process;
    say(this.title, words.historyOf(process.executable, process.user));
    this.charts.replaceChildren(make("p", { class: "quiet" }, words.historyAsking));
    this.write(process);
    this.dialog.showModal();
    this.draw();
  }

  // What the newest table says of it.
  take(processes) {
    if (!this.process) return;
    const now = processes.find((each) => each.key === this.process.key);
    if (now) this.process = now;
    this.write(now ?? this.process);
    say(this.note, now ? "" : words.processEnded);
  }

  write(process) {
    for (const [name, writer] of Object.entries(FACTS)) {
      const value = process[name];
      say(this.values[name], value === null || value === undefined ? words.unknown : writer(value));
      this.values[name].parentElement.hidden = name === "arguments" && (value === null || value === undefined);
    }
  }

  async draw() {
    clearTimeout(this.timer);
    const { from, to, live } = this.spanOf();
    const step = Math.max(1, Math.ceil((to - from) / POINTS));
    const grid = { from: Math.floor(from / step) * step, to: Math.floor(to / step) * step, step };
    const text = span(Math.max(1, Math.round(to - from)));
    say(this.help, words.historyHelp(text));
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

  async ask({ from, to, step, signal }) {
    const { group, user, executable } = this.process;
    if (group && !group.length) throw new Refusal(words.historyNameless);
    const over = Math.ceil(Math.max(step, 5 * this.spacing(), 10));
    return Promise.all(CHARTS.map(async ([name, unit, lines]) => {
      const answers = await Promise.all(lines.map((line) =>
        askRange(expression(line, group ?? [user, executable, "program"], over), { from, to, step, signal })));
      const drawn = answers.flatMap(({ series }, i) =>
        series.slice(0, 1).map(({ values }) => ({ legend: words.historyLines[lines[i][0]], values })));
      return { name, unit, times: answers[0].times, lines: drawn };
    }));
  }

  show(found, text) {
    const charts = found.filter(({ lines }) => lines.length);
    if (!charts.length) {
      this.clear(words.historyNone);
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
    this.asking = this.process = null;
    this.clear("");
    say(this.note, "");
    this.closed();
  }
}
