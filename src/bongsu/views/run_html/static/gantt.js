// Processes as bars over the same time as the charts. Only the rows in sight are drawn, however many there are.
const ROW = 18; // px
const AXIS = 22;
const { PID, START, END, COMMAND, PROGRAM, USER, EXIT, SIGNAL, CPU, SHARE, RSS, COUNT } = Object.fromEntries(
  data.keys.processes.map((key, i) => [key.toUpperCase(), i]));
const MANY = 100; // from so many on a row for each program comes first

const gantt = byId("gantt");
const canvas = gantt.querySelector("canvas");
let found = []; // [{label, rows}]
let lanes = []; // those of them that have anything in the time that is shown
let chosenLane = -1;

const ended = (row) => row[END] ?? whole.to;
const bad = (row) => Boolean(row[SIGNAL]) || (row[EXIT] !== null && row[EXIT] !== 0);
const base = (path) => path.slice(path.lastIndexOf("/") + 1) || path;
const howMany = (rows) => rows.reduce((n, row) => n + row[COUNT], 0);
// The folder of a program says little and is long.
const labelOf = (row) => {
  if (row[COUNT] > 1) return words.many(row[PROGRAM] || words.unknown, row[COUNT]);
  const [first, ...rest] = (row[COMMAND] || row[PROGRAM] || `process ${row[PID]}`).split(" ");
  return [first.startsWith("/") ? base(first) : first, ...rest].join(" ");
};

// Programs get their colours by what they cost, so that those that matter differ.
const hues = new Map();
{
  const cost = new Map();
  for (const row of data.processes) cost.set(row[PROGRAM], (cost.get(row[PROGRAM]) ?? 0) + (row[CPU] ?? 0));
  [...cost].sort((a, b) => b[1] - a[1]).forEach(([program], i) => hues.set(program, i % 8));
}

function sought() {
  const text = byId("find").value.trim().toLowerCase();
  if (!text) return data.processes;
  return data.processes.filter((row) => `${row[PID]} ${row[COMMAND]} ${row[PROGRAM]} ${row[USER]}`.toLowerCase().includes(text));
}

function arrange() {
  const rows = sought();
  if (byId("by-program").checked) {
    const groups = new Map();
    for (const row of rows) {
      if (!groups.has(row[PROGRAM])) groups.set(row[PROGRAM], []);
      groups.get(row[PROGRAM]).push(row);
    }
    found = [...groups].map(([program, group]) => ({ label: `${program || words.unknown} (${howMany(group)})`, rows: group }));
  } else found = rows.map((row) => ({ label: labelOf(row), rows: [row] }));
  lanes = [];
  chosenLane = -1;
  gantt.scrollTop = 0;
  fit();
}

const inRange = (row) => row[START] <= range.to && ended(row) >= range.from;

// Who zooms in on a second of a long build is shown the processes of that second.
function fit() {
  const kept = lanes[chosenLane];
  lanes = found.filter(({ rows }) => rows.some(inRange));
  chosenLane = kept ? lanes.indexOf(kept) : -1;
  const shown = lanes.reduce((n, { rows }) => n + howMany(rows.filter(inRange)), 0);
  byId("count").textContent = words.counted(shown, howMany(data.processes));
  size();
}

const margin = () => Math.min(260, Math.round(gantt.clientWidth * 0.35));

function size() {
  const width = Math.max(200, gantt.clientWidth);
  const height = Math.min(480, Math.max(3, lanes.length) * ROW + AXIS);
  const dots = devicePixelRatio || 1;
  canvas.width = Math.round(width * dots);
  canvas.height = Math.round(height * dots);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  byId("tall").style.height = `${Math.max(0, lanes.length * ROW + AXIS - height)}px`;
  drawGantt();
}

function drawGantt() {
  const dots = devicePixelRatio || 1;
  const width = canvas.width / dots;
  const height = canvas.height / dots;
  const left = margin();
  const pen = canvas.getContext("2d");
  const x = (t) => left + ((t - range.from) / (range.to - range.from)) * (width - left);
  const colours = Array.from({ length: 8 }, (_, i) => style(`--hue-${i}`));
  pen.setTransform(dots, 0, 0, dots, 0, 0);
  pen.fillStyle = style("--card");
  pen.fillRect(0, 0, width, height);
  pen.font = style("--axis-font");
  pen.textBaseline = "middle";
  const first = Math.floor(gantt.scrollTop / ROW);
  const off = AXIS - (gantt.scrollTop % ROW);
  for (let i = first; i < lanes.length && off + (i - first) * ROW < height; i += 1) {
    const y = off + (i - first) * ROW;
    const { label, rows } = lanes[i];
    if (i === chosenLane) {
      pen.fillStyle = style("--raised");
      pen.fillRect(0, y, width, ROW);
    }
    pen.fillStyle = style("--ink");
    pen.fillText(fitting(pen, label, left - 12), 6, y + ROW / 2);
    pen.save();
    pen.beginPath();
    pen.rect(left, y, width - left, ROW);
    pen.clip();
    pen.globalAlpha = rows.length > 1 ? 0.6 : 1;
    for (const row of rows) {
      const begin = Math.max(left - 1, x(row[START]));
      const end = Math.min(width + 1, x(ended(row)));
      if (end < left || begin > width) continue;
      pen.fillStyle = colours[hues.get(row[PROGRAM])];
      pen.fillRect(begin, y + 4, Math.max(1, end - begin), ROW - 8);
      if (bad(row)) {
        pen.fillStyle = style("--bad");
        pen.fillRect(Math.max(begin, end - 3), y + 1, 3, ROW - 2);
      }
    }
    pen.restore();
  }
  axis(pen, x, left, width);
}

