import { assertEquals } from "@std/assert";
import { openDevice, type Tensor, tf } from "../../../../core/tensor/mod.ts";
import { assertAgrees, bools, floats, integers, onDevices, traceCleanly } from "./agreement.ts";

type Unary = (x: Tensor) => Tensor;

interface UnaryCase {
  readonly f: Unary;
  /** Where f is to be compared. */
  readonly range?: [number, number];
  /**
   * How often TensorFlow.js can differentiate it: its tape loses what kernels save of their outputs.
   */
  readonly orders: 0 | 1 | 2;
  /** TensorFlow.js's own error where that is larger than rounding. */
  readonly relative?: number;
}

const unary: Record<string, UnaryCase> = {
  abs: { f: tf.abs, orders: 2 },
  acosh: { f: tf.acosh, range: [1.1, 5], orders: 2, relative: 1e-5 },
  asinh: { f: tf.asinh, orders: 2, relative: 1e-5 },
  atanh: { f: tf.atanh, range: [-0.9, 0.9], orders: 2, relative: 1e-5 },
  ceil: { f: tf.ceil, orders: 1 },
  clipByValue: { f: (x) => tf.clipByValue(x, -1, 0.5), orders: 1 },
  cos: { f: tf.cos, orders: 2 },
  cosh: { f: tf.cosh, orders: 2 },
  elu: { f: tf.elu, orders: 1 },
  // Abramowitz and Stegun 7.1.26, good to 1.5e-7, against the exact one.
  erf: { f: tf.erf, orders: 2, relative: 5e-6 },
  exp: { f: tf.exp, orders: 1 },
  expm1: { f: tf.expm1, orders: 2 },
  floor: { f: tf.floor, orders: 1 },
  isFinite: { f: (x) => tf.isFinite(x), orders: 0 },
  isInf: { f: (x) => tf.isInf(x), orders: 0 },
  isNaN: { f: (x) => tf.isNaN(x), orders: 0 },
  leakyRelu: { f: (x) => tf.leakyRelu(x, 0.3), orders: 1 },
  log: { f: tf.log, range: [0.1, 5], orders: 2 },
  log1p: { f: tf.log1p, range: [-0.9, 5], orders: 2 },
  logSigmoid: { f: tf.logSigmoid, orders: 2, relative: 5e-6 },
  logicalNot: { f: (x) => tf.logicalNot(tf.greater(x, 0)), orders: 0 },
  neg: { f: tf.neg, orders: 1 },
  pow: { f: (x) => tf.pow(x, 3), orders: 2 },
  powFraction: { f: (x) => tf.pow(x, 1.7), range: [0.1, 3], orders: 2 },
  prelu: { f: (x) => tf.prelu(x, tf.scalar(0.2)), orders: 1 },
  reciprocal: { f: tf.reciprocal, range: [0.3, 3], orders: 2 },
  relu: { f: tf.relu, orders: 2 },
  relu6: { f: tf.relu6, range: [-3, 9], orders: 1 },
  round: { f: tf.round, range: [-4, 4], orders: 1 },
  rsqrt: { f: tf.rsqrt, range: [0.2, 3], orders: 2 },
  selu: { f: tf.selu, orders: 1 },
  sigmoid: { f: tf.sigmoid, range: [-8, 8], orders: 1 },
  sign: { f: tf.sign, orders: 1 },
  sin: { f: tf.sin, orders: 2 },
  sinh: { f: tf.sinh, orders: 2 },
  softplus: { f: tf.softplus, range: [-20, 20], orders: 2 },
  sqrt: { f: tf.sqrt, range: [0.1, 4], orders: 2 },
  square: { f: tf.square, orders: 2 },
  step: { f: (x) => tf.step(x, 0.25), orders: 1 },
  tan: { f: tf.tan, range: [-1.2, 1.2], orders: 2, relative: 1e-5 },
  tanh: { f: tf.tanh, orders: 1 },
};

const shapes = [[], [1], [7], [3, 5], [2, 1, 3]];

for (const [name, { f, range = [-2, 2], orders, relative = 2e-6 }] of Object.entries(unary)) {
  onDevices(`${name} and its gradients trace to what they compute`, () => {
    for (const shape of shapes) {
      const x = floats(shape, ...range), weights = floats(shape);
      assertAgrees(name, f, [x], { relative });
      const first: Unary = (x) => tf.grad((x) => tf.mul(f(x), weights))(x);
      if (orders > 0) assertAgrees(`${name}'`, first, [x], { relative: 4 * relative });
      const second: Unary = (x) => tf.grad((x) => tf.mul(first(x), weights))(x);
      if (orders > 1) assertAgrees(`${name}''`, second, [x], { relative: 8 * relative });
    }
  });
}

