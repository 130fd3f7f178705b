/**
 * @file Ticks and labels of the plane, inside its left and lower edge: the field reaches to the edges,
 * and the labels have a halo in the colour of the page.
 */
import { linearTicks } from "../../core/picture/ticks.ts";
import { type PictureTheme, type PlaneView, toCanvas } from "./view.ts";

/** A tick on the canvas. */
export interface Tick {
  readonly value: number;
  readonly label: string;
  /** Device pixels: x of a tick of the x axis, y of one of the y axis. */
  readonly place: number;
}

/** Ticks of both axes, those left out whose label would be cut off or meet the other axis's. */
export interface PlaneAxes {
  readonly x: readonly Tick[];
  readonly y: readonly Tick[];
}

/** Type of labels on pictures, in CSS pixels. */
export const LABEL_SIZE = 10.5;

/** A font for labels, in device pixels. */
export function labelFont(ratio: number, size = LABEL_SIZE): string {
  return `${size * ratio}px system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif`;
}

/**
 * Where the ticks of a view are.
 *
 * @param view with room for a tick about every 75 CSS pixels
 */
export function planeAxes(view: PlaneView): PlaneAxes {
  const { extent, side, ratio, left, top } = view;
  const count = Math.min(9, Math.max(2, side / ratio / 75));
  const { values, labels } = linearTicks(-extent, extent, count);
  const margin = 16 * ratio;
  const ticks = values.map((value, i) => {
    const [x, y] = toCanvas(view, value, value);
    return { value, label: labels[i], x, y };
  });
  return {
    x: ticks.filter(({ x }) => x > left + 2 * margin && x < left + side - margin)
      .map(({ value, label, x }) => ({ value, label, place: x })),
    y: ticks.filter(({ y }) => y > top + margin && y < top + side - 2 * margin)
      .map(({ value, label, y }) => ({ value, label, place: y })),
  };
}

/** Text with a halo. */
export function drawLabel(
  context: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D,
  text: string,
  x: number,
  y: number,
  theme: PictureTheme,
  ratio: number,
): void {
  context.lineJoin = "round";
  context.lineWidth = 3 * ratio;
  context.strokeStyle = theme.background;
  context.globalAlpha = 0.75;
  context.strokeText(text, x, y);
  context.globalAlpha = 1;
  context.fillStyle = theme.ink;
  context.fillText(text, x, y);
}

/** Draws ticks, labels and a thin frame. */
export function drawAxes(
  context: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D,
  view: PlaneView,
  theme: PictureTheme,
): void {
  const { left, top, side, ratio } = view;
  const { x, y } = planeAxes(view);
  const bottom = top + side;
  const tick = 4 * ratio;
  context.save();
  context.beginPath();
  for (const { place } of x) {
    context.moveTo(Math.round(place) + 0.5, bottom);
    context.lineTo(Math.round(place) + 0.5, bottom - tick);
  }
  for (const { place } of y) {
    context.moveTo(left, Math.round(place) + 0.5);
    context.lineTo(left + tick, Math.round(place) + 0.5);
  }
  context.strokeStyle = theme.ink;
  context.lineWidth = ratio;
  context.stroke();
  context.strokeStyle = theme.faint;
  context.strokeRect(left + ratio / 2, top + ratio / 2, side - ratio, side - ratio);
  context.font = labelFont(ratio);
  context.textAlign = "center";
  context.textBaseline = "alphabetic";
  for (const { label, place } of x) {
    drawLabel(context, label, place, bottom - tick - 3 * ratio, theme, ratio);
  }
  context.textAlign = "left";
  context.textBaseline = "middle";
  for (const { label, place } of y) {
    drawLabel(context, label, left + tick + 3 * ratio, place, theme, ratio);
  }
  context.restore();
}
