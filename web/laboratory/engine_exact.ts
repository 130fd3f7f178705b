/**
 * @file Exact answers for mixtures of Gaussians: the potential, the velocity and the density along the
 * path in closed form, in double precision on the host, and particles carried along by any solver.
 */
import { VapoError } from "../../core/errors.ts";
import { refineByLangevin } from "../../core/flow/langevin.ts";
import { type OdeMethodName, odeMethodName } from "../../core/flow/ode/methods.ts";
import { solveOde } from "../../core/flow/ode/solve_ode.ts";
import { priorSamples } from "../../core/flow/sampler.ts";
import { isSdeMethod, solveSde } from "../../core/flow/sde.ts";
import type { VelocityField } from "../../core/flow/velocity.ts";
import {
  type GaussianMixture,
  mixtureLogDensity,
  mixturePotential,
  mixtureVelocity,
  mixtureVelocityTensor,
} from "../../core/homotopy/gaussian_mixture.ts";
import type { GaussianPath } from "../../core/homotopy/gaussian_path.ts";
import { pauses, type Turns } from "../../core/pauses.ts";
import { randomKey, type Tensor, type Tensor2D, tf } from "../../core/tensor/mod.ts";
import type { TrainingProblem } from "../../core/train/training_problem.ts";
import { type FieldValues, gridPoints } from "./engine_fields.ts";
import { type FlowResult, isAdaptive, MOST_EVALUATIONS, planFrames } from "./engine_flows.ts";
import { timedTurns } from "./engine_turns.ts";
import type { FlowRequest, Grid } from "./engine_types.ts";

/** A mixture on its way along a path. */
export interface ExactFlow {
  readonly mixture: GaussianMixture;
  readonly path: GaussianPath;
}

/** What lets others in, and ends the work. */
export interface Interruption {
  readonly signal: AbortSignal;
  readonly turns: Turns;
}

/** The exact flow of a run's data, or null where none is known. */
export function exactFlowOf({ data, path }: TrainingProblem): ExactFlow | null {
  const mixture = data.distribution?.mixture;
  return mixture ? { mixture, path } : null;
}

/**
 * The exact flow of a run's data.
 *
 * @throws {VapoError} for data that is no mixture
 */
export function requireExact(problem: TrainingProblem): ExactFlow {
  const exact = exactFlowOf(problem);
  if (exact) return exact;
  throw new VapoError(
    `no exact flow is known for data "${problem.data.name}": expected a mixture of Gaussians, such ` +
      'as "8gaussians" or drawn points',
  );
}

/** Exponentials between two looks at the clock: some milliseconds. */
const TERMS_A_PIECE = 200_000;

/** Calls a function on points piece by piece, [n, 2] each, so that nothing waits for long. */
async function inPieces(
  points: Float64Array,
  { mixture }: ExactFlow,
  { signal, turns }: Interruption,
  use: (piece: Float64Array, first: number) => void,
): Promise<void> {
  const pause = pauses(signal, turns);
  const piece = 2 * Math.max(64, Math.floor(TERMS_A_PIECE / mixture.means.length));
  for (let start = 0; start < points.length; start += piece) {
    await pause();
    use(points.subarray(start, start + piece), start / 2);
  }
}

/**
 * The exact potential and velocity on a grid.
 *
 * @param u from 0 to 1
 * @throws {VapoError} for other times, and where the marginal has no width
 */
export async function exactField(
  exact: ExactFlow,
  grid: Grid,
  u: number,
  interruption: Interruption,
): Promise<FieldValues> {
  const { mixture, path } = exact;
  const points = gridPoints(grid), coefficients = path.at(u), n = points.length / 2;
  const values = { potential: new Float32Array(n), velocity: new Float32Array(2 * n) };
  await inPieces(points, exact, interruption, (piece, first) => {
    values.potential.set(mixturePotential(mixture, piece, coefficients), first);
    values.velocity.set(mixtureVelocity(mixture, piece, coefficients), 2 * first);
  });
  return values;
}

/** The exact density on a grid, [size²]; null where there is none at that time. */
export async function exactDensity(
  exact: ExactFlow,
  grid: Grid,
  u: number,
  interruption: Interruption,
): Promise<Float32Array | null> {
  const { mixture, path } = exact;
  if (u > 1) return null;
  const coefficients = path.at(u);
  if (coefficients.beta === 0 && mixture.std === 0) return null;
  const points = gridPoints(grid), density = new Float32Array(points.length / 2);
  await inPieces(points, exact, interruption, (piece, first) => {
    density.set(mixtureLogDensity(mixture, piece, coefficients).map(Math.exp), first);
  });
  return density;
}

/**
 * Particles in the exact velocity, from the draws of the prior that a learned flow of the same seed
 * starts from. Ordinary solvers compute in double precision; stochastic ones, and refinement, in single
 * precision with the same draws of noise as a learned flow's.
 *
 * @throws {VapoError} for a time beyond 1, or options out of range
 * @throws {NonFiniteError} where a solver finds no finite step
 */
