import { assertEquals, assertThrows } from "@std/assert";
import { JitError } from "../../../../core/jit/errors.ts";
import { openDevice, type Tensor, type Tensor4D, tf } from "../../../../core/tensor/mod.ts";
import { assertAgrees, floats, onDevices, traceCleanly } from "./agreement.ts";

type Pad = "same" | "valid" | number | [
  [number, number],
  [number, number],
  [number, number],
  [number, number],
];

interface Case {
  readonly image: [number, number, number, number];
  readonly filter: [number, number, number, number];
  readonly strides: number | [number, number];
  readonly pad: Pad;
  readonly rounding?: "floor" | "ceil" | "round";
}

const cases: Case[] = [
  { image: [1, 1, 1, 1], filter: [1, 1, 1, 1], strides: 1, pad: "same" },
  { image: [2, 5, 7, 3], filter: [3, 3, 3, 4], strides: 1, pad: "same" },
  { image: [2, 6, 5, 2], filter: [3, 3, 2, 3], strides: 1, pad: "valid" },
  { image: [1, 7, 7, 2], filter: [3, 3, 2, 2], strides: 2, pad: "same" },
  { image: [1, 8, 8, 2], filter: [3, 3, 2, 2], strides: 2, pad: "same" },
  { image: [1, 8, 9, 1], filter: [3, 2, 1, 2], strides: [2, 3], pad: "valid" },
  { image: [2, 4, 4, 3], filter: [1, 1, 3, 5], strides: 1, pad: "same" },
  { image: [1, 5, 5, 1], filter: [4, 4, 1, 2], strides: 1, pad: "same" },
  { image: [1, 5, 6, 2], filter: [3, 3, 2, 1], strides: 1, pad: 2 },
  { image: [1, 8, 8, 1], filter: [3, 3, 1, 1], strides: 2, pad: 1, rounding: "floor" },
  { image: [1, 8, 8, 1], filter: [3, 3, 1, 1], strides: 2, pad: 1, rounding: "ceil" },
  { image: [1, 5, 5, 2], filter: [3, 3, 2, 2], strides: 1, pad: [[0, 0], [2, 0], [1, 3], [0, 0]] },
];

onDevices("convolutions of any stride and padding, with their gradients", (device) => {
  for (const { image, filter, strides, pad, rounding } of cases) {
    const x = floats(image), w = floats(filter);
    const f = (x: Tensor, w: Tensor) =>
      tf.conv2d(x as Tensor4D, w as Tensor4D, strides, pad as "same", "NHWC", 1, rounding);
    const label = `[${image}] * [${filter}], strides ${strides}, pad ${pad} ${rounding ?? ""}`;
    // Sizes that are rounded up are beyond the WebAssembly backend, and beyond all gradients.
    if (rounding === "ceil" && device === "wasm") continue;
    assertAgrees(label, f, [x, w], { relative: 5e-6 });
    const inX = (x: Tensor, w: Tensor) => tf.grad((x) => tf.square(f(x, w)))(x);
    const inFilter = (x: Tensor, w: Tensor) => tf.grad((w) => tf.square(f(x, w)))(w);
    if (rounding === "ceil") continue;
    assertAgrees(`${label}, in x`, inX, [x, w], { relative: 1e-5 });
    assertAgrees(`${label}, in the filter`, inFilter, [x, w], { relative: 1e-5 });
    const second = (x: Tensor, w: Tensor) =>
      tf.grads((x: Tensor, w: Tensor) => tf.square(inX(x, w)))([x, w]);
    assertAgrees(`${label}, twice`, second, [x, w], { relative: 1e-5 });
  }
});

onDevices("transposed and fused convolutions", () => {
  const dy = floats([1, 4, 4, 3]) as Tensor4D, w = floats([3, 3, 2, 3]) as Tensor4D;
  assertAgrees("transposed", (dy, w) => tf.conv2dTranspose(dy, w, [1, 8, 8, 2], 2, "same"), [
    dy,
    w,
  ]);
  const x = floats([2, 5, 5, 2]) as Tensor4D, bias = floats([3]);
  for (const activation of ["linear", "relu", "elu", "sigmoid"] as const) {
    assertAgrees(
      activation,
      (x, filter, bias) =>
        tf.fused.conv2d({ x, filter, bias, activation, strides: 1, pad: "same" }),
      [x, w, bias],
      { relative: 5e-6 },
    );
  }
});

Deno.test("a 1-D convolution is a 2-D one", async () => {
  await openDevice("cpu");
  const x = floats([2, 9, 3]) as tf.Tensor3D, w = floats([3, 3, 4]) as tf.Tensor3D;
  assertAgrees("conv1d", (x, w) => tf.conv1d(x, w, 2, "same"), [x, w], { relative: 5e-6 });
});

Deno.test("padding is as TensorFlow.js computes it", async () => {
  await openDevice("cpu");
  const pads = (size: number, stride: number, pad: "same" | "valid") => {
    const { graph } = traceCleanly(
      (x, w) => tf.conv2d(x, w, stride, pad),
      [floats([1, size, size, 1]), floats([3, 3, 1, 1])],
    );
    const { operation } = graph.nodes.at(-1)!;
    return operation.kind === "conv2d" ? operation.pads : undefined;
  };
  assertEquals(pads(5, 1, "same"), [1, 1, 1, 1]);
  assertEquals(pads(8, 2, "same"), [0, 1, 0, 1]);
  assertEquals(pads(8, 2, "valid"), [0, 0, 0, 0]);
});

Deno.test("gradients of a convolution whose size was rounded up are refused", async () => {
  await openDevice("cpu");
  const x = floats([1, 8, 8, 1]), w = floats([3, 3, 1, 1]) as Tensor4D;
  const f = (x: Tensor, w: Tensor4D) => tf.conv2d(x as Tensor4D, w, 2, 1, "NHWC", 1, "ceil");
  for (
    const gradient of [
      (x: Tensor, w: Tensor4D) => tf.grad((x) => f(x, w))(x),
      (x: Tensor, w: Tensor4D) => tf.grad((w: Tensor) => f(x, w as Tensor4D))(w),
    ]
  ) {
    assertThrows(() => traceCleanly(gradient, [x, w]), JitError, "gradient is 5×5 where 4×4");
  }
});

Deno.test("dilations and grouped channels are refused by name", async () => {
  await openDevice("cpu");
  const x = floats([1, 8, 8, 2]), w = floats([3, 3, 2, 1]);
  assertThrows(
    () => traceCleanly((x, w) => tf.conv2d(x, w, 1, "same", "NHWC", 2), [x, w]),
    JitError,
    "dilations 2 at",
  );
  assertThrows(
    () => traceCleanly((x, w) => tf.depthwiseConv2d(x, w, 1, "same"), [x, w]),
    JitError,
    "DepthwiseConv2dNative",
  );
});
