// The one time that is pointed at, in every chart at once.

export class Crosshair {
  constructor() {
    this.time = null; // Unix seconds
    this.source = null; // the chart in which it is pointed
    this.listeners = [];
    this.waiting = false;
  }

  on(listener) {
    this.listeners.push(listener);
  }

  set(time, source = null) {
    if (time === this.time && source === this.source) return;
    this.time = time;
    this.source = time === null ? null : source;
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      for (const listener of this.listeners) listener();
    });
  }

  leave(source) {
    if (this.source === source) this.set(null);
  }
}
