// What stands in a list and in which order: rows as they come, search, sort, groups, apart from any drawing.

const LAST = Number.MAX_SAFE_INTEGER;

// The rows as the server sends them, as objects.
export const objects = ({ columns, rows }) => rows.map((row) => Object.fromEntries(columns.map((name, i) => [name, row[i]])));

// Those that say every word somewhere.
export function search(lines, text, searched) {
  const wanted = text.trim().toLowerCase().split(/\s+/).filter(Boolean);
  if (!wanted.length) return [...lines];
  return lines.filter((line) => {
    const said = searched.map((name) => line[name] ?? "").join(" ").toLowerCase();
    return wanted.every((word) => said.includes(word));
  });
}

const collator = new Intl.Collator(undefined, { numeric: true });

// Whoever is not known stands last, whichever way it is sorted. `ranks` keeps each line (by key) where it was, for
// someone who is about to choose one.
export function compare({ sort, down, texts }, ranks) {
  const sign = down ? -1 : 1;
  const values = texts.has(sort) ? (a, b) => collator.compare(a, b) : (a, b) => a - b;
  const sorted = (one, other) => {
    const a = one[sort] ?? null;
    const b = other[sort] ?? null;
    const order = a === null || b === null ? (a === null) - (b === null) : sign * values(a, b);
    return order || (other.memory ?? 0) - (one.memory ?? 0) || collator.compare(one.key, other.key);
  };
  return ranks ? (a, b) => (ranks.get(a.key) ?? LAST) - (ranks.get(b.key) ?? LAST) || sorted(a, b) : sorted;
}

export const TEXT = new Set(["user", "executable", "owner", "state", "arguments"]);
export const SUMMED = ["cpu", "memory", "read", "write", "threads"];

// What processes can be grouped by: what tells a group from others, and what it is called.
export const GROUPINGS = { none: null, user: ["user", "user"], program: ["executable", "executable"], owner: ["owned", "owner"] };

// With a key that tells a process from a later one of its number, and with what is said of its owner.
export function processesOf(data) {
  return objects(data).map((process) => {
    const [owner, owned, within, whose] = data.owners?.[process.owner] ?? [null, "", "", ""];
    return { ...process, key: `${process.pid} ${process.start}`, owner, owned, within, whose };
  });
}

// The sum of what is known; null where nothing is.
function sum(processes, name) {
  let total = null;
  for (const process of processes) if (process[name] !== null) total = (total ?? 0) + process[name];
  return total;
}

// The lines of the table: processes, and before those of a group its own line, whose processes follow where it is open.
export function lines(processes, { sort, down, texts, grouping, open }, ranks) {
  const order = compare({ sort, down, texts }, ranks);
  if (!GROUPINGS[grouping]) return processes.sort(order);
  const [id, called] = GROUPINGS[grouping];
  const members = new Map();
  for (const process of processes) {
    if (!members.has(process[id])) members.set(process[id], []);
    members.get(process[id]).push(process);
  }
  const groups = [...members].map(([value, found]) => {
    const name = found[0][called];
    const group = { key: `group ${value}`, id: value, name, members: found, pid: found.length, start: Math.min(...found.map((p) => p.start)) };
    for (const column of SUMMED) group[column] = sum(found, column);
    for (const column of TEXT) group[column] = name;
    return group;
  });
  return groups.sort(order).flatMap((group) => (open.has(group.id) ? [group, ...group.members.sort(order)] : [group]));
}
