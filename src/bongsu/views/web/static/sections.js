// Marks in the navigation which section one looks at, and comes to the one that the address names.
import { set } from "./dom.js";

const LINE = 0.4; // of the window's height: what stands above it has been come to

export function watchSections() {
  const links = [...document.querySelectorAll("nav a")];
  let due = false;
  const look = () => {
    due = false;
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
  // Sections grow as readings come: until one moves by oneself, the one that was asked for is kept in sight.
  let asked = links.some((link) => link.hash === location.hash) ? document.querySelector(location.hash) : null;
  for (const name of ["wheel", "touchstart", "pointerdown", "keydown"]) addEventListener(name, () => (asked = null), { once: true, passive: true });
  new ResizeObserver(() => {
    asked?.scrollIntoView({ behavior: "instant" });
    soon();
  }).observe(document.body);
}
