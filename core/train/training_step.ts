/**
 * @file One training step as a pure function (state, batch) → (state, metrics): both gradients,
 * clipping, optimiser and moving averages, with nothing read back to the host on the way. The batch
 * itself is a pure function of the state, so that step and draw can be compiled together. A batch
 * that is too large for the device is taken in parts, whose gradients are accumulated in the state;
 * the last part does the step.
 */
import {
  lossAndGradients,
  type Scalar,
  type Tensor,
  type TensorRecord,
  tf,
} from "../tensor/mod.ts";
import type { GaussianMixture } from "../homotopy/gaussian_mixture.ts";
import { energyExcess, type EnergyLoss, energyLoss, type PathBatch } from "../loss/energy_loss.ts";
import { spectralRegularization } from "../loss/spectral_regularization.ts";
import { clipByGlobalNorm, globalNorm } from "../optim/clipping.ts";
import { updateAverage } from "../optim/ema.ts";
import { learningRateAt } from "../optim/schedules.ts";
import { flattenLoss, unflattenLoss } from "./accumulation.ts";
import {
  copyRecord,
  flattenState,
  joinAverages,
  otherAverage,
  stepNumber,
  type TrainingState,
  unflattenState,
} from "./state.ts";
import { batchParts, drawBatch } from "./training_batch.ts";
import type { TrainingProblem } from "./training_problem.ts";

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

/** The least loss is a sum over pairs of a sample and a component; more of them fill the memory. */
const MOST_PAIRS = 2 ** 23;

/**
 * The Gaussian mixture that the data is, where the least loss that there is can be computed of it: for
 * 4,096 components with batches of up to 2,048 samples.
 */
export function mixtureOfData({ config, data }: TrainingProblem): GaussianMixture | null {
  const mixture = data.distribution?.mixture;
  if (!mixture || config.training.batchSize * mixture.means.length > MOST_PAIRS) return null;
  return mixture;
}

/**
 * For data that is a Gaussian mixture, how far the state's potential is above the least loss that
 * there is, on the batch given; null for other data, and where there are too many components to sum
 * over for each sample: see {@link mixtureOfData}.
 */
export function excessOverMinimum(
  problem: TrainingProblem,
  state: TrainingState,
  batch: PathBatch,
): { excess: Scalar; minimum: Scalar } | null {
  const { config, path, potential } = problem, mixture = mixtureOfData(problem);
  if (!mixture) return null;
  return energyExcess(potential, state.parameters, batch, path, mixture, config.loss);
}
