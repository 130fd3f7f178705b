/**
 * @file From one call of an ordinary TensorFlow.js function to a graph: the function is called with
 * tensors that stand for its arguments while the recording backend is the current one, as JAX and
 * TensorFlow's `tf.function` trace. What it does outside of tensors, it does now and never again.
 */
import { type Tensor, tf } from "../../tensor/mod.ts";
import { JitError } from "../errors.ts";
import type { Graph } from "../graph.ts";
import {
  BACKEND_NAME,
  currentRecording,
  type EngineInternals,
  engineInternals,
  Recording,
  setRecording,
  theBackend,
} from "./recording_backend.ts";
import {
  flattenTree,
  type TensorSpec,
  type TensorTree,
  type Tree,
  type TreeStructure,
  unflattenTree,
} from "./tree.ts";
import { atLine, userLine, userLineOf, withDeepStacks } from "./user_line.ts";

/** What a function does, written down. */
export interface Trace {
  /**
   * Its inputs are the arguments' leaves in order, named by their paths ("0/parameters/w"), then
   * the tensors that the function closes over ("captured/0", …); its outputs are the leaves of what
   * the function returns, named by their paths ("" for a lone tensor).
   */
  readonly graph: Graph;
  /** What the function returns, for {@link unflattenTree}. */
  readonly structure: TreeStructure;
  /**
   * The tensors that the function closes over and that are inputs of the graph: variables, and
   * those that are large or cannot be read at once. They stay the caller's.
   */
  readonly captured: readonly { readonly input: number; readonly tensor: Tensor }[];
}

/**
 * Records one call of a function. Tensors that it closes over are not moved; small ones that can be
 * read at once become constants. All tensors that it makes are disposed.
 *
 * @param f a function of trees of tensors that returns one; synchronous
 * @param args trees of tensors or of their shapes and types: values are not looked at
 * @throws {JitError} where f reads a value on the host, uses a kernel that is not lowered, draws
 * random numbers on the host, changes variables, is asynchronous, or traces in turn
 */
export function trace<A extends readonly unknown[]>(
  f: (...args: A) => TensorTree,
  args: readonly Tree<TensorSpec>[],
): Trace {
  if (currentRecording()) {
    throw new JitError(
      `a function is compiled inside another${atLine(userLine().line)}: expected one at a time; ` +
        "call the inner function as it is",
    );
  }
  const { leaves, structure } = flattenTree(args);
  const recording = new Recording();
  return withRecording(recording, () => {
    const tensors = leaves.map(({ path, tensor }) => recording.argument(path, tensor));
    const returned = callRecorded(f, unflattenTree(structure, tensors) as unknown as A);
    refusePromise(returned, recording.error);
    if (recording.error) throw recording.error;
    const result = flattenTree(returned);
    const outputs = result.leaves.map(({ path, tensor }) => ({
      name: path,
      node: recording.nodeOf(tensor),
    }));
    const graph = recording.graph.builder.finish(outputs);
    return { graph, structure: result.structure, captured: recording.captured };
  });
}

/** Calls the function; TensorFlow.js's own error for a missing kernel becomes one of ours. */
function callRecorded<A extends readonly unknown[]>(
  f: (...args: A) => TensorTree,
  args: A,
): TensorTree {
  try {
    return withDeepStacks(() => f(...args));
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const { message, stack } = error;
    const [, kernel] = /Kernel '(\w+)' not registered for backend '([^']*)'/.exec(message) ?? [];
    if (!kernel || !message.includes(BACKEND_NAME)) throw error;
    throw new JitError(
      `kernel ${kernel}${atLine(userLineOf(stack))} cannot be compiled: ${whyNot(kernel)}`,
    );
  }
}

const byValues = "its result's shape depends on values, and shapes are fixed when a function is " +
  "compiled; run it outside the compiled function";

/** Why a kernel is not lowered, and what to do. */
function whyNot(kernel: string): string {
  if (/^(Unique|Where|Bincount|DenseBincount|Sparse|Ragged|NonMaxSuppression)/.test(kernel)) {
    return byValues;
  }
  if (kernel === "Complex" || /FFT$/.test(kernel)) {
    return "complex numbers are not among its types; run it outside the compiled function";
  }
  return "the compiler does not have it; express it by other operations, or run it outside the " +
    "compiled function";
}

function refusePromise(returned: unknown, earlier: JitError | undefined): void {
  if (typeof (returned as Promise<unknown> | undefined)?.then !== "function") return;
  // What happens in the function from here on is of no interest.
  Promise.resolve(returned).catch(() => {});
  throw earlier ?? new JitError(
    "the function is asynchronous: expected one that returns tensors at once; await before it is " +
      "called, and read results after",
  );
}

/**
 * Runs something with the recording backend as the current one, with a tape and scopes of its own;
 * afterwards all is as it was, and no tensor is left over.
 */
function withRecording<T>(recording: Recording, run: () => T): T {
  const engine = engineInternals(), { state } = engine;
  const backend = theBackend();
  const { backendName, backendInstance, pendingBackendInit } = engine;
  const { gradientDepth, kernelDepth, activeTape, profiling, scopeStack } = state;
  const depth = scopeStack.length;
  const restorePatches = patch(engine, recording);
  setRecording(recording);
  Object.assign(engine, {
    backendName: BACKEND_NAME,
    backendInstance: backend,
    pendingBackendInit: null,
  });
  Object.assign(state, { gradientDepth: 0, kernelDepth: 0, activeTape: null, profiling: false });
  engine.startScope("trace");
  try {
    return run();
  } finally {
    while (state.scopeStack.length > depth) engine.endScope();
    for (const tensor of recording.kept) {
      if (recording.value(tensor.dataId)) tensor.dispose();
    }
    Object.assign(state, { gradientDepth, kernelDepth, activeTape, profiling });
    Object.assign(engine, { backendName, backendInstance, pendingBackendInit });
    setRecording(undefined);
    restorePatches();
  }
}

/** Watches what is kept beyond its scope, and refuses what would leave traces in variables. */
function patch(engine: EngineInternals, recording: Recording): () => void {
  const { keep } = engine;
  const { assign } = tf.Variable.prototype;
  engine.keep = (tensor) => {
    recording.kept.push(tensor);
    return keep.call(engine, tensor) as typeof tensor;
  };
  engine.makeVariable = () => refuseVariable("made");
  tf.Variable.prototype.assign = () => refuseVariable("assigned");
  return () => {
    // Both are methods of the engine's class.
    delete (engine as Partial<EngineInternals>).keep;
    delete (engine as Partial<EngineInternals>).makeVariable;
    tf.Variable.prototype.assign = assign;
  };
}

function refuseVariable(what: string): never {
  throw new JitError(
    `a variable is ${what}${atLine(userLine().line)}: expected a function without side effects; ` +
      "take the value as an argument and return the new one",
  );
}
