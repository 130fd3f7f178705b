/**
 * @file Drawing samples: prior draws carried along the flow by any of the solvers, with trajectories
 * and optional Langevin refinement.
 */
import {
  fork,
  type RandomKey,
  randomKey,
  randomNormal,
  type Tensor,
  type TensorRecord,
  tf,
} from "../tensor/mod.ts";
import { NonFiniteError, VapoError } from "../errors.ts";
import type { GaussianPath } from "../homotopy/gaussian_path.ts";
import { type Potential, sampleSize } from "../potential/potential.ts";
import {
  compiledLangevin,
  compiledRungeKutta,
  compiledSde,
  type CompiledSteps,
  compilesPrograms,
  flowFunctions,
} from "./compiled_flow.ts";
import { langevinCoefficients, refineByLangevin } from "./langevin.ts";
import { explicitTableau, type OdeMethodName, odeMethodName, odeMethods } from "./ode/methods.ts";
import { odeSettings } from "./ode/options.ts";
import { solveOde } from "./ode/solve_ode.ts";
import { breather } from "./ode/stepping_loop.ts";
import type { Tableau } from "./ode/tableaus.ts";
import {
  isSdeMethod,
  sdeEvaluations,
  type SdeMethod,
  sdeMethodNames,
  sdeNotFinite,
  sdeSettings,
  solveSde,
} from "./sde.ts";
import { terminalTime } from "./terminal_time.ts";
import { velocityField } from "./velocity.ts";

/** A solver of the flow: an ordinary one or a stochastic one. */
export type SolverName = OdeMethodName | SdeMethod;

/**
 * All solvers of the flow by name, those of ordinary differential equations first.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { odeMethodNames, sdeMethodNames, solverNames } from "vapo";
 * assertEquals(solverNames, [...odeMethodNames, ...sdeMethodNames]);
 * ```
 */
export const solverNames = [...Object.keys(odeMethods), ...sdeMethodNames] as SolverName[];

/** How samples are drawn. */
export interface SampleOptions {
  /** How many samples. */
  readonly n: number;
  /** What all draws are a function of: an integer in [0, 2⁵³). Draw i is the same whatever n. */
  readonly seed: number;
  /** Which solver; see {@link odeMethods} and {@link solveSde}. */
  readonly solver: SolverName;
  /** Steps of a fixed-step or stochastic solver. */
  readonly steps: number;
  /** Whether an adaptive solver takes that many equal steps too, instead of choosing. Default no. */
  readonly equalSteps?: boolean;
  /** Relative error that an adaptive solver allows in a step; a whole batch is one system. */
  readonly rtol: number;
  /** Absolute error that it allows, in data units. */
  readonly atol: number;
  /** Steps that an adaptive solver tries before it gives up. Default 100,000. */
  readonly maxSteps?: number;
  /** The terminal time; null is the path's uMax. Past it only time-implicit potentials go. */
  readonly until: number | null;
  /** How much noise a stochastic solver adds, κ of {@link solveSde}. Default 0.5. */
  readonly noise?: number;
  /** Steps of Langevin refinement at the end. Default 0. */
  readonly refineSteps?: number;
  /** Frames of the trajectory, at equal times from 0 to the end; 0 or left out for none. */
  readonly frames?: number;
  /** Samples that are integrated together. Default: as many as fit 2¹⁸ values. */
  readonly batchSize?: number | null;
  /** Ends the drawing early; the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called after each batch with the number of samples done. */
  readonly onProgress?: (done: number) => void;
  /** The prior draws to start from, [n, …sampleShape] row by row, in place of those of the seed. */
  readonly prior?: Float32Array;
}

/** Samples, and what they cost. */
export interface SampleResult {
  /** [n, …sampleShape], row by row, in data scale. */
  readonly samples: Float32Array;
  /** [n, …sampleShape]. */
  readonly shape: readonly number[];
  /** Velocity evaluations, of the batch that took most. */
  readonly nfev: number;
  /** [frames, n, …sampleShape], row by row, where frames were asked for. */
  readonly trajectory?: Float32Array;
  /** The time of each frame; a stochastic solver's frames lie on its steps. */
  readonly times?: readonly number[];
}

/**
 * Draws samples from a potential: draws of the prior N(0, ω²I), carried along dx/du = ∇Φ(x[, u]) by
 * a solver.
 *
 * Source: arXiv 2407.15238, equation 12.
 *
 * @param potential Φ
 * @param parameters the potential's; they stay the caller's
 * @param path gives the prior's width, uMax and, to stochastic solvers, the score
 * @param options how many, how, how far
 * @throws {VapoError} for a terminal time that the potential or the solver cannot reach, or steps
 * or tolerances out of range
 * @throws {NonFiniteError} where a solver finds no finite step
 * @example
 * ```ts
 * import { assertAlmostEquals, assertEquals } from "@std/assert";
 * import { drawSamples, gaussianPath, openDevice, type Potential, tf } from "vapo";
 * await openDevice("cpu");
 * // The flow of Φ = −½|x|² is x(u) = e⁻ᵘ x(0).
 * const potential: Potential = {
 *   sampleShape: [2], timeExplicit: false, initialize: () => ({}),
 *   apply: (_parameters, x) => tf.mul(tf.sum(tf.square(x), 1), -0.5),
 * };
 * const { samples, shape } = await drawSamples(potential, {}, gaussianPath(), {
 *   n: 1, seed: 0, solver: "rk45", steps: 100, rtol: 1e-4, atol: 1e-5, until: 0.5,
 *   prior: Float32Array.of(1, 2),
 * });
 * assertEquals(shape, [1, 2]);
 * assertAlmostEquals(samples[1], 2 * Math.exp(-0.5), 1e-3);
 * ```
 */
