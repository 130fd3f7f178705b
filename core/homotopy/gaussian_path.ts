/**
 * @file Gaussian paths between the prior and the data, and the time laws that drive them.
 *
 * The conditional log-homotopy of "Variational Potential Flow" (arXiv 2407.15238, equations 6, 7
 * and 19) is the Gaussian N(α x̄, β² I) with α = 1 − (β/ω)². Writing b = β/ω, a path is α as a
 * function of b, and a time law is b as a function of the running time u ∈ [0, 1]; either can be
 * changed without the other:
 *
 * | path              | α(b)   |     | time law      | b(u)                               | uMax           |
 * |-------------------|--------|-----|---------------|------------------------------------|----------------|
 * | log-homotopy      | 1 − b² |     | linear-std    | 1 − u                              | 1 − betaMin/ω  |
 * | optimal-transport | 1 − b  |     | log-uniform   | σ/√(tω² + σ²), t = δ^(1−u)         | 1              |
 *
 * Near u = 0 the difference 1 − b is lost to rounding where b is close to 1, so a time law returns
 * both b and its complement 1 − b, each computed without cancellation. Under the log-uniform law
 * 1 − b² = w/(1 + w) with w = tω²/σ² = exp(z₀ + ku), a logistic curve: one rounding of the
 * exponent is all that separates float32 from float64.
 */

import { ConfigError, VapoError } from "../errors.ts";
import { type Tensor, tf } from "../tensor/mod.ts";

/**
 * The coefficients of x = α x̄ + β ε, ε ~ N(0, I), at one time (`T` = number) or at many
 * (`T` = Tensor), with their derivatives in u.
 */
export interface PathCoefficients<T> {
  /** α: the mean coefficient, 0 at the prior and 1 at the data. */
  readonly alpha: T;
  /** β: the standard deviation, ω at the prior. */
  readonly beta: T;
  /** dα/du. */
  readonly alphaDot: T;
  /** dβ/du. */
  readonly betaDot: T;
}

/** What a path is made of; every field has a default. */
export interface GaussianPathOptions {
  /** α as a function of b = β/ω: "log-homotopy" (the paper's, the default) or "optimal-transport". */
  path?: "log-homotopy" | "optimal-transport";
  /** b as a function of u: "linear-std" (the default) or "log-uniform" (the paper's). */
  timeLaw?: "linear-std" | "log-uniform";
  /** ω: the standard deviation of the prior, in data units; 1. */
  omega?: number;
  /** σ: the standard deviation of the data likelihood, in data units (log-uniform alone); 0.01. */
  sigma?: number;
  /** δ: the smallest homotopy time t, the paper's sharpness (log-uniform alone); 1e-5. */
  delta?: number;
  /** β at uMax, in data units (linear-std alone); 0.01. */
  betaMin?: number;
}

/** A Gaussian path in a time law; made by {@link gaussianPath}. */
export interface GaussianPath {
  /** The options, defaults filled in. */
  readonly options: Required<GaussianPathOptions>;
  /** The end of the time that training draws from. */
  readonly uMax: number;
  /**
   * The coefficients at one time, in float64.
   *
   * Times between uMax and 1 are allowed: the coefficients are finite there. At u = 1 of the
   * linear-std law β is 0, so that what divides by β is not defined.
   *
   * @throws {VapoError} where u is outside [0, 1] or not a number.
   */
  at(u: number): PathCoefficients<number>;
  /**
   * The coefficients at each of the times u (any shape, float32, each in [0, 1]: not checked, since
   * that would read the values back), in tensors of the same shape as u.
   */
  tensorAt(u: Tensor): PathCoefficients<Tensor>;
}

/** b = β/ω at some time, 1 − b without cancellation, and db/du. */
interface StdRatio<T> {
  readonly ratio: T;
  readonly complement: T;
  readonly rate: T;
}

interface TimeLaw {
  readonly uMax: number;
  at(u: number): StdRatio<number>;
  tensorAt(u: Tensor): StdRatio<Tensor>;
}

/** α and dα/db as functions of b. */
interface MeanLaw {
  at(b: StdRatio<number>): { alpha: number; slope: number };
  tensorAt(b: StdRatio<Tensor>): { alpha: Tensor; slope: Tensor };
}

const meanLaws: Readonly<Record<Required<GaussianPathOptions>["path"], MeanLaw>> = {
  "log-homotopy": {
    at: ({ ratio, complement }) => ({ alpha: complement * (1 + ratio), slope: -2 * ratio }),
    tensorAt: ({ ratio, complement }) => ({
      alpha: tf.mul(complement, tf.add(ratio, 1)),
      slope: tf.mul(ratio, -2),
    }),
  },
  "optimal-transport": {
    at: ({ complement }) => ({ alpha: complement, slope: -1 }),
    tensorAt: ({ ratio, complement }) => ({
      alpha: tf.clone(complement),
      slope: tf.fill(ratio.shape, -1),
    }),
  },
};

