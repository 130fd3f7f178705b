/**
 * @file Newton's iteration, as a rule simplified (one Jacobian for all iterations), with the
 * stopping rules of Hairer & Wanner, "Solving Ordinary Differential Equations II", section IV.8, as
 * in SciPy's Radau.
 */
import type { LinearTolerance } from "./shifted_krylov.ts";

/** One Newton correction, computed but not yet applied. */
export interface Correction {
  /** Its size in units of the error scale. */
  readonly norm: number;
  apply(): void;
  discard(): void;
}

/** How an iteration went. */
export interface NewtonOutcome {
  readonly converged: boolean;
  readonly iterations: number;
  /** Whether the Jacobian served badly, so that a new one is worth its price. */
  readonly slow: boolean;
}

/** When to stop. */
export interface NewtonOptions {
  /** The iteration error that is allowed, in units of the error scale. */
  readonly tolerance: number;
  /** The most iterations. */
  readonly limit: number;
  /**
   * Whether each iteration has a Jacobian of its own. Then convergence becomes ever faster, and
   * nothing follows from its being slow at first.
   */
  readonly renewing?: boolean;
}

/**
 * The iteration error allowed beside the error of the step: the smaller of 3 % and √rtol of it, but
 * no less than rounding permits.
 */
export function newtonTolerance(rtol: number, epsilon: number): number {
  return Math.max(10 * epsilon / rtol, Math.min(0.03, Math.sqrt(rtol)));
}

/** How exactly to solve for the corrections of an iteration with a given tolerance. */
export function correctionTolerance(tolerance: number): LinearTolerance {
  return { absolute: 0.2 * tolerance, relative: 0.01 };
}

/**
 * Iterates until the corrections still to come, estimated by their rate Θ as Θ/(1−Θ) times the last
 * one, are small enough; or gives up as soon as that can no longer be reached within the limit.
 *
 * @param correct computes the next correction; undefined where it is not finite
 */
export async function newtonIteration(
  correct: () => Promise<Correction | undefined>,
  { tolerance, limit, renewing = false }: NewtonOptions,
): Promise<NewtonOutcome> {
  let rate: number | undefined;
  let lastNorm: number | undefined;
  const outcome = (converged: boolean, iterations: number) => ({
    converged,
    iterations,
    slow: iterations > 2 && rate !== undefined && rate > 1e-3,
  });
  for (let iterations = 1; iterations <= limit; iterations++) {
    const correction = await correct();
    if (!correction) return outcome(false, iterations);
    const { norm } = correction;
    if (lastNorm !== undefined) rate = norm / lastNorm;
    const inTime = (rate: number) =>
      renewing || rate ** (limit - iterations + 1) / (1 - rate) * norm <= tolerance;
    if (rate !== undefined && !(rate < 1 && inTime(rate))) {
      correction.discard();
      return outcome(false, iterations);
    }
    correction.apply();
    if (norm === 0 || (rate !== undefined && rate / (1 - rate) * norm < tolerance)) {
      return outcome(true, iterations);
    }
    lastNorm = norm;
  }
  return outcome(false, limit);
}
