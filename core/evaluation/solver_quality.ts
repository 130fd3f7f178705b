/**
 * @file What a solver's evaluations buy: for every solver over a ladder of steps or tolerances, the
 * error of its samples against a solution to tight tolerances from the same draws of the prior, and
 * the distance of their distribution from the data's. Work-precision diagrams are those of Hairer,
 * Nørsett & Wanner, "Solving Ordinary Differential Equations I", section II.10.
 */
import { NonFiniteError, VapoError } from "../errors.ts";
import { explicitTableau, type OdeMethodName, odeMethods } from "../flow/ode/methods.ts";
import {
  openSampler,
  type Sampler,
  type SampleResult,
  type SolverName,
  solverNames,
} from "../flow/sampler.ts";
import { isSdeMethod, sdeEvaluations } from "../flow/sde.ts";
import { terminalTime } from "../flow/terminal_time.ts";
import type { GaussianPath } from "../homotopy/gaussian_path.ts";
import { type LineSeries, svgLinePlot } from "../picture/line_plot.ts";
import { svgColumn } from "../picture/svg_column.ts";
import { type Potential, sampleSize } from "../potential/potential.ts";
import type { TensorRecord } from "../tensor/mod.ts";
import type { EvaluationTable, Measurement, MetricReport } from "./document.ts";

/** What solvers are tried at. */
export interface SolverLadder {
  /** Which solvers; default all. */
  readonly solvers: readonly SolverName[];
  /** Evaluations that explicit solvers of fixed steps and stochastic ones are to take. */
  readonly evaluations: readonly number[];
  /** Steps of implicit solvers of fixed steps, whose evaluations are not known before. */
  readonly implicitSteps: readonly number[];
  /** Relative and absolute tolerances of adaptive solvers. */
  readonly tolerances: readonly number[];
  /** Evaluations, products with the Hessian included, beyond which a solver is given up. */
  readonly maxEvaluations: number;
}

/**
 * The ladder where nothing is said. Points take more evaluations at most than images, of which one
 * costs a thousand times as much; implicit solvers need them.
 *
 * @param size values of a sample
 */
export function defaultSolverLadder(size: number): SolverLadder {
  return {
    solvers: solverNames,
    evaluations: [8, 16, 32, 64, 128],
    implicitSteps: [4, 8, 16, 32],
    tolerances: [1e-1, 1e-2, 1e-3, 1e-4, 1e-5],
    maxEvaluations: size <= 64 ? 2048 : 256,
  };
}

/** A solution that the others are held against. */
export interface TightSolution {
  readonly solver: SolverName;
  readonly rtol: number;
  readonly atol: number;
}

/**
 * The tight solution where nothing is said, in double precision but for the velocity: of points to
 * 1e-7; of images, whose learned flows are rough, to what some 500 evaluations give.
 *
 * @param size values of a sample
 */
export function defaultTightSolution(size: number): TightSolution {
  const tolerance = size <= 64 ? 1e-7 : 1e-5;
  return { solver: "dop853", rtol: tolerance, atol: tolerance };
}

/** What one solver has come to at one setting: numbers and null, so that JSON holds it. */
export interface SolverRow {
  readonly solver: SolverName;
  /** Of fixed steps, else null. */
  readonly steps: number | null;
  /** Relative and absolute, of adaptive steps, else null. */
  readonly tolerance: number | null;
  /** Evaluations of the velocity and products with the Hessian, of the batch that took most. */
  readonly evaluations: number | null;
  /** Root mean square over all values of all samples; null of a stochastic solver. */
  readonly error: number | null;
  /** The distance of the distribution, where it is measured. */
  readonly distance: number | null;
  /** Why there are no numbers; then the others are null. */
  readonly failure: string | null;
  /** Whether smaller steps or tolerances need not be tried after that. */
  readonly givenUp: boolean;
}

/** Where rows are kept, so that what was interrupted goes on. */
export interface SolverRowCache {
  /** The row of a key, or null. */
  read(key: string): Promise<SolverRow | null>;
  write(key: string, row: SolverRow): Promise<void>;
}