export async function exactParticles(
  exact: ExactFlow,
  request: Omit<FlowRequest, "subject">,
  { signal, turns }: Interruption,
): Promise<FlowResult> {
  const { path } = exact;
  const until = request.until ?? path.uMax;
  if (!(until > 0 && until <= 1)) {
    throw new VapoError(
      `until is ${until}: expected a time in (0, 1], as far as the exact flow is known`,
    );
  }
  const { n, seed, refineSteps = 0 } = request;
  const plan = planFrames(request, until);
  const start = await priorSamples({ sampleShape: [2] }, path, { n, seed });
  const timed = timedTurns(turns), began = performance.now();
  const solve = isSdeMethod(request.solver) ? stochasticParticles : ordinaryParticles;
  const solved = await solve(exact, start, request, plan.drawn, { signal, turns: timed });
  const samples = refineSteps > 0
    ? await refined(exact, solved.samples, { n, seed, refineSteps, until })
    : solved.samples;
  return {
    ...plan.finish(solved.trajectory, samples),
    evaluations: solved.evaluations + refineSteps,
    hessianProducts: solved.hessianProducts,
    milliseconds: performance.now() - began - timed.waited(),
  };
}

/** Particles at the end and at the times of frames. */
interface Carried {
  readonly samples: Float32Array;
  readonly trajectory: Float32Array;
  readonly evaluations: number;
  readonly hessianProducts: number;
}

async function ordinaryParticles(
  { mixture, path }: ExactFlow,
  start: Float32Array,
  { solver, steps, tolerance }: Omit<FlowRequest, "subject">,
  times: readonly number[],
  { signal, turns }: Interruption,
): Promise<Carried> {
  const pause = pauses(signal, turns);
  let calls = 0;
  const count = () => {
    if (++calls <= MOST_EVALUATIONS) return pause();
    throw new VapoError(
      `${solver} takes more than ${MOST_EVALUATIONS} evaluations: take fewer steps or a larger ` +
        "tolerance",
    );
  };
  const velocity = (u: number, x: Float64Array) =>
    mixtureVelocity(mixture, x, path.at(u)) as Float64Array<ArrayBuffer>;
  const { y, trajectory, nfev, jacobianProducts } = await solveOde(
    async (u, x) => {
      await count();
      return velocity(u, x);
    },
    [0, times.at(-1)!],
    Float64Array.from(start),
    {
      method: odeMethodName(solver) as OdeMethodName,
      rtol: tolerance,
      atol: tolerance,
      ...(!isAdaptive(solver) && { steps }),
      saveAt: times,
      signal,
      turns,
      jvp: async (u, x, w) => {
        await count();
        return alongVelocity(velocity, u, x, w);
      },
    },
  );
  const all = new Float32Array(trajectory.length * start.length);
  trajectory.forEach(({ y }, i) => all.set(y, i * start.length));
  return {
    samples: Float32Array.from(y),
    trajectory: all,
    evaluations: nfev,
    hessianProducts: jacobianProducts,
  };
}

/** The velocity's derivative along w by central differences, to 1e-9 of it in double precision. */
function alongVelocity(
  velocity: (u: number, x: Float64Array) => Float64Array<ArrayBuffer>,
  u: number,
  x: Float64Array<ArrayBuffer>,
  w: Float64Array<ArrayBuffer>,
): Float64Array<ArrayBuffer> {
  const largest = w.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (largest === 0) return w.slice();
  const h = 1e-5 / largest;
  const there = velocity(u, x.map((value, i) => value + h * w[i]));
  const here = velocity(u, x.map((value, i) => value - h * w[i]));
  return there.map((value, i) => (value - here[i]) / (2 * h));
}

/** The exact velocity on the device. */
function velocityOnDevice({ mixture, path }: ExactFlow): VelocityField {
  return (u, x) =>
    tf.tidy(() => mixtureVelocityTensor(mixture, x as Tensor2D, path.tensorAt(tf.scalar(u))));
}

async function stochasticParticles(
  exact: ExactFlow,
  start: Float32Array,
  { solver, steps, n, seed, noise }: Omit<FlowRequest, "subject">,
  times: readonly number[],
  { signal, turns }: Interruption,
): Promise<Carried> {
  if (!isSdeMethod(solver)) throw new VapoError(`${solver} is no stochastic solver`);
  const pause = pauses(signal, turns), until = times.at(-1)!;
  const stops = times.map((time) => Math.round(time / until * steps));
  const trajectory = new Float32Array(times.length * start.length);
  const key = randomKey(seed), x0 = tf.tensor2d(start, [n, 2]);
  let step = 0, frame = 0;
  try {
    const { y, nfev } = await solveSde(velocityOnDevice(exact), exact.path, x0, until, {
      method: solver,
      steps,
      noise,
      key,
      async onStep(_u, x) {
        await pause();
        for (; stops[frame] === step; frame++) {
          trajectory.set(await x.data() as Float32Array, frame * start.length);
        }
        step++;
      },
    });
    const samples = await valuesOf(y);
    return { samples, trajectory, evaluations: nfev, hessianProducts: 0 };
  } finally {
    tf.dispose([x0, key.seed, key.step]);
  }
}

async function refined(
  exact: ExactFlow,
  samples: Float32Array,
  { n, seed, refineSteps, until }: {
    n: number;
    seed: number;
    refineSteps: number;
    until: number;
  },
): Promise<Float32Array> {
  const time = Math.min(until, exact.path.uMax);
  const y = tf.tidy(() =>
    refineByLangevin(velocityOnDevice(exact), exact.path, tf.tensor2d(samples, [n, 2]), {
      steps: refineSteps,
      key: randomKey(seed),
      time,
    })
  );
  return await valuesOf(y);
}

async function valuesOf(tensor: Tensor): Promise<Float32Array> {
  return await tensor.data().finally(() => tensor.dispose()) as Float32Array;
}