type Binary = (a: Tensor, b: Tensor) => Tensor;

interface BinaryCase {
  readonly f: Binary;
  readonly range?: [number, number];
  readonly orders: 0 | 1 | 2;
  /** TensorFlow.js's gradient does not sum over what was broadcast. */
  readonly sameShapesOnly?: boolean;
  /** The WebAssembly backend gives float32 where int32 is meant. */
  readonly cpuOnly?: boolean;
}

const binary: Record<string, BinaryCase> = {
  add: { f: tf.add, orders: 2 },
  addN: {
    f: (a, b) => tf.addN([tf.add(a, tf.zerosLike(b)), tf.add(b, tf.zerosLike(a))]),
    orders: 2,
  },
  div: { f: tf.div, range: [0.3, 3], orders: 2 },
  divNoNan: { f: tf.divNoNan, orders: 0 },
  equal: { f: tf.equal, orders: 0 },
  floorDiv: { f: tf.floorDiv, range: [0.3, 3], orders: 0, cpuOnly: true },
  greater: { f: tf.greater, orders: 0 },
  greaterEqual: { f: tf.greaterEqual, orders: 0 },
  less: { f: tf.less, orders: 0 },
  lessEqual: { f: tf.lessEqual, orders: 0 },
  logicalAnd: { f: (a, b) => tf.logicalAnd(tf.greater(a, 0), tf.less(b, 0)), orders: 0 },
  logicalOr: { f: (a, b) => tf.logicalOr(tf.greater(a, 0), tf.less(b, 0)), orders: 0 },
  logicalXor: { f: (a, b) => tf.logicalXor(tf.greater(a, 0), tf.less(b, 0)), orders: 0 },
  maximum: { f: tf.maximum, orders: 1, sameShapesOnly: true },
  minimum: { f: tf.minimum, orders: 1, sameShapesOnly: true },
  mod: { f: tf.mod, range: [0.3, 3], orders: 0 },
  mul: { f: tf.mul, orders: 2 },
  notEqual: { f: tf.notEqual, orders: 0 },
  pow: { f: tf.pow, range: [0.3, 3], orders: 1 },
  prelu: { f: (a, b) => tf.prelu(tf.add(a, tf.zerosLike(b)), b), orders: 1 },
  squaredDifference: { f: tf.squaredDifference, orders: 2, sameShapesOnly: true },
  sub: { f: tf.sub, orders: 2 },
  where: { f: (a, b) => tf.where(tf.greater(a, b), tf.mul(a, b), tf.sub(b, a)), orders: 0 },
};

const pairs: [number[], number[]][] = [
  [[], []],
  [[5], [5]],
  [[3, 5], []],
  [[3, 5], [5]],
  [[3, 1], [1, 5]],
  [[2, 3, 1, 1], [3, 4, 7]],
];

for (
  const [name, { f, range = [-2, 2], sameShapesOnly, cpuOnly, ...rest }] of Object.entries(binary)
) {
  onDevices(`${name} broadcasts, and its gradients trace to what they compute`, (device) => {
    if (cpuOnly && device !== "cpu") return;
    for (const [shapeA, shapeB] of pairs) {
      const a = floats(shapeA, ...range), b = floats(shapeB, ...range);
      assertAgrees(name, f, [a, b]);
      const orders = sameShapesOnly && `${shapeA}` !== `${shapeB}` ? 0 : rest.orders;
      const first = (a: Tensor, b: Tensor) =>
        tf.grads((a: Tensor, b: Tensor) => tf.square(f(a, b)))([a, b]);
      if (orders > 0) assertAgrees(`${name}'`, first, [a, b], { relative: 2e-5 });
      const second = (a: Tensor, b: Tensor) =>
        tf.grads((a: Tensor, b: Tensor) => {
          const [da, db] = first(a, b);
          return tf.add(tf.sum(tf.square(da)), tf.sum(tf.mul(db, b)));
        })([a, b]);
      if (orders > 1) assertAgrees(`${name}''`, second, [a, b], { relative: 1e-4 });
    }
  });
}

