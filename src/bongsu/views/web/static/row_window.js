// Draws of a long table only the rows that can be seen, and uses the same elements again for others.

const BEYOND = 8; // rows drawn above and below what is seen
const UNSEEN = 40; // rows drawn of a table that has no height, as one that is not shown yet
const HEIGHT = 30; // px, until a row was measured

export class RowWindow {
  // `blank()` makes an empty row, `fill(row, line, index)` writes a line into it, `drawn()` is called after.
  constructor(scroll, table, body, { blank, fill, drawn }) {
    Object.assign(this, { scroll, table, body, blank, fill, drawn, lines: [], first: 0, height: HEIGHT });
    let asked = false;
    const later = () => {
      if (asked) return;
      asked = true;
      requestAnimationFrame(() => {
        asked = false;
        this.draw();
      });
    };
    scroll.addEventListener("scroll", later, { passive: true });
    new ResizeObserver(later).observe(scroll);
  }

  show(lines) {
    this.lines = lines;
    this.draw();
  }

  draw() {
    const { lines, body, scroll } = this;
    this.height = body.firstElementChild?.offsetHeight || this.height;
    const seen = scroll.clientHeight ? Math.ceil(scroll.clientHeight / this.height) : UNSEEN;
    const top = Math.min(Math.floor(scroll.scrollTop / this.height), Math.max(0, lines.length - seen));
    this.first = Math.max(0, top - BEYOND);
    const last = Math.min(lines.length, top + seen + BEYOND);
    this.table.style.marginTop = `${this.first * this.height}px`;
    this.table.style.marginBottom = `${(lines.length - last) * this.height}px`;
    while (body.children.length > last - this.first) body.lastElementChild.remove();
    while (body.children.length < last - this.first) body.append(this.blank());
    for (let i = this.first; i < last; i += 1) this.fill(body.children[i - this.first], lines[i], i);
    this.drawn();
  }

  // The row of a line, scrolled to where it can be seen.
  reveal(index, headHeight) {
    const top = index * this.height;
    const room = this.scroll.clientHeight - headHeight - this.height;
    if (top < this.scroll.scrollTop) this.scroll.scrollTop = top;
    else if (top > this.scroll.scrollTop + room) this.scroll.scrollTop = top - room;
    this.draw();
    return this.row(index);
  }

  row(index) {
    return this.body.children[index - this.first] ?? null;
  }

  lineOf(row) {
    return this.lines[this.first + [...this.body.children].indexOf(row)] ?? null;
  }
}
