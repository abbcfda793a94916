// Who uses the GPUs: a line for each owner with what its processes hold, and what it was given and leaves empty.
import { words } from "./gpu_words.js";
import { ListTable } from "./list_table.js";
import { objects } from "./lists.js";
import { ageOf } from "./owner_list.js";
import { write } from "./units.js";
import { view } from "./view.js";

const SHOWN = ["name", "user", "processes", "gpus", "empty", "memory", "sm", "power", "energy", "method", "start"];
const LEAST = 0.01; // Wh that have two figures

const energyOf = (joules) => (joules > 0 && joules < 3600 * LEAST ? words.lessEnergy : `${write(joules / 3600, "watts")}h`);
const all = (energy) => Object.values(energy).reduce((sum, joules) => sum + joules, 0);

// 0, 1, 2, 5 as 0–2, 5; instances one by one.
function listOf(gpus) {
  const spans = [];
  for (const gpu of gpus) {
    const last = spans.at(-1);
    if (last && /^\d+$/.test(gpu) && Number(gpu) === Number(last.at(-1)) + 1) last.push(gpu);
    else spans.push([gpu]);
  }
  return spans.map((span) => (span.length > 2 ? `${span[0]}–${span.at(-1)}` : span.join(", "))).join(", ");
}

// One method needs no amounts; several are told with theirs.
function methodOf(energy) {
  const named = Object.entries(energy).map(([method, joules]) => [words.methods[method] ?? method, joules]);
  return named.length > 1 ? named.map(([name, joules]) => `${name} ${energyOf(joules)}`).join(", ") : named[0]?.[0] ?? words.unknown;
}

const WRITERS = {
  gpus: (_, line) => listOf(line.held) || words.none,
  empty: (_, line) => listOf(line.left) || words.none,
  memory: (v) => write(v, "bytes"),
  sm: (v) => write(v, "ratio"),
  power: (v) => write(v, "watts"),
  energy: energyOf,
};

export class GpuOwners extends ListTable {
  constructor() {
    super("gpu-owners", {
      naming: "name", texts: new Set(["name", "user", "method"]), standard: { sort: "memory", down: true }, said: words.owners,
      field: "gpus-search", terms: { search: "gpu-search", sort: "gpu-owner-sort" }, searched: ["name", "user", "page", "within"],
      keeps: ({ users, name }) => !view.user || users.includes(view.user) || name === `user ${view.user}`,
      history: { dialog: { open: false } },
    });
  }

  // GPUs are sorted by their number, energy by its sum.
  read(data) {
    return objects(data).map(({ key, gpus, empty, energy, ...owner }) => ({
      ...owner, page: key, key: key ?? `? ${owner.name}`, user: owner.users.join(", "), held: gpus, gpus: gpus.length, left: empty,
      empty: empty && empty.length, energy: energy && all(energy), method: energy ? methodOf(energy) : words.unknown,
    }));
  }

  columnsOf() {
    return SHOWN;
  }

  note() {
    const { rows, total, unattributed } = this.data;
    const nobodys = Object.entries(unattributed).filter(([, joules]) => joules > 0);
    return [
      rows.length < total && words.cutOwners(rows.length, total),
      nobodys.length && words.nobodys(nobodys.map(([reason, joules]) => `${energyOf(joules)} ${words.nobody[reason] ?? reason}`)),
    ].filter(Boolean).join(" ");
  }

  text(line, name) {
    const value = line[name] ?? null;
    if (value === null) return words.unknown;
    return name === "start" ? ageOf(line, this.data.time) : (WRITERS[name] ?? String)(value, line);
  }

  dress(cell, line, name) {
    if (name === "empty") cell.classList.toggle("warn", line.empty > 0);
    if (["gpus", "empty"].includes(name)) cell.title = this.text(line, name);
  }

  // One that nobody can name has no page: its processes stand below.
  choose({ page, name }) {
    view.set(page ? { owner: page } : { "gpu-search": name });
  }
}
