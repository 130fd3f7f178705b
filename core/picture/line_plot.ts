/**
 * @file Line plots as stand-alone SVG: work against precision on two logarithmic axes, losses over
 * steps.
 *
 * Own code, because what is published either needs a DOM to write into (d3, Observable Plot with
 * jsdom under it, uPlot, Chart.js on a canvas), or a headless browser, or comes with a renderer and
 * a grammar of graphics of half a megabyte and more (Vega). One kind of plot written out as text is
 * this file, runs wherever the core runs, and gives the same bytes everywhere.
 *
 * Colours: M. Okabe and K. Ito, "Color Universal Design" (2002), told apart with every common kind
 * of colour blindness; each series has a marker of its own besides.
 */
import { ConfigError } from "../errors.ts";
import { linearTicks, logTicks, type Ticks } from "./ticks.ts";

/** One line of a plot. */
export interface LineSeries {
  /** What is written beside the line. */
  readonly name: string;
  /** As long as y. */
  readonly x: readonly number[];
  /** At least one; not finite where the line is broken. */
  readonly y: readonly number[];
  /** Broken line (default false), for a reference or a guide. */
  readonly dashed?: boolean;
}

/** What to draw. */
export interface LinePlotOptions {
  /** One line above the plot. */
  readonly title: string;
  /** What x is, with its unit. */
  readonly xLabel: string;
  /** What y is, with its unit. */
  readonly yLabel: string;
  /** Logarithmic x axis (default false). */
  readonly xLog?: boolean;
  /** Logarithmic y axis (default false). */
  readonly yLog?: boolean;
  /** At least one. */
  readonly series: readonly LineSeries[];
  /** In CSS pixels (default 720). */
  readonly width?: number;
  /** In CSS pixels (default 440; higher where many series need the room). */
  readonly height?: number;
}

/** Okabe and Ito's colours, without the yellow, which is too light for a line on white. */
export const PALETTE = [
  "#0072b2",
  "#d55e00",
  "#009e73",
  "#cc79a7",
  "#e69f00",
  "#56b4e9",
  "#000000",
];
const FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif";
/** Pixels from one name beside a plot to the next. */
export const LEGEND_LINE = 19;
/** Markers on every point of a line of more points than this would hide it. */
const MARKED_POINTS = 60;

/** One axis: where a number lies between its ends. */
export interface Axis {
  readonly low: number;
  readonly high: number;
  readonly ticks: Ticks;
  /** 0 at low, 1 at high. */
  readonly place: (value: number) => number;
}

/** The points of a series that can be drawn. */
interface DrawnSeries {
  readonly source: LineSeries;
  readonly color: string;
  readonly marker: number;
  /** x and y in pixels; an undrawable point in between breaks the line in two. */
  readonly pieces: readonly (readonly (readonly [number, number])[])[];
}

