// The row of numbers at the top: value, unit, the line of its last minutes, and in words and shape what is off.
import { byId, make, makeSvg, say, set } from "./dom.js";
import { write } from "./units.js";
import { words } from "./words.js";

const WIDTH = 120;
const HEIGHT = 28;
const POINTS = 120;
const POINTED = 1600; // ms that a chart is marked as the one that was asked for
const SEVERITIES = { warn: "warn", warning: "warn", bad: "bad", error: "bad", critical: "bad" };

// At most POINTS values, each the highest of its share of the list: a peak is not lost.
function thinned(values) {
  const share = Math.max(1, Math.ceil(values.length / POINTS));
  const made = [];
  for (let i = 0; i < values.length; i += share) {
    let high = null;
    for (let j = i; j < Math.min(values.length, i + share); j += 1) if (values[j] !== null && (high === null || values[j] > high)) high = values[j];
    made.push(high);
  }
  return made;
}

// The line, and the area below it, of the values that are known; a hole stays a hole.
function paths(values, top) {
  const shown = thinned(values);
  const known = shown.filter((v) => v !== null);
  if (known.length < 2) return ["", ""];
  const high = Math.max(top && Math.max(...known) > 0.5 * top ? top : 0, ...known) || 1;
  let line = "";
  let area = "";
  let last = null;
  shown.forEach((v, i) => {
    if (v === null) {
      if (last !== null) area += `L${last} ${HEIGHT}Z`;
      last = null;
      return;
    }
    const x = ((i / Math.max(1, shown.length - 1)) * WIDTH).toFixed(1);
    const y = (HEIGHT - 2 - (Math.max(0, v) / high) * (HEIGHT - 4)).toFixed(1);
    line += `${last === null ? "M" : "L"}${x} ${y}`;
    area += last === null ? `M${x} ${HEIGHT}L${x} ${y}` : `L${x} ${y}`;
    last = x;
  });
  return [line, last === null ? area : `${area}L${last} ${HEIGHT}Z`];
}

// "1.2 GiB" as the figure and its unit; a span of time keeps its units where they stand.
const parted = (text) => /^([^a-z]*\d) (\D+)$/i.exec(text)?.slice(1) ?? [text, ""];

class Tile {
  constructor(tile) {
    this.tile = tile;
    this.number = make("span");
    this.unit = make("small");
    this.value = make("span", { class: "value" }, this.number, this.unit);
    this.detail = make("span", { class: "detail quiet" });
    this.finding = make("p", { class: "finding", hidden: true });
    this.area = makeSvg("path", { class: "area" });
    this.line = makeSvg("path", { class: "spark" });
    const spark = makeSvg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" });
    spark.append(this.area, this.line);
    const link = make("a", { href: `#chart-${tile.panel ?? tile.name}`, onclick: (event) => this.point(event) }, tile.title);
    this.element = make("div", { class: "tile", "data-tile": tile.name }, make("h2", {}, link), this.value, this.detail, this.finding, spark);
  }

  // To the chart that explains the number. The address stays: it names the section, not the place in it.
  point(event) {
    const chart = byId(`chart-${this.tile.panel ?? this.tile.name}`);
    event.preventDefault();
    if (!chart) return;
    chart.tabIndex = -1;
    chart.focus({ preventScroll: true });
    chart.scrollIntoView({ block: "center" });
    chart.classList.add("pointed");
    setTimeout(() => chart.classList.remove("pointed"), POINTED);
  }

  show(now) {
    const { unit } = this.tile;
    const unread = now.value === null;
    const severity = now.state ? SEVERITIES[now.state.severity] : undefined;
    const [number, of] = unread ? [words.noValue, ""] : parted(write(now.value, unit));
    set(this.value, "class", unread ? "value unknown" : "value");
    say(this.number, number);
    say(this.unit, of && ` ${of}`);
    const known = [now.of === null ? "" : words.of(write(now.of, unit)), now.legend].filter(Boolean).join(" · ");
    const detail = unread ? now.state?.text || words.noValueWhy : known;
    say(this.detail, detail);
    set(this.element, "title", detail);
    set(this.element, "class", `tile ${unread ? "unread" : severity ?? ""}`.trim());
    set(this.finding, "class", `finding ${severity ?? ""}`.trim());
    this.finding.hidden = !severity || unread;
    say(this.finding, this.finding.hidden ? "" : now.state.text);
  }

  draw(now, values) {
    const [line, area] = paths(values, this.tile.top ?? now.of);
    set(this.line, "d", line);
    set(this.area, "d", area);
  }
}

export class Tiles {
  constructor(series) {
    this.series = series;
    this.tiles = new Map();
    this.drawn = -Infinity; // when the lines were
  }

  take(tiles) {
    const same = tiles.length === this.tiles.size && tiles.every((tile) => this.tiles.has(tile.name));
    if (!same) {
      this.tiles = new Map(tiles.map((tile) => [tile.name, new Tile(tile)]));
      byId("tiles").replaceChildren(...[...this.tiles.values()].map((tile) => tile.element));
    }
    this.drawn = performance.now();
    for (const tile of tiles) {
      this.tiles.get(tile.name).show(tile);
      this.tiles.get(tile.name).draw(tile, tile.values);
    }
  }

  // Numbers at once; a line is drawn anew when it has moved by one of its points.
  add(news) {
    const moved = performance.now() - this.drawn >= (1000 * this.series.seconds) / POINTS - 100;
    if (moved) this.drawn = performance.now();
    for (const [name, now] of Object.entries(news)) {
      this.tiles.get(name)?.show(now);
      if (moved) this.tiles.get(name)?.draw(now, this.series.columns.get(name) ?? []);
    }
  }
}
