/**
 * @file The frame of a plot in the plane: where the data's rectangle lies among the pixels, with
 * equal units on both axes, and the thin axes, ticks and labels around it.
 */
import { ConfigError } from "../errors.ts";
import { type Canvas, drawText, fillRectangle } from "./canvas.ts";
import type { Rgb } from "./rgb_image.ts";
import { textWidth } from "./stroke_font.ts";
import { linearTicks, type Ticks } from "./ticks.ts";

/** The rectangle of the plane that a plot shows, in the data's units. */
export type Extent = readonly [xMin: number, xMax: number, yMin: number, yMax: number];

/** Where a plot's rectangle lies in its picture. */
export interface PlotFrame {
  readonly extent: Extent;
  /** The whole picture, in pixels. */
  readonly imageWidth: number;
  readonly imageHeight: number;
  /** The data's rectangle, in pixels. */
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  /** Pixels that a length of 1 in a picture of 640 pixels has: sizes of text and lines. */
  readonly unit: number;
}

/** What stands around a plot. */
export interface FrameOptions {
  /** The part of the plane that is shown, in data units. */
  readonly extent: Extent;
  /** The longer side of the picture in pixels (default 640). */
  readonly size?: number;
  /** One line above the plot. */
  readonly title?: string;
  /** What x is. */
  readonly xLabel?: string;
  /** What y is. */
  readonly yLabel?: string;
}

/** Ink of axes and labels. */
export const INK: Rgb = [38, 38, 42];
const CAPITAL_HEIGHT = 11;
const TITLE_HEIGHT = 14;

/** Room that a frame leaves free beside what it needs itself, in units of a picture of 640. */
export interface FrameReserve {
  readonly right?: number;
  readonly bottom?: number;
}

/**
 * Places the data's rectangle in a picture with equal units on both axes.
 *
 * @param options the plot's options, title and labels included: they take room
 * @param reserve more room, in units of a picture of 640 pixels
 * @throws {ConfigError} if the extent is not four finite ascending numbers, is longer than 20 to 1,
 *   or the size is not a whole number from 160 to 4096 or too small for the labels
 */
export function plotFrame(options: FrameOptions, reserve: FrameReserve = {}): PlotFrame {
  const { extent, size = 640, title, xLabel, yLabel } = options;
  checkExtent(extent);
  if (!Number.isInteger(size) || size < 160 || size > 4096) {
    throw new ConfigError(`a picture of ${size} pixels: give a whole number from 160 to 4096`);
  }
  // Text stays legible in small pictures, at the cost of room for the data.
  const unit = Math.max(0.7, size / 640);
  const [xMin, xMax, yMin, yMax] = extent;
  const widestLabel = Math.max(
    ...linearTicks(yMin, yMax).labels.map((label) => textWidth(label, CAPITAL_HEIGHT)),
  );
  const left = Math.round(unit * (14 + widestLabel + 10 + (yLabel ? 24 : 0)));
  const right = Math.round(unit * (20 + (reserve.right ?? 0)));
  const top = Math.round(unit * (title ? 44 : 18));
  const bottom = Math.round(unit * (34 + (xLabel ? 24 : 0) + (reserve.bottom ?? 0)));
  const room = Math.min(size - left - right, size - top - bottom);
  if (room < 32) {
    throw new ConfigError(`a picture of ${size} pixels is too small for its labels: enlarge size`);
  }
  const perUnit = Math.min(
    (size - left - right) / (xMax - xMin),
    (size - top - bottom) / (yMax - yMin),
  );
  const width = Math.max(1, Math.round(perUnit * (xMax - xMin)));
  const height = Math.max(1, Math.round(perUnit * (yMax - yMin)));
  return {
    extent,
    imageWidth: left + width + right,
    imageHeight: top + height + bottom,
    left,
    top,
    width,
    height,
    unit,
  };
}

