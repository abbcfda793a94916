// Which processes stand in the table, in which order: search, sort and groups, apart from any drawing.

export const TEXT = new Set(["user", "executable", "state", "arguments"]);
export const SUMMED = ["cpu", "memory", "read", "write", "threads"];

// What processes can be grouped by: a name for a key function. Another owner (unit, container) is one more line.
export const GROUPINGS = {
  none: null,
  user: (process) => process.user,
  program: (process) => process.executable,
};

const SEARCHED = ["pid", "user", "executable", "arguments"];
const LAST = Number.MAX_SAFE_INTEGER;

// The rows as the server sends them, as objects with a key that tells a process from a later one of its number.
export function read({ columns, rows }) {
  return rows.map((row) => {
    const process = {};
    for (let i = 0; i < columns.length; i += 1) process[columns[i]] = row[i];
    process.key = `${process.pid} ${process.start}`;
    return process;
  });
}

export function search(processes, text) {
  const wanted = text.trim().toLowerCase().split(/\s+/).filter(Boolean);
  if (!wanted.length) return [...processes];
  return processes.filter((process) => {
    const said = SEARCHED.map((name) => process[name] ?? "").join(" ").toLowerCase();
    return wanted.every((word) => said.includes(word));
  });
}

const collator = new Intl.Collator(undefined, { numeric: true });

// Whoever is not known stands last, whichever way it is sorted.
function compare(name, down) {
  const sign = down ? -1 : 1;
  const values = TEXT.has(name) ? (a, b) => collator.compare(a, b) : (a, b) => a - b;
  return (one, other) => {
    const a = one[name] ?? null;
    const b = other[name] ?? null;
    const order = a === null || b === null ? (a === null) - (b === null) : sign * values(a, b);
    return order || (other.memory ?? 0) - (one.memory ?? 0) || collator.compare(one.key, other.key);
  };
}

// The sum of what is known; null where nothing is.
function sum(processes, name) {
  let total = null;
  for (const process of processes) if (process[name] !== null) total = (total ?? 0) + process[name];
  return total;
}

// The lines of the table: processes, and before those of a group its own line, whose processes follow where it is
// open. `ranks` keeps each line (by key) where it was, for someone who is about to choose one.
export function lines(processes, { sort, down, grouping, open, ranks }) {
  const sorted = compare(sort, down);
  const order = ranks ? (a, b) => (ranks.get(a.key) ?? LAST) - (ranks.get(b.key) ?? LAST) || sorted(a, b) : sorted;
  const keyOf = GROUPINGS[grouping];
  if (!keyOf) return processes.sort(order);
  const members = new Map();
  for (const process of processes) {
    const name = keyOf(process);
    if (!members.has(name)) members.set(name, []);
    members.get(name).push(process);
  }
  const groups = [...members].map(([name, found]) => {
    const group = { key: `group ${name}`, name, members: found, pid: found.length, start: Math.min(...found.map((p) => p.start)) };
    for (const column of SUMMED) group[column] = sum(found, column);
    for (const column of TEXT) group[column] = name;
    return group;
  });
  return groups.sort(order).flatMap((group) => (open.has(group.name) ? [group, ...group.members.sort(order)] : [group]));
}
