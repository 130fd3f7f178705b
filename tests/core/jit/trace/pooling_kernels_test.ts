import { assert, assertEquals, assertThrows } from "@std/assert";
import { JitError } from "../../../../core/jit/errors.ts";
import {
  averagePool2,
  openDevice,
  type Tensor,
  type Tensor4D,
  tf,
} from "../../../../core/tensor/mod.ts";
import { assertAgrees, floats, onDevices, traceCleanly } from "./agreement.ts";

type Pooling = [
  image: number[],
  window: number | [number, number],
  strides: number | [number, number],
  pad: "same" | "valid" | number,
];

const poolings: Pooling[] = [
  [[1, 1, 1, 1], 1, 1, "valid"],
  [[2, 4, 6, 3], 2, 2, "valid"],
  [[2, 6, 8, 1], [3, 2], [3, 2], "same"],
  [[1, 7, 5, 2], 2, 2, "valid"],
  [[1, 7, 5, 2], 2, 2, "same"],
  [[2, 6, 7, 2], 3, 1, "same"],
  [[1, 7, 7, 1], 3, 2, "same"],
  [[1, 8, 8, 1], 3, 2, 1],
  [[1, 8, 8, 2], 2, 3, "valid"],
];

onDevices("average pooling and its two gradients", () => {
  for (const [image, window, strides, pad] of poolings) {
    const x = floats(image);
    const f = (x: Tensor) =>
      tf.avgPool(x as Tensor4D, window, strides, pad, pad === 1 ? "floor" : undefined);
    const label = `[${image}], window ${window}, strides ${strides}, pad ${pad}`;
    assertAgrees(label, f, [x]);
    const first = (x: Tensor) => tf.grad((x) => tf.square(f(x)))(x);
    assertAgrees(`${label}'`, first, [x]);
    assertAgrees(`${label}''`, (x) => tf.grad((x) => tf.square(first(x)))(x), [x]);
  }
});

onDevices("maximum pooling", () => {
  for (const [image, window, strides, pad] of poolings) {
    const x = floats(image, -3, -1);
    const f = (x: Tensor) =>
      tf.maxPool(x as Tensor4D, window, strides, pad, pad === 1 ? "floor" : undefined);
    assertAgrees(`[${image}], window ${window}, strides ${strides}, pad ${pad}`, f, [x]);
  }
});

onDevices("resizing to the nearest by whole factors, with its gradient", () => {
  for (
    const [image, size] of [[[1, 3, 4, 2], [6, 12]], [[2, 5, 5, 1], [5, 5]], [[1, 1, 1, 3], [4, 7]]]
  ) {
    const x = floats(image);
    for (const halfPixels of [false, true]) {
      const f = (x: Tensor) =>
        tf.image.resizeNearestNeighbor(x as Tensor4D, size as [number, number], false, halfPixels);
      assertAgrees(`[${image}] to ${size}`, f, [x]);
      assertAgrees(`[${image}] to ${size}'`, (x) => tf.grad((x) => tf.square(f(x)))(x), [x]);
    }
  }
});

Deno.test("2×2 means and their gradients are reshapes, a sum and a broadcast", async () => {
  await openDevice("cpu");
  const { graph } = traceCleanly(
    (x) => tf.grad((x) => tf.square(averagePool2(x as Tensor4D)))(x),
    [floats([2, 4, 4, 3])],
  );
  const kinds = new Set(graph.nodes.map(({ operation }) => operation.kind));
  assert(!kinds.has("slice") && !kinds.has("pad"));
  assertEquals(graph.nodes[graph.outputs[0].node].shape, [2, 4, 4, 3]);
});

Deno.test("other sizes are refused by name", async () => {
  await openDevice("cpu");
  assertThrows(
    () => traceCleanly((x) => tf.image.resizeNearestNeighbor(x, [5, 5]), [floats([1, 3, 3, 1])]),
    JitError,
    "from 3×3 to 5×5",
  );
});
