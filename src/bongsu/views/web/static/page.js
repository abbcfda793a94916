// Puts the page together: words, range, charts, tables and the connection.
import { Charts } from "./charts.js";
import { Crosshair } from "./crosshair.js";
import { byId, say, set } from "./dom.js";
import { Feed } from "./feed.js";
import { Health } from "./health.js";
import { offerKeys } from "./keys_sheet.js";
import { notice } from "./notice.js";
import { Owners } from "./owners.js";
import { Processes } from "./processes.js";
import { Ranges } from "./ranges.js";
import { spreadRows } from "./rows.js";
import { watchRuns } from "./runs_door.js";
import { watchSections } from "./sections.js";
import { MOST_POINTS, Series } from "./series.js";
import { Tiles } from "./tiles.js";
import { words } from "./time_words.js";
import { moment } from "./timeline.js";
import { Travel } from "./travel.js";
import { clock, span } from "./units.js";
import { view } from "./view.js";
import { Whose } from "./whose.js";

const ASK_AGAIN = 10000; // ms at least between two requests for everything because of a new line
const ASK_MOVING = 150; // ms without another move before what it moved to is asked for
const LIVE_RANGE = 3600; // seconds; a longer range is drawn in steps of many seconds, and asked for again instead

for (const element of document.querySelectorAll("[data-words]")) say(element, words[element.dataset.words]);
for (const element of document.querySelectorAll("[data-label]")) set(element, "aria-label", words[element.dataset.label]);
for (const element of document.querySelectorAll("[data-hint]")) set(element, "placeholder", words[element.dataset.hint]);

const series = new Series();
const crosshair = new Crosshair();
const travel = new Travel(series);
const charts = new Charts({ series, crosshair, travel });
const tiles = new Tiles(series);
const whose = new Whose();
const owners = new Owners(() => processes.newest());
const processes = new Processes();
const health = new Health();
watchRuns();
watchSections();
spreadRows();
offerKeys();
let status = null;
let asked = -Infinity;
let patience = 1000; // as ASK_AGAIN, but who comes before the first readings has them soon
let asking = null; // what ends the newest request for the board
let moving = null;
let news = ["connecting", null];

async function ask(address, signal) {
  const answer = await fetch(address, { headers: { accept: "application/json" }, signal });
  if (answer.ok) return answer.json();
  const said = await answer.json().catch(() => ({}));
  throw Object.assign(new Error(said.error ?? `${address}: ${answer.status}`), { status: answer.status });
}

// What the charts show. A newer request ends the one before it, whose answer nobody waits for any more.
async function board() {
  clearTimeout(moving);
  asking?.abort();
  const mine = (asking = new AbortController());
  asked = performance.now();
  const time = view.live ? `seconds=${view.range}` : `from=${view.from}&to=${view.to}`;
  const data = await ask(`/api/board?${time}&points=${MOST_POINTS}`, mine.signal);
  if (mine !== asking) return;
  series.take(data);
  tiles.take(data.tiles);
  charts.take(data.panels);
  notice("board", "");
  notice("empty", view.live || series.times.length ? "" : words.spanEmpty(moment(view.from), moment(view.to)));
}

// As `board`; a refusal is told, and a server that is not there is told by the feed.
function boardAgain() {
  board().catch((error) => error.status && notice("board", words.notDrawn(error.message)));
}

async function catchUp() {
  [status] = await Promise.all([ask("/api/status"), board().catch((error) => {
    if (error.name !== "AbortError") throw error;
  })]);
  feed.interval = series.interval;
  health.take(status);
  who();
  return status.full;
}

function who() {
  if (!status) return;
  say(byId("host"), status.host ?? "Bongsu");
  const title = `${status.demo ? "DEMO " : ""}${status.host ? `${status.host} – ` : ""}Bongsu`;
  byId("demo").hidden = !status.demo;
  set(byId("demo"), "title", words.demoMeans);
  if (status.gpus) import("./gpus.js").then(({ open }) => open(), console.error);
  if (document.title !== title) document.title = title;
  const up = status.boot_time === null ? null : words.up(span(Math.max(0, (feed.lastNews ?? Date.now() / 1000) - status.boot_time)));
  const facts = [status.system, status.kernel, up].filter(Boolean).join(" · ");
  say(byId("facts"), facts);
  set(byId("facts"), "title", facts);
}

const REASONS = {
  "stale-gone": words.noAnswer, "stale-silent": words.noNews, "stale-token": words.tokenNeeded,
  "stale-full": words.tooMany, "stale-dropped": words.dropped,
};

// A connection that is lost is told before all; then that what is shown does not move on.
function state(name, since) {
  news = [name, since];
  const stale = name.startsWith("stale");
  const shown = stale ? "stale" : name === "live" && !view.live ? "paused" : name;
  const text = stale ? words.stale(since === null ? words.unknown : clock(since), REASONS[name])
    : shown === "paused" ? words.paused(moment(view.to))
      : name === "connecting" ? (status && !status.ready ? words.waiting : words.connecting) : words.live;
  say(byId("state"), text);
  set(byId("state"), "data-state", shown);
  set(document.documentElement, "data-state", shown);
  notice("token", name === "stale-token" ? words.tokenCure : "");
}

const feed = new Feed({
  catchUp,
  values(event) {
    who();
    if (!view.live) return;
    const since = performance.now() - asked;
    if (view.range > LIVE_RANGE) {
      tiles.add(event.tiles);
      if (since > Math.max(ASK_AGAIN, (1000 * view.range) / MOST_POINTS)) boardAgain();
      return;
    }
    const found = series.add(event);
    if (found === "again" && since > patience) {
      patience = Math.min(2 * patience, ASK_AGAIN);
      boardAgain();
    }
    if (found === "known") return;
    tiles.add(event.tiles);
    charts.tick();
  },
  processes(data) {
    whose.take(data);
    processes.take(data);
    owners.history.list();
  },
  owners: (data) => owners.take(data),
  health: (data) => health.take(data),
  state,
});

// Another span: what is there is drawn on it at once, and what belongs there is asked for.
view.on((changed) => {
  notice("view", view.problems.join(" "));
  if (!["range", "from", "to"].some((name) => changed.has(name))) return;
  state(...news);
  charts.draw();
  clearTimeout(moving);
  if (performance.now() - asked > ASK_MOVING) boardAgain();
  else moving = setTimeout(boardAgain, ASK_MOVING);
});

new Ranges(travel);
notice("view", view.problems.join(" "));
state("connecting", null);
feed.start();
try {
  sessionStorage.removeItem("tries"); // of early.js, to load this
} catch { /* a browser that keeps nothing */ }
