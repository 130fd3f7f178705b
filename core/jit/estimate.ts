/**
 * @file What a program would need and cost, without its arguments, its code or its memory: the plan
 * that `jit` makes, made of shapes alone.
 */
import type { Tensor } from "../tensor/mod.ts";
import { planFunction, type ProgramCosts, programCosts } from "./planning.ts";
import { currentTarget } from "./targets.ts";
import { trace } from "./trace/trace.ts";
import { type TensorSpec, type TensorTree, type Tree, unflattenTree } from "./trace/tree.ts";

/** What a program would need and cost on the device that is open. */
export interface ProgramEstimate extends ProgramCosts {
  /** Of the arena, the bytes of arguments and of large tensors that the function closes over. */
  readonly inputBytes: number;
}

/** How a function would be compiled: see {@link JitOptions}. */
export interface EstimateOptions {
  /** Whether the first argument is state. Default false. */
  readonly donate?: boolean;
}

/** A tree of tensors with shapes and types in their place. */
export type SpecsOf<T> = T extends Tensor ? TensorSpec
  : { readonly [Name in keyof T]: SpecsOf<T[Name]> };

/**
 * Plans a function as `jit(f, options).load(...args)` would for the device that is open (for "cpu" as
 * for "wasm"), and says what the program needs and costs. Nothing of the size of an argument is
 * allocated, and nothing is compiled.
 *
 * @param f a function of trees of tensors that returns one
 * @param args tensors, or their shapes and types, as {@link shapesOf} gives them
 * @param options those that it would be compiled with
 * @returns the same numbers as the loaded program's statistics
 * @throws {JitError} for a function that cannot be compiled
 * @example
 * ```ts
 * import { assert, assertEquals } from "@std/assert";
 * import { estimateProgram, openDevice, type Tensor2D, tf } from "vapo";
 * await openDevice("wasm");
 * const product = (a: Tensor2D, b: Tensor2D) => tf.matMul(a, b);
 * const large = { shape: [20_000, 20_000], dtype: "float32" }; // 1.6 GB, nowhere
 * const { arenaBytes, flops } = estimateProgram(product, [large, large]);
 * assertEquals(flops, 2 * 20_000 ** 3);
 * assert(arenaBytes >= 3 * 4 * 20_000 ** 2);
 * ```
 */
export function estimateProgram(
  f: (...args: never[]) => TensorTree,
  args: readonly Tree<TensorSpec>[],
  { donate = false }: EstimateOptions = {},
): ProgramEstimate {
  const { plan } = planFunction(f, args, { donate, fixed: [] }, currentTarget());
  const inputs = plan.buffers.filter(({ role }) => role === "input");
  const inputBytes = inputs.reduce((bytes, { size }) => bytes + 4 * size, 0);
  return { ...programCosts(plan), inputBytes };
}

/**
 * The shapes and types of what a function would return, without computing it: JAX's `eval_shape`.
 * The function may make tensors itself; nothing of their size stays allocated.
 *
 * @param f returns nested records and lists of tensors
 * @param args tensors, or their shapes and types
 * @returns a tree of the same names with shapes and types in place of tensors
 * @throws {JitError} for a function that cannot be compiled
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { mlpPotential, openDevice, randomKey, shapesOf } from "vapo";
 * await openDevice("cpu");
 * const potential = mlpPotential({ dimension: 2, hidden: [8192, 8192], timeExplicit: false });
 * const shapes = shapesOf(() => potential.initialize(randomKey(1)));
 * assertEquals(shapes["dense1.kernel"], { shape: [8192, 8192], dtype: "float32" });
 * ```
 */
export function shapesOf<R>(
  f: (...args: never[]) => R,
  ...args: readonly Tree<TensorSpec>[]
): SpecsOf<R> {
  const { graph, structure } = trace(f as (...args: never[]) => TensorTree, args);
  const specs = graph.outputs.map(({ node }): TensorSpec => {
    const { shape, type } = graph.nodes[node];
    return { shape, dtype: type };
  });
  return unflattenTree(structure, specs) as SpecsOf<R>;
}
