/**
 * @file Training in slices of some milliseconds, between which everything else gets its turn, and what
 * the page is told of it.
 */
import { VapoError } from "../../core/errors.ts";
import type { Turns } from "../../core/pauses.ts";
import type { LaboratoryEvents } from "./engine_types.ts";
import type { TrainedRun } from "./engine_run.ts";

/** A run that can be played. */
export interface Training {
  readonly playing: boolean;
  /** Trains until {@link pause}, or so many steps, or the end. */
  play(until?: number): void;
  /** Resolves when the last step is done and told. */
  pause(): Promise<void>;
  /** One step, after a pause. */
  step(): Promise<void>;
}

/** The least time between two events while a run is played, in milliseconds. */
const BETWEEN_EVENTS = 100;
/** How far back the steps a second are counted, in milliseconds. */
const SPEED_WINDOW = 1000;

/** Makes a run playable. */
export function startTraining(
  run: TrainedRun,
  events: LaboratoryEvents,
  turns: Turns,
): Training {
  const { steps } = run.config.training;
  const speed = speedometer();
  let target = 0, playing = false;
  let ending: Promise<void> | null = null;
  let told = run.metrics.length, toldAt = -Infinity;

  function tell(): void {
    toldAt = performance.now();
    const metrics = run.metrics.slice(told);
    told = run.metrics.length;
    events.progress({
      step: run.step,
      playing,
      finished: run.step >= steps,
      stepsPerSecond: playing ? speed.stepsPerSecond() : 0,
      metrics,
    });
  }

  function fail(error: unknown): void {
    playing = false;
    tell();
    events.failure(lineOf(error));
  }

  async function playOn(): Promise<void> {
    speed.start(run.step);
    try {
      while (playing && run.step < Math.min(target, steps)) {
        const end = performance.now() + turns.every;
        await run.advance(
          Math.min(target, steps),
          () => !playing || performance.now() >= end,
        );
        speed.note(run.step);
        if (performance.now() - toldAt >= BETWEEN_EVENTS) tell();
        await turns.wait();
      }
      playing = false;
      tell();
    } catch (error) {
      fail(error);
    } finally {
      ending = null;
    }
  }

  const pause = async () => {
    playing = false;
    await ending;
  };

  return {
    get playing() {
      return playing;
    },
    play(until = Infinity) {
      target = until;
      if (playing) return;
      playing = true;
      // A pause that is under way ends first.
      const before = ending;
      ending = before ? before.then(() => playing ? playOn() : undefined) : playOn();
    },
    pause,
    async step() {
      await pause();
      const from = run.step;
      try {
        await run.advance(Math.min(steps, from + 1), () => false);
        tell();
      } catch (error) {
        fail(error);
      }
    },
  };
}

/** Steps a second over the last second or so. */
function speedometer() {
  let marks: { readonly at: number; readonly step: number }[] = [];
  const note = (step: number) => {
    const at = performance.now();
    marks.push({ at, step });
    while (marks.length > 2 && at - marks[1].at >= SPEED_WINDOW) marks.shift();
  };
  return {
    start(step: number) {
      marks = [];
      note(step);
    },
    note,
    stepsPerSecond(): number {
      const first = marks[0], last = marks.at(-1)!;
      const seconds = (last.at - first.at) / 1000;
      return seconds > 0 ? (last.step - first.step) / seconds : 0;
    },
  };
}

/** What went wrong, in one line. */
export function lineOf(error: unknown): string {
  if (error instanceof VapoError) return error.message;
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  return `${name}: ${message.split("\n")[0]}`;
}
