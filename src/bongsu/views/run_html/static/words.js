// The words of this page that are not its text.
const words = {
  unknown: "not known",
  light: "Light",
  dark: "Dark",
  failed: "failed",
  lived: "lived when the record ended",
  shown: (from, to) => `${from} to ${to}`,
  nothing: "not known",
  most: (text) => `at most ${text}`,
  whole: "whole run",
  more: (n) => `Show all ${n}`,
  many: (name, n) => `${name}, ${n} short processes`,
  counted: (shown, all) => (shown === all ? `${all}` : `${shown} of ${all}`),
};
