/**
 * @file Line plots as pixels, to stand in one picture with others: the axes, colours and rules of
 * the plots in SVG ({@link svgLinePlot}), with bands around lines, and the names above the plot.
 */
import { ConfigError } from "../errors.ts";
import {
  type Canvas,
  createCanvas,
  drawText,
  fillDisc,
  fillRectangle,
  fillTriangle,
  imageOf,
  strokePolylines,
} from "./canvas.ts";
import {
  type Axis,
  axisOf,
  checkOptions,
  isShown,
  type LinePlotOptions,
  type LineSeries,
  PALETTE,
  piecesOf,
} from "./line_plot.ts";
import type { Rgb, RgbImage } from "./rgb_image.ts";
import { textWidth } from "./stroke_font.ts";
import { numberLabel } from "./ticks.ts";

/** One line, and the range around it. */
export interface BandedSeries extends LineSeries {
  /** The band's lower edge, as long as y; where it is not finite there is no band. */
  readonly low?: readonly number[];
  /** The band's upper edge, as long as y. */
  readonly high?: readonly number[];
}

/** What to draw; sizes are in units of `scale` pixels. */
export interface LinePlotImageOptions extends Omit<LinePlotOptions, "series"> {
  /** At least one. */
  readonly series: readonly BandedSeries[];
  /** Pixels that a unit has, for pictures that are shown smaller than they are (default 2). */
  readonly scale?: number;
}

const INK: Rgb = [38, 38, 42], GRID: Rgb = [216, 216, 220], FINE_GRID: Rgb = [240, 240, 242];
const CAPITAL_HEIGHT = 9;
const LEGEND_LINE = 18;

/** The colour of the series at a place in the list, in this plot and in {@link svgLinePlot}. */
export function seriesColor(index: number): Rgb {
  const digits = parseInt(PALETTE[index % PALETTE.length].slice(1), 16);
  return [digits >> 16, (digits >> 8) & 255, digits & 255];
}

