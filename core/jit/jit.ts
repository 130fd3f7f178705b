/**
 * @file `jit`: an ordinary TensorFlow.js function, gradients of gradients included, compiled for the
 * device that is open: traced once a signature, optimised, fused into few kernels, planned into one
 * arena, and run on threads of SIMD WebAssembly or as one WebGPU command buffer.
 */
import { type Tensor, tf } from "../tensor/mod.ts";
import { deviceThreads } from "../tensor/device.ts";
import { requireThreads } from "../tensor/threads.ts";
import { JitError } from "./errors.ts";
import { explain, type ExplainOptions } from "./explain.ts";
import type { Graph } from "./graph.ts";
import type { Executable } from "./kernels.ts";
import type { SplitGraph } from "./partial_evaluation.ts";
import { optimize } from "./passes/pipeline.ts";
import {
  argumentOf,
  isState,
  planFunction,
  planGraph,
  type PlannedProgram,
  type ProgramCosts,
  programCosts,
} from "./planning.ts";
import { currentTarget, type Target } from "./targets.ts";
import type { Trace } from "./trace/trace.ts";
import {
  flattenTree,
  type PathLeaf,
  type TensorSpec,
  type TensorTree,
  type Tree,
  type TreeStructure,
  unflattenTree,
} from "./trace/tree.ts";

/** How a function is compiled. */
export interface JitOptions {
  /**
   * Whether the first argument is state: the function then returns a record whose member `state`
   * has the names, shapes and types of that argument, and takes its place after each run, in place.
   * Default false.
   */
  readonly donate?: boolean;
  /**
   * Arguments, by their index, that stay as they are when loaded: what follows from them alone is
   * computed once, in loading. Calls, which load nothing, take no notice of it. Default none.
   */
  readonly static?: readonly number[];
  /** Threads of the WebAssembly target; default those that the device was opened with. */
  readonly threads?: number;
}

/** A tree of the same names with the values themselves; bools are the int32 0 and 1. */
export type HostTree =
  | Float32Array
  | Int32Array
  | { readonly [name: string]: HostTree }
  | readonly HostTree[];

/** What a compiled program is like. */
export interface ProgramStatistics extends ProgramCosts {
  /** Operations recorded, before and after the passes. */
  readonly nodes: { readonly traced: number; readonly optimized: number };
  /** Seconds for tracing and for everything after it. */
  readonly seconds: { readonly trace: number; readonly compile: number };
}

/** A compiled program with its arguments on the device. */
export interface Session<R extends TensorTree, S extends TensorTree = TensorTree> {
  /** What the program is like. */
  readonly statistics: ProgramStatistics;
  /**
   * Replaces an argument's values; names, shapes and types stay.
   *
   * @throws {JitError} for others, and for an argument that was declared static
   */
  write(argument: number, values: TensorTree): void;
  /**
   * Runs the program so many times in a row; state carries over from each to the next.
   *
   * @throws {JitError} where a thread dies: the program and its state are lost then
   */
  run(repeat?: number): void;
  /** The results of the last run as tensors of the open device, which belong to the caller. */
  results(): R;
  /** The values of the last run's results, but for the state, read in one go. */
  read(): Promise<HostTree>;
  /**
   * The present state as tensors, which belong to the caller.
   *
   * @throws {JitError} of a program without state
   */
  state(): S;
  /** The program in words: graph, passes, kernels with their cost, memory plan. */
  explain(options?: ExplainOptions): string;
  /** Frees everything; the session may not be used again, and says so by a {@link JitError}. */
  dispose(): void;
}

/** A compiled program whose arguments are still to come. */
export interface PreparedProgram<A extends readonly TensorTree[], R extends TensorTree> {
  /** What the program is like. */
  readonly statistics: ProgramStatistics;
  /** Loads its arguments, once. */
  load(...args: A): Promise<Session<R, A[0]>>;
  /** Frees a program that is not loaded. */
  dispose(): void;
}

/** A function that compiles itself. */
export interface Jitted<A extends readonly TensorTree[], R extends TensorTree> {
  /**
   * Runs it on these arguments, compiling it at the first call with their shapes and types. They
   * stay the caller's, and alive until the promise resolves.
   */
  (...args: A): Promise<R>;
  /**
   * Compiles it for arguments of these shapes and types and loads them, to be run many times
   * without anything crossing to or from the device.
   */
  load(...args: A): Promise<Session<R, A[0]>>;
  /**
   * The first half of {@link load}: compiles it for arguments of which only shapes and types are
   * known, so that what does not fit the device is refused before they are made.
   *
   * @throws {DeviceMemoryError} (by the promise) when the device has not enough memory
   */
  prepare(...specs: readonly Tree<TensorSpec>[]): Promise<PreparedProgram<A, R>>;
  /** Frees the programs that calls have compiled. */
  dispose(): void;
}

