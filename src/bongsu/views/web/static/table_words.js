// Every sentence of the tables of processes and collectors, and of what is asked for them.
import { words as common } from "./words.js";

const cut = (text) => (text.length > 40 ? `${text.slice(0, 40)}…` : text);

export const words = {
  ...common,
  askToken: "The server asks for its token. Open the address that it printed.",
  askGone: "The server does not answer.",
  askLate: "The server took too long to answer.",
  askUnreadable: "The server's answer was not understood.",
  askStatus: (status) => `The server refused this (HTTP ${status}).`,

  groupBy: "Group by",
  groupings: { none: "nothing", user: "user", program: "program", owner: "owner" },
  groupOf: (name, count) => `${name} · ${count === 1 ? "1 process" : `${count} processes`}`,
  groupSums: "Sums of the group. Memory that processes share counts once for each of them.",
  processCut: (shown, total) => `The ${shown} that use most CPU of ${total} are here; sums are of these.`,
  held: "order rests while you are in the table",
  sortedBy: (column, down) => `Sorted by ${column}, ${down ? "largest first" : "smallest first"}.`,
  groupUnknown: (text, known) => `The address asks for group=${cut(text)}; processes can be grouped by ${known.join(", ")}.`,
  processEnded: "This process has ended. What it left is below.",
  historyOf: (program, user) => `${program} of ${user}`,
  historyHelp: (span) => `All processes of this program and user, over ${span}.`,
  historyAsking: "asking …",
  historyNameless: "Its name is not UTF-8, so that no question can name it.",
  historyNone: "The history holds nothing of it at these times. A program that uses little is counted with the rest, beyond the number that --collector.process.groups gives.",
  historyCharts: {
    cpu: "CPU", cores: "CPU, in cores", memory: "Memory", io: "Storage", processes: "Processes", throttled: "Stopped by its CPU limit",
    pressure: "Waiting", network: "Network",
  },
  historyLines: {
    cpu: "CPU", resident: "resident", read: "reads", write: "writes", processes: "processes", threads: "threads",
    user: "programs", system: "kernel", limit: "limit", used: "in use", anon: "heaps and stacks", file: "files (can be given back)",
    shmem: "shared, files in memory", tasks: "processes and threads", throttled: "share of its periods", memory: "memory", io: "storage",
    received: "received", sent: "sent",
  },
  tables: {
    processes: {
      columns: {
        pid: "PID", user: "User", executable: "Program", owner: "Owner", state: "State", cpu: "CPU", memory: "Memory", read: "Reads",
        write: "Writes", threads: "Threads", start: "Started", arguments: "Arguments", run: "Run",
      },
      help: {
        owner: "What manages it: Slurm job, pod, container, unit or user", cpu: "Share of one core since the last look",
        memory: "Memory that is in RAM, shared pages included", read: "From storage, per second", write: "To storage, per second",
      },
      sortUnknown: (text) => `The address asks for sort=${cut(text)}, which is no column of the processes.`,
      none: "No process matches.",
      unread: "Processes were not read; Health says why.",
    },
    owners: {
      columns: {
        name: "Owner", user: "User", processes: "Processes", cpu: "Cores", throttled: "Stopped", memory: "Memory", state: "State", read: "Reads", write: "Writes",
        tasks: "Tasks", waits: "Waiting", start: "Age", known: "Known from",
      },
      help: {
        cpu: "CPU time per second since the last look, and its limit", throttled: "Share of its periods in which its CPU limit stopped it",
        memory: "What counts against its limit; by processes the sum of their resident memory",
        tasks: "Processes and threads, and their limit", waits: "Share of the time in which some task waited",
        known: "Its own cgroup, or a sum over its processes",
      },
      sortUnknown: (text) => `The address asks for owner-sort=${cut(text)}, which is no column of the owners.`,
      none: "No owner matches.",
      unread: "Owners were not read; Health says why.",
    },
  },
  whose: "Whose",
  everyone: "everyone's",
  mine: (user) => `mine (${user})`,
  ownerNone: "owner not read",
  ownerFacts: {
    ended: "Ended", throttled: "Stopped by its CPU limit", seconds: "CPU time used", peak: "Most memory", readAll: "Read in all",
    writtenAll: "Written in all", oom: "Killed for lack of memory", start: "Started",
  },
  ofLimit: (value, limit) => `${value} of ${limit}`,
  ownerCut: (shown, total) => `The ${shown} that use most CPU of ${total} are here.`,
  ownerEnded: (at) => `ended at ${at}`,
  ownerGone: "It has no processes any more. What it left is below.",
  ownerUnseen: "Nothing of this name is here now. What the history holds of it is below.",
  ownerLast: (at) => `It is here no more; it was last read at ${at}.`,
  ownerKilled: (count, at) => `${count} killed for lack of memory${at && `, last at ${at}`}`,
  ownerNear: (share, what) => `${share} of its limit of ${what}`,
  ownerThrottled: (share) => `stopped by its CPU limit in ${share} of its periods`,
  ownersWrong: (count) => `${count} more`,
  ownerUnknown: (text) => `The address asks for owner=${text}; give kind/id, such as slurm/42.`,
  ownerCalled: (key, name, namespace) => {
    const [kind, ...id] = key.split("/");
    const called = name && namespace ? `${namespace}/${name}` : name && name !== id.join("/") ? `${id.join("/")} ${name}` : id.join("/");
    return `${kind === "slurm" ? "job" : kind} ${called}`;
  },
  ownerProcesses: "Its processes now",
  ownerHistoryHelp: (span) => `All that belongs to it, over ${span}.`,
  ownerHistoryNone: "The history holds nothing of it at these times. An owner that uses little is counted with the rest, beyond the number that --collector.owner.owners gives.",
  knownBy: { cgroup: "cgroup", processes: "sum of processes", "": "–" },
  evidence: (by, saw) => (by === "nothing" ? `because ${saw}` : `from the ${by}${saw && `: ${saw}`}`),
  plot: (title, span, values) => `${title}, chart over ${span}. Last: ${values}.`,
  plotLine: (legend, last, low, high) => `${legend} ${last}, from ${low} to ${high}`,

  healthGood: "Nothing is wrong.",
  healthColumns: { name: "Collector", state: "State", seconds: "Took", cpu: "CPU", last: "Last success", samples: "Readings" },
  healthHelp: { seconds: "How long the newest collection took", cpu: "CPU time of the newest collection" },
  healthAbsent: (count) => (count === 1 ? "1 collector found nothing of its kind on this machine" : `${count} collectors found nothing of their kind on this machine`),
  storeTitle: "History",
  storeNone: "No history is kept: this runs with --no-store, or nothing to keep it with is installed. Charts reach back one hour.",
  costTitle: "Bongsu itself",
  store: {
    path: "File", size: "Size", limit: "Limit", series: "Series", samples: "Readings taken since the start", tiers: { raw: "Every reading", "1m": "One value a minute" },
    pending: "Waits to be written", commit: "Last commit", dropped: "Lost", upkeep: "Last upkeep took",
  },
  storeSize: (file, log) => `${file} and ${log} of log`,
  storeShare: (share, whole) => `${share} of ${whole}`,
  storeNoLimit: "none",
  storeTier: (oldest, newest, kept) => `${oldest} to ${newest}, kept for ${kept}`,
  storeTierYoung: (newest, kept) => `the last minutes, to ${newest}, kept for ${kept}`,
  storeTierNone: (kept) => `nothing yet, kept for ${kept}`,
  storePending: (count, bytes) => (count === 1 ? `1 batch, ${bytes}` : `${count} batches, ${bytes}`),
  storePendingNone: "nothing",
  storeCommit: (ago, every) => `${ago}, every ${every}`,
  storeNever: (every) => `none yet, every ${every}`,
  storeDropped: (batches) => `${batches} batches, since the disk took nothing for too long`,
  storeDoubled: (samples) => `${samples} readings left out, since their batch held the same series before`,
  cost: {
    cpu: "CPU", resident: "Memory", start: "Started", files: "Open files", interval: "Reads every", missed: "Rounds left out", clients: "Pages open", dropped: "Pages let go",
  },
  costCpu: (now, mean) => `${now} of one core now, ${mean} since the start`,
  costMissed: (missed, ticks) => `${missed} of ${ticks}`,
  costUnknown: "not read",
};
