// The connection: events as they come, what is missed is asked for again, and an honest word when nothing comes.

const RETRY_FROM = 1000;
const RETRY_UP_TO = 10000;

// `on` has values, processes, owners, health (each takes the event's data), catchUp (asks for everything; a promise of
// whether the server has no room for one more stream, that rejects with an Error whose `status` is its answer), and state(name, since), where name is one of
// connecting, live, stale-silent, stale-gone, stale-token, stale-full, stale-dropped.
export class Feed {
  constructor(on) {
    this.on = on;
    this.source = null;
    this.retry = RETRY_FROM;
    this.timer = null;
    this.lastNews = null; // Unix seconds, by the server's clock
    this.heard = performance.now();
    this.interval = 1;
    this.problem = "connecting";
    document.addEventListener("visibilitychange", () => (document.hidden ? this.stop() : this.start()));
    window.addEventListener("online", () => this.start());
    window.addEventListener("pagehide", () => this.stop());
    window.addEventListener("pageshow", (event) => event.persisted && this.start());
    setInterval(() => this.look(), 1000);
  }

  // Ask for everything, then listen. Whatever happened in between comes with the stream or is asked for again.
  async start() {
    this.stop();
    if (document.hidden) return;
    const mine = (this.attempt = {});
    let full = false;
    try {
      full = await this.on.catchUp();
    } catch (error) {
      if (!(error instanceof TypeError && error.message.includes("fetch")) && !error.status) console.error(error); // a fault of the page, not the network
      if (mine === this.attempt) this.later(error.status === 401 || error.status === 403 ? "stale-token" : "stale-gone");
      return;
    }
    if (mine !== this.attempt) return;
    if (full) {
      this.later("stale-full");
      return;
    }
    this.retry = RETRY_FROM;
    this.listen();
  }

  stop() {
    clearTimeout(this.timer);
    this.attempt = null;
    if (this.source) this.source.close();
    this.source = null;
  }

  listen() {
    const source = (this.source = new EventSource("/api/stream"));
    const take = (name, act) =>
      source.addEventListener(name, (event) => {
        if (source !== this.source) return;
        this.heard = performance.now();
        act(JSON.parse(event.data));
      });
    take("values", (data) => {
      this.problem = null;
      this.lastNews = data.time;
      this.on.values(data);
      this.on.state("live", this.lastNews);
    });
    take("processes", (data) => this.on.processes(data));
    take("owners", (data) => this.on.owners(data));
    take("health", (data) => this.on.health(data));
    take("again", () => this.start());
    take("dropped", () => this.later("stale-dropped"));
    take("goodbye", () => this.later("stale-gone"));
    source.addEventListener("open", () => {
      this.heard = performance.now();
      if (this.problem !== null) this.problem = "connecting";
    });
    source.addEventListener("error", () => source === this.source && this.later("stale-gone"));
  }

  later(problem) {
    this.stop();
    this.problem = problem;
    this.on.state(problem, this.lastNews);
    this.timer = setTimeout(() => this.start(), this.retry * (0.75 + Math.random() / 2));
    this.retry = Math.min(this.retry * 2, RETRY_UP_TO);
  }

  // A connection can die without a word (sleep, a pulled cable): silence is a finding too.
  look() {
    if (document.hidden || !this.source) return;
    const silent = (performance.now() - this.heard) / 1000;
    const patience = Math.max(5, 3 * this.interval);
    if (silent > patience) {
      this.problem = "stale-silent";
      this.on.state(this.problem, this.lastNews);
      if (silent > patience + 25) this.start();
    } else if (this.problem === "connecting") this.on.state("connecting", this.lastNews);
  }
}
