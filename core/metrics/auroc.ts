/**
 * @file The area under the receiver operating characteristic: the chance that a score is higher on
 * one distribution than on another, with its standard error (E. R. DeLong, D. M. DeLong and D. L.
 * Clarke-Pearson, "Comparing the Areas under Two or More Correlated Receiver Operating
 * Characteristic Curves: A Nonparametric Approach", Biometrics 44, 1988).
 */
import { mean, sampleVariance } from "./moments.ts";
import { countSamples, type Samples } from "./samples.ts";

/** An area under the ROC curve; see {@link auroc}. */
export interface Auroc {
  /** From 0 to 1; ½ where the scores tell nothing apart. */
  readonly area: number;
  /** DeLong's standard error; 0 where the scores separate the two completely. */
  readonly standardError: number;
}

/**
 * The area under the receiver operating characteristic, P(X > Y) + ½ P(X = Y) for a score X of a
 * positive and Y of a negative, by ranks: ties count half, as in the statistic U of Mann and Whitney,
 * of which it is the share of the n·m pairs. It depends on the order of the scores alone. Exact in
 * float64, O(n log n).
 *
 * The standard error is DeLong's: the positives' share of negatives below them, and the negatives'
 * of positives above, scatter independently, S₁/n + S₀/m. It takes all scores to be independent of
 * each other; where some are not (images made of those of the other set) it is an approximation.
 *
 * Source: DeLong, DeLong and Clarke-Pearson, Biometrics 44, 1988; by ranks as in Sun and Xu, IEEE
 * Signal Processing Letters 21, 2014.
 *
 * @param positives scores that should be high, at least two
 * @param negatives scores that should be low, at least two
 * @throws {VapoError} where there are fewer than two of one.
 * @throws {NonFiniteError} where a score is not finite.
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { auroc } from "vapo";
 * // Of the six pairs, four are in order, one is a tie, one is not in order.
 * const { area } = auroc(Float64Array.of(1, 3, 4), Float64Array.of(1, 2));
 * assertEquals(area, (4 + 0.5) / 6);
 * ```
 */
export function auroc(positives: Samples, negatives: Samples): Auroc {
  const x = sorted(positives), y = sorted(negatives);
  const below = sharesBelow(x, y), notAbove = sharesBelow(y, x);
  const area = mean(below);
  const variance = sampleVariance(below) / x.length + sampleVariance(notAbove) / y.length;
  return { area, standardError: Math.sqrt(variance) };
}

/** A receiver operating characteristic; see {@link rocCurve}. */
export interface RocCurve {
  /** Infinity at the first point, then the distinct scores from the highest down. */
  readonly thresholds: Float64Array;
  /** Share of the negatives whose score is a threshold or above it: 0 to 1. */
  readonly falsePositiveRate: Float64Array;
  /** Share of the positives whose score is a threshold or above it: 0 to 1. */
  readonly truePositiveRate: Float64Array;
}

/**
 * The points of the receiver operating characteristic, from (0, 0) to (1, 1): one for each distinct
 * score, none left out. The area under the straight lines between them is that of {@link auroc}.
 *
 * @param positives scores that should be high, at least one
 * @param negatives scores that should be low, at least one
 * @throws {VapoError} where there is none of one.
 * @throws {NonFiniteError} where a score is not finite.
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { rocCurve } from "vapo";
 * const curve = rocCurve(Float64Array.of(3, 1), Float64Array.of(1, 0));
 * assertEquals([...curve.thresholds], [Infinity, 3, 1, 0]);
 * assertEquals([...curve.truePositiveRate], [0, 0.5, 1, 1]);
 * assertEquals([...curve.falsePositiveRate], [0, 0, 0.5, 1]);
 * ```
 */
export function rocCurve(positives: Samples, negatives: Samples): RocCurve {
  const x = sorted(positives, 1), y = sorted(negatives, 1);
  const thresholds = [Infinity], truePositives = [0], falsePositives = [0];
  for (let i = x.length, j = y.length; i > 0 || j > 0;) {
    const threshold = Math.max(i > 0 ? x[i - 1] : -Infinity, j > 0 ? y[j - 1] : -Infinity);
    while (i > 0 && x[i - 1] === threshold) i--;
    while (j > 0 && y[j - 1] === threshold) j--;
    thresholds.push(threshold);
    truePositives.push((x.length - i) / x.length);
    falsePositives.push((y.length - j) / y.length);
  }
  return {
    thresholds: Float64Array.from(thresholds),
    falsePositiveRate: Float64Array.from(falsePositives),
    truePositiveRate: Float64Array.from(truePositives),
  };
}

/** Finite scores in increasing order. */
function sorted(scores: Samples, least = 2): Float64Array {
  countSamples(scores, 1, least);
  return Float64Array.from(scores).sort();
}

/** Of each x the share of y that is below it, ties counted half; both in increasing order. */
function sharesBelow(x: Float64Array, y: Float64Array): Float64Array {
  let below = 0, notAbove = 0;
  return x.map((value) => {
    while (below < y.length && y[below] < value) below++;
    while (notAbove < y.length && y[notAbove] <= value) notAbove++;
    return (below + notAbove) / (2 * y.length);
  });
}
