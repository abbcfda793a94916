// The sheet of all keys and gestures, which ? opens.
import { byId, make } from "./dom.js";
import { words } from "./time_words.js";

const dialog = make("dialog", { class: "sheet keys", "aria-labelledby": "keys-title" });

function open() {
  if (document.querySelector("dialog[open]")) return;
  dialog.replaceChildren(
    make("div", { class: "bar" }, make("h2", { id: "keys-title" }, words.keysTitle),
      make("div", { class: "actions" }, make("button", { type: "button", class: "plain", onclick: () => dialog.close() }, words.close))),
    make("div", { class: "scroll", tabindex: "0", role: "region", "aria-labelledby": "keys-title" }, ...words.keySheet.map(([title, rows]) =>
      make("section", {}, make("h3", {}, title), make("dl", {}, ...rows.map(([keys, what]) =>
        make("div", {}, make("dt", {}, ...keys.map((key) => make("kbd", {}, key))), make("dd", {}, what))))))));
  dialog.showModal();
}

export function offerKeys() {
  document.body.append(dialog);
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  byId("keys").addEventListener("click", open);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "?" || event.ctrlKey || event.altKey || event.metaKey || event.target.closest("input, select, textarea")) return;
    event.preventDefault();
    open();
  });
}
