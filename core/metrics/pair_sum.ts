/**
 * @file Sums over all pairs of two samples, or of different points of one: what the energy distance
 * and the maximum mean discrepancy are made of. O(n²) in time, O(n) in memory, float64.
 */

import type { Samples } from "./samples.ts";

/** So many points at a time that a block of low dimension stays in the first-level cache. */
const BLOCK = 256;

/**
 * Σ f(|x_i − y_j|²) over all pairs; where y is left out, Σ f(|x_i − x_j|²) over pairs i < j.
 *
 * @param x n·d numbers, row by row
 * @param y m·d numbers, row by row
 * @param dimension d
 * @param f a function of a squared distance
 */
export function pairSum(
  x: Samples,
  y: Samples | undefined,
  dimension: number,
  f: (squaredDistance: number) => number,
): number {
  const rows = Float64Array.from(x), columns = y ? Float64Array.from(y) : rows;
  const n = rows.length / dimension, m = columns.length / dimension;
  const squared = new Float64Array(BLOCK);
  let total = 0;
  for (let start = 0; start < m; start += BLOCK) {
    const end = Math.min(start + BLOCK, m);
    // Pairs i < j of one sample: the rows up to the block's last column.
    const rowEnd = y ? n : end - 1;
    for (let i = 0; i < rowEnd; i++) {
      const first = y ? start : Math.max(start, i + 1);
      squaredDistances(rows, i, columns, first, end, dimension, squared);
      // A sum for each row keeps the rounding of n² terms small.
      let rowSum = 0;
      for (let k = 0; k < end - first; k++) rowSum += f(squared[k]);
      total += rowSum;
    }
  }
  return total;
}

/** |x_i − y_j|² for j = first … end − 1. */
function squaredDistances(
  x: Float64Array,
  i: number,
  y: Float64Array,
  first: number,
  end: number,
  dimension: number,
  out: Float64Array,
): void {
  const row = i * dimension;
  if (dimension === 2) {
    // The loop below without its inner loop: a third faster where most of the use is.
    const x0 = x[row], x1 = x[row + 1];
    for (let j = first; j < end; j++) {
      const d0 = x0 - y[2 * j], d1 = x1 - y[2 * j + 1];
      out[j - first] = d0 * d0 + d1 * d1;
    }
    return;
  }
  for (let j = first; j < end; j++) {
    const column = j * dimension;
    let sum = 0;
    for (let k = 0; k < dimension; k++) {
      const difference = x[row + k] - y[column + k];
      sum += difference * difference;
    }
    out[j - first] = sum;
  }
}
