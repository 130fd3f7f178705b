/**
 * @file Smoothing of noisy curves by an exponentially weighted mean of all that was before, corrected
 * for its start as Adam corrects its moments (D. P. Kingma, J. Ba, "Adam", 2015, section 3): the first
 * value is itself, and a constant stays what it is.
 */

/**
 * The smoothed curve: each value a weighted mean of it and those before, the weight falling by
 * `memory` from one to the next.
 *
 * @param values not finite where there is none; such a place stays as it is and has no weight
 * @param memory from 0, which smooths nothing, to below 1; 1/(1 − memory) values count in the main
 */
export function smoothed(values: readonly number[], memory: number): number[] {
  let sum = 0, weight = 0;
  return values.map((value) => {
    if (!Number.isFinite(value)) return value;
    sum = memory * sum + (1 - memory) * value;
    weight = memory * weight + (1 - memory);
    return sum / weight;
  });
}

/** The mean of the finite values; null where there is none. */
export function meanOf(values: readonly number[]): number | null {
  let sum = 0, count = 0;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    sum += value;
    count++;
  }
  return count === 0 ? null : sum / count;
}
