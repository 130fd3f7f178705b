/**
 * @file One training step as a pure function (state, batch) → (state, metrics): both gradients,
 * clipping, optimiser and moving averages, with nothing read back to the host on the way. The batch
 * itself is a pure function of the state, so that step and draw can be compiled together. A batch
 * that is too large for the device is taken in parts, whose gradients are accumulated in the state;
 * the last part does the step.
 */
import {
  fork,
  lossAndGradients,
  type RandomKey,
  randomKey,
  randomNormal,
  randomUniform,
  type Scalar,
  type Tensor,
  type TensorRecord,
  tf,
} from "../tensor/mod.ts";
import { conditionalSample, type GaussianPath, gaussianPath } from "../homotopy/gaussian_path.ts";
import { energyExcess, type EnergyLoss, energyLoss, type PathBatch } from "../loss/energy_loss.ts";
import { adam } from "../optim/adam.ts";
import { clipByGlobalNorm, globalNorm } from "../optim/clipping.ts";
import { updateAverage } from "../optim/ema.ts";
import { lamb } from "../optim/lamb.ts";
import { zeroMoments } from "../optim/moments.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import { learningRateAt } from "../optim/schedules.ts";
import { initialSpectralVectors, spectralRegularization } from "../loss/spectral_regularization.ts";
import type { Potential } from "../potential/potential.ts";
import type { RunConfig } from "./config.ts";
import { configuredPotential } from "./configured_potential.ts";
import { sampleSpace } from "./data_sets.ts";
import type { DataSource } from "./data_source.ts";
import {
  flattenState,
  initialCounters,
  stateKey,
  stepNumber,
  type TrainingState,
  unflattenState,
} from "./state.ts";

/** A configuration made concrete: everything that a step needs and that does not change. */
export interface TrainingProblem {
  /** What it was made from. */
  readonly config: RunConfig;
  /** Where batches are drawn from. */
  readonly data: DataSource;
  /** The path that the flow is to follow. */
  readonly path: GaussianPath;
  /** Φ. */
  readonly potential: Potential;
  /** What turns gradients into new parameters. */
  readonly optimizer: Optimizer;
}

/** The metrics of a step, scalars: the loss and its parts, the gradient's norm, the learning rate. */
export interface StepMetrics extends TensorRecord {
  /** The energy loss on the step's batch, before the update. */
  loss: Scalar;
  /** A part of the loss; see {@link EnergyLoss}. */
  transport: Scalar;
  /** A part of the loss. */
  kinetic: Scalar;
  /** A part of the loss. */
  gap: Scalar;
  // With spectral regularisation also `spectral`, the sum of the largest singular values, and
  // `largestSingularValue`.
  /** The global norm of the gradient before clipping. */
  gradientNorm: Scalar;
  /** The rate of this step. */
  learningRate: Scalar;
}

/**
 * Makes a configuration concrete.
 *
 * @param config a complete configuration
 * @param data the configuration's data set, open; it stays the caller's
 * @throws {ConfigError} where the path or the potential cannot be made as configured
 * @example
 * ```ts
 * import { assertAlmostEquals, assertEquals } from "@std/assert";
 * import { openDataSource, presetConfig, trainingProblem } from "vapo";
 * const problem = trainingProblem(presetConfig("rings"), await openDataSource("rings"));
 * assertEquals(problem.potential.sampleShape, [2]);
 * assertAlmostEquals(problem.path.uMax, 0.99);
 * ```
 */
export function trainingProblem(config: RunConfig, data: DataSource): TrainingProblem {
  const { kind, ...constants } = config.optimizer;
  return {
    config,
    data,
    path: gaussianPath(config.path),
    potential: configuredPotential(config.potential, data.sampleShape),
    optimizer: kind === "adam" ? adam(constants) : lamb(constants),
  };
}

/** How a step takes its batch. */
export interface BatchParts {
  /** Samples of a part. */
  readonly size: number;
  /** Parts of a batch; 1 where it is taken whole. */
  readonly count: number;
}

/** How the steps of a configuration take their batches. */
export function batchParts({ training: { batchSize, microBatch } }: RunConfig): BatchParts {
  const size = microBatch ?? batchSize;
  return { size, count: batchSize / size };
}

/** Layers are scaled by the deviations that they have on a batch: on one of 1 or 2, by next to 0. */
const FEWEST_FOR_INITIALIZATION = 16;
/** More tell no more: every pixel of every image counts. */
const MOST_FOR_INITIALIZATION = 64;
/** Beyond this many pixels in all, activations of 128 channels and more do not fit a device. */
const PIXELS_FOR_INITIALIZATION = 2 ** 19;

