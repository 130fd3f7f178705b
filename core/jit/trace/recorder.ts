/**
 * @file What kernels are lowered with: a graph under construction, and the few compositions of its
 * operations that many kernels share. Every node carries the line of the user's code that asked for
 * it.
 */
import type { DataType, ElementwiseName } from "../elementwise.ts";
import {
  GraphBuilder,
  type Node,
  type Operation,
  sameShape,
  sizeOf,
  type ValueType,
} from "../graph.ts";
import { JitError } from "../errors.ts";
import { type UserLine, userLine } from "./user_line.ts";

/** The inputs of a kernel by their names (or numbers), as nodes of the graph. */
export type Inputs = Readonly<Record<string, number>>;

/** The attributes of a kernel, as TensorFlow.js hands them over. */
export type Attributes = Readonly<Record<string, unknown>>;

/** What a TensorFlow.js kernel is in the compiler's language: its results, as nodes. */
export type Lowering = (
  graph: Recorder,
  inputs: Inputs,
  attributes: Attributes,
) => number | number[];

/** Lowerings by the kernels' names. */
export type Lowerings = Readonly<Record<string, Lowering>>;

/**
 * The type of a tensor in graphs.
 *
 * @throws {JitError} for one that graphs do not have, with what has it
 */
export function dataType(dtype: string, what: string): DataType {
  if (dtype === "float32" || dtype === "int32" || dtype === "bool") return dtype;
  throw new JitError(
    `${what} is of type ${dtype}: expected float32, int32 or bool; compute it outside the ` +
      "compiled function",
  );
}

/** Whether all values are the same: NaN is the same as NaN, −0 is not 0. */
function isUniform(values: ArrayLike<number>): boolean {
  const { length } = values, first = values[0], reciprocal = 1 / first;
  for (let i = 1; i < length; i++) {
    const value = values[i];
    if (value !== first && (first === first || value === value)) return false;
    if (value === 0 && 1 / value !== reciprocal) return false;
  }
  return true;
}

/** A graph that is being recorded. */
export class Recorder {
  /** The graph so far. */
  readonly builder = new GraphBuilder();
  #position: UserLine | undefined;

  /** To be called before each kernel: its nodes have the line that runs then. */
  startKernel(): void {
    this.#position = undefined;
  }

  /** The user's line that runs; looked up when a kernel first asks, as many never do. */
  position(withCallees = false): UserLine {
    return this.#position ??= userLine(withCallees);
  }

  /** A node by its index. */
  node(index: number): Node {
    return this.builder.nodes[index];
  }

  shape(index: number): readonly number[] {
    return this.node(index).shape;
  }

  type(index: number): DataType {
    return this.node(index).type;
  }

  add(operation: Operation, inputs: readonly number[] = [], given?: ValueType): number {
    return this.builder.add(operation, inputs, { given, source: this.position().line });
  }

  elementwise(name: ElementwiseName, ...inputs: number[]): number {
    return this.add({ kind: "elementwise", name }, inputs);
  }

  /** A constant of values that it copies; where all are the same it is held as one. */
  constant(values: ArrayLike<number>, shape: readonly number[], type: DataType): number {
    const held = isUniform(values) ? [values[0] ?? 0] : values;
    const copy = type === "float32" ? Float32Array.from(held) : Int32Array.from(held);
    return this.add({ kind: "constant", values: copy }, [], { shape, type });
  }

  /** One number, of the type of the node that it is to meet. */
  number(value: number, like?: number): number {
    return this.splat(value, [], like === undefined ? "float32" : this.type(like));
  }

  splat(value: number, shape: readonly number[], type: DataType): number {
    const values = type === "float32" ? Float32Array.of(value) : Int32Array.of(value);
    return this.add({ kind: "constant", values }, [], { shape, type });
  }

  reshape(x: number, shape: readonly number[]): number {
    return sameShape(this.shape(x), shape) ? x : this.add({ kind: "reshape", shape }, [x]);
  }

  broadcast(x: number, shape: readonly number[]): number {
    return sameShape(this.shape(x), shape) ? x : this.add({ kind: "broadcast", shape }, [x]);
  }

  transpose(x: number, permutation: readonly number[]): number {
    const same = permutation.every((axis, i) => axis === i);
    return same ? x : this.add({ kind: "transpose", permutation }, [x]);
  }

  /** Size and begin by axis; strides are 1 where not given. */
  slice(
    x: number,
    begin: readonly number[],
    size: readonly number[],
    strides: readonly number[] = begin.map(() => 1),
  ): number {
    if (sameShape(this.shape(x), size)) return x;
    return this.add({ kind: "slice", begin, size, strides }, [x]);
  }

  reverse(x: number, axes: readonly number[]): number {
    const long = axes.filter((axis) => this.shape(x)[axis] > 1);
    return long.length === 0 ? x : this.add({ kind: "reverse", axes: long }, [x]);
  }

  pad(
    x: number,
    before: readonly number[],
    after: readonly number[],
    value = 0,
    interior: readonly number[] = before.map(() => 0),
  ): number {
    const nothing = [...before, ...after, ...interior].every((cells) => cells === 0);
    return nothing ? x : this.add({ kind: "pad", before, after, interior, value }, [x]);
  }

  concat(parts: readonly number[], axis: number): number {
    return parts.length === 1 ? parts[0] : this.add({ kind: "concat", axis }, parts);
  }

  /** Over the given axes, which disappear or, with `keep`, have extent 1. */
  reduce(
    name: "sum" | "maximum" | "minimum",
    x: number,
    axes: readonly number[],
    keep = false,
  ): number {
    const shape = this.shape(x);
    const left = shape.filter((_, axis) => !axes.includes(axis));
    const kept = shape.map((extent, axis) => axes.includes(axis) ? 1 : extent);
    const sorted = [...axes].sort((a, b) => a - b);
    const reduced = sorted.every((axis) => shape[axis] === 1)
      ? this.reshape(x, left)
      : this.add({ kind: "reduce", name, axes: sorted }, [x]);
    return keep ? this.reshape(reduced, kept) : reduced;
  }

  cast(x: number, type: DataType): number {
    if (this.type(x) === type) return x;
    const name = ({ float32: "toFloat", int32: "toInt", bool: "toBool" } as const)[type];
    return this.elementwise(name, x);
  }

  /** Numbers of one type: bools become integers, integers floats where they meet floats. */
  numeric(...inputs: number[]): number[] {
    const float = inputs.some((x) => this.type(x) === "float32");
    return inputs.map((x) => this.cast(x, float ? "float32" : "int32"));
  }

  /** The cells of a node. */
  size(x: number): number {
    return sizeOf(this.shape(x));
  }
}
