/**
 * @file The kernel distance of two sets of features: the unbiased squared maximum mean discrepancy
 * with a cubic kernel, over random subsets (M. Bińkowski, D. Sutherland, M. Arbel and A. Gretton,
 * "Demystifying MMD GANs", ICLR 2018), which of Inception features is the KID.
 */
import { VapoError } from "../errors.ts";
import { openRowProducts, type RowProducts } from "../linear_algebra/row_products.ts";
import { type Interruptible, pauses } from "../pauses.ts";
import { philoxBlock, wordToIndex } from "../tensor/philox.ts";
import { requireWhole } from "../whole_number.ts";
import { meanAndError, populationDeviation } from "./moments.ts";
import { countSamples, type Samples } from "./samples.ts";

/** Which subsets a {@link kernelDistance} takes. */
export interface KernelDistanceOptions extends Interruptible {
  /** How many; 100 where left out. */
  readonly subsets?: number;
  /** Points of each set in a subset; 1,000 where left out. */
  readonly subsetSize?: number;
  /** What the subsets are a function of; 0 where left out. */
  readonly seed?: number;
  /** One a processor where it is left out; the numbers do not depend on it. */
  readonly threads?: number;
}

/** What {@link kernelDistance} finds. */
export interface KernelDistance {
  /** The mean over subsets: the estimate. */
  readonly mean: number;
  /** The standard deviation over subsets (`numpy.std`), which is reported beside it. */
  readonly standardDeviation: number;
  /**
   * Of the mean over subsets, as if subsets were independent: they are where all points of all subsets
   * are different ones, otherwise the scatter of the points themselves comes on top.
   */
  readonly standardError: number;
  /** The estimate of each subset. */
  readonly values: Float64Array;
}

/**
 * The kernel distance E k(X, X′) + E k(Y, Y′) − 2 E k(X, Y) with k(x, y) = (x·y/d + 1)³ in float64, by
 * the unbiased estimator on each of some random subsets, drawn without replacement from both sets. It
 * scatters around 0 for samples of one distribution, below it too, whatever the number of samples; it
 * has no unit, and is often given times 1,000.
 *
 * The work is 2·m²·d multiplications and additions a subset of m points.
 *
 * Source: Bińkowski et al., "Demystifying MMD GANs", 2018, section 4.
 *
 * @param x n·d features, row by row
 * @param y m·d features, row by row
 * @param dimension d
 * @param options subsets and their seed, threads, an abort signal, and who is told of progress in
 * subsets
 * @throws {ConfigError} where subsets or their size are not whole numbers from 1 and 2 on, or the seed
 * is none.
 * @throws {VapoError} where features are not whole rows, or fewer than a subset.
 * @throws {NonFiniteError} where a feature is not finite.
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { kernelDistance } from "vapo";
 * // With x = (1, −1), y = (2, 2): k(1, −1) = 0, k(2, 2) = 5³, k(1, 2) = 3³, k(−1, 2) = (−1)³.
 * const x = Float32Array.of(1, -1), y = Float32Array.of(2, 2);
 * const { mean } = await kernelDistance(x, y, 1, { subsets: 1, subsetSize: 2 });
 * assertAlmostEquals(mean, 0 + 125 - (27 - 1));
 * ```
 */
export async function kernelDistance(
  x: Samples,
  y: Samples,
  dimension: number,
  options: KernelDistanceOptions = {},
): Promise<KernelDistance> {
  const { subsets = 100, subsetSize = 1000, seed = 0, threads, signal, onProgress } = options;
  requireWhole("subsets", subsets, 1);
  requireWhole("subsetSize", subsetSize, 2);
  requireWhole("seed", seed, 0);
  const n = countSamples(x, dimension), m = countSamples(y, dimension);
  if (Math.min(n, m) < subsetSize) {
    throw new VapoError(
      `${
        Math.min(n, m)
      } samples given; expected at least the ${subsetSize} of a subset: draw more, ` +
        "or pass a smaller subsetSize",
    );
  }
  const pause = pauses(signal);
  const products = await openRowProducts({ rows: subsetSize, columns: dimension, threads });
  try {
    const values = new Float64Array(subsets);
    for (let subset = 0; subset < subsets; subset++) {
      products.pack("left", x, randomSubset(n, subsetSize, { seed, subset, set: 0 }));
      products.pack("right", y, randomSubset(m, subsetSize, { seed, subset, set: 1 }));
      values[subset] = squaredDiscrepancy(products, subsetSize, dimension);
      onProgress?.(subset + 1, subsets);
      await pause();
    }
    return summary(values);
  } finally {
    products.dispose();
  }
}

/** The unbiased estimate for what has been packed. */
function squaredDiscrepancy(products: RowProducts, m: number, dimension: number): number {
  const within = (side: "left" | "right") =>
    2 * kernelSum(products.multiply(side), products.stride, m, dimension, true) / (m * (m - 1));
  const between = () =>
    2 * kernelSum(products.multiply(), products.stride, m, dimension, false) / (m * m);
  return within("left") + within("right") - between();
}

/** Σ (x·y/d + 1)³ over inner products, or over those below the diagonal. */
function kernelSum(
  inner: Float64Array,
  stride: number,
  m: number,
  dimension: number,
  below: boolean,
): number {
  let total = 0;
  for (let i = 0; i < m; i++) {
    // A sum for each row keeps the rounding of m² terms small.
    let sum = 0;
    for (let at = i * stride, end = at + (below ? i : m); at < end; at++) {
      const base = inner[at] / dimension + 1;
      sum += base * base * base;
    }
    total += sum;
  }
  return total;
}

/** What a subset is a function of. */
export interface SubsetKey {
  readonly seed: number;
  /** The number of the subset. */
  readonly subset: number;
  /** 0 for x, 1 for y. */
  readonly set: number;
}

/**
 * So many different ones of the numbers 0 … count − 1, in random order: the first steps of R. Fisher
 * and F. Yates' shuffle, with a word of Philox for each.
 */
export function randomSubset(
  count: number,
  size: number,
  { seed, subset, set }: SubsetKey,
): Int32Array {
  const order = Int32Array.from({ length: count }, (_, i) => i), words = new Uint32Array(4);
  for (let i = 0; i < size; i++) {
    if (i % 4 === 0) {
      philoxBlock(i / 4, subset, set, 0, seed >>> 0, Math.floor(seed / 2 ** 32), words);
    }
    const other = i + wordToIndex(words[i % 4], count - i);
    const taken = order[other];
    order[other] = order[i];
    order[i] = taken;
  }
  return order.subarray(0, size);
}

function summary(values: Float64Array): KernelDistance {
  const { value, standardError = 0 } = meanAndError(values);
  return { mean: value, standardDeviation: populationDeviation(values), standardError, values };
}
