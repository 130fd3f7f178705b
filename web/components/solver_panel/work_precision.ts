/**
 * @file Work against precision: what each solver that was tried took, and how far off it came out
 * (after the diagrams of E. Hairer, S. P. Nørsett, G. Wanner, Solving Ordinary Differential Equations
 * I, section II.10).
 */
import type { SolverName } from "../../../core/flow/sampler.ts";
import { solverLabels } from "../../laboratory/choices.ts";
import type { SolverChoice, SolverComparison } from "../../laboratory/engine_types.ts";
import type { ChartSeries } from "../curves/chart_data.ts";
import { markOf } from "../curves/chart_marks.ts";
import { solverOrder } from "./solver_facts.ts";

/** One solver with one setting, on one flow. */
export interface TriedPoint {
  readonly solver: SolverName;
  /** Velocity evaluations and Hessian products together. */
  readonly work: number;
  /** Root mean square distance from the tight solution, in data units, above 0. */
  readonly error: number;
}

/** All that was tried on one flow: the same potential at the same step, the same particles. */
export interface Tried {
  /** Which flow. */
  readonly context: string;
  readonly points: readonly TriedPoint[];
}

/** More points than these are not kept: the oldest go. */
const MOST_POINTS = 300;

/**
 * What was tried, with what has just been tried. Points of another flow are dropped: they cannot be
 * compared. A stochastic solver has no error, and one that failed no point.
 */
export function withTried(
  before: Tried,
  context: string,
  choices: readonly SolverChoice[],
  { flows }: SolverComparison,
): Tried {
  const points = before.context === context ? [...before.points] : [];
  flows.forEach((flow, i) => {
    if ("failure" in flow || flow.error === null || !(flow.error > 0)) return;
    const { solver } = choices[i], work = flow.evaluations + flow.hessianProducts;
    if (!Number.isFinite(flow.error)) return;
    const known = points.findIndex((point) => point.solver === solver && point.work === work);
    if (known >= 0) points.splice(known, 1);
    points.push({ solver, work, error: flow.error });
  });
  return { context, points: points.slice(-MOST_POINTS) };
}

/** A curve for each solver, its points by work; each solver always has the same colour and marker. */
export function workPrecisionSeries(points: readonly TriedPoint[]): ChartSeries[] {
  return solverOrder.flatMap((solver, i) => {
    const own = points.filter((point) => point.solver === solver)
      .sort((a, b) => a.work - b.work);
    if (own.length === 0) return [];
    return [{
      label: solverLabels[solver],
      x: own.map(({ work }) => work),
      y: own.map(({ error }) => error),
      dash: [],
      ...markOf(i),
    }];
  });
}
