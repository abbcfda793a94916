// How the lines of a chart are told apart: eight hues, the first four alike in dash and far apart to every kind of eye.

export const HUES = 8;
export const DASHES = [[], [6, 3], [2, 2], [9, 3, 2, 3]];

export const hueOf = (place) => place % HUES;

// Hues that colour-blind eyes take for each other never share a dash.
export const dashOf = (place) => Math.floor(place / 4) % DASHES.length;

export const markClass = (place) => `mark hue-${hueOf(place)} dash-${dashOf(place)}`;
