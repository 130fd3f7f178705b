/**
 * @file How many threads there are to be had, without a word of TensorFlow.js: workers ask too.
 */
import { VapoError } from "../errors.ts";

const MOST_THREADS = 256;

/** Whether memory can be shared between threads here. */
export function canShareMemory(): boolean {
  const { crossOriginIsolated } = globalThis as { crossOriginIsolated?: boolean };
  return typeof SharedArrayBuffer === "function" && typeof Atomics === "object" &&
    (crossOriginIsolated ?? true);
}

/** How many threads to use where nothing is said: one a processor, or one without shared memory. */
export function defaultThreads(): number {
  if (!canShareMemory()) return 1;
  const cores = (globalThis.navigator as Navigator | undefined)?.hardwareConcurrency ?? 1;
  return Math.min(Math.max(1, cores), MOST_THREADS);
}

/**
 * A number of threads, checked.
 *
 * @throws {VapoError} for none, or more than there may be
 */
export function requireThreads(count: number): number {
  if (Number.isSafeInteger(count) && count >= 1 && count <= MOST_THREADS) return count;
  throw new VapoError(`threads is ${count}: expected a whole number from 1 to ${MOST_THREADS}`);
}
