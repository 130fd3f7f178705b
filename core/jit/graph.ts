/**
 * @file The compiler's language: a graph of typed operations on dense arrays, in topological order.
 * Operations are few (some twenty), shapes are static, elementwise operations broadcast as NumPy
 * does. Everything that knows what an operation gives (its shape and type) is `infer`; passes
 * rebuild graphs with a {@link GraphBuilder}, and never change one.
 */
import { type DataType, elementwise, type ElementwiseName } from "./elementwise.ts";
import { type PhiloxDistribution, typeOfDraws } from "../tensor/philox.ts";

/** [top, bottom, left, right], in pixels; negative values crop. */
export type Pads = readonly [number, number, number, number];

/** What a node does; its operands are the node's inputs, in the order given here. */
export type Operation =
  /** An argument of the program. */
  | { readonly kind: "input"; readonly index: number }
  /** Values known at compile time: one a cell, or a single one for them all. */
  | { readonly kind: "constant"; readonly values: Float32Array | Int32Array }
  | { readonly kind: "elementwise"; readonly name: ElementwiseName }
  /** Over the given axes, which disappear; axes ascend. */
  | {
    readonly kind: "reduce";
    readonly name: "sum" | "maximum" | "minimum";
    readonly axes: readonly number[];
  }
  /** [m, k] × [k, n], or [b, m, k] × [b, k, n] where either b may be 1; before transposition. */
  | { readonly kind: "matmul"; readonly transposeA: boolean; readonly transposeB: boolean }
  /** x [n, h, w, c], filter [fh, fw, c, o] → [n, h', w', o]. */
  | {
    readonly kind: "conv2d";
    readonly strides: readonly [number, number];
    readonly pads: Pads;
  }
  /** dy, filter → dx of `inputShape`. Strides and pads are the forward convolution's. */
  | {
    readonly kind: "conv2dInputGradient";
    readonly strides: readonly [number, number];
    readonly pads: Pads;
    readonly inputShape: readonly number[];
  }
  /** x, dy → the filter's gradient, of `filterShape`. */
  | {
    readonly kind: "conv2dFilterGradient";
    readonly strides: readonly [number, number];
    readonly pads: Pads;
    readonly filterShape: readonly number[];
  }
  | { readonly kind: "reshape"; readonly shape: readonly number[] }
  | { readonly kind: "broadcast"; readonly shape: readonly number[] }
  /** Axis i of the result is axis permutation[i] of the input. */
  | { readonly kind: "transpose"; readonly permutation: readonly number[] }
  /** begin + i·stride for i < size, by axis; strides are positive. */
  | {
    readonly kind: "slice";
    readonly begin: readonly number[];
    readonly size: readonly number[];
    readonly strides: readonly number[];
  }
  | { readonly kind: "reverse"; readonly axes: readonly number[] }
  /** `interior` cells between neighbours, then `before` and `after`; none is negative. */
  | {
    readonly kind: "pad";
    readonly before: readonly number[];
    readonly after: readonly number[];
    readonly interior: readonly number[];
    readonly value: number;
  }
  | { readonly kind: "concat"; readonly axis: number }
  /** Rows of the first input [rows, …] by int32 indices of any shape; out of range is undefined. */
  | { readonly kind: "gather" }
  /**
   * Random draws (see tensor/random.ts) from seed int32 [2], step int32 [] and, where it is given, an
   * int32 [] that is added to `firstSample`.
   */
  | {
    readonly kind: "philox";
    readonly distribution: PhiloxDistribution;
    readonly stream: number;
    readonly firstSample: number;
    /** Of indices: how many there are to draw from. */
    readonly count?: number;
    readonly shape: readonly number[];
  }
  /**
   * A filter [fh, fw, c, o] (or, `transposed`, its turned and transposed twin, as the input gradient
   * needs it) in the Winograd domain for output tiles of `tile` pixels: [cells of an input tile, …],
   * packed as the WASM target likes it. Made by that target's lowering alone.
   */
  | {
    readonly kind: "winogradFilter";
    readonly transposed: boolean;
    readonly strides: readonly [number, number];
    readonly tile: readonly [number, number];
  }
  /** x, a filter of [fh, fw] taps in the Winograd domain → convolution with `outputChannels` outputs. */
  | {
    readonly kind: "winogradConv2d";
    readonly filterSize: readonly [number, number];
    readonly strides: readonly [number, number];
    readonly pads: Pads;
    readonly outputChannels: number;
    readonly tile: readonly [number, number];
  };

