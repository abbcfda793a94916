// How each collector fares, what is not there and why, with the cure; the history and Bongsu's own cost.
import { costFacts, storeFacts } from "./health_facts.js";
import { byId, make, say, set } from "./dom.js";
import { span, when } from "./units.js";
import { words } from "./table_words.js";

const ORDER = ["failed", "late", "partly", "ok"];
const NUMBERS = ["seconds", "cpu", "last", "samples"];
const WRONG = new Set(["failed", "late"]);

const cureOf = (text) => (text ? make("p", { class: "said quiet" }, words.cure(text)) : null);

// What several collectors, or several devices of one, lack for the same reason stands there once.
function grouped(absences) {
  return make("ul", { class: "said" }, ...absences.map((absence) =>
    make("li", {}, `${words.missing(absence.count, absence.what[0])}: ${absence.reason}`,
      absence.cure ? make("span", { class: "quiet" }, ` ${words.cure(absence.cure)}`) : null)));
}

// What a part of the page shows is made anew only where it says something else, so that a reader's place is kept.
class Part {
  constructor(element) {
    this.element = element;
    this.before = "";
  }

  show(said, draw) {
    const now = JSON.stringify(said);
    if (now === this.before) return false;
    this.before = now;
    this.element.replaceChildren(...draw());
    return true;
  }
}

export class Health {
  constructor() {
    const columns = Object.entries(words.healthColumns).map(([name, title]) =>
      make("th", { scope: "col", class: ["samples", "seconds", "cpu"].includes(name) ? "number" : null, title: words.healthHelp[name] }, title));
    const body = make("tbody");
    byId("health-table").append(
      make("caption", { class: "hidden" }, words.health), make("thead", {}, make("tr", {}, ...columns)), body);
    this.table = new Part(body);
    this.problems = new Part(byId("health-problems"));
    this.absent = new Part(byId("health-absent").appendChild(make("div")));
    this.cells = new Map();
    this.cards = ["store", "cost"].map((name) => {
      const list = make("dl", { class: "facts" });
      const note = make("p", { class: "quiet" });
      byId("health-cards").append(make("section", { class: "card", "data-card": name, "aria-labelledby": `health-${name}` },
        make("h3", { id: `health-${name}` }, words[`${name}Title`]), note, list));
      return { part: new Part(list), note, values: [] };
    });
  }

  take(data) {
    const here = data.collectors.filter((one) => one.state !== "none");
    const none = data.collectors.filter((one) => one.state === "none");
    here.sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state));
    const good = here.filter((one) => !WRONG.has(one.state)).length;
    this.tellProblems(data.problems, here.filter((one) => WRONG.has(one.state)));
    say(byId("health-count"), words.healthCount(good, data.collectors.length));
    if (this.table.show(here.map((one) => [one.name, one.state, one.said, one.cure, one.absences]), () => here.map((one) => this.row(one)))) {
      this.cells = new Map([...this.table.element.children].map((row) => [row.dataset.collector, row.querySelectorAll("td[data-number]")]));
    }
    for (const one of here) this.numbers(one, data.time);
    this.tellAbsent(none);
    this.tell(this.cards[0], data.store ? storeFacts(data.store) : [], data.store ? "" : words.storeNone);
    this.tell(this.cards[1], costFacts(data), "");
  }

  tellProblems(problems, wrong) {
    const said = [...problems, ...wrong.map((one) => `${one.name}: ${one.said ?? words.healthStates[one.state]}`)];
    const link = document.querySelector('nav a[href="#health"]'); // so that it is seen from every section
    said.length ? set(link, "data-wrong", String(said.length)) : link.removeAttribute("data-wrong");
    this.problems.show(said, () => (said.length
      ? said.map((text) => make("li", {}, text))
      : [make("li", { class: "fine" }, words.healthGood)]));
  }

  tellAbsent(none) {
    const details = byId("health-absent");
    details.hidden = none.length === 0;
    say(details.querySelector("summary"), words.healthAbsent(none.length));
    // What a cure could bring stands first.
    const sorted = [...none].sort((a, b) => (a.cure === null) - (b.cure === null));
    this.absent.show(none.map((one) => [one.name, one.said, one.cure]), () => [make("ul", { class: "said" }, ...sorted.map((one) =>
      make("li", { "data-collector": one.name }, make("b", {}, one.name), ` ${one.said ?? ""}`, cureOf(one.cure))))]);
  }

  // A list of facts whose values are rewritten, and made anew only where there are others.
  tell(card, facts, note) {
    say(card.note, note);
    card.note.hidden = note === "";
    if (card.part.show(facts.map(([name]) => name), () => facts.map(([name]) => make("div", { class: "fact" }, make("dt", {}, name), make("dd"))))) {
      card.values = [...card.part.element.querySelectorAll("dd")];
    }
    facts.forEach(([, value, bad], i) => {
      say(card.values[i], value);
      card.values[i].classList.toggle("bad", Boolean(bad));
    });
  }

  row(one) {
    const numbers = NUMBERS.map((name) =>
      make("td", { class: name === "last" ? "last" : "number", "data-number": name, "data-title": words.healthColumns[name] }));
    const state = make("td", { class: "state" }, make("span", { class: `badge ${one.state}` }, words.healthStates[one.state]));
    if (one.said) state.append(make("p", { class: "said" }, one.said));
    if (one.cure) state.append(cureOf(one.cure));
    if (one.absences.length) state.append(grouped(one.absences));
    const name = make("th", { scope: "row", class: "text" }, one.name, one.about ? make("p", { class: "said quiet" }, one.about) : null);
    return make("tr", { "data-collector": one.name }, name, state, ...numbers);
  }

  numbers(one, now) {
    const age = one.last_success === null ? null : Math.max(0, now - one.last_success);
    const texts = {
      seconds: span(one.seconds), cpu: span(one.cpu), samples: String(one.samples),
      last: age === null ? words.never : age < 120 ? words.ago(span(Math.round(age))) : when(one.last_success),
    };
    for (const cell of this.cells.get(one.name)) say(cell, texts[cell.dataset.number]);
  }
}
