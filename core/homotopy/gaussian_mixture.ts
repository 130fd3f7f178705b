/**
 * @file Exact oracles: an isotropic Gaussian mixture carried along a Gaussian path.
 *
 * Where the data are Σ_k w_k N(m_k, τ² I), the marginal of x = α x̄ + β ε is again a mixture,
 * ρ̄(x; u) = Σ_k w_k N(x; α m_k, s² I) with s² = α²τ² + β², and its density, score, velocity
 * E[α̇ x̄ + β̇ ε given x] and potential Φ* are closed forms. For every Gaussian path
 *
 *     Φ*(x, u) = (α̇/2α)|x|² + (α̇β²/α − ββ̇) log ρ̄(x; u) + const,
 *
 * the solution of Poisson's equation in "Variational Potential Flow" (arXiv 2407.15238, equation
 * 14). All of it in float64 on the host; the velocity in tensors too.
 */

import { ConfigError, VapoError } from "../errors.ts";
import { type Tensor, type Tensor2D, tf } from "../tensor/mod.ts";
import type { PathCoefficients } from "./gaussian_path.ts";

/** A mixture of Gaussians of one isotropic width: Σ_k w_k N(m_k, std² I). */
export interface GaussianMixture {
  /** m_k: the means, all of one dimension d. */
  readonly means: readonly (readonly number[])[];
  /** τ: the standard deviation of every component, at least 0. */
  readonly std: number;
  /** w_k: at least 0, summing to 1; equal where left out. */
  readonly weights?: readonly number[];
}

/** A mixture at one time of a path, checked and flattened. */
interface MarginalMixture {
  readonly dimension: number;
  readonly count: number;
  /** m_k, row by row. */
  readonly means: Float64Array;
  readonly weights: Float64Array;
  /** s² = α²τ² + β². */
  readonly variance: number;
}

/**
 * log ρ̄(x; u) at n points.
 *
 * Source: arXiv 2407.15238, equation 9, for a Gaussian mixture in place of the data.
 *
 * @param mixture the distribution of the data
 * @param x points: n·d numbers, row by row
 * @param c coefficients of the path at the one time of all points
 * @returns n natural logarithms of densities
 * @throws {ConfigError} for a mixture without components, with means of different lengths or with
 * weights that are no probabilities.
 * @throws {VapoError} where x is not whole points, or α²τ² + β² is 0.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { gaussianPath, mixtureLogDensity } from "vapo";
 *
 * const mixture = { means: [[-3], [3]], std: 0.5 };
 * const [atPrior] = mixtureLogDensity(mixture, Float64Array.of(0), gaussianPath().at(0));
 * assertAlmostEquals(atPrior, -0.5 * Math.log(2 * Math.PI)); // N(0, 1) at u = 0
 * ```
 */
export function mixtureLogDensity(
  mixture: GaussianMixture,
  x: Float64Array,
  c: PathCoefficients<number>,
): Float64Array {
  const marginal = marginalMixture(mixture, x, c);
  return logDensities(marginal, x, c);
}

/**
 * The score ∇ log ρ̄(x; u) at n points.
 *
 * @param mixture the distribution of the data
 * @param x points: n·d numbers, row by row
 * @param c coefficients of the path at the one time of all points
 * @returns n·d numbers, row by row
 * @throws {ConfigError | VapoError} as {@link mixtureLogDensity}.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { gaussianPath, mixtureScore } from "vapo";
 *
 * const mixture = { means: [[-3], [3]], std: 0.5 };
 * const [score] = mixtureScore(mixture, Float64Array.of(0.7), gaussianPath().at(0));
 * assertAlmostEquals(score, -0.7); // the prior's −x
 * ```
 */
export function mixtureScore(
  mixture: GaussianMixture,
  x: Float64Array,
  c: PathCoefficients<number>,
): Float64Array {
  const marginal = marginalMixture(mixture, x, c);
  return posteriorMean(marginal, x, c, 0, -1 / marginal.variance);
}

