// The page of one run: what it cost and from where that is known, its charts, processes, functions and events.
import { ask, Refusal } from "./ask.js";
import { make, say, set } from "./dom.js";
import { objects } from "./lists.js";
import { partOf, RunCharts } from "./run_charts.js";
import { RunProcesses } from "./run_processes.js";
import { PlainTable } from "./run_tables.js";
import { words } from "./run_words.js";
import { span, write } from "./units.js";
import { view } from "./view.js";

const POINTS = 900;
const TABLES = 5000; // ms at least between two questions for the tables of a run that goes on
const AGAIN = 5000; // ms until one that failed is asked for anew
const LEAST = 1000; // ms between two questions for its charts, however short its interval is
const OWN = { run: null, "run-span": null, "run-sort": null, "run-search": null };
const number = (value) => (value === null ? words.unknown : write(value, "count"));
const seconds = (value) => (value === null ? words.unknown : span(value));

export class RunPage {
  constructor(table) {
    Object.assign(this, { table, id: null, asking: null, timer: null, tables: -Infinity, told: null });
    this.title = make("h2", { id: "run-title" });
    this.state = make("p", { class: "run-state" });
    this.note = make("p", { class: "quiet", role: "status" });
    this.command = make("p", { class: "run-command" });
    this.heading = make("ul", { class: "said quiet run-heading" });
    this.owner = make("button", { type: "button", class: "plain", onclick: () => view.set({ ...OWN, owner: this.told.owner[1] }) });
    this.then = make("button", { type: "button", class: "plain", onclick: () => this.machine() }, words.machineThen);
    this.file = make("a", { class: "plain", download: "" }, words.saveReport);
    this.whole = make("button", { type: "button", class: "plain", onclick: () => this.charts.travel.live() }, words.wholeRun);
    this.part = make("p", { class: "quiet run-span" });
    this.tiles = make("div", { class: "run-tiles" });
    this.charts = new RunCharts();
    this.processes = new RunProcesses();
    this.functions = new PlainTable("functions", words.functions, {
      columns: ["name", "count", "total", "self", "average", "longest", "cpu", "errors", "running", "processes"], titles: words.functionColumns,
      texts: ["name"], values: ["name", "task", "kind", "count", "total", "self", "average", "longest", "cpu", "cpuError", "errors", "running", "processes"],
      text: (row, name) => {
        if (name === "name") return row.name;
        if (name === "cpu") return row.cpuError > row.cpu / 1000 ? words.withError(seconds(row.cpu), seconds(row.cpuError)) : seconds(row.cpu);
        return ["count", "errors", "running", "processes"].includes(name) ? number(row[name]) : seconds(row[name]);
      },
    });
    this.events = new PlainTable("events", words.events, {
      columns: ["at", "what", "text"], titles: words.eventColumns, texts: ["at", "what", "text"], values: ["at", "what", "text"],
      text: (row, name) => (name === "at" ? seconds(row.at) : row[name]),
    });
    this.survivors = new PlainTable("survivors", words.survivors, {
      columns: ["pid", "command", "cpu"], titles: words.survivorColumns, texts: ["command"], values: ["pid", "command", "cpu"],
      text: (row, name) => (name === "cpu" ? seconds(row.cpu) : String(row[name])),
    });
    this.parts = make("div", {}, this.command, this.heading, make("div", { class: "actions run-actions" }, this.owner, this.then, this.file),
      this.tiles, make("div", { class: "bar run-time" }, this.part, this.whole), this.charts.box,
      this.processes.section, this.functions.section, this.survivors.section, this.events.section);
    this.dialog = make("dialog", { id: "run-dialog", class: "history run", "aria-labelledby": "run-title" },
      make("div", { class: "bar" }, this.title, this.state, make("button", { type: "button", class: "plain close", onclick: () => this.dialog.close() }, words.close)),
      this.note, this.parts);
    this.dialog.addEventListener("close", () => this.end());
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    document.addEventListener("visibilitychange", () => document.hidden || this.again());
    document.body.append(this.dialog);
  }

  // Opens, closes and moves as the address says.
  come(changed) {
    if (changed.has("run-sort") || changed.has("run-search")) {
      this.processes.follow();
      this.processes.draw();
    }
    if (changed.has("run") && view.run !== this.id) view.run ? this.open(view.run) : this.dialog.close();
    else if (changed.has("run-span") && this.id) this.moved();
  }

