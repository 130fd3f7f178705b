/**
 * @file Random graphs with arguments, as fast-check arbitraries: all kinds of operation, ranks 0 to
 * 4, extents of 1, primes and multiples of 4, nodes that nothing needs, results that are arguments.
 *
 * A graph is grown a node at a time beside its values. A node is kept only where its values are
 * finite, not large, and robust: the same, nearly, when every float32 result before it is moved by
 * one part in ten thousand (a comparison of two numbers that are equal but for rounding is not
 * robust; neither is the reciprocal of a difference that is nearly zero). So whatever order a
 * compiler computes in, its results are close to those of `evaluate`: see {@link assertSameResults}.
 */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { evaluateOperation, type Operand, type Values } from "../../../core/jit/evaluate.ts";
import { elementwise, type ElementwiseName } from "../../../core/jit/elementwise.ts";
import {
  broadcastShape,
  type Graph,
  GraphBuilder,
  infer,
  type Operation,
  type Pads,
  sizeOf,
  type ValueType,
} from "../../../core/jit/graph.ts";

/** A graph and arguments for it. */
export interface Program {
  readonly graph: Graph;
  readonly inputs: Values[];
}

/** What programs are made of. */
export interface ProgramOptions {
  /** At most so many steps, of one to three nodes each. Default 24. */
  readonly steps?: number;
  /** The kinds of step to take. Default all of them. */
  readonly kinds?: readonly StepKind[];
  /** No value has more cells. Default 2048. */
  readonly largest?: number;
}

/** Programs, shrinking towards few nodes. */
export function programs(options: ProgramOptions = {}): fc.Arbitrary<Program> {
  const { steps = 24, kinds = stepKinds, largest = 2048 } = options;
  const choice = fc.array(fc.nat(0xffff), { minLength: 12, maxLength: 12 });
  return fc.array(choice, { minLength: 1, maxLength: steps, size: "max" }).map((choices) => {
    const growth = new Growth(largest);
    newInput(growth, reader(choices[0].toReversed()));
    for (const numbers of choices) {
      const choose = reader(numbers);
      takeStep[kinds[choose(kinds.length)]](growth, choose);
    }
    return growth.finish(reader(choices.at(-1)!.toReversed()));
  });
}

/** Asserts that two lists of results are the same but for rounding. */
export function assertSameResults(
  actual: readonly Values[],
  expected: readonly Values[],
  tolerance = 1e-4,
): void {
  assertEquals(actual.map(({ length }) => length), expected.map(({ length }) => length));
  expected.forEach((values, i) => {
    assertEquals(actual[i] instanceof Int32Array, values instanceof Int32Array);
    values.forEach((value, j) => {
      const error = Math.abs(actual[i][j] - value);
      assert(
        Object.is(actual[i][j], value) || error <= tolerance * Math.max(1, Math.abs(value)),
        `result ${i}, cell ${j} is ${actual[i][j]}, expected ${value}`,
      );
    });
  });
}

/** A whole number below a bound. */
type Choose = (bound: number) => number;

function reader(numbers: readonly number[]): Choose {
  let next = 0;
  return (bound) => numbers[next++ % numbers.length] % bound;
}

/** How far each float32 result is moved, relatively, to see whether a node is robust. */
const PERTURBATION = 1e-4;

/** A graph under construction, with its values, true and perturbed. */
class Growth {
  readonly builder = new GraphBuilder();
  readonly inputs: Values[] = [];
  readonly #values: Operand[] = [];
  readonly #perturbed: Operand[] = [];
  readonly #largest: number;

  constructor(largest: number) {
    this.#largest = largest;
  }

  /** An argument with the given cells. */
  input(type: ValueType, values: Values): number {
    this.inputs.push(values);
    return this.#push(
      this.builder.input(`x${this.inputs.length - 1}`, type),
      { ...type, values },
      { ...type, values: perturb(values, this.inputs.length) },
    );
  }

  /** A node, if it is small and robust. */
  add(operation: Operation, inputs: number[] = [], given?: ValueType): number | undefined {
    const type = infer(operation, inputs.map((i) => this.builder.nodes[i]), given);
    const size = sizeOf(type.shape);
    if (size > this.#largest || size === 0 || type.shape.length > 4) return undefined;
    if (operation.kind === "input") throw new Error("use Growth.input");
    const run = (operands: Operand[]) =>
      evaluateOperation(operation, inputs.map((i) => operands[i]), type);
    const values = run(this.#values), moved = run(this.#perturbed);
    if (!robust(values, moved)) return undefined;
    return this.#push(
      this.builder.add(operation, inputs, { given, source: `line ${this.#values.length}` }),
      { ...type, values },
      {
        ...type,
        values: operation.kind === "constant" ? values : perturb(moved, this.#values.length),
      },
    );
  }

  #push(node: number, values: Operand, perturbed: Operand): number {
    this.#values.push(values);
    this.#perturbed.push(perturbed);
    return node;
  }

  /** A node that satisfies a condition. */
  find(choose: Choose, condition: (type: ValueType) => boolean): number | undefined {
    const found = this.builder.nodes.flatMap((node, i) => condition(node) ? [i] : []);
    // Rather a late one, so that graphs get deep.
    return found[Math.max(choose(found.length || 1), choose(found.length || 1))];
  }

  finish(choose: Choose): Program {
    const last = this.builder.nodes.length - 1;
    const outputs = [last, choose(last + 1), choose(last + 1), last - choose(Math.min(4, last + 1))]
      .slice(choose(4))
      .map((node, i) => ({ name: `y${i}`, node }));
    return { graph: this.builder.finish(outputs), inputs: this.inputs };
  }
}

