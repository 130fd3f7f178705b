/**
 * @file A single-stroke font for the labels of plots: a glyph is a handful of lines and quarter
 * ellipses on a small grid, drawn with a round pen of any width at any size (the idea is that of
 * Hershey's vector fonts, 1967; the shapes are our own). A font file would be a hundred times as
 * large, and a canvas that draws text needs a DOM.
 *
 * Grid: baseline at y = 0, capitals 14 high, small letters 10, descenders to −4, y upwards.
 * Path language: `M x y` moves the pen, `L x y` draws a line, `h x y` a quarter ellipse that leaves
 * horizontally, `v x y` one that leaves vertically, `q cx cy x y` a quadratic Bézier curve.
 */

/** A polyline: x0, y0, x1, y1, … */
export type Polyline = readonly number[];

interface Glyph {
  readonly width: number;
  readonly strokes: readonly Polyline[];
}

const CAPITAL_HEIGHT = 14;
const LETTER_SPACE = 3.2;
const CURVE_SEGMENTS = 8;

/** For each character: the width of its ink, then its path. */
const GLYPH_SOURCES: Readonly<Record<string, readonly [number, string]>> = {
  " ": [2.5, ""],
  "0": [8, "M4 0h8 5L8 9v4 14h0 9L0 5v4 0"],
  "1": [8, "M1.2 11.2L4.8 14L4.8 0"],
  "2": [8, "M.2 10.4v4 14h7.8 10.2q7.8 8.2 6 6.2L0 0L8 0"],
  "3": [8, "M.4 11.8q1.4 14 4 14h7.5 10.7v4 7.4L2.6 7.4M4 7.4h8 3.7v4 0q1 0 0 2.6"],
  "4": [8, "M6.3 0L6.3 14L0 4L8.3 4"],
  "5": [8, "M7.2 14L1.2 14L.7 7.6q2.1 8.9 4 8.9h8 4.5v4 0q1.2 0 0 2.3"],
  "6": [8, "M0 4.5v4 9h8 4.5v4 0h0 4.5q0 11 6.2 14"],
  "7": [8, "M0 14L8 14L3 0"],
  "8": [8, "M4 7.6h7.4 10.8v4 14h.6 10.8v4 7.6h8 3.8v4 0h0 3.8v4 7.6"],
  "9": [8, "M8 9.5v4 5h0 9.5v4 14h8 9.5q8 3 1.8 0"],
  A: [10, "M0 0L5 14L10 0M1.8 5L8.2 5"],
  B: [9, "M0 7.4L4.5 7.4h9 3.7v4.5 0L0 0L0 14L4.3 14h8 10.7v4.3 7.4"],
  C: [10, "M10 11.4q8.5 14 5.8 14h0 7v5.8 0q8.5 0 10 2.6"],
  D: [10, "M0 0L0 14L4 14h10 7v4 0L0 0"],
  E: [8, "M8 14L0 14L0 0L8 0M0 7.3L7 7.3"],
  F: [8, "M8 14L0 14L0 0M0 7L6.8 7"],
  G: [10.5, "M10 11.6q8.5 14 5.8 14h0 7v5.8 0q8.8 0 10.5 1.8L10.5 6.6L6.6 6.6"],
  H: [10, "M0 0L0 14M10 0L10 14M0 7.3L10 7.3"],
  I: [0.5, "M.2 0L.2 14"],
  J: [6, "M6 14L6 3.8v3 0q.8 0 0 2.2"],
  K: [9, "M0 0L0 14M9 14L0 5.4M3.2 8.5L9.4 0"],
  L: [7.5, "M0 14L0 0L7.5 0"],
  M: [12, "M0 0L0 14L6 3.5L12 14L12 0"],
  N: [10, "M0 0L0 14L10 0L10 14"],
  O: [11.6, "M5.8 0h11.6 7v5.8 14h0 7v5.8 0"],
  P: [9, "M0 0L0 14L4.7 14h9 10.2v4.7 6.4L0 6.4"],
  Q: [11.6, "M5.8 0h11.6 7v5.8 14h0 7v5.8 0M7.4 3.4L11.4-.6"],
  R: [9, "M0 0L0 14L4.7 14h9 10.2v4.7 6.4L0 6.4M4.8 6.4L9.2 0"],
  S: [9, "M8.8 11.7q7.6 14 4.7 14h.5 10.6q.5 8 4.7 7.3q9.2 6.5 9.2 3.6v4.7 0q1.2 0 0 2.6"],
  T: [10, "M0 14L10 14M5 14L5 0"],
  U: [10, "M0 14L0 5v5 0h10 5L10 14"],
  V: [10, "M0 14L5 0L10 14"],
  W: [15, "M0 14L3.7 0L7.5 12L11.3 0L15 14"],
  X: [9, "M0 0L9 14M0 14L9 0"],
  Y: [10, "M0 14L5 6.5L10 14M5 6.5L5 0"],
  Z: [9, "M0 14L9 14L0 0L9 0"],
  a: [7.5, "M.6 8.2q1.7 10 4 10h7.5 6.8L7.5 0M7.5 6L3.5 6h0 3v3.2 0q6 0 7.5 2.6"],
  b: [8, "M0 14L0 0M0 5v4 10h8 5v4 0h0 5"],
  c: [7.5, "M7.4 8q6.3 10 4 10h0 5v4 0q6.3 0 7.4 2"],
  d: [8, "M8 14L8 0M8 5v4 10h0 5v4 0h8 5"],
  e: [8, "M0 5.4L8 5.4v4 10h0 5v4 0q6.5 0 7.6 2.1"],
  f: [5, "M5.2 14L4.8 14h1.8 11L1.8 0M0 9.4L4.8 9.4"],
  g: [8, "M8 10L8-.2v4-4q1.6-4 .7-2.6M8 5v4 10h0 5v4 0h8 5"],
  h: [7.2, "M0 14L0 0M0 6.2v3.8 10h7.2 6.4L7.2 0"],
  i: [0.5, "M.2 10L.2 0M.2 13.3L.2 13.7"],
  j: [2, "M1.8 10L1.8-1.4v-.6-4L-.8-4M1.8 13.3L1.8 13.7"],
  k: [7, "M0 14L0 0M7 10L0 3.6M2.6 6L7.4 0"],
  l: [2, "M0 14L0 2v2 0"],
  m: [12, "M0 10L0 0M0 6.4v3.2 10h6 6.7L6 0M6 6.4v9.2 10h12 6.7L12 0"],
  n: [7.2, "M0 10L0 0M0 6.2v3.8 10h7.2 6.4L7.2 0"],
  o: [8, "M4 0h8 5v4 10h0 5v4 0"],
  p: [8, "M0 10L0-4M0 5v4 10h8 5v4 0h0 5"],
  q: [8, "M8 10L8-4M8 5v4 10h0 5v4 0h8 5"],
  r: [4.4, "M0 10L0 0M0 6q.4 10 4.6 10"],
  s: [7, "M6.6 8.2q5.7 10 3.5 10h.3 7.6q.3 5.9 3.5 5.2q7 4.5 7 2.6v3.5 0q1 0 0 1.9"],
  t: [5.2, "M2 13.4L2 3v4.8 0L5.4 0M0 9.6L5.2 9.6"],
  u: [7.2, "M0 10L0 3.8v3.5 0h7.2 4M7.2 10L7.2 0"],
  v: [8, "M0 10L4 0L8 10"],
  w: [12, "M0 10L3 0L6 9L9 0L12 10"],
  x: [7, "M0 0L7 10M0 10L7 0"],
  y: [8, "M0 10L4.1 0M8 10L3.5-2q2.7-4 .6-4L0-4"],
  z: [7, "M0 10L7 10L0 0L7 0"],
  ".": [1, "M.5 .1L.5 .3"],
  ",": [1, "M.8 .4L-.2-2.6"],
  ":": [1, "M.5 .1L.5 .3M.5 8L.5 8.2"],
  ";": [1, "M.8 .4L-.2-2.6M.5 8L.5 8.2"],
  "!": [1, "M.5 14L.5 4.2M.5 .1L.5 .3"],
  "?": [7, "M0 11.6q1 14 3.5 14h7 10.6q7 8.6 5.2 7.6q3.4 6.4 3.4 4M3.4 .1L3.4 .3"],
  "-": [4.5, "M0 5L4.5 5"],
  "−": [8, "M0 6.5L8 6.5"],
  "–": [8, "M0 5L8 5"],
  "+": [8, "M0 6.5L8 6.5M4 10.5L4 2.5"],
  "=": [8, "M0 8.5L8 8.5M0 4.5L8 4.5"],
  "×": [7, "M.5 3L7 9.5M.5 9.5L7 3"],
  "·": [1, "M.5 5.4L.5 5.6"],
  "±": [8, "M0 8L8 8M4 12L4 4M0 1L8 1"],
  "<": [8, "M8 11L0 6.5L8 2"],
  ">": [8, "M0 11L8 6.5L0 2"],
  "*": [6, "M3 14L3 7M0 12.2L6 8.8M0 8.8L6 12.2"],
  "/": [6, "M0-2L6 15"],
  "\\": [6, "M0 15L6-2"],
  "|": [0.5, "M.2 15.5L.2-3"],
  "_": [8, "M0-2.5L8-2.5"],
  "(": [3.5, "M3.5 16q0 11.5 0 6.5q0 1.5 3.5-3"],
  ")": [3.5, "M0 16q3.5 11.5 3.5 6.5q3.5 1.5 0-3"],
  "[": [3.5, "M3.5 16L0 16L0-3L3.5-3"],
  "]": [3.5, "M0 16L3.5 16L3.5-3L0-3"],
  "{": [4.5, "M4.5 16h2 13L2 9.5q2 6.5 0 6.5q2 6.5 2 3.5L2 0v4.5-3"],
  "}": [4.5, "M0 16h2.5 13L2.5 9.5q2.5 6.5 4.5 6.5q2.5 6.5 2.5 3.5L2.5 0v0-3"],
  "'": [0.5, "M.2 14L.2 10"],
  '"': [3.5, "M0 14L0 10M3.4 14L3.4 10"],
  "`": [2.5, "M0 14L2.5 11.4"],
  "^": [7, "M0 9L3.5 14L7 9"],
  "~": [9, "M0 5.2q0 7.4 2.4 7.4q3.6 7.4 4.7 6.2q5.8 5 6.8 5q9 5 9 7.4"],
  "#": [9, "M3.4 14L1.6 0M7.6 14L5.8 0M0 9.4L9.4 9.4M-.4 4.6L9 4.6"],
  "%": [13, "M10.6 14L2.4 0M3 7.6h6 10.8v3 14h0 10.8v3 7.6M10 0h13 3.2v10 6.4h7 3.2v10 0"],
  "&": [10, "M10 0L2.4 9.4q.8 14 4.4 14q8 14 7.2 10.6q6.6 8.6 3 7.2h0 3.6v4 0q8.6 0 10 6.4"],
  "@": [
    14,
    "M10 9q8.8 9.8 7.4 9.8h4 6v6.8 2.4h10 6M10 9.8L10 4q10 2.4 11.6 2.4h14 6v7 13h0 5.6" +
    "v7-2q9.6-2 11.4-.8",
  ],
  "$": [
    9,
    "M8.8 11.2q7.6 13 4.7 13h.5 10q.5 7.8 4.7 7.2q9.2 6.5 9.2 3.9v4.7 1q1.2 1 0 2.9" +
    "M4.6 15.5L4.6-1.5",
  ],
  "Φ": [11, "M5.5 0L5.5 14M5.5 2.6h11 7v5.5 11.4h0 7v5.5 2.6"],
  "∇": [10, "M0 14L10 14L5 0L0 14"],
  "ρ": [8, "M0-4L0 5v4 10h8 5v4 0h0 5"],
  "σ": [9, "M9.4 10L4 10h0 5v4 0h8 5q8 8.6 5.4 10"],
  "α": [9, "M8.6 10q6.6 0 3.6 0h0 5v3.6 10q6.6 10 9 0"],
  "β": [8, "M0-4L0 10v4 14h7.4 10.8v4 7.6h8 3.8v4 0h0 3.4"],
};

