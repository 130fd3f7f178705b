/**
 * @file Samples as the metrics take them: flat arrays of numbers, row by row, with a dimension.
 */

import { NonFiniteError, VapoError } from "../errors.ts";

/** n points of dimension d as n·d numbers, row by row. */
export type Samples = Float32Array | Float64Array;

/**
 * How many points there are, once they are known to be whole, finite and enough.
 *
 * @param samples n·d numbers
 * @param dimension d
 * @param least the smallest number of points that the metric is defined for
 * @throws {VapoError} where the numbers are not whole points, or too few.
 * @throws {NonFiniteError} where one of them is not finite: a diverged sampler has no distance.
 */
export function countSamples(samples: Samples, dimension: number, least = 1): number {
  const count = samples.length / dimension;
  if (!(Number.isInteger(dimension) && dimension > 0 && Number.isInteger(count))) {
    throw new VapoError(
      `${samples.length} numbers are not whole samples of dimension ${dimension}; ` +
        `expected a multiple of a positive integer: pass n·d numbers and d`,
    );
  }
  if (count < least) {
    throw new VapoError(`${count} samples given; expected at least ${least}: draw more`);
  }
  const index = samples.findIndex((value: number) => !Number.isFinite(value));
  if (index >= 0) {
    throw new NonFiniteError(
      `sample ${Math.floor(index / dimension)} holds ${samples[index]}; expected finite numbers: ` +
        `the sampler or the training run diverged`,
    );
  }
  return count;
}