function axis(pen, x, left, width) {
  pen.fillStyle = style("--card");
  pen.fillRect(0, 0, width, AXIS);
  pen.fillStyle = style("--quiet");
  pen.strokeStyle = style("--grid");
  const span = range.to - range.from;
  const step = TIME_STEPS.find((s) => (span / s) * 80 <= width - left) ?? span;
  for (let t = Math.ceil(range.from / step) * step; t <= range.to; t += step) {
    const text = at(t);
    pen.fillText(text, Math.min(Math.max(left, x(t) - pen.measureText(text).width / 2), width - pen.measureText(text).width), AXIS / 2);
  }
  pen.beginPath();
  pen.moveTo(left, AXIS - 0.5);
  pen.lineTo(width, AXIS - 0.5);
  pen.stroke();
}

// Commands of one program differ at their ends: the middle is left out.
function fitting(pen, text, width) {
  if (pen.measureText(text).width <= width) return text;
  let keep = Math.max(2, Math.floor((text.length * width) / pen.measureText(text).width) - 1);
  keep = Math.min(keep, 200);
  return `${text.slice(0, Math.ceil(keep * 0.6))}\u2026${text.slice(text.length - Math.floor(keep * 0.4))}`;
}

function describe(row) {
  if (row[COUNT] > 1) return `${labelOf(row)}: ${at(row[START])} to ${at(ended(row))}`;
  const how = row[END] === null ? words.lived : bad(row) ? `${words.failed} (${row[SIGNAL] || row[EXIT]})` : `exit ${row[EXIT] ?? words.unknown}`;
  return `${row[PID]} ${labelOf(row)}: ${at(row[START])} to ${row[END] === null ? "?" : at(row[END])} (${span(ended(row) - row[START])}), ${how}, CPU ${write(row[CPU], "seconds")} (${write(row[SHARE], "ratio")}), RSS at most ${write(row[RSS], "bytes")}`;
}

function describeLane(lane) {
  if (lane.rows.length === 1) return describe(lane.rows[0]);
  const cpu = lane.rows.reduce((sum, row) => sum + (row[CPU] ?? 0), 0);
  return `${lane.label}: CPU ${write(cpu, "seconds")}, ${lane.rows.filter(bad).length} ${words.failed}`;
}

function choose(i) {
  if (!lanes.length) return;
  chosenLane = Math.min(Math.max(i, 0), lanes.length - 1);
  const top = chosenLane * ROW;
  const room = canvas.clientHeight - AXIS;
  if (top < gantt.scrollTop) gantt.scrollTop = top;
  else if (top + ROW > gantt.scrollTop + room) gantt.scrollTop = top + ROW - room;
  byId("said").textContent = describeLane(lanes[chosenLane]);
  drawGantt();
}

gantt.addEventListener("scroll", drawGantt);
takesKeys(gantt);
gantt.addEventListener("keydown", (event) => {
  const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: 20, PageUp: -20, Home: -lanes.length, End: lanes.length };
  if (!(event.key in moves)) return;
  event.preventDefault();
  choose(chosenLane + moves[event.key]);
});
function pointed(event) {
  const box = canvas.getBoundingClientRect();
  const y = event.clientY - box.top - AXIS + gantt.scrollTop;
  const lane = lanes[Math.floor(y / ROW)];
  if (!lane || event.clientY - box.top < AXIS) return;
  const left = margin();
  const time = range.from + ((event.clientX - box.left - left) / (box.width - left)) * (range.to - range.from);
  const near = ((range.to - range.from) / (box.width - left)) * 2;
  const row = lane.rows.find((one) => one[START] - near <= time && time <= ended(one) + near);
  byId("said").textContent = row ? describe(row) : describeLane(lane);
}
canvas.addEventListener("pointermove", pointed);
canvas.addEventListener("click", pointed);
onRange.push(fit);
onTheme.push(drawGantt);
