/**
 * @file What passes between the three parts of a solver, which know nothing else of each other: the
 * stepper (one step of a method), the step-size controller (`step_size.ts`) and the stepping loop
 * (`stepping_loop.ts`). The division is that of diffrax (P. Kidger, "On Neural Differential
 * Equations", thesis, Oxford 2021, chapter 5).
 */
import { VapoError } from "../../errors.ts";
import type { VectorScope } from "../vector_space.ts";

/**
 * The right-hand side of dy/dt = f(t, y). It returns a new vector at each call, which then belongs
 * to the solver; y belongs to the solver too and is only lent. On a device, temporary tensors are
 * the function's own to free (wrap it in `tf.tidy`).
 */
export type Derivative<V> = (t: number, y: V) => V | Promise<V>;

/**
 * The Jacobian of f at (t, y) times a vector, exactly; for a gradient flow, the product of a
 * Hessian with a vector. It has the duties of {@link Derivative}.
 */
export type JacobianProduct<V> = (t: number, y: V, vector: V) => V | Promise<V>;

/** The error that a step may make. */
export interface Tolerances {
  /** Relative to the size of each component. */
  readonly rtol: number;
  /** Absolute, for components near zero. */
  readonly atol: number;
}

/** Where an integration stands. */
export interface OdeState<V> {
  readonly t: number;
  readonly y: V;
  /** f(t, y), once somebody has needed it. */
  slope?: V;
}

/** An initial value problem, together with what its solution has cost so far. */
export interface OdeProblem<V> {
  readonly space: VectorScope<V>;
  /** f(t, y), counted. */
  derivative(t: number, y: V): Promise<V>;
  /** f at a state, evaluated at most once. */
  slope(state: OdeState<V>): Promise<V>;
  /** Evaluations of f so far. */
  evaluations(): number;
}

/** A step that has been computed, and may be kept or thrown away. */
export interface Attempt<V> {
  /** The new state; its slope is set if the method has computed it on the way. */
  readonly end: OdeState<V>;
  /** The estimated error in units of the tolerance (1 = just allowed); 0 if not asked for. */
  readonly errorNorm: number;
  /** Newton iterations that an implicit method took, and their limit. */
  readonly newton?: { readonly iterations: number; readonly limit: number };
  /**
   * The method's own interpolant, at a fraction of the step in [0, 1], valid until the next attempt.
   * Without one, the loop interpolates by a cubic through both ends.
   */
  readonly interpolate?: (fraction: number) => V;
}

/** One step of a method. */
export interface Stepper<V> {
  /**
   * Computes a step from `start` to the time `endTime`. Nothing is returned where the equations of an
   * implicit method could not be solved: the step is too large.
   *
   * @param retry whether a step from `start` was rejected before for its error
   */
  attempt(start: OdeState<V>, endTime: number, retry: boolean): Promise<Attempt<V> | undefined>;
  /** Products of the Jacobian with a vector so far. */
  readonly jacobianProducts?: () => number;
}

/**
 * Wraps f for the solvers: counts its calls, takes charge of its results, and holds it to its
 * promise of a new vector of the right shape.
 */
export function odeProblem<V>(f: Derivative<V>, space: VectorScope<V>): OdeProblem<V> {
  let evaluations = 0;
  let last: V | undefined;

  /** Takes charge of what f returned for y. */
  function received(y: V, value: V): V {
    // dy/dt = y is most naturally written so that it hands back what it was lent.
    if (value === y) return space.copy(y);
    if (value === last) {
      throw new VapoError(
        "the derivative returned the same vector twice: expected a new one at each call; copy it",
      );
    }
    last = value;
    return space.adopt(value);
  }

  async function derivative(t: number, y: V): Promise<V> {
    const value = received(y, await f(t, y));
    if (evaluations++ === 0) checkShape(space, y, value);
    return value;
  }

  return {
    space,
    derivative,
    slope: async (state) => state.slope ??= await derivative(state.t, state.y),
    evaluations: () => evaluations,
  };
}

function checkShape<V>(space: VectorScope<V>, state: V, derivative: V): void {
  const [expected, found] = [space.shape(state), space.shape(derivative)];
  if (expected.join() !== found.join()) {
    throw new VapoError(
      `the derivative has the shape [${found}]: expected that of the state, [${expected}]`,
    );
  }
}
