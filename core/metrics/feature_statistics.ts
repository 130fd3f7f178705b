/**
 * @file Mean and covariance of features, in double precision, over rows that may come in parts.
 */
import { VapoError } from "../errors.ts";
import {
  crossProductRows,
  type CrossProducts,
  openCrossProducts,
} from "../linear_algebra/cross_products.ts";
import { type Interruptible, pauses } from "../pauses.ts";
import { countSamples, type Samples } from "./samples.ts";

/** What a Fréchet distance knows of a set of features. */
export interface FeatureStatistics {
  /** [dimension]. */
  readonly mean: Float64Array;
  /** [dimension, dimension], row by row: the unbiased estimate, with n − 1 (`numpy.cov`). */
  readonly covariance: Float64Array;
  /** n. */
  readonly count: number;
}

/** How statistics are computed; see {@link featureStatistics}. */
export interface FeatureStatisticsOptions extends Interruptible {
  /** One a processor where it is left out; the numbers do not depend on it. */
  readonly threads?: number;
}

/**
 * The mean and the covariance of features. What is summed is float32 features less a number near
 * their mean, products and sums in float64: a large mean costs no digits, and a constant feature has a
 * variance of exactly 0. The work is n·d²/2 multiplications and additions.
 *
 * Of features in parts that number is the mean of the first part; so the last bits depend on how the
 * features were divided, but on nothing else.
 *
 * Source: T. Chan, G. Golub and R. LeVeque, "Algorithms for Computing the Sample Variance: Analysis and
 * Recommendations", The American Statistician 37(3), 1983 (the shifted algorithm).
 *
 * @param features n·d numbers, row by row; or parts of them, each of whole rows; n ≥ 2
 * @param dimension d
 * @param options threads, an abort signal, and who is told of progress in rows (the total only where
 * the features are one array, otherwise what is done)
 * @throws {VapoError} where features are not whole rows, or fewer than two.
 * @throws {NonFiniteError} where a feature is not finite.
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { featureStatistics } from "vapo";
 * const features = Float32Array.of(1, 0, 3, 4);
 * const { mean, covariance, count } = await featureStatistics(features, 2);
 * assertEquals([...mean], [2, 2]);
 * assertEquals([...covariance], [2, 4, 4, 8]);
 * assertEquals(count, 2);
 * ```
 */
export async function featureStatistics(
  features: Samples | Iterable<Samples> | AsyncIterable<Samples>,
  dimension: number,
  { threads, signal, onProgress }: FeatureStatisticsOptions = {},
): Promise<FeatureStatistics> {
  const whole = isSamples(features);
  const total = whole ? countSamples(features, dimension, 2) : undefined;
  const pause = pauses(signal);
  let sums: RunningSums | undefined;
  try {
    for await (const part of whole ? [features] : features) {
      if (!whole) countSamples(part, dimension, 0);
      if (part.length === 0) continue;
      sums ??= await openSums(part, dimension, threads);
      for (let row = 0; row < part.length / dimension; row += crossProductRows) {
        sums.add(part.subarray(row * dimension, (row + crossProductRows) * dimension));
        onProgress?.(sums.count(), total ?? sums.count());
        await pause();
      }
    }
    const count = sums?.count() ?? 0;
    if (!sums || count < 2) {
      throw new VapoError(`${count} samples given; expected at least 2: draw more`);
    }
    return sums.finish();
  } finally {
    sums?.dispose();
  }
}

function isSamples(features: unknown): features is Samples {
  return features instanceof Float32Array || features instanceof Float64Array;
}

interface RunningSums {
  /** At most {@link crossProductRows} rows. */
  add(rows: Samples): void;
  count(): number;
  finish(): FeatureStatistics;
  dispose(): void;
}

async function openSums(
  first: Samples,
  dimension: number,
  threads: number | undefined,
): Promise<RunningSums> {
  const shift = nearMean(first, dimension);
  const products: CrossProducts = await openCrossProducts(dimension, { threads });
  const sum = new Float64Array(dimension);
  let count = 0;
  return {
    add(rows) {
      const own = rows.length / dimension;
      products.add(rows, own, shift);
      addRows(sum, rows, shift);
      count += own;
    },
    count: () => count,
    finish() {
      const covariance = products.sum();
      const beyond = sum.map((each) => each / count);
      for (let i = 0; i < dimension; i++) {
        for (let j = 0; j < dimension; j++) {
          const at = i * dimension + j;
          covariance[at] = (covariance[at] - count * beyond[i] * beyond[j]) / (count - 1);
        }
      }
      return { mean: beyond.map((each, i) => each + shift[i]), covariance, count };
    },
    dispose: () => products.dispose(),
  };
}

/**
 * The mean, rounded to float32: the difference of two numbers of float32 is exact in float64, unless
 * one of them is 2²⁹ times the other.
 */
function nearMean(rows: Samples, dimension: number): Float64Array {
  const sum = new Float64Array(dimension);
  addRows(sum, rows, new Float64Array(dimension));
  const count = rows.length / dimension;
  return sum.map((each) => Math.fround(each / count));
}

/** Adds rows less a shift. */
function addRows(sum: Float64Array, rows: Samples, shift: Float64Array): void {
  const dimension = sum.length;
  // Sums of so many rows, so that the rounding of long sums stays small.
  const part = new Float64Array(dimension);
  for (let start = 0; start < rows.length; start += crossProductRows * dimension) {
    const end = Math.min(start + crossProductRows * dimension, rows.length);
    part.fill(0);
    for (let row = start; row < end; row += dimension) {
      for (let j = 0; j < dimension; j++) part[j] += rows[row + j] - shift[j];
    }
    for (let j = 0; j < dimension; j++) sum[j] += part[j];
  }
}
