// Spreads tiles and charts over rows so that each row is full: of five where four fit, three stand above two.
import { byId, set } from "./dom.js";

const gcd = (a, b) => (b ? gcd(b, a % b) : a);

// How many of `count` stand in each row where `most` fit: no two rows differ by more than one.
function lengthsOf(count, most) {
  const rows = Math.ceil(count / Math.max(1, most));
  return Array.from({ length: rows }, (_, i) => Math.ceil((count - i) / rows));
}

// `groups()` gives lists of what stands in `box`, each with the least width in pixels of one. A group begins a row.
class Rows {
  constructor(box, groups) {
    Object.assign(this, { box, groups, wide: 0 });
    new ResizeObserver(() => box.clientWidth !== this.wide && this.spread()).observe(box);
    const changes = new MutationObserver(() => {
      changes.disconnect();
      watch();
      this.spread();
    });
    // A child may come, go, or turn out to have nothing to show, which is a class of it.
    const watch = () => {
      changes.observe(box, { childList: true });
      for (const child of box.children) changes.observe(child, { attributeFilter: ["class"] });
    };
    watch();
  }

  spread() {
    this.wide = this.box.clientWidth;
    const placed = this.groups().flatMap(([elements, least]) => {
      let next = 0;
      return lengthsOf(elements.length, Math.floor(this.wide / least)).flatMap((length) =>
        elements.slice(next, (next += length)).map((element) => [element, length]));
    });
    // So many columns that every row can be cut into equal parts; they have no gaps, which would add up.
    const columns = placed.reduce((all, [, length]) => (all * length) / gcd(all, length), 1);
    set(this.box, "data-columns", String(columns));
    this.box.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
    for (const [element, length] of placed) element.style.gridColumnEnd = `span ${columns / length}`;
  }
}

const TILE = 156;
const WORDS = 340; // of a tile that has words instead of a number
const chart = () => Math.min(488, Math.max(328, 0.22 * innerWidth));
const parted = (elements, name) => [elements.filter((e) => !e.classList.contains(name)), elements.filter((e) => e.classList.contains(name))];

export function spreadRows() {
  new Rows(byId("tiles"), () => {
    const [read, unread] = parted([...byId("tiles").children], "unread");
    return [[read, TILE], [unread, WORDS]];
  });
  // Each heading begins a group; what has nothing to show stands after all.
  new Rows(byId("charts"), () => {
    const [shown, empty] = parted([...byId("charts").children], "empty");
    const groups = [[]];
    for (const element of shown) element.matches(".chart") ? groups.at(-1).push(element) : groups.push([]);
    return [...groups, empty].map((group) => [group, chart()]);
  });
}
