// The controls of time: how long, from when to when, earlier and later, paused or live.
import { byId, make, say, set } from "./dom.js";
import { words } from "./time_words.js";
import { spanProblem, view } from "./view.js";

const pad = (n) => String(n).padStart(2, "0");

// As <input type="datetime-local"> wants it, by the browser's clock.
function local(seconds) {
  const at = new Date(seconds * 1000);
  return `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}T${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
}

const icon = (text, label, onclick) => make("button", { type: "button", "aria-label": label, title: label, onclick }, text);

export class Ranges {
  constructor(travel) {
    this.travel = travel;
    this.spans = Object.entries(words.ranges).map(([seconds, title]) =>
      make("button", { type: "button", "data-range": seconds, onclick: () => view.set({ range: Number(seconds) }) }, title));
    this.pause = make("button", { type: "button", id: "pause", onclick: () => (view.live ? travel.pause() : travel.live()) });
    byId("ranges").replaceChildren(
      make("div", { class: "ranges", role: "group", "aria-label": words.range }, ...this.spans, this.customButton()),
      make("div", { class: "ranges", role: "group", "aria-label": words.moves },
        icon("‹", words.earlier, () => travel.shift(-0.5)), icon("›", words.later, () => travel.shift(0.5)),
        icon("+", words.closer, () => travel.scale(0.5)), icon("−", words.wider, () => travel.scale(2)), this.pause),
      this.customSheet(),
    );
    view.on(() => this.show());
    this.show();
  }

  show() {
    for (const button of this.spans) set(button, "aria-pressed", String(view.live && Number(button.dataset.range) === view.range));
    set(this.custom, "aria-pressed", String(!view.live));
    say(this.pause, view.live ? words.pause : words.resume);
    set(this.pause, "data-live", String(view.live));
  }

  customButton() {
    this.custom = make("button", { type: "button", id: "custom", "aria-expanded": "false", "aria-controls": "custom-sheet", onclick: () => this.open(this.sheet.hidden) }, words.custom);
    return this.custom;
  }

  customSheet() {
    this.from = make("input", { type: "datetime-local", step: "1", required: true });
    this.to = make("input", { type: "datetime-local", step: "1", required: true });
    this.problem = make("p", { class: "problem", role: "alert" });
    this.sheet = make("form", { id: "custom-sheet", class: "popover", "aria-label": words.customTitle, novalidate: true, hidden: true },
      make("label", {}, make("span", {}, words.customFrom), this.from), make("label", {}, make("span", {}, words.customTo), this.to),
      make("button", { type: "submit", class: "plain" }, words.customShow), this.problem);
    this.sheet.addEventListener("submit", (event) => {
      event.preventDefault();
      this.choose();
    });
    this.sheet.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.open(false);
    });
    document.addEventListener("pointerdown", (event) => {
      if (!this.sheet.hidden && !this.sheet.contains(event.target) && event.target !== this.custom) this.open(false, false);
    });
    return this.sheet;
  }

  open(wanted, focus = true) {
    this.sheet.hidden = !wanted;
    set(this.custom, "aria-expanded", String(wanted));
    if (wanted) {
      [this.from.value, this.to.value] = this.travel.series.span.map(local);
      say(this.problem, "");
    }
    if (focus) (wanted ? this.from : this.custom).focus();
  }

  choose() {
    const [from, to] = [this.from, this.to].map((input) => new Date(input.value).getTime() / 1000);
    const problem = Number.isNaN(from + to) ? words.customIncomplete : spanProblem(from, to);
    say(this.problem, problem);
    if (problem) return;
    this.open(false);
    view.set({ from, to });
  }
}