/**
 * Samples that potentials with weight normalisation are initialised from: a batch, within bounds. It
 * does not depend on the parts in which batches are taken, and so neither does the start.
 */
export function initializationSize({ training: { batchSize }, data }: RunConfig): number {
  const { sampleShape } = sampleSpace(data);
  const pixels = sampleShape.length === 3 ? sampleShape[0] * sampleShape[1] : 1;
  const most = Math.min(MOST_FOR_INITIALIZATION, Math.floor(PIXELS_FOR_INITIALIZATION / pixels));
  return Math.max(FEWEST_FOR_INITIALIZATION, Math.min(batchSize, most));
}

/** What of a run's first state has to be computed; all else follows from it. */
export interface StartingValues extends Record<string, TensorRecord> {
  /** The potential's. */
  parameters: TensorRecord;
  /** Where the power iteration of the spectral regularisation starts. */
  spectral: TensorRecord;
}

/**
 * The parameters of a run before its first step, a function of the configuration and the data alone,
 * and what follows from them with work. Potentials with weight normalisation are initialised from
 * data: {@link initializationSize} samples with noise and times of their own.
 *
 * @param problem stays the caller's
 * @param words of a streamed set: its first images, int32 [initialization size, words of an image]
 * @returns tensors that belong to the caller (or to the enclosing `tf.tidy`)
 */
export function startingValues(problem: TrainingProblem, words?: Tensor): StartingValues {
  const { config, potential, path } = problem;
  return tf.tidy(() => {
    const seed = randomKey(config.seed), key = fork(seed, "initialization");
    let parameters = potential.initialize(key);
    if (potential.initializeFromData) {
      const { data, noise, time } = drawBatchFor(problem, key, initializationSize(config), words);
      const x = conditionalSample(data, noise, path.tensorAt(time));
      parameters = potential.initializeFromData(parameters, x, time);
    }
    const spectral = config.loss.spectralRegularization > 0
      ? initialSpectralVectors(parameters, fork(seed, "spectral"))
      : {};
    return { parameters, spectral };
  });
}

/**
 * The state of a run before its first step, a function of the configuration and the data alone.
 *
 * @param problem stays the caller's; a streamed set gives no batch here, so it needs `values`
 * @param values what has been computed of it; default that is done here
 * @returns a state that belongs to the caller: see {@link disposeState}
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import {
 *   assignConfig, initialState, openDataSource, openDevice, presetConfig, trainingProblem,
 * } from "vapo";
 * await openDevice("cpu");
 * const config = assignConfig(presetConfig("rings"), ["potential.hidden=[8]"]);
 * const problem = trainingProblem(config, await openDataSource("rings"));
 * const [first, second] = [initialState(problem), initialState(problem)];
 * const bytes = ({ parameters }: typeof first) => parameters["dense0.kernel"].dataSync();
 * assertEquals(bytes(first), bytes(second));
 * assertEquals(first.counters.step.dataSync()[0], 0);
 * ```
 */
export function initialState(
  problem: TrainingProblem,
  values?: StartingValues,
): TrainingState {
  const { config } = problem;
  const { otherAverageDecays } = config.optimizer;
  return tf.tidy(() => {
    const { parameters, spectral } = values ?? startingValues(problem);
    const start = copyRecord(parameters);
    const inParts = batchParts(config).count > 1;
    const averages = otherAverageDecays.map((decay) => [decay, copyRecord(start)] as const);
    const state: TrainingState = {
      parameters: start,
      average: copyRecord(start),
      otherAverages: joinAverages(averages),
      moments: zeroMoments(start),
      spectral: copyRecord(spectral),
      accumulated: inParts ? zeroAccumulation(problem, start) : {},
      counters: initialCounters(config.seed, inParts),
    };
    return state as TrainingState & TensorRecord;
  });
}

function copyRecord(record: TensorRecord): TensorRecord {
  return Object.fromEntries(
    Object.entries(record).map(([name, tensor]) => [name, tf.clone(tensor)]),
  );
}

/** Averages by decay as one record, `DECAY/NAME`. */
function joinAverages(averages: readonly (readonly [number, TensorRecord])[]): TensorRecord {
  return Object.fromEntries(
    averages.flatMap(([decay, average]) =>
      Object.entries(average).map(([name, tensor]) => [`${decay}/${name}`, tensor])
    ),
  );
}

