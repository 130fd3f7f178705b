/**
 * @file From a graph to items, the scheduler's units of work. Views disappear into the accesses of
 * those who read them; where that is not affine, or a consumer needs its operand contiguous, a view
 * becomes an item of its own, a copy. A concatenation becomes one copy an operand, into its part.
 */
import type { DataType } from "../elementwise.ts";
import { type Graph, type Node, type Operation, rowMajorStrides, sizeOf } from "../graph.ts";
import {
  type Access,
  broadcastAccess,
  cutsOf,
  type Factor,
  identityAccess,
  isIdentityAccess,
  isView,
  normalize,
  refine,
  stridesOfAxes,
  viewAccess,
} from "./access.ts";

/** A value read through an access. Of a product's operand: its axes are those of the operand. */
export interface Source {
  /** Index into {@link Items.values}. */
  readonly value: number;
  readonly access: Access;
}

/** What is known of a value. Values 0 … nodes − 1 are those of the graph's nodes, others follow. */
export interface Value {
  readonly size: number;
  readonly type: DataType;
  readonly origin:
    /** An argument, by its index. */
    | { readonly kind: "input"; readonly index: number }
    /** Known now; one value for all cells is a number in loops and needs no memory there. */
    | { readonly kind: "constant"; readonly values: Float32Array | Int32Array }
    /** Written by one item, or by several that each write a part. */
    | { readonly kind: "items"; readonly items: readonly Item[] }
    /** A view that nobody has asked to be copied, or a node that nobody needs. */
    | { readonly kind: "none" };
}

/** A piece of work that gives one value, or a part of one. */
export interface Item {
  /** Its place in the topological order. */
  readonly order: number;
  /**
   * Loops (elementwise work, copies and reductions), products with an epilogue, and the rest, which
   * has neither.
   */
  readonly kind: "elementwise" | "copy" | "reduce" | "product" | "special";
  readonly operation: Operation;
  /** Of the result. */
  readonly type: DataType;
  readonly shape: readonly number[];
  /** Of the operands. */
  readonly shapes: readonly (readonly number[])[];
  /** Points of its loop; of a product: cells of its result. */
  readonly points: number;
  readonly sources: readonly Source[];
  /** The value that it writes, and how: reductions have stride 0 along what they reduce. */
  readonly value: number;
  readonly write: Access;
}

/** All work of a program. */
export interface Items {
  /** In topological order. */
  readonly items: readonly Item[];
  readonly values: readonly Value[];
  /** The value of each result, contiguous. */
  readonly outputs: readonly number[];
}

/** Which nodes the results need. */
function liveNodes({ nodes, outputs }: Graph): Uint8Array {
  const live = new Uint8Array(nodes.length);
  for (const { node } of outputs) live[node] = 1;
  for (let i = nodes.length - 1; i >= 0; i--) {
    if (live[i]) { for (const input of nodes[i].inputs) live[input] = 1; }
  }
  return live;
}

/** Whether an item is part of a loop. */
export function isLoopItem({ kind }: Item): boolean {
  return kind !== "product" && kind !== "special";
}

/** The items of a graph; `donated` tells of an output which argument it becomes, if any. */
export function itemsOf(graph: Graph, donated: ReadonlyMap<number, number> = new Map()): Items {
  const lowering = new ItemBuilder(graph);
  const live = liveNodes(graph);
  graph.nodes.forEach((node, index) => {
    if (live[index]) lowering.lower(node, index);
  });
  const outputs = graph.outputs.map(({ node }, index) =>
    lowering.outputValue(node, donated.get(index))
  );
  return { items: lowering.items, values: lowering.values, outputs };
}

class ItemBuilder {
  readonly items: Item[] = [];
  readonly values: Value[];
  readonly #graph: Graph;
  /** Copies that were made, by node. */
  readonly #copies = new Map<number, number>();
  readonly #sources = new Map<number, Source>();
  /** The value of each argument, by its index. */
  readonly #arguments = new Map<number, number>();

  constructor(graph: Graph) {
    this.#graph = graph;
    this.values = graph.nodes.map(({ shape, type }) => ({
      size: sizeOf(shape),
      type,
      origin: { kind: "none" },
    }));
  }