/** The rectangle of a plot's data, in pixels. */
export interface PlotBox {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/**
 * A line plot as the text of an SVG file.
 *
 * Points that an axis cannot show (not finite, or not positive on a logarithmic axis) are left out
 * and break the line; a note under the plot says how many there are. The names stand to the right
 * of the plot in the order and, as far as they have room, at the height of the lines' ends.
 *
 * @param options labels, axes and series
 * @returns well-formed XML with `<svg>` as its root, in CSS pixels
 * @throws {ConfigError} if there is no series, one has no points or unequal counts of x and y, none
 *   has a point that can be shown, or a size is out of range
 * @example
 * ```ts
 * import { svgLinePlot } from "vapo";
 * import { assertStringIncludes } from "@std/assert";
 * const svg = svgLinePlot({
 *   title: "Error of the midpoint rule",
 *   xLabel: "evaluations",
 *   yLabel: "error",
 *   xLog: true,
 *   yLog: true,
 *   series: [{ name: "midpoint", x: [10, 100, 1000], y: [1e-2, 1e-4, 1e-6] }],
 * });
 * assertStringIncludes(svg, "<svg");
 * assertStringIncludes(svg, "10⁻⁴");
 * ```
 */
export function svgLinePlot(options: LinePlotOptions): string {
  const { series, xLog = false, yLog = false } = options;
  checkOptions(options);
  const shown = (s: LineSeries, i: number) => isShown(s.x[i], xLog) && isShown(s.y[i], yLog);
  const points = series.flatMap((s) => s.x.map((x, i) => [x, s.y[i], shown(s, i)] as const));
  const drawable = points.filter(([, , can]) => can);
  const dropped = points.length - drawable.length;
  if (drawable.length === 0) {
    throw new ConfigError(
      `plot "${options.title}": none of ${points.length} points is finite` +
        `${xLog || yLog ? " and positive on the logarithmic axis" : ""}; give at least one`,
    );
  }
  const rows = rowsOf(options, dropped > 0);
  const yAxis = axisOf(drawable.map(([, y]) => y), yLog, (rows.bottom - rows.top) / 45);
  const columns = columnsOf(options, yAxis);
  const xAxis = axisOf(drawable.map(([x]) => x), xLog, (columns.right - columns.left) / 90);
  const { width } = columns;
  const { height } = rows;
  const box = { ...rows, ...columns };
  const toPixel = (x: number, y: number): [number, number] => [
    box.left + xAxis.place(x) * (box.right - box.left),
    box.bottom - yAxis.place(y) * (box.bottom - box.top),
  ];
  const drawn = series.map((source, k): DrawnSeries => ({
    source,
    color: PALETTE[k % PALETTE.length],
    marker: k % MARKERS.length,
    pieces: piecesOf(source, (i) => shown(source, i), toPixel),
  }));
  const lines = [
    ...svgAxes(box, xAxis, yAxis, options),
    ...drawn.flatMap(svgSeries),
    ...svgLegend(drawn, box),
  ];
  if (dropped > 0) lines.push(svgNote(dropped, box, height, xLog || yLog));
  return svgDocument(options.title, width, height, lines);
}

/** The text of an SVG file with a plot on white: its elements, in the fonts and ink of all plots. */
export function svgDocument(
  title: string,
  width: number,
  height: number,
  elements: readonly string[],
): string {
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" ` +
    `viewBox="0 0 ${width} ${height}" role="img" font-family="${FONT}" font-size="13" ` +
    `fill="#26262a">`,
    `<title>${escapeXml(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    ...elements,
  ];
  return `${lines.join("\n")}\n</svg>\n`;
}

/** What the room that a plot takes depends on, beside its axes. */
type PlotLabels = Pick<LinePlotOptions, "title" | "width" | "height"> & {
  readonly series: readonly { readonly name: string }[];
};

/** @throws {ConfigError} if there is no series, one has no points or unequal counts, or a size is off */
export function checkOptions({ title, series, width = 720, height = 440 }: LinePlotOptions): void {
  if (series.length === 0) {
    throw new ConfigError(`plot "${title}" has no series: give at least one`);
  }
  for (const { name, x, y } of series) {
    if (x.length !== y.length) {
      throw new ConfigError(
        `series "${name}" has ${x.length} x and ${y.length} y: give as many of each`,
      );
    }
    if (x.length === 0) {
      throw new ConfigError(`series "${name}" has no points: give at least one, or leave it out`);
    }
  }
  for (const side of [width, height]) {
    if (!(side >= 200 && side <= 10000)) {
      throw new ConfigError(`a plot of ${width} × ${height} pixels: give each side 200 to 10000`);
    }
  }
}

/** Numbers beyond these would leave float64 on the way to pixels. */
const LARGEST = 1e280;
const SMALLEST = 1e-280;

/** Whether an axis can show a number. */
export function isShown(value: number, log: boolean): boolean {
  return Math.abs(value) <= LARGEST && (!log || value >= SMALLEST);
}

/** Where things stand from top to bottom. */
export function rowsOf({ title, series, height = 440 }: PlotLabels, noted: boolean) {
  const top = title ? 44 : 20;
  const below = noted ? 78 : 58;
  const tall = Math.max(height, top + below + series.length * LEGEND_LINE, top + below + 60);
  return { height: tall, top, bottom: tall - below };
}

/** Where things stand from left to right; long names widen the picture, not squeeze the plot. */
export function columnsOf({ title, series, width = 720 }: PlotLabels, { ticks }: Axis) {
  const widest = (texts: readonly string[]) =>
    Math.max(0, ...texts.map((text) => estimatedWidth(text, 13)));
  const left = Math.ceil(40 + widest(ticks.labels));
  const legend = Math.ceil(62 + widest(series.map(({ name }) => name)));
  const titled = Math.ceil(40 + estimatedWidth(title, 16));
  const wide = Math.max(width, left + legend + Math.max(160, titled));
  return { width: wide, left, right: wide - legend };
}

/** A width that the text will hardly exceed in any of the fonts: there is no DOM to measure it. */
function estimatedWidth(text: string, fontSize: number): number {
  let width = 0;
  for (const character of text) {
    if (/[il.,:;'|! ()\[\]]/.test(character)) width += 0.36;
    else if (/[mwMW@%]/.test(character)) width += 0.95;
    else if (/[A-Z]/.test(character)) width += 0.74;
    else if (/[\u00b9\u00b2\u00b3\u2070-\u209f]/.test(character)) width += 0.4;
    else width += character.charCodeAt(0) < 0x2e80 ? 0.6 : 1;
  }
  return width * fontSize;
}

/** An axis with a little room beyond the data. */
export function axisOf(values: readonly number[], log: boolean, ticks: number): Axis {
  // Not Math.min(...values): a run's loss curve has more points than a call has arguments.
  let low = values.reduce((a, b) => Math.min(a, b));
  let high = values.reduce((a, b) => Math.max(a, b));
  const count = Math.max(2, Math.round(ticks));
  if (log) {
    const span = Math.log10(high) - Math.log10(low);
    const margin = span < 1e-6 ? 0.5 : 0.04 * span;
    low = 10 ** (Math.log10(low) - margin);
    high = 10 ** (Math.log10(high) + margin);
    const [start, end] = [Math.log10(low), Math.log10(high)];
    const place = (v: number) => (Math.log10(v) - start) / (end - start);
    return { low, high, ticks: logTicks(low, high, count), place };
  }
  const size = Math.max(Math.abs(low), Math.abs(high));
  const margin = high - low > 1e-9 * size && high - low > 1e-290
    ? 0.04 * (high - low)
    : Math.max(0.5 * size, 1e-290) + (size === 0 ? 1 : 0);
  low -= margin;
  high += margin;
  const place = (v: number) => (v - low) / (high - low);
  return { low, high, ticks: linearTicks(low, high, count), place };
}

/** The points of a series in pixels, broken where one cannot be drawn. */
export function piecesOf(
  { x, y }: LineSeries,
  shown: (i: number) => boolean,
  toPixel: (x: number, y: number) => [number, number],
): [number, number][][] {
  const pieces: [number, number][][] = [[]];
  for (let i = 0; i < x.length; i++) {
    if (shown(i)) pieces[pieces.length - 1].push(toPixel(x[i], y[i]));
    else if (pieces[pieces.length - 1].length > 0) pieces.push([]);
  }
  return pieces.filter((piece) => piece.length > 0);
}

/** A number of pixels as text: two decimals are a hundredth of one. */
export const coordinate = (v: number) => String(Number(v.toFixed(2)));

/** Grid, frame, ticks, labels and title. */
export function svgAxes(
  box: PlotBox,
  xAxis: Axis,
  yAxis: Axis,
  options: Pick<LinePlotOptions, "title" | "xLabel" | "yLabel">,
): string[] {
  const { left, right, top, bottom } = box;
  const atX = (v: number) => coordinate(left + xAxis.place(v) * (right - left));
  const atY = (v: number) => coordinate(bottom - yAxis.place(v) * (bottom - top));
  const down = (values: readonly number[]) =>
    values.map((v) => `M${atX(v)} ${top}V${bottom}`).join("");
  const across = (values: readonly number[]) =>
    values.map((v) => `M${left} ${atY(v)}H${right}`).join("");
  const middle = coordinate((left + right) / 2);
  const lines = [
    `<path d="${down(xAxis.ticks.minor)}${across(yAxis.ticks.minor)}" stroke="#f0f0f2"/>`,
    `<path d="${down(xAxis.ticks.values)}${across(yAxis.ticks.values)}" stroke="#d8d8dc"/>`,
    `<rect x="${left}" y="${top}" width="${right - left}" height="${bottom - top}" ` +
    `fill="none" stroke="#26262a"/>`,
    `<g text-anchor="middle">`,
    ...xAxis.ticks.values.map((v, i) =>
      `<text x="${atX(v)}" y="${bottom + 18}">${xAxis.ticks.labels[i]}</text>`
    ),
    `<text x="${middle}" y="${bottom + 40}">${escapeXml(options.xLabel)}</text>`,
    `<text transform="translate(20 ${coordinate((top + bottom) / 2)}) rotate(-90)">` +
    `${escapeXml(options.yLabel)}</text>`,
    `<text x="${middle}" y="26" font-size="16" font-weight="bold">${escapeXml(options.title)}` +
    `</text>`,
    `</g>`,
    `<g text-anchor="end">`,
    ...yAxis.ticks.values.map((v, i) =>
      `<text x="${left - 7}" y="${atY(v)}" dy="0.35em">${yAxis.ticks.labels[i]}</text>`
    ),
    `</g>`,
  ];
  return lines;
}

function svgSeries({ source, color, marker, pieces }: DrawnSeries): string[] {
  const path = pieces.map((piece) =>
    "M" + piece.map(([x, y]) => `${coordinate(x)} ${coordinate(y)}`).join("L")
  ).join("");
  const lines = [
    `<g data-series="${escapeXml(source.name)}">`,
    `<path d="${path}" fill="none" stroke="${color}" stroke-width="2" stroke-linejoin="round" ` +
    `stroke-linecap="round"${source.dashed ? ' stroke-dasharray="7 5"' : ""}/>`,
  ];
  const points = pieces.flat();
  // A point on its own has no line to be seen by.
  const alone = pieces.filter((piece) => piece.length === 1).flat();
  for (const [x, y] of points.length <= MARKED_POINTS ? points : alone) {
    lines.push(svgMarker(marker, x, y, color));
  }
  return [...lines, "</g>"];
}

/** Outlines around (0, 0), about 8 pixels across, of about equal weight to the eye. */
const MARKERS = [
  "M-4 0A4 4 0 1 0 4 0A4 4 0 1 0 -4 0Z",
  "M-3.6 -3.6H3.6V3.6H-3.6Z",
  "M0 -4.8L4.6 3.4H-4.6Z",
  "M0 -5.2L5.2 0L0 5.2L-5.2 0Z",
  "M0 4.8L4.6 -3.4H-4.6Z",
  "M-1.5 -4.5H1.5V-1.5H4.5V1.5H1.5V4.5H-1.5V1.5H-4.5V-1.5H-1.5Z",
  "M-4.6 -2.8L-2.8 -4.6L0 -1.8L2.8 -4.6L4.6 -2.8L1.8 0L4.6 2.8L2.8 4.6L0 1.8L-2.8 4.6L-4.6 2.8" +
  "L-1.8 0Z",
  "M0 -5L4.8 -1.5L2.9 4H-2.9L-4.8 -1.5Z",
] as const;

function svgMarker(marker: number, x: number, y: number, color: string): string {
  return `<path d="${MARKERS[marker]}" transform="translate(${coordinate(x)} ${coordinate(y)})" ` +
    `fill="${color}" stroke="#ffffff" stroke-width="0.8"/>`;
}

/** Names at the height of the lines' ends, moved apart so that none covers another. */
function svgLegend(drawn: readonly DrawnSeries[], box: PlotBox): string[] {
  const ends = drawn.map(({ pieces }) => pieces.flat().at(-1)?.[1] ?? box.bottom);
  const heights = spreadApart(ends, LEGEND_LINE, box.top + 8, box.bottom - 8);
  const left = box.right + 12;
  return drawn.flatMap(({ source, color, marker }, k) => {
    const y = coordinate(heights[k]);
    const dash = source.dashed ? ' stroke-dasharray="7 5"' : "";
    return [
      `<path d="M${left} ${y}h28" stroke="${color}" stroke-width="2"${dash}/>`,
      svgMarker(marker, left + 14, heights[k], color),
      `<text x="${left + 36}" y="${y}" dy="0.35em">${escapeXml(source.name)}</text>`,
    ];
  });
}

/**
 * Positions near the wanted ones, in the same order, at least `gap` apart and within low..high.
 *
 * @param wanted any order; the result has the same one
 */
export function spreadApart(
  wanted: readonly number[],
  gap: number,
  low: number,
  high: number,
): number[] {
  const order = wanted.map((_, i) => i).sort((a, b) => wanted[a] - wanted[b] || a - b);
  const room = wanted.length > 1 ? Math.min(gap, (high - low) / (wanted.length - 1)) : gap;
  // Neighbours that are too close share a block around their mean (pool adjacent violators).
  const blocks: { mean: number; size: number }[] = [];
  order.forEach((index, rank) => {
    let block = { mean: wanted[index] - rank * room, size: 1 };
    while (blocks.length > 0 && blocks[blocks.length - 1].mean >= block.mean) {
      const { mean, size } = blocks.pop()!;
      const total = size + block.size;
      block = { mean: (mean * size + block.mean * block.size) / total, size: total };
    }
    blocks.push(block);
  });
  const result = new Array<number>(wanted.length);
  const highest = high - (wanted.length - 1) * room;
  let rank = 0;
  for (const { mean, size } of blocks) {
    const start = Math.min(highest, Math.max(low, mean));
    for (let i = 0; i < size; i++, rank++) result[order[rank]] = start + rank * room;
  }
  return result;
}

function svgNote(dropped: number, box: PlotBox, height: number, log: boolean): string {
  const count = dropped === 1 ? "1 point" : `${dropped} points`;
  const why = log ? "not finite, or not positive on a logarithmic axis" : "not finite";
  return `<text x="${box.left}" y="${height - 12}" font-size="11" fill="#783c28">` +
    `${count} not shown: ${why}</text>`;
}

/**
 * Text for XML content and attributes: the five special characters as entities, and characters
 * that XML 1.0 forbids (most control characters, lone surrogates) as U+FFFD.
 *
 * @param text anything
 */
export function escapeXml(text: string): string {
  const entities: Record<string, string> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&apos;",
  };
  return text.toWellFormed()
    // deno-lint-ignore no-control-regex -- these are what XML 1.0 has no way to write
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "\ufffd")
    .replace(/[&<>"']/g, (character) => entities[character]);
}
