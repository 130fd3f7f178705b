/**
 * @file TensorFlow.js's pooling and nearest-neighbour resizing of images [n, h, w, c]. Windows that
 * tile the image become a reshape and a reduction (or a broadcast), which fuse with what is around
 * them; others become one strided slice a tap of the window.
 */
import { tf } from "../../tensor/mod.ts";
import { JitError } from "../errors.ts";
import type { Attributes, Lowering, Lowerings, Recorder } from "./recorder.ts";
import { atLine } from "./user_line.ts";

type Shape4D = [number, number, number, number];

/** Where the windows of a pooling lie, by axis (height, then width). */
interface Windows {
  readonly input: readonly [number, number];
  readonly output: readonly [number, number];
  readonly window: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly before: readonly [number, number];
  /** The shape of the pooled images. */
  readonly outputShape: readonly number[];
}

function windowsOf(
  shape: readonly number[],
  { filterSize, strides, pad, dimRoundingMode }: Attributes,
): Windows {
  const info = tf.backend_util.computePool2DInfo(
    [...shape] as Shape4D,
    filterSize as [number, number],
    strides as number,
    1,
    pad as "same",
    dimRoundingMode as "floor" | undefined,
  );
  return {
    input: [info.inHeight, info.inWidth],
    output: [info.outHeight, info.outWidth],
    window: [info.filterHeight, info.filterWidth],
    stride: [info.strideHeight, info.strideWidth],
    before: [info.padInfo.top, info.padInfo.left],
    outputShape: info.outShape,
  };
}

/** Whether the windows cover every pixel just once. */
function windowsTile({ input, output, window, stride, before }: Windows): boolean {
  return [0, 1].every((axis) =>
    stride[axis] === window[axis] && before[axis] === 0 &&
    output[axis] * window[axis] === input[axis]
  );
}

/** Extents of the images as blocks: [n, h/fh, fh, w/fw, fw, c]. */
function blocks(
  [n, , , c]: readonly number[],
  output: readonly number[],
  window: readonly number[],
): number[] {
  return [n, output[0], window[0], output[1], window[1], c];
}

/** Cells that the windows reach beyond the image at its end; those that they never reach count 0. */
function overhang({ input, output, window, stride, before }: Windows, axis: number): number {
  const reach = (output[axis] - 1) * stride[axis] + window[axis];
  return Math.max(0, reach - before[axis] - input[axis]);
}

/** The taps of the window one by one: images of the result's shape. */
function taps(graph: Recorder, x: number, windows: Windows, filler: number): number[] {
  const { window, stride, before, outputShape } = windows;
  const padded = graph.pad(
    x,
    [0, ...before, 0],
    [0, overhang(windows, 0), overhang(windows, 1), 0],
    filler,
  );
  return eachTap(
    window,
    (i, j) => graph.slice(padded, [0, i, j, 0], outputShape, [1, ...stride, 1]),
  );
}

function eachTap<T>([height, width]: readonly number[], make: (i: number, j: number) => T): T[] {
  return Array.from({ length: height * width }, (_, k) => make(Math.floor(k / width), k % width));
}

/** How many pixels of the image each window holds: [1, h', w', 1], or one number for all. */
function counts(graph: Recorder, { input, output, window, stride, before }: Windows): number {
  const along = (axis: number) =>
    Array.from({ length: output[axis] }, (_, i) => {
      const start = i * stride[axis] - before[axis];
      return Math.min(start + window[axis], input[axis]) - Math.max(start, 0);
    });
  const columns = along(1);
  const values = Float32Array.from(along(0).flatMap((rows) => columns.map((n) => rows * n)));
  const [first] = values;
  return values.every((count) => count === first)
    ? graph.number(first)
    : graph.constant(values, [1, ...output, 1], "float32");
}

/** Means over windows, of the pixels inside the image. */
const averagePool: Lowering = (graph, { x }, attributes) => {
  const windows = windowsOf(graph.shape(x), attributes);
  const { output, window } = windows;
  if (windowsTile(windows)) {
    const inBlocks = graph.reshape(x, blocks(graph.shape(x), output, window));
    const sum = graph.reduce("sum", inBlocks, [2, 4]);
    return graph.elementwise("multiply", sum, graph.number(1 / (window[0] * window[1])));
  }
  const sum = taps(graph, x, windows, 0).reduce((a, b) => graph.elementwise("add", a, b));
  return graph.elementwise("divide", sum, counts(graph, windows));
};

/**
 * The gradient that TensorFlow.js takes for it: dy over the size of the window, spread over the
 * window's pixels, at the border too, where the mean itself is over fewer.
 */
