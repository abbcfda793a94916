// Asks the server, and says in words what stands in the way. Nothing of an answer is ever taken as markup.
import { words } from "./table_words.js";

const PATIENCE = 30000; // ms
const LONGEST = 400; // characters of a server's sentence that are shown
// What could steer a terminal or turn a line round, should an answer carry it: as views/printable.py writes it out.
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]/gu;

export class Refusal extends Error {
  constructor(sentence, status = 0) {
    super(sentence);
    this.status = status;
  }
}

const SHORT = { "\n": "\\n", "\t": "\\t", "\r": "\\r" };

export const plain = (text) => String(text).replace(UNSAFE, (mark) => {
  if (mark in SHORT) return SHORT[mark];
  const code = mark.codePointAt(0).toString(16);
  return code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`;
});

function sentence(status, body) {
  const said = body && typeof body.error === "string" ? body.error : "";
  if (said) return plain(said.length > LONGEST ? `${said.slice(0, LONGEST)} …` : said);
  if (status === 401 || status === 403) return words.askToken;
  return words.askStatus(status);
}

// The JSON behind an address. Throws Refusal; where `signal` has ended it, the abort itself.
export async function ask(address, { signal } = {}) {
  const late = AbortSignal.timeout(PATIENCE);
  let answer;
  let body;
  try {
    answer = await fetch(address, {
      headers: { accept: "application/json" }, signal: signal ? AbortSignal.any([signal, late]) : late,
    });
    body = await answer.json();
  } catch (error) {
    if (signal?.aborted) throw error;
    if (late.aborted) throw new Refusal(words.askLate);
    if (!answer) throw new Refusal(words.askGone);
    if (answer.ok) throw new Refusal(words.askUnreadable, answer.status);
  }
  if (!answer.ok) throw new Refusal(sentence(answer.status, body), answer.status);
  return body;
}

// A PromQL expression over a range, as Grafana asks it: times from..to by `step` (Unix s), and the values of each
// series at these times, null where it has none. Throws Refusal.
export async function askRange(query, { from, to, step, signal } = {}) {
  const asked = new URLSearchParams({ query, start: String(from), end: String(to), step: String(step) });
  const body = await ask(`/api/v1/query_range?${asked}`, { signal });
  if (body?.status !== "success" || body.data?.resultType !== "matrix") throw new Refusal(words.askUnreadable);
  const count = Math.floor((to - from) / step + 1e-6) + 1;
  const times = Array.from({ length: count }, (_, i) => from + i * step);
  const series = body.data.result.map(({ metric, values = [] }) => {
    const column = new Array(count).fill(null);
    for (const [time, text] of values) {
      const place = Math.round((time - from) / step);
      const value = Number(text); // "+Inf" and "NaN" are not drawn
      if (place >= 0 && place < count && Number.isFinite(value)) column[place] = value;
    }
    return { labels: metric, values: column };
  });
  return { times, series, warnings: [...(body.warnings ?? []), ...(body.infos ?? [])].map(plain) };
}

// A text between quotation marks in PromQL, whatever is in it.
export const quoted = (text) =>
  `"${text.replace(/[\\"]/g, "\\$&").replace(/[\u0000-\u001f\u007f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`)}"`;
