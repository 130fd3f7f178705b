/**
 * @file The density of a set of points on a grid, for distributions without a closed form: a
 * Gaussian kernel estimate (E. Parzen, 1962) by linear binning and a separable blur, the grid
 * approximation of M. P. Wand, "Fast Computation of Multivariate Kernel Estimators" (1994). Its
 * cost is that of the grid, whatever the number of points.
 */
import { ConfigError } from "../errors.ts";
import { checkExtent, type Extent } from "./axes.ts";

/** A scalar field on a grid of cells that tile an extent. */
export interface GridField {
  /** `[rows, cols]` row-major at the cells' centres; row 0 = top, the largest y. */
  readonly values: Float64Array;
  /** Cells from top to bottom. */
  readonly rows: number;
  /** Cells from left to right. */
  readonly cols: number;
}

/** The blur reaches this many bandwidths: a kernel's mass beyond is 6e-7. */
const REACH = 5;

/**
 * Kernel density estimate of points in the plane.
 *
 * The density is that of all finite points given, those outside the extent included: over the
 * extent it integrates to 1 where all of them lie well inside, and to their share otherwise.
 *
 * Source: Parzen, 1962; on a grid as in Wand, "Fast Computation of Multivariate Kernel Estimators",
 * 1994.
 *
 * @param points `[n, 2]` row-major; points with a NaN or an infinity are left out
 * @param extent the rectangle that the grid's cells tile
 * @param rows cells from top to bottom
 * @param cols cells from left to right
 * @param bandwidth standard deviation of the kernel in the data's units
 * @returns `[rows, cols]` density at the cells' centres, row 0 = top; sum × cell area ≤ 1
 * @throws {ConfigError} if the extent, a count of cells (at most 2048) or the bandwidth (above 0,
 *   at most a quarter of the extent's shorter side) is out of range, or the points are an odd count
 *   of numbers
 * @example
 * ```ts
 * import { kernelDensity } from "vapo";
 * import { assertAlmostEquals } from "@std/assert";
 * const density = kernelDensity([0.5, 0, -0.5, 0], [-3, 3, -3, 3], 60, 60, 0.3);
 * const cell = 0.1 * 0.1;
 * assertAlmostEquals(density.values.reduce((a, b) => a + b) * cell, 1, 1e-9);
 * ```
 */
export function kernelDensity(
  points: ArrayLike<number>,
  extent: Extent,
  rows: number,
  cols: number,
  bandwidth: number,
): GridField {
  checkGrid(points, extent, rows, cols, bandwidth);
  const [xMin, xMax, yMin, yMax] = extent;
  const cellWidth = (xMax - xMin) / cols;
  const cellHeight = (yMax - yMin) / rows;
  const kernelX = gaussianKernel(bandwidth / cellWidth);
  const kernelY = gaussianKernel(bandwidth / cellHeight);
  // A margin as wide as the blur: points just outside the extent are felt inside.
  const padX = (kernelX.length - 1) / 2;
  const padY = (kernelY.length - 1) / 2;
  const wide = cols + 2 * padX;
  const high = rows + 2 * padY;
  const counts = new Float64Array(high * wide);
  let finite = 0;
  for (let i = 0; i + 1 < points.length; i += 2) {
    if (!Number.isFinite(points[i]) || !Number.isFinite(points[i + 1])) continue;
    finite++;
    const x = (points[i] - xMin) / cellWidth - 0.5 + padX;
    const y = (yMax - points[i + 1]) / cellHeight - 0.5 + padY;
    addToFourCells(counts, wide, high, x, y);
  }
  const blurredRows = correlate(counts, kernelX, high, cols, wide, 1);
  const values = correlate(blurredRows, kernelY, rows, cols, cols, cols);
  const scale = finite === 0 ? 0 : 1 / (finite * cellWidth * cellHeight);
  for (let i = 0; i < values.length; i++) values[i] *= scale;
  return { values, rows, cols };
}

