/**
 * @file One training on digits of 16 × 16 with one estimator of the energy loss, measured on the way:
 * the sliced Wasserstein distance of samples to digits that no training saw.
 */
import { imageFiles } from "../../cli/image_files.ts";
import { mnistFileReader } from "../../cli/mnist_files.ts";
import { chosenConfig } from "../../cli/train_config.ts";
import { drawImages } from "../../core/data/images.ts";
import { loadMnist } from "../../core/data/mnist.ts";
import { VapoError } from "../../core/errors.ts";
import { drawSamples } from "../../core/flow/sampler.ts";
import { slicedWasserstein } from "../../core/metrics/sliced_wasserstein.ts";
import { fork, randomKey, type Tensor } from "../../core/tensor/mod.ts";
import { type DataSource, openDataSource } from "../../core/train/data_source.ts";
import { presetConfig } from "../../core/train/presets.ts";
import { disposeState, type TrainingState } from "../../core/train/state.ts";
import { openTrainingProgram } from "../../core/train/training_program.ts";
import { initialState } from "../../core/train/initial_state.ts";
import { type TrainingProblem, trainingProblem } from "../../core/train/training_problem.ts";

/** The preset that all start from, and the size of its images. */
export const PRESET = "mnist16", SIDE = 16;
/** Held-out digits that samples are compared with: draws of MNIST's test part. */
const REFERENCES = 10_000;
/** Sets of digits that no sampler made, whose mean distance to the held-out ones is the floor. */
const FLOOR_SETS = 8;
/** Digits that are kept for the picture. */
export const SHOWN = 36;
/** Steps that RK45 may try: the flows that are learned take 15, those that it gives up are chaos. */
const SOLVER_STEPS = 60;
/** The terminal times: the path's end, and the preset's, past it. */
export const TIMES = [1, 1.25] as const;
/** Parts of a training after which it is measured. */
const MEASURED = [0.04, 0.1, 0.2, 0.4, 0.7, 1];

/** A way of estimating the loss. */
export interface Contestant {
  readonly name: string;
  /** What it sets, beside the learning rate. */
  readonly assignments: readonly string[];
  /** LAMB's rate that it did best with of those that are compared by `--rates`. */
  readonly learningRate: number;
}

/** All else (net, data, batches, path, optimiser, schedule, sampler) is the preset's. */
export const contestants: readonly Contestant[] = [
  {
    name: "covariance (the paper's)",
    assignments: ["loss.estimator=covariance", "loss.timeWeight=one"],
    learningRate: 5e-4,
  },
  {
    name: "covariance, weighted by β",
    assignments: ["loss.estimator=covariance", "loss.timeWeight=beta"],
    learningRate: 1e-3,
  },
  {
    name: "Stein",
    assignments: ["loss.estimator=stein", "loss.timeWeight=one"],
    learningRate: 2e-2,
  },
];

/** Which training. */
export interface Entry {
  readonly contestant: Contestant;
  readonly learningRate: number;
  readonly seed: number;
}

/** How long trainings are, and how they are measured. */
export interface Settings {
  readonly steps: number;
  readonly samples: number;
  /** Whether only at the end. */
  readonly lastOnly: boolean;
}

/** What came of a training. */
export interface Course {
  readonly contestant: string;
  readonly learningRate: number;
  readonly seed: number;
  /** Steps done where it was measured. */
  readonly steps: readonly number[];
  /** At each of {@link TIMES}, a distance a measurement; null where there were no finite samples. */
  readonly distances: readonly (readonly (number | null)[])[];
  /** Velocity evaluations of the sampler at each measurement. */
  readonly evaluations: readonly (number | null)[];
  /** Why there are no samples at the last measurement that has none. */
  readonly failure?: string;
  /** Of seed 0, the first samples of the last measurement as bytes in base 64; empty without. */
  readonly shown: string;
}

/** Digits, and how far apart two sets of them are. */
export interface Digits {
  readonly data: DataSource;
  /** Held out. */
  readonly reference: Float32Array;
  /** Distances of true draws, as many as there are samples, to the held-out digits. */
  readonly floor: readonly number[];
  /** Some of the training set, as {@link Course.shown}. */
  readonly shown: string;
}

/** Opens MNIST, both parts. */
export async function openDigits(samples: number): Promise<Digits> {
  const read = mnistFileReader();
  const data = await openDataSource(PRESET, imageFiles(presetConfig(PRESET)));
  const test = await loadMnist(PRESET, read, "test");
  const key = randomKey(2026);
  const reference = await valuesOf(drawImages(test, REFERENCES, fork(key, "reference")));
  const truth = await valuesOf(data.draw(FLOOR_SETS * samples, fork(key, "floor")));
  const size = samples * SIDE * SIDE;
  const floor = Array.from(
    { length: FLOOR_SETS },
    (_, i) => distance(truth.subarray(i * size, (i + 1) * size), reference),
  );
  return { data, reference, floor, shown: encodeImages(truth) };
}