/** A character without a glyph is drawn as an empty box. */
const MISSING: readonly [number, string] = [8, "M0 0L8 0L8 14L0 14L0 0"];

const glyphs = new Map<string, Glyph>();

function glyphOf(character: string): Glyph {
  let glyph = glyphs.get(character);
  if (glyph === undefined) {
    const [width, path] = Object.hasOwn(GLYPH_SOURCES, character)
      ? GLYPH_SOURCES[character]
      : MISSING;
    glyph = { width, strokes: tracePath(path) };
    glyphs.set(character, glyph);
  }
  return glyph;
}

/** The polylines of a path of the language in the file's comment. */
function tracePath(path: string): Polyline[] {
  const strokes: number[][] = [];
  let stroke: number[] = [];
  for (const [command] of path.matchAll(/[MLhvq][^MLhvq]*/g)) {
    const numbers = (command.slice(1).match(/-?(\d+\.?\d*|\.\d+)/g) ?? []).map(Number);
    if (command[0] === "M") {
      stroke = [...numbers];
      strokes.push(stroke);
    } else if (command[0] === "L") {
      stroke.push(...numbers);
    } else {
      traceCurve(command[0], numbers, stroke);
    }
  }
  return strokes;
}

function traceCurve(kind: string, numbers: readonly number[], stroke: number[]): void {
  const [x0, y0] = stroke.slice(-2);
  const [x1, y1] = numbers.slice(-2);
  for (let i = 1; i <= CURVE_SEGMENTS; i++) {
    const s = i / CURVE_SEGMENTS;
    const sine = Math.sin(s * Math.PI / 2);
    const cosine = Math.cos(s * Math.PI / 2);
    if (kind === "h") {
      stroke.push(x0 + (x1 - x0) * sine, y1 + (y0 - y1) * cosine);
    } else if (kind === "v") {
      stroke.push(x1 + (x0 - x1) * cosine, y0 + (y1 - y0) * sine);
    } else {
      const [cx, cy] = numbers;
      stroke.push(
        (1 - s) ** 2 * x0 + 2 * s * (1 - s) * cx + s * s * x1,
        (1 - s) ** 2 * y0 + 2 * s * (1 - s) * cy + s * s * y1,
      );
    }
  }
}

/**
 * The width of a line of text.
 *
 * @param text one line
 * @param capitalHeight the height of a capital letter or a digit; the width is in its unit
 */
export function textWidth(text: string, capitalHeight: number): number {
  let width = 0;
  for (const character of text) width += glyphOf(character).width + LETTER_SPACE;
  return Math.max(0, width - LETTER_SPACE) * capitalHeight / CAPITAL_HEIGHT;
}

/**
 * The pen strokes of a line of text, one array of polylines a character, its left end on the
 * baseline at the origin and y upwards.
 *
 * @param text one line; a character that the font lacks becomes an empty box
 * @param capitalHeight the height of a capital letter or a digit; the strokes are in its unit
 */
export function textStrokes(text: string, capitalHeight: number): Polyline[][] {
  const scale = capitalHeight / CAPITAL_HEIGHT;
  const characters: Polyline[][] = [];
  let left = 0;
  for (const character of text) {
    const glyph = glyphOf(character);
    characters.push(
      glyph.strokes.map((stroke) => stroke.map((v, i) => (i % 2 === 0 ? left + v : v) * scale)),
    );
    left += glyph.width + LETTER_SPACE;
  }
  return characters;
}
