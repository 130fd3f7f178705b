/**
 * @file The backward Euler method, z = h f(t + h, y + z), of order 1: it damps however stiff a
 * component is, at any step size (Hairer & Wanner, "Solving Ordinary Differential Equations II",
 * section IV.3). Newton's iteration and its linear systems are those of Radau.
 */
import type { FrozenJacobian } from "./frozen_jacobian.ts";
import {
  type Correction,
  correctionTolerance,
  newtonIteration,
  newtonTolerance,
} from "./newton.ts";
import type { Attempt, OdeProblem, OdeState, Stepper, Tolerances } from "./stepper.ts";

const newtonLimit = 20;

/** A stepper for backward Euler. The tolerances govern Newton's iteration alone. */
export function backwardEuler<V>(
  { space, derivative }: OdeProblem<V>,
  jacobian: FrozenJacobian<V>,
  { rtol, atol }: Tolerances,
): Stepper<V> {
  const tolerance = newtonTolerance(rtol, space.epsilon);
  /** Whether Newton's iteration was slow in the last step. */
  let slow = false;

  /**
   * Solves for the increment z of a step: with the Jacobian at hand, or with one at every iterate,
   * which takes more work and larger steps.
   */
  async function increment(
    { t, y }: OdeState<V>,
    h: number,
    renew: boolean,
  ): Promise<V | undefined> {
    const scale = space.errorScale(y, y, rtol, atol);
    let z = space.combine([0], [y]);

    async function correct(): Promise<Correction | undefined> {
      const inside = space.combine([1, 1], [y, z]);
      const slope = await derivative(t + h, inside);
      if (renew) await jacobian.freeze({ t: t + h, y: inside, slope });
      const right = space.combine([1, -1 / h], [slope, z]);
      space.dispose(inside, slope);
      const solved = await jacobian.solve(
        [{ shift: [1 / h], right: [right] }],
        correctionTolerance(tolerance),
      );
      space.dispose(right);
      if (!solved) return undefined;
      const [[correction]] = solved;
      const [norm] = await space.norms([correction], scale);
      return {
        norm,
        apply() {
          const sum = space.combine([1, 1], [z, correction]);
          space.dispose(z, correction);
          z = sum;
        },
        discard: () => space.dispose(correction),
      };
    }

    const outcome = await newtonIteration(correct, {
      tolerance,
      limit: newtonLimit,
      renewing: renew,
    });
    space.dispose(scale);
    slow = outcome.slow;
    if (outcome.converged) return z;
    space.dispose(z);
    return undefined;
  }

  async function attempt(start: OdeState<V>, endTime: number): Promise<Attempt<V> | undefined> {
    const h = endTime - start.t;
    if (slow) await jacobian.freeze(start);
    else await jacobian.prepare(start);
    const z = await increment(start, h, false) ?? await increment(start, h, true);
    if (!z) return undefined;
    const end: OdeState<V> = { t: endTime, y: space.combine([1, 1], [start.y, z]) };
    space.dispose(z);
    return { end, errorNorm: 0 };
  }

  return { attempt, jacobianProducts: jacobian.products };
}
