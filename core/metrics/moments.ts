/**
 * @file Means, their standard errors, and quantiles of a set of numbers, as every report gives them.
 */

/** The mean; NaN of no values. */
export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum / values.length;
}

/** The sum of the squared differences from the mean. */
function squaredDeviations(values: ArrayLike<number>): number {
  const centre = mean(values);
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i] - centre) ** 2;
  return sum;
}

/** The unbiased estimate of the variance, with the divisor n − 1; NaN of fewer than two values. */
export function sampleVariance(values: ArrayLike<number>): number {
  return values.length < 2 ? NaN : squaredDeviations(values) / (values.length - 1);
}

/** The standard deviation of the values themselves, with the divisor n, as NumPy's `std` has it. */
export function populationDeviation(values: ArrayLike<number>): number {
  return Math.sqrt(squaredDeviations(values) / values.length);
}

/** A mean and how far it may be off. */
export interface MeanAndError {
  readonly value: number;
  /** Left out where one value says nothing of it. */
  readonly standardError?: number;
}

/** The mean of independent values and its standard error, √(s²/n). */
export function meanAndError(values: ArrayLike<number>): MeanAndError {
  const value = mean(values), n = values.length;
  return n < 2 ? { value } : { value, standardError: Math.sqrt(sampleVariance(values) / n) };
}

/**
 * For each share the value that so large a share of the values is below, one of them: that of rank
 * share·(n − 1), rounded (NumPy's `quantile` with the method "nearest", but for ties of ranks).
 *
 * @param values at least one, in any order
 * @param shares from 0, the smallest, to 1, the largest
 */
export function quantiles(values: ArrayLike<number>, shares: readonly number[]): number[] {
  const ordered = Float64Array.from(values).sort();
  return shares.map((share) => ordered[Math.round(share * (ordered.length - 1))]);
}
