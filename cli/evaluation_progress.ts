/**
 * @file What `vapo eval` shows while it works: one bar a piece of work.
 */
import { type ProgressBar, progressBar } from "./progress_bar.ts";
import { standardError } from "./terminal.ts";

/** The bars of an evaluation. */
export interface EvaluationProgress {
  /** Says how far a piece of work is. */
  update(what: string, done: number, total: number): void;
  /** Prints a line above the bar. */
  notice(text: string): void;
  /** Takes the bar off the screen. */
  closed(): void;
}

/** Opens the bars; those of work that is done at once are never shown. */
export function evaluationProgress(): EvaluationProgress {
  let bar: ProgressBar | null = null, shown = "";
  const closed = () => {
    bar?.clear();
    [bar, shown] = [null, ""];
  };
  return {
    update(what, done, total) {
      if (what !== shown) {
        closed();
        if (done >= total) return;
        bar = progressBar(standardError, {
          label: what,
          unit: "",
          total,
          start: done,
          countsOnly: true,
        });
        shown = what;
      }
      bar?.update(done);
      if (done >= total) closed();
    },
    notice: (text) => bar ? bar.notice(text) : standardError.line(text),
    closed,
  };
}
