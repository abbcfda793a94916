// How each collector fares, and what is not there and why, with the cure.
import { byId, make, say } from "./dom.js";
import { span, when } from "./units.js";
import { words } from "./words.js";

const ORDER = ["failed", "late", "partly", "ok", "none"];

export class Health {
  constructor() {
    this.body = make("tbody");
    const columns = Object.entries(words.healthColumns).map(([name, title]) =>
      make("th", { scope: "col", class: name === "samples" || name === "seconds" ? "number" : null }, title));
    byId("health-table").append(
      make("caption", { class: "hidden" }, words.health), make("thead", {}, make("tr", {}, ...columns)), this.body);
    this.before = "";
  }

  take(data) {
    const collectors = [...data.collectors].sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state));
    const good = collectors.filter((one) => one.state === "ok" || one.state === "partly").length;
    say(byId("health-count"), words.healthCount(good, collectors.length));
    byId("health-problems").replaceChildren(...data.problems.map((problem) => make("li", {}, problem)));
    // Rows are rebuilt only where what they say has changed, so that a reader's place is kept.
    const said = JSON.stringify(collectors.map((one) => [one.name, one.state, one.said, one.cure, one.absences]));
    if (said !== this.before) {
      this.before = said;
      this.cells = new Map();
      this.body.replaceChildren(...collectors.map((one) => this.row(one)));
    }
    for (const one of collectors) {
      const [samples, seconds, last] = this.cells.get(one.name);
      say(samples, String(one.samples));
      say(seconds, one.state === "none" ? words.unknown : span(one.seconds));
      const age = one.last_success === null ? null : Math.max(0, data.time - one.last_success);
      say(last, age === null ? words.never : age < 120 ? words.ago(span(Math.round(age))) : when(one.last_success));
    }
  }

  row(one) {
    const numbers = [make("td", { class: "number" }), make("td", { class: "number" }), make("td")];
    this.cells.set(one.name, numbers);
    const state = make("td", {}, make("span", { class: `badge ${one.state}` }, words.healthStates[one.state]));
    if (one.said) state.append(make("p", { class: "said" }, one.said));
    if (one.cure) state.append(make("p", { class: "said quiet" }, words.cure(one.cure)));
    if (one.absences.length) {
      state.append(make("ul", { class: "said" }, ...one.absences.map((absence) =>
        make("li", {}, `${words.missing(absence.count, absence.what[0])}: ${absence.reason}`,
          absence.cure ? make("span", { class: "quiet" }, ` ${words.cure(absence.cure)}`) : null))));
    }
    const name = make("th", { scope: "row", class: "text" }, one.name, one.about ? make("p", { class: "said quiet" }, one.about) : null);
    return make("tr", { "data-collector": one.name }, name, state, ...numbers);
  }
}
