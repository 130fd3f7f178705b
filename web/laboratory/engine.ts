/**
 * @file The laboratory's engine: one run that is trained a slice at a time, and pictures of it between
 * the slices. It is pure TypeScript over the core; `worker.ts` is its place in a page.
 *
 * Training, fields, flows, comparisons and measures are five queues that take turns: each works some
 * milliseconds and lets the others and new requests in, so that none waits for another to end.
 */
import { VapoError } from "../../core/errors.ts";
import { defaultThreads, requireThreads } from "../../core/tensor/threads.ts";
import { chooseDevice, type DeviceName } from "../../core/tensor/device.ts";
import { memoryStorage } from "../../core/train/run_storage.ts";
import { entropyOf } from "./engine_entropy.ts";
import type { Interruption } from "./engine_exact.ts";
import { exportedRun, type RunSource, sourceOfFiles } from "./engine_files.ts";
import { dataOf } from "./engine_measures.ts";
import { type RunPictures, runPictures } from "./engine_pictures.ts";
import { openTrainedRun, type TrainedRun } from "./engine_run.ts";
import { type KeptPotentials, keptPotentials } from "./engine_subjects.ts";
import { startTraining, type Training } from "./engine_training.ts";
import { openTurns } from "./engine_turns.ts";
import type { LaboratoryEngine, LaboratoryEvents, RunFacts } from "./engine_types.ts";
import type { LaboratorySettings } from "./settings.ts";
import { configSettings, settingsConfig } from "./settings_config.ts";

/** How an engine is made. */
export interface EngineOptions {
  /** The URL of the directory that serves TensorFlow.js's WebAssembly; under Deno it is found. */
  readonly wasmPath?: string;
  /** Threads of compiled programs; default one less than there are cores, which the page draws with. */
  readonly threads?: number;
  /** The device, whatever settings say. */
  readonly device?: DeviceName;
}

/** An engine that can be ended. */
export interface ClosableEngine extends LaboratoryEngine {
  /** Drops the run and frees everything; kept potentials are gone. */
  close(): Promise<void>;
}

/**
 * Makes an engine without a run. Each method waits for a run that is being opened; a request that was
 * under way when another run was opened is answered by that one. Of several calls of `open` in a row
 * only the last opens a run, and all resolve with its facts.
 *
 * @param events told of progress and failures
 * @param options where and on how many threads it runs
 */
export function laboratoryEngine(
  events: LaboratoryEvents,
  options: EngineOptions = {},
): ClosableEngine {
  const turns = openTurns(), kept = keptPotentials();
  const place = placeForRun((source) => openRun(source, options, { kept, events, turns }));
  const { ask } = place;
  return {
    async open(settings) {
      // Before the run at hand is dropped.
      const config = settingsConfig(settings);
      return (await place.put({ config, storage: memoryStorage(), elsewhere: false })).facts();
    },
    async openRun(files) {
      const source = await sourceOfFiles(files);
      configSettings(source.config);
      const opened = await place.put(source);
      return { facts: opened.facts(), settings: opened.settings };
    },
    play: (until) => ask(({ training }) => training.play(until)),
    pause: () => ask(({ training }) => training.pause()),
    step: () => ask(({ training }) => training.step()),
    field: (request) => ask(({ pictures }) => pictures.field(request)),
    flow: (request) => ask(({ pictures }) => pictures.flow(request)),
    compareSolvers: (request) => ask(({ pictures }) => pictures.compareSolvers(request)),
    measure: () => ask(({ pictures }) => pictures.measure()),
    dataSamples: (n) => ask(({ run }) => dataOf(run.problem, n, "samples")),
    keep: (name) => ask(({ run }) => run.withAverage((subject) => kept.keep(name, subject))),
    drop: (id) => Promise.resolve().then(() => kept.drop(id)),
    exportRun: (name) => ask(({ run }) => exportedRun(run, name)),
    async close() {
      await place.clear();
      turns.close();
    },
  };
}

/** Where one run at a time is open. */
interface PlaceForRun {
  /** Opens a run in place of the present one; of several in a row the last. Resolves with that. */
  put(source: RunSource): Promise<OpenRun>;
  /** Asks the present run; and, where it was dropped meanwhile, the one after it. */
  ask<T>(use: (run: OpenRun) => T | Promise<T>): Promise<T>;
  /** Drops the run. */
  clear(): Promise<void>;
}

