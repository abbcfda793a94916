// The page of one owner: who it is and what tells so, what it used over the time that the page shows, its processes now.
import { askRange, plain, quoted, Refusal } from "./ask.js";
import { make, say } from "./dom.js";
import { History, line, linesBy } from "./history.js";
import { asOf, limited, waitsOf } from "./owner_list.js";
import { words } from "./table_words.js";
import { span, when, write } from "./units.js";

const PROCESSES = 50; // shown of an owner
const COLUMNS = ["pid", "user", "executable", "cpu", "memory"];

const over = (how, metric, kept) => (labels, seconds) => `sum${kept ? ` by (${kept})` : ""} (${how}(owner_${metric}${labels}[${seconds}s]))`;
const most = (name, metric) => line(name, over("max_over_time", metric));
const rate = (name, metric) => line(name, over("rate", metric));
const share = (labels, seconds) => `${over("rate", "cpu_throttled_periods_total")(labels, seconds)}/(${over("rate", "cpu_periods_total")(labels, seconds)}>0)`;

const CHARTS = [
  ["cores", "count", [linesBy("mode", ["user", "system"], over("rate", "cpu_seconds_total", "mode")), most("limit", "cpu_limit_cores")]],
  ["memory", "bytes", [
    most("used", "memory_usage_bytes"), linesBy("type", ["anon", "file", "shmem"], over("max_over_time", "memory_bytes", "type")),
    most("limit", "memory_limit_bytes"),
  ]],
  ["io", "bytes/s", [rate("read", "io_read_bytes_total"), rate("write", "io_written_bytes_total")]],
  ["throttled", "ratio", [line("throttled", share)]],
  ["pressure", "ratio", [linesBy("resource", ["cpu", "memory", "io"], over("rate", "pressure_waiting_seconds_total", "resource"))]],
  ["processes", "count", [most("processes", "processes"), most("tasks", "tasks"), most("limit", "tasks_limit")]],
  ["network", "bytes/s", [rate("received", "network_receive_bytes_total"), rate("sent", "network_transmit_bytes_total")]],
];
const bytes = (v) => write(v, "bytes");
const perSecond = (v) => write(v, "bytes/s");
const FACTS = {
  user: String, start: when, ended: when, processes: String,
  cpu: (_, owner) => limited(owner, "cpu"), throttled: (v) => write(v, "ratio"), memory: (_, owner) => limited(owner, "memory"),
  read: perSecond, write: perSecond, tasks: (_, owner) => limited(owner, "tasks"), waits: waitsOf,
  seconds: span, peak: bytes, readAll: bytes, writtenAll: bytes, oom: String, known: String,
};

export class OwnerHistory extends History {
  drawn = CHARTS;
  said = words.ownerHistoryHelp;
  nothing = words.ownerHistoryNone;

  // processesNow() gives all processes, of which its own stand below.
  constructor(table, processesNow) {
    super(table, "owner", FACTS, { ...words.tables.owners.columns, ...words.ownerFacts });
    this.evidence = make("ul", { class: "said quiet evidence" });
    this.body = make("tbody");
    this.count = make("p", { class: "quiet" });
    this.members = make("section", { class: "members" }, make("h3", { id: "owner-members" }, words.ownerProcesses), this.count,
      make("div", { class: "scroll", tabindex: "0", role: "region", "aria-labelledby": "owner-members" }, make("table", { class: "data" },
        make("thead", {}, make("tr", {}, ...COLUMNS.map((name) =>
          make("th", { scope: "col", class: ["user", "executable"].includes(name) ? null : "number" }, words.tables.processes.columns[name])))),
        this.body)));
    this.facts.after(this.evidence);
    this.dialog.append(this.members);
    this.processesNow = processesNow;
  }

  called({ name }) {
    return name;
  }

  state(now) {
    const { found, last, state, unseen } = this.subject;
    this.note.className = found?.[0]?.[0] || "quiet";
    return unseen ? (last ?? words.ownerUnseen) : now ? state : words.ownerGone;
  }

  write(owner) {
    super.write(owner);
    const said = (owner.evidence ?? []).map(([by, saw]) => words.evidence(by, saw));
    if (said.join("\n") !== this.told) this.evidence.replaceChildren(...said.map((text) => make("li", {}, text)));
    this.told = said.join("\n");
    this.list();
  }

  list() {
    if (!this.subject) return;
    const mine = this.processesNow().filter(({ owned }) => owned === this.subject.key).sort((a, b) => b.cpu - a.cpu || b.memory - a.memory);
    this.members.hidden = !mine.length;
    say(this.count, mine.length > PROCESSES ? words.ownerCut(PROCESSES, mine.length) : "");
    const rows = mine.slice(0, PROCESSES);
    while (this.body.children.length > rows.length) this.body.lastElementChild.remove();
    while (this.body.children.length < rows.length) {
      this.body.append(make("tr", {}, ...COLUMNS.map((name) => make(name === "executable" ? "th" : "td",
        { class: ["user", "executable"].includes(name) ? "text" : "number", scope: name === "executable" ? "row" : null }))));
    }
    rows.forEach((process, i) => COLUMNS.forEach((name, column) => say(this.body.children[i].children[column], asOf(process, name))));
  }

  labels({ key, id }) {
    if (id === "") throw new Refusal(words.historyNameless);
    const kind = key.slice(0, key.indexOf("/"));
    return `{kind=${quoted(kind)},id=${quoted(id ?? key.slice(kind.length + 1))}}`;
  }

  // Of one that the server names no more, the history knows the name and the end.
  async ask(grid) {
    const { subject } = this;
    const found = await super.ask(grid);
    if (!subject.unseen) return found;
    const { series } = await askRange(`owner_info${this.labels(subject)}`, grid);
    const { name, namespace, user } = series.at(-1)?.labels ?? {};
    if (name || user) Object.assign(subject, { name: plain(words.ownerCalled(subject.key, name, namespace)), user: user ? plain(user) : null });
    const times = found.flatMap((chart) => chart.lines.flatMap(({ values }) => chart.times[values.findLastIndex((v) => v !== null)] ?? []));
    if (times.length) subject.last = words.ownerLast(when(Math.max(...times)));
    if (subject === this.subject) {
      this.write(subject);
      this.tell(subject);
    }
    return found;
  }
}
