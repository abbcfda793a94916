// Puts the page together: words, range, charts, tables and the connection.
import { Charts } from "./charts.js";
import { byId, make, say, set } from "./dom.js";
import { Feed } from "./feed.js";
import { Health } from "./health.js";
import { Processes } from "./processes.js";
import { Series } from "./series.js";
import { Tiles } from "./tiles.js";
import { clock, span } from "./units.js";
import { words } from "./words.js";

const MOST_POINTS = 900;
const ASK_AGAIN = 10000; // ms at least between two requests for everything because of a new line
const LIVE_RANGE = 3600; // seconds; a longer range is drawn in steps of many seconds, and asked for again instead

for (const element of document.querySelectorAll("[data-words]")) say(element, words[element.dataset.words]);
for (const element of document.querySelectorAll("[data-label]")) set(element, "aria-label", words[element.dataset.label]);
for (const element of document.querySelectorAll("[data-hint]")) set(element, "placeholder", words[element.dataset.hint]);

const series = new Series();
const charts = new Charts(series);
const tiles = new Tiles(series);
const processes = new Processes();
const health = new Health();
let status = null;
let asked = 0;

async function ask(address) {
  const answer = await fetch(address, { headers: { accept: "application/json" } });
  if (!answer.ok) throw Object.assign(new Error(`${address}: ${answer.status}`), { status: answer.status });
  return answer.json();
}

async function board() {
  asked = performance.now();
  const data = await ask(`/api/board?seconds=${series.range}&points=${MOST_POINTS}`);
  series.take(data);
  tiles.take(data.tiles);
  charts.take(data.panels);
}

async function catchUp() {
  [status] = await Promise.all([ask("/api/status"), board()]);
  feed.interval = series.interval;
  health.take(status);
  who();
  return status.full;
}

function who() {
  if (!status) return;
  say(byId("host"), status.host ?? "Bongsu");
  document.title = status.host ? `${status.host} – Bongsu` : "Bongsu";
  const up = status.boot_time === null ? null : words.up(span(Math.max(0, series.now - status.boot_time)));
  say(byId("facts"), [status.system, status.kernel, up].filter(Boolean).join(" · "));
}

const REASONS = {
  "stale-gone": words.noAnswer, "stale-silent": words.noNews, "stale-token": words.tokenNeeded,
  "stale-full": words.tooMany, "stale-dropped": words.dropped,
};

function state(name, since) {
  const stale = name.startsWith("stale");
  const text = stale
    ? words.stale(since === null ? words.unknown : clock(since), REASONS[name])
    : name === "connecting" ? (status && !status.ready ? words.waiting : words.connecting) : words.live;
  say(byId("state"), text);
  set(byId("state"), "data-state", stale ? "stale" : name);
  set(document.documentElement, "data-state", stale ? "stale" : name);
  const notice = byId("notice");
  notice.hidden = name !== "stale-token";
  say(notice, words.tokenCure);
}

const feed = new Feed({
  catchUp,
  values(event) {
    if (series.range > LIVE_RANGE) {
      tiles.add(event.tiles);
      who();
      if (performance.now() - asked > Math.max(ASK_AGAIN, (1000 * series.range) / MOST_POINTS)) board().catch(() => {});
      return;
    }
    const found = series.add(event);
    if (found === "again" && performance.now() - asked > ASK_AGAIN) board().catch(() => {});
    if (found === "known") return;
    tiles.add(event.tiles);
    charts.draw();
    who();
  },
  processes: (data) => processes.take(data),
  health: (data) => health.take(data),
  state,
});

function ranges() {
  const buttons = Object.entries(words.ranges).map(([seconds, title]) =>
    make("button", { type: "button", "aria-pressed": String(Number(seconds) === series.range), onclick: () => choose(Number(seconds)) }, title));
  byId("ranges").replaceChildren(...buttons);
}

function choose(seconds) {
  series.range = seconds;
  [...byId("ranges").children].forEach((button, i) => set(button, "aria-pressed", String(Number(Object.keys(words.ranges)[i]) === seconds)));
  board().catch(() => {});
}

ranges();
state("connecting", null);
feed.start();
