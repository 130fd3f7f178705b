/**
 * @file A scalar field as filled contours with arrows on top: the landscape of a potential Φ and
 * the velocity ∇Φ that it gives.
 */
import { ConfigError } from "../errors.ts";
import {
  checkExtent,
  drawAxes,
  type Extent,
  type FrameOptions,
  INK,
  pixelOf,
  type PlotFrame,
  plotFrame,
} from "./axes.ts";
import {
  type Canvas,
  clipped,
  createCanvas,
  drawText,
  fillRectangle,
  fillTriangle,
  imageOf,
  strokePolylines,
} from "./canvas.ts";
import { colorAt, type Colormap, coolWarm, finiteRange, NON_FINITE_COLOR } from "./colormap.ts";
import { bilinear, checkField, type GridField } from "./kernel_density.ts";
import type { Rgb, RgbImage } from "./rgb_image.ts";
import { textWidth } from "./stroke_font.ts";
import { linearTicks, niceStep } from "./ticks.ts";

/** What to draw. */
export interface FieldPlotOptions extends FrameOptions, GridField {
  /** `[n, 4]` row-major: x, y, and the vector (dx, dy) there, in the data's units. */
  readonly arrows?: ArrayLike<number>;
  /** Values of the first and the last colour; default: the smallest and largest finite value. */
  readonly range?: readonly [low: number, high: number];
  /** About how many bands of colour (default 16). */
  readonly bands?: number;
  /** Default coolWarm. */
  readonly colormap?: Colormap;
}

/** Levels at whole multiples of a step; band i lies between step·i and step·(i + 1). */
interface Bands {
  readonly step: number;
  readonly first: number;
  readonly last: number;
  readonly colorOf: (band: number) => Rgb;
}

const PAPER: Rgb = [255, 255, 255];
const BAR = { gap: 16, width: 14 };

/**
 * The frame of a field plot, for whoever draws over it or looks a pixel up.
 *
 * @throws {ConfigError} as plotFrame
 */
export function fieldPlotFrame(options: FieldPlotOptions): PlotFrame {
  const [low, high] = shownRange(options);
  const widest = Math.max(...linearTicks(low, high).labels.map((label) => textWidth(label, 10)));
  return plotFrame(options, { right: BAR.gap + BAR.width + 10 + widest });
}

/**
 * Filled contours of a scalar field with a colour bar, and arrows on top. The longest arrow is as
 * long as arrows are apart on average; lengths go with the square root of the vectors', so that
 * weak flow is seen beside strong.
 *
 * @param options values at the centres of cells that tile the extent, row 0 = top; labels; arrows
 * @returns a picture whose longer side is `size` pixels; NaN and infinities as NON_FINITE_COLOR
 * @throws {ConfigError} if the extent, the size, the range or the count of values or arrows is
 *   wrong
 * @example
 * ```ts
 * import { fieldOverContours, gradientArrows } from "vapo";
 * import { assertEquals } from "@std/assert";
 * const field = { values: Float64Array.of(1, 2, 0, 1), rows: 2, cols: 2 };
 * const extent = [-1, 1, -1, 1] as const;
 * const arrows = gradientArrows(field, extent, 8);
 * const picture = fieldOverContours({ ...field, extent, arrows, size: 200 });
 * assertEquals(picture.width, 200);
 * ```
 */
export function fieldOverContours(options: FieldPlotOptions): RgbImage {
  checkField(options);
  const { arrows = [] } = options;
  if (arrows.length % 4 !== 0) {
    throw new ConfigError(`${arrows.length} numbers for arrows: give x, y, dx, dy of each`);
  }
  const frame = fieldPlotFrame(options);
  const canvas = createCanvas(frame.imageWidth, frame.imageHeight, PAPER);
  const bands = bandsOf(options);
  paintBands(canvas, frame, options, bands);
  const { left, top, width, height } = frame;
  clipped(canvas, { left, top, right: left + width, bottom: top + height }, () => {
    paintArrows(canvas, frame, arrows);
  });
  drawAxes(canvas, frame, options);
  drawColorBar(canvas, frame, bands, shownRange(options));
  return imageOf(canvas);
}

