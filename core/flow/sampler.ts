/**
 * @file Drawing samples: prior draws carried along the flow by any of the solvers, with trajectories
 * and optional Langevin refinement.
 */
import {
  compilesPrograms,
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
import { pauses, type Turns } from "../pauses.ts";
import { type Potential, sampleSize } from "../potential/potential.ts";
import { requireWhole } from "../whole_number.ts";
import {
  compiledLangevin,
  compiledRungeKutta,
  compiledSde,
  type CompiledSteps,
  flowFunctions,
  langevinRows,
  type ParameterUse,
  rungeKuttaRows,
  sdeRows,
  stepCapacity,
  type StepRows,
} from "./compiled_flow.ts";
import { type KeptPrograms, keptPrograms } from "./kept_programs.ts";
import { langevinCoefficients, refineByLangevin } from "./langevin.ts";
import { explicitTableau, type OdeMethodName, odeMethodName, odeMethods } from "./ode/methods.ts";
import { type OdeOptions, odeSettings } from "./ode/options.ts";
import type { Derivative, JacobianProduct } from "./ode/stepper.ts";
import { solveOde } from "./ode/solve_ode.ts";
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
  /** The number of the first draw: those from there on, as a larger drawing would have them. Default 0. */
  readonly firstSample?: number;
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
  /**
   * Evaluations, products with the Hessian included, that a batch may take. A solver that would take
   * more is refused, at the start where they are known then. Default any number.
   */
  readonly maxEvaluations?: number;
  /**
   * Whether an ordinary solver keeps positions in double precision, on the host, and only evaluates
   * in single precision: for tolerances below 1e-5. Default no.
   */
  readonly doublePrecision?: boolean;
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
  /** How often the event loop gets a turn between steps. Default every 50 ms. */
  readonly turns?: Turns;
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
  /** Products with the Hessian of Φ that an implicit solver took besides, of the batch with most. */
  readonly hessianProducts: number;
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
  // A program for the flow and one to refine; the last batch, if smaller, takes their places.
  const sampler = openSampler(potential, parameters, path, options.refineSteps ? 2 : 1);
  try {
    return await sampler.draw(options);
  } finally {
    sampler.dispose();
  }
}

/** Draws samples of one potential, and keeps what is compiled on the way. */
export interface Sampler {
  /** As {@link drawSamples}; one drawing must end before the next begins. */
  draw(options: SampleOptions): Promise<SampleResult>;
  /**
   * Other parameters for the drawings from now on, of the same names and shapes. They stay the
   * caller's, and alive until others are bound.
   *
   * @throws {VapoError} for a sampler whose parameters were said to be fixed
   */
  bind(parameters: TensorRecord): void;
  /** Frees what was compiled; a later drawing compiles it anew. */
  dispose(): void;
}

/**
 * {@link drawSamples} for many drawings from one potential: programs are compiled once for all
 * batches of one size, solvers that only call the velocity share one program, and other numbers of
 * fixed steps take the same one too.
 *
 * @param potential Φ
 * @param parameters the potential's; they stay the caller's, and as they are
 * @param path gives the prior's width, uMax and, to stochastic solvers, the score
 * @param programs how many compiled programs may be kept at a time; each holds the parameters and
 * the temporaries of a batch
 * @param use "changing" where other parameters will be bound: what follows from parameters alone is
 * then computed in every evaluation
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { drawSamples, gaussianPath, mlpPotential, openDevice, openSampler, randomKey } from "vapo";
 * await openDevice("wasm");
 * const potential = mlpPotential({ dimension: 2, hidden: [8], timeExplicit: true });
 * const parameters = potential.initialize(randomKey(1)), path = gaussianPath();
 * const options = {
 *   n: 6, seed: 0, solver: "heun", steps: 4, rtol: 1e-3, atol: 1e-3, until: null,
 * } as const;
 * const sampler = openSampler(potential, parameters, path);
 * const first = await sampler.draw({ ...options, n: 3 });
 * const rest = await sampler.draw({ ...options, n: 3, firstSample: 3 });
 * sampler.dispose();
 * const { samples } = await drawSamples(potential, parameters, path, { ...options, batchSize: 3 });
 * assertEquals([...first.samples, ...rest.samples], [...samples]);
 * ```
 */
export function openSampler(
  potential: Potential,
  parameters: TensorRecord,
  path: GaussianPath,
  programs = 4,
  use: ParameterUse = "fixed",
): Sampler {
  const kept = keptPrograms(programs);
  let bound = parameters;
  return {
    async draw(options) {
      try {
        return await drawBatches({ potential, parameters: bound, path, kept, use }, options);
      } catch (error) {
        // What was running when it failed may be lost, and memory may be short.
        if (!(error instanceof RefusedDrawing)) kept.dispose();
        throw error;
      }
    },
    bind(parameters) {
      if (use === "fixed") {
        throw new VapoError(
          'the parameters of this sampler are fixed: expected one that was opened with "changing"',
        );
      }
      bound = parameters;
    },
    dispose: () => kept.dispose(),
  };
}

