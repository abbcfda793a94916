// The table of processes: searched, sorted, grouped, drawn as far as it is seen; a row opens its program's history.
import { byId, make, say, set } from "./dom.js";
import { notice } from "./notice.js";
import { ProcessHistory } from "./process_history.js";
import { GROUPINGS, lines, read, search, SUMMED, TEXT } from "./process_list.js";
import { RowWindow } from "./row_window.js";
import { words } from "./table_words.js";
import { when, write } from "./units.js";
import { view } from "./view.js";

const SHOWN = ["pid", "user", "executable", "cpu", "memory", "read", "write", "threads", "state", "start"];
const SORT = { sort: "cpu", down: true };
const NO_GROUPS = "none";
const WAIT = 300; // ms after the last key until a search is in the address

const WRITERS = {
  cpu: (v) => write(v, "ratio"),
  memory: (v) => write(v, "bytes"),
  read: (v) => write(v, "bytes/s"),
  write: (v) => write(v, "bytes/s"),
  start: (v) => when(v),
  state: (v) => words.processStates[v] ?? v,
};

// `cpu` is largest first, as a number is by nature; `-cpu` the other way round, `user` from A, `-user` from Z.
function sortOf(text) {
  const name = text?.replace(/^-/, "") ?? "";
  if (!Object.hasOwn(words.processColumns, name)) return null;
  return { sort: name, down: !TEXT.has(name) !== text.startsWith("-") };
}

export class Processes {
  constructor() {
    this.search = byId("processes-search");
    this.scroll = byId("processes-scroll");
    this.table = byId("processes-table");
    this.head = make("tr", { "aria-rowindex": "1" });
    this.body = make("tbody");
    this.top = make("thead", {}, this.head);
    this.table.append(make("caption", { class: "hidden" }, words.processes), this.top, this.body);
    this.window = new RowWindow(this.scroll, this.table, this.body, {
      blank: () => this.blank(), fill: (...all) => this.fill(...all), drawn: () => this.keep(),
    });
    this.history = new ProcessHistory({
      span: () => this.span(), spacing: () => this.spacing, closed: () => this.focus(this.active),
    });
    Object.assign(this, { data: null, list: [], columns: [], open: new Set(), active: null, pointed: false, seen: true, unread: false, spacing: 1 });
    this.addGroupings();
    this.follow();
    this.listen();
  }

  addGroupings() {
    const choice = (this.choice = byId("processes-group"));
    say(byId("processes-group-label"), words.groupBy);
    choice.append(...Object.keys(GROUPINGS).map((name) => make("option", { value: name }, words.groupings[name])));
    choice.addEventListener("change", () => view.set({ group: choice.value === NO_GROUPS ? null : choice.value }, { replace: true }));
  }

  // What the address says of search, sort and groups.
  follow() {
    this.sorted();
    this.grouped();
    if (this.search.value !== (view.search ?? "")) this.search.value = view.search ?? "";
    view.on((changed) => {
      if (!["sort", "search", "group"].some((name) => changed.has(name))) return;
      this.sorted();
      this.grouped();
      if (changed.has("search") && this.search.value.trim() !== (view.search ?? "")) this.search.value = view.search ?? "";
      this.draw({ anew: true });
    });
  }

  sorted() {
    const found = sortOf(view.sort);
    notice("sort", view.sort && !found ? words.sortUnknown(view.sort) : "");
    Object.assign(this, found ?? SORT);
  }

  grouped() {
    const known = view.group === null || Object.hasOwn(GROUPINGS, view.group);
    notice("group", known ? "" : words.groupUnknown(view.group, Object.keys(GROUPINGS).filter((name) => name !== NO_GROUPS)));
    this.grouping = this.choice.value = known && view.group ? view.group : NO_GROUPS;
  }

  listen() {
    let wait = null;
    this.search.addEventListener("input", () => {
      this.draw({ anew: true });
      clearTimeout(wait);
      wait = setTimeout(() => view.set({ search: this.search.value.trim() }, { replace: true }), WAIT);
    });
    this.body.addEventListener("click", (event) => {
      const line = this.window.lineOf(event.target.closest("tr"));
      if (line && (event.target.closest("button") || getSelection().isCollapsed)) this.choose(line);
    });
    this.body.addEventListener("focusin", (event) => (this.active = event.target.closest("tr")?.dataset.key ?? null));
    this.body.addEventListener("keydown", (event) => this.key(event));
    this.body.addEventListener("pointerenter", (event) => (this.pointed = event.pointerType === "mouse"));
    this.body.addEventListener("pointerleave", () => (this.pointed = false));
    new IntersectionObserver(([entry]) => {
      this.seen = entry.isIntersecting;
      if (this.seen) this.draw();
    }, { rootMargin: "100px" }).observe(this.scroll);
  }

  span() {
    if (!view.live) return { from: view.from, to: view.to, live: false };
    const now = this.data?.time ?? Date.now() / 1000;
    return { from: now - view.range, to: now, live: true };
  }

  take(data) {
    const since = this.data?.time ? data.time - this.data.time : 0;
    if (since > 0 && since < 600) this.spacing = since;
    const first = this.data === null;
    this.data = data;
    // Nobody looks: nothing is done until someone does.
    if (!this.seen && !first && !this.history.dialog.open) {
      this.unread = true;
      return;
    }
    this.read();
    this.history.take(this.all);
    this.draw();
  }

  read() {
    this.unread = false;
    this.all = read(this.data);
    const withArguments = this.all.some((process) => process.arguments !== null);
    const columns = withArguments ? [...SHOWN, "arguments"] : SHOWN;
    if (columns.length !== this.columns.length) {
      this.columns = columns;
      this.drawHead();
    }
  }