/** What is known of a value. */
export interface ValueType {
  readonly shape: readonly number[];
  readonly type: DataType;
}

/** One operation in a graph. */
export interface Node extends ValueType {
  readonly operation: Operation;
  /** Indices of earlier nodes. */
  readonly inputs: readonly number[];
  /** The user's line that it comes from, where known. */
  readonly source?: string;
}

/** A program: nodes in topological order. */
export interface Graph {
  readonly nodes: readonly Node[];
  /** The arguments, by their index: what `input` operations name. All are listed, used or not. */
  readonly inputs: readonly (ValueType & { readonly name: string })[];
  /** Which nodes are the results; a node may be several of them. */
  readonly outputs: readonly { readonly name: string; readonly node: number }[];
}

/** The number of cells of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** The strides of a contiguous array of a shape, in cells. */
export function rowMajorStrides(shape: readonly number[]): number[] {
  const strides = Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--) {
    strides[axis] = strides[axis + 1] * shape[axis + 1];
  }
  return strides;
}

/** Whether two shapes are the same. */
export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((extent, axis) => extent === b[axis]);
}

/** The shape that NumPy's broadcasting gives. */
export function broadcastShape(shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    const extents = shapes.map((shape) => shape[axis - rank + shape.length] ?? 1);
    const extent = extents.find((extent) => extent !== 1) ?? 1;
    if (extents.some((other) => other !== 1 && other !== extent)) {
      throw new Error(`shapes ${shapes.map((s) => `[${s}]`).join(" and ")} do not broadcast`);
    }
    return extent;
  });
}

/** [n, h', w', o] of a convolution. */
function convolutionShape(
  x: readonly number[],
  filter: readonly number[],
  strides: readonly [number, number],
  pads: Pads,
): number[] {
  const [n, h, w] = x;
  const height = Math.floor((h + pads[0] + pads[1] - filter[0]) / strides[0]) + 1;
  const width = Math.floor((w + pads[2] + pads[3] - filter[1]) / strides[1]) + 1;
  return [n, height, width, filter[3]];
}

function matmulShape(a: readonly number[], b: readonly number[], op: Operation): number[] {
  if (op.kind !== "matmul") throw new Error("not a product");
  const [rowsA, columnsA] = op.transposeA ? [a.at(-1)!, a.at(-2)!] : [a.at(-2)!, a.at(-1)!];
  const [rowsB, columnsB] = op.transposeB ? [b.at(-1)!, b.at(-2)!] : [b.at(-2)!, b.at(-1)!];
  if (columnsA !== rowsB || a.length !== b.length || a.length < 2 || a.length > 3) {
    throw new Error(`[${a}] and [${b}] cannot be multiplied`);
  }
  return [...broadcastShape([a.slice(0, -2), b.slice(0, -2)]), rowsA, columnsB];
}