/**
 * The marginal velocity v(x, u) = E[α̇ x̄ + β̇ ε given x] = ∇Φ*(x, u) at n points; finite at α = 0,
 * where it is α̇ E[x̄] + (β̇/β) x.
 *
 * @param mixture the distribution of the data
 * @param x points: n·d numbers, row by row
 * @param c coefficients of the path at the one time of all points
 * @returns n·d numbers, row by row
 * @throws {ConfigError | VapoError} as {@link mixtureLogDensity}.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { gaussianPath, mixtureVelocity } from "vapo";
 *
 * const mixture = { means: [[3]], std: 0.5 };
 * const path = gaussianPath({ path: "optimal-transport" });
 * const [v] = mixtureVelocity(mixture, Float64Array.of(0.7), path.at(0));
 * assertAlmostEquals(v, 3 - 0.7); // E[x̄] − x at u = 0
 * ```
 */
export function mixtureVelocity(
  mixture: GaussianMixture,
  x: Float64Array,
  c: PathCoefficients<number>,
): Float64Array {
  const marginal = marginalMixture(mixture, x, c);
  return posteriorMean(marginal, x, c, c.alphaDot, expansionRate(mixture, c));
}

/**
 * The exact potential Φ*(x, u) at n points, whose gradient is {@link mixtureVelocity}: the solution
 * of Poisson's equation, arXiv 2407.15238, equation 14.
 *
 * The constant, which may depend on u, is free. It is chosen as
 * (d/2)(α̇β²/α − ββ̇) log(2πs²), which cancels the normalisation of log ρ̄, so that Φ* has a limit
 * at α = 0: ½(β̇/β)|x|² + α̇ E[x̄]·x. Compare potentials only after subtracting their values at one
 * point. With L = log Σ_k w_k exp((α x·m_k − ½α²|m_k|²)/s²) this is
 *
 *     Φ*(x, u) = ½ ((α̇ατ² + β̇β)/s²)|x|² + α̇β² L/α − ββ̇ L.
 *
 * @param mixture the distribution of the data
 * @param x points: n·d numbers, row by row
 * @param c coefficients of the path at the one time of all points
 * @returns n numbers
 * @throws {ConfigError | VapoError} as {@link mixtureLogDensity}.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { gaussianPath, mixturePotential } from "vapo";
 *
 * const mixture = { means: [[3]], std: 0.5 };
 * const path = gaussianPath({ path: "optimal-transport" });
 * const [phi] = mixturePotential(mixture, Float64Array.of(0.7), path.at(0));
 * assertAlmostEquals(phi, 3 * 0.7 - 0.5 * 0.7 ** 2);
 * ```
 */
export function mixturePotential(
  mixture: GaussianMixture,
  x: Float64Array,
  c: PathCoefficients<number>,
): Float64Array {
  const marginal = marginalMixture(mixture, x, c);
  const { dimension } = marginal;
  const curvature = expansionRate(mixture, c);
  return Float64Array.from({ length: x.length / dimension }, (_, i) => {
    const point = x.subarray(i * dimension, (i + 1) * dimension);
    const { tilt, tiltByAlpha } = logTilt(marginal, point, c.alpha);
    return 0.5 * curvature * dot(point, point) +
      c.alphaDot * c.beta ** 2 * tiltByAlpha - c.beta * c.betaDot * tilt;
  });
}

/**
 * {@link mixtureVelocity} on tensors: each point at its own time. Differentiable in x, float32.
 *
 * @param mixture the distribution of the data
 * @param x points: [n, d]
 * @param c coefficients, each [n] or [n, 1] (or a scalar for one time shared by all)
 * @returns v: [n, d]
 * @throws {ConfigError} as {@link mixtureLogDensity}.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { gaussianPath, mixtureVelocityTensor, openDevice, tf } from "vapo";
 *
 * await openDevice("cpu");
 * const mixture = { means: [[3]], std: 0.5 };
 * const c = gaussianPath({ path: "optimal-transport" }).tensorAt(tf.tensor1d([0, 0]));
 * const v = mixtureVelocityTensor(mixture, tf.tensor2d([[0.7], [-1]]), c);
 * const [first, second] = await v.data();
 * assertAlmostEquals(first, 2.3, 1e-6);
 * assertAlmostEquals(second, 4, 1e-6);
 * ```
 */
