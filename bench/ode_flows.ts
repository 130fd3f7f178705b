/**
 * @file The flows that solvers of differential equations are compared on. A flow is no more than a
 * velocity, a span and a batch of initial points, so a learned one is one more entry of the list.
 */
import { toyDistributions } from "../core/data/toy.ts";
import { type Derivative, type JacobianProduct, solveOde } from "../core/flow/ode/mod.ts";
import { hessianProduct, velocityField } from "../core/flow/velocity.ts";
import { mixtureVelocity } from "../core/homotopy/gaussian_mixture.ts";
import { gaussianPath, type GaussianPathOptions } from "../core/homotopy/gaussian_path.ts";
import { openDevice, randomKey, randomNormal, type Tensor, tf } from "../core/tensor/mod.ts";
import { loadAverage } from "../core/train/checkpoint.ts";
import { assignConfig } from "../core/train/config.ts";
import { openDataSource } from "../core/train/data_source.ts";
import { presetConfig } from "../core/train/presets.ts";
import { memoryStorage } from "../core/train/run_storage.ts";
import { train } from "../core/train/trainer.ts";
import { initialState } from "../core/train/initial_state.ts";
import { trainingProblem } from "../core/train/training_problem.ts";

/** A flow to solve along. */
export interface NamedFlow<V> {
  /** What it is, in a few words. */
  readonly name: string;
  readonly f: Derivative<V>;
  /** Exact products of the Jacobian of f, for the implicit solvers; each counts as an evaluation. */
  readonly jvp?: JacobianProduct<V>;
  readonly span: readonly [number, number];
  readonly y0: V;
  /** The end state, exactly; without it, that of dop853 at a relative tolerance of 1e-12. */
  readonly reference?: ArrayLike<number>;
  /** The finest tolerance that the precision of f allows; any where left out. */
  readonly finestTolerance?: number;
  /** The components of a state. */
  readonly values: (state: V) => ArrayLike<number> | Promise<ArrayLike<number>>;
}

/** Draws from the prior, row by row: `points` of dimension 2. */
async function priorPoints(points: number): Promise<Float64Array> {
  await openDevice("cpu");
  const noise = randomNormal(randomKey(1), [points, 2]);
  const values = Float64Array.from(await noise.data());
  noise.dispose();
  return values;
}

/** The exact flow from the prior to eight Gaussians on a ring, on one path. */
export async function exactRingFlow(
  name: string,
  options: GaussianPathOptions,
  points: number,
): Promise<NamedFlow<Float64Array>> {
  const mixture = toyDistributions["8gaussians"].mixture!;
  const path = gaussianPath(options);
  return {
    name,
    f: (u, x) => mixtureVelocity(mixture, x, path.at(u)),
    span: [0, path.uMax],
    y0: await priorPoints(points),
    values: (state) => state,
  };
}

/** Steps of the run behind the learned flow: about half a minute. */
const TRAINING_STEPS = 1500;

/**
 * The flow of a potential learned from the ring, time as an input. Its velocity is single precision
 * on WebAssembly, its state double precision on the host, so errors end at about 1e-6.
 */
export async function learnedRingFlow(
  name: string,
  points: number,
): Promise<NamedFlow<Float64Array>> {
  const y0 = await priorPoints(points);
  await openDevice("wasm");
  const config = assignConfig(presetConfig("8gaussians"), [
    "potential.hidden=[64,64]",
    `training.steps=${TRAINING_STEPS}`,
    "sampling.n=1",
  ]);
  const problem = trainingProblem(config, await openDataSource(config.data.name));
  const storage = memoryStorage();
  await train(problem, { storage });
  const { parameters: shapes } = initialState(problem);
  const parameters = await loadAverage(storage, TRAINING_STEPS, shapes);
  const velocity = velocityField(problem.potential, parameters);
  const product = hessianProduct(problem.potential, parameters);
  const onHost = (compute: (...x: Tensor[]) => Tensor, ...x: Float64Array[]) => {
    const inputs = x.map((values) => tf.tensor2d(Float32Array.from(values), [points, 2]));
    const output = tf.tidy(() => compute(...inputs));
    const values = Float64Array.from(output.dataSync());
    tf.dispose([output, ...inputs]);
    return values;
  };
  const f = (u: number, x: Float64Array) => onHost((x) => velocity(u, x), x);
  // Exact: differences of a velocity in single precision would be mostly rounding.
  const jvp = (u: number, x: Float64Array, w: Float64Array) =>
    onHost((x, w) => product(u, x, w), x, w);
  const span = [0, problem.path.uMax] as const;
  const { y } = await solveOde(f, span, y0, { method: "rk4", steps: 1000 });
  return { name, f, jvp, span, y0, reference: y, finestTolerance: 1e-6, values: (state) => state };
}

/** The flows of the report. */
export async function reportedFlows(): Promise<NamedFlow<Float64Array>[]> {
  return [
    await exactRingFlow("exact flow to 8 Gaussians, linear-std time", {}, 256),
    await exactRingFlow(
      "exact flow to 8 Gaussians, log-uniform time",
      { timeLaw: "log-uniform" },
      256,
    ),
    await learnedRingFlow("learned flow to 8 Gaussians", 256),
  ];
}
