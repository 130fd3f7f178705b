/**
 * @file Pauses in long computations, in which an abort and whatever else waits in the event loop
 * arrive: where nothing is waited for, nothing else gets a turn.
 */

/** What a computation that takes more than a moment may be given. */
export interface Interruptible {
  /** Ends the computation by rejecting with its reason. */
  readonly signal?: AbortSignal;
  /** Told now and then how many of how many equal parts are done. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** The longest time between two turns of the event loop, in milliseconds, but for the parts' own. */
const stretch = 50;

/**
 * A function to call often: it waits for a turn of the event loop where the last one was some time ago,
 * the first time at once where there is a signal, and throws the signal's reason once it has been
 * aborted.
 */
export function pauses(signal: AbortSignal | undefined): () => Promise<void> | undefined {
  signal?.throwIfAborted();
  let last = signal ? -Infinity : performance.now();
  return () => {
    signal?.throwIfAborted();
    if (performance.now() - last < stretch) return undefined;
    return new Promise<void>((resolve, reject) =>
      setTimeout(() => {
        last = performance.now();
        if (signal?.aborted) reject(signal.reason);
        else resolve();
      })
    );
  };
}
