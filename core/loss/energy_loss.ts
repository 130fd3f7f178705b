/**
 * @file The energy loss [VPF, eqs. 16, 18, 20]: the variational form of the Poisson equation whose
 * solution carries the prior to the data,
 *
 *   L(Φ) = E_u w(u) { E[ν Φ(x)] + ½ E|∇Φ(x)|² + ½ η E[Φ(x)²] },
 *
 * with its two unbiased estimators of the transport term: `covariance` (the paper's, the mean of
 * νΦ) and `stein` (minus the mean of v·∇Φ, equal to it by Stein's identity, at a variance smaller
 * by one to four orders of magnitude). Both have the minimum −½ E w|∇Φ*|² at η = 0.
 */
import {
  batchValueAndGradient,
  innerProduct,
  type RandomKey,
  type Scalar,
  type Tensor,
  type TensorRecord,
  tf,
} from "../tensor/mod.ts";
import {
  conditionalSample,
  conditionalVelocity,
  type GaussianPath,
  innovation,
  type PathCoefficients,
} from "../homotopy/gaussian_path.ts";
import { type GaussianMixture, mixtureVelocityTensor } from "../homotopy/gaussian_mixture.ts";
import type { Potential } from "../potential/potential.ts";

/** Data, noise and times of one step; a sample's path position is x = α(u)x̄ + β(u)ε. */
export interface PathBatch {
  /** x̄: [n, …]. */
  readonly data: Tensor;
  /** ε ~ N(0, I): [n, …]. */
  readonly noise: Tensor;
  /** u: [n], in [0, uMax]. */
  readonly time: Tensor;
  /** What the masks of a potential's dropout are a function of; nothing is dropped without it. */
  readonly dropout?: RandomKey;
}

/** Which functional is estimated, and how. */
export interface EnergyLossOptions {
  /** Of the transport term: the mean of −v·∇Φ ("stein") or of νΦ ("covariance", the paper's). */
  readonly estimator: "stein" | "covariance";
  /** w(u): 1, or β(u), which keeps the covariance estimator bounded as β → 0. */
  readonly timeWeight: "one" | "beta";
  /** η ≥ 0, the spectral gap. */
  readonly spectralGap: number;
  /** Whether the loss is divided by the number of values in a sample. */
  readonly perDimension: boolean;
}

/** The loss as the sum of its parts: loss = transport + kinetic + gap. Scalars. */
export interface EnergyLoss {
  /** The sum of the three parts, in data units squared. */
  readonly loss: Scalar;
  /** The mean of w ν Φ, or of −w v·∇Φ. */
  readonly transport: Scalar;
  /** The mean of ½ w |∇Φ|². */
  readonly kinetic: Scalar;
  /** The mean of ½ w η Φ². */
  readonly gap: Scalar;
}

/**
 * The energy loss on one batch, an unbiased estimate of
 * L(Φ) = E_u w(u) { E[ν Φ(x)] + ½ E|∇Φ(x)|² + ½ η E[Φ(x)²] }.
 *
 * Source: arXiv 2407.15238, equations 16, 18 and 20; the Stein estimator by Stein's identity.
 *
 * @param potential Φ
 * @param parameters the potential's
 * @param batch data, noise and times, as many of each
 * @param path gives the positions, and the velocity or the innovation at them
 * @param options estimator, time weight and spectral gap
 * @returns the loss and its parts, each a mean over the batch (and, with `perDimension`, divided by
 * d); differentiable in the parameters
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { energyLoss, gaussianPath, mlpPotential, openDevice, randomKey, tf } from "vapo";
 * await openDevice("cpu");
 * const potential = mlpPotential({ dimension: 2, hidden: [8], timeExplicit: false });
 * const parameters = potential.initialize(randomKey(1));
 * const batch = { data: tf.ones([4, 2]), noise: tf.zeros([4, 2]), time: tf.fill([4], 0.5) };
 * const parts = energyLoss(potential, parameters, batch, gaussianPath(), {
 *   estimator: "stein", timeWeight: "one", spectralGap: 0.1, perDimension: false,
 * });
 * const [loss, transport, kinetic, gap] = [parts.loss, parts.transport, parts.kinetic, parts.gap]
 *   .map((part) => part.dataSync()[0]);
 * assertAlmostEquals(loss, transport + kinetic + gap, 1e-6);
 * ```
 */
