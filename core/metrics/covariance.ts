/**
 * @file What a matrix of numbers has to be to be taken for a covariance, and what is left of rounding
 * in one: files of statistics and distances of Gaussians take the same ones.
 */

/**
 * How far mirrored entries may differ, and a variance be below zero, in units of the largest variance:
 * what sums in float32 leave.
 */
const TOLERANCE = 1e-5;

/**
 * A covariance without the rounding of the sums that it is from: mirrored entries are both their mean,
 * and a feature whose variance is slightly negative has none, and no covariance with others. A matrix
 * in which there is nothing to mend is returned itself.
 *
 * @param matrix [d, d], row by row, of finite numbers; it stays as it is
 * @param d the number of features
 * @param refuse throws, told what was found and what was expected
 * @returns [d, d], symmetric, no variance below zero
 */
export function mendedCovariance(
  matrix: Float64Array,
  d: number,
  refuse: (found: string, expected: string) => never,
): Float64Array {
  let largest = 0;
  for (let i = 0; i < d; i++) largest = Math.max(largest, matrix[i * d + i]);
  const tolerance = TOLERANCE * largest;
  let mended = matrix;
  const set = (i: number, j: number, value: number) => {
    if (mended === matrix) mended = matrix.slice();
    mended[i * d + j] = mended[j * d + i] = value;
  };
  for (let i = 0; i < d; i++) {
    for (let j = 0; j < i; j++) {
      const lower = matrix[i * d + j], upper = matrix[j * d + i];
      if (lower === upper) continue;
      if (Math.abs(lower - upper) > tolerance) {
        refuse(`${lower} at [${i}, ${j}] and ${upper} at [${j}, ${i}]`, "a symmetric matrix");
      }
      set(i, j, lower + (upper - lower) / 2);
    }
  }
  for (let i = 0; i < d; i++) {
    const variance = matrix[i * d + i];
    if (variance >= 0) continue;
    if (variance < -tolerance) {
      refuse(`a variance of ${variance} at [${i}, ${i}]`, "none below 0");
    }
    for (let j = 0; j < d; j++) set(i, j, 0);
  }
  return mended;
}