function perturb(values: Values, seed: number): Values {
  if (values instanceof Int32Array) return values;
  return values.map((value, i) =>
    value * (1 + PERTURBATION * Math.sin(12.9898 * i + 78.233 * seed))
  );
}

function robust(values: Values, moved: Values): boolean {
  if (values instanceof Int32Array) return values.every((value, i) => value === moved[i]);
  return values.every((value, i) =>
    Math.abs(value) <= 1000 &&
    Math.abs(value - moved[i]) <= 200 * PERTURBATION * Math.max(1, Math.abs(value))
  );
}

const EXTENTS = [1, 1, 2, 3, 4, 5, 7, 8];
/** Extents of vectors, for loops with a tail. */
const LONG_EXTENTS = [1, 3, 13, 16, 17, 31, 64, 100];

function someShape(choose: Choose, rank = choose(5)): number[] {
  if (rank === 1) return [LONG_EXTENTS[choose(LONG_EXTENTS.length)]];
  return Array.from({ length: rank }, () => EXTENTS[choose(EXTENTS.length)]);
}

function inputOf(growth: Growth, { shape, type }: ValueType): number {
  const seed = growth.inputs.length + 1;
  const numbers = Array.from({ length: sizeOf(shape) }, (_, i) => 2 * Math.sin(i * 1.7 + seed));
  const values = type === "float32"
    ? Float32Array.from(numbers)
    : Int32Array.from(numbers, (x) => type === "bool" ? +(x > 0) : Math.round(2 * x));
  return growth.input({ shape, type }, values);
}

function newInput(growth: Growth, choose: Choose): number {
  const type = (["float32", "float32", "float32", "int32", "bool"] as const)[choose(5)];
  return inputOf(growth, { shape: someShape(choose), type });
}

/** A float32 node of a given rank; a new argument where there is none. */
function floatOfRank(growth: Growth, choose: Choose, ranks: number[]): number {
  return growth.find(
    choose,
    ({ shape, type }) => type === "float32" && ranks.includes(shape.length),
  ) ??
    inputOf(growth, { shape: someShape(choose, ranks[0]), type: "float32" });
}

/** A float32 node of a given shape: one that is there, or a new argument. */
function floatOfShape(growth: Growth, choose: Choose, wanted: number[]): number {
  const found = growth.find(
    choose,
    ({ shape, type }) => type === "float32" && shape.join() === wanted.join(),
  );
  return found ?? inputOf(growth, { shape: wanted, type: "float32" });
}

function canBroadcast(a: readonly number[], b: readonly number[]): boolean {
  try {
    broadcastShape([a, b]);
    return true;
  } catch {
    return false;
  }
}

const INTEGER_FUNCTIONS: readonly ElementwiseName[] = [
  ...(["add", "subtract", "multiply", "floorDivide", "modulo", "maximum", "minimum"] as const),
  ...(["negate", "absolute", "sign", "less", "lessEqual", "greater", "greaterEqual"] as const),
  ...(["equal", "notEqual", "select", "toFloat", "toBool", "upperByte"] as const),
];
const BOOL_FUNCTIONS: readonly ElementwiseName[] = [
  ...(["and", "or", "not", "select", "toFloat", "toInt", "equal", "notEqual"] as const),
];
const FLOAT_FUNCTIONS = (Object.keys(elementwise) as ElementwiseName[])
  .filter((name) => !["and", "or", "not", "upperByte"].includes(name));
/** What programs consist of mostly. */
const COMMON_FUNCTIONS: readonly ElementwiseName[] = [
  ...(["add", "multiply", "subtract", "divide", "negate", "square", "exponential"] as const),
];

const FUNCTIONS = {
  float32: [...FLOAT_FUNCTIONS, ...COMMON_FUNCTIONS, ...COMMON_FUNCTIONS],
  int32: INTEGER_FUNCTIONS,
  bool: BOOL_FUNCTIONS,
};

