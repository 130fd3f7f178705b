/**
 * @file The flow as a stochastic differential equation with the same marginals,
 * dx = (∇Φ + ½g²s) du + g dW, for any g(u) ≥ 0 (Song et al., 2021, run forward), with the score s
 * taken from Φ itself. Here g² = 2κβ|β̇|, which forgets the past at the rate κ|β̇|/β: as fast as the
 * path narrows, and never so fast that an explicit step of length β/|β̇| is unstable.
 */
import { fork, type RandomKey, randomNormal, type Tensor, tf } from "../tensor/mod.ts";
import { NonFiniteError, VapoError } from "../errors.ts";
import type { GaussianPath } from "../homotopy/gaussian_path.ts";
import { scoreScale, type VelocityField } from "./velocity.ts";

/**
 * The stochastic solvers by name: Maruyama (1955), and Heun's for additive noise.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { odeMethodNames, sdeMethodNames, solverNames } from "vapo";
 * const isOrdinary = (name: string) => (odeMethodNames as readonly string[]).includes(name);
 * assertEquals(solverNames.filter((name) => !isOrdinary(name)), [...sdeMethodNames]);
 * ```
 */
export const sdeMethodNames = ["euler-maruyama", "stochastic-heun"] as const;

/** A stochastic solver. */
export type SdeMethod = typeof sdeMethodNames[number];

/** Whether a solver's name is a stochastic one's. */
export function isSdeMethod(name: string): name is SdeMethod {
  return (sdeMethodNames as readonly string[]).includes(name);
}

/** What a stochastic integration is told. */
export interface SdeOptions {
  /** Which solver: "euler-maruyama" evaluates one velocity a step, "stochastic-heun" two. */
  readonly method: SdeMethod;
  /** Steps of equal length. */
  readonly steps: number;
  /** Where the noise comes from; step i of the integration takes the i-th draw of one stream. */
  readonly key: RandomKey;
  /** κ ≥ 0, how much noise; 0 is the ordinary differential equation. Default 0.5. */
  readonly noise?: number;
  /** Called with (u, x) at the start and after each step; x is the solver's and must not be kept. */
  readonly onStep?: (u: number, x: Tensor) => void | Promise<void>;
}

/**
 * Integrates the stochastic flow dx = (∇Φ + ½g²s) du + g dW, g² = 2κβ|β̇|, from u = 0 to `until`;
 * its marginals are those of the ordinary flow.
 *
 * Source: Song et al., "Score-Based Generative Modeling through Stochastic Differential Equations",
 * 2021, run forward, with the score s from Φ.
 *
 * @param velocity ∇Φ
 * @param path gives β and the score
 * @param x0 draws of the prior: [n, …]; stays the caller's
 * @param until at most the path's uMax: beyond it no score is known
 * @param options solver, steps and noise
 * @returns the samples [n, …] and the number of velocity evaluations
 * @throws {VapoError} for a terminal time beyond uMax, a number of steps that is not positive, or
 * less noise than none
 * @throws {NonFiniteError} where the samples stop being finite
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import {
 *   fractionWithinModes, gaussianPath, mixtureVelocityTensor, openDevice, randomKey, randomNormal,
 *   solveSde, type Tensor, type Tensor2D, tf,
 * } from "vapo";
 * await openDevice("cpu");
 * const mixture = { means: [[-3], [3]], std: 0.5 }, path = gaussianPath(), key = randomKey(7);
 * const velocity = (u: number, x: Tensor) =>
 *   tf.tidy(() => mixtureVelocityTensor(mixture, x as Tensor2D, path.tensorAt(tf.scalar(u))));
 * const { y } = await solveSde(velocity, path, randomNormal(key, [200, 1]), path.uMax, {
 *   method: "stochastic-heun", steps: 50, key,
 * });
 * const samples = Float32Array.from(await y.data());
 * assert(fractionWithinModes(samples, mixture) > 0.95);
 * ```
 */
export async function solveSde(
  velocity: VelocityField,
  path: GaussianPath,
  x0: Tensor,
  until: number,
  options: SdeOptions,
): Promise<{ y: Tensor; nfev: number }> {
  const { method, steps, key, noise } = sdeSettings(path, until, options);
  const { onStep } = options;
  const h = until / steps;
  const advance = (x: Tensor, i: number) =>
    tf.tidy(() => {
      const draws = randomNormal(stepKey(key, tf.scalar(i, "int32")), x.shape);
      const step = sdeStepCoefficients(path, i, h, noise);
      const drifts = {
        here: (x: Tensor) => velocity(i * h, x),
        there: (x: Tensor) => velocity((i + 1) * h, x),
      };
      return sdeStep(method, x, draws, drifts, step);
    });
  let x = tf.clone(x0);
  try {
    await onStep?.(0, x);
    for (let i = 0; i < steps; i++) {
      const next = advance(x, i);
      x.dispose();
      x = next;
      await onStep?.((i + 1) * h, x);
    }
    await requireFinite(x, method, steps);
  } catch (error) {
    x.dispose();
    throw error;
  }
  return { y: x, nfev: sdeEvaluations(method, steps) };
}