/**
 * Compiles a TensorFlow.js function for the open device.
 *
 * The function may use elementwise functions, reductions, whatever moves or joins cells (slices,
 * transpositions, concatenations, gathers), products, 2-D convolutions and poolings, and this
 * library's random draws, with first- and second-order gradients; not sorting, running sums, complex
 * numbers. Shapes are static, and nothing in it may be read on the host. Tensors that it closes over
 * are read when it is compiled.
 *
 * @param f a function of nested records of tensors that returns one
 * @param options whether the first argument is state, which ones stay as they are, how many threads
 * @throws {JitError} (by the promise) for a host read, a data-dependent shape or a kernel that
 * cannot be compiled, with its name and the line in f; for options that do not fit f; when the
 * device has not enough memory
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { jit, openDevice, tf, type Tensor } from "vapo";
 * await openDevice("wasm");
 * const norm = jit(({ x }: { x: Tensor }) => ({ norm: tf.sqrt(tf.sum(tf.square(x))) }));
 * const { norm: five } = await norm({ x: tf.tensor1d([3, 4]) });
 * assertEquals(five.dataSync()[0], 5);
 * norm.dispose();
 *
 * // State stays on the device and is updated in place.
 * const count = jit(
 *   ({ n }: { n: Tensor }) => ({ state: { n: tf.add(n, 1) }, square: tf.square(n) }),
 *   { donate: true },
 * );
 * const session = await count.load({ n: tf.scalar(0) });
 * session.run(10);
 * assertEquals(session.state().n.dataSync()[0], 10);
 * assertEquals(await session.read(), { square: Float32Array.of(81) });
 * session.dispose();
 * ```
 */
export function jit<A extends readonly TensorTree[], R extends TensorTree>(
  f: (...args: A) => R,
  options: JitOptions = {},
): Jitted<A, R> {
  const sessions = new Map<string, Promise<Session<R>>>();
  const load = (...args: A) => openSession<A, R>(f, args, options);
  const call = async (...args: A): Promise<R> => {
    const key = signature(args);
    const known = sessions.get(key);
    const opened = known ?? openSession<A, R>(f, args, { ...options, static: [] });
    sessions.set(key, opened);
    try {
      const session = await opened;
      if (known) args.forEach((arg, i) => session.write(i, arg));
      session.run();
      return session.results();
    } catch (error) {
      // The program may be lost: the next call makes another.
      if (sessions.get(key) === opened) sessions.delete(key);
      opened.then((session) => session.dispose(), () => {});
      throw error;
    }
  };
  return Object.assign(call, {
    load,
    prepare: (...specs: readonly Tree<TensorSpec>[]) => prepareProgram<A, R>(f, specs, options),
    dispose() {
      for (const session of sessions.values()) session.then((s) => s.dispose(), () => {});
      sessions.clear();
    },
  });
}

/** What a program is compiled for: names, shapes and types, and the device. */
function signature(args: readonly TensorTree[]): string {
  const { leaves } = flattenTree<Tensor>(args);
  const parts = leaves.map(({ path, tensor }) => `${path}:${tensor.dtype}[${tensor.shape}]`);
  return [tf.getBackend(), ...parts].join(" ");
}

async function openSession<A extends readonly TensorTree[], R extends TensorTree>(
  f: (...args: A) => R,
  args: A,
  options: JitOptions,
): Promise<Session<R, A[0]>> {
  const prepared = await prepareProgram<A, R>(f, args, options);
  return await prepared.load(...args);
}

async function prepareProgram<A extends readonly TensorTree[], R extends TensorTree>(
  f: (...args: A) => R,
  specs: readonly Tree<TensorSpec>[],
  { donate = false, threads = deviceThreads(), static: fixed = [] }: JitOptions,
): Promise<PreparedProgram<A, R>> {
  requireThreads(threads);
  const target = currentTarget();
  const start = performance.now();
  const planned = planFunction(
    f as unknown as (...args: never[]) => TensorTree,
    specs,
    { donate, fixed },
    target,
  );
  const { traced, stages, split, plan, tracedAt } = planned;
  const executable = await target.compile(plan, threads);
  const statistics: ProgramStatistics = {
    nodes: { traced: traced.graph.nodes.length, optimized: stages.at(-1)!.graph.nodes.length },
    ...programCosts(plan),
    seconds: { trace: (tracedAt - start) / 1000, compile: (performance.now() - tracedAt) / 1000 },
  };
  const placed = new Map<number, number>();
  split.arguments.forEach((from, input) => {
    if (from.kind === "argument") placed.set(from.index, input);
  });
  const structures = specs.map((spec) => flattenTree(spec).structure);
  const signature: Signature = { traced, donate, fixed: new Set(fixed), placed, structures };
  return {
    statistics,
    dispose: () => executable.dispose(),
    async load(...args) {
      const session = makeSession<R, A[0]>(target, executable, signature, statistics, planned);
      try {
        const tensors = flattenTree<Tensor>(args).leaves.map(({ tensor }) => tensor);
        for (const { input, tensor } of traced.captured) tensors[input] = tensor;
        placed.forEach((input, index) => target.write(executable, input, tensors[index]));
        await evaluatePrologue(split, tensors, executable, target, threads);
        return session;
      } catch (error) {
        session.dispose();
        throw error;
      }
    },
  };
}

