import { assertEquals } from "@std/assert";
import { openDevice, type Tensor, tf } from "../../../../core/tensor/mod.ts";
import { assertAgrees, floats, integers, onDevices, run, traceCleanly } from "./agreement.ts";

type Move = (x: Tensor) => Tensor | Tensor[];

/** Each with the shape that it is for. */
const moves: Record<string, [number[], Move]> = {
  "reshape": [[3, 4], (x) => tf.reshape(x, [2, -1])],
  "reshape to a scalar": [[1, 1], (x) => tf.reshape(x, [])],
  "flatten": [[2, 3, 4], (x) => tf.reshape(x, [-1])],
  "expandDims": [[3, 5], (x) => [tf.expandDims(x, 0), tf.expandDims(x, 1), tf.expandDims(x, -1)]],
  "squeeze": [[1, 3, 1], (x) => [tf.squeeze(x), tf.squeeze(x, [0])]],
  "transpose": [[2, 3, 5], (x) => [tf.transpose(x), tf.transpose(x, [1, 0, 2])]],
  "transpose of four axes": [[2, 3, 5, 2], (x) => tf.transpose(x, [3, 1, 2, 0])],
  "slice": [[5, 7], (x) => [tf.slice(x, [1, 2], [3, 4]), tf.slice(x, [2], [-1])]],
  "strided slice": [[7, 9], (x) => tf.stridedSlice(x, [1, 0], [7, 9], [2, 3])],
  "strided slice backwards": [[7, 9], (x) => tf.stridedSlice(x, [6, 8], [0, 1], [-2, -3])],
  "strided slice with masks": [
    [4, 5, 6],
    (x) => tf.stridedSlice(x, [1, 0, 2], [3, 5, 3], [1, 1, 1], 2, 2, 0, 0, 4),
  ],
  "strided slice of nothing": [[4], (x) => tf.stridedSlice(x, [0], [3], [1], 0, 0, 0, 0, 0)],
  "pad": [[3, 4], (x) => tf.pad(x, [[1, 2], [0, 3]], 1.5)],
  "concat": [[3, 4], (x) => [tf.concat([x, x, x], 0), tf.concat([x, tf.neg(x)], -1)]],
  "concat of one": [[3, 4], (x) => tf.concat([x], 0)],
  "concat of nothing": [
    [0, 3],
    (x) => [tf.concat([x, x], 1), tf.concat([x, x], 0), tf.stack([x, x])],
  ],
  "split": [[6, 4], (x) => [...tf.split(x, 3, 0), ...tf.split(x, [1, 3], 1)]],
  "stack": [[3, 4], (x) => [tf.stack([x, x], 0), tf.stack([x, x, x], -1)]],
  "unstack": [[3, 4], (x) => [...tf.unstack(x), ...tf.unstack(x, 1)]],
  "reverse": [[3, 4, 2], (x) => [tf.reverse(x), tf.reverse(x, [0, -1])]],
  "tile": [[3, 1, 2], (x) => [tf.tile(x, [2, 5, 3]), tf.tile(x, [1, 4, 1])]],
  "tile of one cell": [[1], (x) => tf.tile(x, [7])],
  "broadcastTo": [[3, 1], (x) => tf.broadcastTo(x, [2, 3, 5])],
  "zerosLike and onesLike": [[3, 4], (x) => [tf.zerosLike(x), tf.onesLike(x)]],
  "depth to channels": [
    [2, 4, 6, 3],
    (x) =>
      tf.reshape(tf.transpose(tf.reshape(x, [2, 2, 2, 3, 2, 3]), [0, 1, 3, 2, 4, 5]), [
        2,
        2,
        3,
        12,
      ]),
  ],
};

for (const [name, [shape, f]] of Object.entries(moves)) {
  onDevices(`${name} and its gradients`, () => {
    const x = floats(shape);
    assertAgrees(name, f, [x]);
    // A sum of squares, so that the second gradient is not zero.
    const loss = (x: Tensor) => {
      const parts = [f(x)].flat().map((part) => tf.sum(tf.square(tf.square(part))));
      return tf.addN(parts);
    };
    if (name.startsWith("strided") || name.startsWith("zerosLike")) return; // no gradient there
    const first = (x: Tensor) => tf.grad(loss)(x);
    assertAgrees(`${name}'`, first, [x]);
    assertAgrees(`${name}''`, (x) => tf.grad((x) => tf.square(first(x)))(x), [x], {
      relative: 1e-5,
    });
  });
}

