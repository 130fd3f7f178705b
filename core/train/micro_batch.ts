/**
 * @file The largest part of a batch whose gradient a device has the memory for.
 */

/**
 * The largest part of a batch that fits into memory, of those that divide the batch evenly: for
 * training by accumulation of gradients.
 *
 * Bytes are taken to grow with the part's size, nearly as a + b·size; few estimates are made, and
 * both the answer and the next larger part have been among them.
 *
 * @param estimateAt bytes that a step needs whose parts have that many samples
 * @param batchSize samples of a step
 * @param limit bytes that there are
 * @returns a divisor of the batch size; null where not even single samples fit
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { fitMicroBatch } from "vapo";
 * const bytes = (size: number) => 1000 + 100 * size;
 * assertEquals(fitMicroBatch(bytes, 256, 4500), 32);
 * assertEquals(fitMicroBatch(bytes, 256, 30_000), 256);
 * assertEquals(fitMicroBatch(bytes, 256, 1050), null);
 * ```
 */
export function fitMicroBatch(
  estimateAt: (size: number) => number,
  batchSize: number,
  limit: number,
): number | null {
  const all = estimateAt(batchSize);
  if (all <= limit) return batchSize;
  if (batchSize === 1) return null;
  const one = estimateAt(1);
  if (one > limit) return null;
  const divisors = divisorsOf(batchSize);
  // What fits, and what does not; the answer is where they are neighbours.
  let fits = { at: 0, bytes: one }, fails = { at: divisors.length - 1, bytes: all };
  while (fails.at - fits.at > 1) {
    const [from, to] = [divisors[fits.at], divisors[fails.at]];
    const guess = from + (to - from) * (limit - fits.bytes) / (fails.bytes - fits.bytes);
    const below = divisors.findLastIndex((size) => size <= guess);
    const at = Math.min(Math.max(below, fits.at + 1), fails.at - 1);
    const tried = { at, bytes: estimateAt(divisors[at]) };
    if (tried.bytes <= limit) fits = tried;
    else fails = tried;
  }
  return divisors[fits.at];
}

/** In ascending order. */
function divisorsOf(n: number): number[] {
  const small: number[] = [], large: number[] = [];
  for (let divisor = 1; divisor * divisor <= n; divisor++) {
    if (n % divisor !== 0) continue;
    small.push(divisor);
    if (divisor * divisor !== n) large.unshift(n / divisor);
  }
  return [...small, ...large];
}
