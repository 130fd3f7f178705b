/**
 * @file What a solver's evaluations buy: for every solver over a ladder of steps or tolerances, the
 * error of its samples against a solution to tight tolerances from the same draws of the prior, and
 * the distance of their distribution from the data's. Work-precision diagrams are those of Hairer,
 * Nørsett & Wanner, "Solving Ordinary Differential Equations I", section II.10.
 */
import { type OdeMethodName, odeMethods } from "../flow/ode/methods.ts";
import type { SolverName } from "../flow/sampler.ts";
import { isSdeMethod } from "../flow/sde.ts";
import { terminalTime } from "../flow/terminal_time.ts";
import { type LineSeries, svgLinePlot } from "../picture/line_plot.ts";
import { svgColumn } from "../picture/svg_column.ts";
import { sampleSize } from "../potential/potential.ts";
import type { EvaluationTable, Measurement, MetricReport } from "./document.ts";
import {
  defaultSolverLadder,
  defaultTightSolution,
  type Reference,
  solvedRows,
  type SolverLadder,
  type SolverProblem,
  type SolverRow,
  type TightSolution,
} from "./solver_rows.ts";

/** What {@link solverQuality} needs. */
export interface SolverQualityOptions extends Omit<SolverProblem, "until" | "tight" | "ladder"> {
  /** The terminal time; null is the path's uMax. */
  readonly until: number | null;
  /** What the others are held against; default that of {@link defaultTightSolution}'s. */
  readonly tight?: TightSolution;
  /** What is tried; what is left out is as {@link defaultSolverLadder} has it. */
  readonly ladder?: Partial<SolverLadder>;
}

/**
 * Every solver over a ladder of steps or tolerances: evaluations, the error at the end against a tight
 * solution, and a distance of distributions.
 *
 * Explicit solvers of fixed steps get the steps that make up the ladder's evaluations. A solver whose
 * evaluations exceed `maxEvaluations` is given up at that tolerance; what could not be done is listed
 * with its reason. Stochastic solvers have no error: their samples are others, of the same
 * distribution if the flow is exact.
 *
 * Source: Hairer, Nørsett & Wanner, "Solving Ordinary Differential Equations I", section II.10.
 *
 * @param options model, draws, ladder
 * @returns measurements, tables of all solves and of what was left out, and a plot of error and
 * distance against evaluations
 * @throws {VapoError} for options out of range, or a tight solution that cannot be had
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { gaussianPath, openDevice, type Potential, solverQuality, tf } from "vapo";
 * await openDevice("wasm");
 * const potential: Potential = {
 *   sampleShape: [2], timeExplicit: false, initialize: () => ({}),
 *   apply: (_parameters, x) => tf.mul(tf.sum(tf.square(x), 1), -0.5),
 * };
 * const { tables } = await solverQuality({
 *   potential, parameters: {}, path: gaussianPath(), until: 0.5, n: 8, seed: 0,
 *   ladder: { solvers: ["euler", "rk4"], evaluations: [8, 16] },
 * });
 * const [euler, , rk4] = tables[0].rows;
 * assert(rk4[4]! < euler[4]!); // errors, with eight evaluations each
 * ```
 */
export async function solverQuality(options: SolverQualityOptions): Promise<MetricReport> {
  const size = sampleSize(options.potential);
  const problem: SolverProblem = {
    ...options,
    until: terminalTime(options.potential, options.path, options.until, "until"),
    tight: options.tight ?? defaultTightSolution(size),
    ladder: { ...defaultSolverLadder(size), ...options.ladder },
  };
  const { rows, reference } = await solvedRows(problem);
  return report(problem, rows, reference);
}

const LEVELS = [1e-1, 1e-2, 1e-3];

function report(
  problem: SolverProblem,
  rows: readonly SolverRow[],
  reference: Reference,
): MetricReport {
  const { distance, distanceName = "distance", ladder } = problem;
  const solved = rows.filter(({ failure }) => failure === null);
  return {
    measurements: measurementsOf(problem, solved, reference),
    tables: [
      allSolves(solved, distance ? distanceName : null),
      neededEvaluations(solved),
      ...leftOut(rows),
    ],
    pictures: solved.length === 0 ? [] : [{
      name: "solvers",
      content: plot(problem, solved, reference),
      alt: `Error${distance ? ` and ${distanceName}` : ""} against evaluations, a line a ` +
        `solver, for ${ladder.solvers.join(", ")}.`,
      caption: "Above, the error of the samples against a solution to tight tolerances from the " +
        "same draws of the prior" +
        (distance
          ? `; below, the ${distanceName} of the same samples, that of the tight solution broken.`
          : "."),
    }],
    notes: notesOf(problem),
  };
}

function measurementsOf(
  { tight, distance, distanceName = "distance" }: SolverProblem,
  rows: readonly SolverRow[],
  reference: Reference,
): Measurement[] {
  const result: Measurement[] = [{
    name: "tight-evaluations",
    label: `evaluations of the tight solution (${tight.solver}, rtol ${tight.rtol})`,
    value: reference.evaluations!,
  }];
  const methods = [...new Set(rows.map(({ solver }) => solver))];
  for (const level of LEVELS) {
    const costs = methods.flatMap((solver) => {
      const evaluations = evaluationsFor(rows, solver, level);
      return evaluations === null ? [] : [{ solver, evaluations }];
    });
    if (costs.length === 0) continue;
    const best = costs.reduce((a, b) => b.evaluations < a.evaluations ? b : a);
    result.push({
      name: `evaluations-for-${String(level).replace(".", "-")}`,
      label: `fewest evaluations for an error of ${level} (${best.solver})`,
      value: best.evaluations,
      better: "lower",
    });
  }
  if (distance && reference.distance !== null) {
    const label = `${distanceName} of the tight solution`;
    result.push({ name: "tight-distance", label, value: reference.distance, better: "lower" });
  }
  return result;
}