/**
 * The gradient of a field by central differences, as arrows on a square lattice.
 *
 * @param field values on a grid
 * @param extent the rectangle that the grid's cells tile
 * @param across how many arrows along the longer side (default 18)
 * @returns `[n, 4]` x, y, ∂/∂x, ∂/∂y; places where the gradient is not finite are left out
 * @throws {ConfigError} if the field, the extent or the count is wrong
 * @example
 * ```ts
 * import { gradientArrows } from "vapo";
 * import { assertEquals } from "@std/assert";
 * // x at the centres of the cells: its gradient is (1, 0).
 * const field = { values: Float64Array.of(-1, 1, -1, 1), rows: 2, cols: 2 };
 * assertEquals([...gradientArrows(field, [-2, 2, -2, 2], 1)], [0, 0, 1, 0]);
 * ```
 */
export function gradientArrows(field: GridField, extent: Extent, across = 18): Float64Array {
  checkField(field);
  checkExtent(extent);
  if (!Number.isInteger(across) || across < 1 || across > 1000) {
    throw new ConfigError(`${across} arrows across: give a whole number from 1 to 1000`);
  }
  const [xMin, xMax, yMin, yMax] = extent;
  const width = xMax - xMin;
  const height = yMax - yMin;
  const spacing = Math.max(width, height) / across;
  const columns = Math.max(1, Math.round(width / spacing));
  const rows = Math.max(1, Math.round(height / spacing));
  // Half a cell to each side, but inwards at the rim, where the field goes on as constant.
  const inside = (s: number, cells: number) =>
    Math.min(1 - 1 / cells, Math.max(1 / cells, s)) || 0.5;
  const arrows: number[] = [];
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      const s = inside((c + 0.5) / columns, field.cols);
      const t = inside((r + 0.5) / rows, field.rows);
      const ds = 0.5 / field.cols;
      const dt = 0.5 / field.rows;
      const dx = (bilinear(field, s + ds, t) - bilinear(field, s - ds, t)) / (2 * ds * width);
      const dy = (bilinear(field, s, t - dt) - bilinear(field, s, t + dt)) / (2 * dt * height);
      if (!Number.isFinite(dx) || !Number.isFinite(dy)) continue;
      arrows.push(xMin + (c + 0.5) / columns * width, yMax - (r + 0.5) / rows * height, dx, dy);
    }
  }
  return Float64Array.from(arrows);
}

/** The range of values with colours of their own, wide enough to have bands. */
function shownRange({ range, values }: FieldPlotOptions): [number, number] {
  const [low, high] = range ?? finiteRange(values);
  const limit = 1e99;
  if (!(low >= -limit && high <= limit && low <= high)) {
    throw new ConfigError(
      `values from ${low} to ${high}: give a range of two ascending numbers within ±${limit}`,
    );
  }
  const least = Math.max(1e-99, 1e-9 * Math.max(Math.abs(low), Math.abs(high)));
  if (high - low >= least) return [low, high];
  const half = 0.5 * Math.max(Math.abs(low), Math.abs(high)) || 0.5;
  return [low - Math.max(half, least), high + Math.max(half, least)];
}

function bandsOf(options: FieldPlotOptions): Bands {
  const { bands = 16, colormap = coolWarm } = options;
  if (!(bands >= 1 && bands <= 256)) {
    throw new ConfigError(`${bands} bands: give a number from 1 to 256`);
  }
  const [low, high] = shownRange(options);
  const step = niceStep((high - low) / bands);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(first, Math.ceil(high / step - 1e-9) - 1);
  const colorOf = (band: number) => {
    const place = Math.min(last, Math.max(first, band));
    return colorAt(colormap, last === first ? 0.5 : (place - first) / (last - first));
  };
  return { step, first, last, colorOf };
}

/** Bands of one colour each, their edges anti-aliased and traced by a faint line. */
function paintBands(canvas: Canvas, frame: PlotFrame, field: GridField, bands: Bands): void {
  const { width, height } = frame;
  // The field at every pixel's centre, in steps, so that levels lie at whole numbers.
  const steps = new Float64Array(width * height);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const value = bilinear(field, (column + 0.5) / width, (row + 0.5) / height);
      steps[row * width + column] = value / bands.step;
    }
  }
  const at = (row: number, column: number) =>
    steps[
      Math.min(height - 1, Math.max(0, row)) * width + Math.min(width - 1, Math.max(0, column))
    ];
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const slope = Math.hypot(
        (at(row, column + 1) - at(row, column - 1)) / 2,
        (at(row + 1, column) - at(row - 1, column)) / 2,
      );
      const color = bandColor(steps[row * width + column], slope, bands, frame.unit);
      canvas.data.set(color, ((frame.top + row) * canvas.width + frame.left + column) * 3);
    }
  }
}

