// The row of numbers at the top, each with the line of its last minutes.
import { byId, make, makeSvg, say, set } from "./dom.js";
import { write } from "./units.js";
import { words } from "./words.js";

const WIDTH = 120;
const HEIGHT = 28;
const POINTS = 120;

function path(values, top) {
  const shown = values.slice(-POINTS);
  const known = shown.filter((v) => v !== null);
  if (known.length < 2) return "";
  const high = Math.max(top && Math.max(...known) > 0.5 * top ? top : 0, ...known) || 1;
  let pen = "M";
  let made = "";
  shown.forEach((v, i) => {
    if (v === null) {
      pen = "M";
      return;
    }
    const x = (i / Math.max(1, shown.length - 1)) * WIDTH;
    made += `${pen}${x.toFixed(1)} ${(HEIGHT - 2 - (Math.max(0, v) / high) * (HEIGHT - 4)).toFixed(1)}`;
    pen = "L";
  });
  return made;
}

class Tile {
  constructor(tile) {
    this.tile = tile;
    this.value = make("span", { class: "value" });
    this.detail = make("span", { class: "detail quiet" });
    this.line = makeSvg("path", { class: "spark" });
    const spark = makeSvg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" });
    spark.append(this.line);
    this.element = make("div", { class: "tile", "data-tile": tile.name }, make("h2", {}, tile.title), this.value, this.detail, spark);
  }

  show(now, values) {
    const { unit, top } = this.tile;
    set(this.value, "class", now.value === null ? "value unknown" : "value");
    say(this.value, now.value === null ? words.noValue : write(now.value, unit));
    const known = [now.of === null ? "" : words.of(write(now.of, unit)), now.legend].filter(Boolean).join(" · ");
    const detail = now.value === null ? words.noValueWhy : known;
    say(this.detail, detail);
    set(this.element, "title", detail);
    set(this.line, "d", path(values, top ?? now.of));
  }
}

export class Tiles {
  constructor(series) {
    this.series = series;
    this.tiles = new Map();
  }

  take(tiles) {
    this.tiles = new Map(tiles.map((tile) => [tile.name, new Tile(tile)]));
    byId("tiles").replaceChildren(...[...this.tiles.values()].map((tile) => tile.element));
    for (const tile of tiles) this.tiles.get(tile.name).show(tile, tile.values);
  }

  add(news) {
    for (const [name, now] of Object.entries(news)) {
      this.tiles.get(name)?.show(now, this.series.columns.get(name) ?? []);
    }
  }
}
