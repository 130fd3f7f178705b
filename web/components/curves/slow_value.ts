/**
 * @file A signal that changes many times a second, read at leisure: what is drawn from it need not
 * follow every change.
 */
import { effect, type ReadonlySignal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

/**
 * The signal's value, at most so often; the last one always arrives.
 *
 * @param signal read at once on the first render
 * @param milliseconds between two changes, at least
 */
export function useSlowValue<T>(signal: ReadonlySignal<T>, milliseconds: number): T {
  const shown = useSignal(signal.peek());
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined, last = -Infinity;
    const show = () => {
      timer = undefined;
      last = performance.now();
      shown.value = signal.peek();
    };
    const end = effect(() => {
      signal.value;
      if (timer !== undefined) return;
      const wait = last + milliseconds - performance.now();
      if (wait <= 0) show();
      else timer = setTimeout(show, wait);
    });
    return () => {
      end();
      clearTimeout(timer);
    };
  }, [signal, milliseconds]);
  return shown.value;
}