  drawHead() {
    this.body.replaceChildren();
    this.head.replaceChildren(...this.columns.map((name) => {
      const button = make("button", { type: "button", title: words.processHelp[name], onclick: () => this.sortBy(name) }, words.processColumns[name]);
      return make("th", { scope: "col", class: `${TEXT.has(name) ? "text" : "number"} ${name}`, "data-column": name }, button);
    }));
  }

  sortBy(name) {
    const down = this.sort === name ? !this.down : !TEXT.has(name);
    const byNature = down !== TEXT.has(name);
    const standard = name === SORT.sort && down === SORT.down;
    view.set({ sort: standard ? null : `${byNature ? "" : "-"}${name}` }, { replace: true });
    say(byId("processes-said"), words.processSort(words.processColumns[name], down));
  }

  // Someone who is about to choose a row keeps it where it is: values go on, the order rests.
  get held() {
    return this.pointed || this.body.contains(document.activeElement) || this.history.dialog.open;
  }

  draw({ anew = false } = {}) {
    if (!this.data) return;
    if (this.unread) this.read();
    for (const cell of this.head.children) {
      set(cell, "aria-sort", cell.dataset.column === this.sort ? (this.down ? "descending" : "ascending") : "none");
    }
    const found = search(this.all, this.search.value);
    const ranks = !anew && this.held ? new Map(this.list.map((line, i) => [line.key, i])) : null;
    this.list = lines(found, { ...this, ranks });
    this.say(found.length, ranks !== null);
    set(this.table, "aria-rowcount", String(this.list.length + 1));
    byId("processes-none").hidden = this.list.length > 0;
    if (anew) this.scroll.scrollTop = 0;
    this.window.show(this.list);
  }

  say(found, held) {
    const { rows, total, time } = this.data;
    const count = time === null ? words.processUnread : words.processCount(found, total);
    say(byId("processes-count"), held ? `${count} · ${words.processHeld}` : count);
    say(byId("processes-none"), time === null ? words.processUnread : words.processNone);
    const note = rows.length < total ? words.processCut(rows.length, total) : this.grouping === NO_GROUPS ? "" : words.groupSums;
    say(byId("processes-note"), note);
    byId("processes-note").hidden = note === "";
  }

  blank() {
    const row = make("tr");
    row.cells_ = this.columns.map((name) => {
      const isName = name === "executable";
      const cell = make(isName ? "th" : "td", { scope: isName ? "row" : null, class: `${TEXT.has(name) ? "text" : "number"} ${name}` });
      if (isName) cell.append((row.button = make("button", { type: "button", tabindex: "-1" })));
      row.append(cell);
      return cell;
    });
    return row;
  }

  fill(row, line, index) {
    set(row, "data-key", line.key);
    set(row, "aria-rowindex", String(index + 2));
    const group = line.members !== undefined;
    row.classList.toggle("group", group);
    row.classList.toggle("member", !group && this.grouping !== NO_GROUPS);
    this.columns.forEach((name, i) => {
      const cell = row.cells_[i];
      const text = this.text(line, name, group);
      say(name === "executable" ? row.button : cell, text);
      if (TEXT.has(name)) set(cell, "title", text);
    });
    set(row.button, "tabindex", line.key === this.active || (index === 0 && !this.activeShown) ? "0" : "-1");
    if (group) set(row.button, "aria-expanded", String(this.open.has(line.name)));
    else row.button.removeAttribute("aria-expanded");
  }

  get activeShown() {
    return this.active !== null && this.list.some((line) => line.key === this.active);
  }

  text(line, name, group) {
    if (group && name === "executable") return words.groupOf(line.name, line.members.length);
    if (group && !SUMMED.includes(name)) return "";
    const value = line[name];
    return value === null ? words.unknown : (WRITERS[name] ?? String)(value);
  }

  choose(line) {
    this.active = line.key;
    if (line.members === undefined) {
      this.history.open(line);
      return;
    }
    if (!this.open.delete(line.name)) this.open.add(line.name);
    this.draw();
  }

  key(event) {
    const at = this.list.findIndex((line) => line.key === this.active);
    if (at < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    const line = this.list[at];
    const page = Math.max(1, Math.floor(this.scroll.clientHeight / this.window.height) - 2);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -at, End: this.list.length - 1 - at };
    if (event.key in moves) this.focus(this.list[Math.min(this.list.length - 1, Math.max(0, at + moves[event.key]))].key);
    else if (event.key === "ArrowRight" && line.members && !this.open.has(line.name)) this.choose(line);
    else if (event.key === "ArrowLeft" && line.members && this.open.has(line.name)) this.choose(line);
    else return;
    event.preventDefault();
    event.stopPropagation(); // arrows mean time elsewhere on the page
  }

  // Rows have been used for other lines: the focus follows its own line, or waits at the table when that is out of sight.
  keep() {
    const focused = document.activeElement;
    if (!this.body.contains(focused) || focused.closest("tr").dataset.key === this.active) return;
    const { active } = this;
    const row = [...this.body.children].find((each) => each.dataset.key === active);
    (row ? row.button : this.scroll).focus({ preventScroll: true });
    this.active = active;
  }

  // The keyboard's place is a line, whichever row element shows it.
  focus(key) {
    const at = this.list.findIndex((line) => line.key === key);
    if (at < 0) return;
    this.active = key;
    this.window.reveal(at, this.top.offsetHeight)?.button.focus({ preventScroll: true });
  }
}