/** Velocity evaluations that so many steps take. */
export function sdeEvaluations(method: SdeMethod, steps: number): number {
  return steps * (method === "euler-maruyama" ? 1 : 2);
}

/** Checks options and fills in the default noise. */
export function sdeSettings(
  path: GaussianPath,
  until: number,
  options: Omit<SdeOptions, "onStep">,
): Required<Omit<SdeOptions, "onStep">> {
  const { method, steps, key, noise = 0.5 } = options;
  if (!(until > 0 && until <= path.uMax + 1e-12)) {
    throw new VapoError(
      `stochastic solver "${method}" cannot go to u = ${until}: expected a time in ` +
        `(0, ${path.uMax}], where the path has a score; use --until ${path.uMax} or an ODE solver`,
    );
  }
  if (!Number.isInteger(steps) || steps < 1) {
    throw new VapoError(`steps is ${steps}: expected a positive whole number, for instance 100`);
  }
  if (!(noise >= 0 && noise < Infinity)) {
    throw new VapoError(`noise is ${noise}: expected a number from 0 on, for instance 0.5`);
  }
  return { method, steps, key, noise };
}

/** g(u) = √(2κβ|β̇|). */
function diffusion(path: GaussianPath, u: number, noise: number): number {
  const { beta, betaDot } = path.at(Math.min(u, path.uMax));
  return Math.sqrt(2 * noise * beta * Math.abs(betaDot));
}

/** The key of the increments of step i of an integration, i an int32 scalar. */
export function stepKey(key: RandomKey, i: Tensor): RandomKey {
  return { ...fork(key, "sde"), step: tf.add(key.step, i) };
}

/** The numbers of one step, computed in double precision: a row of the compiled solver's table. */
export interface SdeStepCoefficients<T> {
  /** h. */
  readonly length: T;
  /** g√h at the step's start and at its end. */
  readonly noiseHere: T;
  readonly noiseThere: T;
  /** The drift ∇Φ + ½g²s is velocityWeight·∇Φ + positionWeight·x, at the start and at the end. */
  readonly velocityWeightHere: T;
  readonly positionWeightHere: T;
  readonly velocityWeightThere: T;
  readonly positionWeightThere: T;
}

/** The coefficients of step i of length h with noise κ. */
export function sdeStepCoefficients(
  path: GaussianPath,
  i: number,
  h: number,
  noise: number,
): SdeStepCoefficients<number> {
  const at = (u: number) => {
    const coefficients = path.at(Math.min(u, path.uMax)), { alpha, alphaDot } = coefficients;
    const g = diffusion(path, u, noise);
    // ½g² times the score, as weights of x and ∇Φ.
    const scale = 0.5 * g * g * scoreScale(coefficients);
    return {
      noise: g * Math.sqrt(h),
      velocityWeight: 1 - alpha * scale,
      positionWeight: alphaDot * scale,
    };
  };
  const here = at(i * h), there = at((i + 1) * h);
  return {
    length: h,
    noiseHere: here.noise,
    noiseThere: there.noise,
    velocityWeightHere: here.velocityWeight,
    positionWeightHere: here.positionWeight,
    velocityWeightThere: there.velocityWeight,
    positionWeightThere: there.positionWeight,
  };
}

/** One step of a stochastic solver, from its draws and the velocities at its two ends. */
export function sdeStep(
  method: SdeMethod,
  x: Tensor,
  draws: Tensor,
  velocity: { here(x: Tensor): Tensor; there(x: Tensor): Tensor },
  c: SdeStepCoefficients<number | Tensor>,
): Tensor {
  const slope = tf.add(
    tf.mul(velocity.here(x), c.velocityWeightHere),
    tf.mul(x, c.positionWeightHere),
  );
  const predicted = tf.addN([x, tf.mul(slope, c.length), tf.mul(draws, c.noiseHere)]);
  if (method === "euler-maruyama") return predicted;
  const end = tf.add(
    tf.mul(velocity.there(predicted), c.velocityWeightThere),
    tf.mul(predicted, c.positionWeightThere),
  );
  const average = tf.mul(tf.add(slope, end), tf.mul(c.length, 0.5));
  const increment = tf.mul(draws, tf.mul(tf.add(c.noiseHere, c.noiseThere), 0.5));
  return tf.addN([x, average, increment]);
}

async function requireFinite(x: Tensor, method: string, steps: number): Promise<void> {
  const finite = tf.tidy(() => tf.all(tf.isFinite(x)));
  const [yes] = await finite.data();
  finite.dispose();
  if (yes) return;
  throw new NonFiniteError(sdeNotFinite(method, steps));
}

/** The message for samples that are no longer finite. */
export function sdeNotFinite(method: string, steps: number): string {
  return `solver "${method}" with ${steps} steps left the finite numbers; use more steps or less noise`;
}