/** A drawing that takes more than is allowed: nothing has failed, and programs are as they were. */
class RefusedDrawing extends VapoError {}

/** A flow, and what is compiled of it. */
interface CompiledFlow {
  readonly potential: Potential;
  readonly parameters: TensorRecord;
  readonly path: GaussianPath;
  readonly kept: KeptPrograms;
  readonly use: ParameterUse;
}

async function drawBatches(flow: CompiledFlow, options: SampleOptions): Promise<SampleResult> {
  const { potential, path } = flow;
  const { n, firstSample = 0, frames = 0, prior } = options;
  const size = sampleSize(potential);
  const batchSize = options.batchSize ?? Math.max(1, Math.floor(2 ** 18 / size));
  requireOptions(options, batchSize, size);
  const until = terminalTime(potential, path, options.until, "until");
  const times = frameTimes(frames, until, isSdeMethod(options.solver) ? options.steps : undefined);
  const samples = new Float32Array(n * size);
  const trajectory = frames > 0 ? new Float32Array(frames * n * size) : undefined;
  const key = randomKey(options.seed);
  try {
    let nfev = 0, hessianProducts = 0;
    for (let start = 0; start < n; start += batchSize) {
      const end = Math.min(n, start + batchSize);
      const batchKey = { ...key, firstSample: firstSample + start };
      const shape = [end - start, ...potential.sampleShape];
      const x0 = prior
        ? tf.tensor(prior.slice(start * size, end * size), shape)
        : priorDraws(path, shape, batchKey);
      const problem = { ...flow, until, times, key: batchKey };
      const flowed = await integrate(problem, x0, options).finally(() => x0.dispose());
      samples.set(flowed.samples, start * size);
      flowed.frames.forEach((frame, i) => trajectory!.set(frame, (i * n + start) * size));
      nfev = Math.max(nfev, flowed.nfev);
      hessianProducts = Math.max(hessianProducts, flowed.hessianProducts);
      options.onProgress?.(end);
    }
    const shape = [n, ...potential.sampleShape];
    return { samples, shape, nfev, hessianProducts, ...(trajectory && { trajectory, times }) };
  } finally {
    tf.dispose([key.seed, key.step]);
  }
}

