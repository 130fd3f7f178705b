/**
 * @file A traced function, run by the plain interpreter, against the same function run eagerly by
 * TensorFlow.js: the check that nearly every test of tracing makes.
 */
import { assert, assertEquals } from "@std/assert";
import { evaluate, type Values } from "../../../../core/jit/evaluate.ts";
import { type Trace, trace } from "../../../../core/jit/trace/trace.ts";
import { flattenTree, type TensorTree } from "../../../../core/jit/trace/tree.ts";
import { openDevice, type Tensor, tf } from "../../../../core/tensor/mod.ts";

/** A test on each eager backend that needs no GPU. */
export function onDevices(name: string, body: (device: "cpu" | "wasm") => void | Promise<void>) {
  for (const device of ["cpu", "wasm"] as const) {
    Deno.test(`${name} (${device})`, async () => {
      await openDevice(device);
      await body(device);
    });
  }
}

/** Draws that are the same every time (Park and Miller's generator), uniform in [low, high). */
export function randomValues(size: number, low: number, high: number, seed = 1): Float32Array {
  let state = seed * 7919 + 1;
  return Float32Array.from({ length: size }, () => {
    state = state * 48271 % 2147483647;
    return low + (high - low) * (state / 2147483647);
  });
}

let nextSeed = 1;

/** float32 in [low, high); other values at each call. */
export function floats(shape: number[], low = -2, high = 2): Tensor {
  return tf.tensor(randomValues(tf.util.sizeFromShape(shape), low, high, nextSeed++), shape);
}

/** int32 in low … high − 1. */
export function integers(shape: number[], low = -5, high = 6): Tensor {
  const draws = randomValues(tf.util.sizeFromShape(shape), low, high, nextSeed++);
  return tf.tensor(draws.map(Math.floor), shape, "int32");
}

/** bool. */
export function bools(shape: number[]): Tensor {
  const draws = randomValues(tf.util.sizeFromShape(shape), 0, 1, nextSeed++);
  return tf.tensor(draws.map(Math.round), shape, "bool");
}

/** The values of a tensor as a graph takes them. */
export function hostValues(tensor: Tensor): Values {
  const values = tensor.dataSync();
  return values instanceof Float32Array ? values : Int32Array.from(values);
}

/** A trace's results by their paths, for the arguments that it was made with. */
export function run(traced: Trace, args: readonly TensorTree[]): Values[] {
  const given = flattenTree(args).leaves.map(({ tensor }) => tensor);
  const captured = traced.captured.map(({ tensor }) => tensor);
  return evaluate(traced.graph, [...given, ...captured].map(hostValues));
}

/** What TensorFlow.js holds, which a trace may not change. */
export function held() {
  const { numTensors, numDataBuffers, numBytes } = tf.memory();
  const { engine } = { engine: tf.engine() as unknown as { state: { scopeStack: unknown[] } } };
  return {
    ...{ numTensors, numDataBuffers, numBytes },
    dataIds: tf.engine().backend.numDataIds(),
    backend: tf.getBackend(),
    scopes: engine.state.scopeStack.length,
  };
}

// deno-lint-ignore no-explicit-any -- functions of any trees, as jit takes them
type Traceable = (...args: any[]) => TensorTree;

/** Traces, and checks that nothing is left over. */
export function traceCleanly(f: Traceable, args: readonly TensorTree[]): Trace {
  const before = held();
  const traced = trace(f, args);
  assertEquals(held(), before);
  return traced;
}

/** Whether it is TensorFlow.js's WebAssembly backend that lacks a kernel. */
function lacksKernel(error: unknown): boolean {
  return /not registered for backend 'wasm'/.test((error as Error).message);
}

/** How near results have to be. */
export interface Closeness {
  /** Largest difference as a fraction of the largest value, or of 0.1. Default 2e-6. */
  readonly relative?: number;
}

/**
 * Checks that a traced function gives what the eager one gives: names, shapes, types and values.
 * Where the WebAssembly backend lacks a kernel there is nothing to compare with.
 */
export function assertAgrees(
  label: string,
  f: Traceable,
  args: readonly TensorTree[],
  { relative = 2e-6 }: Closeness = {},
): void {
  let eager: { path: string; tensor: Tensor }[];
  try {
    eager = flattenTree(tf.tidy(() => f(...args) as tf.TensorContainer) as TensorTree).leaves;
  } catch (error) {
    if (lacksKernel(error)) return;
    throw error;
  }
  const traced = traceCleanly(f, args);
  const results = run(traced, args);
  assertEquals(traced.graph.outputs.map(({ name }) => name), eager.map(({ path }) => path), label);
  eager.forEach(({ path, tensor }, i) => {
    const { shape, type } = traced.graph.nodes[traced.graph.outputs[i].node];
    const where = `${label} ${path}`;
    assertEquals([shape, type], [tensor.shape, tensor.dtype], where);
    assertNear(results[i], tensor.dataSync(), relative, where);
  });
  tf.dispose(eager.map(({ tensor }) => tensor));
}

/** The same but for rounding; NaN and infinities in the same places. */
export function assertNear(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  relative: number,
  label: string,
): void {
  assertEquals(actual.length, expected.length, label);
  let scale = 0.1;
  for (let i = 0; i < expected.length; i++) {
    if (Number.isFinite(expected[i])) scale = Math.max(scale, Math.abs(expected[i]));
  }
  for (let i = 0; i < expected.length; i++) {
    if (Object.is(actual[i], expected[i]) || actual[i] === expected[i]) continue;
    const difference = Math.abs(actual[i] - expected[i]);
    assert(
      difference <= relative * scale,
      `${label}: cell ${i} is ${actual[i]}, expected ${expected[i]} (${shapeless(actual)})`,
    );
  }
}

function shapeless(values: ArrayLike<number>): string {
  return `${Array.from({ length: Math.min(6, values.length) }, (_, i) => values[i])} …`;
}