/** Computes what static arguments determine, and hands it to the program. */
async function evaluatePrologue(
  { prologue, arguments: places }: SplitGraph,
  tensors: readonly Tensor[],
  executable: Executable,
  target: Target,
  threads: number,
): Promise<void> {
  if (!prologue) return;
  const ahead = await target.compile(planGraph(optimize(prologue).graph, [], target), threads);
  try {
    tensors.forEach((tensor, input) => target.write(ahead, input, tensor));
    ahead.run();
    for (const [input, from] of places.entries()) {
      if (from.kind !== "prologue") continue;
      executable.writeInput(input, await ahead.readOutput(from.output));
    }
  } finally {
    ahead.dispose();
  }
}

/** What a session knows of the function's arguments and results. */
interface Signature {
  readonly traced: Trace;
  /** Whether argument 0 is state. */
  readonly donate: boolean;
  /** Arguments that may not be written again. */
  readonly fixed: ReadonlySet<number>;
  /** Where in the program an input of the traced graph is; some are not needed. */
  readonly placed: ReadonlyMap<number, number>;
  /** Of each argument. */
  readonly structures: readonly TreeStructure[];
}

function makeSession<R extends TensorTree, S extends TensorTree>(
  target: Target,
  executable: Executable,
  { traced, donate, fixed, placed, structures }: Signature,
  statistics: ProgramStatistics,
  { stages, plan }: Pick<PlannedProgram, "stages" | "plan">,
): Session<R, S> {
  const { graph } = traced;
  let disposed = false;
  const alive = () => {
    if (disposed) throw new JitError("the program is disposed: expected a live one; load it again");
  };
  const results = (wanted: (name: string) => boolean) =>
    graph.outputs.flatMap(({ name, node }, output) =>
      wanted(name) ? [target.result(executable, output, graph.nodes[node])] : []
    );
  return {
    statistics,
    write(argument, values) {
      alive();
      if (fixed.has(argument)) {
        throw new JitError(
          `argument ${argument} was declared static: expected one that may change; load again`,
        );
      }
      const { leaves } = flattenTree<Tensor>(values);
      const inputs = graph.inputs.flatMap((_, i) => argumentOf(graph, i) === argument ? [i] : []);
      requireSameTree(argument, leaves, inputs.map((input) => graph.inputs[input]));
      inputs.forEach((input, i) => {
        const place = placed.get(input);
        if (place !== undefined) target.write(executable, place, leaves[i].tensor);
      });
    },
    run(repeat = 1) {
      alive();
      executable.run(repeat);
    },
    results() {
      alive();
      return unflattenTree(traced.structure, results(() => true)) as R;
    },
    async read() {
      alive();
      const wanted = graph.outputs.flatMap(({ name }, output) =>
        donate && isState(name) ? [] : [output]
      );
      const values = await executable.readOutputs(wanted);
      return unflattenTree(donate ? withoutState(traced.structure) : traced.structure, values);
    },
    state() {
      alive();
      if (!donate) throw new JitError("the program has no state: expected one made with donate");
      const byName = new Map(graph.outputs.map(({ name }, output) => [name, output]));
      const tensors = graph.inputs.flatMap(({ name, ...type }, input) =>
        argumentOf(graph, input) === 0
          ? [target.result(executable, byName.get(`state${name.slice(1)}`)!, type)]
          : []
      );
      return unflattenTree(structures[0], tensors) as S;
    },
    explain: (options) => explain({ stages, schedule: plan, plan }, options),
    dispose() {
      if (disposed) return;
      disposed = true;
      executable.dispose();
    },
  };
}

/** What a function with state returns beside it. */
function withoutState(structure: TreeStructure): TreeStructure {
  if (structure.kind !== "record") return structure;
  const { names, children } = structure;
  const others = names.flatMap((name, i) => name === "state" ? [] : [i]);
  return {
    kind: "record",
    names: others.map((i) => names[i]),
    children: others.map((i) => children[i]),
  };
}

function requireSameTree(
  argument: number,
  leaves: readonly PathLeaf<Tensor>[],
  expected: Graph["inputs"],
): void {
  if (leaves.length !== expected.length) {
    throw new JitError(
      `argument ${argument} has ${leaves.length} tensors: expected ${expected.length}, as when it ` +
        "was compiled; load the function again for other shapes",
    );
  }
  leaves.forEach(({ path, tensor }, i) => {
    const { name, shape, type } = expected[i];
    const found = `${
      path === "" ? argument : `${argument}/${path}`
    } ${tensor.dtype}[${tensor.shape}]`;
    const wanted = `${name} ${type}[${shape}]`;
    if (found !== wanted) {
      throw new JitError(
        `argument ${found}: expected ${wanted}; load the function again for other shapes`,
      );
    }
  });
}