function requireOptions(
  { n, firstSample = 0, frames = 0, refineSteps = 0, maxEvaluations, prior }: SampleOptions,
  batchSize: number,
  size: number,
): void {
  requireWhole("n", n, 1);
  requireWhole("firstSample", firstSample, 0);
  requireWhole("batchSize", batchSize, 1);
  requireWhole("frames", frames, 0);
  requireWhole("refineSteps", refineSteps, 0);
  if (maxEvaluations !== undefined) requireWhole("maxEvaluations", maxEvaluations, 1);
  if (prior && prior.length !== n * size) {
    throw new VapoError(
      `prior holds ${prior.length} values: expected ${n * size}, n = ${n} samples of ${size}`,
    );
  }
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

/**
 * The draws of the prior N(0, ω²I) that {@link drawSamples} starts from.
 *
 * @param potential whatever has the shape of a sample
 * @param path gives ω
 * @param options n, seed and firstSample as those of {@link drawSamples}
 * @returns [n, …sampleShape], row by row
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { gaussianPath, openDevice, priorSamples } from "vapo";
 * await openDevice("cpu");
 * const potential = { sampleShape: [2] };
 * const all = await priorSamples(potential, gaussianPath(), { n: 4, seed: 7 });
 * const last = await priorSamples(potential, gaussianPath(), { n: 1, seed: 7, firstSample: 3 });
 * assertEquals([...last], [...all.subarray(6)]);
 * ```
 */
export async function priorSamples(
  potential: Pick<Potential, "sampleShape">,
  path: GaussianPath,
  { n, seed, firstSample = 0 }: Pick<SampleOptions, "n" | "seed" | "firstSample">,
): Promise<Float32Array> {
  requireWhole("n", n, 1);
  requireWhole("firstSample", firstSample, 0);
  const draws = tf.tidy(() =>
    priorDraws(path, [n, ...potential.sampleShape], { ...randomKey(seed), firstSample })
  );
  return await draws.data().finally(() => draws.dispose()) as Float32Array;
}

/** One batch of a drawing. */
interface FlowProblem extends CompiledFlow {
  readonly until: number;
  readonly times: readonly number[];
  readonly key: RandomKey;
}

/** What a solver has made of a batch. */
interface Solved {
  readonly y: Tensor;
  readonly frames: Float32Array[];
  readonly nfev: number;
  readonly hessianProducts: number;
}

interface Flowed extends Omit<Solved, "y"> {
  readonly samples: Float32Array;
}

async function integrate(
  problem: FlowProblem,
  x0: Tensor,
  options: SampleOptions,
): Promise<Flowed> {
  const { refineSteps = 0 } = options;
  const { y, nfev, ...rest } = isSdeMethod(options.solver)
    ? await integrateSde(problem, x0, options)
    : await integrateOde(problem, x0, options);
  const samples = await refine(problem, y, refineSteps).finally(() => y.dispose());
  return { ...rest, samples, nfev: nfev + refineSteps };
}

/** The values of samples after so many steps of Langevin refinement. */
async function refine(problem: FlowProblem, y: Tensor, steps: number): Promise<Float32Array> {
  if (steps === 0) return await y.data() as Float32Array;
  const { potential, parameters, path, until, key, use } = problem;
  const time = Math.min(until, path.uMax);
  let refined: Tensor;
  if (compilesPrograms()) {
    const coefficients = langevinCoefficients(path, time);
    const settings = { time, steps, key, coefficients };
    const program = await startedSteps(
      problem,
      "langevin",
      y,
      langevinRows(settings),
      () => compiledLangevin(potential, parameters, y, settings, use),
    );
    program.run(steps);
    refined = program.position();
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

/** The program of a fixed-step solver for batches like x0, at the start of its steps. */
async function startedSteps(
  { kept, key, parameters, use }: FlowProblem,
  kind: string,
  x0: Tensor,
  rows: StepRows,
  compile: () => Promise<CompiledSteps>,
): Promise<CompiledSteps> {
  const program = await kept.get(
    `${kind} ${stepCapacity(rows.length)} [${x0.shape}] ${key.stream}`,
    compile,
  );
  if (use === "changing") program.bindParameters(parameters);
  program.start(x0, rows, key);
  return program;
}

async function integrateOde(
  problem: FlowProblem,
  x0: Tensor,
  options: SampleOptions,
): Promise<Solved> {
  const { solver, steps, rtol, atol, maxSteps, equalSteps = false, signal, turns } = options;
  const { doublePrecision = false } = options;
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
    turns,
  };
  const tableau = explicitTableau(method);
  if (fixed && tableau) {
    const { grid } = odeSettings([0, problem.until], settings, 0);
    requireEvaluations(options, grid!.length * tableau.stages.length);
    if (compilesPrograms() && !doublePrecision) {
      return await compiledExplicit(problem, x0, { method, tableau, grid: grid!, signal, turns });
    }
  }
  const { potential, parameters, kept, use } = problem;
  const functions = await kept.get(
    `velocity [${x0.shape}]`,
    () => flowFunctions(potential, parameters, x0, use),
  );
  if (use === "changing") await functions.bindParameters(parameters);
  const { velocity, hessianProduct } = functions;
  const counted = evaluationCounter(options);
  const flow = { f: counted(velocity), jvp: counted(hessianProduct) };
  if (doublePrecision) return await solvedOnHost(problem, x0, flow, settings);
  const solution = await solveOde<Tensor>(flow.f, [0, problem.until], x0, {
    ...settings,
    jvp: flow.jvp,
  });
  const frames: Float32Array[] = [];
  for (const { y } of solution.trajectory) {
    frames.push(await y.data() as Float32Array);
    y.dispose();
  }
  const { y, nfev, jacobianProducts } = solution;
  return { y, frames, nfev, hessianProducts: jacobianProducts };
}

/** A solution with its positions on the host. */
async function solvedOnHost(
  { until }: FlowProblem,
  x0: Tensor,
  flow: { f: Derivative<Tensor>; jvp: JacobianProduct<Tensor> },
  settings: OdeOptions<Float64Array>,
): Promise<Solved> {
  const onDevice = (values: Float64Array) => tf.tensor(Float32Array.from(values), x0.shape);
  const onHost = async (f: () => Tensor | Promise<Tensor>, ...inputs: Tensor[]) => {
    try {
      const result = await f();
      return Float64Array.from(await result.data().finally(() => result.dispose()));
    } finally {
      tf.dispose(inputs);
    }
  };
  const f = (u: number, y: Float64Array) => {
    const x = onDevice(y);
    return onHost(() => flow.f(u, x), x);
  };
  const jvp = (u: number, y: Float64Array, vector: Float64Array) => {
    const x = onDevice(y), w = onDevice(vector);
    return onHost(() => flow.jvp(u, x, w), x, w);
  };
  const start = Float64Array.from(await x0.data());
  const solution = await solveOde(f, [0, until], start, { ...settings, jvp });
  const { nfev, jacobianProducts } = solution;
  const frames = solution.trajectory.map(({ y }) => Float32Array.from(y));
  return { y: onDevice(solution.y), frames, nfev, hessianProducts: jacobianProducts };
}

/** Refuses a number of evaluations above the one allowed. */
function requireEvaluations(
  { solver, maxEvaluations = Infinity }: SampleOptions,
  evaluations: number,
): void {
  if (evaluations <= maxEvaluations) return;
  throw new RefusedDrawing(
    `${solver} takes more evaluations than maxEvaluations = ${maxEvaluations}: ` +
      "raise it, or take fewer steps or larger tolerances",
  );
}

/** Wraps functions so that they are called no more often, together, than is allowed. */
function evaluationCounter(options: SampleOptions) {
  let evaluations = 0;
  return <A extends unknown[], R>(f: (...args: A) => R) => (...args: A): R => {
    requireEvaluations(options, ++evaluations);
    return f(...args);
  };
}

/** An explicit method in fixed steps, on the device from the first to the last. */
async function compiledExplicit(
  problem: FlowProblem,
  x0: Tensor,
  { method, tableau, grid, ...events }: {
    method: OdeMethodName;
    tableau: Tableau;
    grid: readonly number[];
  } & Pick<SampleOptions, "signal" | "turns">,
): Promise<Solved> {
  const { potential, parameters, times, use } = problem;
  const program = await startedSteps(
    problem,
    method,
    x0,
    rungeKuttaRows(tableau, grid),
    () => compiledRungeKutta(potential, parameters, tableau, grid, x0, use),
  );
  const stops = times.map((time) => time === 0 ? 0 : grid.indexOf(time) + 1);
  const { y, frames } = await runSteps(program, grid.length, stops, events, (step) => {
    const t = step === 0 ? 0 : grid[step - 1];
    return `${method} at step ${step} (u = ${
      Number(t.toPrecision(6))
    }): the state is not finite; ` +
      "take more steps, or let rk45 or radau choose them";
  });
  return { y, frames, nfev: grid.length * tableau.stages.length, hessianProducts: 0 };
}

/**
 * Runs a compiled solver to its end, with a frame at each of `stops` (steps done, ascending).
 */
async function runSteps(
  program: CompiledSteps,
  steps: number,
  stops: readonly number[],
  { signal, turns }: Pick<SampleOptions, "signal" | "turns">,
  describe: (step: number) => string,
): Promise<{ y: Tensor; frames: Float32Array[] }> {
  const pause = pauses(signal, turns);
  const frames: Float32Array[] = [];
  const saveDue = async (done: number) => {
    while (stops[frames.length] === done) {
      const position = program.position();
      frames.push(await position.data() as Float32Array);
      position.dispose();
    }
  };
  await saveDue(0);
  for (let done = 0; done < steps;) {
    await pause();
    const stop = stops.find((stop) => stop > done) ?? steps;
    // Somebody who may abort gets a turn after a few steps.
    const count = Math.min(stop - done, turns ? 1 : signal ? 4 : Infinity);
    program.run(count);
    done += count;
    await saveDue(done);
  }
  const bad = await program.firstNonFinite();
  if (bad !== null) throw new NonFiniteError(describe(bad));
  return { y: program.position(), frames };
}

async function integrateSde(
  problem: FlowProblem,
  x0: Tensor,
  options: SampleOptions,
): Promise<Solved> {
  const { potential, parameters, path, until, times, key, use } = problem;
  const { steps, noise, signal, turns } = options;
  const method = options.solver as SdeMethod;
  const stops = times.map((time) => Math.round((time / until) * steps));
  const settings = sdeSettings(path, until, { method, steps, noise, key });
  const nfev = sdeEvaluations(method, steps);
  requireEvaluations(options, nfev);
  if (compilesPrograms()) {
    const program = await startedSteps(
      problem,
      method,
      x0,
      sdeRows(path, until, settings),
      () => compiledSde(potential, parameters, path, x0, until, settings, use),
    );
    const { y, frames } = await runSteps(
      program,
      steps,
      stops,
      { signal, turns },
      () => sdeNotFinite(method, steps),
    );
    return { y, frames, nfev, hessianProducts: 0 };
  }
  const frames: Float32Array[] = [];
  let step = 0;
  const pause = pauses(signal, turns);
  const { y } = await solveSde(velocityField(potential, parameters), path, x0, until, {
    ...settings,
    async onStep(_u, x) {
      await pause();
      while (frames.length < stops.length && stops[frames.length] === step) {
        frames.push(await x.data() as Float32Array);
      }
      step++;
    },
  });
  return { y, frames, nfev, hessianProducts: 0 };
}
