// The processes of a run as bars over its time, in groups by program where they are many.
import { make, makeSvg, say, set } from "./dom.js";
import { compare, objects, search } from "./lists.js";
import { notice } from "./notice.js";
import { csvOfTable } from "./run_tables.js";
import { words } from "./run_words.js";
import { save, stamp } from "./save.js";
import { span, write } from "./units.js";
import { view } from "./view.js";

const ALONE = 60; // processes that stand one by one; more are grouped
const FIRST = 200; // rows shown at once
const WAIT = 300; // ms after the last key until a search is in the address
const COLUMNS = ["name", "pid", "cpu", "memory", "start", "lived", "end", "when"];
const TEXTS = new Set(["name", "end", "when"]);
const STANDARD = { sort: "start", down: false };

export class RunProcesses {
  constructor() {
    Object.assign(this, { rows: [], groups: [], total: 0, span: [0, 1], open: new Set(), shown: FIRST });
    this.note = make("p", { class: "quiet" });
    this.search = make("input", { type: "search", autocomplete: "off", spellcheck: "false", "aria-label": words.searchProcesses, placeholder: words.searchProcesses });
    this.heads = COLUMNS.map((name) => make("th", { scope: "col", class: this.classOf(name), title: words.processHelp[name] },
      name === "when" ? words.processColumns[name] : make("button", { type: "button", onclick: () => this.sortBy(name) }, words.processColumns[name])));
    this.body = make("tbody");
    this.none = make("p", { class: "quiet", hidden: true });
    this.more = make("button", { type: "button", class: "plain", onclick: () => this.draw((this.shown += 5 * FIRST)) });
    this.section = make("section", { class: "run-part", "aria-labelledby": "run-processes-title" },
      make("div", { class: "bar" }, make("h3", { id: "run-processes-title" }, words.processesOf), this.note,
        make("div", { class: "actions" }, make("button", { type: "button", class: "plain", onclick: () => this.save() }, words.saveTable(words.processesOf))),
        this.search),
      make("div", { class: "scroll", tabindex: "0", role: "region", "aria-labelledby": "run-processes-title" },
        make("table", { class: "data run-processes" }, make("thead", {}, make("tr", {}, ...this.heads)), this.body), this.none, this.more));
    let wait = null;
    this.search.addEventListener("input", () => {
      this.draw();
      clearTimeout(wait);
      wait = setTimeout(() => view.set({ "run-search": this.search.value.trim() }, { replace: true }), WAIT);
    });
    this.follow();
  }

  classOf(name) {
    return `${TEXTS.has(name) ? "text" : "number"} ${name}`;
  }

  // What the address says.
  follow() {
    const text = view["run-sort"];
    const name = text?.replace(/^-/, "") ?? "";
    const known = name !== "when" && COLUMNS.includes(name);
    notice("run-sort", text && !known ? words.sortUnknownOne(text) : "");
    Object.assign(this, known ? { sort: name, down: this.natural(name) !== text.startsWith("-") } : STANDARD, { texts: TEXTS });
    if (this.search.value.trim() !== (view["run-search"] ?? "")) this.search.value = view["run-search"] ?? "";
  }

  // Numbers are largest first, names from A, times as they pass.
  natural(name) {
    return !TEXTS.has(name) && name !== "start";
  }

  sortBy(name) {
    const natural = this.natural(name);
    const down = this.sort === name ? !this.down : natural;
    const standard = name === STANDARD.sort && down === STANDARD.down;
    view.set({ "run-sort": standard ? null : `${down === natural ? "" : "-"}${name}` }, { replace: true });
  }

  clear() {
    this.open.clear();
    this.shown = FIRST;
    this.take({ columns: [], rows: [], groupColumns: [], groups: [], total: 0 });
  }

  take(told) {
    const one = (process) => process.command || process.executable || words.unknown;
    const name = (process) => (process.count > 1 ? words.manyOfRun(one(process), process.count) : one(process));
    // Of many in one row only the first start and the last end are known.
    const lived = ({ start, end, count }) => (end === null || count > 1 ? null : Math.max(0, end - start));
    const ended = ({ end, exit, signal }) => (signal || (end === null ? words.livedOn : exit === null ? words.unknown : String(exit)));
    this.rows = objects(told).map((process) => ({
      ...process, key: String(process.index), name: name(process), lived: lived(process), bad: Boolean(process.exit || process.signal),
      endText: ended(process), alive: process.end === null,
    }));
    this.groups = objects({ columns: told.groupColumns, rows: told.groups }).map((group) => ({
      ...group, key: `group ${group.executable}`, name: words.groupOfRun(group.executable, group.count, group.failed), pid: group.count,
      lived: group.end === null ? null : Math.max(0, group.end - group.start), bad: group.failed > 0, group: true,
    }));
    this.total = told.total;
    this.draw();
  }

  // The part of the run that bars are drawn over, in seconds after its start.
  over(from, to) {
    this.span = [from, to];
    this.draw();
  }