/** The average of a decay out of the state's further ones. */
export function otherAverage(otherAverages: TensorRecord, decay: number): TensorRecord {
  const prefix = `${decay}/`;
  return Object.fromEntries(
    Object.entries(otherAverages).flatMap(([path, tensor]) =>
      path.startsWith(prefix) ? [[path.slice(prefix.length), tensor]] : []
    ),
  );
}

/**
 * The batch, or the part of a batch, that a state is about to learn from: data, noise and times, a
 * function of the seed, the step and the index of each sample alone.
 *
 * @param problem gives the data, the batch size and how times are drawn
 * @param state only its counters are read
 * @param words of a streamed set: the images, int32 [n, words of an image]
 * @returns tensors that belong to the caller (or to the enclosing `tf.tidy`)
 * @example
 * ```ts
 * import { assert, assertEquals } from "@std/assert";
 * import {
 *   assignConfig, drawBatch, initialState, openDataSource, openDevice, presetConfig,
 *   trainingProblem,
 * } from "vapo";
 * await openDevice("cpu");
 * const config = assignConfig(presetConfig("rings"), [
 *   "potential.hidden=[8]", "training.batchSize=16",
 * ]);
 * const problem = trainingProblem(config, await openDataSource("rings"));
 * const { data, noise, time } = drawBatch(problem, initialState(problem));
 * assertEquals([data.shape, noise.shape, time.shape], [[16, 2], [16, 2], [16]]);
 * assert(time.dataSync().every((u) => u > 0 && u < problem.path.uMax));
 * ```
 */
export function drawBatch(
  problem: TrainingProblem,
  state: TrainingState,
  words?: Tensor,
): PathBatch {
  const { size } = batchParts(problem.config), { part } = state.counters;
  const key = stateKey(state);
  const first = part && tf.mul(part, tf.scalar(size, "int32"));
  return drawBatchFor(problem, first ? { ...key, firstSample: first } : key, size, words);
}

/** The batch of the step that a state is about to do, also where it is taken in parts. */
export function drawWholeBatch(problem: TrainingProblem, state: TrainingState): PathBatch {
  return drawBatchFor(problem, stateKey(state), problem.config.training.batchSize);
}

function drawBatchFor(
  { config, data, path }: TrainingProblem,
  key: RandomKey,
  n: number,
  words?: Tensor,
): PathBatch {
  return {
    data: data.draw(n, fork(key, "data"), words),
    noise: randomNormal(fork(key, "noise"), [n, ...data.sampleShape]),
    time: drawTimes(config.loss.timeDraw, randomUniform(fork(key, "time"), [n]), path.uMax),
    dropout: fork(key, "dropout"),
  };
}

/** Times on [0, uMax] from uniform draws: late has the density 2u/uMax², early its mirror image. */
function drawTimes(draw: RunConfig["loss"]["timeDraw"], uniform: Tensor, uMax: number): Tensor {
  if (draw === "uniform") return tf.mul(uniform, uMax);
  const late = tf.sqrt(uniform);
  return tf.mul(draw === "late" ? late : tf.sub(1, late), uMax);
}

/**
 * One step: {@link lossOnBatch}, then {@link updateState}. Where batches are taken in parts, one
 * part of a step: the last does the update.
 *
 * @param problem gives the loss, the optimiser and the schedule
 * @param state stays the caller's
 * @param batch as {@link drawBatch} draws it for this state
 * @returns the state after the step and the step's metrics, which belong to the caller (or to the
 * enclosing `tf.tidy`: many more tensors are made on the way)
 * @example
 * ```ts
 * import { assertAlmostEquals, assertEquals } from "@std/assert";
 * import {
 *   assignConfig, drawBatch, initialState, openDataSource, openDevice, presetConfig,
 *   trainingProblem, trainingStep,
 * } from "vapo";
 * await openDevice("cpu");
 * const config = assignConfig(presetConfig("rings"), [
 *   "potential.hidden=[8]", "training.batchSize=16",
 * ]);
 * const problem = trainingProblem(config, await openDataSource("rings"));
 * const state = initialState(problem);
 * const { state: next, metrics } = trainingStep(problem, state, drawBatch(problem, state));
 * assertEquals(next.counters.step.dataSync()[0], 1);
 * // The first of 100 steps of warm-up.
 * const rate = config.optimizer.learningRate / 100;
 * assertAlmostEquals(metrics.learningRate.dataSync()[0], rate, 1e-8);
 * ```
 */
