// Light, dark or as the system has it: the button that goes through the three, and who redraws when it changes.
import { byId, say, set } from "./dom.js";
import { view } from "./view.js";
import { words } from "./words.js";

const CHOICES = ["system", "light", "dark"];
const root = document.documentElement; // early.js has set its data-choice and data-theme
const system = matchMedia("(prefers-color-scheme: dark)");
const listeners = [];

// Calls when colours have changed. A canvas knows nothing of style sheets.
export const onTheme = (listener) => listeners.push(listener);

const tell = () => listeners.forEach((listener) => listener());

function choose(choice) {
  view.set({ theme: choice === "system" ? null : choice }, { replace: true });
  root.dataset.choice = choice;
  try {
    if (choice === "system") localStorage.removeItem("theme");
    else localStorage.setItem("theme", choice);
  } catch { /* a browser that keeps nothing */ }
  apply();
}

// On paper all charts are drawn, light, as wide as the sheet of page.css has them.
function print(printing) {
  if (printing === "print" in root.dataset) return;
  if (printing) root.dataset.print = "";
  else delete root.dataset.print;
  apply();
  tell();
}

function apply() {
  const { choice } = root.dataset;
  const theme = "print" in root.dataset ? "light" : choice === "system" ? (system.matches ? "dark" : "light") : choice;
  const title = words.themes[choice];
  say(byId("theme").querySelector(".hidden"), title);
  set(byId("theme"), "title", title);
  if (root.dataset.theme === theme) return;
  root.dataset.theme = theme;
  tell();
}

system.addEventListener("change", apply);
addEventListener("beforeprint", () => print(true));
addEventListener("afterprint", () => print(false));
matchMedia("print").addEventListener("change", (event) => print(event.matches));
matchMedia("(forced-colors: active)").addEventListener("change", tell);
// The way back to an address that names another one.
view.on((changed) => {
  if (!changed.has("theme") || !CHOICES.includes(view.theme) || view.theme === root.dataset.choice) return;
  root.dataset.choice = view.theme;
  apply();
});
byId("theme").addEventListener("click", () => choose(CHOICES[(CHOICES.indexOf(root.dataset.choice) + 1) % CHOICES.length]));
apply();
