// What every chart has around its drawing: title, note, a table of values at the time pointed at, a sentence, gestures.
import { keys, pointing } from "./gestures.js";
import { byId, make, say, set } from "./dom.js";
import { chartTools } from "./table.js";
import { moment } from "./timeline.js";
import { words } from "./time_words.js";
import { span } from "./units.js";
import { view } from "./view.js";

const SPEAK_EVERY = 10000; // ms between two sentences of one chart for a screen reader

// A chart that extends it has build(), paint(), mark(place in the times, or null), values(place) as a text for the
// sentence, timeAt(x), left(time), and area(), the element in which times lie side by side.
export class Frame {
  constructor(panel, { series, crosshair, travel }) {
    Object.assign(this, { panel, series, crosshair, travel, visible: false, built: false, spoken: -Infinity });
    const id = `chart-${panel.name}`;
    this.box = make("div", { class: "canvas", role: "img", tabindex: "0", "aria-label": panel.title, "aria-describedby": "chart-keys" }); // a sentence when it is seen
    this.tag = make("div", { class: "moment", hidden: true });
    this.body = make("tbody");
    this.legendTable = make("table", { class: "legend" },
      make("caption", { class: "hidden" }, words.legendOf(panel.title)),
      make("thead", { class: "hidden" }, make("tr", {}, make("th", { scope: "col" }, words.line), make("th", { scope: "col" }, words.now))),
      this.body);
    this.note = make("p", { class: "quiet" });
    this.figure = make("figure", { class: "chart", id, "aria-labelledby": `${id}-title` },
      make("figcaption", {}, make("h3", { id: `${id}-title` }, panel.title), chartTools(this), make("p", { class: "quiet" }, panel.help)),
      this.box, this.legendTable, this.note);
    keys(this.box, this.gestures());
  }

  gestures() {
    const { crosshair, travel, series } = this;
    return {
      timeAt: (x) => this.timeAt(x),
      span: () => series.span,
      step: () => series.step,
      pointed: () => crosshair.time,
      point: (time) => (time === null ? crosshair.leave(this) : crosshair.set(time, this)),
      zoom: (from, to) => travel.zoom(from, to),
      pan: (from, to, again) => travel.pan(from, to, again),
      scale: (factor) => travel.scale(factor),
      back: () => travel.back(),
      live: () => travel.live(),
    };
  }

  // The panel as the server has drawn it anew: perhaps other lines, perhaps none.
  take(panel) {
    const same = this.built && this.shape(panel) === this.shape(this.panel);
    this.panel = panel;
    const nothing = this.series.times.length === 0 ? words.nothingThen
      : panel.series.length > 0 && panel.whole !== 0 ? "" : panel.whole === 0 ? words.noneHere : panel.reason ? words.reason(panel.reason) : words.noSeries;
    say(this.note, nothing || (panel.note ?? ""));
    this.note.hidden = this.note.textContent === "";
    this.box.hidden = this.legendTable.hidden = nothing !== "";
    this.figure.classList.toggle("empty", nothing !== "");
    this.spoken = -Infinity;
    if (!same) this.rebuild();
  }

  // What must be built anew when it changes.
  shape(panel) {
    return JSON.stringify([panel.unit, panel.stacked, panel.series.map((line) => [line.key, line.legend, Boolean(line.high)])]);
  }

  rebuild() {
    this.box.replaceChildren();
    this.body.replaceChildren();
    this.built = false;
    this.names();
    this.draw();
  }

  // The rows of the table, so that the chart is as high as it will be before it is seen.
  names() {}

  // A row of the table; the answer is the cell of its value.
  row(mark, legend) {
    const cell = make("td");
    this.body.append(make("tr", {}, make("th", { scope: "row" }, mark, make("span", {}, legend)), cell));
    return cell;
  }

  lines() {
    return this.panel.series.map((line) => this.series.line(this.panel.name, line.key) ?? line);
  }

  // Seen, or about to be on paper.
  get wanted() {
    return this.panel.series.length > 0 && !this.box.hidden && (this.visible || "print" in document.documentElement.dataset);
  }

  // What nobody has seen is not built: a board of many charts opens sooner.
  draw() {
    if (!this.wanted) return;
    if (!this.built) {
      this.build();
      this.built = true;
      this.box.append(this.tag);
      pointing(this.area(), this.gestures());
    }
    this.paint();
    this.point();
    this.speak();
  }

  // Shows the time that is pointed at, or the newest.
  point() {
    if (!this.wanted || !this.built) return;
    const { time, source } = this.crosshair;
    const [from, to] = this.series.span;
    const within = time !== null && time >= from && time <= to;
    const place = within ? this.series.nearest(time) : this.series.times.length - 1;
    this.mark(place);
    this.cross(within ? (place === null ? time : this.series.times[place]) : null);
    this.tag.hidden = !within || source !== this;
    if (!this.tag.hidden) {
      const at = place === null ? time : this.series.times[place];
      say(this.tag, moment(at, this.series.step));
      const room = this.box.clientWidth - this.tag.offsetWidth;
      this.tag.style.left = `${Math.max(0, Math.min(room, this.left(at) - this.tag.offsetWidth / 2))}px`;
    }
    set(this.figure, "data-at", within ? String(Math.round(time)) : "now");
  }

  speak() {
    if (performance.now() - this.spoken < SPEAK_EVERY) return;
    this.spoken = performance.now();
    const { title } = this.panel;
    const values = this.values(this.series.times.length - 1);
    const [from, to] = this.series.span;
    set(this.box, "aria-label", view.live
      ? words.chart(title, words.ranges[view.range] ?? span(view.range), values)
      : words.chartFixed(title, moment(from), moment(to), values));
  }

  width() {
    return Math.max(200, this.box.clientWidth || 400);
  }
}

export const keysNote = () => byId("charts").before(make("p", { id: "chart-keys", class: "hidden" }, words.chartKeys));