export function trainingStep(
  problem: TrainingProblem,
  state: TrainingState,
  batch: PathBatch,
): { state: TrainingState; metrics: StepMetrics } {
  const learned = lossOnBatch(problem, state, batch);
  return batchParts(problem.config).count === 1
    ? updateState(problem, state, learned)
    : accumulate(problem, state, learned);
}

/** Draw and step in one function of the state (and of a streamed batch), as it is compiled. */
export function wholeStep(problem: TrainingProblem) {
  return (state: TrainingState, words?: Tensor): { state: TrainingState; metrics: StepMetrics } =>
    trainingStep(problem, state, drawBatch(problem, state, words));
}

/**
 * The loss on a batch, its parts and its gradients: all that a step learns from its batch. Each is
 * a mean over the batch, so that means over parts of equal size are those of the whole.
 */
export interface BatchLoss {
  readonly loss: Scalar;
  readonly parts: Omit<EnergyLoss, "loss"> & TensorRecord;
  readonly gradients: TensorRecord;
  /** The state's `spectral` one step on, the same for every part of a batch. */
  readonly spectral: TensorRecord;
}

/** The first half of a step, the only one that sees the batch. */
export function lossOnBatch(
  { config, path, potential }: TrainingProblem,
  { parameters, spectral }: TrainingState,
  batch: PathBatch,
): BatchLoss {
  const { spectralRegularization: weight } = config.loss;
  let vectors = spectral;
  const { loss, report, gradients } = lossAndGradients(() => {
    const { loss, ...parts } = energyLoss(potential, parameters, batch, path, config.loss);
    if (weight === 0) return { loss, report: parts as TensorRecord };
    const regularization = spectralRegularization(parameters, spectral);
    vectors = keepRecord(regularization.vectors);
    const report: TensorRecord = {
      ...parts,
      spectral: regularization.loss,
      largestSingularValue: regularization.largest,
    };
    return { loss: tf.add(loss, tf.mul(weight, regularization.loss)) as Scalar, report };
  }, parameters);
  const advanced = copyRecord(vectors);
  if (weight !== 0) tf.dispose(vectors);
  return { loss, parts: report as BatchLoss["parts"], gradients, spectral: advanced };
}

/** The scope of a gradient ends before its caller's: what outlives it is kept. */
function keepRecord(record: TensorRecord): TensorRecord {
  return Object.fromEntries(
    Object.entries(record).map(([name, tensor]) => [name, tf.keep(tf.clone(tensor))]),
  );
}

/** The means of a batch's loss as one record, `gradients/NAME`, `parts/NAME` and `loss`. */
function flattenLoss({ loss, parts, gradients }: Omit<BatchLoss, "spectral">): TensorRecord {
  const under = (part: string, record: TensorRecord) =>
    Object.entries(record).map(([name, tensor]) => [`${part}/${name}`, tensor] as const);
  return Object.fromEntries([
    ["loss", loss] as const,
    ...under("parts", parts),
    ...under("gradients", gradients),
  ]);
}

/** The inverse of {@link flattenLoss}. */
function unflattenLoss(flat: TensorRecord): Omit<BatchLoss, "spectral"> {
  const { loss, ...rest } = flat;
  const records: Record<string, TensorRecord> = { parts: {}, gradients: {} };
  for (const [path, tensor] of Object.entries(rest)) {
    const slash = path.indexOf("/");
    records[path.slice(0, slash)][path.slice(slash + 1)] = tensor;
  }
  const { parts, gradients } = records;
  return { loss: loss as Scalar, parts: parts as BatchLoss["parts"], gradients };
}

/** The sums of {@link TrainingState.accumulated} before a batch's first part. */
function zeroAccumulation({ config }: TrainingProblem, parameters: TensorRecord): TensorRecord {
  const zero = () => tf.scalar(0);
  const gradients = Object.fromEntries(
    Object.entries(parameters).map(([name, tensor]) => [name, tf.zerosLike(tensor)]),
  );
  const parts: TensorRecord = { transport: zero(), kinetic: zero(), gap: zero() };
  if (config.loss.spectralRegularization > 0) {
    Object.assign(parts, { spectral: zero(), largestSingularValue: zero() });
  }
  return flattenLoss({ loss: zero(), parts: parts as BatchLoss["parts"], gradients });
}

/**
 * A part of a step: adds what the part has learned to what the parts before it have, and does the
 * step with their mean where it is the last. Both outcomes are computed and one is taken, since a
 * program has no branches; the update costs little beside the gradients.
 */