/** The colour of a pixel whose value is `steps` and changes by `slope` steps a pixel. */
function bandColor(steps: number, slope: number, bands: Bands, unit: number): Rgb {
  if (!Number.isFinite(steps)) return NON_FINITE_COLOR;
  const level = Math.round(steps);
  // Signed distance, in pixels, to the nearest level's contour.
  const distance = slope > 0 ? (steps - level) / slope : Infinity;
  const shown = level > bands.first && level <= bands.last;
  if (!shown || !(Math.abs(distance) < 0.5 + unit)) return bands.colorOf(Math.floor(steps));
  const above = Math.min(1, Math.max(0, 0.5 + distance));
  const line = 0.22 * Math.min(1, Math.max(0, 0.5 + 0.45 * unit - Math.abs(distance))) *
    // Where contours crowd, their lines would blacken the picture.
    Math.min(1, Math.max(0, 1 - 3 * slope));
  const lower = bands.colorOf(level - 1);
  const upper = bands.colorOf(level);
  const mixed = (i: number) =>
    (lower[i] + above * (upper[i] - lower[i])) * (1 - line) + line * INK[i];
  return [mixed(0), mixed(1), mixed(2)];
}

function paintArrows(canvas: Canvas, frame: PlotFrame, arrows: ArrayLike<number>): void {
  const count = arrows.length / 4;
  let longest = 0;
  for (let i = 0; i < count; i++) {
    const length = Math.hypot(arrows[4 * i + 2], arrows[4 * i + 3]);
    if (Number.isFinite(length)) longest = Math.max(longest, length);
  }
  if (longest === 0) return;
  const spacing = Math.sqrt(frame.width * frame.height / count);
  for (let i = 0; i < count; i++) {
    const [x, y] = pixelOf(frame, arrows[4 * i], arrows[4 * i + 1]);
    const [dx, dy] = [arrows[4 * i + 2] / longest, arrows[4 * i + 3] / longest];
    const share = Math.hypot(dx, dy);
    if (!Number.isFinite(share + x + y) || share < 1e-4) continue;
    const length = Math.min(44 * frame.unit, 0.95 * spacing) * Math.sqrt(share);
    paintArrow(canvas, x, y, dx / share * length, -dy / share * length, frame.unit);
  }
}

/** An arrow with its middle at (x, y), in pixels. */
function paintArrow(
  canvas: Canvas,
  x: number,
  y: number,
  dx: number,
  dy: number,
  unit: number,
): void {
  const length = Math.hypot(dx, dy);
  const head = Math.min(7.5 * unit, 0.5 * length);
  const [ex, ey] = [dx / length, dy / length];
  const [tipX, tipY] = [x + dx / 2, y + dy / 2];
  const [neckX, neckY] = [tipX - ex * head, tipY - ey * head];
  strokePolylines(canvas, [[x - dx / 2, y - dy / 2, neckX, neckY]], 1.3 * unit, INK, 0.85);
  const half = 0.36 * head;
  fillTriangle(
    canvas,
    [tipX, tipY, neckX - ey * half, neckY + ex * half, neckX + ey * half, neckY - ex * half],
    INK,
    0.85,
  );
}

/** The bands' colours beside the plot, labelled. */
function drawColorBar(
  canvas: Canvas,
  frame: PlotFrame,
  bands: Bands,
  [low, high]: readonly [number, number],
): void {
  const { unit, top, height } = frame;
  const left = frame.left + frame.width + Math.round(BAR.gap * unit);
  const right = left + Math.max(2, Math.round(BAR.width * unit));
  const line = Math.max(1, Math.round(unit));
  fillRectangle(
    canvas,
    { left: left - line, top: top - line, right: right + line, bottom: top + height + line },
    INK,
  );
  for (let row = 0; row < height; row++) {
    const value = high - (row + 0.5) / height * (high - low);
    const color = bands.colorOf(Math.floor(value / bands.step));
    fillRectangle(canvas, { left, top: top + row, right, bottom: top + row + 1 }, color);
  }
  const ticks = linearTicks(low, high, Math.min(7, Math.max(1, height / unit / 80)));
  ticks.values.forEach((value, i) => {
    const y = Math.round(top + (high - value) / (high - low) * height - line / 2);
    const tick = { left: right, top: y, right: right + Math.round(5 * unit), bottom: y + line };
    fillRectangle(canvas, tick, INK);
    drawText(canvas, ticks.labels[i], right + 9 * unit, y + line / 2 + 5 * unit, {
      capitalHeight: 10 * unit,
      color: INK,
    });
  });
}
