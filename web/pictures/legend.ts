/**
 * @file What colours and lengths of arrows mean: a colour scale with ticks, and an arrow of a round
 * speed. Drawn on a plate in a corner of the plane, or on a canvas of its own.
 */
import { linearTicks } from "../../core/picture/ticks.ts";
import { colorAt } from "../../core/picture/colormap.ts";
import { labelFont, type Tick } from "./axes.ts";
import { type ColorScale, scalePlace } from "./field_image.ts";
import type { PictureTheme } from "./view.ts";

/** A rectangle on a canvas, in device pixels. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** An arrow that says what lengths mean. */
export interface ArrowKey {
  /** What it is, as in "|∇Φ| = 2". */
  readonly label: string;
  /** In device pixels. */
  readonly length: number;
}

type Context = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

/**
 * Ticks of an upright colour scale, its smallest value at the bottom.
 *
 * @param scale colours; with a power, ticks are where the colours are, not equally far apart
 * @param top of the bar, in device pixels
 * @param height of the bar, in device pixels
 * @param count about how many
 */
export function legendTicks(scale: ColorScale, top: number, height: number, count = 4): Tick[] {
  const [low, high] = scale.range;
  if (!(high > low)) return [{ value: low, label: low.toPrecision(2), place: top + height }];
  const { values, labels } = linearTicks(low, high, count);
  return values.map((value, i) => ({
    value,
    label: labels[i],
    place: top + (1 - scalePlace(scale, value)) * height,
  }));
}

/** Draws a colour scale in a box: the bar at its left, labels beside it. */
export function drawColorScale(
  context: Context,
  scale: ColorScale,
  { left, top, height }: Box,
  theme: PictureTheme,
  ratio: number,
): void {
  const width = 9 * ratio;
  context.save();
  for (let i = 0; i < height; i++) {
    // Colours of the map itself: gamma is in the ticks.
    const [red, green, blue] = colorAt(scale.colormap, 1 - (i + 0.5) / height);
    context.fillStyle = `rgb(${red},${green},${blue})`;
    context.fillRect(left, top + i, width, Math.min(1, height - i));
  }
  context.strokeStyle = theme.ink;
  context.globalAlpha = 0.5;
  context.lineWidth = ratio;
  context.strokeRect(left, top, width, height);
  context.globalAlpha = 1;
  context.font = labelFont(ratio, 10);
  context.textAlign = "left";
  context.textBaseline = "middle";
  context.fillStyle = theme.ink;
  context.beginPath();
  let below = Infinity;
  for (const { label, place } of legendTicks(scale, top, height)) {
    // Where a power crowds them, some go unlabelled.
    if (below - place < 10 * ratio) continue;
    below = place;
    context.moveTo(left + width, place);
    context.lineTo(left + width + 3 * ratio, place);
    context.fillText(label, left + width + 5 * ratio, place);
  }
  context.stroke();
  context.restore();
}

/** What stands on a plate. */
export interface Legend {
  /** What the colours are of: "Φ", "density". */
  readonly title: string;
  readonly scale: ColorScale | null;
  readonly key: ArrowKey | null;
}

/**
 * Draws a plate with a colour scale and an arrow in the upper right corner of a box.
 *
 * @param box of the picture, in device pixels
 */
export function drawLegend(
  context: Context,
  legend: Legend,
  box: Box,
  theme: PictureTheme,
  ratio: number,
): void {
  const { title, scale, key } = legend;
  if (!scale && !key) return;
  const pad = 7 * ratio;
  const barHeight = scale ? Math.round(Math.min(104 * ratio, 0.2 * box.height)) : 0;
  context.save();
  context.font = labelFont(ratio, 10);
  const labels = scale ? legendTicks(scale, 0, barHeight).map(({ label }) => label) : [];
  const widest = Math.max(0, ...labels.map((label) => context.measureText(label).width));
  const inner = Math.max(
    scale ? 14 * ratio + widest : 0,
    scale ? context.measureText(title).width : 0,
    key ? Math.max(key.length, context.measureText(key.label).width) : 0,
  );
  const titleHeight = scale ? 16 * ratio : 0;
  const scaleGap = scale && key ? 12 * ratio : 0;
  const keyHeight = key ? 22 * ratio : 0;
  const width = inner + 2 * pad;
  const height = titleHeight + barHeight + scaleGap + keyHeight + 2 * pad;
  const left = box.left + box.width - width - 8 * ratio;
  const top = box.top + 8 * ratio;
  drawPlate(context, { left, top, width, height }, theme, ratio);
  context.fillStyle = theme.ink;
  context.textBaseline = "middle";
  context.textAlign = "left";
  if (scale) {
    context.fillText(title, left + pad, top + pad + 5 * ratio);
    const bar = { left: left + pad, top: top + pad + titleHeight, width, height: barHeight };
    drawColorScale(context, scale, bar, theme, ratio);
  }
  if (key) {
    const y = top + height - pad - keyHeight;
    context.fillText(key.label, left + pad, y + 16 * ratio);
    addArrow(context, left + pad, y + 4 * ratio, key.length, ratio);
    context.strokeStyle = theme.ink;
    context.lineWidth = 1.2 * ratio;
    context.stroke();
    context.fill();
  }
  context.restore();
}

function drawPlate(context: Context, box: Box, theme: PictureTheme, ratio: number): void {
  context.beginPath();
  context.roundRect(box.left, box.top, box.width, box.height, 5 * ratio);
  context.globalAlpha = 0.92;
  context.fillStyle = theme.background;
  context.fill();
  context.globalAlpha = 1;
  context.strokeStyle = theme.faint;
  context.lineWidth = ratio;
  context.stroke();
}

/** A path: an arrow to the right, its shaft to be stroked and its head to be filled. */
function addArrow(context: Context, x: number, y: number, length: number, ratio: number): void {
  const head = Math.min(6.5 * ratio, 0.6 * length);
  const neck = x + length - head;
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(neck, y);
  context.moveTo(x + length, y);
  context.lineTo(neck, y + 0.38 * head);
  context.lineTo(neck, y - 0.38 * head);
  context.closePath();
}