export function mixtureVelocityTensor(
  mixture: GaussianMixture,
  x: Tensor2D,
  c: PathCoefficients<Tensor>,
): Tensor2D {
  const { dimension, count, means, weights } = flattened(mixture);
  const tau2 = mixture.std ** 2;
  return tf.tidy(() => {
    const [alpha, beta, alphaDot, betaDot] = [c.alpha, c.beta, c.alphaDot, c.betaDot].map((t) =>
      tf.reshape(t, [-1, 1, 1])
    );
    const variance = tf.add(tf.mul(tf.square(alpha), tau2), tf.square(beta));
    const centre = tf.tensor3d(Float32Array.from(means), [1, count, dimension]);
    // [n, count, d]: differences, not expanded squares, since α m_k is near x where it matters
    const offset = tf.sub(tf.expandDims(x, 1), tf.mul(alpha, centre));
    const exponent = tf.div(tf.sum(tf.square(offset), 2, true), tf.mul(variance, -2));
    const logWeight = tf.tensor3d(Float32Array.from(weights, logOfWeight), [1, count, 1]);
    const responsibility = tf.softmax(tf.squeeze(tf.add(exponent, logWeight), [2]));
    const drift = tf.add(tf.mul(tf.mul(alphaDot, alpha), tau2), tf.mul(betaDot, beta));
    const velocity = tf.add(tf.mul(alphaDot, centre), tf.mul(tf.div(drift, variance), offset));
    return tf.sum(tf.mul(tf.expandDims(responsibility, 2), velocity), 1) as Tensor2D;
  });
}

/**
 * The logarithm of a weight, with a finite stand-in for that of 0 (WebGPU promises no infinities),
 * which the softmax still takes to 0.
 */
function logOfWeight(weight: number): number {
  return Math.max(Math.log(weight), -1e30);
}

/** ½ d(log s²)/du = (α̇ατ² + β̇β)/s²: how fast each component widens. */
function expansionRate(mixture: GaussianMixture, c: PathCoefficients<number>): number {
  const drift = c.alphaDot * c.alpha * mixture.std ** 2 + c.betaDot * c.beta;
  return drift / (c.alpha ** 2 * mixture.std ** 2 + c.beta ** 2);
}

/**
 * log ρ̄ at each point, and for whoever asks the responsibilities p(k given x): one row at a time, for
 * n·count numbers at once are more than memory has for a density on a grid.
 */
function logDensities(
  marginal: MarginalMixture,
  x: Float64Array,
  c: PathCoefficients<number>,
  onResponsibilities?: (row: Float64Array, i: number) => void,
): Float64Array {
  const { dimension, count, means, weights, variance } = marginal;
  const logWeights = weights.map(Math.log), row = new Float64Array(count);
  const logNormaliser = 0.5 * dimension * Math.log(2 * Math.PI * variance);
  return Float64Array.from({ length: x.length / dimension }, (_, i) => {
    for (let k = 0; k < count; k++) {
      let squared = 0;
      for (let j = 0; j < dimension; j++) {
        squared += (x[i * dimension + j] - c.alpha * means[k * dimension + j]) ** 2;
      }
      row[k] = logWeights[k] - squared / (2 * variance);
    }
    const logSum = logSumExp(row);
    if (onResponsibilities) {
      for (let k = 0; k < count; k++) row[k] = expBesideOne(row[k] - logSum);
      onResponsibilities(row, i);
    }
    return logSum - logNormaliser;
  });
}

/** Σ_k p(k given x) (p·m_k + q·(x − α m_k)) at each point: n·d numbers. */
function posteriorMean(
  marginal: MarginalMixture,
  x: Float64Array,
  c: PathCoefficients<number>,
  p: number,
  q: number,
): Float64Array {
  const { dimension, count, means } = marginal;
  const result = new Float64Array(x.length);
  logDensities(marginal, x, c, (responsibilities, i) => {
    for (let j = 0; j < dimension; j++) {
      const value = x[i * dimension + j];
      let sum = 0;
      for (let k = 0; k < count; k++) {
        const mean = means[k * dimension + j];
        sum += responsibilities[k] * (p * mean + q * (value - c.alpha * mean));
      }
      result[i * dimension + j] = sum;
    }
  });
  return result;
}