async function valuesOf(tensor: Tensor): Promise<Float32Array> {
  const values = await tensor.data() as Float32Array;
  tensor.dispose();
  return values;
}

/** Along 128 directions that are the same each time. */
function distance(samples: Float32Array, reference: Float32Array): number {
  return slicedWasserstein(samples, reference, SIDE * SIDE, { projections: 128, seed: 0 });
}

/** Trains, and measures on the way. */
export async function follow(entry: Entry, settings: Settings, digits: Digits): Promise<Course> {
  const { contestant, learningRate, seed } = entry;
  const { config } = await chosenConfig(PRESET, {
    steps: settings.steps,
    seed,
    set: [...contestant.assignments, `optimizer.learningRate=${learningRate}`],
  });
  const problem = trainingProblem(config, digits.data);
  const due = measuredSteps(settings), checked = measuredSteps({ ...settings, lastOnly: false });
  const measured: Measurement[] = [];
  const program = await openTrainingProgram(problem, initialState(problem));
  const tell = (step: number, what: string) =>
    console.error(`${describeEntry(entry)}, step ${step}: ${what}`);
  try {
    for (let step = 1; step <= settings.steps; step++) {
      await program.step(false);
      if (!checked.includes(step)) continue;
      const bad = await program.firstNonFinite();
      if (bad >= 0) {
        const diverged = nothing(`the loss is not finite at step ${bad}`);
        tell(step, describe(diverged));
        while (measured.length < due.length) measured.push(diverged);
        break;
      }
      if (!due.includes(step)) continue;
      const state = program.state();
      const measurement = await measure(problem, state, settings.samples, digits.reference);
      disposeState(state);
      measured.push(measurement);
      tell(step, describe(measurement));
    }
  } finally {
    program.dispose();
  }
  const failure = measured.findLast((measurement) => measurement.failure)?.failure;
  return {
    contestant: contestant.name,
    learningRate,
    seed,
    steps: due,
    distances: TIMES.map((_, i) => measured.map(({ distances }) => distances[i])),
    evaluations: measured.map(({ evaluations }) => evaluations),
    ...(failure && { failure }),
    shown: seed === 0 ? measured.at(-1)!.shown : "",
  };
}

/** The steps after which a training is measured. */
export function measuredSteps({ steps, lastOnly }: Settings): number[] {
  const parts = lastOnly ? [1] : MEASURED;
  return [...new Set(parts.map((part) => Math.max(1, Math.round(part * steps))))];
}

interface Measurement {
  readonly distances: readonly (number | null)[];
  readonly evaluations: number | null;
  readonly shown: string;
  readonly failure?: string;
}

const nothing = (failure: string): Measurement => ({
  distances: TIMES.map(() => null),
  evaluations: null,
  shown: "",
  failure,
});

/** Samples of the averaged parameters: the same prior draws each time, one flow for both times. */
async function measure(
  { potential, path, config }: TrainingProblem,
  { average }: TrainingState,
  samples: number,
  reference: Float32Array,
): Promise<Measurement> {
  // Frames at 0, 0.25, …, 1.25.
  const until = TIMES[1], frames = 6;
  const options = { ...config.sampling, n: samples, seed: 1, until, frames };
  try {
    const { trajectory, nfev } = await drawSamples(potential, average, path, {
      ...options,
      maxSteps: SOLVER_STEPS,
    });
    const size = samples * SIDE * SIDE;
    const ends = [trajectory!.subarray(4 * size, 5 * size), trajectory!.subarray(5 * size)];
    const distances = ends.map((end) => distance(end, reference));
    return { distances, evaluations: nfev, shown: encodeImages(ends[1]) };
  } catch (error) {
    if (error instanceof VapoError) return nothing(error.message);
    throw error;
  }
}

function describe({ distances, evaluations, failure }: Measurement): string {
  if (failure) return failure;
  const [atOne, past] = distances.map((value) => value!.toFixed(4));
  return `${atOne} at u = ${TIMES[0]}, ${past} at u = ${TIMES[1]}, ${evaluations} evaluations`;
}

/** An entry in a line. */
export function describeEntry({ contestant, learningRate, seed }: Entry): string {
  return `${contestant.name}, rate ${learningRate}, seed ${seed}`;
}

/** The first images, clamped to [−1, 1], as bytes in base 64. */
function encodeImages(values: Float32Array): string {
  const pixels = values.subarray(0, SHOWN * SIDE * SIDE);
  const byte = (value: number) => Math.round((Math.min(1, Math.max(-1, value)) + 1) * 127.5);
  return Uint8Array.from(pixels, byte).toBase64();
}

/** The inverse of {@link encodeImages}; black where there are none. */
export function decodeImages(text: string): Float32Array {
  const bytes = text ? Uint8Array.fromBase64(text) : new Uint8Array(SHOWN * SIDE * SIDE);
  return Float32Array.from(bytes, (byte) => byte / 127.5 - 1);
}
