// Whose processes and owners are shown: everyone's, or one user's, whom the address names.
import { make, say } from "./dom.js";
import { words } from "./table_words.js";
import { view } from "./view.js";

export class Whose {
  constructor() {
    this.choices = [...document.querySelectorAll("select.whose")];
    this.told = null;
    for (const choice of this.choices) {
      say(choice.previousElementSibling, words.whose);
      choice.addEventListener("change", () => view.set({ user: choice.value || null }, { replace: true }));
    }
    this.take({ owners: [], rows: [], columns: ["user"], mine: null });
    view.on((changed) => changed.has("user") && this.take(this.data));
  }

  // Who looks, if that is known, stands first.
  take(data) {
    this.data = data;
    const place = data.columns.indexOf("user");
    const users = new Set([...data.rows.map((row) => row[place]), ...data.owners.map((owner) => owner[3]), view.user].filter(Boolean));
    if (data.mine) users.delete(data.mine);
    const named = [["", words.everyone], ...(data.mine ? [[data.mine, words.mine(data.mine)]] : []), ...[...users].sort().map((user) => [user, user])];
    const told = JSON.stringify(named);
    for (const choice of this.choices) {
      if (told !== this.told) choice.replaceChildren(...named.map(([value, text]) => make("option", { value }, text)));
      choice.value = view.user ?? "";
    }
    this.told = told;
  }
}