/**
 * L = log Σ_k w_k exp((α x·m_k − ½α²|m_k|²)/s²) and L/α, both accurate as α → 0, where the second
 * tends to E[x̄]·x/s².
 */
function logTilt(marginal: MarginalMixture, point: Float64Array, alpha: number) {
  const { dimension, count, means, weights, variance } = marginal;
  const slopes = Float64Array.from({ length: count }, (_, k) => {
    const mean = means.subarray(k * dimension, (k + 1) * dimension);
    return (dot(point, mean) - 0.5 * alpha * dot(mean, mean)) / variance;
  });
  if (alpha === 0) return { tilt: 0, tiltByAlpha: dot(weights, slopes) };
  const exponents = slopes.map((slope) => alpha * slope);
  const tilt = exponents.every((a) => Math.abs(a) <= 0.5)
    ? Math.log1p(dot(weights, exponents.map(Math.expm1)))
    : logSumExp(exponents.map((a, k) => a + Math.log(weights[k])));
  return { tilt, tiltByAlpha: tilt / alpha };
}

/**
 * exp(x) where it is added to numbers of the order of 1; below e⁻⁶⁰ it is lost among them, thousands of it
 * too, and most components of a large mixture are that far from a point.
 */
function expBesideOne(x: number): number {
  return x < -60 ? 0 : Math.exp(x);
}

function logSumExp(values: Float64Array): number {
  let largest = -Infinity;
  for (const value of values) largest = Math.max(largest, value);
  let sum = 0;
  for (const value of values) sum += expBesideOne(value - largest);
  return largest + Math.log(sum);
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

function marginalMixture(
  mixture: GaussianMixture,
  x: Float64Array,
  c: PathCoefficients<number>,
): MarginalMixture {
  const flat = flattened(mixture);
  const variance = c.alpha ** 2 * mixture.std ** 2 + c.beta ** 2;
  if (x.length % flat.dimension !== 0) {
    throw new VapoError(
      `${x.length} values are not whole points of dimension ${flat.dimension}; expected a multiple: pass n·d values`,
    );
  }
  if (!(variance > 0)) {
    throw new VapoError(
      `the marginal has variance ${variance}; expected more than 0: stop before β = 0, or give the mixture a width`,
    );
  }
  return { ...flat, variance };
}

/** The mixture in flat arrays, once its fields are known to fit. */
function flattened(mixture: GaussianMixture): Omit<MarginalMixture, "variance"> {
  const { means, std } = mixture;
  const count = means.length;
  const dimension = means[0]?.length ?? 0;
  if (dimension === 0 || means.some((mean) => mean.length !== dimension)) {
    throw new ConfigError(
      `mixture has ${count} means of lengths ${means.map((mean) => mean.length).slice(0, 8)}; ` +
        `expected at least one, all of one length above 0`,
    );
  }
  const flatMeans = Float64Array.from(means.flat());
  if (!(std >= 0 && Number.isFinite(std)) || !flatMeans.every(Number.isFinite)) {
    throw new ConfigError(
      `mixture has std ${std} and means up to ${Math.max(...flatMeans.map(Math.abs))}; ` +
        `expected finite numbers, std at least 0`,
    );
  }
  const weights = Float64Array.from(mixture.weights ?? means.map(() => 1 / count));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (
    weights.length !== count || !weights.every((w) => w >= 0) || !(Math.abs(total - 1) <= 1e-9)
  ) {
    throw new ConfigError(
      `mixture has ${weights.length} weights summing to ${total} for ${count} means; ` +
        `expected one each, at least 0, summing to 1: divide them by their sum`,
    );
  }
  return { dimension, count, means: flatMeans, weights };
}
