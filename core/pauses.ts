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

/** How often the event loop gets a turn, and how. */
export interface Turns {
  /** The longest time between two turns, in milliseconds, but for the parts' own. */
  readonly every: number;
  /** Waits for a turn. */
  readonly wait: () => Promise<void>;
}

/** A timer of no time: browsers make 4 ms of it where there are many. */
const turnsByTimer: Turns = {
  every: 50,
  wait: () => new Promise((resolve) => setTimeout(resolve)),
};

/**
 * A function to call often: it waits for a turn of the event loop where the last one was some time ago,
 * the first time at once where there is a signal, and throws the signal's reason once it has been
 * aborted.
 *
 * @param turns how often and how; every 50 ms where it is left out
 */
export function pauses(
  signal: AbortSignal | undefined,
  { every, wait }: Turns = turnsByTimer,
): () => Promise<void> | undefined {
  signal?.throwIfAborted();
  let last = signal ? -Infinity : performance.now();
  return () => {
    signal?.throwIfAborted();
    if (performance.now() - last < every) return undefined;
    return wait().then(() => {
      last = performance.now();
      signal?.throwIfAborted();
    });
  };
}
