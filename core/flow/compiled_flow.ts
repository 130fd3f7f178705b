/**
 * @file The flow compiled: the velocity and its Jacobian's products that the solvers call, and the
 * fixed-step solvers as a whole, whose position, step number and findings stay on the device from
 * the first step to the last. Times and weights of the steps are a table computed in double
 * precision, which a step takes its row of.
 */
import { jit } from "../jit/mod.ts";
import { type RandomKey, randomNormal, type Tensor, type TensorRecord, tf } from "../tensor/mod.ts";
import type { GaussianPath } from "../homotopy/gaussian_path.ts";
import type { Potential } from "../potential/potential.ts";
import { type LangevinCoefficients, langevinKey, langevinStep } from "./langevin.ts";
import type { Tableau } from "./ode/tableaus.ts";
import {
  type SdeMethod,
  sdeStep,
  type SdeStepCoefficients,
  sdeStepCoefficients,
  stepKey,
} from "./sde.ts";
import { hessianProductAt, velocityAt, type VelocityField } from "./velocity.ts";

/** Whether programs are compiled on the open device; "cpu" stays eager, to compare with. */
export function compilesPrograms(): boolean {
  return tf.getBackend() !== "cpu";
}

/** A function of the time and of samples, for samples of one shape. */
export interface FlowFunction<A extends readonly Tensor[]> {
  readonly call: (u: number, ...samples: A) => Tensor;
  /** Frees what was compiled. */
  dispose(): void;
}

/**
 * A function of samples [n, …], times [n] and parameters, compiled where the device compiles, for
 * parameters that stay as they are.
 *
 * @param f gives one tensor
 * @param samples of the shapes that it will be called with
 */
export async function flowFunction<const A extends readonly Tensor[]>(
  f: (samples: A, time: Tensor, parameters: TensorRecord) => Tensor,
  samples: A,
  parameters: TensorRecord,
): Promise<FlowFunction<A>> {
  const n = samples[0].shape[0];
  if (!compilesPrograms()) {
    return {
      call: (u, ...samples) => tf.tidy(() => f(samples, tf.fill([n], u), parameters)),
      dispose() {},
    };
  }
  const program = jit(
    (samples: A, u: Tensor, parameters: TensorRecord) =>
      f(samples, timesOf(samples[0], u), parameters),
    { static: [2] },
  );
  const zero = tf.scalar(0);
  const session = await program.load(samples, zero, parameters).finally(() => zero.dispose());
  return {
    call(u, ...samples) {
      const time = tf.scalar(u);
      session.write(0, samples);
      session.write(1, time);
      time.dispose();
      session.run();
      return session.results();
    },
    dispose: () => session.dispose(),
  };
}

/** The functions that solvers of the flow call, for samples of one shape. */
export interface FlowFunctions {
  readonly velocity: VelocityField;
  readonly hessianProduct: (u: number, x: Tensor, w: Tensor) => Promise<Tensor>;
  /** Frees what was compiled. */
  dispose(): void;
}

/** The velocity ∇Φ and, compiled when first called, the products of its Jacobian. */
export async function flowFunctions(
  potential: Potential,
  parameters: TensorRecord,
  x: Tensor,
): Promise<FlowFunctions> {
  const velocity = await flowFunction(
    ([x], time, parameters) => velocityAt(potential, parameters, x, time),
    [x],
    parameters,
  );
  let product: Promise<FlowFunction<readonly [Tensor, Tensor]>> | undefined;
  return {
    velocity: velocity.call,
    async hessianProduct(u, x, w) {
      product ??= flowFunction(
        ([x, w], time, parameters) => hessianProductAt(potential, parameters, x, w, time),
        [x, w],
        parameters,
      );
      return (await product).call(u, x, w);
    },
    dispose() {
      velocity.dispose();
      product?.then((compiled) => compiled.dispose(), () => {});
    },
  };
}

/** What a compiled solver keeps on the device. */
interface SolverState extends TensorRecord {
  /** [n, …sampleShape]. */
  x: Tensor;
  /** Steps done: int32 scalar. */
  step: Tensor;
  /** The first step whose result was not finite, or −1: int32 scalar. */
  firstNonFinite: Tensor;
}

/** A fixed-step solver on the device. */
export interface CompiledSteps {
  /** Takes so many steps. */
  run(steps: number): void;
  /** The present position, [n, …sampleShape]; it belongs to the caller. */
  position(): Tensor;
  /** The number of the first step (from 1) whose result was not finite, or null. */
  firstNonFinite(): Promise<number | null>;
  dispose(): void;
}

/** One step: the position after it, from the position, the step's number and its table row. */
type StepFunction = (
  x: Tensor,
  step: Tensor,
  row: Tensor[],
  parameters: TensorRecord,
  key: { seed: Tensor; step: Tensor },
) => Tensor;

