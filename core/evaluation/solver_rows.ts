/**
 * @file Solves of one flow by every solver, over a ladder of steps or tolerances and from the same draws
 * of the prior: what each takes, how far it ends from a tight solution, and how far its samples are
 * from the data. `solver_quality.ts` reports them.
 */
import { NonFiniteError, VapoError } from "../errors.ts";
import { explicitTableau, odeMethods } from "../flow/ode/methods.ts";
import {
  openSampler,
  type Sampler,
  type SampleResult,
  type SolverName,
  solverNames,
} from "../flow/sampler.ts";
import { isSdeMethod, sdeEvaluations } from "../flow/sde.ts";
import type { GaussianPath } from "../homotopy/gaussian_path.ts";
import { pauses } from "../pauses.ts";
import type { Potential } from "../potential/potential.ts";
import type { TensorRecord } from "../tensor/mod.ts";

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

/** What is solved, by what, and what the solutions are held against. */
export interface SolverProblem {
  /** Φ. */
  readonly potential: Potential;
  /** The potential's; they stay the caller's. */
  readonly parameters: TensorRecord;
  /** Gives the prior's width, uMax and the score. */
  readonly path: GaussianPath;
  /** The terminal time. */
  readonly until: number;
  /** Samples, from the same draws of the prior for every solver. */
  readonly n: number;
  /** What the draws are a function of. */
  readonly seed: number;
  /** Samples that are integrated together. Default: as {@link openSampler}. */
  readonly batchSize?: number | null;
  /** What the others are held against. */
  readonly tight: TightSolution;
  /** What is tried. */
  readonly ladder: SolverLadder;
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

/** What the tight solution takes, and how far it is from the data. */
export type Reference = Pick<SolverRow, "evaluations" | "distance">;

/**
 * All solves of a problem's ladder, coarse before fine. A solver whose evaluations exceed
 * `maxEvaluations` is given up at that tolerance; what could not be done is a row with its reason.
 *
 * @returns a row for each solve, and what the tight solution takes
 * @throws {VapoError} for options out of range, or a tight solution that cannot be had
 */
export async function solvedRows(
  problem: SolverProblem,
): Promise<{ rows: SolverRow[]; reference: Reference }> {
  const { potential, parameters, path, ladder, cache, signal, onProgress } = problem;
  const settings = ladderSettings(ladder), pause = pauses(signal);
  const sampler = openSampler(potential, parameters, path);
  const tight = tightSolution(problem, sampler);
  const rows: SolverRow[] = [];
  try {
    const total = settings.length + 1;
    const reference = await kept(cache, tight.key, async () => (await tight.solve()).row);
    onProgress?.(1, total);
    for (const [i, setting] of settings.entries()) {
      await pause();
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
