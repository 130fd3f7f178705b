/**
 * @file The one entry to the solvers of ordinary differential equations.
 */
import { vectorScope, vectorSpaceOf } from "../vector_space.ts";
import { stepperOf } from "./methods.ts";
import { type OdeOptions, odeSettings } from "./options.ts";
import { type Derivative, odeProblem } from "./stepper.ts";
import {
  integrateAdaptively,
  integrateFixed,
  type OdeFrame,
  type OdeRun,
} from "./stepping_loop.ts";

/** What a solve has come to, and what it has cost. Its vectors belong to the caller. */
export interface OdeSolution<V> {
  /** The times between the steps, from t₀ to t₁. */
  readonly t: number[];
  /** The state at t₁. */
  readonly y: V;
  /** The states at the times asked for by `saveAt` or `frames`. */
  readonly trajectory: OdeFrame<V>[];
  /** Evaluations of f, those for difference quotients included. */
  readonly nfev: number;
  /** Steps taken. */
  readonly accepted: number;
  /** Steps computed and thrown away. */
  readonly rejected: number;
  /** Products of the Jacobian with a vector; each is an evaluation of f unless `jvp` is given. */
  readonly jacobianProducts: number;
}

/**
 * Solves dy/dt = f(t, y) from t₀ to t₁, forwards or backwards.
 *
 * The explicit adaptive methods take the steps that SciPy's `solve_ivp` takes; Radau follows the
 * rules of SciPy's, but with no Jacobian matrix. The states asked for between steps (`saveAt`,
 * `frames`) are then interpolated, by Radau's own polynomial or else to order 3, and change nothing
 * else. With fixed steps, one ends at each time asked for instead; where none did, that makes one
 * step more.
 *
 * Source: what {@link odeMethods} cites for each method.
 *
 * @param f the right-hand side; it returns a new vector, see {@link Derivative}
 * @param span [t₀, t₁]
 * @param y0 the state at t₀, which is not changed
 * @param options the method, its tolerances or steps, and what to keep
 * @throws {VapoError} for a wrong option, or where too many steps would be needed
 * @throws {NonFiniteError} where the solution or f stops being finite, or no step is small enough
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { solveOde } from "vapo";
 * const decay = (_t: number, y: Float64Array) => y.map((value) => -value);
 * const { y } = await solveOde(decay, [0, 1], Float64Array.of(1), { rtol: 1e-6, atol: 1e-9 });
 * assertAlmostEquals(y[0], Math.exp(-1), 1e-6);
 * ```
 */
export async function solveOde<V>(
  f: Derivative<V>,
  span: readonly [number, number],
  y0: V,
  options: OdeOptions<V> = {},
): Promise<OdeSolution<V>> {
  const space = vectorScope(options.space ?? vectorSpaceOf(y0));
  const settings = odeSettings(span, options, 100 * space.epsilon);
  try {
    const problem = odeProblem(f, space);
    const fixed = settings.grid !== undefined;
    const stepper = stepperOf(settings.method, problem, { ...settings, fixed });
    const run: OdeRun<V> = {
      problem,
      stepper,
      settings,
      state: { t: settings.begin, y: space.copy(y0) },
      t: [settings.begin],
      rejected: 0,
      trajectory: settings.saveAt[0] === settings.begin
        ? [{ t: settings.begin, y: space.copy(y0) }]
        : [],
    };
    if (settings.begin !== settings.end) {
      await (fixed ? integrateFixed(run) : integrateAdaptively(run));
    }
    [run.state, ...run.trajectory].forEach(({ y }) => space.release(y));
    return {
      t: run.t,
      y: run.state.y,
      trajectory: run.trajectory,
      nfev: problem.evaluations(),
      accepted: run.t.length - 1,
      rejected: run.rejected,
      jacobianProducts: stepper.jacobianProducts?.() ?? 0,
    };
  } finally {
    space.close();
  }
}
