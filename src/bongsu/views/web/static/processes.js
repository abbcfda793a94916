// The table of processes, in groups where one wants; a row opens its program's history.
import { byId, make, say, set } from "./dom.js";
import { ListTable } from "./list_table.js";
import { GROUPINGS, lines, processesOf, SUMMED, TEXT } from "./lists.js";
import { notice } from "./notice.js";
import { ProcessHistory } from "./process_history.js";
import { words } from "./table_words.js";
import { when, write } from "./units.js";
import { view } from "./view.js";

const SHOWN = ["pid", "user", "executable", "owner", "cpu", "memory", "read", "write", "threads", "state", "start"];
const NO_GROUPS = "none";

const WRITERS = {
  cpu: (v) => write(v, "ratio"),
  memory: (v) => write(v, "bytes"),
  read: (v) => write(v, "bytes/s"),
  write: (v) => write(v, "bytes/s"),
  start: (v) => when(v),
  state: (v) => words.processStates[v] ?? v,
};

export class Processes extends ListTable {
  constructor() {
    super("processes", {
      naming: "executable", texts: TEXT, standard: { sort: "cpu", down: true }, terms: { search: "search", sort: "sort" },
      searched: ["pid", "user", "executable", "arguments", "owner", "within", "whose", "run"], open: new Set(), read: processesOf,
      keeps: ({ user, whose }) => !view.user || view.user === user || view.user === whose,
    });
    this.history = new ProcessHistory(this);
    const choice = (this.choice = byId("processes-group"));
    say(byId("processes-group-label"), words.groupBy);
    choice.append(...Object.keys(GROUPINGS).map((name) => make("option", { value: name }, words.groupings[name])));
    choice.addEventListener("change", () => view.set({ group: choice.value === NO_GROUPS ? null : choice.value }, { replace: true }));
    this.sorted();
  }

  // Groups are known with the order.
  sorted() {
    super.sorted();
    const known = view.group === null || (view.group !== NO_GROUPS && Object.hasOwn(GROUPINGS, view.group));
    notice("group", known ? "" : words.groupUnknown(view.group, Object.keys(GROUPINGS).filter((name) => name !== NO_GROUPS)));
    this.grouping = known && view.group ? view.group : NO_GROUPS;
    if (this.choice) this.choice.value = this.grouping;
  }

  columnsOf() {
    return this.all.some((process) => process.arguments !== null) ? [...SHOWN, "arguments"] : SHOWN;
  }

  readAll() {
    super.readAll();
    this.history.take(this.all);
  }

  // All processes, for someone who wants them although the table is out of sight.
  newest() {
    if (this.unread) this.readAll();
    return this.all;
  }

  order(found, ranks) {
    return lines(found, this, ranks);
  }

  note() {
    const { rows, total } = this.data;
    return rows.length < total ? words.processCut(rows.length, total) : this.grouping === NO_GROUPS ? "" : words.groupSums;
  }

  text(line, name) {
    const group = line.members !== undefined;
    if (group && name === "executable") return words.groupOf(line.name ?? words.ownerNone, line.members.length);
    if (group && !SUMMED.includes(name)) return "";
    const value = line[name];
    return value === null ? words.unknown : (WRITERS[name] ?? String)(value);
  }

  fillRow(row, line) {
    const group = line.members !== undefined;
    row.classList.toggle("group", group);
    row.classList.toggle("member", !group && this.grouping !== NO_GROUPS);
    if (group) set(row.button, "aria-expanded", String(this.open.has(line.id)));
    else row.button.removeAttribute("aria-expanded");
  }

  choose(line) {
    if (line.members === undefined) {
      this.history.open(line);
      return;
    }
    if (!this.open.delete(line.id)) this.open.add(line.id);
    this.draw();
  }

  opens(key, line) {
    if (!line.members || key !== (this.open.has(line.id) ? "ArrowLeft" : "ArrowRight")) return false;
    this.choose(line);
    return true;
  }
}