const timeLaws: Readonly<
  Record<
    Required<GaussianPathOptions>["timeLaw"],
    (options: Required<GaussianPathOptions>) => TimeLaw
  >
> = { "linear-std": linearStd, "log-uniform": logUniform };

/** β = ω(1 − u): velocities stay O(1) all along. */
function linearStd({ omega, betaMin }: Required<GaussianPathOptions>): TimeLaw {
  return {
    uMax: 1 - betaMin / omega,
    at: (u) => ({ ratio: 1 - u, complement: u, rate: -1 }),
    tensorAt: (u) => ({ ratio: tf.sub(1, u), complement: u, rate: tf.fill(u.shape, -1) }),
  };
}

/**
 * t = δ^(1−u), so that ln t is uniform on [ln δ, 0]. With w = tω²/σ²: b = 1/√(1 + w),
 * 1 − b² = w b², 1 − b = (1 − b²)/(1 + b) and db/du = ½ ln(δ) b (1 − b²).
 */
function logUniform({ omega, sigma, delta }: Required<GaussianPathOptions>): TimeLaw {
  const logDelta = Math.log(delta);
  const logRatio = 2 * Math.log(omega / sigma);
  const start = logDelta + logRatio; // ln w at u = 0, added up in float64 before any rounding
  return {
    uMax: 1,
    at(u) {
      const w = Math.exp((1 - u) * logDelta + logRatio);
      const ratio = 1 / Math.sqrt(1 + w);
      const meanSquare = w / (1 + w);
      return {
        ratio,
        complement: meanSquare / (1 + ratio),
        rate: 0.5 * logDelta * ratio * meanSquare,
      };
    },
    tensorAt(u) {
      const w = tf.exp(tf.add(tf.mul(u, -logDelta), start));
      const denominator = tf.add(w, 1);
      const ratio = tf.div(1, tf.sqrt(denominator));
      const meanSquare = tf.div(w, denominator);
      return {
        ratio,
        complement: tf.div(meanSquare, tf.add(ratio, 1)),
        rate: tf.mul(tf.mul(ratio, meanSquare), 0.5 * logDelta),
      };
    },
  };
}

/**
 * Makes a Gaussian path from the prior N(0, ω² I) to the data: its coefficients α(u) and β(u) and
 * their derivatives, in float64 on the host and as tensors.
 *
 * Source: arXiv 2407.15238, equations 6, 7 and 19, generalised to any α(b) and b(u).
 *
 * @param options path, time law and widths
 * @throws {ConfigError} for an option out of range or a name that is not one of the two.
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { gaussianPath } from "vapo";
 *
 * const path = gaussianPath({ path: "log-homotopy", timeLaw: "linear-std", omega: 2 });
 * const { alpha, beta, alphaDot, betaDot } = path.at(0.25);
 * assertAlmostEquals(beta, 1.5); // ω(1 − u)
 * assertAlmostEquals(alpha, 1 - (1.5 / 2) ** 2);
 * assertAlmostEquals(alphaDot, 1.5);
 * assertAlmostEquals(betaDot, -2);
 * assertAlmostEquals(path.uMax, 0.995);
 * ```
 */
export function gaussianPath(options: GaussianPathOptions = {}): GaussianPath {
  const complete = completeOptions(options);
  const { omega } = complete;
  const timeLaw = timeLaws[complete.timeLaw](complete);
  const meanLaw = meanLaws[complete.path];
  return {
    options: complete,
    uMax: timeLaw.uMax,
    at(u) {
      if (!(u >= 0 && u <= 1)) {
        throw new VapoError(`time u is ${u}; expected a number in [0, 1]: clip it to the path`);
      }
      const b = timeLaw.at(u);
      const { alpha, slope } = meanLaw.at(b);
      return { alpha, beta: omega * b.ratio, alphaDot: slope * b.rate, betaDot: omega * b.rate };
    },
    tensorAt(u) {
      const [alpha, beta, alphaDot, betaDot] = tf.tidy(() => {
        const b = timeLaw.tensorAt(u);
        const { alpha, slope } = meanLaw.tensorAt(b);
        return [alpha, tf.mul(b.ratio, omega), tf.mul(slope, b.rate), tf.mul(b.rate, omega)];
      });
      return { alpha, beta, alphaDot, betaDot };
    },
  };
}

