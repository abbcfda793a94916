// Gives what the page has made to the browser as a file.
import { make } from "./dom.js";

export function save(name, blob) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// "20260131T1205Z": when a file was made, in UTC.
export const stamp = () => `${new Date().toISOString().slice(0, 16).replace(/[-:]/g, "")}Z`;
