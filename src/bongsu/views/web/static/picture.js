// A chart as a PNG file: its drawing, with title, span, unit and legend drawn around it.
import { byId } from "./dom.js";
import { DASHES } from "./marks.js";
import { save, stamp } from "./save.js";
import { words } from "./time_words.js";

const LEAST = 380; // pixels of width
const EDGE = 12;
const ROW = 18;
const MARK = 22; // of a line of the legend, with the space after it
const STYLES = ["solid", "dashed", "dotted", "double"]; // in the order of DASHES
const at = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "medium" });
const time = (seconds) => at.format(new Date(seconds * 1000));

// What stands in the legend beneath the chart now: marks with their colours, names, values.
function legendOf(chart) {
  return [...chart.body.rows].map((row) => {
    const [mark, ramp] = [row.querySelector(".mark"), row.querySelector("canvas")];
    const { borderTopColor, borderTopStyle } = mark ? getComputedStyle(mark) : {};
    const [name, ...values] = [...row.cells].map((cell) => cell.textContent);
    return { ramp, colour: borderTopColor, dash: DASHES[STYLES.indexOf(borderTopStyle)] ?? [], name, value: values.filter(Boolean).join(" · ") };
  });
}

export function pictureOf(chart) {
  const drawn = chart.box.querySelector("canvas");
  const { width: across, height: down } = drawn.getBoundingClientRect();
  const scale = drawn.width / across;
  const wide = Math.max(LEAST, across) + 2 * EDGE;
  const style = getComputedStyle(document.documentElement);
  const [ink, quiet, card] = ["--ink", "--quiet", "--card"].map((name) => style.getPropertyValue(name));
  const font = (size, weight = 400) => `${weight} ${size}px ${getComputedStyle(document.body).fontFamily}`;
  const canvas = document.createElement("canvas");
  const pen = canvas.getContext("2d");

  pen.font = font(13);
  const legend = legendOf(chart);
  const widest = Math.max(0, ...legend.map((row) => MARK + pen.measureText(`${row.name}  ${row.value}`).width + (row.ramp?.width ?? 0))) + 2 * EDGE;
  const columns = Math.max(1, Math.min(legend.length, Math.floor((wide - EDGE) / widest)));
  const each = (wide - 2 * EDGE + EDGE) / columns;
  const top = EDGE + 44;
  canvas.width = Math.round(wide * scale);
  canvas.height = Math.round((top + down + Math.ceil(legend.length / columns) * ROW + EDGE) * scale);
  pen.scale(scale, scale);
  pen.fillStyle = card;
  pen.fillRect(0, 0, wide, canvas.height);
  pen.textBaseline = "middle";
  const say = (text, x, y, { size = 13, weight = 400, colour = ink, right = false } = {}) => {
    pen.font = font(size, weight);
    pen.fillStyle = colour;
    pen.textAlign = right ? "right" : "left";
    pen.fillText(text, x, y, wide - 2 * EDGE);
  };
  const { title, unit } = chart.panel;
  const [from, to] = chart.series.span;
  say(`${title} (${words.units[unit]})`, EDGE, EDGE + 10, { size: 15, weight: 600 });
  say(words.pictureOf(byId("host").textContent, time(from), time(to)), EDGE, EDGE + 31, { size: 12, colour: quiet });
  pen.drawImage(drawn, EDGE, top, across, down);
  legend.forEach(({ ramp, colour, dash, name, value }, i) => {
    const x = EDGE + (i % columns) * each;
    const y = top + down + (Math.floor(i / columns) + 0.5) * ROW;
    if (colour) {
      pen.strokeStyle = colour;
      pen.lineWidth = 3;
      pen.setLineDash(dash);
      pen.beginPath();
      pen.moveTo(x, y);
      pen.lineTo(x + MARK - 6, y);
      pen.stroke();
    }
    say(name, x + (colour ? MARK : 0), y);
    if (ramp) {
      const after = x + pen.measureText(name).width + 8;
      pen.drawImage(ramp, after, y - 5, 120, 10);
      say(value, after + 128, y);
    } else say(value, x + each - EDGE, y, { right: true });
  });
  return canvas;
}

export const savePicture = (chart) => pictureOf(chart).toBlob((blob) => save(`bongsu-${chart.panel.name}-${stamp()}.png`, blob));
