/**
 * @file The sliced Wasserstein distance of order 2 (Rabin, Peyré, Delon and Bernot, "Wasserstein
 * Barycenter and its Application to Texture Mixing", SSVM 2011; Bonneel, Rabin, Peyré and Pfister,
 * "Sliced and Radon Wasserstein Barycenters of Measures", 2015).
 */

import { ConfigError } from "../errors.ts";
import { fillPhilox } from "../tensor/philox.ts";
import { countSamples, type Samples } from "./samples.ts";

/** The directions to project on; see {@link slicedWasserstein}. */
export interface SlicedWassersteinOptions {
  /** How many random directions; 128 where left out. One is exact, and taken, for d = 1. */
  readonly projections?: number;
  /** What the directions are a function of; 0 where left out. */
  readonly seed?: number;
}

/**
 * The sliced 2-Wasserstein distance: the root of the mean, over directions θ on the unit sphere, of
 * W₂² between the two samples projected on θ, each exact. Its unit is that of the samples. Between
 * two point masses at distance r it is r/√d; compare values at one dimension only.
 *
 * Source: Rabin et al., "Wasserstein Barycenter and its Application to Texture Mixing", 2011.
 *
 * @param x n·d numbers, row by row
 * @param y m·d numbers, row by row; m may differ from n
 * @param dimension d
 * @param options how many directions, and their seed
 * @throws {ConfigError} where the number of projections is not a positive integer.
 * @throws {VapoError} where samples are not whole, or none.
 * @throws {NonFiniteError} where a number is not finite.
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { slicedWasserstein } from "vapo";
 * const x = Float64Array.of(0, 1, 2), shifted = Float64Array.of(5, 3, 4);
 * assertAlmostEquals(slicedWasserstein(x, shifted, 1), 3);
 * ```
 */
export function slicedWasserstein(
  x: Samples,
  y: Samples,
  dimension: number,
  { projections = 128, seed = 0 }: SlicedWassersteinOptions = {},
): number {
  countSamples(x, dimension);
  countSamples(y, dimension);
  if (!(Number.isInteger(projections) && projections > 0)) {
    throw new ConfigError(`projections is ${projections}; expected a positive integer`);
  }
  const directions = dimension === 1
    ? [Float64Array.of(1)]
    : randomDirections(projections, dimension, seed);
  let sum = 0;
  for (const direction of directions) {
    sum += squaredWasserstein1d(project(x, direction), project(y, direction));
  }
  return Math.sqrt(sum / directions.length);
}

/** Normal draws scaled to length 1 are uniform on the sphere (Muller 1959). */
function randomDirections(count: number, dimension: number, seed: number): Float64Array[] {
  const draws = new Float32Array(count * dimension);
  const words = [seed | 0, Math.floor(seed / 2 ** 32) | 0];
  fillPhilox(draws, "normal", dimension, { seed: words, step: 0, stream: 0 });
  return Array.from({ length: count }, (_, i) => {
    const direction = Float64Array.from(draws.subarray(i * dimension, (i + 1) * dimension));
    const length = Math.sqrt(direction.reduce((sum, value) => sum + value * value, 0));
    return direction.map((value) => value / length);
  });
}

/** The projections of the points on a direction, in increasing order. */
function project(samples: Samples, direction: Float64Array): Float64Array {
  const dimension = direction.length;
  const projected = new Float64Array(samples.length / dimension);
  for (let i = 0; i < projected.length; i++) {
    let sum = 0;
    for (let k = 0; k < dimension; k++) sum += samples[i * dimension + k] * direction[k];
    projected[i] = sum;
  }
  return projected.sort();
}

/**
 * W₂² of two sorted samples on the line, ∫ (F⁻¹(q) − G⁻¹(q))² dq. Both quantile functions are
 * steps, so the integral is a sum over the merged grids i/n and j/m: exact, whatever n and m.
 */
function squaredWasserstein1d(x: Float64Array, y: Float64Array): number {
  const n = x.length, m = y.length;
  let sum = 0;
  for (let i = 0, j = 0, from = 0; i < n && j < m;) {
    // In units of 1/(n·m), where the grids are integers.
    const nextX = (i + 1) * m, nextY = (j + 1) * n, to = Math.min(nextX, nextY);
    sum += (to - from) * (x[i] - y[j]) ** 2;
    if (nextX === to) i++;
    if (nextY === to) j++;
    from = to;
  }
  return sum / (n * m);
}
