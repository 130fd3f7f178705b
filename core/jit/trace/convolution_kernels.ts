/**
 * @file TensorFlow.js's convolutions and their two gradients, with whatever padding comes out of its
 * conventions.
 */
import { tf } from "../../tensor/mod.ts";
import { JitError } from "../errors.ts";
import type { Pads } from "../graph.ts";
import { finishFused } from "./product_kernels.ts";
import type { Attributes, Lowering, Lowerings, Recorder } from "./recorder.ts";
import { atLine } from "./user_line.ts";

type Shape4D = [number, number, number, number];

function refuse(graph: Recorder, what: string, remedy: string): never {
  throw new JitError(
    `a convolution with ${what}${atLine(graph.position().line)} cannot be compiled: ${remedy}`,
  );
}

/** Strides and pads in the compiler's terms, and the [height, width] of the result. */
interface Geometry {
  readonly strides: [number, number];
  readonly pads: Pads;
  readonly output: [number, number];
}

function geometry(
  graph: Recorder,
  inputShape: readonly number[],
  filterShape: readonly number[],
  attributes: Attributes,
): Geometry {
  refuseUnknown(graph, inputShape, filterShape, attributes);
  const { strides, pad, dimRoundingMode } = attributes;
  const info = tf.backend_util.computeConv2DInfo(
    inputShape as Shape4D,
    filterShape as Shape4D,
    strides as number,
    1,
    pad as "same",
    dimRoundingMode as "floor" | undefined,
  );
  const { padInfo: { top, bottom, left, right }, outHeight, outWidth } = info;
  const [, height, width] = inputShape, [rows, columns] = filterShape;
  const { strideHeight, strideWidth } = info;
  return {
    strides: [strideHeight, strideWidth],
    pads: [
      top,
      endPad(height + top, bottom, outHeight, strideHeight, rows),
      left,
      endPad(width + left, right, outWidth, strideWidth, columns),
    ],
    output: [outHeight, outWidth],
  };
}

/** The padding at the end: the given one, or such that a size that is rounded up comes out. */
function endPad(
  start: number,
  given: number,
  outputs: number,
  stride: number,
  filter: number,
): number {
  const fits = Math.floor((start + given - filter) / stride) + 1 === outputs;
  return fits ? given : (outputs - 1) * stride + filter - start;
}

function refuseUnknown(
  graph: Recorder,
  inputShape: readonly number[],
  filterShape: readonly number[],
  { dataFormat, dilations }: Attributes,
): void {
  if (dataFormat !== undefined && dataFormat !== "NHWC") {
    refuse(graph, `data format ${dataFormat}`, "expected NHWC; transpose the images");
  }
  const factors = (dilations ?? 1) as number | number[];
  if ([factors].flat().some((factor) => factor !== 1)) {
    refuse(graph, `dilations ${factors}`, "expected 1; run it outside the compiled function");
  }
  if (inputShape[3] !== filterShape[2]) {
    refuse(
      graph,
      `${inputShape[3]} channels and a filter for ${filterShape[2]}`,
      "expected as many of each; run grouped convolutions outside the compiled function",
    );
  }
}

/** The geometry of a gradient. TensorFlow.js forgets there that a size was rounded up. */
function gradientGeometry(
  graph: Recorder,
  inputShape: readonly number[],
  filterShape: readonly number[],
  dy: number,
  attributes: Attributes,
): Pick<Geometry, "strides" | "pads"> {
  const { output, strides, pads } = geometry(graph, inputShape, filterShape, attributes);
  const [, height, width] = graph.shape(dy);
  if (height !== output[0] || width !== output[1]) {
    refuse(
      graph,
      `a result whose gradient is ${height}×${width} where ${output[0]}×${output[1]} is meant`,
      'expected the same; pad the images in place of dimRoundingMode "ceil"',
    );
  }
  return { strides, pads };
}

function convolve(graph: Recorder, x: number, filter: number, attributes: Attributes): number {
  const shapes = [graph.shape(x), graph.shape(filter)] as const;
  const { strides, pads } = geometry(graph, ...shapes, attributes);
  return graph.add({ kind: "conv2d", strides, pads }, [x, filter]);
}

const inputGradient: Lowering = (graph, { dy, filter }, attributes) => {
  const inputShape = attributes.inputShape as number[];
  const found = gradientGeometry(graph, inputShape, graph.shape(filter), dy, attributes);
  return graph.add({ kind: "conv2dInputGradient", ...found, inputShape }, [dy, filter]);
};

const filterGradient: Lowering = (graph, { x, dy }, attributes) => {
  const filterShape = attributes.filterShape as number[];
  const found = gradientGeometry(graph, graph.shape(x), filterShape, dy, attributes);
  return graph.add({ kind: "conv2dFilterGradient", ...found, filterShape }, [x, dy]);
};

/** The convolutions. */
export const convolutionKernels: Lowerings = {
  Conv2D: (graph, { x, filter }, attributes) => convolve(graph, x, filter, attributes),
  Conv2DBackpropFilter: filterGradient,
  Conv2DBackpropInput: inputGradient,
  FusedConv2D: (graph, inputs, attributes) => {
    const product = convolve(graph, inputs.x, inputs.filter, attributes);
    return finishFused(graph, product, inputs, attributes);
  },
};