export async function drawSamples(
  potential: Potential,
  parameters: TensorRecord,
  path: GaussianPath,
  options: SampleOptions,
): Promise<SampleResult> {
  const { n, frames = 0, prior } = options;
  const size = sampleSize(potential);
  const batchSize = options.batchSize ?? Math.max(1, Math.floor(2 ** 18 / size));
  requireWhole("n", n, 1);
  requireWhole("batchSize", batchSize, 1);
  requireWhole("frames", frames, 0);
  requireWhole("refineSteps", options.refineSteps ?? 0, 0);
  if (prior && prior.length !== n * size) {
    throw new VapoError(
      `prior holds ${prior.length} values: expected ${n * size}, n = ${n} samples of ${size}`,
    );
  }
  const until = terminalTime(potential, path, options.until, "until");
  const times = frameTimes(frames, until, isSdeMethod(options.solver) ? options.steps : undefined);
  const samples = new Float32Array(n * size);
  const trajectory = frames > 0 ? new Float32Array(frames * n * size) : undefined;
  const key = randomKey(options.seed);
  try {
    let nfev = 0;
    for (let start = 0; start < n; start += batchSize) {
      const end = Math.min(n, start + batchSize);
      const batchKey = { ...key, firstSample: start };
      const shape = [end - start, ...potential.sampleShape];
      const x0 = prior
        ? tf.tensor(prior.slice(start * size, end * size), shape)
        : priorDraws(path, shape, batchKey);
      const problem = { potential, parameters, path, until, times, key: batchKey };
      const flowed = await integrate(problem, x0, options).finally(() => x0.dispose());
      samples.set(flowed.samples, start * size);
      flowed.frames.forEach((frame, i) => trajectory!.set(frame, (i * n + start) * size));
      nfev = Math.max(nfev, flowed.nfev);
      options.onProgress?.(end);
    }
    const shape = [n, ...potential.sampleShape];
    return { samples, shape, nfev, ...(trajectory && { trajectory, times }) };
  } finally {
    tf.dispose([key.seed, key.step]);
  }
}

function requireWhole(name: string, value: number, smallest: number): void {
  if (Number.isSafeInteger(value) && value >= smallest) return;
  throw new VapoError(`${name} is ${value}: expected a whole number from ${smallest} on`);
}

/** Equal times from 0 to the end; where the solver's steps are given, the nearest of their ends. */
function frameTimes(frames: number, until: number, steps?: number): number[] {
  return Array.from({ length: frames }, (_, i) => {
    const fraction = i / Math.max(1, frames - 1);
    return until * (steps === undefined ? fraction : Math.round(fraction * steps) / steps);
  });
}

/** Draws of the prior N(0, ω²I). */
function priorDraws({ options }: GaussianPath, shape: number[], key: RandomKey): Tensor {
  return tf.tidy(() => tf.mul(randomNormal(fork(key, "prior"), shape), options.omega));
}

interface FlowProblem {
  readonly potential: Potential;
  readonly parameters: TensorRecord;
  readonly path: GaussianPath;
  readonly until: number;
  readonly times: readonly number[];
  readonly key: RandomKey;
}

interface Flowed {
  readonly samples: Float32Array;
  readonly frames: Float32Array[];
  readonly nfev: number;
}

async function integrate(
  problem: FlowProblem,
  x0: Tensor,
  options: SampleOptions,
): Promise<Flowed> {
  const { refineSteps = 0 } = options;
  const { y, frames, nfev } = isSdeMethod(options.solver)
    ? await integrateSde(problem, x0, options)
    : await integrateOde(problem, x0, options);
  const samples = await refine(problem, y, refineSteps).finally(() => y.dispose());
  return { samples, frames, nfev: nfev + refineSteps };
}

/** The values of samples after so many steps of Langevin refinement. */
async function refine(
  { potential, parameters, path, until, key }: FlowProblem,
  y: Tensor,
  steps: number,
): Promise<Float32Array> {
  if (steps === 0) return await y.data() as Float32Array;
  const time = Math.min(until, path.uMax);
  let refined: Tensor;
  if (compilesPrograms()) {
    const coefficients = langevinCoefficients(path, time);
    const options = { time, steps, key, coefficients };
    const program = await compiledLangevin(potential, parameters, y, options);
    program.run(steps);
    refined = program.position();
    program.dispose();
  } else {
    const velocity = velocityField(potential, parameters);
    refined = refineByLangevin(velocity, path, y, { steps, key, time });
  }
  const samples = await refined.data() as Float32Array;
  refined.dispose();
  if (samples.every(Number.isFinite)) return samples;
  throw new NonFiniteError(
    `refinement by ${steps} steps left the finite numbers; take fewer steps, or none`,
  );
}

