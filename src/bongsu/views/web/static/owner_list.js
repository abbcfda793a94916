// What is said of an owner's use: against its limits, and what of it is off.
import { words } from "./table_words.js";
import { span, when, write } from "./units.js";

const UNITS = { cpu: "count", memory: "bytes", tasks: "count", read: "bytes/s", write: "bytes/s", throttled: "ratio" };
const RESOURCES = ["cpu", "memory", "io"];
export const NEAR = 0.9;
const STOPPED = 0.1; // of its periods, from where throttling is told, as views/owner_uses.py does

export const limited = (owner, name) => {
  const limit = owner[`${name}Limit`];
  const value = write(owner[name], UNITS[name]);
  if (!limit) return value;
  const most = write(limit, UNITS[name]);
  const unit = most.replace(/^[\d.]+/, "");
  return words.ofLimit(value.endsWith(unit) ? value.slice(0, value.length - unit.length) : value, most);
};

export const shareOf = (owner, name) => (owner[name] !== null && owner[`${name}Limit`] ? owner[name] / owner[`${name}Limit`] : null);

export const waitsOf = (waits) =>
  waits.map((v, i) => v !== null && `${words.historyLines[RESOURCES[i]]} ${write(v, "ratio")}`).filter(Boolean).join(", ");

// From what CPU, memory and IO are known.
export function knownFrom(ways) {
  const said = [...new Set(ways)].map((way) => {
    const parts = RESOURCES.filter((_, i) => ways[i] === way).map((name) => words.historyLines[name]);
    return [words.knownBy[way] ?? way, parts.join(", ")];
  });
  return said.length > 1 ? said.map(([way, parts]) => `${way} (${parts})`).join(", ") : said[0][0];
}

// What is off, the worst first: [how bad, sentence].
export function findings(owner) {
  const found = owner.ended ? [["", words.ownerEnded(when(owner.ended))]] : [];
  if (owner.killed) found.unshift(["bad", words.ownerKilled(owner.oom, when(owner.killed))]);
  for (const name of ["memory", "tasks"]) {
    const share = shareOf(owner, name); // of one that ended, nothing is known now
    if (share >= NEAR) found.push(["warn", words.ownerNear(write(share, "ratio"), words.historyLines[name])]);
  }
  if (owner.throttled >= STOPPED) found.push(["warn", words.ownerThrottled(write(owner.throttled, "ratio"))]);
  return found;
}

export const asOf = (line, name) => {
  const value = line[name] ?? null;
  if (value === null) return words.unknown;
  return name === "cpu" && line.pid ? write(value, "ratio") : name in UNITS ? write(value, UNITS[name]) : String(value);
};

export const ageOf = (owner, now) => span(Math.max(0, Math.round((owner.ended ?? now) - owner.start)));
