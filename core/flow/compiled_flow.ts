/**
 * @file The flow compiled: the velocity and its Jacobian's products that the solvers call, and the
 * fixed-step solvers as a whole, whose position, step number and findings stay on the device from
 * the first step to the last. Times and weights of the steps are a table computed in double
 * precision, which a step takes its row of.
 */
import { jit } from "../jit/mod.ts";
import {
  compilesPrograms,
  type RandomKey,
  randomNormal,
  type Tensor,
  type TensorRecord,
  tf,
} from "../tensor/mod.ts";
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

/** A function of the time and of samples, for samples of one shape. */
export interface FlowFunction<A extends readonly Tensor[]> {
  readonly call: (u: number, ...samples: A) => Tensor;
  /** Other values for the constants, of the same names and shapes; they stay the caller's. */
  bind(constants: TensorRecord): void;
  /** Other parameters, likewise, of a function of parameters that change. */
  bindParameters(parameters: TensorRecord): void;
  /** Frees what was compiled. */
  dispose(): void;
}

/**
 * Whether parameters stay as they are, so that what follows from them alone is computed once, or
 * change between the calls of a program.
 */
export type ParameterUse = "fixed" | "changing";

/**
 * A function of samples [n, …], times [n], parameters and constants, compiled where the device
 * compiles. Constants are what is the same in many calls, and may be bound anew between them.
 *
 * @param f gives one tensor
 * @param samples of the shapes that it will be called with
 * @param constants must stay alive only where nothing is compiled
 * @param use whether other parameters will be bound
 */
export async function flowFunction<const A extends readonly Tensor[]>(
  f: (samples: A, time: Tensor, parameters: TensorRecord, constants: TensorRecord) => Tensor,
  samples: A,
  parameters: TensorRecord,
  constants: TensorRecord = {},
  use: ParameterUse = "fixed",
): Promise<FlowFunction<A>> {
  const n = samples[0].shape[0];
  if (!compilesPrograms()) {
    let bound = constants, boundParameters = parameters;
    return {
      call: (u, ...samples) => tf.tidy(() => f(samples, tf.fill([n], u), boundParameters, bound)),
      bind: (constants) => bound = constants,
      bindParameters: (parameters) => boundParameters = parameters,
      dispose() {},
    };
  }
  const program = jit(
    (samples: A, u: Tensor, parameters: TensorRecord, constants: TensorRecord) =>
      f(samples, timesOf(samples[0], u), parameters, constants),
    { static: use === "fixed" ? [2] : [] },
  );
  const zero = tf.scalar(0);
  const session = await program.load(samples, zero, parameters, constants)
    .finally(() => zero.dispose());
  return {
    call(u, ...samples) {
      const time = tf.scalar(u);
      session.write(0, samples);
      session.write(1, time);
      time.dispose();
      session.run();
      return session.results();
    },
    bind: (constants) => session.write(3, constants),
    bindParameters: (parameters) => session.write(2, parameters),
    dispose: () => session.dispose(),
  };
}

/** The functions that solvers of the flow call, for samples of one shape. */
export interface FlowFunctions {
  readonly velocity: VelocityField;
  readonly hessianProduct: (u: number, x: Tensor, w: Tensor) => Promise<Tensor>;
  /** Other parameters that change; they have to stay alive until the next ones are bound. */
  bindParameters(parameters: TensorRecord): Promise<void>;
  /** Frees what was compiled. */
  dispose(): void;
}