onDevices("moves keep integers", () => {
  const x = integers([4, 6]);
  assertAgrees("transpose", (x) => tf.transpose(x), [x]);
  assertAgrees("slice", (x) => tf.slice(x, [1, 1], [2, 3]), [x]);
  assertAgrees("concat", (x) => tf.concat([x, x]), [x]);
  assertAgrees("pad", (x) => tf.pad(x, [[1, 0], [0, 1]], 7), [x]);
});

Deno.test("an axis of a strided slice is dropped whatever the strides", async () => {
  await openDevice("cpu");
  const x = floats([4, 5, 6]);
  const strided = (x: Tensor) => tf.stridedSlice(x, [1, 0, 2], [3, 5, 3], [1, 2, 1], 2, 2, 0, 0, 4);
  const [values] = run(traceCleanly(strided, [x]), [x]);
  const rows = [1, 2].flatMap((i) => [0, 2, 4].map((j) => tf.slice(x, [i, j, 2], [1, 1, 1])));
  assertEquals([...values], rows.map((cell) => cell.dataSync()[0]));
});

onDevices("gather along any axis, with its gradients", (device) => {
  const x = floats([5, 3, 4]);
  for (const axis of [0, 1, 2, -1]) {
    for (const shape of [[], [1], [6], [2, 3]]) {
      const indices = integers(shape, 0, 3);
      const f = (x: Tensor, indices: Tensor) => tf.gather(x, indices as tf.Tensor1D, axis);
      assertAgrees(`axis ${axis}, indices [${shape}]`, f, [x, indices]);
      if (shape.length !== 1 || axis < 0) continue;
      const first = (x: Tensor) => tf.grad((x) => tf.square(f(x, indices)))(x);
      assertAgrees(`axis ${axis}'`, first, [x]);
    }
  }
  if (device === "wasm") return; // it takes the batches for one
  const table = floats([2, 5, 3]), indices = integers([2, 4], 0, 5);
  assertAgrees("in batches", (x, i) => tf.gather(x, i, 1, 1), [table, indices]);
  const deep = floats([2, 3, 5, 2]);
  assertAgrees("in batches, axis 2", (x, i) => tf.gather(x, i, 2, 1), [deep, indices]);
});

onDevices("segment sums, one-hot rows", () => {
  const x = floats([7, 2, 3]), ids = integers([7], 0, 4);
  assertAgrees("sums", (x, ids) => tf.unsortedSegmentSum(x, ids, 5), [x, ids]);
  const indices = integers([2, 3], -1, 5);
  assertAgrees("one-hot", (i) => tf.oneHot(i, 4), [indices]);
  assertAgrees("one-hot values", (i) => tf.oneHot(i, 4, 2.5, -1), [indices]);
});

onDevices("tensors from nothing are constants", () => {
  const made: Record<string, () => Tensor> = {
    fill: () => tf.fill([2, 3], 1.25),
    linspace: () => tf.linspace(-1, 2, 7),
    ones: () => tf.ones([4]),
    range: () => tf.range(0, 10, 3),
    rangeDown: () => tf.range(5, -2, -1.5),
    rangeOfIntegers: () => tf.range(3, 9, 2, "int32"),
    scalar: () => tf.scalar(4),
    tensor: () => tf.tensor2d([[1, 2], [3, 5]]),
    truth: () => tf.tensor1d([true, false, true], "bool"),
    zeros: () => tf.zeros([2, 2], "int32"),
    eye: () => tf.eye(3),
  };
  for (const [name, make] of Object.entries(made)) {
    assertAgrees(name, make, []);
  }
});

Deno.test("equal values are held once, and −0 is not 0", async () => {
  await openDevice("cpu");
  const constant = (values: number[]) => {
    const { graph } = traceCleanly(() => tf.tensor1d(values), []);
    const { operation } = graph.nodes[graph.outputs[0].node];
    return operation.kind === "constant" ? [...operation.values] : [];
  };
  assertEquals(constant([3, 3, 3]), [3]);
  assertEquals(constant([NaN, NaN]), [NaN]);
  assertEquals(constant([0, 0]), [0]);
  assertEquals(constant([0, -0]), [0, -0]);
  assertEquals(constant([1, NaN]), [1, NaN]);
});