function completeOptions(options: GaussianPathOptions): Required<GaussianPathOptions> {
  const complete = {
    path: options.path ?? "log-homotopy",
    timeLaw: options.timeLaw ?? "linear-std",
    omega: options.omega ?? 1,
    sigma: options.sigma ?? 0.01,
    delta: options.delta ?? 1e-5,
    betaMin: options.betaMin ?? 0.01,
  };
  oneOf("path", complete.path, Object.keys(meanLaws));
  oneOf("timeLaw", complete.timeLaw, Object.keys(timeLaws));
  for (const name of ["omega", "sigma", "delta", "betaMin"] as const) {
    const value = complete[name];
    if (!(Number.isFinite(value) && value > 0)) {
      throw new ConfigError(`path option ${name} is ${value}; expected a finite number above 0`);
    }
  }
  const { omega, sigma, delta, betaMin, timeLaw } = complete;
  if (delta >= 1) {
    throw new ConfigError(
      `path option delta is ${delta}; expected a number in (0, 1), for instance 1e-5`,
    );
  }
  if (timeLaw === "linear-std" && betaMin >= omega) {
    throw new ConfigError(
      `path option betaMin is ${betaMin}; expected less than omega (${omega}): lower betaMin`,
    );
  }
  // Beyond this, tω²/σ² leaves the range of float32.
  if (timeLaw === "log-uniform" && omega / sigma > 1e15) {
    throw new ConfigError(
      `path option sigma is ${sigma}; expected at least 1e-15 times omega (${omega}): raise sigma`,
    );
  }
  return complete;
}

function oneOf(name: string, value: string, allowed: readonly string[]): void {
  if (!allowed.includes(value)) {
    throw new ConfigError(
      `path option ${name} is ${JSON.stringify(value)}; expected one of: ${allowed.join(", ")}`,
    );
  }
}

/**
 * A draw of the conditional path: x = α x̄ + β ε.
 *
 * Source: arXiv 2407.15238, equation 19.
 *
 * @param xbar data samples x̄: [n, ...]
 * @param eps draws ε of N(0, I): the shape of xbar
 * @param c coefficients, each [n] (or a scalar for one time shared by all)
 * @returns x: the shape of xbar
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { conditionalSample, gaussianPath, openDevice, tf } from "vapo";
 *
 * await openDevice("cpu");
 * const c = gaussianPath({ path: "optimal-transport" }).tensorAt(tf.tensor1d([0.25]));
 * const x = conditionalSample(tf.tensor2d([[4, 8]]), tf.tensor2d([[1, -1]]), c);
 * const [first, second] = await x.data();
 * assertAlmostEquals(first, 1.75, 1e-6); // 0.25 · 4 + 0.75 · 1
 * assertAlmostEquals(second, 1.25, 1e-6);
 * ```
 */
export function conditionalSample<T extends Tensor>(
  xbar: T,
  eps: T,
  c: PathCoefficients<Tensor>,
): T {
  return combine(c.alpha, xbar, c.beta, eps);
}

/**
 * The velocity of a particle of the conditional path: v = α̇ x̄ + β̇ ε. Its mean given x is the
 * marginal velocity, the gradient of the exact potential.
 *
 * Source: the derivative in u of arXiv 2407.15238, equation 19, at fixed x̄ and ε.
 *
 * @param xbar data samples x̄: [n, ...]
 * @param eps draws ε of N(0, I): the shape of xbar
 * @param c coefficients, each [n] (or a scalar for one time shared by all)
 * @returns v: the shape of xbar
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { conditionalVelocity, gaussianPath, openDevice, tf } from "vapo";
 *
 * await openDevice("cpu");
 * const c = gaussianPath({ path: "optimal-transport" }).tensorAt(tf.tensor1d([0.25]));
 * const v = conditionalVelocity(tf.tensor2d([[4, 8]]), tf.tensor2d([[1, -1]]), c);
 * const [first, second] = await v.data();
 * assertAlmostEquals(first, 3, 1e-6); // x̄ − ε
 * assertAlmostEquals(second, 9, 1e-6);
 * ```
 */
export function conditionalVelocity<T extends Tensor>(
  xbar: T,
  eps: T,
  c: PathCoefficients<Tensor>,
): T {
  return combine(c.alphaDot, xbar, c.betaDot, eps);
}

/** p·x + q·y with coefficients by sample, broadcast over the other axes. */
function combine<T extends Tensor>(p: Tensor, x: T, q: Tensor, y: T): T {
  const bySample = [-1, ...x.shape.slice(1).map(() => 1)];
  return tf.tidy(() =>
    tf.add(tf.mul(tf.reshape(p, bySample), x), tf.mul(tf.reshape(q, bySample), y))
  );
}

