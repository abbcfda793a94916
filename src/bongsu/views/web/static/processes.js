// The table of processes: sorted by any column, searched by any word, and never rebuilt where a cell can be rewritten.
import { byId, make, say, set } from "./dom.js";
import { when, write } from "./units.js";
import { words } from "./words.js";

const SHOWN = ["pid", "user", "executable", "cpu", "memory", "read", "write", "threads", "state", "start"];
const TEXT = new Set(["user", "executable", "state", "arguments"]);
const FIRST = 40;
const STEP = 200;

const WRITERS = {
  cpu: (v) => write(v, "ratio"),
  memory: (v) => write(v, "bytes"),
  read: (v) => write(v, "bytes/s"),
  write: (v) => write(v, "bytes/s"),
  start: (v) => when(v),
  state: (v) => words.processStates[v] ?? v,
};

export class Processes {
  constructor() {
    this.table = byId("processes-table");
    this.head = make("tr");
    this.body = make("tbody");
    this.table.append(make("caption", { class: "hidden" }, words.processes), make("thead", {}, this.head), this.body);
    this.sort = "cpu";
    this.down = true;
    this.limit = FIRST;
    this.data = null;
    this.columns = [];
    byId("processes-search").addEventListener("input", () => {
      this.limit = FIRST;
      this.draw();
    });
    byId("processes-more").addEventListener("click", () => {
      this.limit += STEP;
      this.draw();
    });
  }

  take(data) {
    this.data = data;
    this.place = new Map(data.columns.map((name, i) => [name, i]));
    const withArguments = data.rows.some((row) => row[this.place.get("arguments")] !== null);
    const columns = withArguments ? [...SHOWN, "arguments"] : SHOWN;
    if (columns.length !== this.columns.length) {
      this.columns = columns;
      this.drawHead();
    }
    this.draw();
  }

  drawHead() {
    this.body.replaceChildren();
    this.head.replaceChildren(...this.columns.map((name) => {
      const button = make("button", {
        type: "button", title: words.processHelp[name],
        onclick: () => {
          this.down = this.sort === name ? !this.down : !TEXT.has(name);
          this.sort = name;
          this.draw();
        },
      }, words.processColumns[name]);
      return make("th", { scope: "col", class: TEXT.has(name) ? null : "number", "data-column": name }, button);
    }));
  }

  chosen() {
    const wanted = byId("processes-search").value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const at = ["pid", "user", "executable", "arguments"].map((name) => this.place.get(name));
    const rows = wanted.length
      ? this.data.rows.filter((row) => {
        const text = at.map((i) => row[i] ?? "").join(" ").toLowerCase();
        return wanted.every((word) => text.includes(word));
      })
      : [...this.data.rows];
    const key = this.place.get(this.sort);
    const memory = this.place.get("memory");
    const sign = this.down ? -1 : 1;
    const compare = TEXT.has(this.sort)
      ? (a, b) => (a[key] ?? "").localeCompare(b[key] ?? "")
      : (a, b) => (a[key] ?? -1) - (b[key] ?? -1);
    return rows.sort((a, b) => sign * compare(a, b) || b[memory] - a[memory] || a[0] - b[0]);
  }

  draw() {
    if (!this.data) return;
    for (const cell of this.head.children) {
      set(cell, "aria-sort", cell.dataset.column === this.sort ? (this.down ? "descending" : "ascending") : "none");
    }
    const rows = this.chosen();
    const shown = rows.slice(0, this.limit);
    say(byId("processes-count"), this.data.time === null ? words.processUnread : words.processCount(rows.length, this.data.total));
    const more = byId("processes-more");
    more.hidden = rows.length <= this.limit;
    say(more, words.more(Math.min(STEP, rows.length - this.limit)));
    while (this.body.children.length > Math.max(shown.length, 1)) this.body.lastElementChild.remove();
    if (!shown.length) {
      this.body.replaceChildren(make("tr", {}, make("td", { colspan: String(this.columns.length), class: "quiet" }, words.processNone)));
      return;
    }
    shown.forEach((row, i) => this.drawRow(i, row));
  }

  drawRow(i, row) {
    let line = this.body.children[i];
    if (!line || line.children.length !== this.columns.length) {
      const fresh = make("tr", {}, ...this.columns.map((name) => {
        const isName = name === "executable";
        return make(isName ? "th" : "td", { scope: isName ? "row" : null, class: TEXT.has(name) ? `text ${name}` : "number" });
      }));
      if (line) line.replaceWith(fresh);
      else this.body.append(fresh);
      line = fresh;
    }
    this.columns.forEach((name, j) => {
      const value = row[this.place.get(name)];
      const text = value === null ? words.unknown : (WRITERS[name] ?? String)(value);
      say(line.children[j], text);
      if (TEXT.has(name)) set(line.children[j], "title", text);
    });
  }
}
