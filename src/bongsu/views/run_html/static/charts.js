// CPU, memory, storage and counts over one axis of time: what is zoomed in one is zoomed in all.
const HEIGHT = 170;
const DASHES = [[], [6, 3], [2, 2], [10, 3, 2, 3]];
const plots = [];

// A value between two gaps makes no line: it is drawn as a dot.
const alone = (values) => [...values.keys()].filter((i) =>
  values[i] !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null);

const highest = (values) => values.reduce((most, v) => (v !== null && v > most ? v : most), -Infinity);
const most = (values, unit) => {
  const top = highest(values);
  return words.most(top === -Infinity ? words.unknown : write(top, unit));
};
// Steps between the marks of the axis of time, as clocks go.
const TIME_STEPS = [-4, -3, -2, -1].flatMap((p) => [1, 2, 5].map((n) => n * 10 ** p)).concat(
  [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800, 43200, 86400, 172800, 604800, 1209600, 2419200]);

const widthOf = (box) => Math.max(200, box.clientWidth);

const said = (chart) =>
  `${chart.title}: ${chart.lines.map(({ legend, values }) => `${legend} ${most(values, chart.unit)}`).join(", ")}`;

function options(chart, box) {
  const grid = { stroke: style("--grid"), width: 1 };
  const axis = { stroke: style("--quiet"), grid, ticks: grid, font: style("--axis-font") };
  const paths = chart.how === "steps" ? uPlot.paths.stepped({ align: -1 }) : uPlot.paths.linear();
  return {
    width: widthOf(box), height: HEIGHT,
    cursor: {
      sync: { key: "run" }, drag: { x: true, y: false, setScale: false },
      bind: { dblclick: () => () => setRange(whole.from, whole.to) },
    },
    scales: {
      x: { time: false, range: () => [range.from, range.to] },
      y: { range: (_, low, high) => [0, high > 0 ? high * 1.1 : 1] },
    },
    axes: [
      { ...axis, size: 26, space: 80, incrs: TIME_STEPS, values: (_, marks) => marks.map(at) },
      { ...axis, size: 72, values: (_, marks) => marks.map((v) => mark(v, chart.unit)), ...(chart.unit.startsWith("bytes") ? { incrs: BYTE_STEPS } : {}) },
    ],
    hooks: {
      setSelect: [(plot) => {
        if (plot.select.width < 3) return;
        const from = plot.posToVal(plot.select.left, "x");
        const to = plot.posToVal(plot.select.left + plot.select.width, "x");
        plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
        setRange(from, to);
      }],
      draw: [marks],
    },
    series: [
      { label: "time", value: (_, v) => (v === null ? words.whole : at(v)) },
      ...chart.lines.map(({ legend, seldom, values }, i) => ({
        label: legend, stroke: style(`--hue-${i}`), width: 1.5, dash: DASHES[i % DASHES.length], paths, spanGaps: seldom,
        value: (_, v, __, n) => (n === null ? most(values, chart.unit) : write(v, chart.unit)),
        points: { show: true, size: 5, fill: style(`--hue-${i}`), filter: (plot, n) => (seldom ? null : alone(plot.data[n])) },
      })),
    ],
  };
}

// Events as lines through every chart.
function marks(plot) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = style("--bad");
  ctx.setLineDash([4, 4]);
  for (const [when] of data.events) {
    if (when < range.from || when > range.to) continue;
    const x = Math.round(plot.valToPos(when, "x", true)) + 0.5;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}

function addChart(chart) {
  const figure = document.createElement("figure");
  const title = document.createElement("h3");
  title.textContent = chart.title;
  figure.append(title);
  byId("charts").append(figure);
  if (!chart.lines.length) {
    const none = document.createElement("p");
    none.className = "quiet";
    none.textContent = words.nothing;
    figure.append(none);
    return;
  }
  const box = document.createElement("div");
  box.className = "canvas";
  box.tabIndex = 0;
  box.setAttribute("role", "img");
  box.setAttribute("aria-label", said(chart));
  takesKeys(box);
  figure.append(box);
  let plot = null;
  const draw = () => {
    plot?.destroy();
    plot = new uPlot(options(chart, box), [chart.times, ...chart.lines.map(({ values }) => values)], box);
  };
  draw();
  plots.push(() => plot);
  onTheme.push(draw);
  onRange.push(() => plot.setScale("x", { min: range.from, max: range.to }));
  new ResizeObserver(() => {
    if (Math.abs(plot.width - widthOf(box)) > 1) plot.setSize({ width: widthOf(box), height: HEIGHT });
  }).observe(box);
}