/**
 * The innovation ν = −∂_u log ρ(x given x̄; u) = −(β̇/β)(|ε|² − d) − (α̇/β) x̄·ε at x = α x̄ + β ε,
 * where d is the number of values in one sample. Its mean given x̄ is 0; for the log-homotopy it is
 * ½(γ − γ̄) dt/du, the half-centred innovation of arXiv 2407.15238, equation 11.
 *
 * Not finite where β is 0 (u = 1 of the linear-std law).
 *
 * @param xbar data samples x̄: [n, ...]
 * @param eps draws ε of N(0, I): the shape of xbar
 * @param c coefficients, each [n] (or a scalar for one time shared by all)
 * @returns ν: [n]
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { gaussianPath, innovation, openDevice, tf } from "vapo";
 *
 * await openDevice("cpu");
 * const c = gaussianPath({ path: "optimal-transport" }).tensorAt(tf.tensor1d([0.5]));
 * const nu = innovation(tf.tensor2d([[3, 0]]), tf.tensor2d([[2, 1]]), c);
 * const [value] = await nu.data();
 * assertAlmostEquals(value, 2 * (4 + 1 - 2) - 2 * 6, 1e-5);
 * ```
 */
export function innovation(xbar: Tensor, eps: Tensor, c: PathCoefficients<Tensor>): Tensor {
  const dimension = xbar.shape.slice(1).reduce((product, size) => product * size, 1);
  return tf.tidy(() => {
    const flatXbar = tf.reshape(xbar, [-1, dimension]);
    const flatEps = tf.reshape(eps, [-1, dimension]);
    const excess = tf.sub(tf.sum(tf.square(flatEps), 1), dimension);
    const overlap = tf.sum(tf.mul(flatXbar, flatEps), 1);
    const weighted = tf.add(
      tf.mul(tf.reshape(c.betaDot, [-1]), excess),
      tf.mul(tf.reshape(c.alphaDot, [-1]), overlap),
    );
    return tf.neg(tf.div(weighted, tf.reshape(c.beta, [-1])));
  });
}

/**
 * {@link conditionalVelocity} in float64 on the host: v = α̇ x̄ + β̇ ε.
 *
 * @param xbar data samples x̄, flat
 * @param eps draws ε of N(0, I), as long as xbar
 * @param c coefficients of the one time that they all share
 * @returns v, as long as xbar
 * @throws {VapoError} where the two lengths differ.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { gaussianPath, hostConditionalVelocity } from "vapo";
 *
 * const c = gaussianPath({ path: "optimal-transport" }).at(0.25);
 * const v = hostConditionalVelocity(Float64Array.of(4, 8), Float64Array.of(1, -1), c);
 * assertEquals(v, Float64Array.of(3, 9));
 * ```
 */
export function hostConditionalVelocity(
  xbar: Float64Array,
  eps: Float64Array,
  c: PathCoefficients<number>,
): Float64Array {
  sameLength(xbar, eps);
  return xbar.map((value, i) => c.alphaDot * value + c.betaDot * eps[i]);
}

/**
 * {@link innovation} in float64 on the host: ν = −(β̇/β)(|ε|² − d) − (α̇/β) x̄·ε.
 *
 * @param xbar data samples x̄: n·dimension numbers, row by row
 * @param eps draws ε of N(0, I), as long as xbar
 * @param c coefficients of the one time that they all share
 * @param dimension d, the number of values in one sample
 * @returns ν: n numbers
 * @throws {VapoError} where the lengths do not fit, or β is 0.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { gaussianPath, hostInnovation } from "vapo";
 *
 * const c = gaussianPath({ path: "optimal-transport" }).at(0.5);
 * const nu = hostInnovation(Float64Array.of(3, 0), Float64Array.of(2, 1), c, 2);
 * assertEquals(nu, Float64Array.of(2 * (4 + 1 - 2) - 2 * 6));
 * ```
 */
export function hostInnovation(
  xbar: Float64Array,
  eps: Float64Array,
  c: PathCoefficients<number>,
  dimension: number,
): Float64Array {
  sameLength(xbar, eps);
  const n = xbar.length / dimension;
  if (!Number.isInteger(n)) {
    throw new VapoError(
      `${xbar.length} values are not whole samples of dimension ${dimension}; expected a multiple: pass n·dimension values`,
    );
  }
  if (c.beta === 0) {
    throw new VapoError("the innovation is not defined at β = 0; expected β > 0: stop at uMax");
  }
  return Float64Array.from({ length: n }, (_, i) => {
    let excess = -dimension;
    let overlap = 0;
    for (let j = i * dimension; j < (i + 1) * dimension; j++) {
      excess += eps[j] * eps[j];
      overlap += xbar[j] * eps[j];
    }
    return -(c.betaDot * excess + c.alphaDot * overlap) / c.beta;
  });
}

function sameLength(xbar: Float64Array, eps: Float64Array): void {
  if (xbar.length !== eps.length) {
    throw new VapoError(
      `eps has ${eps.length} values beside ${xbar.length} of xbar; expected as many: draw one for each`,
    );
  }
}
