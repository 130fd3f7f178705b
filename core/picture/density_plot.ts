/**
 * @file Samples over the density that they should follow: the picture by which a flow in the plane
 * is judged at a glance.
 */
import { ConfigError } from "../errors.ts";
import { drawAxes, type FrameOptions, pixelOf, type PlotFrame, plotFrame } from "./axes.ts";
import { type Canvas, clipped, createCanvas, drawText, fillDisc, imageOf } from "./canvas.ts";
import {
  colorAt,
  colorFraction,
  type Colormap,
  finiteRange,
  magma,
  shortened,
} from "./colormap.ts";
import { bilinear, checkField, type GridField } from "./kernel_density.ts";
import type { Rgb, RgbImage } from "./rgb_image.ts";

/** What to draw. */
export interface DensityPlotOptions extends FrameOptions {
  /** Background: density at the centres of cells that tile the extent, row 0 = top. */
  readonly density?: GridField;
  /** `[n, 2]` row-major, drawn as dots. */
  readonly points: ArrayLike<number>;
  /** Colours of the density (default magma up to its orange, so that white dots stand out). */
  readonly colormap?: Colormap;
  /**
   * The density's share of its largest value is shown raised to this power (default 0.5): below 1,
   * thin modes stay visible beside dense ones.
   */
  readonly gamma?: number;
  /** Colour of the dots (default white). */
  readonly pointColor?: Rgb;
}

const PAPER: Rgb = [255, 255, 255];
const DOT: Rgb = [255, 255, 255];
const EMBERS = shortened(magma, 0.8);

/**
 * The frame of a density plot, for whoever draws over it or looks a pixel up.
 *
 * @param options those of the plot
 * @throws {ConfigError} as plotFrame
 */
export function densityPlotFrame(options: DensityPlotOptions): PlotFrame {
  return plotFrame(options, { bottom: strayNote(options) ? 22 : 0 });
}

/**
 * Samples as small translucent dots over a density in colour, in a frame with equal units on both
 * axes. Dots get smaller and fainter as they get more. How many samples lie outside the extent or
 * are not finite is written underneath, so that none goes missing unsaid.
 *
 * @param options density, points, extent, labels
 * @returns a picture whose longer side is `size` pixels
 * @throws {ConfigError} if the extent, the size, gamma or the count of values or points is wrong
 * @example
 * ```ts
 * import { encodePng, kernelDensity, scatterOverDensity } from "vapo";
 * import { assertEquals } from "@std/assert";
 * const points = [0.5, 0.2, -0.4, 0, 0.1, -0.3];
 * const extent = [-1, 1, -1, 1] as const;
 * const density = kernelDensity(points, extent, 50, 50, 0.2);
 * const picture = scatterOverDensity({ density, points, extent, size: 200, title: "three" });
 * assertEquals(Math.max(picture.width, picture.height), 200);
 * const file = encodePng(picture); // Deno.writeFile("three.png", file)
 * assertEquals(file[1], 0x50);
 * ```
 */
export function scatterOverDensity(options: DensityPlotOptions): RgbImage {
  const { density, points, colormap = EMBERS } = options;
  if (points.length % 2 !== 0) {
    throw new ConfigError(`${points.length} numbers for points in the plane: give two a point`);
  }
  const frame = densityPlotFrame(options);
  const canvas = createCanvas(frame.imageWidth, frame.imageHeight, PAPER);
  const { left, top, width, height, unit } = frame;
  const area = { left, top, right: left + width, bottom: top + height };
  clipped(canvas, area, () => {
    paintDensity(canvas, frame, density ?? NOTHING, colormap, options.gamma ?? 0.5);
    paintPoints(canvas, frame, points, options.pointColor ?? DOT);
  });
  drawAxes(canvas, frame, options);
  const note = strayNote(options);
  if (note) {
    drawText(canvas, note, left + width, frame.imageHeight - 12 * unit, {
      capitalHeight: 9 * unit,
      color: [120, 60, 40],
      align: "end",
    });
  }
  return imageOf(canvas);
}

const NOTHING: GridField = { values: new Float64Array(1), rows: 1, cols: 1 };