function accumulate(
  problem: TrainingProblem,
  state: TrainingState,
  learned: BatchLoss,
): { state: TrainingState; metrics: StepMetrics } {
  const { count } = batchParts(problem.config), { counters, accumulated } = state;
  const means: TensorRecord = {};
  for (const [name, value] of Object.entries(flattenLoss(learned))) {
    means[name] = tf.add(accumulated[name], tf.div(value, count));
  }
  const isLast = tf.equal(counters.part, tf.scalar(count - 1, "int32"));
  const updated = updateState(problem, state, {
    ...unflattenLoss(means),
    spectral: learned.spectral,
  });
  const part = tf.add(counters.part, tf.scalar(1, "int32"));
  const unchanged: TrainingState = {
    ...state,
    accumulated: means,
    counters: { ...counters, part },
  };
  const zeros = Object.fromEntries(
    Object.entries(means).map(([name, tensor]) => [name, tf.zerosLike(tensor)]),
  );
  const done: TrainingState = { ...updated.state, accumulated: zeros };
  const before = flattenState<Tensor>(unchanged), after = flattenState<Tensor>(done);
  const chosen: TensorRecord = {};
  for (const name of Object.keys(before)) {
    chosen[name] = tf.where(isLast, after[name], before[name]);
  }
  return { state: unflattenState(chosen), metrics: updated.metrics };
}

/**
 * The second half of a step: clipping, optimiser and moving averages. A loss or a gradient that is
 * not finite is noted in the state's `firstNonFinite`, with the number of the step it came up at, so
 * that nobody has to read the loss every step to know it later.
 */
export function updateState(
  { config, optimizer }: TrainingProblem,
  state: TrainingState,
  { loss, parts, gradients: raw, spectral }: BatchLoss,
): { state: TrainingState; metrics: StepMetrics } {
  const { parameters, average, otherAverages, moments, counters } = state;
  const { clipNorm, averageDecay, otherAverageDecays, schedule, warmupSteps } = config.optimizer;
  const step = stepNumber(state);
  const { gradients, norm } = clipNorm === null
    ? { gradients: raw, norm: globalNorm(raw) }
    : clipByGlobalNorm(raw, clipNorm);
  const learningRate = learningRateAt({
    kind: schedule,
    learningRate: config.optimizer.learningRate,
    warmupSteps,
    totalSteps: config.training.steps,
  }, step);
  const updated = optimizer.update({ parameters, gradients, moments, learningRate, step });
  const averaged = (average: TensorRecord, decay: number) =>
    updateAverage(average, updated.parameters, decay, step);
  return {
    state: {
      parameters: updated.parameters,
      average: averaged(average, averageDecay),
      otherAverages: joinAverages(
        otherAverageDecays.map((decay) =>
          [decay, averaged(otherAverage(otherAverages, decay), decay)] as const
        ),
      ),
      moments: updated.moments,
      spectral,
      accumulated: state.accumulated,
      counters: nextCounters(counters, loss, norm),
    },
    metrics: { loss, ...parts, gradientNorm: norm, learningRate },
  };
}

function nextCounters(counters: TensorRecord, loss: Scalar, gradientNorm: Scalar): TensorRecord {
  return {
    seed: tf.clone(counters.seed),
    step: tf.add(counters.step, tf.scalar(1, "int32")),
    firstNonFinite: noteNonFinite(counters, loss, gradientNorm),
    ...(counters.part && { part: tf.zerosLike(counters.part) }),
  };
}

function noteNonFinite(
  { step, firstNonFinite }: TensorRecord,
  loss: Scalar,
  gradientNorm: Scalar,
): Tensor {
  const stillGood = tf.less(firstNonFinite, tf.scalar(0, "int32"));
  const bad = tf.logicalNot(tf.logicalAnd(tf.isFinite(loss), tf.isFinite(gradientNorm)));
  const number = tf.add(step, tf.scalar(1, "int32"));
  return tf.where(tf.logicalAnd(stillGood, bad), number, firstNonFinite);
}

/**
 * For data that is a Gaussian mixture, how far the state's potential is above the least loss that
 * there is, on the batch given; null for other data.
 */
export function excessOverMinimum(
  { config, data, path, potential }: TrainingProblem,
  state: TrainingState,
  batch: PathBatch,
): { excess: Scalar; minimum: Scalar } | null {
  const mixture = data.distribution?.mixture;
  if (!mixture) return null;
  return energyExcess(potential, state.parameters, batch, path, mixture, config.loss);
}