/**
 * The fewest evaluations of the solves whose error is down to a level: steps and tolerances that were
 * tried, nothing between them.
 */
function evaluationsFor(
  rows: readonly SolverRow[],
  solver: SolverName,
  level: number,
): number | null {
  const costs = rows.flatMap((row) =>
    row.solver === solver && row.error !== null && row.error <= level ? [row.evaluations!] : []
  );
  return costs.length === 0 ? null : Math.min(...costs);
}

function allSolves(rows: readonly SolverRow[], distanceName: string | null): EvaluationTable {
  return {
    title: "All solves",
    columns: [
      ...["solver", "steps", "tolerance", "evaluations", "error"],
      ...(distanceName === null ? [] : [distanceName]),
    ],
    rows: rows.map(({ solver, steps, tolerance, evaluations, error, distance }) => [
      ...[solver, steps, tolerance, evaluations, error === null ? null : rounded(error)],
      ...(distanceName === null ? [] : [distance === null ? null : rounded(distance)]),
    ]),
  };
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

function neededEvaluations(rows: readonly SolverRow[]): EvaluationTable {
  const ordinary = [...new Set(rows.map(({ solver }) => solver))]
    .filter((solver) => !isSdeMethod(solver));
  return {
    title: "Evaluations of the cheapest solve with an error of at most",
    columns: ["solver", "order", ...LEVELS.map(String)],
    rows: ordinary.map((solver) => [
      solver,
      odeMethods[solver as OdeMethodName].order,
      ...LEVELS.map((level) => evaluationsFor(rows, solver, level)),
    ]),
  };
}

/** What was not done, the settings of one reason together. */
function leftOut(rows: readonly SolverRow[]): EvaluationTable[] {
  const reasons = new Map<string, string[]>();
  for (const { solver, steps, tolerance, failure } of rows) {
    if (failure === null) continue;
    const setting = steps === null ? `tolerance ${tolerance}` : `${steps} steps`;
    const key = JSON.stringify([solver, failure]);
    reasons.set(key, [...reasons.get(key) ?? [], setting]);
  }
  if (reasons.size === 0) return [];
  return [{
    title: "Left out",
    columns: ["solver", "settings", "reason"],
    rows: [...reasons].map(([key, settings]) => {
      const [solver, failure] = JSON.parse(key);
      return [solver, settings.join(", "), failure];
    }),
  }];
}

/** Error against evaluations and, below it, the distance. */
function plot(
  { distance, distanceName = "distance", n }: SolverProblem,
  rows: readonly SolverRow[],
  reference: Reference,
): string {
  const methods = [...new Set(rows.map(({ solver }) => solver))];
  const lines = (value: (row: SolverRow) => number | null): LineSeries[] =>
    methods.flatMap((solver) => {
      const own = rows.filter((row) => row.solver === solver && value(row) !== null)
        .toSorted((a, b) => a.evaluations! - b.evaluations!);
      const line = { name: solver, x: own.map((row) => row.evaluations!), y: own.map(value) };
      return own.length === 0 ? [] : [line as LineSeries];
    });
  const xLabel = "evaluations of the velocity";
  const panels: string[] = [];
  const errors = lines(({ error }) => error);
  if (errors.some(({ y }) => y.some((error) => error > 0))) {
    const yLabel = "error at the end (root mean square)";
    const title = `Error of ${n} samples`;
    panels.push(svgLinePlot({ title, xLabel, yLabel, xLog: true, yLog: true, series: errors }));
  }
  if (distance) {
    const series = [...lines((row) => row.distance), ...referenceLine(rows, reference)];
    // An unbiased estimate of a distance may be below zero.
    const yLog = series.every(({ y }) => y.every((value) => value > 0));
    const title = `${distanceName[0].toUpperCase()}${distanceName.slice(1)}`;
    panels.push(svgLinePlot({ title, xLabel, yLabel: distanceName, xLog: true, yLog, series }));
  }
  return panels.length === 1 ? panels[0] : svgColumn(panels, "Quality against evaluations");
}

/** The distance of the tight solution over the range of the others. */
function referenceLine(rows: readonly SolverRow[], { distance }: Reference): LineSeries[] {
  if (distance === null) return [];
  const all = rows.map(({ evaluations }) => evaluations!);
  const ends = [all.reduce((a, b) => Math.min(a, b)), all.reduce((a, b) => Math.max(a, b))];
  return [{ name: "tight solution", x: ends, y: [distance, distance], dashed: true }];
}

function notesOf(
  { n, potential, path, until, tight, ladder, distance, distanceName }: SolverProblem,
): string[] {
  const images = sampleSize(potential) > 64;
  const notes = [
    `${n} samples from the same draws of the prior for every solver, integrated to u = ${until}; ` +
    "errors are in data units (of images a grey level is 0.0078) and measure the solver, not the " +
    "model.",
    `Errors are against ${tight.solver} with rtol ${tight.rtol} and atol ${tight.atol}, ` +
    (images
      ? "itself off by some 1e-4 where a learned flow is rough."
      : "with single precision in the velocity alone."),
    "Evaluations are those of the batch that took most, each product with the Hessian of Φ counted " +
    `as one; a solver that takes more than ${ladder.maxEvaluations} is given up.`,
  ];
  if (distance) {
    notes.push(
      `The ${
        distanceName ?? "distance"
      } is of ${n} samples: compare it between solvers, not with ` +
        "figures of other numbers of samples.",
    );
  }
  if (until > path.uMax) {
    notes.push("Stochastic solvers go no further than uMax, where the path has a score.");
  }
  return notes;
}
