/**
 * @file What the caller of a solver may choose, the defaults, and the checks.
 */
import { VapoError } from "../../errors.ts";
import type { Turns } from "../../pauses.ts";
import type { VectorSpace } from "../vector_space.ts";
import { type OdeMethodName, odeMethodName, odeMethods } from "./methods.ts";
import type { JacobianProduct } from "./stepper.ts";

/** How to solve, and what to report. */
export interface OdeOptions<V> {
  /** The method (`rk45`). */
  readonly method?: OdeMethodName;
  /** Take this many equal steps, instead of choosing their sizes by the error. */
  readonly steps?: number;
  /**
   * Relative error allowed in a step (1e-3). As in SciPy, less than 100 times the precision of the
   * vectors cannot be had and counts as that: 2.2e-14 on the host, 1.2e-5 on a device.
   */
  readonly rtol?: number;
  /** Absolute error allowed in a step (1e-6). With fixed steps, both govern Newton's iteration. */
  readonly atol?: number;
  /** Size of the first step; chosen from f if not given. */
  readonly firstStep?: number;
  /** Size of the longest step (any). */
  readonly maxStep?: number;
  /** Steps to try, rejected ones included, before giving up (100,000). */
  readonly maxSteps?: number;
  /** How to compute with `V`; known for Float64Arrays and float32 tensors. */
  readonly space?: VectorSpace<V>;
  /** The Jacobian of f times a vector, for the implicit methods; by differences if not given. */
  readonly jvp?: JacobianProduct<V>;
  /** Vectors that the linear solver of the implicit methods may hold (40). */
  readonly krylovDimension?: number;
  /** Times to keep the state at, in the order of the integration. */
  readonly saveAt?: readonly number[];
  /** Keep the state at this many equally spaced times, both ends included; instead of `saveAt`. */
  readonly frames?: number;
  /** Called after each step with the state, which is only lent. */
  readonly onStep?: (t: number, y: V) => void | Promise<void>;
  /** Ends the integration early; the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** How often the event loop gets a turn between steps (every 50 ms). */
  readonly turns?: Turns;
}

/** Options that are complete and in order. */
export interface OdeSettings<V> {
  readonly method: OdeMethodName;
  readonly begin: number;
  readonly end: number;
  /** +1 or −1 */
  readonly direction: number;
  /** The times at which fixed steps end; undefined where the sizes are chosen by the error. */
  readonly grid?: readonly number[];
  readonly rtol: number;
  readonly atol: number;
  readonly firstStep?: number;
  readonly maxStep: number;
  readonly maxSteps: number;
  readonly jvp?: JacobianProduct<V>;
  readonly krylovDimension: number;
  readonly saveAt: readonly number[];
  readonly onStep?: (t: number, y: V) => void | Promise<void>;
  readonly signal?: AbortSignal;
  readonly turns?: Turns;
}

/**
 * Checks options and fills in the defaults.
 *
 * @param smallestRtol what a smaller relative tolerance counts as
 * @throws {VapoError} for an option that is out of range
 */
export function odeSettings<V>(
  [begin, end]: readonly [number, number],
  options: OdeOptions<V>,
  smallestRtol: number,
): OdeSettings<V> {
  const { rtol = 1e-3, atol = 1e-6, maxStep = Infinity, maxSteps = 100_000 } = options;
  const { krylovDimension = 40, firstStep, steps } = options;
  const method = odeMethodName(options.method ?? "rk45");
  require(Number.isFinite(begin) && Number.isFinite(end), "span", [begin, end], "two finite times");
  require(rtol >= 0 && rtol < Infinity, "rtol", rtol, "a number from 0 on");
  require(atol >= 0 && atol < Infinity, "atol", atol, "a number from 0 on");
  require(maxStep > 0, "maxStep", maxStep, "a positive number");
  require(isCount(maxSteps), "maxSteps", maxSteps, "a positive integer");
  require(isCount(krylovDimension), "krylovDimension", krylovDimension, "a positive integer");
  if (firstStep !== undefined) {
    const longest = Math.abs(end - begin);
    require(
      firstStep > 0 && firstStep <= longest,
      "firstStep",
      firstStep,
      `a positive number up to the length of the span, ${longest}`,
    );
  }
  if (steps !== undefined) require(isCount(steps), "steps", steps, "a positive integer");
  if (steps === undefined && !odeMethods[method].adaptive) {
    throw new VapoError(`the method ${method} takes fixed steps: give their number as steps`);
  }
  const saveAt = savedTimes(begin, end, options);
  return {
    ...options,
    method,
    begin,
    end,
    direction: Math.sign(end - begin),
    grid: steps === undefined ? undefined : stepTimes(begin, end, steps, saveAt),
    rtol: Math.max(rtol, smallestRtol),
    atol,
    maxStep,
    maxSteps,
    krylovDimension,
    saveAt,
  };
}

function require(holds: boolean, name: string, value: unknown, expected: string): void {
  if (!holds) throw new VapoError(`ODE option ${name} = ${value}: expected ${expected}`);
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0;
}

function savedTimes<V>(begin: number, end: number, options: OdeOptions<V>): readonly number[] {
  const { frames, saveAt } = options;
  if (frames === undefined) {
    const inOrder = (t: number, i: number, times: readonly number[]) =>
      (t - begin) * (end - t) >= 0 && (i === 0 || (t - times[i - 1]) * (end - begin) > 0);
    require(
      saveAt?.every(inOrder) ?? true,
      "saveAt",
      `[${saveAt}]`,
      `times from ${begin} to ${end} in the order of the integration`,
    );
    return saveAt ?? [];
  }
  require(saveAt === undefined, "frames", frames, "frames or saveAt, not both");
  require(isCount(frames) && frames >= 2, "frames", frames, "an integer from 2 on");
  return [begin, ...equalSteps(begin, end, frames - 1)];
}

function equalSteps(begin: number, end: number, count: number): number[] {
  return Array.from(
    { length: count },
    (_, i) => i + 1 === count ? end : begin + (end - begin) * ((i + 1) / count),
  );
}

/** The ends of equal steps, and the saved times among them. */
function stepTimes(
  begin: number,
  end: number,
  steps: number,
  saveAt: readonly number[],
): readonly number[] {
  const equal = equalSteps(begin, end, steps);
  if (saveAt.length === 0) return equal;
  // The same time computed in two ways may differ by rounding; that is no reason for a step.
  const same = (a: number, b: number) => Math.abs(a - b) <= 1e-9 * Math.abs(end - begin) / steps;
  const others = equal.filter((t) => t === end || !saveAt.some((saved) => same(t, saved)));
  return [...new Set([...others, ...saveAt.filter((t) => t !== begin)])]
    .sort((a, b) => (a - b) * Math.sign(end - begin));
}
