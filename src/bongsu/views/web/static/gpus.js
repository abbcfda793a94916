// GPUs as cards, divided ones as slices, who uses them, and the processes on them; loaded where the machine has a GPU.
import { ask, Refusal } from "./ask.js";
import { byId, make, say } from "./dom.js";
import { GpuOwners } from "./gpu_owners.js";
import { words } from "./gpu_words.js";
import { ListTable } from "./list_table.js";
import { objects } from "./lists.js";
import { ageOf } from "./owner_list.js";
import { write } from "./units.js";
import { view } from "./view.js";

const SHOWN = ["gpu", "pid", "command", "user", "owner", "memory", "share", "sm", "bandwidth", "start"];
const AGAIN = 2000; // ms between two looks
const ratio = (v) => write(v, "ratio");
const bytes = (v) => write(v, "bytes");
const WRITERS = { memory: bytes, share: ratio, sm: ratio, bandwidth: ratio };
const known = (value, writer) => (value === null ? words.unknown : writer(value));
const whole = (unit) => (value) => (value === null ? null : `${Math.round(value)} ${unit}`);
const watts = whole("W");
const celsius = whole("°C");
let opened = null;

// A table with its heading.
function table(name, title, label) {
  const part = (tag, what, traits = {}, ...children) => make(tag, { id: `${name}-${what}`, ...traits }, ...children);
  return [
    make("div", { class: "bar" }, make("h3", {}, title), part("p", "count", { class: "quiet" }), part("p", "said", { class: "hidden", role: "status" })),
    part("p", "note", { class: "quiet", hidden: true }),
    part("div", "scroll", { class: "scroll rows", tabindex: "0", role: "region", "aria-label": label },
      part("table", "table"), part("p", "none", { class: "quiet", hidden: true })),
  ];
}

// Only now is there such a section, and a way to it.
function furnish() {
  const section = make("section", { id: "gpus", "aria-labelledby": "gpus-title" },
    make("div", { class: "bar" }, make("h2", { id: "gpus-title" }, words.gpus),
      make("input", { id: "gpus-search", type: "search", autocomplete: "off", spellcheck: "false", "aria-label": words.search, placeholder: words.search })),
    make("ul", { id: "gpus-cards", class: "gpu-cards" }),
    ...table("gpu-owners", words.byOwner, words.ownersTable), ...table("gpus", words.processesOn, words.table));
  byId("owners").before(section);
  document.querySelector('nav a[href="#owners"]').before(make("a", { href: "#gpus" }, words.gpus));
}

const dressed = () => new Promise((done) => {
  document.head.append(make("link", { rel: "stylesheet", href: "/static/gpus.css", onload: done, onerror: done }));
});

export async function open() {
  if (opened) return;
  opened = true;
  await dressed();
  furnish();
  opened = new Gpus();
  opened.look();
}

function meter(title, value, text) {
  return make("p", { class: "gpu-meter" }, make("span", { class: "quiet" }, title),
    make("meter", { min: "0", max: "1", value: value === null ? null : String(value), "aria-label": `${title} ${text}` }), make("span", {}, text));
}

// Compute instances share the memory of their GPU instance.
function slice({ index, profile, slices, memory_used_bytes: used, memory_total_bytes: total }) {
  const text = words.slice(index, profile, words.of(known(used, bytes), total === null ? null : bytes(total)));
  const part = make("li", { title: text }, make("span", {}, profile.replace(/\.\d+gb.*$/, "") || index),
    make("meter", { min: "0", max: "1", value: total && used !== null ? String(used / total) : null, "aria-label": text }));
  part.style.flexGrow = String(slices ?? 1);
  return part;
}

function card(gpu) {
  const { busy_ratio: busy, memory_used_bytes: used, memory_total_bytes: total, instances } = gpu;
  const facts = [words.of(known(gpu.power_watts, watts), watts(gpu.power_limit_watts)), words.of(known(gpu.celsius, celsius), celsius(gpu.slowdown_celsius)),
    known(gpu.clock_hertz, (v) => `${Math.round(v / 1e6)} MHz`)];
  return make("li", { class: gpu.up && !gpu.stuck ? "gpu" : "gpu wrong", "data-gpu": gpu.index },
    make("h3", { title: gpu.uuid }, words.card(gpu.index, gpu.name)),
    gpu.trouble && make("p", { class: "gpu-trouble" }, gpu.trouble),
    gpu.up || gpu.reason === gpu.trouble ? null : make("p", {}, gpu.reason),
    gpu.cure && make("p", { class: "quiet" }, words.cure(gpu.cure)),
    ...(gpu.up ? [
      instances.length ? make("ul", { class: "slices", "aria-label": words.slices(instances.length) }, ...instances.map(slice)) : meter(words.use, busy, known(busy, ratio)),
      meter(words.memory, total && used !== null ? used / total : null, words.of(known(used, bytes), total === null ? null : bytes(total))),
      make("p", { class: "quiet" }, facts.join(" · ")),
    ] : []));
}

class Gpus extends ListTable {
  constructor() {
    super("gpus", {
      naming: "command", texts: new Set(["gpu", "user", "owner", "command"]), standard: { sort: "memory", down: true }, said: words.list,
      terms: { search: "gpu-search", sort: "gpu-sort" }, searched: ["gpu", "pid", "user", "owner", "within", "command", "uuid"],
      keeps: ({ user }) => !view.user || view.user === user, history: { dialog: { open: false } }, told: "",
    });
    say(this.table.caption, words.table);
    this.owners = new GpuOwners();
    say(this.owners.table.caption, words.ownersTable);
    document.addEventListener("visibilitychange", () => document.hidden || this.look());
    new IntersectionObserver(([entry]) => {
      this.near = entry.isIntersecting;
      if (this.near) this.look();
    }, { rootMargin: "200px" }).observe(byId("gpus"));
  }

  async look() {
    clearTimeout(this.timer);
    if (!document.hidden && (this.near || !this.data?.gpus.length)) {
      try {
        const told = await ask("/api/gpus");
        this.refused = null;
        this.cards(told.gpus);
        this.owners.take(told.owners);
        this.take(told);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        this.refused = error.message;
        if (this.data) this.draw();
      }
    }
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), AGAIN);
  }

  cards(gpus) {
    const told = JSON.stringify(gpus);
    if (told !== this.told) byId("gpus-cards").replaceChildren(...gpus.map(card));
    this.told = told;
  }

  read(data) {
    return objects(data).map((process) => ({ ...process, key: `${process.uuid} ${process.gpu} ${process.pid}` }));
  }

  columnsOf() {
    return SHOWN;
  }

  note() {
    const { rows, total } = this.data;
    return this.refused ? words.notRead(this.refused) : rows.length < total ? words.cut(rows.length, total) : "";
  }

  text(line, name) {
    const value = line[name] ?? null;
    return name === "start" && value !== null ? ageOf(line, this.data.time) : known(value, WRITERS[name] ?? String);
  }

  // The same process among those of the machine.
  choose({ pid }) {
    view.set({ search: String(pid), group: null });
    byId("processes").scrollIntoView();
  }
}
