/**
 * @file Asking again whenever something has changed: one call of a kind is outstanding, calls keep a
 * distance in time, and what is asked for is always what is wanted now.
 */
import type { PageEnvironment } from "./page_environment.ts";

/** A call that is wanted. */
export interface Wanted<R> {
  /** What the answer depends on: the same key is not asked for twice. */
  readonly key: string;
  ask(): Promise<R>;
}

/** What asks. */
export interface Pump {
  /** Something may have changed. */
  poke(): void;
  /** Whether nothing is outstanding, and nothing is wanted that was not asked for. */
  idle(): boolean;
}

/** How a pump asks. */
export interface PumpOptions<R> {
  readonly page: Pick<PageEnvironment, "now" | "later" | "hidden">;
  /** What is wanted now; null for nothing. */
  wanted(): Wanted<R> | null;
  /** The answer, with its key and the milliseconds that it took. */
  answered(answer: R, key: string, milliseconds: number): void;
  failed(error: unknown, key: string): void;
  /** The least time between the starts of two calls, after one that took so long, in milliseconds. */
  spacing(took: number): number;
}

/** Makes a pump; it asks for nothing until it is poked. */
export function makePump<R>(options: PumpOptions<R>): Pump {
  const { page, wanted, answered, failed, spacing } = options;
  let asked: string | null = null, busy = false, started = -Infinity, took = 0;
  let cancel: (() => void) | null = null;

  async function call({ key, ask }: Wanted<R>): Promise<void> {
    busy = true;
    asked = key;
    started = page.now();
    try {
      const answer = await ask();
      took = page.now() - started;
      answered(answer, key, took);
    } catch (error) {
      failed(error, key);
    } finally {
      busy = false;
      poke();
    }
  }

  function poke(): void {
    if (busy || cancel !== null || page.hidden()) return;
    const next = wanted();
    if (next === null || next.key === asked) return;
    const wait = started + spacing(took) - page.now();
    if (wait <= 0) {
      void call(next);
      return;
    }
    cancel = page.later(() => {
      cancel = null;
      poke();
    }, wait);
  }

  return {
    poke,
    idle: () => !busy && cancel === null && (wanted()?.key ?? asked) === asked,
  };
}
