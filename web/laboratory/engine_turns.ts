/**
 * @file Turns of the event loop by messages: what waits (messages from the page, other work) gets its
 * turn, and whoever waited is next. A browser's timers would wait 4 ms each time.
 */
import type { Turns } from "../../core/pauses.ts";

/** Turns, until they are closed. */
export interface EventLoopTurns extends Turns {
  /** Frees the channel; until then a process does not end by itself. */
  close(): void;
}

/** The longest that one piece of work goes on, in milliseconds, where others wait. */
const SLICE = 12;

/** Opens a channel for turns. Those who wait are served in the order in which they came. */
export function openTurns(): EventLoopTurns {
  const { port1, port2 } = new MessageChannel();
  const waiting: (() => void)[] = [];
  port1.onmessage = () => waiting.shift()?.();
  return {
    every: SLICE,
    wait: () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        port2.postMessage(null);
      }),
    close() {
      port1.onmessage = null;
      port1.close();
      port2.close();
      for (const resolve of waiting.splice(0)) resolve();
    },
  };
}

/** Turns, and how long was waited for them: how long the work itself took follows. */
export function timedTurns(turns: Turns): Turns & { readonly waited: () => number } {
  let waited = 0;
  return {
    every: turns.every,
    async wait() {
      const start = performance.now();
      await turns.wait();
      waited += performance.now() - start;
    },
    waited: () => waited,
  };
}

/** Does work one piece after the other, in the order in which it came. */
export function serially(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const result = last.then(work);
    last = result.catch(() => {});
    return result;
  };
}