/** Shape and type of what an operation gives; a check of its operands on the way. */
export function infer(
  operation: Operation,
  inputs: readonly ValueType[],
  given?: ValueType,
): ValueType {
  const [a, b] = inputs;
  const float = (shape: readonly number[]): ValueType => ({ shape, type: "float32" });
  switch (operation.kind) {
    case "input":
    case "constant":
      if (!given) throw new Error(`an operation "${operation.kind}" needs its shape and type`);
      return given;
    case "elementwise": {
      const { result, arity } = elementwise[operation.name];
      if (inputs.length !== arity) throw new Error(`${operation.name} takes ${arity} operands`);
      return {
        shape: broadcastShape(inputs.map(({ shape }) => shape)),
        type: result === "same" ? inputs[arity - 1].type : result,
      };
    }
    case "reduce":
      return { shape: a.shape.filter((_, i) => !operation.axes.includes(i)), type: a.type };
    case "matmul":
      return float(matmulShape(a.shape, b.shape, operation));
    case "conv2d":
      return float(convolutionShape(a.shape, b.shape, operation.strides, operation.pads));
    case "conv2dInputGradient":
      return float(operation.inputShape);
    case "conv2dFilterGradient":
      return float(operation.filterShape);
    case "reshape":
      if (sizeOf(operation.shape) !== sizeOf(a.shape)) {
        throw new Error(`[${a.shape}] cannot take the shape [${operation.shape}]`);
      }
      return { shape: operation.shape, type: a.type };
    case "broadcast":
      return { shape: operation.shape, type: a.type };
    case "transpose":
      return { shape: operation.permutation.map((axis) => a.shape[axis]), type: a.type };
    case "slice":
      return { shape: operation.size, type: a.type };
    case "reverse":
      return a;
    case "pad":
      return {
        shape: a.shape.map((extent, i) =>
          extent + Math.max(0, extent - 1) * operation.interior[i] + operation.before[i] +
          operation.after[i]
        ),
        type: a.type,
      };
    case "concat": {
      const extent = inputs.reduce((sum, { shape }) => sum + shape[operation.axis], 0);
      return { shape: a.shape.map((s, i) => i === operation.axis ? extent : s), type: a.type };
    }
    case "gather":
      return { shape: [...b.shape, ...a.shape.slice(1)], type: a.type };
    case "philox":
      return { shape: operation.shape, type: typeOfDraws(operation.distribution) };
    case "winogradFilter": {
      const [height, width, c, o] = a.shape;
      const { strides, tile } = operation;
      const [inputs, outputs] = operation.transposed ? [o, c] : [c, o];
      const cells = [height, width].map((taps, axis) => (tile[axis] - 1) * strides[axis] + taps);
      return float([cells[0] * cells[1], Math.ceil(outputs / 8), inputs, 8]);
    }
    case "winogradConv2d": {
      const { filterSize, strides, pads, outputChannels } = operation;
      const filter = [...filterSize, a.shape[3], outputChannels];
      return float(convolutionShape(a.shape, filter, strides, pads));
    }
  }
}

/** Makes a graph, node by node. */
export class GraphBuilder {
  readonly nodes: Node[] = [];
  readonly #inputs: (ValueType & { readonly name: string })[] = [];

  /** A node, and its index. `given` is the type of an input or a constant. */
  add(
    operation: Operation,
    inputs: readonly number[] = [],
    options: { given?: ValueType; source?: string } = {},
  ): number {
    const type = infer(operation, inputs.map((i) => this.nodes[i]), options.given);
    const { source } = options;
    this.nodes.push({ operation, inputs, ...pickType(type), ...(source && { source }) });
    return this.nodes.length - 1;
  }

  /** An argument of the program. */
  input(name: string, type: ValueType): number {
    this.#inputs.push({ name, ...pickType(type) });
    return this.add({ kind: "input", index: this.#inputs.length - 1 }, [], { given: type });
  }

  /** One value in every cell. */
  splat(value: number, shape: readonly number[] = [], type: DataType = "float32"): number {
    const values = type === "float32" ? Float32Array.of(value) : Int32Array.of(value);
    return this.add({ kind: "constant", values }, [], { given: { shape, type } });
  }

  /** An elementwise operation. */
  elementwise(name: ElementwiseName, ...inputs: number[]): number {
    return this.add({ kind: "elementwise", name }, inputs);
  }

  /** The same value in another shape; nothing where the shape is the same. */
  reshape(input: number, shape: readonly number[]): number {
    if (sameShape(this.nodes[input].shape, shape)) return input;
    return this.add({ kind: "reshape", shape }, [input]);
  }

  /** The graph. `inputs` replaces the list of arguments, for those who copy a graph. */
  finish(outputs: Graph["outputs"], inputs: Graph["inputs"] = this.#inputs): Graph {
    return { nodes: this.nodes, inputs, outputs };
  }
}

function pickType({ shape, type }: ValueType): ValueType {
  return { shape: [...shape], type };
}
