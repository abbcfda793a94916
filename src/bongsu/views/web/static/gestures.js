// Mouse, finger and keys over a chart: point, drag to zoom, drag with Shift to pan, double-click to go back.
import { make } from "./dom.js";

const LEAST_DRAG = 6; // pixels; less is a click
const STEP = 0.2; // of the span, for one press of an arrow key

// `area` is where times lie side by side. `on` has timeAt(x of the client), span() and step() in seconds, and takes
// point(time or null), zoom(from, to), pan(from, to, whether it goes on from the pan before) and back().
export function pointing(area, on) {
  const select = make("div", { class: "select", hidden: true });
  area.append(select);
  let drag = null;

  const end = () => {
    drag = null;
    select.hidden = true;
  };

  area.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault(); // no text is marked
    area.closest("[tabindex]")?.focus({ preventScroll: true, focusVisible: false });
    area.setPointerCapture(event.pointerId);
    const { left, width } = area.getBoundingClientRect();
    drag = { x: event.clientX, pan: event.shiftKey, span: on.span(), left, width, moved: false };
  });

  area.addEventListener("pointermove", (event) => {
    on.point(on.timeAt(event.clientX));
    if (!drag || (!drag.moved && Math.abs(event.clientX - drag.x) < LEAST_DRAG)) return;
    if (drag.pan) {
      const [from, to] = drag.span;
      const by = ((drag.x - event.clientX) / drag.width) * (to - from);
      on.pan(from + by, to + by, drag.moved);
    } else {
      const edge = (x) => Math.min(drag.width, Math.max(0, x - drag.left));
      const [a, b] = [edge(drag.x), edge(event.clientX)].sort((one, other) => one - other);
      select.hidden = false;
      select.style.left = `${a}px`;
      select.style.width = `${b - a}px`;
    }
    drag.moved = true;
  });

  area.addEventListener("pointerup", (event) => {
    const done = drag;
    const finger = event.pointerType === "touch";
    end();
    if (finger && done) on.point(done.moved ? null : on.timeAt(event.clientX)); // a tap points, until one taps elsewhere
    if (!done || !done.moved || done.pan) return;
    const times = [done.x, event.clientX].map((x) => on.timeAt(Math.min(done.left + done.width, Math.max(done.left, x))));
    on.zoom(Math.min(...times), Math.max(...times));
  });

  area.addEventListener("pointercancel", () => {
    end();
    on.point(null); // the finger scrolls the page
  });
  area.addEventListener("pointerleave", (event) => drag || event.pointerType === "touch" || on.point(null));
  area.addEventListener("dblclick", () => on.back());
}

// Keys for the element that has the focus. `on` has what `pointing` takes, and pointed(), scale(factor), live().
export function keys(element, on) {
  const pan = (sign, again) => {
    const [from, to] = on.span();
    const by = sign * STEP * (to - from);
    on.pan(from + by, to + by, again);
  };
  const point = (sign) => {
    const [from, to] = on.span();
    on.point(Math.min(to, Math.max(from, (on.pointed() ?? to) + sign * on.step())));
  };
  const acts = {
    ArrowLeft: (event) => (event.shiftKey ? point(-1) : pan(-1, event.repeat)),
    ArrowRight: (event) => (event.shiftKey ? point(1) : pan(1, event.repeat)),
    "+": () => on.scale(0.5),
    "=": () => on.scale(0.5),
    "-": () => on.scale(2),
    Backspace: () => on.back(),
    Home: () => on.live(),
    Escape: () => on.point(null),
  };
  element.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || !(event.key in acts)) return;
    event.preventDefault();
    acts[event.key](event);
  });
  element.addEventListener("blur", () => on.point(null));
}