function paintDensity(
  canvas: Canvas,
  frame: PlotFrame,
  density: GridField,
  colormap: Colormap,
  gamma: number,
): void {
  checkField(density);
  const peak = Math.max(0, finiteRange(density.values)[1]);
  const fraction = colorFraction([], { range: [0, peak], gamma });
  paintField(canvas, frame, density, (value) => colorAt(colormap, fraction(value)));
}

/** Colours every pixel of the frame by the field at its centre. */
export function paintField(
  canvas: Canvas,
  frame: PlotFrame,
  field: GridField,
  colorOf: (value: number, across: number, down: number) => Rgb,
): void {
  for (let row = 0; row < frame.height; row++) {
    const down = (row + 0.5) / frame.height;
    for (let column = 0; column < frame.width; column++) {
      const across = (column + 0.5) / frame.width;
      const color = colorOf(bilinear(field, across, down), across, down);
      canvas.data.set(color, ((frame.top + row) * canvas.width + frame.left + column) * 3);
    }
  }
}

/** What n dots look like: in pixels, and 0..1. */
export interface DotStyle {
  readonly radius: number;
  readonly opacity: number;
}

/** The dots that lie on a dot let this much of it shine through, on average over the dots. */
const SHINE_THROUGH = 0.4;

/**
 * Radius and opacity of the dots: few are large and nearly solid, many are fine and faint, and
 * fainter still where they lie in heaps.
 *
 * @param places `[n, 2]` where the dots lie, in pixels of a picture of 640
 * @returns in pixels of a picture of 640
 */
export function dotStyle(places: Float64Array): DotStyle {
  const count = places.length / 2;
  const share = 100 / Math.max(100, count);
  const radius = Math.max(0.9, 3.2 * share ** 0.22);
  const solid = 0.95 * share ** 0.18;
  const opacity = Math.min(solid, 1 - SHINE_THROUGH ** (1 / meanCovers(places, radius)));
  return { radius, opacity: Math.max(0.15, opacity) };
}

/** How many others share a dot's place, on average over the dots. */
function meanCovers(places: Float64Array, radius: number): number {
  const side = 4 * radius;
  const heaps = new Map<string, number>();
  for (let i = 0; i < places.length; i += 2) {
    const cell = `${Math.floor(places[i] / side)},${Math.floor(places[i + 1] / side)}`;
    heaps.set(cell, (heaps.get(cell) ?? 0) + 1);
  }
  let pairs = 0;
  for (const heap of heaps.values()) pairs += heap * (heap - 1);
  return pairs / Math.max(1, places.length / 2) * Math.PI * radius ** 2 / side ** 2;
}

function paintPoints(
  canvas: Canvas,
  frame: PlotFrame,
  points: ArrayLike<number>,
  color: Rgb,
): void {
  const [xMin, xMax, yMin, yMax] = frame.extent;
  const places: number[] = [];
  for (let i = 0; i + 1 < points.length; i += 2) {
    const x = points[i];
    const y = points[i + 1];
    if (x >= xMin && x <= xMax && y >= yMin && y <= yMax) places.push(...pixelOf(frame, x, y));
  }
  const { unit } = frame;
  const { radius, opacity } = dotStyle(Float64Array.from(places, (v) => v / unit));
  for (let i = 0; i < places.length; i += 2) {
    fillDisc(canvas, places[i], places[i + 1], radius * unit, color, opacity);
  }
}

/** What to say of points that the picture cannot show; empty when it shows all. */
function strayNote({ points, extent }: DensityPlotOptions): string {
  const [xMin, xMax, yMin, yMax] = extent;
  let outside = 0;
  let broken = 0;
  for (let i = 0; i + 1 < points.length; i += 2) {
    const x = points[i];
    const y = points[i + 1];
    if (!Number.isFinite(x) || !Number.isFinite(y)) broken++;
    else if (x < xMin || x > xMax || y < yMin || y > yMax) outside++;
  }
  const parts: string[] = [];
  if (outside > 0) parts.push(`${outside} of ${points.length / 2} samples outside`);
  if (broken > 0) parts.push(`${broken} not finite`);
  return parts.join(", ");
}
