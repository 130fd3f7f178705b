/**
 * @file The laboratory's run, as signals: opening, training, replaying to the step of an address, and
 * what comes back of it. One run is open at a time; of changes that follow each other quickly only
 * the last is opened.
 */
import { batch, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { MetricsLine } from "../../core/train/run_directory.ts";
import type {
  LaboratoryEngine,
  LaboratoryEvents,
  Progress,
  RunFacts,
  RunFiles,
} from "./engine_types.ts";
import type { PageEnvironment } from "./page_environment.ts";
import type { LaboratorySettings } from "./settings.ts";
import type { Connect, LaboratoryPageStore, OpenedRun } from "./store_types.ts";

/** What is to be opened. */
type Job =
  & {
    /** The step to train to at once; 0 for none. */
    readonly until: number;
  }
  & ({ readonly settings: LaboratorySettings } | {
    readonly files: RunFiles;
    readonly served: boolean;
  });

/** A point of the curve of speed. */
type Speed = { readonly step: number; readonly stepsPerSecond: number };

/** The run and what is known of it. */
export interface RunControl {
  /** Calls go to the present worker. */
  readonly engine: LaboratoryEngine;
  readonly status: Signal<"starting" | "ready" | "failed">;
  readonly settings: Signal<LaboratorySettings>;
  readonly facts: ReadonlySignal<RunFacts | null>;
  readonly step: ReadonlySignal<number>;
  readonly playing: ReadonlySignal<boolean>;
  readonly finished: ReadonlySignal<boolean>;
  readonly stepsPerSecond: ReadonlySignal<number>;
  readonly metrics: ReadonlySignal<readonly MetricsLine[]>;
  readonly speeds: ReadonlySignal<readonly Speed[]>;
  readonly dataSamples: ReadonlySignal<Float32Array | null>;
  readonly opening: ReadonlySignal<boolean>;
  readonly opened: ReadonlySignal<OpenedRun | null>;
  readonly replay: LaboratoryPageStore["replay"];
  readonly problem: Signal<string | null>;
  /** Counts the runs that were opened: an answer of an earlier one is void. */
  readonly generation: ReadonlySignal<number>;
  /** Makes a worker, in place of the one before. */
  connect(): boolean;
  close(): void;
  /**
   * Opens a run of settings, at once or when no change has followed for a moment, and trains on where
   * `resume` says so. What is refused is told, and the settings before are opened.
   */
  open(settings: LaboratorySettings, until: number, resume: boolean, wait?: number): void;
  openFiles(files: RunFiles, served: boolean, until: number): Promise<void>;
  play(): void;
  pause(): void;
  stepOnce(): void;
  /** Shows what went wrong. */
  report(error: unknown): void;
}

/** Samples of the data that are drawn. */
const DATA_SAMPLES = 1200;

/** The line of an error. */
export function errorLine(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The engine of whichever worker there is. */
function presentEngine(present: () => LaboratoryEngine | null): LaboratoryEngine {
  return new Proxy({} as LaboratoryEngine, {
    get: (_, name: keyof LaboratoryEngine) => (...given: unknown[]) => {
      const engine = present();
      if (!engine) return Promise.reject(new Error("the laboratory's worker has not started"));
      return (engine[name] as (...given: unknown[]) => Promise<unknown>)(...given);
    },
  });
}

/** Makes the control of a run that is not open yet; nothing is connected. */
export function runControl(
  initial: LaboratorySettings,
  connect: Connect,
  page: Pick<PageEnvironment, "later">,
): RunControl {
  const status = signal<"starting" | "ready" | "failed">("starting");
  const settings = signal(initial);
  const facts = signal<RunFacts | null>(null);
  const step = signal(0), stepsPerSecond = signal(0), generation = signal(0);
  const playing = signal(false), finished = signal(false), opening = signal(false);
  const metrics = signal<readonly MetricsLine[]>([]), speeds = signal<readonly Speed[]>([]);
  const dataSamples = signal<Float32Array | null>(null);
  const opened = signal<OpenedRun | null>(null);
  const replay = signal<{ readonly to: number } | null>(null);
  const problem = signal<string | null>(null);

  let connection: ReturnType<Connect> | null = null;
  let waiting: Job | null = null, busy = false, cancelWait: (() => void) | null = null;
  /** Whether training goes on once the run is open: the last word of who has asked for it. */
  let wished = false;
  /** What the present run was opened with. */
  let accepted: LaboratorySettings | null = null;
  const engine = presentEngine(() => connection?.engine ?? null);

  function report(error: unknown): void {
    problem.value = errorLine(error);
  }

  const attempt = (call: Promise<unknown>) => void call.catch(report);

  const train = (until?: number) =>
    attempt(
      engine.play(until).catch((error) => {
        playing.value = false;
        throw error;
      }),
    );

  function progress(event: Progress): void {
    if (opening.peek()) {
      // Of the run before, which stays open where the next one is refused.
      metrics.value = [...metrics.peek(), ...event.metrics];
      return;
    }
    batch(() => {
      step.value = event.step;
      playing.value = event.playing;
      finished.value = event.finished;
      stepsPerSecond.value = event.stepsPerSecond;
      if (event.metrics.length > 0) metrics.value = [...metrics.peek(), ...event.metrics];
      if (event.stepsPerSecond > 0 && event.step > (speeds.peek().at(-1)?.step ?? -1)) {
        const { step, stepsPerSecond } = event;
        speeds.value = [...speeds.peek(), { step, stepsPerSecond }];
      }
      const goal = replay.peek()?.to;
      if (goal !== undefined && (event.step >= goal || !event.playing && event.step > 0)) {
        replay.value = null;
      }
    });
  }

  function fail(message: string): void {
    batch(() => {
      status.value = "failed";
      playing.value = false;
      replay.value = null;
      problem.value = message;
    });
  }

  const events: LaboratoryEvents = {
    progress,
    // That of the run before is of no interest; a worker that has died refuses what is being opened.
    failure: (message) => opening.peek() || fail(message),
  };

  function adopt(job: Job, next: RunFacts, made: LaboratorySettings): void {
    const resume = wished, replaying = job.until > next.step && !resume;
    wished = false;
    accepted = made;
    batch(() => {
      settings.value = made;
      opened.value = "files" in job
        ? { name: job.files.name, step: next.step, served: job.served }
        : null;
      facts.value = next;
      step.value = next.step;
      metrics.value = next.metrics;
      speeds.value = [];
      stepsPerSecond.value = 0;
      finished.value = next.step >= next.steps;
      playing.value = replaying || resume;
      replay.value = replaying ? { to: Math.min(job.until, next.steps) } : null;
      problem.value = null;
      status.value = "ready";
      generation.value++;
      opening.value = waiting !== null;
    });
    if (replaying) train(job.until);
    else if (resume) train();
    const mine = generation.peek();
    attempt(
      engine.dataSamples(DATA_SAMPLES).then((samples) => {
        if (mine === generation.peek()) dataSamples.value = samples;
      }),
    );
  }

  async function openOne(job: Job): Promise<void> {
    if ("files" in job) {
      const { facts, settings } = await engine.openRun(job.files);
      if (!waiting) adopt(job, facts, settings);
    } else {
      const facts = await engine.open(job.settings);
      if (!waiting) adopt(job, facts, job.settings);
    }
  }

  /**
   * After a refusal: the run before, which is still open, or else is opened anew; where there was none,
   * what comes nearest to what was asked for.
   */
  async function recover(): Promise<void> {
    wished = false;
    playing.value = false;
    if (accepted) {
      settings.value = accepted;
      if (await engine.pause().then(() => true, () => false)) return;
    }
    const nearest = { ...settings.peek(), device: "auto" as const };
    for (const settings of accepted ? [accepted] : [nearest, initial]) {
      if (waiting) return;
      try {
        return await openOne({ settings, until: 0 });
      } catch {
        // The first refusal is what is told of.
      }
    }
    status.value = "failed";
  }

  async function openAll(): Promise<void> {
    if (busy) return;
    busy = true;
    try {
      for (let job = waiting; job; job = waiting) {
        waiting = null;
        try {
          await openOne(job);
        } catch (error) {
          // Who hands in files has something else to open where there is nothing yet.
          if ("settings" in job || accepted) await recover();
          throw error;
        }
      }
    } finally {
      busy = false;
      opening.value = waiting !== null;
      if (waiting) attempt(openAll());
    }
  }

  function enqueue(job: Job, wait = 0): Promise<void> {
    cancelWait?.();
    cancelWait = null;
    waiting = job;
    opening.value = true;
    if (wait === 0) return openAll();
    // What is being opened must not be adopted any more; what waits is opened in a moment.
    cancelWait = page.later(() => {
      cancelWait = null;
      attempt(openAll());
    }, wait);
    return Promise.resolve();
  }

  return {
    ...{ engine, status, settings, facts, step, playing, finished, stepsPerSecond, metrics },
    ...{ speeds, dataSamples, opening, opened, replay, problem, generation, report },
    connect() {
      connection?.close();
      connection = null;
      busy = false;
      accepted = null;
      batch(() => {
        status.value = "starting";
        problem.value = null;
        playing.value = false;
      });
      try {
        connection = connect(events);
      } catch (error) {
        fail(errorLine(error));
      }
      return connection !== null;
    },
    close() {
      cancelWait?.();
      connection?.close();
      connection = null;
    },
    open(next, until, resume, wait) {
      settings.value = next;
      if (!connection) return;
      wished = resume;
      attempt(enqueue({ settings: next, until }, wait));
    },
    openFiles(files, served, until) {
      // What was asked for while the page was loading is still asked for.
      wished &&= status.peek() === "starting";
      return enqueue({ files, served, until });
    },
    play() {
      if (status.peek() === "failed") return;
      batch(() => {
        playing.value = true;
        replay.value = null;
      });
      wished = status.peek() === "starting" || opening.peek();
      if (!wished) train();
    },
    pause() {
      batch(() => {
        playing.value = false;
        replay.value = null;
      });
      wished = false;
      if (!opening.peek()) attempt(engine.pause());
    },
    stepOnce() {
      attempt(engine.step());
    },
    report,
  };
}
