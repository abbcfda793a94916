// The table of recorded runs, those that go on first; a row opens the page of the run, which the address names.
import { ask, Refusal } from "./ask.js";
import { byId, make } from "./dom.js";
import { ListTable } from "./list_table.js";
import { compare, objects } from "./lists.js";
import { RunPage } from "./run_page.js";
import { csvOfTable } from "./run_tables.js";
import { words } from "./run_words.js";
import { save, stamp } from "./save.js";
import { span, when, write } from "./units.js";
import { view } from "./view.js";

const SHOWN = ["name", "state", "tags", "start", "wall", "cpu", "memory", "owner"];
const OFTEN = 2000; // ms between two looks while a run goes on …
const SELDOM = 5000; // … and while none does
const WRITERS = { start: when, wall: span, cpu: span, memory: (v) => write(v, "bytes") };
let opened = null;

// Only now is there something in the section.
function furnish() {
  const section = byId("runs");
  section.firstElementChild.append(
    make("p", { id: "runs-count", class: "quiet" }), make("p", { id: "runs-said", class: "hidden", role: "status" }),
    make("div", { class: "actions" }, make("button", { type: "button", class: "plain", id: "runs-save" }, words.saveList)),
    make("input", { id: "runs-search", type: "search", autocomplete: "off", spellcheck: "false", "aria-label": words.searchRuns, placeholder: words.searchRuns }));
  section.append(
    make("p", { id: "runs-note", class: "quiet", hidden: true }),
    make("div", { id: "runs-scroll", class: "scroll rows", tabindex: "0", role: "region", "aria-label": words.table },
      make("table", { id: "runs-table" }), make("p", { id: "runs-none", class: "quiet", hidden: true })));
}

// What it looks like comes with it.
const dressed = () => new Promise((done) => {
  const link = make("link", { rel: "stylesheet", href: "/static/runs.css", onload: done, onerror: done });
  document.head.append(link);
});

export const stateOf = ({ state, exit, signal, problem }) => problem ?? words.states[state] ?? words.exit(exit, signal);

export class Runs extends ListTable {
  static async open() {
    if (opened) return;
    opened = true;
    await dressed();
    furnish();
    opened = new Runs();
    opened.look();
  }

  constructor() {
    super("runs", {
      naming: "name", texts: new Set(["name", "state", "tags", "owner"]), standard: { sort: "start", down: true }, said: { ...words.list },
      terms: { search: "runs-search", sort: "runs-sort" }, searched: ["name", "key", "command", "tags", "message", "owner", "user", "state"],
    });
    this.history = new RunPage(this);
    this.timer = null;
    byId("runs-save").addEventListener("click", () => this.save());
    document.addEventListener("visibilitychange", () => document.hidden || this.look());
    view.on((changed) => this.history.come(changed));
    this.history.come(new Set(["run"]));
  }

  async look() {
    clearTimeout(this.timer);
    if (!document.hidden && this.seen) {
      try {
        const told = await ask(`/api/runs${this.data ? `?tag=${this.data.tag}` : ""}`);
        this.refused = told.same ? this.refused && this.data.problem : told.problem;
        this.take(told.same ? { ...this.data, time: told.time } : told);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        this.refused = error.message;
        if (this.data) this.draw();
        else this.take({ columns: [], rows: [], total: 0, time: null, directory: "" });
      }
    }
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), this.all.some(({ running }) => running) ? OFTEN : SELDOM);
  }

  read(data) {
    this.said.none = data.total ? words.list.none : words.empty(data.directory);
    return objects(data).map((run) => {
      const running = run.state === "running";
      return {
        ...run, key: run.id, running, state: stateOf(run), bad: Boolean(run.exit || run.signal || run.problem) || run.state === "lost",
        tags: run.tags.join(", "), wall: running && run.start ? Math.max(0, data.time - run.start) : run.wall,
      };
    });
  }

  columnsOf() {
    return SHOWN;
  }

  order(found, ranks) {
    const order = compare(this, ranks);
    return found.sort((a, b) => b.running - a.running || order(a, b));
  }

  note() {
    return this.refused ? words.notRead(this.refused) : "";
  }

  text(run, name) {
    const value = run[name] ?? null;
    return value === null ? words.unknown : (WRITERS[name] ?? String)(value);
  }

  dress(cell, run, name) {
    if (name === "state") cell.className = `text state ${run.running ? "running" : run.bad ? "bad" : ""}`;
  }

  choose({ key }) {
    view.set({ run: key });
  }

  save() {
    const names = ["id", "command", ...SHOWN, "user", "message"];
    const rows = this.list.map((run) => names.map((name) => (name === "start" && run.start ? new Date(run.start * 1000).toISOString() : run[name])));
    const units = { wall: " (seconds)", cpu: " (seconds)", memory: " (bytes)" };
    save(`bongsu-runs-${stamp()}.csv`, new Blob([csvOfTable(names.map((name) => `${name}${units[name] ?? ""}`), rows)], { type: "text/csv;charset=utf-8" }));
  }
}
