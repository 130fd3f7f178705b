/**
 * @file Means and standard deviations over seeds.
 */

/** The mean, or null where a value is missing or there is none. */
export function mean(values: readonly (number | null)[]): number | null {
  if (values.length === 0 || values.includes(null)) return null;
  return (values as number[]).reduce((sum, value) => sum + value, 0) / values.length;
}

/** The standard deviation of a sample (n − 1), or null for fewer than two values or a missing one. */
export function standardDeviation(values: readonly (number | null)[]): number | null {
  const middle = mean(values);
  if (middle === null || values.length < 2) return null;
  const squares = (values as number[]).map((value) => (value - middle) ** 2);
  return Math.sqrt(squares.reduce((sum, value) => sum + value, 0) / (values.length - 1));
}
