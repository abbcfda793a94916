// Times as charts write them: marks of an axis, and the time that is pointed at.
import { clock } from "./units.js";

const DAY = 86400;
const day = new Intl.DateTimeFormat(document.documentElement.lang, { day: "numeric", month: "short" });
const dayAndYear = new Intl.DateTimeFormat(document.documentElement.lang, { day: "numeric", month: "short", year: "numeric" });

const dateOf = (t) => new Date(t * 1000).toDateString();
const isToday = (t) => dateOf(t) === new Date().toDateString();

export function date(t) {
  const at = new Date(t * 1000);
  return (at.getFullYear() === new Date().getFullYear() ? day : dayAndYear).format(at);
}

// Marks of an axis that shows `seconds`: the clock, and beneath it the date where a day begins; dates alone for weeks.
export function axisMarks(times, seconds) {
  const far = times.length > 1 && times[1] - times[0] >= DAY - 3600; // a day with a clock change is shorter
  const dated = times.length > 0 && (seconds > DAY || !isToday(times[0]) || !isToday(times[times.length - 1]));
  return times.map((t, i) => {
    if (far) return date(t);
    const text = clock(t).slice(0, seconds > 600 ? 5 : 8);
    return dated && (i === 0 || dateOf(t) !== dateOf(times[i - 1])) ? `${text}\n${date(t)}` : text;
  });
}

// One moment: its date unless that is today, and no more of the clock than `step` seconds between two values can tell.
export function moment(t, step = 1) {
  const text = clock(t).slice(0, step >= 60 ? 5 : 8);
  return isToday(t) ? text : `${date(t)} ${text}`;
}
