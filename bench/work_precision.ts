/**
 * @file Work-precision diagrams of solvers (Hairer, Nørsett & Wanner, "Solving Ordinary Differential
 * Equations I", section II.10): the error at the end against the evaluations that it took, over a
 * range of step counts or tolerances.
 */
import { VapoError } from "../core/errors.ts";
import {
  type OdeMethodName,
  odeMethodNames,
  odeMethods,
  type OdeOptions,
  solveOde,
} from "../core/flow/ode/mod.ts";
import { svgLinePlot } from "../core/picture/line_plot.ts";
import { markdownTable } from "./markdown_table.ts";
import type { NamedFlow } from "./ode_flows.ts";

/** One solve. */
export interface WorkPrecisionPoint {
  readonly method: OdeMethodName;
  /** Fixed steps, or else the relative and absolute tolerance. */
  readonly steps?: number;
  readonly tolerance?: number;
  /** Evaluations of f, and exact products of its Jacobian. */
  readonly evaluations: number;
  readonly accepted: number;
  readonly rejected: number;
  /** Root mean square of the end state's error, over all components. */
  readonly error: number;
  readonly milliseconds: number;
}

/** All solves of one flow. */
export interface WorkPrecision {
  readonly flow: string;
  readonly components: number;
  readonly points: readonly WorkPrecisionPoint[];
  /** Solves that failed, and why. */
  readonly failures: readonly string[];
}

/** How finely to look. */
export interface WorkPrecisionOptions {
  readonly methods?: readonly OdeMethodName[];
  /** For the methods of fixed steps. */
  readonly steps?: readonly number[];
  /** For the adaptive methods; relative and absolute alike. */
  readonly tolerances?: readonly number[];
}

const defaultSteps = [4, 8, 16, 32, 64, 128, 256, 512, 1024];
const defaultTolerances = [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10];

/** Solves a flow by every method at every setting. */
export async function workPrecision<V>(
  flow: NamedFlow<V>,
  { methods = odeMethodNames, steps = defaultSteps, tolerances = defaultTolerances }:
    WorkPrecisionOptions = {},
): Promise<WorkPrecision> {
  const reference = flow.reference ??
    (await endState(flow, { method: "dop853", rtol: 1e-12, atol: 1e-12 })).values;
  const points: WorkPrecisionPoint[] = [];
  const failures: string[] = [];
  for (const method of methods) {
    const settings = odeMethods[method].adaptive
      ? tolerances.filter((tolerance) => tolerance >= (flow.finestTolerance ?? 0))
        .map((tolerance) => ({ tolerance }))
      : steps.map((steps) => ({ steps }));
    for (const setting of settings) {
      try {
        points.push(await solvedPoint(flow, method, setting, reference));
      } catch (error) {
        // A step too long for a method is a result too; anything else is a mistake.
        if (!(error instanceof VapoError)) throw error;
        failures.push(error.message);
      }
    }
  }
  return { flow: flow.name, components: reference.length, points, failures };
}

async function solvedPoint<V>(
  flow: NamedFlow<V>,
  method: OdeMethodName,
  setting: { steps?: number; tolerance?: number },
  reference: ArrayLike<number>,
): Promise<WorkPrecisionPoint> {
  const { steps, tolerance } = setting;
  // The equations of implicit fixed steps are solved to well within the errors of order 1.
  const [rtol, atol] = tolerance === undefined ? [1e-4, 1e-4] : [tolerance, tolerance];
  const begin = performance.now();
  const { values, evaluations, accepted, rejected } = await endState(flow, {
    method,
    steps,
    rtol,
    atol,
  });
  const milliseconds = performance.now() - begin;
  const error = rootMeanSquare(Array.from(values, (value, i) => value - reference[i]));
  return { method, ...setting, evaluations, accepted, rejected, error, milliseconds };
}

async function endState<V>(flow: NamedFlow<V>, options: OdeOptions<V>) {
  const { f, jvp, span, y0 } = flow;
  const solution = await solveOde(f, span, y0, { ...options, jvp });
  const evaluations = solution.nfev + (jvp ? solution.jacobianProducts : 0);
  return { ...solution, evaluations, values: await flow.values(solution.y) };
}

function rootMeanSquare(values: readonly number[]): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length);
}

/**
 * The fewest evaluations at which a method's error is down to a level, interpolated between
 * successive solves on logarithmic axes; undefined if it never is.
 */
export function evaluationsFor(
  { points }: WorkPrecision,
  method: OdeMethodName,
  level: number,
): number | undefined {
  const own = points.filter((point) => point.method === method);
  const costs = own.flatMap((to, i) => {
    if (!(to.error <= level)) return [];
    const from = own[i - 1];
    if (!(from?.error > level)) return [to.evaluations];
    const fraction = Math.log(from.error / level) / Math.log(from.error / to.error);
    return [from.evaluations * (to.evaluations / from.evaluations) ** fraction];
  });
  return costs.length === 0 ? undefined : Math.round(Math.min(...costs));
}

const levels = [1e-2, 1e-4, 1e-6, 1e-8];

/** A report in Markdown: who needs how many evaluations for which error, and every solve. */
export function markdownReport(results: readonly WorkPrecision[]): string {
  const sections = results.map((result) => {
    const methods = [...new Set(result.points.map(({ method }) => method))];
    return [
      `## ${result.flow}`,
      `${result.components} components as one system. Evaluations needed for an error (root mean ` +
      "square at the end) of:",
      markdownTable(
        ["solver", "order", ...levels.map((level) => level.toExponential())],
        methods.map((method) => [
          method,
          odeMethods[method].order,
          ...levels.map((level) => evaluationsFor(result, method, level) ?? "–"),
        ]),
      ),
      "All solves:",
      markdownTable(
        ["solver", "setting", "evaluations", "steps", "rejected", "error", "ms"],
        result.points.map((point) => [
          point.method,
          point.steps ? `${point.steps} steps` : `tolerance ${point.tolerance!.toExponential()}`,
          point.evaluations,
          point.accepted,
          point.rejected,
          point.error.toExponential(1),
          point.milliseconds.toFixed(1),
        ]),
      ),
      ...result.failures.length === 0 ? [] : [
        "Failed:",
        result.failures.map((failure) => `- ${failure}`).join("\n"),
      ],
    ].join("\n\n");
  });
  return ["# Solvers: work against precision", ...sections].join("\n\n") + "\n";
}

/** The diagram: error against evaluations, one line a solver. */
export function workPrecisionPlot({ flow, points }: WorkPrecision): string {
  const methods = [...new Set(points.map(({ method }) => method))];
  return svgLinePlot({
    title: flow,
    xLabel: "evaluations of the velocity",
    yLabel: "error at the end (root mean square)",
    xLog: true,
    yLog: true,
    series: methods.map((method) => {
      const own = points.filter((point) => point.method === method);
      return {
        name: method,
        x: own.map(({ evaluations }) => evaluations),
        y: own.map(({ error }) => error),
      };
    }),
  });
}