  /** Makes the items of one node. */
  lower(node: Node, index: number): void {
    const { operation, inputs } = node;
    if (operation.kind === "input" && this.#arguments.has(operation.index)) {
      this.#sources.set(index, this.#all(this.#arguments.get(operation.index)!));
    } else if (operation.kind === "input" || operation.kind === "constant") {
      this.values[index] = { ...this.values[index], origin: operation };
      if (operation.kind === "input") this.#arguments.set(operation.index, index);
    } else if (this.values[index].size === 0) {
      this.#define(index, []);
    } else if (!isView(operation)) {
      switch (operation.kind) {
        case "elementwise":
          return this.#elementwise(node, index);
        case "reduce":
          return this.#reduce(node, index, operation);
        case "concat":
          return this.#concat(node, index, operation.axis);
        case "matmul":
          return this.#whole("product", node, index, inputs.map((input) => this.#matrix(input)));
        case "conv2d":
        case "conv2dInputGradient":
        case "conv2dFilterGradient":
        case "winogradConv2d":
          return this.#whole("product", node, index, inputs.map((i) => this.contiguous(i)));
        default:
          return this.#whole("special", node, index, inputs.map((i) => this.contiguous(i)));
      }
    }
  }

  /** The value of a result: an array of its own, but for state that stays what it is. */
  outputValue(node: number, donatedTo?: number): number {
    const { value, access } = this.#source(node);
    const { origin, size } = this.values[value];
    if (isIdentityAccess(access) && size === this.values[node].size) {
      if (origin.kind === "items") return value;
      if (origin.kind === "input" && origin.index === donatedTo) return value;
    }
    return this.#copy(node).value;
  }

  /** A node's value as a whole array. */
  contiguous(node: number): Source {
    const source = this.#source(node);
    const { size } = this.values[source.value];
    const whole = isIdentityAccess(source.access) && size === this.values[node].size;
    return whole ? source : this.#copy(node);
  }

