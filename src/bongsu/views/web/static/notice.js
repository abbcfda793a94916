// What is wrong and concerns the whole page, in words at its top.
import { plain } from "./ask.js";
import { byId, say } from "./dom.js";

const told = new Map();

// Shows `text` for `subject` until it is told anew; "" takes it away.
export function notice(subject, text) {
  if (text) told.set(subject, text);
  else told.delete(subject);
  const element = byId("notice");
  element.hidden = told.size === 0;
  say(element, plain([...told.values()].join(" ")));
}