/** Constants that rules of algebra look for, and one that none does. */
const SPLATS = [0, 1, -1, 2, 0.5, 3];

/** The steps by which a graph grows. Each adds a node or none, and the arguments that it needs. */
const takeStep = {
  input: newInput,
  constant(growth: Growth, choose: Choose) {
    const like = growth.builder.nodes[choose(growth.builder.nodes.length)];
    const shape = [[], like.shape, someShape(choose)][choose(3)];
    const type = like.type, start = choose(6), isSplat = choose(3) > 0;
    const numbers = Array.from(
      { length: isSplat ? 1 : sizeOf(shape) },
      (_, i) =>
        type === "float32" ? SPLATS[(start + i) % 6] : (start + i) % (type === "bool" ? 2 : 6),
    );
    const values = type === "float32" ? Float32Array.from(numbers) : Int32Array.from(numbers);
    growth.add({ kind: "constant", values }, [], { shape, type });
  },
  elementwise(growth: Growth, choose: Choose) {
    const a = growth.find(choose, () => true)!;
    const { type, shape } = growth.builder.nodes[a];
    const names = FUNCTIONS[type], name = names[choose(names.length)];
    const other = () =>
      growth.find(
        choose,
        (node) => node.type === type && canBroadcast(node.shape, shape),
      )!;
    const { arity } = elementwise[name];
    if (arity < 3) {
      return growth.add({ kind: "elementwise", name }, arity === 1 ? [a] : [a, other()]);
    }
    const b = other();
    const branches = broadcastShape([shape, growth.builder.nodes[b].shape]);
    const condition =
      growth.find(choose, (node) => node.type === "bool" && canBroadcast(node.shape, branches)) ??
        inputOf(growth, { shape, type: "bool" });
    return growth.add({ kind: "elementwise", name }, [condition, a, b]);
  },
  reduce(growth: Growth, choose: Choose) {
    const a = growth.find(choose, ({ type }) => type !== "bool");
    if (a === undefined) return;
    const axes = growth.builder.nodes[a].shape.flatMap((_, axis) => choose(2) ? [axis] : []);
    const name = (["sum", "sum", "maximum", "minimum"] as const)[choose(4)];
    growth.add({ kind: "reduce", name, axes }, [a]);
  },
  matmul(growth: Growth, choose: Choose) {
    const a = floatOfRank(growth, choose, [2, 3]);
    const transposeA = choose(2) === 1, transposeB = choose(2) === 1;
    const { shape } = growth.builder.nodes[a];
    const k = shape.at(transposeA ? -2 : -1)!, n = EXTENTS[choose(EXTENTS.length)];
    const batch = shape.slice(0, -2).map((extent) => choose(2) ? 1 : extent);
    const b = floatOfShape(growth, choose, [...batch, ...(transposeB ? [n, k] : [k, n])]);
    const swap = choose(4) === 0 && !transposeA && !transposeB;
    growth.add(
      { kind: "matmul", transposeA: transposeA || swap, transposeB: transposeB || swap },
      swap ? [b, a] : [a, b],
    );
  },
  convolution(growth: Growth, choose: Choose) {
    const x = floatOfRank(growth, choose, [4]);
    const inputShape = growth.builder.nodes[x].shape;
    const extent = [1, 2, 3, 3][choose(4)];
    const stride = [1, 1, 2][choose(3)], most = choose(Math.min(3, extent));
    const pads: Pads = [most, Math.max(0, most - choose(2)), most, most];
    const filterShape = [extent, extent, inputShape[3], [1, 2, 4, 5][choose(4)]];
    const attributes = { strides: [stride, stride] as [number, number], pads };
    const types: ValueType[] = [inputShape, filterShape].map((s) => ({
      shape: s,
      type: "float32",
    }));
    const { shape } = infer({ kind: "conv2d", ...attributes }, types);
    if (shape.some((extent) => extent < 1)) return;
    const filter = () => floatOfShape(growth, choose, filterShape);
    const dy = () => floatOfShape(growth, choose, [...shape]);
    const form = choose(3);
    if (form === 0) growth.add({ kind: "conv2d", ...attributes }, [x, filter()]);
    else if (form === 1) {
      const operands = [dy(), filter()];
      growth.add({ kind: "conv2dInputGradient", ...attributes, inputShape }, operands);
    } else growth.add({ kind: "conv2dFilterGradient", ...attributes, filterShape }, [x, dy()]);
  },
  reshape(growth: Growth, choose: Choose) {
    const a = growth.find(choose, () => true)!;
    const size = sizeOf(growth.builder.nodes[a].shape);
    const divisors = Array.from({ length: size }, (_, i) => i + 1).filter((d) => size % d === 0);
    const inner = divisors[choose(divisors.length)];
    const shapes = [[size], [size / inner, inner], [1, size], [size, 1], [inner, 1, size / inner]];
    growth.add({ kind: "reshape", shape: shapes[choose(shapes.length)] }, [a]);
  },
  broadcast(growth: Growth, choose: Choose) {
    const a = growth.find(choose, () => true)!;
    const wider = growth.builder.nodes[a].shape.map((extent) =>
      extent === 1 ? EXTENTS[choose(EXTENTS.length)] : extent
    );
    growth.add({ kind: "broadcast", shape: choose(2) ? [[1, 2, 3][choose(3)], ...wider] : wider }, [
      a,
    ]);
  },
  transpose(growth: Growth, choose: Choose) {
    const a = growth.find(choose, ({ shape }) => shape.length > 1);
    if (a === undefined) return;
    const axes = growth.builder.nodes[a].shape.map((_, axis) => axis);
    const permutation: number[] = [];
    while (axes.length) permutation.push(...axes.splice(choose(axes.length), 1));
    growth.add({ kind: "transpose", permutation }, [a]);
  },
  slice(growth: Growth, choose: Choose) {
    const a = growth.find(choose, ({ shape }) => shape.length > 0);
    if (a === undefined) return;
    const { shape } = growth.builder.nodes[a];
    const begin = shape.map((extent) => choose(2) ? choose(extent) : 0);
    const strides = shape.map(() => [1, 1, 2, 3][choose(4)]);
    const size = shape.map((extent, i) => {
      const most = Math.ceil((extent - begin[i]) / strides[i]);
      return choose(3) ? most : 1 + choose(most);
    });
    growth.add({ kind: "slice", begin, size, strides }, [a]);
  },
  reverse(growth: Growth, choose: Choose) {
    const a = growth.find(choose, () => true)!;
    const axes = growth.builder.nodes[a].shape.flatMap((_, axis) => choose(2) ? [axis] : []);
    growth.add({ kind: "reverse", axes }, [a]);
  },
  pad(growth: Growth, choose: Choose) {
    const a = growth.find(choose, ({ shape }) => shape.length > 0)!;
    if (a === undefined) return;
    const { shape, type } = growth.builder.nodes[a];
    const cells = (values: number[]) => shape.map(() => values[choose(values.length)]);
    const padding = {
      before: cells([0, 1, 2]),
      after: cells([0, 0, 1]),
      interior: cells([0, 0, 1]),
    };
    growth.add({ kind: "pad", ...padding, value: type === "float32" ? choose(3) / 2 : 0 }, [a]);
  },
  concat(growth: Growth, choose: Choose) {
    const a = growth.find(choose, ({ shape }) => shape.length > 0)!;
    if (a === undefined) return;
    const { shape, type } = growth.builder.nodes[a];
    const axis = choose(shape.length);
    const others = Array.from(
      { length: choose(3) },
      () =>
        growth.find(choose, (other) =>
          other.type === type && other.shape.length === shape.length &&
          other.shape.every((extent, i) => i === axis || extent === shape[i]))!,
    );
    growth.add({ kind: "concat", axis }, [a, ...others]);
  },
  gather(growth: Growth, choose: Choose) {
    const table = growth.find(choose, ({ shape }) => shape.length > 0);
    if (table === undefined) return;
    const rows = growth.builder.nodes[table].shape[0];
    const shape = someShape(choose, choose(3));
    const indices = Int32Array.from({ length: sizeOf(shape) }, (_, i) => (i * 7 + 3) % rows);
    growth.add({ kind: "gather" }, [table, growth.input({ shape, type: "int32" }, indices)]);
  },
  philox(growth: Growth, choose: Choose) {
    const seed = growth.input({ shape: [2], type: "int32" }, Int32Array.of(choose(99), 1));
    const step = growth.input({ shape: [], type: "int32" }, Int32Array.of(choose(99)));
    const distribution = (["uniform", "normal", "bits", "indices"] as const)[choose(4)];
    const stream = choose(0xffff), firstSample = choose(4), shape = someShape(choose);
    const count = distribution === "indices" ? { count: 1 + choose(1000) } : {};
    const offset = choose(2) === 0
      ? []
      : [growth.input({ shape: [], type: "int32" }, Int32Array.of(choose(99)))];
    growth.add(
      { kind: "philox", distribution, stream, firstSample, ...count, shape },
      [seed, step, ...offset],
    );
  },
};

/** A kind of step, and with it of nodes. */
export type StepKind = keyof typeof takeStep;

/** All kinds, elementwise work more often than others. */
const stepKinds: readonly StepKind[] = [
  ...(Object.keys(takeStep) as StepKind[]),
  ...Array<StepKind>(8).fill("elementwise"),
];
