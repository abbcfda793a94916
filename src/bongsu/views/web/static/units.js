// Numbers as people read them, by the unit that the server names; as views/units.py writes them.
import { words } from "./words.js";

const BINARY = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const DECIMAL = ["", "k", "M", "G", "T"];
const SMALL = [[1, "s"], [1e-3, "ms"], [1e-6, "µs"], [1e-9, "ns"]];
const SPANS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

const three = (n) => {
  const size = Math.abs(n);
  return String(Number(n.toFixed(size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2)));
};

function scaled(n, units, step) {
  let place = 0;
  while (Math.abs(n) >= step * 0.9995 && place < units.length - 1) {
    n /= step;
    place += 1;
  }
  return `${place === 0 && Number.isInteger(n) ? n : three(n)} ${units[place]}`.trim();
}

export function span(seconds) {
  if (seconds < 0) return `-${span(-seconds)}`;
  if (seconds === 0) return "0 s";
  if (seconds < 59.995) {
    for (const [size, unit] of SMALL) if (seconds >= size * 0.9995 || unit === "ns") return `${three(seconds / size)} ${unit}`;
  }
  const whole = Math.round(seconds);
  for (let i = 0; i < SPANS.length - 1; i += 1) {
    const [size, unit] = SPANS[i];
    if (whole >= size) {
      const [smaller, smallerUnit] = SPANS[i + 1];
      const rest = Math.floor((whole % size) / smaller);
      return `${Math.floor(whole / size)} ${unit}${rest ? ` ${rest} ${smallerUnit}` : ""}`;
    }
  }
  return `${whole} s`;
}

function percent(n) {
  const value = n * 100;
  if (value > 0 && value < 0.05) return "< 0.1 %";
  return `${value.toFixed(Math.abs(value) >= 99.95 || value === 0 ? 0 : 1)} %`;
}

const WRITERS = {
  ratio: percent,
  bytes: (n) => scaled(n, BINARY, 1024),
  "bytes/s": (n) => `${scaled(n, BINARY, 1024)}/s`,
  seconds: span,
  "per second": (n) => `${scaled(n, DECIMAL, 1000)}/s`,
  count: (n) => scaled(n, DECIMAL, 1000),
  rpm: (n) => `${n.toFixed(0)} rpm`,
  celsius: (n) => `${n.toFixed(0)} °C`,
  watts: (n) => scaled(n, ["W", "kW", "MW"], 1000),
  hertz: (n) => scaled(n, ["Hz", "kHz", "MHz", "GHz"], 1000),
};

export const write = (value, unit) =>
  value === null || value === undefined || !Number.isFinite(value) ? words.unknown : WRITERS[unit](value);

// At the axis a percentage needs no figure after the point, unless the whole axis is below a few percent; and what is
// small needs more of them, or two marks would have one number.
export const mark = (value, unit) => {
  if (unit === "ratio") return `${Number((value * 100).toPrecision(3))} %`;
  const small = Math.abs(value) < 0.1 && (unit === "count" || unit === "per second");
  return small ? `${Number(value.toPrecision(2))}${unit === "count" ? "" : "/s"}` : write(value, unit);
};

// Steps between the marks of an axis that counts bytes: powers of two, so that marks are round numbers.
export const BYTE_STEPS = Array.from({ length: 50 }, (_, i) => 2 ** i);

const pad = (n) => String(n).padStart(2, "0");

export function clock(seconds) {
  const at = new Date(seconds * 1000);
  return `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
}

export function when(seconds) {
  const at = new Date(seconds * 1000);
  const today = new Date();
  if (at.toDateString() === today.toDateString()) return clock(seconds);
  const day = `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;
  return at.getFullYear() === today.getFullYear() ? `${day.slice(5)} ${clock(seconds).slice(0, 5)}` : day;
}