function checkGrid(
  points: ArrayLike<number>,
  extent: Extent,
  rows: number,
  cols: number,
  bandwidth: number,
): void {
  checkExtent(extent);
  if (points.length % 2 !== 0) {
    throw new ConfigError(`${points.length} numbers for points in the plane: give two a point`);
  }
  for (const count of [rows, cols]) {
    if (!Number.isInteger(count) || count < 1 || count > 2048) {
      throw new ConfigError(`a grid of ${rows} × ${cols} cells: give counts from 1 to 2048`);
    }
  }
  const widest = Math.min(extent[1] - extent[0], extent[3] - extent[2]) / 4;
  if (!(bandwidth > 0 && bandwidth <= widest)) {
    throw new ConfigError(
      `bandwidth ${bandwidth}: give a number above 0 and at most ${widest}, ` +
        `a quarter of the extent's shorter side`,
    );
  }
}

/** Gaussian weights at whole distances, odd in count, of sum 1. */
function gaussianKernel(std: number): Float64Array {
  const radius = Math.ceil(REACH * std);
  const kernel = new Float64Array(2 * radius + 1);
  let sum = 0;
  for (let i = 0; i < kernel.length; i++) {
    kernel[i] = i === radius ? 1 : Math.exp(-0.5 * ((i - radius) / std) ** 2);
    sum += kernel[i];
  }
  return kernel.map((v) => v / sum);
}

/** Shares a point between the four cells around it, so that its place is kept on average. */
function addToFourCells(
  counts: Float64Array,
  wide: number,
  high: number,
  x: number,
  y: number,
): void {
  const column = Math.floor(x);
  const row = Math.floor(y);
  for (let dy = 0; dy < 2; dy++) {
    for (let dx = 0; dx < 2; dx++) {
      const c = column + dx;
      const r = row + dy;
      if (c < 0 || c >= wide || r < 0 || r >= high) continue;
      counts[r * wide + c] += (dx ? x - column : 1 - x + column) * (dy ? y - row : 1 - y + row);
    }
  }
}

/**
 * out[r, c] = Σ_k kernel[k] · input[r·rowStride + c + k·tapStride]: along a row with tapStride 1,
 * down a column with tapStride = rowStride. Only where the whole kernel lies inside.
 */
function correlate(
  input: Float64Array,
  kernel: Float64Array,
  rows: number,
  cols: number,
  rowStride: number,
  tapStride: number,
): Float64Array {
  const out = new Float64Array(rows * cols);
  for (let r = 0; r < rows; r++) {
    for (let k = 0; k < kernel.length; k++) {
      const weight = kernel[k];
      const from = r * rowStride + k * tapStride;
      for (let c = 0; c < cols; c++) out[r * cols + c] += weight * input[from + c];
    }
  }
  return out;
}

/**
 * The field between the cells' centres by bilinear interpolation; beyond the outermost centres it
 * goes on as constant.
 *
 * @param field values on a grid
 * @param across 0 at the extent's left edge, 1 at its right
 * @param down 0 at its top edge, 1 at its bottom
 */
export function bilinear(field: GridField, across: number, down: number): number {
  const { values, rows, cols } = field;
  const x = Math.min(cols - 1, Math.max(0, across * cols - 0.5));
  const y = Math.min(rows - 1, Math.max(0, down * rows - 0.5));
  const c0 = Math.floor(x);
  const r0 = Math.floor(y);
  const c1 = Math.min(cols - 1, c0 + 1);
  const r1 = Math.min(rows - 1, r0 + 1);
  const sx = x - c0;
  const sy = y - r0;
  const upper = values[r0 * cols + c0] * (1 - sx) + values[r0 * cols + c1] * sx;
  const lower = values[r1 * cols + c0] * (1 - sx) + values[r1 * cols + c1] * sx;
  return upper * (1 - sy) + lower * sy;
}

/** @throws {ConfigError} if a field's values are not rows × cols of at least one */
export function checkField(field: GridField): void {
  const { rows, cols, values } = field;
  const whole = Number.isInteger(rows) && Number.isInteger(cols) && rows > 0 && cols > 0;
  if (!whole || values.length !== rows * cols) {
    throw new ConfigError(
      `a field of ${rows} × ${cols} has ${values.length} values: give rows × cols of them`,
    );
  }
}
