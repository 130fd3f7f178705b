/**
 * @file How long a path through samples is, beside the straight line between its ends: whether an
 * interpolation goes there, or wanders and jumps.
 */
import { VapoError } from "../errors.ts";
import { countSamples, type Samples } from "./samples.ts";

/** What {@link pathLengths} finds, a number a row of each. */
export interface PathLengths {
  /** Σ |x_{i+1} − x_i|, in the unit of the points. */
  readonly lengths: Float64Array;
  /** |x_last − x_first|, never above the length but for rounding. */
  readonly distances: Float64Array;
  /** length / distance: 1 on a straight line; NaN or Infinity where both ends are the same point. */
  readonly ratios: Float64Array;
  /**
   * The longest step's share of the length: 1/(steps − 1) where all are equally long, 1 where one
   * jump is all there is; NaN where the path stands still.
   */
  readonly longestShares: Float64Array;
}

/**
 * Lengths of paths with Euclidean steps, in float64: of pixels, or of features, where steps of equal
 * length are about equally visible. With few points a path seems shorter than it is: compare paths of
 * as many points.
 *
 * @param points paths · steps · d numbers, point by point along each path
 * @param shape how many paths, how many points of each (at least two), and d
 * @throws {VapoError} where the numbers do not fit the shape, or a path has fewer than two points.
 * @throws {NonFiniteError} where a number is not finite.
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { pathLengths } from "vapo";
 * // One path in the plane: 3 to the right, then 4 upwards.
 * const { lengths, ratios } = pathLengths(Float64Array.of(0, 0, 3, 0, 3, 4), [1, 3, 2]);
 * assertEquals([lengths[0], ratios[0]], [7, 7 / 5]);
 * ```
 */
export function pathLengths(
  points: Samples,
  [paths, steps, dimension]: readonly [paths: number, steps: number, dimension: number],
): PathLengths {
  const count = countSamples(points, dimension);
  if (count !== paths * steps || !Number.isInteger(steps) || steps < 2) {
    throw new VapoError(
      `${count} points for ${paths} paths of ${steps}: expected ${paths * steps} points, ` +
        "at least two a path",
    );
  }
  const lengths = new Float64Array(paths), distances = new Float64Array(paths);
  const longest = new Float64Array(paths);
  for (let path = 0; path < paths; path++) {
    const first = path * steps, last = first + steps - 1;
    for (let i = first; i < last; i++) {
      const step = distanceBetween(points, i, i + 1, dimension);
      lengths[path] += step;
      longest[path] = Math.max(longest[path], step);
    }
    distances[path] = distanceBetween(points, first, last, dimension);
  }
  return {
    lengths,
    distances,
    ratios: lengths.map((length, i) => length / distances[i]),
    longestShares: longest.map((step, i) => step / lengths[i]),
  };
}

function distanceBetween(points: Samples, i: number, j: number, dimension: number): number {
  let sum = 0;
  for (let k = 0; k < dimension; k++) {
    sum += (points[i * dimension + k] - points[j * dimension + k]) ** 2;
  }
  return Math.sqrt(sum);
}
