/**
 * @file The energy distance of two samples (Székely and Rizzo, "Energy statistics: A class of
 * statistics based on distances", J. Stat. Plan. Inference 143, 2013).
 */

import { pairSum } from "./pair_sum.ts";
import { countSamples, type Samples } from "./samples.ts";

/** How the expectations over pairs of one sample are estimated; see {@link energyDistance}. */
export interface EnergyDistanceOptions {
  /** "v-statistic" where left out. */
  readonly estimator?: "v-statistic" | "u-statistic";
}

/**
 * The energy distance 2 E|X − Y| − E|X − X′| − E|Y − Y′|, with Euclidean norms, estimated from
 * samples in float64. It is 0 where, and only where, the two distributions are the same; its unit
 * is that of the samples. No square root is taken: `scipy.stats.energy_distance` is the root of
 * this number.
 *
 * The two estimators differ in E|X − X′|. The V-statistic takes all n² pairs, a point with itself
 * among them: it is the energy distance of the two empirical distributions, so it is never negative
 * and other implementations give the same number, which is why it is the default. But for samples
 * of one distribution it is not 0 on average: it is (1/n + 1/m) E|X − X′|, the noise floor
 * that a perfect sampler reaches. The U-statistic takes the n(n − 1) pairs of different points: it
 * is unbiased, so comparable between sample sizes, and scatters around 0, below it too, for samples
 * of one distribution.
 *
 * Source: Székely and Rizzo, "Energy statistics: A class of statistics based on distances", 2013.
 *
 * @param x n·d numbers, row by row
 * @param y m·d numbers, row by row
 * @param dimension d
 * @param options the estimator
 * @throws {VapoError} where samples are not whole, or too few (one; two for the U-statistic).
 * @throws {NonFiniteError} where a number is not finite.
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { energyDistance } from "vapo";
 * // Two point masses at distance 5: 2·5 − 0 − 0.
 * assertEquals(energyDistance(Float64Array.of(0, 0), Float64Array.of(3, 4), 2), 10);
 * ```
 */
export function energyDistance(
  x: Samples,
  y: Samples,
  dimension: number,
  { estimator = "v-statistic" }: EnergyDistanceOptions = {},
): number {
  const unbiased = estimator === "u-statistic";
  const n = countSamples(x, dimension, unbiased ? 2 : 1);
  const m = countSamples(y, dimension, unbiased ? 2 : 1);
  const between = pairSum(x, y, dimension, Math.sqrt) / (n * m);
  const withinX = 2 * pairSum(x, undefined, dimension, Math.sqrt) / (n * (unbiased ? n - 1 : n));
  const withinY = 2 * pairSum(y, undefined, dimension, Math.sqrt) / (m * (unbiased ? m - 1 : m));
  return 2 * between - withinX - withinY;
}