  open(id) {
    this.id = id;
    Object.assign(this, { told: null, tables: -Infinity });
    say(this.title, words.recordedAs(id));
    say(this.state, "");
    say(this.note, words.asking);
    this.parts.hidden = true;
    this.charts.clear();
    this.processes.clear();
    this.charts.series.part = partOf(view["run-span"]);
    if (!this.dialog.open) this.dialog.showModal();
    this.look();
  }

  moved() {
    this.charts.series.part = partOf(view["run-span"]);
    this.tables = -Infinity; // strips of groups are of the part that is shown
    this.draw();
    this.look();
  }

  // One question is on its way at a time; a newer one ends it.
  async look() {
    clearTimeout(this.timer);
    if (!this.id || document.hidden) return;
    this.asking?.abort();
    const mine = (this.asking = new AbortController());
    const { part } = this.charts.series;
    const full = performance.now() - this.tables >= TABLES;
    const asked = new URLSearchParams({ id: this.id, points: POINTS, ...(part && { from: part[0], to: part[1] }), ...(full ? {} : { brief: 1 }) });
    let wait = null;
    try {
      const told = await ask(`/api/run?${asked}`, { signal: mine.signal });
      if (mine !== this.asking) return;
      if (full) this.tables = performance.now();
      this.take(told);
      const [from, to] = this.charts.series.span;
      // Sooner than lines move by one of their points, nothing new is to be seen.
      if (told.state === "running") wait = Math.max(LEAST, 1000 * told.interval, (1000 * (to - from)) / POINTS);
      else if (!full) wait = 0; // it has just ended: the tables are told once more
      if (wait === 0) this.tables = -Infinity;
    } catch (error) {
      if (mine !== this.asking) return;
      if (!(error instanceof Refusal)) throw error;
      say(this.note, this.told ? words.held(error.message) : error.message);
      set(this.note, "class", "bad");
      if (![400, 404, 422].includes(error.status)) wait = AGAIN;
    }
    if (wait !== null) this.timer = setTimeout(() => this.look(), wait);
  }

  // Back in sight: one that goes on is read again.
  again() {
    if (this.id && (!this.told || this.told.state === "running")) this.look();
  }

  take(told) {
    this.told = told;
    this.parts.hidden = false;
    const running = told.state === "running";
    say(this.title, told.name);
    say(this.state, told.said);
    set(this.state, "data-state", running ? "running" : told.state);
    say(this.note, running ? words.liveEvery(span(Math.max(1, told.interval))) : "");
    set(this.note, "class", "quiet");
    say(this.command, told.command);
    this.list(this.heading, told.heading);
    this.owner.hidden = !told.owner;
    if (told.owner) say(this.owner, words.ownerPage(told.owner[0]));
    set(this.file, "href", `/api/run/report?id=${encodeURIComponent(this.id)}`);
    this.cards(told.tiles);
    this.charts.take(told);
    if (told.processes) {
      this.processes.take(told.processes);
      const { functions } = told;
      this.functions.take(objects(functions), functions.total > functions.rows.length ? words.functionsCut(functions.rows.length, functions.total) : "");
      this.survivors.take(told.survivors.map(([pid, command, cpu]) => ({ pid, command, cpu })));
      this.events.take(told.events.map(([at, what, text]) => ({ at, what, text })), told.eventsTotal > told.events.length ? words.countOf(told.events.length, told.eventsTotal) : "");
    }
    this.draw();
  }

  // On the part that is shown, with what is there.
  draw() {
    const { series } = this.charts;
    const [from, to] = series.span.map((at) => at - series.start);
    say(this.part, words.shownPart(span(from), span(to)));
    this.whole.hidden = !series.part;
    this.charts.draw();
    this.processes.over(from, to);
  }

  list(box, lines) {
    if (box.told !== lines.join("\n")) box.replaceChildren(...lines.map((line) => make("li", {}, line)));
    box.told = lines.join("\n");
  }

  cards(tiles) {
    while (this.tiles.children.length > tiles.length) this.tiles.lastElementChild.remove();
    while (this.tiles.children.length < tiles.length) {
      this.tiles.append(make("article", { class: "run-tile" }, make("h3"), make("p", { class: "value" }), make("ul", { class: "said quiet" })));
    }
    tiles.forEach(({ title, value, said }, i) => {
      const [heading, big, list] = this.tiles.children[i].children;
      say(heading, title);
      say(big, value);
      big.hidden = !value;
      this.list(list, said);
    });
  }

  machine() {
    const { start, seconds: long } = this.told;
    view.set({ ...OWN, from: start, to: start + long });
  }

  end() {
    clearTimeout(this.timer);
    this.asking?.abort();
    this.id = this.asking = this.told = null;
    if (view.run) view.set(OWN);
    this.table.focus(this.table.active);
  }
}
