/**
 * @file The choice of step sizes: the first one, the controllers that make the next one from the
 * error of the last, and the smallest that makes sense. The rules and their constants are SciPy's
 * (`scipy.integrate._ivp`), so that a solver takes the same steps as there; SciPy has them from
 * Hairer, Nørsett & Wanner, "Solving Ordinary Differential Equations I", section II.4, and from
 * Hairer & Wanner, "Solving Ordinary Differential Equations II", section IV.8.
 */
import type { OdeProblem, OdeState } from "./stepper.ts";

const safety = 0.9;
const smallestFactor = 0.2;
const largestFactor = 10;

/** A computed step, as a controller sees it. */
export interface StepOutcome {
  /** Size of the step, positive. */
  readonly h: number;
  /** Its error in units of the tolerance. */
  readonly errorNorm: number;
  /** Whether a step from the same state has been rejected before. */
  readonly retry: boolean;
  /** Newton iterations of an implicit method, and their limit. */
  readonly newton?: { readonly iterations: number; readonly limit: number };
}

/** Whether to keep a step, and how many times as large the next should be. */
export interface Verdict {
  readonly accepted: boolean;
  readonly factor: number;
}

/** Judges steps by their error; it may remember those it has accepted. */
export type StepSizeController = (outcome: StepOutcome) => Verdict;

/**
 * The elementary controller of the explicit methods: the error goes as h^(q+1), so the step that
 * would just be allowed is h·e^(−1/(q+1)), taken with a safety factor and within limits. After a
 * rejection the step does not grow again at once.
 *
 * @param order q, the order of the error estimate
 */
export function elementaryController(order: number): StepSizeController {
  return ({ errorNorm, retry }) => {
    const optimal = safety * errorNorm ** (-1 / (order + 1));
    if (errorNorm < 1) {
      return { accepted: true, factor: Math.min(retry ? 1 : largestFactor, optimal) };
    }
    // An error that is not a number is no guide: the step is cut as far as is allowed.
    return { accepted: false, factor: optimal > smallestFactor ? optimal : smallestFactor };
  };
}

/**
 * Gustafsson's predictive controller for Radau: the trend of the error from the last accepted step
 * to this one is continued (Hairer & Wanner II, eq. IV.8.25). The more Newton iterations a step
 * needed, the more cautious the next.
 */
export function predictiveController(): StepSizeController {
  let last: { h: number; errorNorm: number } | undefined;
  return ({ h, errorNorm, newton }) => {
    const trend = last && errorNorm > 0 ? h / last.h * (last.errorNorm / errorNorm) ** (1 / 4) : 1;
    const { iterations, limit } = newton!;
    const caution = safety * (2 * limit + 1) / (2 * limit + iterations);
    const factor = caution * Math.min(1, trend) * errorNorm ** (-1 / 4);
    if (errorNorm <= 1) {
      // As in RADAU5, an error that is all but nothing makes no trend.
      last = { h, errorNorm: Math.max(errorNorm, 1e-2) };
      return { accepted: true, factor: Math.min(largestFactor, factor) };
    }
    return { accepted: false, factor: factor > smallestFactor ? factor : smallestFactor };
  };
}

/**
 * Ten times the distance from t to the next number: a smaller step would not move t reliably.
 *
 * @param direction +1 or −1, the sign of the integration
 */
export function smallestStep(t: number, direction: number): number {
  return 10 * Math.abs(nextNumber(t, direction) - t);
}

const float = new Float64Array(1);
const bits = new BigInt64Array(float.buffer);

/** The float64 next to x in a direction. */
function nextNumber(x: number, direction: number): number {
  if (x === 0) return direction * Number.MIN_VALUE;
  float[0] = x;
  // The bits of a float64, read as an integer, count up as its magnitude grows.
  bits[0] += Math.sign(x) === direction ? 1n : -1n;
  return float[0];
}

/** What the first step depends on besides the problem. */
export interface FirstStepOptions {
  /** Order q of the error estimate. */
  readonly order: number;
  readonly rtol: number;
  readonly atol: number;
  /** +1 or −1. */
  readonly direction: number;
  /** The longest step that fits in the span and that the user allows. */
  readonly longest: number;
  /** Length of the span. */
  readonly span: number;
}

/**
 * A first step, from the sizes of y, of f and of the change of f over an Euler step: the algorithm
 * of Hairer, Nørsett & Wanner I, section II.4, as in SciPy's `select_initial_step`. It evaluates f
 * once besides the slope at the start.
 */
export async function firstStep<V>(
  { space, slope, derivative }: OdeProblem<V>,
  start: OdeState<V>,
  { order, rtol, atol, direction, longest, span }: FirstStepOptions,
): Promise<number> {
  const { t, y } = start;
  const f = await slope(start);
  const scale = space.errorScale(y, y, rtol, atol);
  const [ySize, fSize] = await space.norms([y, f], scale);
  const trial = Math.min(ySize < 1e-5 || fSize < 1e-5 ? 1e-6 : 0.01 * ySize / fSize, span);

  const moved = space.combine([1, trial * direction], [y, f]);
  const fMoved = await derivative(t + trial * direction, moved);
  const change = space.combine([1, -1], [fMoved, f]);
  const [changeSize] = await space.norms([change], scale);
  const curvature = changeSize / trial;
  space.dispose(scale, moved, fMoved, change);

  const size = fSize <= 1e-15 && curvature <= 1e-15
    ? Math.max(1e-6, trial * 1e-3)
    : (0.01 / Math.max(fSize, curvature)) ** (1 / (order + 1));
  return Math.min(100 * trial, size, longest);
}
