/**
 * @file Means over points of the plane, with how far they may be off.
 */

/**
 * The mean of f over the points, and its standard error.
 *
 * @param samples [n, 2], row by row
 */
export function estimate(
  samples: Float32Array,
  f: (x: number, y: number) => number,
): { mean: number; error: number } {
  const count = samples.length / 2;
  let sum = 0, squares = 0;
  for (let i = 0; i < count; i++) {
    const value = f(samples[2 * i], samples[2 * i + 1]);
    sum += value;
    squares += value * value;
  }
  const mean = sum / count;
  return { mean, error: Math.sqrt((squares / count - mean * mean) / count) };
}