export function energyLoss(
  potential: Potential,
  parameters: TensorRecord,
  batch: PathBatch,
  path: GaussianPath,
  options: EnergyLossOptions,
): EnergyLoss {
  const { data, noise, time, dropout } = batch;
  const coefficients = path.tensorAt(time);
  const x = conditionalSample(data, noise, coefficients);
  const { value, gradient } = batchValueAndGradient(
    (x) => potential.apply(parameters, x, time, { dropout }),
    x,
  );
  const transport = options.estimator === "stein"
    ? tf.neg(innerProduct(gradient, conditionalVelocity(data, noise, coefficients)))
    : tf.mul(innovation(data, noise, coefficients), value);
  const average = weightedMean(batch, coefficients, options);
  const parts = {
    transport: average(transport, 1),
    kinetic: average(innerProduct(gradient, gradient), 0.5),
    gap: average(tf.square(value), 0.5 * options.spectralGap),
  };
  return { ...parts, loss: tf.addN([parts.transport, parts.kinetic, parts.gap]) as Scalar };
}

/**
 * How far a potential is above the least energy loss that any potential can have, when the data is
 * a Gaussian mixture (η = 0): the excess ½ E w|∇Φ − v*|² and the minimum −½ E w|v*|², with the
 * exact marginal velocity v*. Estimated on the batch's positions, the excess is never negative. A
 * time-implicit potential cannot reach zero.
 *
 * Source: completing the square in arXiv 2407.15238, equation 18, with E[v given x] = v*.
 *
 * @param potential Φ, of samples of the shape [d]
 * @param parameters the potential's
 * @param batch data of shape [n, d], drawn from the mixture
 * @param path that of the loss
 * @param mixture the distribution of the data
 * @param options those of the loss; only the time weight and `perDimension` matter
 * @returns means over the batch, in the unit of the loss
 * @throws {ConfigError} for a mixture as in {@link mixtureLogDensity}
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { energyExcess, gaussianPath, openDevice, type Potential, tf } from "vapo";
 * await openDevice("cpu");
 * // For data N(0, I), −½|x|² is exact at u = 0, where v* = E[x̄] − x.
 * const potential: Potential = {
 *   sampleShape: [2], timeExplicit: false, initialize: () => ({}),
 *   apply: (_parameters, x) => tf.mul(tf.sum(tf.square(x), 1), -0.5),
 * };
 * const batch = { data: tf.zeros([4, 2]), noise: tf.ones([4, 2]), time: tf.zeros([4]) };
 * const path = gaussianPath({ path: "optimal-transport" });
 * const mixture = { means: [[0, 0]], std: 1 };
 * const { excess, minimum } = energyExcess(potential, {}, batch, path, mixture, {
 *   estimator: "stein", timeWeight: "one", spectralGap: 0, perDimension: false,
 * });
 * assertAlmostEquals(excess.dataSync()[0], 0, 1e-6);
 * assertAlmostEquals(minimum.dataSync()[0], -1, 1e-6); // −½|x|² at x = (1, 1)
 * ```
 */
export function energyExcess(
  potential: Potential,
  parameters: TensorRecord,
  batch: PathBatch,
  path: GaussianPath,
  mixture: GaussianMixture,
  options: EnergyLossOptions,
): { excess: Scalar; minimum: Scalar } {
  const coefficients = path.tensorAt(batch.time);
  const x = conditionalSample(batch.data, batch.noise, coefficients);
  const { gradient } = batchValueAndGradient(
    (x) => potential.apply(parameters, x, batch.time),
    x,
  );
  const exact = mixtureVelocityTensor(mixture, x as tf.Tensor2D, coefficients);
  const difference = tf.sub(gradient, exact);
  const average = weightedMean(batch, coefficients, options);
  return {
    excess: average(innerProduct(difference, difference), 0.5),
    minimum: average(innerProduct(exact, exact), -0.5),
  };
}

/** The mean over the batch of w(u) times a value a sample, times a factor. */
function weightedMean(
  { data, time }: PathBatch,
  { beta }: PathCoefficients<Tensor>,
  { timeWeight, perDimension }: EnergyLossOptions,
): (perSample: Tensor, factor: number) => Scalar {
  const scale = perDimension ? time.size / data.size : 1;
  return (perSample, factor) => {
    const weighted = timeWeight === "one" ? perSample : tf.mul(beta, perSample);
    return tf.mul(tf.mean(weighted), factor * scale) as Scalar;
  };
}