/** @throws {ConfigError} if the extent is not a rectangle of finite, distinct, ascending numbers */
export function checkExtent(extent: Extent): void {
  const [xMin, xMax, yMin, yMax] = extent;
  for (const [low, high] of [[xMin, xMax], [yMin, yMax]]) {
    const wide = high - low > 1e-9 * Math.max(Math.abs(low), Math.abs(high)) && high - low > 1e-99;
    if (!wide || high - low > 1e99) {
      throw new ConfigError(
        `extent [${extent.join(", ")}]: give xMin < xMax, yMin < yMax, finite and told apart`,
      );
    }
  }
  const ratio = (xMax - xMin) / (yMax - yMin);
  if (ratio > 20 || ratio < 1 / 20) {
    throw new ConfigError(
      `extent [${extent.join(", ")}]: one side is over 20 times the other, ` +
        `too thin for equal units on both axes; widen it`,
    );
  }
}

/**
 * Where a point of the data lies in the picture, in pixels: pixel (0, 0) spans 0..1.
 *
 * @param frame the plot's
 * @returns x to the right and y downwards; outside the rectangle for points outside the extent
 */
export function pixelOf(frame: PlotFrame, x: number, y: number): [number, number] {
  const [xMin, xMax, yMin, yMax] = frame.extent;
  return [
    frame.left + (x - xMin) / (xMax - xMin) * frame.width,
    frame.top + (yMax - y) / (yMax - yMin) * frame.height,
  ];
}

/** Frame, ticks, labels and title; drawn last, over the data. */
export function drawAxes(canvas: Canvas, frame: PlotFrame, options: FrameOptions): void {
  const { left, top, width, height, unit, extent } = frame;
  const [xMin, xMax, yMin, yMax] = extent;
  const line = Math.max(1, Math.round(unit));
  const right = left + width;
  const bottom = top + height;
  const box = (l: number, t: number, r: number, b: number) =>
    fillRectangle(canvas, { left: l, top: t, right: r, bottom: b }, INK);
  box(left - line, top - line, right + line, top);
  box(left - line, bottom, right + line, bottom + line);
  box(left - line, top, left, bottom);
  box(right, top, right + line, bottom);

  const tick = Math.round(5 * unit);
  const style = { capitalHeight: CAPITAL_HEIGHT * unit, color: INK };
  const across = axisTicks(xMin, xMax, width / unit);
  across.values.forEach((value, i) => {
    const x = Math.round(pixelOf(frame, value, yMin)[0] - line / 2);
    box(x, bottom, x + line, bottom + line + tick);
    drawText(canvas, across.labels[i], x + line / 2, bottom + 22 * unit, {
      ...style,
      align: "middle",
    });
  });
  const up = axisTicks(yMin, yMax, height / unit);
  up.values.forEach((value, i) => {
    const y = Math.round(pixelOf(frame, xMin, value)[1] - line / 2);
    box(left - line - tick, y, left, y + line);
    const baseline = y + line / 2 + style.capitalHeight / 2;
    drawText(canvas, up.labels[i], left - 10 * unit, baseline, { ...style, align: "end" });
  });
  drawTitles(canvas, frame, options);
}

function drawTitles(canvas: Canvas, frame: PlotFrame, options: FrameOptions): void {
  const { left, top, width, height, unit, imageWidth } = frame;
  const label = CAPITAL_HEIGHT * unit;
  // In the middle of the data's rectangle, moved and made smaller as far as needed to stay whole.
  const across = (text: string, wanted: number, y: number, weight?: number) => {
    const room = imageWidth - 12 * unit;
    const capitalHeight = Math.min(wanted, room / textWidth(text, 1));
    const half = textWidth(text, capitalHeight) / 2 + 6 * unit;
    const x = Math.min(imageWidth - half, Math.max(half, left + width / 2));
    drawText(canvas, text, x, y, { capitalHeight, color: INK, align: "middle", weight });
  };
  if (options.title) across(options.title, TITLE_HEIGHT * unit, top - 16 * unit, 0.145);
  if (options.xLabel) across(options.xLabel, label, top + height + 46 * unit);
  if (options.yLabel) {
    const room = frame.imageHeight - 12 * unit;
    const capitalHeight = Math.min(label, room / textWidth(options.yLabel, 1));
    const style = { capitalHeight, color: INK, align: "middle", upwards: true } as const;
    drawText(canvas, options.yLabel, 22 * unit, top + height / 2, style);
  }
}

/** As many ticks as have room: one about every 90 pixels of a picture of 640. */
function axisTicks(low: number, high: number, length: number): Ticks {
  return linearTicks(low, high, Math.min(7, Math.max(1, length / 80)));
}
