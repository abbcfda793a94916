// A table of what is now, of which there may be thousands: searched, sorted, drawn as far as it is seen, walked by keys.
import { byId, make, say, set } from "./dom.js";
import { compare, search } from "./lists.js";
import { notice } from "./notice.js";
import { RowWindow } from "./row_window.js";
import { words } from "./table_words.js";
import { view } from "./view.js";

const WAIT = 300; // ms after the last key until a search is in the address

// A table that extends it says what belongs to it in `words.tables[name]`, and has read(data) for its lines (objects with
// a key), columnsOf(), text(line, column), choose(line), `naming`, the column of the row's button, `texts`, the columns that
// are no numbers, `standard`, how it is sorted at first, `searched`, `terms`, the names in the address of search and sort.
// `field` is the id of a search field that it shares with another table.
// It may have order(lines, ranks), keeps(line), dress(cell, line, column), fillRow(row, line), note().
export class ListTable {
  constructor(name, traits) {
    Object.assign(this, { name, said: words.tables[name], keeps: () => true, ...traits });
    const part = (what) => byId(`${name}-${what}`);
    Object.assign(this, {
      search: byId(this.field ?? `${name}-search`), scroll: part("scroll"), table: part("table"), counted: part("count"), spoken: part("said"),
      none: part("none"), noted: part("note"), head: make("tr", { "aria-rowindex": "1" }), body: make("tbody"),
      data: null, all: [], list: [], columns: [], active: null, pointed: false, seen: true, unread: false, spacing: 5,
    });
    this.top = make("thead", {}, this.head);
    this.rests = make("p", { class: "quiet rests" }, words.held); // has its room always, or rows would move under the pointer
    this.counted.after(this.rests);
    this.table.append(make("caption", { class: "hidden" }, words[name]), this.top, this.body);
    this.window = new RowWindow(this.scroll, this.table, this.body, {
      blank: () => this.blank(), fill: (...all) => this.fill(...all), drawn: () => this.keep(),
    });
    this.follow();
    this.listen();
  }

  // What the address says.
  follow() {
    const { search: searching, sort } = this.terms;
    const write = () => {
      if (this.search.value.trim() !== (view[searching] ?? "")) this.search.value = view[searching] ?? "";
    };
    this.sorted();
    write();
    view.on((changed) => {
      if (![searching, sort, "user", "group"].some((name) => changed.has(name))) return;
      this.sorted();
      if (changed.has(searching)) write();
      this.draw({ anew: true });
    });
  }

  // `cpu` is largest first, as a number is by nature; `-cpu` the other way round, `user` from A, `-user` from Z.
  sorted() {
    const text = view[this.terms.sort];
    const name = text?.replace(/^-/, "") ?? "";
    const known = Object.hasOwn(this.said.columns, name);
    notice(this.terms.sort, text && !known ? this.said.sortUnknown(text) : "");
    Object.assign(this, known ? { sort: name, down: !this.texts.has(name) !== text.startsWith("-") } : this.standard);
  }

  listen() {
    let wait = null;
    this.search.addEventListener("input", () => {
      this.draw({ anew: true });
      clearTimeout(wait);
      wait = setTimeout(() => view.set({ [this.terms.search]: this.search.value.trim() }, { replace: true }), WAIT);
    });
    this.body.addEventListener("click", (event) => {
      const line = this.window.lineOf(event.target.closest("tr"));
      if (!line || !(event.target.closest("button") || getSelection().isCollapsed)) return;
      this.active = line.key;
      this.choose(line);
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

  // The time that the page shows.
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
    if (!this.seen && !first && !this.wanted) {
      this.unread = true;
      return;
    }
    this.readAll();
    this.draw();
  }

  readAll() {
    this.unread = false;
    this.all = this.read(this.data);
    const columns = this.columnsOf();
    if (columns.length === this.columns.length) return;
    this.columns = columns;
    this.body.replaceChildren();
    this.head.replaceChildren(...columns.map((name) => make("th", { scope: "col", class: this.classOf(name), "data-column": name },
      make("button", { type: "button", title: this.said.help[name], onclick: () => this.sortBy(name) }, this.said.columns[name]))));
  }

  classOf(name) {
    return `${this.texts.has(name) ? "text" : "number"} ${name}`;
  }

  sortBy(name) {
    const natural = !this.texts.has(name);
    const down = this.sort === name ? !this.down : natural;
    const standard = name === this.standard.sort && down === this.standard.down;
    view.set({ [this.terms.sort]: standard ? null : `${down === natural ? "" : "-"}${name}` }, { replace: true });
    say(this.spoken, words.sortedBy(this.said.columns[name], down));
  }

  // Someone who is about to choose a row keeps it where it is: values go on, the order rests.
  get held() {
    return this.pointed || this.body.contains(document.activeElement) || this.wanted;
  }

  // What is wanted though the table is out of sight.
  get wanted() {
    return this.history.dialog.open;
  }

  draw({ anew = false } = {}) {
    if (!this.data) return;
    if (this.unread) this.readAll();
    for (const cell of this.head.children) {
      set(cell, "aria-sort", cell.dataset.column === this.sort ? (this.down ? "descending" : "ascending") : "none");
    }
    const found = search(this.all.filter((line) => this.keeps(line)), this.search.value, this.searched);
    const ranks = !anew && this.held ? new Map(this.list.map((line, i) => [line.key, i])) : null;
    this.list = this.order(found, ranks);
    this.count(found.length, ranks !== null);
    set(this.table, "aria-rowcount", String(this.list.length + 1));
    this.none.hidden = this.list.length > 0;
    if (anew) this.scroll.scrollTop = 0;
    this.window.show(this.list);
  }

  order(found, ranks) {
    return found.sort(compare(this, ranks));
  }

  count(found, held) {
    const { total, time } = this.data;
    const count = time === null ? this.said.unread : words.countOf(found, total);
    say(this.counted, count);
    this.rests.classList.toggle("so", held);
    say(this.none, time === null ? this.said.unread : this.said.none);
    const note = this.note();
    say(this.noted, note);
    this.noted.hidden = note === "";
  }

  blank() {
    const row = make("tr");
    row.cells_ = this.columns.map((name) => {
      const naming = name === this.naming;
      const cell = make(naming ? "th" : "td", { scope: naming ? "row" : null, class: this.classOf(name) });
      if (naming) cell.append((row.button = make("button", { type: "button", tabindex: "-1" })));
      row.append(cell);
      return cell;
    });
    return row;
  }

  fill(row, line, index) {
    set(row, "data-key", line.key);
    set(row, "aria-rowindex", String(index + 2));
    this.columns.forEach((name, i) => {
      const cell = row.cells_[i];
      const text = this.text(line, name);
      say(name === this.naming ? row.button : cell, text);
      if (this.texts.has(name)) set(cell, "title", text);
      this.dress?.(cell, line, name);
    });
    set(row.button, "tabindex", line.key === this.active || (index === 0 && !this.activeShown) ? "0" : "-1");
    this.fillRow?.(row, line);
  }

  get activeShown() {
    return this.active !== null && this.list.some((line) => line.key === this.active);
  }

  key(event) {
    const at = this.list.findIndex((line) => line.key === this.active);
    if (at < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    const page = Math.max(1, Math.floor(this.scroll.clientHeight / this.window.height) - 2);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -at, End: this.list.length - 1 - at };
    if (event.key in moves) this.focus(this.list[Math.min(this.list.length - 1, Math.max(0, at + moves[event.key]))].key);
    else if (!this.opens?.(event.key, this.list[at])) return;
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
