/**
 * @file The inception score (T. Salimans, I. Goodfellow, W. Zaremba, V. Cheung, A. Radford and X. Chen,
 * "Improved Techniques for Training GANs", 2016).
 */
import { requireWhole } from "../whole_number.ts";
import { mean, populationDeviation } from "./moments.ts";
import { countSamples, type Samples } from "./samples.ts";

/** How images are divided; see {@link inceptionScore}. */
export interface InceptionScoreOptions {
  /** How many parts; 10 where left out. */
  readonly splits?: number;
}

/** What {@link inceptionScore} finds. */
export interface InceptionScore {
  /** The mean over splits, from 1 to the number of classes: higher is better. */
  readonly mean: number;
  /** The standard deviation over splits (`numpy.std`), which is reported beside it. */
  readonly standardDeviation: number;
  /** The score of each split. */
  readonly values: Float64Array;
}

/**
 * The inception score exp(E KL(p(y|x) ‖ p(y))) of images, from a classifier's logits in float64: high
 * where each image is clearly of one class and all classes occur. As in the authors' program the
 * images are divided into consecutive splits, of which p(y) is the mean.
 *
 * It says nothing of how near samples are to data: one perfect image a class has the highest score, as
 * has whatever fools the classifier. S. Barratt and R. Sharma ("A Note on the Inception Score", 2018)
 * show that it means little for images that are not of the classifier's classes, that it differs with
 * the weights of the same network, and that it is biased by the size of the splits, 5,000 images in
 * what the field reports. So report it for comparison, of the same network and as many images, and
 * choose nothing by it.
 *
 * @param logits n·classes numbers, row by row, before softmax
 * @param classes how many classes there are
 * @param options how many splits
 * @throws {ConfigError} where the number of splits is not a positive whole number.
 * @throws {VapoError} where logits are not whole rows, or fewer than there are splits.
 * @throws {NonFiniteError} where a logit is not finite.
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { inceptionScore } from "vapo";
 * // Two images, each certainly of a class of its own: two classes.
 * const { mean } = inceptionScore(Float32Array.of(99, -99, -99, 99), 2, { splits: 1 });
 * assertAlmostEquals(mean, 2);
 * ```
 */
export function inceptionScore(
  logits: Samples,
  classes: number,
  { splits = 10 }: InceptionScoreOptions = {},
): InceptionScore {
  requireWhole("splits", splits, 1);
  const n = countSamples(logits, classes, splits);
  const values = Float64Array.from({ length: splits }, (_, split) => {
    const first = Math.floor(split * n / splits), end = Math.floor((split + 1) * n / splits);
    return scoreOf(logits.subarray(first * classes, end * classes), classes);
  });
  return { mean: mean(values), standardDeviation: populationDeviation(values), values };
}

/**
 * The score of one split. The mean divergence is the entropy of the mean less the mean of the
 * entropies.
 */
function scoreOf(logits: Samples, classes: number): number {
  const n = logits.length / classes;
  const marginal = new Float64Array(classes), p = new Float64Array(classes);
  let negativeEntropies = 0;
  for (let image = 0; image < n; image++) {
    let most = -Infinity;
    for (let y = 0; y < classes; y++) most = Math.max(most, logits[image * classes + y]);
    let sum = 0, weighted = 0;
    for (let y = 0; y < classes; y++) {
      const shifted = logits[image * classes + y] - most;
      p[y] = Math.exp(shifted);
      sum += p[y];
      weighted += p[y] * shifted;
    }
    // Σ p log p with p = exp(shifted)/sum.
    negativeEntropies += weighted / sum - Math.log(sum);
    for (let y = 0; y < classes; y++) marginal[y] += p[y] / sum;
  }
  let entropy = 0;
  for (const total of marginal) if (total > 0) entropy -= total / n * Math.log(total / n);
  return Math.exp(negativeEntropies / n + entropy);
}
