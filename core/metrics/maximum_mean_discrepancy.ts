/**
 * @file The squared maximum mean discrepancy with Gaussian kernels (Gretton, Borgwardt, Rasch,
 * Schölkopf and Smola, "A Kernel Two-Sample Test", JMLR 13, 2012).
 */

import { ConfigError } from "../errors.ts";
import { pairSum } from "./pair_sum.ts";
import { countSamples, type Samples } from "./samples.ts";

/** Which Gaussian kernels are averaged; see {@link maximumMeanDiscrepancy}. */
export interface MaximumMeanDiscrepancyOptions {
  /** h of each kernel exp(−|x − y|²/2h²); {@link medianBandwidth} of both samples where left out. */
  readonly bandwidths?: readonly number[];
}

/**
 * The squared maximum mean discrepancy, E k(X, X′) + E k(Y, Y′) − 2 E k(X, Y), by the unbiased
 * estimator, so it scatters around 0 for samples of one distribution and
 * may be negative. k is the mean over the bandwidths h of exp(−|x − y|²/2h²); values lie in
 * about [0, 2], without a unit.
 *
 * Source: Gretton et al., "A Kernel Two-Sample Test", 2012, equation 3.
 *
 * @param x n·d numbers, row by row; n ≥ 2
 * @param y m·d numbers, row by row; m ≥ 2
 * @param dimension d
 * @param options the bandwidths
 * @throws {ConfigError} where a bandwidth is not positive.
 * @throws {VapoError} where samples are not whole, or fewer than two.
 * @throws {NonFiniteError} where a number is not finite.
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { maximumMeanDiscrepancy } from "vapo";
 * const x = Float64Array.of(0, 0), y = Float64Array.of(2, 2);
 * const squared = maximumMeanDiscrepancy(x, y, 1, { bandwidths: [1] });
 * assertAlmostEquals(squared, 2 - 2 * Math.exp(-2));
 * ```
 */
export function maximumMeanDiscrepancy(
  x: Samples,
  y: Samples,
  dimension: number,
  { bandwidths }: MaximumMeanDiscrepancyOptions = {},
): number {
  const n = countSamples(x, dimension, 2), m = countSamples(y, dimension, 2);
  const widths = bandwidths ?? [medianBandwidth(x, y, dimension)];
  if (widths.length === 0 || !widths.every((width) => width > 0 && width < Infinity)) {
    throw new ConfigError(
      `bandwidths are [${widths.join(", ")}]; expected one or more positive numbers` +
        (bandwidths ? "" : ": most samples are the same point, pass bandwidths"),
    );
  }
  let sum = 0;
  for (const width of widths) {
    const scale = -1 / (2 * width * width);
    const kernel = (squaredDistance: number) => Math.exp(scale * squaredDistance);
    sum += 2 * pairSum(x, undefined, dimension, kernel) / (n * (n - 1)) +
      2 * pairSum(y, undefined, dimension, kernel) / (m * (m - 1)) -
      2 * pairSum(x, y, dimension, kernel) / (n * m);
  }
  return sum / widths.length;
}

/** Of each sample the median takes at most so many points: half a million distances in all. */
const MEDIAN_POINTS = 500;

/**
 * The median heuristic: the median of the distances between different points of both samples
 * together. Of a larger sample, 500 evenly spaced points take part.
 *
 * Source: Gretton et al., "A Kernel Two-Sample Test", 2012, section 8.
 *
 * @param x n·d numbers, row by row
 * @param y m·d numbers, row by row
 * @param dimension d
 * @returns a distance, in the unit of the samples
 * @throws {VapoError} where samples are not whole, or none.
 * @throws {NonFiniteError} where a number is not finite.
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { medianBandwidth } from "vapo";
 * // The distances between 0, 1 and 5 are 1, 4 and 5.
 * assertEquals(medianBandwidth(Float64Array.of(0, 1), Float64Array.of(5), 1), 4);
 * ```
 */
export function medianBandwidth(x: Samples, y: Samples, dimension: number): number {
  const points = [...thin(x, dimension), ...thin(y, dimension)];
  const distances = new Float64Array(points.length * (points.length - 1) / 2);
  let index = 0;
  for (let j = 1; j < points.length; j++) {
    for (let i = 0; i < j; i++) {
      let squared = 0;
      for (let k = 0; k < dimension; k++) squared += (points[i][k] - points[j][k]) ** 2;
      distances[index++] = Math.sqrt(squared);
    }
  }
  distances.sort();
  const middle = distances.length >> 1;
  return distances.length % 2 ? distances[middle] : (distances[middle - 1] + distances[middle]) / 2;
}

/** At most {@link MEDIAN_POINTS} evenly spaced points of a sample. */
function thin(samples: Samples, dimension: number): Samples[] {
  const count = countSamples(samples, dimension);
  const kept = Math.min(count, MEDIAN_POINTS);
  return Array.from({ length: kept }, (_, i) => {
    const row = Math.floor(i * count / kept);
    return samples.subarray(row * dimension, (row + 1) * dimension);
  });
}
