/**
 * @file How samples spread over the modes of a known mixture: the measures of "Unrolled Generative
 * Adversarial Networks" (Metz, Poole, Pfau and Sohl-Dickstein 2017) and "VEEGAN" (Srivastava et al.
 * 2017), which call a sample good within three standard deviations of a mode.
 */

import type { GaussianMixture } from "../homotopy/gaussian_mixture.ts";
import { countSamples, type Samples } from "./samples.ts";

/** The mode nearest to each sample, and the squared distance to it. */
function nearestModes(samples: Samples, means: GaussianMixture["means"]) {
  const dimension = means[0].length;
  const count = countSamples(samples, dimension);
  const mode = new Uint32Array(count), squaredDistance = new Float64Array(count).fill(Infinity);
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < means.length; k++) {
      let squared = 0;
      for (let j = 0; j < dimension; j++) {
        squared += (samples[i * dimension + j] - means[k][j]) ** 2;
      }
      if (squared < squaredDistance[i]) {
        squaredDistance[i] = squared;
        mode[i] = k;
      }
    }
  }
  return { mode, squaredDistance };
}

/**
 * The fraction of samples within k standard deviations of their nearest mode. A perfect sampler of
 * a well separated mixture in two dimensions reaches 1 − exp(−k²/2), which is 0.989 for k = 3.
 *
 * Source: Metz et al., "Unrolled Generative Adversarial Networks", 2017; Srivastava et al.,
 * "VEEGAN", 2017.
 *
 * @param samples n·d numbers, row by row
 * @param mixture the known mixture, of dimension d
 * @param k how many of the mixture's standard deviations; 3 where left out
 * @throws {VapoError} where samples are not whole, or none.
 * @throws {NonFiniteError} where a number is not finite.
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { fractionWithinModes } from "vapo";
 * const mixture = { means: [[-1], [1]], std: 0.1 };
 * assertEquals(fractionWithinModes(Float64Array.of(-1, 0, 0.8, 1.2), mixture), 0.75);
 * ```
 */
export function fractionWithinModes(samples: Samples, mixture: GaussianMixture, k = 3): number {
  const { squaredDistance } = nearestModes(samples, mixture.means);
  const limit = (k * mixture.std) ** 2;
  return squaredDistance.filter((squared) => squared <= limit).length / squaredDistance.length;
}

/**
 * The share of samples whose nearest mode is each of the mixture's: numbers that sum to 1, one a
 * mode, in the order of its means. A missing mode has 0.
 *
 * Source: Metz et al., "Unrolled Generative Adversarial Networks", 2017.
 *
 * @param samples n·d numbers, row by row
 * @param mixture the known mixture, of dimension d
 * @throws {VapoError} where samples are not whole, or none.
 * @throws {NonFiniteError} where a number is not finite.
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { modeHistogram } from "vapo";
 * const mixture = { means: [[-1], [1]], std: 0.1 };
 * assertEquals([...modeHistogram(Float64Array.of(-1, 0.2, 0.8, 1.2), mixture)], [0.25, 0.75]);
 * ```
 */
export function modeHistogram(samples: Samples, mixture: GaussianMixture): Float64Array {
  const { mode } = nearestModes(samples, mixture.means);
  const counts = new Float64Array(mixture.means.length);
  for (const k of mode) counts[k]++;
  return counts.map((samplesOfMode) => samplesOfMode / mode.length);
}