const averagePoolGradient: Lowering = (graph, { dy, input }, attributes) => {
  const shape = graph.shape(input);
  const windows = windowsOf(shape, attributes);
  const { output, window } = windows;
  const [, height, width] = graph.shape(dy);
  if (height !== output[0] || width !== output[1]) {
    throw new JitError(
      `the gradient of an average pooling${atLine(graph.position().line)} is ${height}×${width} ` +
        `where ${output[0]}×${output[1]} is meant and cannot be compiled: expected the same; pad ` +
        'the images in place of dimRoundingMode "ceil"',
    );
  }
  const share = graph.elementwise(
    "multiply",
    dy,
    graph.number(1 / (window[0] * window[1])),
  );
  if (windowsTile(windows)) {
    const [n, , , c] = shape;
    const lone = graph.reshape(share, [n, output[0], 1, output[1], 1, c]);
    return graph.reshape(graph.broadcast(lone, blocks(shape, output, window)), shape);
  }
  return spread(graph, share, shape, windows);
};

/** The transpose of {@link taps}: every cell added to each pixel of its window. */
function spread(
  graph: Recorder,
  cells: number,
  shape: readonly number[],
  { input, output, window, stride, before }: Windows,
): number {
  const reach = (axis: 0 | 1) => (output[axis] - 1) * stride[axis] + window[axis];
  // The padded image that the windows see, and what of the image itself they do not.
  const size = [0, 1].map((axis) => Math.max(reach(axis as 0 | 1), before[axis] + input[axis]));
  const parts = eachTap(window, (i, j) => {
    const first = [i, j];
    const last = first.map((at, axis) => size[axis] - at - (output[axis] - 1) * stride[axis] - 1);
    return graph.pad(
      cells,
      [0, ...first, 0],
      [0, ...last, 0],
      0,
      [0, stride[0] - 1, stride[1] - 1, 0],
    );
  });
  const sum = parts.reduce((a, b) => graph.elementwise("add", a, b));
  return graph.slice(sum, [0, ...before, 0], shape);
}

/** Maxima over windows. */
const maximumPool: Lowering = (graph, { x }, attributes) => {
  const windows = windowsOf(graph.shape(x), attributes);
  if (windowsTile(windows)) {
    const inBlocks = graph.reshape(x, blocks(graph.shape(x), windows.output, windows.window));
    return graph.reduce("maximum", inBlocks, [2, 4]);
  }
  return taps(graph, x, windows, -Infinity).reduce((a, b) => graph.elementwise("maximum", a, b));
};

/** How many times longer the larger side is, by axis; refuses what is not a whole number. */
function integerFactors(
  graph: Recorder,
  small: readonly number[],
  large: readonly number[],
  { alignCorners }: Attributes,
): number[] {
  const factors = [1, 2].map((axis) => large[axis] / small[axis]);
  const trivial = factors.every((factor) => factor === 1);
  if (!factors.every(Number.isInteger) || (alignCorners && !trivial)) {
    throw new JitError(
      `resizing images from ${small[1]}×${small[2]} to ${large[1]}×${large[2]}` +
        `${alignCorners ? " with alignCorners" : ""}${atLine(graph.position().line)} cannot be ` +
        "compiled: expected a whole multiple, corners not aligned; resize to one",
    );
  }
  return factors;
}

const resizeNearest: Lowering = (graph, { images }, attributes) => {
  const shape = graph.shape(images);
  const [n, h, w, c] = shape, size = attributes.size as number[];
  const larger = [n, ...size, c];
  const [rows, columns] = integerFactors(graph, shape, larger, attributes);
  const lone = graph.reshape(images, [n, h, 1, w, 1, c]);
  return graph.reshape(graph.broadcast(lone, [n, h, rows, w, columns, c]), larger);
};

const resizeNearestGradient: Lowering = (graph, { images, dy }, attributes) => {
  const shape = graph.shape(images);
  const factors = integerFactors(graph, shape, graph.shape(dy), attributes);
  const inBlocks = graph.reshape(dy, blocks(shape, shape.slice(1, 3), factors));
  return graph.reduce("sum", inBlocks, [2, 4]);
};

/** The pooling and resizing kernels. */
export const poolingKernels: Lowerings = {
  AvgPool: averagePool,
  AvgPoolGrad: averagePoolGradient,
  MaxPool: maximumPool,
  ResizeNearestNeighbor: resizeNearest,
  ResizeNearestNeighborGrad: resizeNearestGradient,
};
