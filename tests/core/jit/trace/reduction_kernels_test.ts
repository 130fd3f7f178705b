import { assertEquals } from "@std/assert";
import { openDevice, type Tensor, tf } from "../../../../core/tensor/mod.ts";
import { assertAgrees, bools, floats, integers, onDevices, traceCleanly } from "./agreement.ts";

type Reduction = (x: Tensor, axis?: number | number[], keep?: boolean) => Tensor;

const reductions: Record<string, Reduction> = {
  max: tf.max,
  mean: tf.mean,
  min: tf.min,
  sum: tf.sum,
};

const cases: [number[], (number | number[] | undefined)[]][] = [
  [[], [undefined]],
  [[1], [undefined, 0]],
  [[7], [undefined, 0, -1]],
  [[3, 5], [undefined, 0, 1, [0, 1], [1, 0], -1]],
  [[2, 1, 5, 3], [undefined, 1, [0, 2], [1, 2], [-1, -2], 3]],
];

for (const [name, f] of Object.entries(reductions)) {
  onDevices(`${name} over any axes and its gradients trace to what they compute`, () => {
    for (const [shape, axes] of cases) {
      const x = floats(shape, 0.5, 2);
      for (const axis of axes) {
        const label = `${name} of [${shape}] over ${axis}`;
        for (const keep of [false, true]) assertAgrees(label, (x) => f(x, axis, keep), [x]);
        const first = (x: Tensor) => tf.grad((x) => tf.square(f(x, axis)))(x);
        assertAgrees(`${label}'`, first, [x]);
        if (name !== "sum" && name !== "mean") continue;
        const second = (x: Tensor) => tf.grad((x) => tf.square(first(x)))(x);
        assertAgrees(`${label}''`, second, [x]);
      }
    }
  });
}

onDevices("integers and bools are reduced as such", () => {
  const x = integers([4, 6]), b = bools([3, 4]);
  assertAgrees("sum", (x) => tf.sum(x, 0), [x]);
  assertAgrees("mean", (x) => tf.mean(x), [x]);
  assertAgrees("max", (x) => tf.max(x, 1), [x]);
  assertAgrees("sum of bools", (b) => tf.sum(b, 1), [b]);
  for (const axis of [undefined, 0, 1, [0, 1]]) {
    assertAgrees("all", (b) => tf.all(b, axis), [b]);
    assertAgrees("any", (b) => tf.any(b, axis, true), [b]);
  }
});

onDevices("softmax and its kin, with their gradients", () => {
  for (const shape of [[1], [5], [3, 7], [2, 1, 4]]) {
    const x = floats(shape, -30, 30), w = floats(shape);
    const functions: Record<string, (x: Tensor) => Tensor> = {
      softmax: (x) => tf.softmax(x),
      logSoftmax: (x) => tf.logSoftmax(x),
      logSumExp: (x) => tf.logSumExp(x, -1),
    };
    for (const [name, f] of Object.entries(functions)) {
      assertAgrees(name, f, [x], { relative: 1e-5 });
      const gradient = (x: Tensor) => tf.grad((x) => tf.sum(tf.mul(f(x), tf.sum(w))))(x);
      assertAgrees(`${name}'`, gradient, [x], { relative: 1e-5 });
    }
  }
});

Deno.test("moments, norms and variances are compositions", async () => {
  await openDevice("cpu");
  const x = floats([3, 5, 2]);
  assertAgrees("moments", (x) => ({ ...tf.moments(x, [0, 2], true) }), [x]);
  for (const order of [1, 2, Infinity, "euclidean"] as const) {
    assertAgrees(`norm ${order}`, (x) => tf.norm(x, order, 1), [x]);
  }
  assertAgrees(
    "batch norm",
    (x, mean, variance, scale) => tf.batchNorm(x, mean, variance, undefined, scale),
    [
      x,
      ...[floats([2]), floats([2], 0.5, 2), floats([2])],
    ],
  );
});

Deno.test("NaN wins a maximum, and an axis of extent 1 is no reduction", async () => {
  await openDevice("cpu");
  const x = tf.tensor2d([[1, NaN, 3], [-1, -2, -3]]);
  assertAgrees("max", (x) => tf.max(x, 1), [x]);
  assertAgrees("min", (x) => tf.min(x, 1), [x]);
  const { graph } = traceCleanly((x) => tf.sum(x, [0, 2]), [floats([1, 5, 1])]);
  assertEquals(graph.nodes.map(({ operation }) => operation.kind), ["input", "reshape"]);
});
