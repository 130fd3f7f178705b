/**
 * @file One training step as a pure function (state, batch) → (state, metrics): both gradients,
 * clipping, optimiser and moving average, with nothing read back to the host on the way. The batch
 * itself is a pure function of the state, so that step and draw can be compiled together.
 */
import {
  fork,
  lossAndGradients,
  type RandomKey,
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
import { mlpPotential } from "../potential/mlp.ts";
import type { Potential } from "../potential/potential.ts";
import { wideResnetPotential } from "../potential/wide_resnet.ts";
import type { RunConfig } from "./config.ts";
import type { DataSource } from "./data_source.ts";
import { initialCounters, stateKey, stepNumber, type TrainingState } from "./state.ts";

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

/**
 * The potential that a configuration describes.
 *
 * @param options the configuration's section
 * @param sampleShape [d] for an MLP, [height, width, channels] for a wide ResNet
 * @throws {ConfigError} when an image side cannot be halved at every level
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { ConfigError, configuredPotential, presetConfig } from "vapo";
 * const { potential } = presetConfig("mnist16"); // three levels
 * assertEquals(configuredPotential(potential, [16, 16, 1]).timeExplicit, false);
 * assertThrows(() => configuredPotential(potential, [18, 18, 1]), ConfigError, "divisible by 4");
 * ```
 */
export function configuredPotential(
  options: RunConfig["potential"],
  sampleShape: readonly number[],
): Potential {
  if (options.kind === "mlp") return mlpPotential({ ...options, dimension: sampleShape[0] });
  return wideResnetPotential({
    ...options,
    imageShape: sampleShape as [number, number, number],
  });
}

/** Layers are scaled by the deviations that they have on a batch: on one of 1 or 2, by next to 0. */
const FEWEST_FOR_INITIALIZATION = 16;

/**
 * The state of a run before its first step, a function of the configuration alone. Potentials with
 * weight normalisation are initialised from draws of their own, as many as a batch has but at
 * least 16.
 *
 * @param problem stays the caller's
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
export function initialState(problem: TrainingProblem): TrainingState {
  const { config, potential, path } = problem;
  return tf.tidy(() => {
    const counters = initialCounters(config.seed);
    const empty: TrainingState = { parameters: {}, average: {}, moments: {}, counters };
    const key = fork(stateKey(empty), "initialization");
    let parameters = potential.initialize(key);
    if (potential.initializeFromData) {
      const n = Math.max(config.training.batchSize, FEWEST_FOR_INITIALIZATION);
      const { data, noise, time } = drawBatchFor(problem, key, n);
      const x = conditionalSample(data, noise, path.tensorAt(time));
      parameters = potential.initializeFromData(parameters, x, time);
    }
    const average: TensorRecord = {};
    for (const [name, tensor] of Object.entries(parameters)) average[name] = tf.clone(tensor);
    return { parameters, average, moments: zeroMoments(parameters), counters } as
      & TrainingState
      & TensorRecord;
  });
}

/**
 * The batch of the step that a state is about to do: data, noise and times, a function of the seed
 * and the step alone.
 *
 * @param problem gives the data, the batch size and how times are drawn
 * @param state only its counters are read
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
export function drawBatch(problem: TrainingProblem, state: TrainingState): PathBatch {
  return drawBatchFor(problem, stateKey(state), problem.config.training.batchSize);
}

function drawBatchFor(
  { config, data, path }: TrainingProblem,
  key: RandomKey,
  n: number,
): PathBatch {
  return {
    data: data.draw(n, fork(key, "data")),
    noise: randomNormal(fork(key, "noise"), [n, ...data.sampleShape]),
    time: drawTimes(config.loss.timeDraw, randomUniform(fork(key, "time"), [n]), path.uMax),
  };
}

/** Times on [0, uMax] from uniform draws: late has the density 2u/uMax², early its mirror image. */
function drawTimes(draw: RunConfig["loss"]["timeDraw"], uniform: Tensor, uMax: number): Tensor {
  if (draw === "uniform") return tf.mul(uniform, uMax);
  const late = tf.sqrt(uniform);
  return tf.mul(draw === "late" ? late : tf.sub(1, late), uMax);
}

/**
 * One step: {@link lossOnBatch}, then {@link updateState}.
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
  return updateState(problem, state, lossOnBatch(problem, state, batch));
}

/**
 * The loss on a batch, its parts and its gradients: all that a step learns from its batch. Each is
 * a mean over the batch, so that means over parts of equal size are those of the whole.
 */
export interface BatchLoss {
  readonly loss: Scalar;
  readonly parts: Omit<EnergyLoss, "loss">;
  readonly gradients: TensorRecord;
}

/** The first half of a step, the only one that sees the batch. */
export function lossOnBatch(
  { config, path, potential }: TrainingProblem,
  { parameters }: TrainingState,
  batch: PathBatch,
): BatchLoss {
  const { loss, report, gradients } = lossAndGradients(() => {
    const { loss, ...parts } = energyLoss(potential, parameters, batch, path, config.loss);
    return { loss, report: parts };
  }, parameters);
  return { loss, parts: report, gradients };
}

/**
 * The second half of a step: clipping, optimiser and moving average. A loss or a gradient that is
 * not finite is noted in the state's `firstNonFinite`, with the number of the step it came up at, so
 * that nobody has to read the loss every step to know it later.
 */
export function updateState(
  { config, optimizer }: TrainingProblem,
  state: TrainingState,
  { loss, parts, gradients: raw }: BatchLoss,
): { state: TrainingState; metrics: StepMetrics } {
  const { parameters, average, moments, counters } = state;
  const { clipNorm, averageDecay, learningRate: rate, schedule, warmupSteps } = config.optimizer;
  const step = stepNumber(state);
  const { gradients, norm } = clipNorm === null
    ? { gradients: raw, norm: globalNorm(raw) }
    : clipByGlobalNorm(raw, clipNorm);
  const learningRate = learningRateAt(
    { kind: schedule, learningRate: rate, warmupSteps, totalSteps: config.training.steps },
    step,
  );
  const updated = optimizer.update({ parameters, gradients, moments, learningRate, step });
  return {
    state: {
      parameters: updated.parameters,
      average: updateAverage(average, updated.parameters, averageDecay, step),
      moments: updated.moments,
      counters: {
        seed: tf.clone(counters.seed),
        step: tf.add(counters.step, tf.scalar(1, "int32")),
        firstNonFinite: noteNonFinite(counters, loss, norm),
      },
    },
    metrics: { loss, ...parts, gradientNorm: norm, learningRate },
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
