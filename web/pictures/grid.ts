/**
 * @file Values on the square grid of a field: where its points are, what lies between them (bilinear
 * and cubic), and the same field on a finer grid. Cubic interpolation is that of R. Keys, "Cubic
 * convolution interpolation for digital image processing", IEEE Transactions on Acoustics, Speech, and
 * Signal Processing 29 (1981): smooth, through all values, exact for quadratics up to the edges.
 */
import { ConfigError } from "../../core/errors.ts";
import type { Grid } from "../laboratory/engine_types.ts";

/** Where the points of a row of outputs are on a grid's axis: 4 neighbours each, with weights. */
export interface CubicTaps {
  /** The first of the four neighbours. */
  readonly base: Int32Array;
  /** [outputs, 4] */
  readonly weights: Float32Array;
}

/** Where outputs lie on the axis: at the centres of equal parts, or from edge to edge. */
export type Places = "centres" | "nodes";

/** The coordinate of a column's centre; that of row i is `-cellCentre(grid, i)`. */
export function cellCentre({ size, extent }: Grid, index: number): number {
  return ((2 * index + 1) / size - 1) * extent;
}

/** @throws {ConfigError} if there are not `channels` values a point, or under 4 points a side */
export function checkGrid(values: ArrayLike<number>, size: number, channels = 1): void {
  if (!Number.isInteger(size) || size < 4) {
    throw new ConfigError(`a grid of ${size} points a side: give a whole number from 4`);
  }
  if (values.length !== size * size * channels) {
    throw new ConfigError(
      `a grid of ${size} × ${size} points has ${values.length} values: ` +
        `give ${size * size * channels}`,
    );
  }
}

/**
 * Neighbours and weights of Keys' cubic interpolation. Beyond the outermost values stands what
 * continues them as a quadratic (Keys, equations 19 and 25), folded into the weights.
 *
 * @param size points of the axis, at the centres of equal parts of it; at least 4
 * @param count outputs
 * @param places where the outputs are
 */
export function cubicTaps(size: number, count: number, places: Places): CubicTaps {
  const base = new Int32Array(count);
  const weights = new Float32Array(4 * count);
  for (let i = 0; i < count; i++) {
    const share = places === "centres" ? (i + 0.5) / count : count > 1 ? i / (count - 1) : 0.5;
    const at = share * size - 0.5;
    const k = Math.min(size - 2, Math.max(0, Math.floor(at)));
    const [a, b, c, d] = keysWeights(at - k);
    if (k === 0) {
      weights.set([b + 3 * a, c - 3 * a, d + a, 0], 4 * i);
    } else if (k === size - 2) {
      base[i] = size - 4;
      weights.set([0, a + d, b - 3 * d, c + 3 * d], 4 * i);
    } else {
      base[i] = k - 1;
      weights.set([a, b, c, d], 4 * i);
    }
  }
  return { base, weights };
}

/** Of the values at −1, 0, 1, 2 for a place t: Keys' kernel with a = −1/2. */
function keysWeights(t: number): [number, number, number, number] {
  const t2 = t * t, t3 = t2 * t;
  return [
    -0.5 * t3 + t2 - 0.5 * t,
    1.5 * t3 - 2.5 * t2 + 1,
    -1.5 * t3 + 2 * t2 + 0.5 * t,
    0.5 * t3 - 0.5 * t2,
  ];
}

/** Every row of a grid at the places of `taps`: [size, outputs]. */
export function resampledRows(
  values: ArrayLike<number>,
  size: number,
  { base, weights }: CubicTaps,
): Float32Array {
  const count = base.length;
  const out = new Float32Array(size * count);
  for (let row = 0, o = 0; row < size; row++) {
    const start = row * size;
    for (let i = 0, w = 0; i < count; i++, w += 4) {
      const p = start + base[i];
      out[o++] = weights[w] * values[p] + weights[w + 1] * values[p + 1] +
        weights[w + 2] * values[p + 2] + weights[w + 3] * values[p + 3];
    }
  }
  return out;
}

/**
 * A field on another grid of the same square, by cubic interpolation.
 *
 * @param values [size, size]
 * @param size points a side, at least 4
 * @param count points a side of the result
 * @param places "nodes" puts the outermost on the square's edges
 * @returns [count, count]; what is not finite spoils what is within two points of it
 * @throws {ConfigError} if the count of values is not size²
 */
export function resampled(
  values: ArrayLike<number>,
  size: number,
  count: number,
  places: Places,
): Float32Array {
  checkGrid(values, size);
  const taps = cubicTaps(size, count, places);
  const rows = resampledRows(values, size, taps);
  const out = new Float32Array(count * count);
  for (let i = 0, o = 0; i < count; i++) {
    const p = taps.base[i] * count;
    const [a, b, c, d] = taps.weights.subarray(4 * i, 4 * i + 4);
    for (let j = p; j < p + count; j++) {
      out[o++] = a * rows[j] + b * rows[j + count] + c * rows[j + 2 * count] +
        d * rows[j + 3 * count];
    }
  }
  return out;
}

/**
 * A value of a field anywhere in the square, between its points bilinear and beyond the outermost
 * as the same slope goes on: exact for linear fields.
 *
 * @param values [size, size, channels]
 * @param channel which of the values of a point
 */
export function bilinearAt(
  values: ArrayLike<number>,
  { size, extent }: Grid,
  x: number,
  y: number,
  channels = 1,
  channel = 0,
): number {
  const scale = size / (2 * extent);
  const across = (x + extent) * scale - 0.5;
  const down = (extent - y) * scale - 0.5;
  const c = Math.min(size - 2, Math.max(0, Math.floor(across)));
  const r = Math.min(size - 2, Math.max(0, Math.floor(down)));
  const s = across - c, t = down - r;
  const p = (r * size + c) * channels + channel;
  const below = p + size * channels;
  return (1 - t) * ((1 - s) * values[p] + s * values[p + channels]) +
    t * ((1 - s) * values[below] + s * values[below + channels]);
}
