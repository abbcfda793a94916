// The part of the run that is shown: one for all charts and the processes below them, and the keys that move it.
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const whole = { from: 0, to: Math.max(data.seconds, 1e-3) };
const range = { ...whole };
const onRange = [];
const onTheme = [];
const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Time since the start as a clock counts, with as many figures as the span that is shown asks for.
function at(seconds) {
  const span = range.to - range.from;
  if (Math.abs(seconds) < 100) return `${seconds.toFixed(span < 0.1 ? 4 : span < 1 ? 3 : span < 10 ? 2 : span < 100 ? 1 : 0)} s`;
  const all = Math.floor(Math.abs(seconds));
  const pad = (n) => String(n).padStart(2, "0");
  const rest = span < 10 ? (Math.abs(seconds) - all).toFixed(2).slice(1) : "";
  const clock = all >= 3600 ? `${Math.floor(all / 3600)}:${pad(Math.floor(all / 60) % 60)}:${pad(all % 60)}` : `${Math.floor(all / 60)}:${pad(all % 60)}`;
  return `${seconds < 0 ? "-" : ""}${clock}${rest}`;
}

function setRange(from, to) {
  const least = (whole.to - whole.from) / 1e6;
  const span = Math.min(Math.max(to - from, least), whole.to - whole.from);
  const begin = Math.min(Math.max(from, whole.from), whole.to - span);
  if (begin === range.from && begin + span === range.to) return;
  range.from = begin;
  range.to = begin + span;
  tellRange();
}

function tellRange() {
  byId("shown").textContent = words.shown(at(range.from), at(range.to));
  onRange.forEach((listener) => listener());
}

function zoom(factor) {
  const middle = (range.from + range.to) / 2;
  const half = ((range.to - range.from) * factor) / 2;
  setRange(middle - half, middle + half);
}

function move(part) {
  const by = (range.to - range.from) * part;
  setRange(range.from + by, range.to + by);
}

const KEYS = {
  "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), "0": () => setRange(whole.from, whole.to),
  Escape: () => setRange(whole.from, whole.to), ArrowLeft: () => move(-0.25), ArrowRight: () => move(0.25),
};

function takesKeys(element) {
  element.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in KEYS)) return;
    event.preventDefault();
    KEYS[event.key]();
  });
}

byId("in").addEventListener("click", () => zoom(0.5));
byId("out").addEventListener("click", () => zoom(2));
byId("all").addEventListener("click", () => setRange(whole.from, whole.to));

// Light or dark: as the system has it until someone chooses; on paper always light.
const root = document.documentElement;
const system = matchMedia("(prefers-color-scheme: dark)");
let chosen = null;
function theme(printing = false) {
  root.dataset.theme = printing ? "light" : chosen ?? (system.matches ? "dark" : "light");
  byId("theme").textContent = root.dataset.theme === "dark" ? words.light : words.dark;
  onTheme.forEach((listener) => listener());
}
byId("theme").addEventListener("click", () => {
  chosen = root.dataset.theme === "dark" ? "light" : "dark";
  theme();
});
system.addEventListener("change", () => theme());
addEventListener("beforeprint", () => theme(true));
addEventListener("afterprint", () => theme());
