// A chart as a table of times and lines, and as a file: what eyes read from a canvas, for everyone and for a spreadsheet.
import { make, makeSvg, say, set } from "./dom.js";
import { notice } from "./notice.js";
import { save, stamp } from "./save.js";
import { when, write } from "./units.js";
import { words } from "./words.js";

const FIRST = 100; // rows shown at once, newest first
const TABLE = "M2 3.5h12v9H2zM2 6.5h12M2 9.5h12M6.5 3.5v9";
const PICTURE = "M8 2v8M4.5 6.5 8 10l3.5-3.5M2.5 13.5h11";
const DANGEROUS = /^[=+\-@\t\r]/; // a spreadsheet would take a text that begins so for a formula

// What draws one is loaded when somebody wants it.
async function picture(chart) {
  const drawing = await import("./picture.js").catch(() => null);
  notice("picture", drawing ? "" : words.noAnswer);
  drawing?.savePicture(chart);
}

// What stands in a chart's heading beside its title. A chart has panel (name, title, unit, series of key and legend),
// series.times in Unix seconds, and lines(), each with values, and low and high where a value stands for many readings.
export function chartTools(chart) {
  const tool = (path, title, name, onclick) => {
    const icon = makeSvg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true", class: "icon" });
    icon.append(makeSvg("path", { d: path }));
    return make("button", { type: "button", class: "tool", title, onclick }, icon, make("span", { class: "hidden" }, name));
  };
  const { title } = chart.panel;
  return make("div", { class: "tools" },
    tool(PICTURE, words.asPicture, words.pictureTool(title), () => picture(chart)),
    tool(TABLE, words.asTable, words.tableOf(title), () => new TableOf(chart).show()));
}

// Each line, and beside it the least and the most that its values stand for: [heading, values].
export function columnsOf(chart) {
  return chart.lines().flatMap(({ values, low, high, outer }, i) => {
    const { legend } = chart.panel.series[i];
    return [[legend, values], low && [words.lowest(legend, outer), low], high && [words.highest(legend, outer), high]].filter(Boolean);
  });
}

// The chart's readings as they are now: a table that moves under one's eyes cannot be read.
export function rowsOf(chart, columns) {
  return chart.series.times
    .map((time, i) => [time, ...columns.map(([, values]) => values[i] ?? null)])
    .filter((row) => row.some((value, i) => i > 0 && value !== null)); // holes in a chart have times of their own
}

const quoted = (text) => `"${(DANGEROUS.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;

// Times are UTC by ISO 8601, values are bare numbers in the unit that the heading names, unknown is empty.
export function csvOf(unit, headings, rows) {
  const head = ["time", ...headings.map((heading) => `${heading} (${unit})`)].map(quoted);
  const lines = rows.map(([time, ...values]) => [new Date(time * 1000).toISOString(), ...values.map((v) => v ?? "")]);
  return [head, ...lines].map((cells) => `${cells.join(",")}\r\n`).join("");
}

class TableOf {
  constructor(chart) {
    this.panel = chart.panel;
    const columns = columnsOf(chart);
    this.headings = columns.map(([heading]) => heading);
    this.rows = rowsOf(chart, columns);
    this.shown = FIRST;
    this.body = make("tbody");
    this.more = make("button", { type: "button", class: "plain", onclick: () => this.draw((this.shown += 10 * FIRST)) });
    const title = make("h2", { id: "table-title" }, this.panel.title);
    this.dialog = make("dialog", { class: "sheet", "aria-labelledby": "table-title" },
      make("div", { class: "bar" }, title, make("p", { class: "quiet" }, [words.rows(this.rows.length), this.panel.note].filter(Boolean).join(" · ")),
        make("div", { class: "actions" },
          make("button", { type: "button", class: "plain", onclick: () => this.save() }, words.saveCsv),
          make("button", { type: "button", class: "plain", onclick: () => this.dialog.close() }, words.close))),
      make("div", { class: "scroll", tabindex: "0", role: "region", "aria-labelledby": "table-title" },
        make("table", { class: "data" }, make("thead", {}, make("tr", {}, ...[words.time, ...this.headings].map((text, i) =>
          make("th", { scope: "col", class: i ? "number" : null }, text)))), this.body), this.more));
    this.dialog.addEventListener("close", () => this.dialog.remove());
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
  }

  show() {
    this.draw();
    document.body.append(this.dialog);
    this.dialog.showModal();
  }

  draw() {
    const rows = [...this.rows].reverse().slice(this.body.children.length, this.shown);
    this.body.append(...rows.map(([time, ...values]) =>
      make("tr", {}, make("th", { scope: "row" }, when(time)), ...values.map((v) => make("td", { class: "number" }, write(v, this.panel.unit))))));
    const left = this.rows.length - this.body.children.length;
    set(this.more, "data-left", String(left));
    this.more.hidden = left <= 0;
    say(this.more, words.more(Math.min(left, 10 * FIRST)));
  }

  save() {
    const text = csvOf(this.panel.unit, this.headings, this.rows);
    save(`bongsu-${this.panel.name}-${stamp()}.csv`, new Blob([text], { type: "text/csv;charset=utf-8" }));
  }
}
