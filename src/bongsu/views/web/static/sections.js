// Marks in the navigation which section one looks at, and comes to the one that the address names.
import { byId, set } from "./dom.js";
import { notice } from "./notice.js";
import { words } from "./time_words.js";
import { brief } from "./view.js";

const LINE = 0.4; // of the window's height: what stands above it has been come to

export function watchSections() {
  let due = false;
  const look = () => {
    due = false;
    const links = [...document.querySelectorAll("nav a")]; // one may have come
    const end = innerHeight + scrollY >= document.documentElement.scrollHeight - 2 && scrollY > 0;
    const reached = links.filter((link) => document.querySelector(link.hash).getBoundingClientRect().top < LINE * innerHeight);
    const here = end ? links.at(-1) : reached.at(-1) ?? links[0];
    for (const link of links) link === here ? set(link, "aria-current", "true") : link.removeAttribute("aria-current");
  };
  const soon = () => {
    if (!due) requestAnimationFrame(look);
    due = true;
  };
  addEventListener("scroll", soon, { passive: true });
  // Sections grow as readings come: until one moves by oneself, what was asked for, a section or a chart, is kept in sight.
  let asked = named();
  for (const name of ["wheel", "touchstart", "pointerdown", "keydown"]) addEventListener(name, () => (asked = ""), { once: true, passive: true });
  addEventListener("hashchange", () => tell(named()));
  tell(asked);
  new ResizeObserver(() => {
    // Below what stays in sight above all: how high that is depends on its facts; on a phone only its first part stays.
    const above = document.querySelector("header");
    document.documentElement.style.scrollPaddingTop = `${8 + (above.offsetHeight || above.firstElementChild.offsetHeight)}px`;
    byId(asked)?.scrollIntoView({ behavior: "instant" });
    tell(named());
    soon();
  }).observe(document.body);
}

// What the address names after its #, such as "health" or "chart-cpu".
function named() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return location.hash.slice(1); // a % that begins nothing
  }
}

// Charts are known once the server has answered.
function tell(name) {
  const known = !name || byId(name) || (name.startsWith("chart-") && !byId("charts").childElementCount);
  notice("section", known ? "" : words.sectionUnknown(brief(name)));
}