/** What {@link solverQuality} needs. */
export interface SolverQualityOptions {
  /** Φ. */
  readonly potential: Potential;
  /** The potential's; they stay the caller's. */
  readonly parameters: TensorRecord;
  /** Gives the prior's width, uMax and the score. */
  readonly path: GaussianPath;
  /** The terminal time; null is the path's uMax. */
  readonly until: number | null;
  /** Samples, from the same draws of the prior for every solver. */
  readonly n: number;
  /** What the draws are a function of. */
  readonly seed: number;
  /** Samples that are integrated together. Default: as {@link openSampler}. */
  readonly batchSize?: number | null;
  /** What the others are held against; default that of {@link defaultTightSolution}'s. */
  readonly tight?: TightSolution;
  /** What is tried; what is left out is as {@link defaultSolverLadder} has it. */
  readonly ladder?: Partial<SolverLadder>;
  /** How far samples, [n, …sampleShape] row by row, are from the data. */
  readonly distance?: (samples: Float32Array) => Promise<number>;
  /** What that is, as in "Fréchet distance in mnist-classifier features". */
  readonly distanceName?: string;
  /** Keys have all that is in these options but the model and the distance. */
  readonly cache?: SolverRowCache;
  readonly signal?: AbortSignal;
  /** Told after each solve how many of all are done. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** One solve to be done. */
interface Setting {
  readonly solver: SolverName;
  readonly steps?: number;
  readonly tolerance?: number;
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
  const { rows, reference } = await solvedRows(problem, ladderSettings(problem.ladder));
  return report(problem, rows, reference);
}

/** Options with their defaults. */
interface SolverProblem extends SolverQualityOptions {
  readonly until: number;
  readonly tight: TightSolution;
  readonly ladder: SolverLadder;
}

/** All solves of a ladder, coarse before fine. */
function ladderSettings(ladder: SolverLadder): Setting[] {
  return ladder.solvers.flatMap((solver): Setting[] => {
    const counts = (ofStep: number) => {
      const steps = ladder.evaluations.map((count) => Math.max(1, Math.round(count / ofStep)));
      return [...new Set(steps)].map((steps) => ({ solver, steps }));
    };
    if (isSdeMethod(solver)) return counts(sdeEvaluations(solver, 1));
    const { adaptive, implicit } = odeMethods[solver];
    if (adaptive) return ladder.tolerances.map((tolerance) => ({ solver, tolerance }));
    if (implicit) return ladder.implicitSteps.map((steps) => ({ solver, steps }));
    return counts(explicitTableau(solver)!.stages.length);
  });
}

/** What the tight solution is: its row, whose error is 0. */
type Reference = Pick<SolverRow, "evaluations" | "distance">;

async function solvedRows(
  problem: SolverProblem,
  settings: readonly Setting[],
): Promise<{ rows: SolverRow[]; reference: Reference }> {
  const { potential, parameters, path, ladder, cache, signal, onProgress } = problem;
  const sampler = openSampler(potential, parameters, path);
  const tight = tightSolution(problem, sampler);
  const rows: SolverRow[] = [];
  try {
    const total = settings.length + 1;
    const reference = await kept(cache, tight.key, async () => (await tight.solve()).row);
    onProgress?.(1, total);
    for (const [i, setting] of settings.entries()) {
      // Whoever aborts needs a turn to do so.
      await new Promise((resolve) => setTimeout(resolve));
      signal?.throwIfAborted();
      const before = rows.findLast(({ solver }) => solver === setting.solver);
      rows.push(
        before?.givenUp ? failed(setting, before.failure!, true) : await kept(
          cache,
          `${tight.key} ${ladder.maxEvaluations} ${JSON.stringify(setting)}`,
          () => solvedRow(problem, setting, sampler, tight.samples),
        ),
      );
      onProgress?.(i + 2, total);
    }
    return { rows, reference };
  } finally {
    sampler.dispose();
  }
}

async function kept(
  cache: SolverRowCache | undefined,
  key: string,
  solve: () => Promise<SolverRow>,
): Promise<SolverRow> {
  const found = await cache?.read(key);
  if (found) return found;
  const row = await solve();
  await cache?.write(key, row);
  return row;
}

/** The tight solution, computed when it is first needed: with all rows kept, never. */
function tightSolution(problem: SolverProblem, sampler: Sampler) {
  const { tight, until, n, seed, batchSize = null } = problem;
  const { solver, rtol, atol } = tight;
  const distanceName = problem.distance ? problem.distanceName ?? "distance" : null;
  let solved: Promise<{ samples: Float32Array; row: SolverRow }> | undefined;
  const solve = () => solved ??= draw();
  async function draw() {
    const result = await sampler.draw({
      ...common(problem),
      ...{ solver, steps: 1, rtol, atol, doublePrecision: true },
    });
    const row = {
      ...{ solver, steps: null, tolerance: rtol, failure: null, givenUp: false, error: 0 },
      evaluations: evaluationsOf(result),
      distance: await problem.distance?.(result.samples) ?? null,
    };
    return { samples: result.samples, row };
  }
  return {
    key: JSON.stringify({ solver, rtol, atol, until, n, seed, batchSize, distanceName }),
    solve,
    samples: async () => (await solve()).samples,
  };
}

function common({ n, seed, until, batchSize, signal }: SolverProblem) {
  return { n, seed, until, batchSize, signal };
}

function evaluationsOf({ nfev, hessianProducts }: SampleResult): number {
  return nfev + hessianProducts;
}

/** A row of a solve; where it fails, with the reason. */
async function solvedRow(
  problem: SolverProblem,
  setting: Setting,
  sampler: Sampler,
  reference: () => Promise<Float32Array>,
): Promise<SolverRow> {
  const { distance, ladder: { maxEvaluations }, signal } = problem;
  const { solver, steps = 1, tolerance } = setting;
  const stochastic = isSdeMethod(solver);
  if (stochastic && !distance) {
    return failed(setting, `${solver} is stochastic, and no distance was asked for`, true);
  }
  // The equations of implicit fixed steps are solved to well within the errors of order 1.
  const [rtol, atol] = tolerance === undefined ? [1e-3, 1e-3] : [tolerance, tolerance];
  let result: SampleResult;
  try {
    const options = { ...common(problem), solver, steps, rtol, atol, maxEvaluations };
    result = await sampler.draw(options);
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof VapoError)) throw error;
    // A step too long is mended by shorter ones; nothing else is by more work.
    return failed(setting, error.message, !(error instanceof NonFiniteError));
  }
  return {
    ...named(setting),
    evaluations: evaluationsOf(result),
    error: stochastic ? null : rootMeanSquareError(result.samples, await reference()),
    distance: await distance?.(result.samples) ?? null,
    failure: null,
    givenUp: false,
  };
}

function named({ solver, steps, tolerance }: Setting) {
  return { solver, steps: steps ?? null, tolerance: tolerance ?? null };
}

function failed(setting: Setting, failure: string, givenUp: boolean): SolverRow {
  return { ...named(setting), evaluations: null, error: null, distance: null, failure, givenUp };
}

function rootMeanSquareError(values: Float32Array, reference: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i] - reference[i]) ** 2;
  return Math.sqrt(sum / values.length);
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