async function integrateOde(problem: FlowProblem, x0: Tensor, options: SampleOptions) {
  const { solver, steps, rtol, atol, maxSteps, equalSteps = false, signal } = options;
  const method = odeMethodName(solver);
  const fixed = equalSteps || !odeMethods[method].adaptive;
  const settings = {
    method,
    rtol,
    atol,
    ...(fixed && { steps }),
    ...(maxSteps !== undefined && { maxSteps }),
    saveAt: problem.times,
    signal,
  };
  const tableau = explicitTableau(method);
  if (fixed && tableau && compilesPrograms()) {
    const { grid } = odeSettings([0, problem.until], settings, 0);
    return await compiledExplicit(problem, x0, { method, tableau, grid: grid!, signal });
  }
  const { potential, parameters } = problem;
  const { velocity, hessianProduct, dispose } = await flowFunctions(
    potential,
    parameters,
    x0,
  );
  const solution = await solveOde<Tensor>(velocity, [0, problem.until], x0, {
    ...settings,
    jvp: hessianProduct,
  }).finally(dispose);
  const frames: Float32Array[] = [];
  for (const { y } of solution.trajectory) {
    frames.push(await y.data() as Float32Array);
    y.dispose();
  }
  return { y: solution.y, frames, nfev: solution.nfev };
}

/** An explicit method in fixed steps, on the device from the first to the last. */
async function compiledExplicit(
  { potential, parameters, times }: FlowProblem,
  x0: Tensor,
  { method, tableau, grid, signal }: {
    method: OdeMethodName;
    tableau: Tableau;
    grid: readonly number[];
    signal?: AbortSignal;
  },
) {
  const program = await compiledRungeKutta(potential, parameters, tableau, grid, x0);
  const stops = times.map((time) => time === 0 ? 0 : grid.indexOf(time) + 1);
  const { y, frames } = await runSteps(program, grid.length, stops, signal, (step) => {
    const t = step === 0 ? 0 : grid[step - 1];
    return `${method} at step ${step} (u = ${
      Number(t.toPrecision(6))
    }): the state is not finite; ` +
      "take more steps, or let rk45 or radau choose them";
  });
  return { y, frames, nfev: grid.length * tableau.stages.length };
}

/**
 * Runs a compiled solver to its end, with a frame at each of `stops` (steps done, ascending), and
 * frees it.
 */
async function runSteps(
  program: CompiledSteps,
  steps: number,
  stops: readonly number[],
  signal: AbortSignal | undefined,
  describe: (step: number) => string,
): Promise<{ y: Tensor; frames: Float32Array[] }> {
  const breathe = breather(signal);
  const frames: Float32Array[] = [];
  const saveDue = async (done: number) => {
    while (stops[frames.length] === done) {
      const position = program.position();
      frames.push(await position.data() as Float32Array);
      position.dispose();
    }
  };
  try {
    await saveDue(0);
    for (let done = 0; done < steps;) {
      await breathe();
      const stop = stops.find((stop) => stop > done) ?? steps;
      // Somebody who may abort gets a turn after a few steps.
      const count = Math.min(stop - done, signal ? 4 : Infinity);
      program.run(count);
      done += count;
      await saveDue(done);
    }
    const bad = await program.firstNonFinite();
    if (bad !== null) throw new NonFiniteError(describe(bad));
    return { y: program.position(), frames };
  } finally {
    program.dispose();
  }
}

async function integrateSde(
  problem: FlowProblem,
  x0: Tensor,
  { solver, steps, noise, signal }: SampleOptions,
) {
  const { potential, parameters, path, until, times, key } = problem;
  const method = solver as SdeMethod;
  const stops = times.map((time) => Math.round((time / until) * steps));
  if (compilesPrograms()) {
    const options = sdeSettings(path, until, { method, steps, noise, key });
    const program = await compiledSde(potential, parameters, path, x0, until, options);
    const { y, frames } = await runSteps(
      program,
      steps,
      stops,
      signal,
      () => sdeNotFinite(method, steps),
    );
    return { y, frames, nfev: sdeEvaluations(method, steps) };
  }
  const frames: Float32Array[] = [];
  let step = 0;
  const solution = await solveSde(velocityField(potential, parameters), path, x0, until, {
    method,
    steps,
    noise,
    key,
    async onStep(_u, x) {
      // Whoever aborts needs a turn to do so.
      if (signal) await new Promise((resolve) => setTimeout(resolve));
      signal?.throwIfAborted();
      while (frames.length < stops.length && stops[frames.length] === step) {
        frames.push(await x.data() as Float32Array);
      }
      step++;
    },
  });
  return { ...solution, frames };
}
