// Tables that are sorted by the column that is pressed; long ones show their beginning until asked for all.
const MOST = 25;

class List {
  // `columns` are {title, of, text, word, bad}: what a row is sorted by there, how it is written, whether it is a word.
  constructor(box, columns, sorted, caption) {
    this.box = box;
    this.columns = columns;
    this.sorted = sorted;
    this.down = true;
    this.all = false;
    this.rows = [];
    this.caption = caption;
  }

  show(rows = this.rows) {
    this.rows = rows;
    const { of } = this.columns[this.sorted];
    // What is not known comes last, whichever way the others go.
    const known = rows.filter((row) => of(row) !== null);
    known.sort((a, b) => (of(a) < of(b) ? -1 : of(a) > of(b) ? 1 : 0) * (this.down ? -1 : 1));
    const sorted = known.concat(rows.filter((row) => of(row) === null));
    const table = document.createElement("table");
    table.className = "list";
    const head = table.createTHead().insertRow();
    this.columns.forEach((column, i) => {
      const cell = document.createElement("th");
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = column.title;
      button.addEventListener("click", () => {
        this.down = this.sorted === i ? !this.down : !column.word;
        this.sorted = i;
        this.show();
        this.box.querySelectorAll("th button")[i].focus();
      });
      cell.scope = "col";
      if (column.word) cell.className = "word";
      if (this.sorted === i) cell.setAttribute("aria-sort", this.down ? "descending" : "ascending");
      cell.append(button);
      head.append(cell);
    });
    const body = table.createTBody();
    for (const row of this.all ? sorted : sorted.slice(0, MOST)) {
      const line = body.insertRow();
      for (const column of this.columns) {
        const cell = line.insertCell();
        cell.textContent = column.text(row);
        if (column.word) cell.classList.add("word");
        if (column.bad?.(row)) cell.classList.add("bad");
      }
    }
    this.box.replaceChildren(table);
    if (!this.all && sorted.length > MOST) {
      const more = document.createElement("button");
      more.type = "button";
      more.className = "plain";
      more.textContent = words.more(sorted.length);
      more.addEventListener("click", () => {
        this.all = true;
        this.show();
      });
      this.box.append(more);
    }
  }
}

const number = (title, i, unit, bad) => ({ title, of: (row) => row[i], text: (row) => write(row[i], unit), bad });
const word = (title, i) => ({ title, word: true, of: (row) => row[i] || null, text: (row) => row[i] || words.unknown });

const processList = new List(byId("process-table"), [
  { title: "PID", of: (row) => row[PID] || null, text: (row) => (row[COUNT] > 1 ? "" : String(row[PID])) },
  { title: "Command", word: true, of: (row) => row[COMMAND] || null, text: (row) => (row[COUNT] > 1 ? labelOf(row) : row[COMMAND] || words.unknown) },
  number("CPU", CPU, "seconds"),
  number("Share", SHARE, "ratio"),
  number("Peak RSS", RSS, "bytes"),
  { title: "Began", of: (row) => row[START], text: (row) => at(row[START]) },
  { title: "Lived", of: (row) => (row[COUNT] > 1 ? null : ended(row) - row[START]), text: (row) => (row[COUNT] > 1 ? words.unknown : row[END] === null ? words.lived : span(row[END] - row[START])) },
  { title: "End", of: (row) => row[EXIT], text: (row) => row[SIGNAL] || String(row[EXIT] ?? (row[END] === null ? "" : words.unknown)), bad },
], 2);

const F = Object.fromEntries(data.keys.functions.map((key, i) => [key, i]));
const functionList = new List(byId("function-table"), [
  word("Function", F.name),
  number("Calls", F.calls, "count"),
  number("Total", F.total, "seconds"),
  number("Self", F.self, "seconds"),
  number("Average", F.mean, "seconds"),
  number("Longest", F.longest, "seconds"),
  { title: "CPU", of: (row) => row[F.cpu], text: (row) => write(row[F.cpu], "seconds") + (row[F.error] > 0 && row[F.cpu] !== null ? ` \u00b1${span(row[F.error])}` : "") },
  number("Errors", F.errors, "count", (row) => row[F.errors] > 0),
  number("Running", F.running, "count"),
], 2);
