// The table of owners: what each uses against its limits; a row opens the owner's page, which the address names.
import { byId, make, say, set } from "./dom.js";
import { ListTable } from "./list_table.js";
import { objects } from "./lists.js";
import { notice } from "./notice.js";
import { OwnerHistory } from "./owner_history.js";
import { ageOf, asOf, findings, knownFrom, limited, NEAR, shareOf, waitsOf } from "./owner_list.js";
import { words } from "./table_words.js";
import { brief, view } from "./view.js";

const SHOWN = ["name", "user", "processes", "cpu", "throttled", "memory", "state", "read", "write", "tasks", "waits", "start", "known"];
const MOST_PROBLEMS = 4;
const BARS = new Set(["cpu", "memory", "tasks"]);

export class Owners extends ListTable {
  constructor(processesNow) {
    super("owners", {
      naming: "name", texts: new Set(["name", "user", "state", "known"]), standard: { sort: "cpu", down: true },
      terms: { search: "owner-search", sort: "owner-sort" }, searched: ["name", "user", "key"],
      keeps: ({ user, name }) => !view.user || view.user === user || name === `user ${view.user}`,
    });
    this.history = new OwnerHistory(this, processesNow);
    this.history.dialog.addEventListener("close", () => view.set({ owner: null }));
    view.on((changed) => changed.has("owner") && this.come());
  }

  read(data) {
    return objects(data).map((owner) => {
      const found = findings(owner);
      return {
        ...owner, found, state: found.map(([, text]) => text).join("; "), wait: owner.waits && Math.max(...owner.waits),
        known: knownFrom(owner.known),
      };
    });
  }

  columnsOf() {
    return SHOWN;
  }

  readAll() {
    super.readAll();
    const those = (how) => this.all.filter(({ ended, found }) => !ended && found[0]?.[0] === how);
    const wrong = those("bad");
    const link = document.querySelector('nav a[href="#owners"]');
    wrong.length ? set(link, "data-wrong", String(wrong.length)) : link.removeAttribute("data-wrong");
    // What is near its limit is told here only where no column has room for it.
    const told = [wrong, those("warn")].flatMap((some) => [
      ...some.slice(0, MOST_PROBLEMS).map(({ name, found: [[how, text]] }) => [how, `${name}: ${text}`]),
      ...(some.length > MOST_PROBLEMS ? [[some[0].found[0][0], words.ownersWrong(some.length - MOST_PROBLEMS)]] : []),
    ]);
    if (String(told) !== this.told) byId("owners-problems").replaceChildren(...told.map(([how, text]) => make("li", { class: how }, text)));
    this.told = String(told);
    this.come();
  }

  // Opens and closes as the address says.
  come() {
    const { dialog } = this.history;
    const wanted = view.owner;
    const known = wanted === null || /^[a-z]+\/./.test(wanted);
    notice("owner", known ? "" : words.ownerUnknown(brief(wanted)));
    if (!wanted || !known) {
      if (dialog.open) dialog.close();
    } else if (this.history.subject?.key === wanted) this.history.take(this.all);
    else if (this.data) this.history.open(this.all.find(({ key }) => key === wanted) ?? { key: wanted, kind: wanted.split("/")[0], name: words.ownerCalled(wanted), unseen: true });
  }

  note() {
    const { rows, total } = this.data;
    return rows.length < total ? words.ownerCut(rows.length, total) : "";
  }

  text(owner, name) {
    if (BARS.has(name)) return limited(owner, name);
    if (name === "waits") return owner.waits ? waitsOf(owner.waits) : words.unknown;
    return name === "start" ? ageOf(owner, this.data.time) : asOf(owner, name);
  }

  dress(cell, owner, name) {
    if (name === "state") cell.className = `text state ${owner.found[0]?.[0] ?? ""}`;
    if (!BARS.has(name)) return;
    const share = shareOf(owner, name);
    cell.classList.toggle("against", share !== null);
    cell.style.setProperty("--share", `${Math.min(100, 100 * (share ?? 0))}%`);
    cell.classList.toggle("near", share >= NEAR && name !== "cpu");
  }

  fillRow(row, owner) {
    row.classList.toggle("ended", Boolean(owner.ended));
  }

  choose({ key }) {
    view.set({ owner: key });
  }
}
