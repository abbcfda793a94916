// Ways through time that charts, buttons and keys share: zoom, pan, pause, live.
import { SHORTEST, view } from "./view.js";

export class Travel {
  constructor(series) {
    this.series = series;
  }

  zoom(from, to) {
    view.set({ from, to });
  }

  // A pan that goes on from the one before makes no new step to go back to.
  pan(from, to, again = false) {
    const over = Math.max(0, to - Math.max(this.series.newest, view.to ?? 0));
    view.set({ from: from - over, to: to - over }, { replace: again && !view.live });
  }

  // By a part of what is shown: -0.5 is half of it earlier.
  shift(part) {
    const [from, to] = this.series.span;
    this.pan(from + part * (to - from), to + part * (to - from));
  }

  // Wider by 2, closer by 0.5; what is live stays live.
  scale(factor) {
    if (view.live) {
      view.set({ range: Math.max(SHORTEST, factor * view.range) });
      return;
    }
    const [from, to] = this.series.span;
    const length = factor * (to - from);
    const end = Math.min((from + to + length) / 2, Math.max(to, this.series.newest));
    view.set({ from: end - length, to: end });
  }

  pause() {
    const [from, to] = this.series.span;
    view.set({ from, to });
  }

  live() {
    if (!view.live) view.set({ live: true });
  }

  back() {
    view.back();
  }
}