/** A plot's canvas, its axes, and the rectangle of its data in pixels. */
interface Plot {
  readonly canvas: Canvas;
  readonly unit: number;
  readonly x: Axis;
  readonly y: Axis;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/**
 * A line plot as a picture. Points that an axis cannot show (not finite, or not positive on a
 * logarithmic axis) are left out and break the line.
 *
 * @param options as of {@link svgLinePlot}, with bands; width and height in units of `scale` pixels
 * @returns a picture of width·scale × height·scale pixels
 * @throws {ConfigError} as {@link svgLinePlot}, for bands of another length than their line, and for
 * a scale that is not a whole number from 1 to 8
 * @example
 * ```ts
 * import { linePlotImage } from "vapo";
 * import { assertEquals } from "@std/assert";
 * const plot = linePlotImage({
 *   title: "Error of the midpoint rule",
 *   xLabel: "evaluations",
 *   yLabel: "error",
 *   yLog: true,
 *   width: 300,
 *   height: 240,
 *   series: [{ name: "midpoint", x: [1, 2, 3], y: [4, 2, 1], low: [3, 1, 0.5], high: [5, 3, 2] }],
 * });
 * assertEquals([plot.width, plot.height], [600, 480]);
 * ```
 */
export function linePlotImage(options: LinePlotImageOptions): RgbImage {
  checkBands(options);
  const plot = openPlot(options);
  drawGrid(plot);
  const { left, right, top, bottom } = plot;
  plot.canvas.clip = { left, right, top, bottom };
  options.series.forEach((series, i) => drawBand(plot, series, seriesColor(i)));
  options.series.forEach((series, i) => drawSeries(plot, options, series, i));
  plot.canvas.clip = { left: 0, top: 0, right: plot.canvas.width, bottom: plot.canvas.height };
  drawFrame(plot, options);
  drawLegend(plot, options);
  return imageOf(plot.canvas);
}

function checkBands(options: LinePlotImageOptions): void {
  checkOptions(options);
  const { scale = 2, series } = options;
  if (!Number.isInteger(scale) || scale < 1 || scale > 8) {
    throw new ConfigError(`a plot of scale ${scale}: give a whole number from 1 to 8`);
  }
  for (const { name, y, low = y, high = y } of series) {
    if (low.length === y.length && high.length === y.length) continue;
    throw new ConfigError(
      `series "${name}" has ${y.length} y and a band of ${low.length} and ${high.length}: ` +
        "give as many of each",
    );
  }
}

function openPlot(options: LinePlotImageOptions): Plot {
  const { series, width = 720, height = 440, scale: unit = 2, xLog = false, yLog = false } =
    options;
  const xs: number[] = [], ys: number[] = [];
  for (const { x, y, low = [], high = [] } of series) {
    x.forEach((value, i) => {
      if (!isShown(value, xLog) || !isShown(y[i], yLog)) return;
      xs.push(value);
      ys.push(...[y[i], low[i], high[i]].filter((v) => v !== undefined && isShown(v, yLog)));
    });
  }
  if (xs.length === 0) {
    throw new ConfigError(`plot "${options.title}" has no point that can be shown; give one`);
  }
  const top = (options.title ? 34 : 12) + LEGEND_LINE * series.length;
  const y = shownAxis(ys, yLog, (height - top - 50) / 40);
  const widest = Math.max(...y.ticks.labels.map((label) => textWidth(label, CAPITAL_HEIGHT)));
  const left = Math.ceil(38 + widest), right = width - 14;
  const x = shownAxis(xs, xLog, (right - left) / 70);
  const lastLabel = textWidth(x.ticks.labels.at(-1) ?? "", CAPITAL_HEIGHT);
  return {
    canvas: createCanvas(width * unit, height * unit, [255, 255, 255]),
    unit,
    x,
    y,
    left: left * unit,
    right: Math.floor(right - lastLabel / 4) * unit,
    top: top * unit,
    bottom: (height - 50) * unit,
  };
}

/** An axis whose labels are digits alone: the font has no superscripts. */
function shownAxis(values: readonly number[], log: boolean, count: number): Axis {
  const axis = axisOf(values, log, count);
  if (!log) return axis;
  const { low, high, ticks } = axis;
  const few = high / low < 300
    ? [-1, 0, 1, 2, 3].flatMap((e) =>
      [1, 2, 5].map((m) => Number(`${m}e${Math.floor(Math.log10(low)) + e}`))
    ).filter((v) => v >= low && v <= high)
    : [];
  const labelled = few.length >= 2 ? few : ticks.values;
  const labels = labelled.map((value) => numberLabel(value, value));
  return { ...axis, ticks: { ...ticks, values: labelled, labels } };
}

const acrossOf = ({ x, left, right }: Plot, v: number) => left + x.place(v) * (right - left);
const downOf = ({ y, top, bottom }: Plot, v: number) => bottom - y.place(v) * (bottom - top);

function drawGrid(plot: Plot): void {
  const { canvas, unit, left, right, top, bottom, x, y } = plot;
  const down = (value: number, color: Rgb) => {
    const at = Math.round(acrossOf(plot, value) - unit / 2);
    fillRectangle(canvas, { left: at, right: at + unit, top, bottom }, color);
  };
  const across = (value: number, color: Rgb) => {
    const at = Math.round(downOf(plot, value) - unit / 2);
    fillRectangle(canvas, { left, right, top: at, bottom: at + unit }, color);
  };
  x.ticks.minor.forEach((value) => down(value, FINE_GRID));
  y.ticks.minor.forEach((value) => across(value, FINE_GRID));
  x.ticks.values.forEach((value) => down(value, GRID));
  y.ticks.values.forEach((value) => across(value, GRID));
}

/** The band, a column of pixels at a time, its edges interpolated as the lines are. */
function drawBand(plot: Plot, { x, low, high }: BandedSeries, color: Rgb): void {
  if (!low || !high) return;
  const edges = x.map((value, i) =>
    [acrossOf(plot, value), downOf(plot, high[i]), downOf(plot, low[i])] as const
  );
  for (let i = 0; i + 1 < edges.length; i++) {
    const [from, topFrom, bottomFrom] = edges[i], [to, topTo, bottomTo] = edges[i + 1];
    if (![...edges[i], ...edges[i + 1]].every(Number.isFinite)) continue;
    for (let column = Math.round(from); column < Math.round(to); column++) {
      const share = Math.min(1, Math.max(0, (column + 0.5 - from) / (to - from)));
      const top = Math.round(topFrom + share * (topTo - topFrom));
      const bottom = Math.round(bottomFrom + share * (bottomTo - bottomFrom));
      fillRectangle(plot.canvas, { left: column, right: column + 1, top, bottom }, color, 0.2);
    }
  }
}

function drawSeries(
  plot: Plot,
  { xLog = false, yLog = false }: LinePlotImageOptions,
  series: BandedSeries,
  index: number,
): void {
  const { canvas, unit } = plot;
  const color = seriesColor(index);
  const shown = (i: number) => isShown(series.x[i], xLog) && isShown(series.y[i], yLog);
  const pieces = piecesOf(series, shown, (x, y) => [acrossOf(plot, x), downOf(plot, y)]);
  for (const piece of pieces) {
    const lines = series.dashed ? dashes(piece, 7 * unit, 5 * unit) : [piece.flat()];
    strokePolylines(canvas, lines, 2 * unit, color);
    if (!series.dashed) piece.forEach(([x, y]) => drawMarker(plot, index, x, y));
  }
}

/** A broken line as its dashes. */
function dashes(points: readonly (readonly [number, number])[], on: number, off: number) {
  const lines: number[][] = [];
  let phase = 0;
  for (let i = 0; i + 1 < points.length; i++) {
    const [x0, y0] = points[i], [x1, y1] = points[i + 1];
    const length = Math.hypot(x1 - x0, y1 - y0);
    const at = (s: number) => [x0 + (x1 - x0) * s / length, y0 + (y1 - y0) * s / length];
    for (let start = -phase; start < length; start += on + off) {
      const end = Math.min(length, start + on);
      if (end > 0) lines.push([...at(Math.max(0, start)), ...at(end)]);
    }
    phase = (phase + length) % (on + off);
  }
  return lines;
}

/** A disc, square, triangle or diamond, on white so that it is seen on its own line. */
function drawMarker({ canvas, unit }: Plot, index: number, x: number, y: number): void {
  const color = seriesColor(index);
  const draw = (size: number, ink: Rgb) => {
    const r = size * unit;
    const triangle = (...c: [number, number, number, number, number, number]) =>
      fillTriangle(canvas, c, ink);
    if (index % 4 === 0) fillDisc(canvas, x, y, r, ink);
    if (index % 4 === 1) {
      const square = {
        left: x - 0.9 * r,
        right: x + 0.9 * r,
        top: y - 0.9 * r,
        bottom: y + 0.9 * r,
      };
      fillRectangle(canvas, mapRectangle(square), ink);
    }
    if (index % 4 === 2) {
      triangle(x, y - 1.2 * r, x + 1.15 * r, y + 0.85 * r, x - 1.15 * r, y + 0.85 * r);
    }
    if (index % 4 === 3) {
      triangle(x, y - 1.3 * r, x + 1.3 * r, y, x - 1.3 * r, y);
      triangle(x, y + 1.3 * r, x + 1.3 * r, y, x - 1.3 * r, y);
    }
  };
  draw(4.8, [255, 255, 255]);
  draw(4, color);
}

type Rectangle = Parameters<typeof fillRectangle>[1];

function mapRectangle({ left, right, top, bottom }: Rectangle): Rectangle {
  const round = Math.round;
  return { left: round(left), right: round(right), top: round(top), bottom: round(bottom) };
}

function drawFrame(plot: Plot, { title, xLabel, yLabel }: LinePlotImageOptions): void {
  const { canvas, unit, left, right, top, bottom, x, y } = plot;
  const box = (l: number, t: number, r: number, b: number) =>
    fillRectangle(canvas, { left: l, top: t, right: r, bottom: b }, INK);
  box(left - unit, top - unit, right + unit, top);
  box(left - unit, bottom, right + unit, bottom + unit);
  box(left - unit, top, left, bottom);
  box(right, top, right + unit, bottom);
  const capitalHeight = CAPITAL_HEIGHT * unit;
  const style = { capitalHeight, color: INK };
  x.ticks.values.forEach((value, i) =>
    drawText(canvas, x.ticks.labels[i], acrossOf(plot, value), bottom + 18 * unit, {
      ...style,
      align: "middle",
    })
  );
  y.ticks.values.forEach((value, i) =>
    drawText(canvas, y.ticks.labels[i], left - 7 * unit, downOf(plot, value) + capitalHeight / 2, {
      ...style,
      align: "end",
    })
  );
  const middle = (left + right) / 2;
  drawText(canvas, xLabel, middle, bottom + 40 * unit, { ...style, align: "middle" });
  drawText(canvas, yLabel, 18 * unit, (top + bottom) / 2, {
    ...style,
    align: "middle",
    upwards: true,
  });
  const titled = { capitalHeight: 11 * unit, color: INK, weight: 0.145, align: "middle" } as const;
  if (title) drawText(canvas, title, canvas.width / 2, 20 * unit, titled);
}

function drawLegend(plot: Plot, { title, series }: LinePlotImageOptions): void {
  const { canvas, unit, left } = plot;
  series.forEach(({ name, dashed }, i) => {
    const y = ((title ? 38 : 16) + LEGEND_LINE * i) * unit;
    const line: [number, number][] = [[left, y], [left + 28 * unit, y]];
    const lines = dashed ? dashes(line, 7 * unit, 5 * unit) : [line.flat()];
    strokePolylines(canvas, lines, 2 * unit, seriesColor(i));
    if (!dashed) drawMarker(plot, i, left + 14 * unit, y);
    const capitalHeight = CAPITAL_HEIGHT * unit;
    const baseline = y + capitalHeight / 2;
    drawText(canvas, name, left + 36 * unit, baseline, { capitalHeight, color: INK });
  });
}