function placeForRun(open: (source: RunSource) => Promise<OpenRun>): PlaceForRun {
  let present: Promise<OpenRun | null> = Promise.resolve(null);
  let newest: OpenRun | null = null;

  /** Drops the present run, then does something in its place, unless that was itself replaced. */
  function replace(next: () => Promise<OpenRun | null>): Promise<OpenRun | null> {
    const before = present;
    newest?.drop();
    const replaced: typeof present = before.catch(() => null).then(async (old) => {
      await old?.close();
      if (present !== replaced) return null;
      return newest = await next();
    });
    present = replaced;
    return replaced;
  }

  async function current(): Promise<OpenRun> {
    for (;;) {
      const promise = present, run = await promise;
      if (promise !== present) continue;
      if (run) return run;
      throw new VapoError("no run is open: expected one; open one first");
    }
  }

  return {
    async put(source) {
      await replace(() => open(source));
      return await current();
    },
    async ask(use) {
      for (;;) {
        const run = await current();
        try {
          return await use(run);
        } catch (error) {
          if (!run.dropped()) throw error;
        }
      }
    },
    clear: async () => void await replace(() => Promise.resolve(null)),
  };
}

/** A run that is open. */
interface OpenRun {
  readonly settings: LaboratorySettings;
  readonly run: TrainedRun;
  readonly training: Training;
  readonly pictures: RunPictures;
  facts(): RunFacts;
  /** Lets everything that is under way end soon. */
  drop(): void;
  dropped(): boolean;
  /** Waits until everything has ended, and frees it. */
  close(): Promise<void>;
}

/** What runs have in common. */
interface Surroundings extends Pick<Interruption, "turns"> {
  readonly kept: KeptPotentials;
  readonly events: LaboratoryEvents;
}

/** A core is left to the page. */
function threadsBesidePage(): number {
  return Math.max(1, defaultThreads() - 1);
}

async function openRun(
  source: RunSource,
  { wasmPath, threads, device }: EngineOptions,
  { kept, events, turns }: Surroundings,
): Promise<OpenRun> {
  const run = await openTrainedRun(source.config, source.storage, {
    name: device ?? await deviceFor(source),
    threads: requireThreads(threads ?? threadsBesidePage()),
    wasmPath,
  });
  const dropping = new AbortController(), { signal } = dropping;
  const drop = () => dropping.abort(new VapoError("another run was opened"));
  const training = startTraining(run, eventsUntil(signal, events), turns);
  const pictures = runPictures(run, kept, { signal, turns });
  const facts = factsOf(run);
  return {
    settings: configSettings(source.config),
    run,
    training,
    pictures,
    facts: () => ({ ...facts, step: run.step, metrics: run.metrics.slice() }),
    drop,
    dropped: () => signal.aborted,
    async close() {
      drop();
      await training.pause();
      await pictures.close();
      await run.close();
    },
  };
}

/** Nothing is told of a run that is dropped. */
function eventsUntil(signal: AbortSignal, events: LaboratoryEvents): LaboratoryEvents {
  return {
    progress: (progress) => signal.aborted ? undefined : events.progress(progress),
    failure: (message) => signal.aborted ? undefined : events.failure(message),
  };
}

/** The device asked for; a run that was trained elsewhere opens without the one that it was trained on. */
async function deviceFor({ config, elsewhere }: RunSource): Promise<DeviceName> {
  if (!elsewhere) return config.device;
  return await chooseDevice(config.device).then(() => config.device, () => "auto");
}

function factsOf(run: TrainedRun): RunFacts {
  const { problem: { potential, path, data }, config } = run;
  const distribution = data.distribution!;
  return {
    device: run.device,
    threads: run.threads,
    step: run.step,
    steps: config.training.steps,
    uMax: path.uMax,
    timeExplicit: potential.timeExplicit,
    exact: distribution.mixture !== undefined,
    components: distribution.components,
    noise: distribution.noise,
    parameters: run.parameters,
    entropy: entropyOf(distribution),
    metrics: [],
  };
}
