// Where recorded runs are come to: what shows them is loaded when somebody does.
import { byId } from "./dom.js";
import { notice } from "./notice.js";
import { view } from "./view.js";
import { words } from "./words.js";

const WAIT = 300; // ms
let runs = null;

async function come() {
  try {
    const { Runs } = await (runs ??= import("./runs.js"));
    Runs.open();
    notice("runs", "");
  } catch (error) {
    runs = null;
    notice("runs", words.noAnswer);
    console.error(error);
  }
}

export function watchRuns() {
  let near = false;
  let drawn = false; // an empty page is short: all of it is near then
  let scrolled = -WAIT; // who passes by goes on to where he wants to be
  addEventListener("scroll", () => (scrolled = performance.now()), { passive: true });
  const look = () => {
    if (!near || runs) return;
    if (drawn && performance.now() - scrolled >= WAIT) {
      come();
      return;
    }
    drawn ||= byId("charts").childElementCount > 0;
    setTimeout(look, WAIT);
  };
  new IntersectionObserver(([entry]) => {
    near = entry.isIntersecting;
    look();
  }).observe(byId("runs"));
  view.on(() => view.run && !runs && come());
  if (view.run) come();
}