  #define(value: number, items: readonly Item[]): void {
    this.values[value] = { ...this.values[value], origin: { kind: "items", items } };
  }

  #shapes(nodes: readonly number[]): (readonly number[])[] {
    return nodes.map((node) => this.#graph.nodes[node].shape);
  }

  #push(item: Omit<Item, "order">): Item {
    const made = { ...item, order: this.items.length };
    this.items.push(made);
    return made;
  }

  /** What a node's value is read from. */
  #source(index: number): Source {
    const known = this.#sources.get(index);
    const copy = this.#copies.get(index);
    if (known && isIdentityAccess(known.access)) return known;
    if (copy !== undefined) return this.#all(copy);
    if (known) return known;
    const { operation, inputs } = this.#graph.nodes[index];
    let source = this.#all(index);
    if (isView(operation) && this.values[index].size > 0) {
      const [input] = inputs, { shape } = this.#graph.nodes[input];
      source = this.#source(input);
      let access = viewAccess(operation, source.access, shape);
      if (!access) {
        source = this.#copy(input);
        access = viewAccess(operation, source.access, shape)!;
      }
      source = { value: source.value, access };
    }
    this.#sources.set(index, source);
    return source;
  }

  #all(value: number): Source {
    return { value, access: identityAccess(this.values[value].size) };
  }

  /** A contiguous copy of a node's value. */
  #copy(node: number): Source {
    const known = this.#copies.get(node);
    if (known !== undefined) return this.#all(known);
    const { shape, type, operation } = this.#graph.nodes[node];
    const size = sizeOf(shape);
    const value = this.values.push({ size, type, origin: { kind: "none" } }) - 1;
    const source = this.#source(node);
    const write = identityAccess(size);
    const item = { kind: "copy", operation, type, shape, shapes: [shape], points: size } as const;
    const made = () => this.#push({ ...item, sources: [source], value, write });
    this.#define(value, size === 0 ? [] : [made()]);
    this.#copies.set(node, value);
    return this.#all(value);
  }

  /** Sources that one loop nest can read: those whose digits do not fit are copied. */
  #fitting(points: number, shape: readonly number[], nodes: readonly number[], write: Access) {
    const { nodes: all } = this.#graph;
    const sourceOf = (node: number, copy: boolean): Source => {
      const source = copy ? this.#copy(node) : this.#source(node);
      const access = broadcastAccess(source.access, all[node].shape, shape);
      return access ? { value: source.value, access } : sourceOf(node, true);
    };
    let sources = nodes.map((node) => sourceOf(node, false));
    for (const [i, node] of nodes.entries()) {
      if (refine(points, cutsOf(write), ...sources.map(({ access }) => cutsOf(access)))) break;
      if (cutsOf(sources[i].access).length === 0) continue;
      sources = nodes.map((other, j) => other === node ? sourceOf(node, true) : sources[j]);
    }
    return sources;
  }

  #elementwise({ operation, type, shape, inputs }: Node, index: number): void {
    const points = sizeOf(shape), write = identityAccess(points);
    const sources = this.#fitting(points, shape, inputs, write);
    const shapes = this.#shapes(inputs);
    const item = { operation, type, shape, shapes, points, sources, value: index, write };
    this.#define(index, [this.#push({ ...item, kind: "elementwise" })]);
  }

  #reduce(
    { type, shape, inputs: [input] }: Node,
    index: number,
    operation: Extract<Operation, { kind: "reduce" }>,
  ): void {
    const from = this.#graph.nodes[input].shape, points = sizeOf(from);
    if (points === 0) return this.#emptyReduction(index, operation, sizeOf(shape));
    let stride = sizeOf(shape);
    const write = normalize(
      0,
      from.map((extent, axis): Factor => {
        if (operation.axes.includes(axis)) return { extent, stride: 0 };
        stride /= extent;
        return { extent, stride };
      }),
    );
    // Over axes of extent 1 there is nothing to add up.
    const kind = write.factors.some(({ stride }) => stride === 0) ? "reduce" : "copy";
    const sources = this.#fitting(points, from, [input], write);
    const item = { operation, type, shape, shapes: [from], points, sources, value: index, write };
    this.#define(index, [this.#push({ ...item, kind })]);
  }

  /** What a reduction of nothing gives: a constant. */
  #emptyReduction(
    index: number,
    { name }: Extract<Operation, { kind: "reduce" }>,
    size: number,
  ): void {
    const { type } = this.values[index];
    const extreme = type === "float32" ? [-Infinity, Infinity] : [-2147483648, 2147483647];
    const number = name === "sum" ? 0 : extreme[name === "maximum" ? 0 : 1];
    const values = type === "float32" ? Float32Array.of(number) : Int32Array.of(number);
    this.values[index] = { size, type, origin: { kind: "constant", values } };
  }

  #concat({ operation, type, shape, inputs }: Node, index: number, axis: number): void {
    let at = 0;
    const items: Item[] = [], strides = rowMajorStrides(shape);
    for (const input of inputs) {
      const part = this.#graph.nodes[input].shape, points = sizeOf(part);
      if (points > 0) {
        const write = normalize(
          at * strides[axis],
          part.map((extent, i) => ({ extent, stride: strides[i] })),
        );
        const sources = this.#fitting(points, part, [input], write);
        const common = { operation, type, shape, shapes: [part], points };
        items.push(this.#push({ ...common, kind: "copy", sources, value: index, write }));
      }
      at += part[axis];
    }
    this.#define(index, items);
  }

  /** A product's operand: strides by axis, none of which goes backwards. */
  #matrix(node: number): Source {
    const source = this.#source(node);
    const strides = stridesOfAxes(source.access, this.#graph.nodes[node].shape);
    return strides?.every((stride) => stride >= 0) ? source : this.#copy(node);
  }

  #whole(
    kind: "product" | "special",
    { operation, type, shape, inputs }: Node,
    index: number,
    sources: readonly Source[],
  ): void {
    const points = sizeOf(shape), write = identityAccess(points), shapes = this.#shapes(inputs);
    this.#define(index, [
      this.#push({ kind, operation, type, shape, shapes, points, sources, value: index, write }),
    ]);
  }
}
