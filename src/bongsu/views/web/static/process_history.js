// What one process is, and what its program did.
import { quoted, Refusal } from "./ask.js";
import { make } from "./dom.js";
import { History, line } from "./history.js";
import { words } from "./table_words.js";
import { when, write } from "./units.js";
import { view } from "./view.js";

// All processes of a group together.
const folded = (name, how, metric) => line(name, (labels, seconds) => `sum(${how}(process_group_${metric}${labels}[${seconds}s]))`);

const CHARTS = [
  ["cpu", "ratio", [folded("cpu", "rate", "cpu_seconds_total")]],
  ["memory", "bytes", [folded("resident", "max_over_time", "resident_memory_bytes")]],
  ["io", "bytes/s", [folded("read", "rate", "read_bytes_total"), folded("write", "rate", "written_bytes_total")]],
  ["processes", "count", [folded("processes", "max_over_time", "processes"), folded("threads", "max_over_time", "threads")]],
];
const FACTS = {
  pid: String, user: String, state: (v) => words.processStates[v] ?? v, start: when, cpu: (v) => write(v, "ratio"),
  memory: (v) => write(v, "bytes"), read: (v) => write(v, "bytes/s"), write: (v) => write(v, "bytes/s"), threads: String,
  owner: String, run: String, arguments: String,
};

export class ProcessHistory extends History {
  drawn = CHARTS;
  optional = new Set(["owner", "run", "arguments"]);
  said = words.historyHelp;
  nothing = words.historyNone;

  constructor(table) {
    super(table, "process", FACTS, words.tables.processes.columns);
  }

  called({ executable, user }) {
    return words.historyOf(executable, user);
  }

  write(process) {
    super.write(process);
    const { run } = process;
    if (run && !this.values.run.firstElementChild) {
      this.values.run.replaceChildren(make("button", { type: "button", onclick: () => view.set({ run }) }, run));
    }
  }

  state(now) {
    return now ? "" : words.processEnded;
  }

  labels({ group, user, executable }) {
    if (group && !group.length) throw new Refusal(words.historyNameless);
    const [whose, program, kind] = group ?? [user, executable, "program"];
    return `{user=${quoted(whose)},executable=${quoted(program)},kind=${quoted(kind)}}`;
  }
}
