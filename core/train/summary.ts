/**
 * @file What a configuration asks of a device: parameters, operations and memory of a training step,
 * known from the shapes of its tensors before any of them is made.
 */
import { type ImageFormat, imagesOfWords, storedBytes } from "../data/images.ts";
import {
  estimateProgram,
  type ProgramEstimate,
  type TensorSpec,
  type TensorTree,
} from "../jit/mod.ts";
import { type Tensor, tf, wordsOfBytes } from "../tensor/mod.ts";
import type { RunConfig } from "./config.ts";
import { imageSet, isResident, isToy, type SampleSpace, sampleSpace } from "./data_sets.ts";
import type { DataSource } from "./data_source.ts";
import { flattenState } from "./state.ts";
import { stateShapes, streamedSpecs } from "./state_shapes.ts";
import { batchParts } from "./training_batch.ts";
import { type TrainingProblem, trainingProblem } from "./training_problem.ts";
import { wholeStep } from "./training_step.ts";

/** What a training step needs and does on the device that is open. */
export interface TrainingSummary {
  /** Numbers that are trained. */
  readonly parameters: number;
  /** Floating-point operations of a step, its whole batch. */
  readonly flops: number;
  /** Samples whose gradient is computed at once. */
  readonly microBatch: number;
  /** Kernels of a part of a step; on WebGPU a kernel is one dispatch or two. */
  readonly kernels: number;
  /** Bytes of device memory while a step runs. */
  readonly memory: {
    /** All of it: one piece, to be held against `deviceMemory().limitBytes`. */
    readonly total: number;
    /** Parameters, their average, the optimiser's moments, counters: what a checkpoint holds. */
    readonly state: number;
    /** What the step is given to learn from, as bytes of images. */
    readonly data: number;
    /** Activations, gradients, filters in other forms, random draws. */
    readonly temporaries: number;
  };
}

/**
 * What a step of a configuration needs and does, in seconds, whatever its size: nothing of the size
 * of its tensors is allocated and nothing is compiled.
 *
 * @param config a complete configuration; its data set need not be there
 * @returns numbers for the device that is open (for "cpu", those of "wasm")
 * @throws {ConfigError} where the path or the potential cannot be made as configured
 * @example
 * ```ts
 * import { assert, assertEquals } from "@std/assert";
 * import { openDevice, presetConfig, summarizeTraining } from "vapo";
 * await openDevice("wasm");
 * const { parameters, memory } = summarizeTraining(presetConfig("8gaussians"));
 * assertEquals(parameters, 128 * (2 + 9) + 128 + 2 * (128 * 128 + 128) + 128 + 1);
 * assert(memory.state > 4 * 4 * parameters); // the average and two moments as well
 * assert(memory.total < 64 * 2 ** 20);
 * ```
 */
export function summarizeTraining(config: RunConfig): TrainingSummary {
  const summary = summarizeProblem(trainingProblem(config, standInData(config.data)));
  const resident = residentBytes(config.data), { memory } = summary;
  return {
    ...summary,
    memory: { ...memory, total: memory.total + resident, data: memory.data + resident },
  };
}

/** The bytes of a set of images that would lie on the device, as many as it officially has. */
function residentBytes(choice: RunConfig["data"]): number {
  if (isToy(choice.name) || choice.placement === "stream") return 0;
  const { format, count } = imageSet(choice);
  if (choice.placement === "auto" && !isResident(format, count)) return 0;
  return 4 * count * wordsOfImage(format);
}

/**
 * The same of a problem with its data: tensors that it closes over, such as a data set that lies on
 * the device, count as data.
 *
 * @param problem stays the caller's
 */
export function summarizeProblem(problem: TrainingProblem): TrainingSummary {
  const state = stateShapes(problem), { size, count } = batchParts(problem.config);
  const args = [state, ...streamedSpecs(problem, size)];
  const step = wholeStep(problem) as unknown as (...args: never[]) => TensorTree;
  const estimate = estimateProgram(step, args as never, { donate: true });
  return {
    parameters: cellsOf(state.parameters),
    flops: count * estimate.flops,
    microBatch: size,
    kernels: estimate.kernels,
    memory: memoryOf(estimate, 4 * cellsOf(flattenState<TensorSpec>(state))),
  };
}

function memoryOf(
  { arenaBytes, inputBytes }: ProgramEstimate,
  state: number,
): TrainingSummary["memory"] {
  return {
    total: arenaBytes,
    state,
    data: inputBytes - state,
    temporaries: arenaBytes - inputBytes,
  };
}

function cellsOf(record: Readonly<Record<string, TensorSpec>>): number {
  return Object.values(record).reduce(
    (sum, { shape }) => sum + tf.util.sizeFromShape([...shape]),
    0,
  );
}

function wordsOfImage(format: ImageFormat): number {
  return wordsOfBytes(storedBytes(format));
}

/** Data that is not there: a distribution itself, or a streamed set whose batches never come. */
function standInData(choice: RunConfig["data"]): DataSource {
  const space: SampleSpace = sampleSpace(choice), nothing = { flip: choice.flip, dispose() {} };
  if (space.distribution) {
    return { ...space, ...nothing, placement: null, draw: space.distribution.sample };
  }
  const { format } = imageSet(choice);
  const imageWords = wordsOfImage(format);
  const open = () => Promise.reject(new Error("a data set that is not there has no batches"));
  return {
    ...space,
    ...nothing,
    placement: "stream",
    stream: { format, imageWords, count: 0, open },
    draw: (_n, _key, words?: Tensor) => imagesOfWords(format, words!),
  };
}