/** The velocity ∇Φ and, compiled when first called, the products of its Jacobian. */
export async function flowFunctions(
  potential: Potential,
  parameters: TensorRecord,
  x: Tensor,
  use: ParameterUse = "fixed",
): Promise<FlowFunctions> {
  const velocity = await flowFunction(
    ([x], time, parameters) => velocityAt(potential, parameters, x, time),
    [x],
    parameters,
    {},
    use,
  );
  let bound = parameters;
  let product: Promise<FlowFunction<readonly [Tensor, Tensor]>> | undefined;
  return {
    velocity: velocity.call,
    async hessianProduct(u, x, w) {
      product ??= flowFunction(
        ([x, w], time, parameters) => hessianProductAt(potential, parameters, x, w, time),
        [x, w],
        bound,
        {},
        use,
      );
      return (await product).call(u, x, w);
    },
    async bindParameters(parameters) {
      bound = parameters;
      velocity.bindParameters(parameters);
      (await product)?.bindParameters(parameters);
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
  /** How many steps its table has room for. */
  readonly capacity: number;
  /**
   * Starts again from other positions, with other steps, at most `capacity` of them, or with other
   * draws.
   */
  start(x0: Tensor, rows: StepRows, key?: RandomKey): void;
  /** Other parameters, of a solver of parameters that change. */
  bindParameters(parameters: TensorRecord): void;
  /** Takes so many steps. */
  run(steps: number): void;
  /** The present position, [n, …sampleShape]; it belongs to the caller. */
  position(): Tensor;
  /** The number of the first step (from 1) whose result was not finite, or null. */
  firstNonFinite(): Promise<number | null>;
  dispose(): void;
}

/** What each of the steps of a solver reads: its times and weights. */
export type StepRows = readonly (readonly number[])[];

/** What the draws of a step are a function of, beside the stream. */
interface KeyWords extends TensorRecord {
  /** int32 [2]. */
  seed: Tensor;
  /** int32 scalar. */
  step: Tensor;
  /** int32 scalar. */
  firstSample: Tensor;
}

/** One step: the position after it, from the position, the step's number and its table row. */
type StepFunction = (
  x: Tensor,
  step: Tensor,
  row: Tensor[],
  parameters: TensorRecord,
  key: KeyWords,
) => Tensor;

/**
 * Room for so many steps: at least 128 and a power of two, so that one program serves many numbers
 * of steps. A row more costs a few bytes, and no time.
 */
export function stepCapacity(steps: number): number {
  return Math.max(128, 2 ** Math.ceil(Math.log2(steps)));
}

function stepTable(rows: StepRows, capacity: number): Tensor {
  const columns = rows[0].length, table = new Float32Array(capacity * columns);
  rows.forEach((row, i) => table.set(row, i * columns));
  return tf.tensor2d(table, [capacity, columns]);
}

function keyWords(key: RandomKey | undefined): KeyWords {
  const first = key?.firstSample ?? 0;
  return {
    seed: key ? key.seed.clone() : tf.zeros([2], "int32"),
    step: key ? key.step.clone() : tf.scalar(0, "int32"),
    firstSample: typeof first === "number" ? tf.scalar(first | 0, "int32") : first.clone(),
  };
}

async function compiledSteps(
  advance: StepFunction,
  parameters: TensorRecord,
  x0: Tensor,
  rows: StepRows,
  use: ParameterUse,
  key?: RandomKey,
): Promise<CompiledSteps> {
  const columns = rows[0].length, capacity = stepCapacity(rows.length);
  const program = jit(
    (
      { x, step, firstNonFinite }: SolverState,
      parameters: TensorRecord,
      table: Tensor,
      key: KeyWords,
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
    { donate: true, static: use === "fixed" ? [1] : [] },
  );
  const startState = (x0: Tensor, rows: StepRows, key?: RandomKey) =>
    tf.tidy(() => ({
      state: { x: x0.clone(), step: tf.scalar(0, "int32"), firstNonFinite: tf.scalar(-1, "int32") },
      table: stepTable(rows, capacity),
      key: keyWords(key),
    } as never)) as { state: SolverState; table: Tensor; key: KeyWords };
  const made = startState(x0, rows, key);
  const session = await program.load(made.state, parameters, made.table, made.key)
    .finally(() => tf.dispose(made as never));
  const state = () => session.state();
  return {
    capacity,
    start(x0, rows, key) {
      const made = startState(x0, rows, key);
      session.write(0, made.state);
      session.write(2, made.table);
      session.write(3, made.key);
      tf.dispose(made as never);
    },
    bindParameters: (parameters) => session.write(1, parameters),
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
 * The rows of an explicit Runge-Kutta method in fixed steps that end at the times of `grid`, from
 * u = 0: h, then the times of the stages.
 */
export function rungeKuttaRows(tableau: Tableau, grid: readonly number[]): StepRows {
  return grid.map((end, i) => {
    const t = i === 0 ? 0 : grid[i - 1];
    return [end - t, ...tableau.nodes.map((node) => t + node * (end - t))];
  });
}

/** An explicit Runge-Kutta method in fixed steps that end at the times of `grid`, from u = 0. */
export function compiledRungeKutta(
  potential: Potential,
  parameters: TensorRecord,
  tableau: Tableau,
  grid: readonly number[],
  x0: Tensor,
  use: ParameterUse = "fixed",
): Promise<CompiledSteps> {
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
    rungeKuttaRows(tableau, grid),
    use,
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

/** What tells one stochastic integration from another. */
export interface SdeSettings {
  readonly method: SdeMethod;
  readonly steps: number;
  readonly noise: number;
  readonly key: RandomKey;
}

/** The rows of a stochastic solver in equal steps from u = 0 to `until`. */
export function sdeRows(
  path: GaussianPath,
  until: number,
  { steps, noise }: Pick<SdeSettings, "steps" | "noise">,
): StepRows {
  const h = until / steps;
  return Array.from({ length: steps }, (_, i) => {
    const coefficients = sdeStepCoefficients(path, i, h, noise);
    return [i * h, (i + 1) * h, ...sdeColumns.map((name) => coefficients[name])];
  });
}

/** A stochastic solver in equal steps from u = 0 to `until`. */
export function compiledSde(
  potential: Potential,
  parameters: TensorRecord,
  path: GaussianPath,
  x0: Tensor,
  until: number,
  settings: SdeSettings,
  use: ParameterUse = "fixed",
): Promise<CompiledSteps> {
  const { method, key } = settings;
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
    sdeRows(path, until, settings),
    use,
    key,
  );
}

/** What tells one Langevin refinement from another. */
export interface LangevinSettings {
  readonly time: number;
  readonly steps: number;
  readonly key: RandomKey;
  readonly coefficients: LangevinCoefficients;
}

/** The rows of Langevin steps at a time that is held fixed. */
export function langevinRows({ time, steps, coefficients }: LangevinSettings): StepRows {
  const { positionWeight, velocityWeight, noise } = coefficients;
  return Array.from({ length: steps }, () => [time, positionWeight, velocityWeight, noise]);
}

/** Langevin steps at a time that is held fixed. */
export function compiledLangevin(
  potential: Potential,
  parameters: TensorRecord,
  x0: Tensor,
  settings: LangevinSettings,
  use: ParameterUse = "fixed",
): Promise<CompiledSteps> {
  const { key } = settings;
  return compiledSteps(
    (x, step, [u, positionWeight, velocityWeight, noise], parameters, words) => {
      const velocity = velocityAt(potential, parameters, x, timesOf(x, u));
      const coefficients = { positionWeight, velocityWeight, noise };
      return langevinStep(x, velocity, langevinKey({ ...key, ...words }, step), coefficients);
    },
    parameters,
    x0,
    langevinRows(settings),
    use,
    key,
  );
}