  lines() {
    const order = compare(this.sort === "end" ? { ...this, sort: "endText", texts: new Set(["endText"]) } : this);
    const found = search(this.rows, this.search.value, ["name", "executable", "pid", "user", "endText"]);
    if (this.total <= ALONE) return found.sort(order);
    const members = grouped(found);
    const wanted = this.search.value.trim() ? this.groups.filter(({ executable }) => members.has(executable)) : this.groups;
    return [...wanted].sort(order).flatMap((group) =>
      (this.open.has(group.executable) ? [group, ...(members.get(group.executable) ?? []).sort(order).map((each) => ({ ...each, member: true }))] : [group]));
  }

  draw() {
    this.heads.forEach((head, i) => {
      const name = COLUMNS[i];
      if (name !== "when") set(head, "aria-sort", name === this.sort ? (this.down ? "descending" : "ascending") : "none");
    });
    const all = this.lines();
    const lines = all.slice(0, this.shown);
    const left = all.length - lines.length;
    while (this.body.children.length > lines.length) this.body.lastElementChild.remove();
    while (this.body.children.length < lines.length) this.body.append(this.blank());
    lines.forEach((line, i) => this.fill(this.body.children[i], line));
    const here = this.rows.reduce((sum, { count }) => sum + count, 0);
    say(this.note, this.total > here ? words.processesCut(here, this.total) : this.total ? String(this.total) : "");
    say(this.none, this.total ? words.noneMatches : words.noProcesses);
    this.none.hidden = lines.length > 0;
    this.more.hidden = left <= 0;
    say(this.more, words.more(Math.min(left, 5 * FIRST)));
  }

  blank() {
    const row = make("tr");
    row.cells_ = COLUMNS.map((name) => make(name === "name" ? "th" : "td", { scope: name === "name" ? "row" : null, class: this.classOf(name) }));
    row.toggle = make("button", { type: "button", onclick: () => this.toggle(row.line) });
    row.text = make("span");
    row.bar = make("div", { class: "lived", "aria-hidden": "true" });
    row.path = makeSvg("path", { class: "area" });
    row.strip = makeSvg("svg", { class: "strip", viewBox: "0 0 120 20", preserveAspectRatio: "none", "aria-hidden": "true" });
    row.strip.append(row.path);
    row.cells_[0].append(row.toggle, row.text);
    row.cells_.at(-1).append(row.bar, row.strip);
    row.append(...row.cells_);
    return row;
  }

  fill(row, line) {
    row.line = line;
    const texts = {
      pid: line.group ? "" : line.count > 1 ? "" : String(line.pid || words.unknown), cpu: line.cpu === null ? words.unknown : span(line.cpu),
      memory: write(line.memory, "bytes"), start: span(line.start), lived: line.lived === null ? words.unknown : span(line.lived),
      end: line.group ? "" : line.endText,
    };
    COLUMNS.forEach((name, i) => name in texts && say(row.cells_[i], texts[name]));
    row.toggle.hidden = !line.group;
    row.text.hidden = Boolean(line.group);
    say(line.group ? row.toggle : row.text, line.name);
    set(row.cells_[0], "title", line.name);
    if (line.group) set(row.toggle, "aria-expanded", String(this.open.has(line.executable)));
    row.className = `${line.group ? "group" : line.member ? "member" : ""}${line.bad ? " bad" : ""}`;
    row.bar.hidden = Boolean(line.group);
    row.strip.toggleAttribute("hidden", !line.group);
    line.group ? this.strip(row.path, line.alive) : this.bar(row.bar, line);
  }

  bar(bar, { start, end, alive }) {
    const [from, to] = this.span;
    const place = (at) => (100 * (Math.min(to, Math.max(from, at)) - from)) / (to - from);
    const left = place(start);
    bar.style.left = `${left}%`;
    bar.style.width = `${place(end ?? to) - left}%`;
    bar.classList.toggle("out", start > to || (end ?? to) < from);
    bar.classList.toggle("alive", alive);
  }

  strip(path, alive) {
    const most = Math.max(1, ...alive);
    const width = 120 / Math.max(1, alive.length);
    const steps = alive.map((count, i) => `V${(20 - (19 * count) / most).toFixed(1)}H${((i + 1) * width).toFixed(1)}`);
    set(path, "d", `M0 20${steps.join("")}V20Z`);
  }

  toggle({ executable }) {
    if (!this.open.delete(executable)) this.open.add(executable);
    this.draw();
  }

  save() {
    const names = ["index", "pid", "parent", "command", "executable", "user", "start", "end", "exit", "signal", "cpu", "memory", "threads", "read", "write", "count"];
    const units = { start: " (seconds)", end: " (seconds)", cpu: " (seconds)", memory: " (bytes)", read: " (bytes)", write: " (bytes)" };
    const text = csvOfTable(names.map((name) => `${name}${units[name] ?? ""}`), this.rows.map((row) => names.map((name) => row[name])));
    save(`bongsu-run-processes-${stamp()}.csv`, new Blob([text], { type: "text/csv;charset=utf-8" }));
  }
}

function grouped(rows) {
  const found = new Map();
  for (const row of rows) found.has(row.executable) ? found.get(row.executable).push(row) : found.set(row.executable, [row]);
  return found;
}
