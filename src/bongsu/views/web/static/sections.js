// Marks in the navigation which section one looks at.
import { set } from "./dom.js";

export function watchSections() {
  const links = [...document.querySelectorAll("nav a")];
  const mark = (id) => links.forEach((link) => (link.hash === `#${id}` ? set(link, "aria-current", "true") : link.removeAttribute("aria-current")));
  // A section is looked at while it fills the line a third from the top.
  const seen = new IntersectionObserver((entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => mark(entry.target.id)), { rootMargin: "-33% 0px -66% 0px" });
  for (const link of links) seen.observe(document.querySelector(link.hash));
}
