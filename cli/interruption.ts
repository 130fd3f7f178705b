/**
 * @file Ctrl-C and SIGTERM: the first one asks, the second one ends the program at once.
 */

/** A request to stop. */
export interface Interruption extends Disposable {
  readonly signal: AbortSignal;
}

/**
 * Listens for SIGINT or SIGTERM until the first one or until disposed of. The next one then does
 * what it does to any program, also in the middle of a computation.
 *
 * @param onFirst called at the first one, when the signal has been aborted
 */
export function listenForInterruption(onFirst: () => void): Interruption {
  const controller = new AbortController();
  const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
  const stopListening = () => {
    for (const name of signals) Deno.removeSignalListener(name, listener);
  };
  const listener = () => {
    stopListening();
    controller.abort();
    onFirst();
  };
  for (const name of signals) Deno.addSignalListener(name, listener);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      if (!controller.signal.aborted) stopListening();
    },
  };
}