async function compiledSteps(
  advance: StepFunction,
  parameters: TensorRecord,
  x0: Tensor,
  rows: readonly (readonly number[])[],
  key?: RandomKey,
): Promise<CompiledSteps> {
  const columns = rows[0].length;
  const program = jit(
    (
      { x, step, firstNonFinite }: SolverState,
      parameters: TensorRecord,
      table: Tensor,
      key: { seed: Tensor; step: Tensor },
    ) => {
      const row = tf.reshape(tf.gather(table, tf.reshape(step, [1])), [columns]);
      const entries = Array.from(
        { length: columns },
        (_, i) => tf.reshape(tf.slice(row, [i], [1]), []),
      );
      const next = advance(x, step, entries, parameters, key);
      const done = tf.add(step, tf.scalar(1, "int32"));
      const bad = tf.logicalAnd(
        tf.less(firstNonFinite, tf.scalar(0, "int32")),
        tf.logicalNot(tf.all(tf.isFinite(next))),
      );
      return {
        state: { x: next, step: done, firstNonFinite: tf.where(bad, done, firstNonFinite) },
      };
    },
    { donate: true, static: [1, 2, 3] },
  );
  const made = tf.tidy(() =>
    ({
      state: { x: x0.clone(), step: tf.scalar(0, "int32"), firstNonFinite: tf.scalar(-1, "int32") },
      table: tf.tensor2d(rows.map((row) => [...row])),
      key: key
        ? { seed: key.seed.clone(), step: key.step.clone() }
        : { seed: tf.zeros([2], "int32"), step: tf.scalar(0, "int32") },
    }) as never
  ) as { state: SolverState; table: Tensor; key: { seed: Tensor; step: Tensor } };
  const session = await program.load(made.state, parameters, made.table, made.key)
    .finally(() => tf.dispose(made as never));
  const state = () => session.state();
  return {
    run: (steps) => session.run(steps),
    position() {
      const { x, step, firstNonFinite } = state();
      tf.dispose([step, firstNonFinite]);
      return x;
    },
    async firstNonFinite() {
      const { x, step, firstNonFinite } = state();
      const [first] = await firstNonFinite.data();
      tf.dispose([x, step, firstNonFinite]);
      return first < 0 ? null : first;
    },
    dispose: () => session.dispose(),
  };
}

/** [n] times from one. */
function timesOf(x: Tensor, u: Tensor): Tensor {
  return tf.mul(tf.ones([x.shape[0]]), u);
}

/**
 * An explicit Runge-Kutta method in fixed steps that end at the times of `grid`, from u = 0. Columns
 * of the table: the times of the stages, then h times each coefficient.
 */
export function compiledRungeKutta(
  potential: Potential,
  parameters: TensorRecord,
  tableau: Tableau,
  grid: readonly number[],
  x0: Tensor,
): Promise<CompiledSteps> {
  const rows = grid.map((end, i) => {
    const t = i === 0 ? 0 : grid[i - 1];
    return [end - t, ...tableau.nodes.map((node) => t + node * (end - t))];
  });
  return compiledSteps(
    (x, _step, [h, ...times], parameters) => {
      const slopes: Tensor[] = [];
      const moved = (weights: readonly number[]) => {
        const terms = weights.flatMap((weight, j) => weight ? [tf.mul(slopes[j], weight)] : []);
        return terms.length === 0 ? x : tf.add(x, tf.mul(h, tf.addN(terms)));
      };
      for (let i = 0; i < tableau.stages.length; i++) {
        const inside = moved(tableau.stages[i]);
        slopes.push(velocityAt(potential, parameters, inside, timesOf(x, times[i])));
      }
      return moved(tableau.weights);
    },
    parameters,
    x0,
    rows,
  );
}

const sdeColumns = [
  "length",
  "noiseHere",
  "noiseThere",
  "velocityWeightHere",
  "positionWeightHere",
  "velocityWeightThere",
  "positionWeightThere",
] as const satisfies readonly (keyof SdeStepCoefficients<number>)[];

/** A stochastic solver in equal steps from u = 0 to `until`. */
export function compiledSde(
  potential: Potential,
  parameters: TensorRecord,
  path: GaussianPath,
  x0: Tensor,
  until: number,
  { method, steps, noise, key }: {
    method: SdeMethod;
    steps: number;
    noise: number;
    key: RandomKey;
  },
): Promise<CompiledSteps> {
  const h = until / steps;
  const rows = Array.from({ length: steps }, (_, i) => {
    const coefficients = sdeStepCoefficients(path, i, h, noise);
    return [i * h, (i + 1) * h, ...sdeColumns.map((name) => coefficients[name])];
  });
  return compiledSteps(
    (x, step, [here, there, ...entries], parameters, words) => {
      const coefficients = Object.fromEntries(
        sdeColumns.map((name, i) => [name, entries[i]]),
      ) as unknown as SdeStepCoefficients<Tensor>;
      const draws = randomNormal(stepKey({ ...key, ...words }, step), x.shape);
      const at = (u: Tensor) => (x: Tensor) => velocityAt(potential, parameters, x, timesOf(x, u));
      return sdeStep(method, x, draws, { here: at(here), there: at(there) }, coefficients);
    },
    parameters,
    x0,
    rows,
    key,
  );
}

/** Langevin steps at a time that is held fixed. */
export function compiledLangevin(
  potential: Potential,
  parameters: TensorRecord,
  x0: Tensor,
  { time, steps, key, coefficients }: {
    time: number;
    steps: number;
    key: RandomKey;
    coefficients: LangevinCoefficients;
  },
): Promise<CompiledSteps> {
  return compiledSteps(
    (x, step, [u], parameters, words) => {
      const velocity = velocityAt(potential, parameters, x, timesOf(x, u));
      return langevinStep(x, velocity, langevinKey({ ...key, ...words }, step), coefficients);
    },
    parameters,
    x0,
    Array.from({ length: steps }, () => [time]),
    key,
  );
}
