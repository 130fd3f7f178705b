/**
 * @file The samples of tests/fixtures/make_statistics.py.
 */

const GOLD = 0.6180339887498949, ROOT = 0.4142135623730951;

/** Fractional parts of multiples of a number, times a factor, rounded where ties are wanted. */
function sample(n: number, step: number, factor: number, decimals: number | null): Float64Array {
  return Float64Array.from({ length: n }, (_, i) => {
    const value = ((i + 1) * step) % 1 * factor;
    return decimals === null ? value : Math.floor(value * 10 ** decimals);
  });
}

/** A case of the fixture. */
export interface SampleCase {
  readonly n: number;
  readonly m?: number;
  readonly factor: number;
  readonly decimals?: number | null;
}

/** The first sample of a case. */
export function firstSample({ n, factor, decimals = null }: SampleCase): Float64Array {
  return sample(n, GOLD, factor, decimals);
}

/** The second sample of a case. */
export function secondSample({ m = 0, decimals = null }: SampleCase): Float64Array {
  return sample(m, ROOT, 1, decimals);
}