onDevices("integers stay integers", () => {
  const functions: Record<string, (a: Tensor, b: Tensor) => Tensor> = {
    abs: (a) => tf.abs(a),
    add: tf.add,
    div: (a, b) => tf.div(a, tf.maximum(b, tf.scalar(1, "int32"))),
    equal: tf.equal,
    floorDiv: (a) => tf.floorDiv(a, tf.scalar(3, "int32")),
    floorDivNegative: (a) => tf.floorDiv(a, tf.scalar(-2, "int32")),
    less: tf.less,
    maximum: tf.maximum,
    mod: (a) => tf.mod(a, tf.scalar(3, "int32")),
    modNegative: (a) => tf.mod(a, tf.scalar(-3, "int32")),
    mul: tf.mul,
    neg: (a) => tf.neg(a),
    pow: (a) => tf.pow(a, tf.scalar(3, "int32")),
    powOfTensor: (a, b) => tf.pow(a, tf.abs(b)),
    sign: (a) => tf.sign(a),
    square: (a) => tf.square(a),
    sub: tf.sub,
    withFloat: (a, b) => tf.mul(a, tf.cast(b, "float32")),
    where: (a, b) => tf.where(tf.greater(a, b), a, b),
  };
  const a = integers([4, 7]), b = integers([7], -3, 4);
  for (const [name, f] of Object.entries(functions)) assertAgrees(name, f, [a, b]);
});

onDevices("casts go by way of the values", (device) => {
  const types = ["float32", "int32", "bool"] as const;
  for (const x of [floats([3, 7], -3, 3), integers([11], -2, 3), bools([5])]) {
    for (const type of types) {
      // The WebAssembly backend takes a number's bytes for bools.
      if (device === "wasm" && x.dtype !== "bool" && type === "bool") continue;
      assertAgrees(`${x.dtype} → ${type}`, (x) => tf.cast(x, type), [x]);
    }
  }
});

onDevices("a selection is differentiated on both sides", () => {
  const mask = bools([3, 4]), a = floats([3, 4]), b = floats([3, 4]);
  const f = (a: Tensor, b: Tensor) => tf.where(mask, tf.mul(a, b), tf.square(b));
  const first = (a: Tensor, b: Tensor) => tf.grads(f)([a, b]);
  const second = (a: Tensor, b: Tensor) =>
    tf.grads((a: Tensor, b: Tensor) => tf.mul(...first(a, b) as [Tensor, Tensor]))([a, b]);
  for (const g of [f, first, second]) assertAgrees("where", g, [a, b]);
});

onDevices("bools are added as numbers and selected by rows", () => {
  const a = bools([5]), b = bools([5]);
  assertAgrees("sum", (a) => tf.sum(a), [a]);
  assertAgrees("equal", tf.equal, [a, b]);
  assertAgrees("product", (a, b) => tf.mul(a, tf.cast(b, "float32")), [a, b]);
  assertAgrees("rows", (a, x, y) => tf.where(tf.reshape(a, [5, 1]), x, y), [
    a,
    floats([5, 3]),
    floats([5, 3]),
  ]);
});

Deno.test("a cast to the type that is there makes no node", async () => {
  await openDevice("cpu");
  const { graph } = traceCleanly((x) => tf.cast(tf.clone(tf.reshape(x, [3])), "float32"), [
    floats([3]),
  ]);
  assertEquals(graph.nodes.map(({ operation }) => operation.kind), ["input"]);
});

Deno.test("NaN and the infinities go through as on the CPU backend", async () => {
  await openDevice("cpu");
  const special = [NaN, Infinity, -Infinity, 0, -0, 1e30, -1e30, 1e-30];
  const x = tf.tensor1d(special);
  // Of NaN, TensorFlow.js's sign is 0; softplus and selu of −∞ are NaN there.
  const others = new Set(["sign", "pow", "logSigmoid"]);
  for (const [name, { f }] of Object.entries(unary)) {
    if (!others.has(name)) assertAgrees(name, f, [x], { relative: 1e-5 });
  }
  const square = tf.tensor1d(special.flatMap((value) => special.map(() => value)));
  const transposed = tf.tensor1d(special.flatMap(() => special));
  for (const name of ["add", "mul", "div", "maximum", "minimum", "less", "equal", "where"]) {
    assertAgrees(name, binary[name].f, [square, transposed]);
  }
});
