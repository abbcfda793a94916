// What the address says is shown. The only module that touches location and history.
import { span } from "./units.js";
import { words } from "./time_words.js";

export const RANGE = 900; // seconds, where the address names none
export const SHORTEST = 10;
export const LONGEST = 366 * 86400;
const AHEAD = 86400; // the machine's clock may differ from the browser's by so much
const TRAIL = 50; // spans that one can go back to
const LONGEST_TEXT = 600; // an owner in a container has two names
const TEXTS = ["theme", "search", "sort", "group", "user", "owner", "owner-search", "owner-sort", "runs-search", "runs-sort", "run", "run-span", "run-search", "run-sort", "gpu-search", "gpu-sort", "gpu-owner-sort"];
const KNOWN = new Set(["range", "from", "to", "token", ...TEXTS]);
const THEMES = new Set(["light", "dark", "system"]);

export const brief = (text) => (text.length > 40 ? `${text.slice(0, 40)}…` : text);
const number = (text) => (/^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN);

// Why no span can be from `from` to `to` (Unix seconds); "" where it can.
export function spanProblem(from, to) {
  if (to <= from) return words.spanTurned;
  if (to - from < SHORTEST) return words.spanShort(span(SHORTEST));
  if (to - from > LONGEST) return words.spanLong(span(LONGEST));
  if (from > Date.now() / 1000 + AHEAD) return words.spanAhead;
  return "";
}

// `range` in seconds; `from` and `to` in Unix seconds, null while live; the others as given, or null;
// `problems`: sentences about what the address asked for that cannot be.
class View {
  constructor() {
    this.listeners = [];
    this.trail = history.state?.trail ?? [];
    this.read();
    addEventListener("popstate", (event) => {
      // Following a link to a section makes an entry that knows nothing yet.
      if (event.state?.trail) this.trail = event.state.trail;
      else history.replaceState({ trail: this.trail }, "");
      this.tell(() => this.read());
    });
  }

  get live() {
    return this.from === null;
  }

  on(listener) {
    this.listeners.push(listener);
  }

  // Any of range, from and to, live: true, and texts. A span that cannot be is brought to one that can.
  set(change, { replace = false } = {}) {
    const left = { range: this.range, from: this.from, to: this.to };
    this.tell(() => {
      this.problems = [];
      if ("live" in change || "range" in change) this.from = this.to = null;
      if ("range" in change) this.range = Math.round(Math.min(LONGEST, Math.max(SHORTEST, change.range)));
      if ("from" in change) [this.from, this.to] = fitting(change.from, change.to);
      for (const name of TEXTS) if (name in change) this[name] = change[name] || null;
      const moved = left.range !== this.range || left.from !== this.from || left.to !== this.to;
      if (moved && !replace) this.trail = [...this.trail, left].slice(-TRAIL);
      if (this.address() !== `${location.pathname}${location.search}${location.hash}`) history[replace ? "replaceState" : "pushState"]({ trail: this.trail }, "", this.address());
    });
  }

  // To the span that was shown before; from a link's span to live.
  back() {
    const trail = this.trail.slice();
    const before = trail.pop() ?? (this.live ? null : { range: this.range, from: null, to: null });
    if (!before) return;
    this.tell(() => {
      this.problems = [];
      this.trail = trail;
      Object.assign(this, before);
      history.pushState({ trail }, "", this.address());
    });
  }

  read() {
    const asked = new URLSearchParams(location.search);
    const text = (name) => asked.get(name)?.slice(0, LONGEST_TEXT) || null;
    Object.assign(this, { problems: [], range: RANGE, from: null, to: null });
    for (const name of TEXTS) this[name] = text(name);
    if (asked.has("range")) {
      const range = number(asked.get("range"));
      if (range >= SHORTEST && range <= LONGEST) this.range = Math.round(range);
      else this.problems.push(words.rangeUnknown(brief(asked.get("range")), SHORTEST, LONGEST));
    }
    if (asked.has("from") || asked.has("to")) this.readSpan(asked.get("from"), asked.get("to"));
    const unknown = [...asked.keys()].find((name) => !KNOWN.has(name));
    if (this.problems.length && this.live) this.problems.push(words.shownInstead(words.ranges[this.range] ?? span(this.range)));
    if (unknown !== undefined) this.problems.push(words.nameUnknown(brief(unknown)));
    if (this.theme && !THEMES.has(this.theme)) {
      this.problems.push(words.themeUnknown(brief(this.theme)));
      this.theme = null;
    }
  }

  readSpan(from, to) {
    const named = Object.entries({ from, to });
    const unknown = named.find(([, text]) => text !== null && Number.isNaN(number(text)));
    const problem = unknown ? words.spanUnknown(unknown[0], brief(unknown[1]))
      : from === null || to === null ? words.spanHalf : spanProblem(number(from), number(to));
    if (problem) this.problems.push(problem);
    else [this.from, this.to] = [number(from), number(to)];
  }

  address() {
    const asked = new URLSearchParams();
    if (this.range !== RANGE) asked.set("range", this.range);
    if (!this.live) {
      asked.set("from", this.from);
      asked.set("to", this.to);
    }
    for (const name of TEXTS) if (this[name]) asked.set(name, this[name]);
    const text = asked.toString();
    return `${location.pathname}${text && "?"}${text}${location.hash}`;
  }

  // Does `act`, and tells which of the values are others after it.
  tell(act) {
    const names = ["range", "from", "to", ...TEXTS];
    const before = names.map((name) => this[name]);
    act();
    const changed = new Set(names.filter((name, i) => this[name] !== before[i]));
    for (const listener of this.listeners) listener(changed);
  }
}

// Whole seconds, neither too short nor too long, and not yet to come.
function fitting(from, to) {
  const length = Math.ceil(Math.min(LONGEST, Math.max(SHORTEST, to - from)));
  const middle = (from + to) / 2;
  const end = Math.min(Math.round(middle + length / 2), Math.ceil(Date.now() / 1000) + AHEAD);
  const start = Math.max(0, end - length);
  return [start, start + length];
}

export const view = new View();
