// Plain tables on the page of a run, and tables as files.
import { make, say } from "./dom.js";
import { words } from "./run_words.js";
import { save, stamp } from "./save.js";

const FIRST = 30; // rows shown at once
const DANGEROUS = /^[=+\-@\t\r]/; // a spreadsheet would take a text that begins so for a formula

const cell = (value) => (typeof value === "string" ? `"${(DANGEROUS.test(value) ? `'${value}` : value).replaceAll('"', '""')}"` : value ?? "");

// Numbers bare, in base units; what is not known is empty.
export const csvOfTable = (headings, rows) => [headings, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");

// A section with a table: `columns` are names, `titles` what they are called, `texts` those that are no numbers, `text`
// writes a value of a row. The first column names the row.
export class PlainTable {
  constructor(name, title, { columns, titles, texts, text, values }) {
    Object.assign(this, { name, columns, texts: new Set(texts), text, values, rows: [], shown: FIRST });
    const id = `run-${name}-title`;
    this.note = make("p", { class: "quiet" });
    this.body = make("tbody");
    this.more = make("button", { type: "button", class: "plain", onclick: () => this.draw((this.shown += 10 * FIRST)) });
    this.section = make("section", { class: "run-part", hidden: true, "aria-labelledby": id },
      make("div", { class: "bar" }, make("h3", { id }, title), this.note,
        make("div", { class: "actions" }, make("button", { type: "button", class: "plain", onclick: () => this.save() }, words.saveTable(title)))),
      make("div", { class: "scroll", tabindex: "0", role: "region", "aria-labelledby": id }, make("table", { class: `data run-${name}` },
        make("thead", {}, make("tr", {}, ...columns.map((column) => make("th", { scope: "col", class: this.classOf(column) }, titles[column])))),
        this.body), this.more));
  }

  classOf(column) {
    return `${this.texts.has(column) ? "text" : "number"} ${column}`;
  }

  take(rows, note = "") {
    this.rows = rows;
    this.section.hidden = !rows.length;
    say(this.note, note);
    this.draw();
  }

  draw() {
    const rows = this.rows.slice(0, this.shown);
    while (this.body.children.length > rows.length) this.body.lastElementChild.remove();
    while (this.body.children.length < rows.length) {
      this.body.append(make("tr", {}, ...this.columns.map((column, i) => make(i ? "td" : "th", { class: this.classOf(column), scope: i ? null : "row" }))));
    }
    rows.forEach((row, i) => this.columns.forEach((column, place) => say(this.body.children[i].children[place], this.text(row, column))));
    const left = this.rows.length - rows.length;
    this.more.hidden = left <= 0;
    say(this.more, words.more(Math.min(left, 10 * FIRST)));
  }

  save() {
    const rows = this.rows.map((row) => this.values.map((name) => row[name]));
    save(`bongsu-run-${this.name}-${stamp()}.csv`, new Blob([csvOfTable(this.values, rows)], { type: "text/csv;charset=utf-8" }));
  }
}
