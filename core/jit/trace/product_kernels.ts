/**
 * @file TensorFlow.js's matrix products: any rank and any broadcasting of the batch become products
 * of two matrices or of two stacks of them.
 */
import { tf } from "../../tensor/mod.ts";
import { JitError } from "../errors.ts";
import { broadcastShape, sameShape, sizeOf } from "../graph.ts";
import { activate } from "./elementwise_kernels.ts";
import type { Attributes, Lowering, Lowerings, Recorder } from "./recorder.ts";
import { atLine } from "./user_line.ts";

/** The product of matrices over the last two axes; all others are the batch and broadcast. */
export function multiplyMatrices(
  graph: Recorder,
  a: number,
  b: number,
  transposeA = false,
  transposeB = false,
): number {
  const type = graph.type(a) === "float32" || graph.type(b) === "float32" ? "float32" : "int32";
  const product = multiplyFloats(
    graph,
    graph.cast(a, "float32"),
    graph.cast(b, "float32"),
    transposeA,
    transposeB,
  );
  return graph.cast(product, type);
}

function multiplyFloats(
  graph: Recorder,
  a: number,
  b: number,
  transposeA: boolean,
  transposeB: boolean,
): number {
  const matrixA = graph.shape(a).slice(-2), matrixB = graph.shape(b).slice(-2);
  const batchA = graph.shape(a).slice(0, -2), batchB = graph.shape(b).slice(0, -2);
  const batch = broadcastShape([batchA, batchB]);
  const shape = [...batch, matrixA[transposeA ? 1 : 0], matrixB[transposeB ? 0 : 1]];
  const multiply = (left: number, right: number) =>
    graph.reshape(graph.add({ kind: "matmul", transposeA, transposeB }, [left, right]), shape);

  if (sizeOf(batch) === 1) {
    return multiply(graph.reshape(a, matrixA), graph.reshape(b, matrixB));
  }
  if (sizeOf(batchB) === 1 && !transposeA) {
    // One matrix for all rows of all batches: a single product.
    const rows = sizeOf(batchA) * matrixA[0];
    return multiply(graph.reshape(a, [rows, matrixA[1]]), graph.reshape(b, matrixB));
  }
  const stack = (x: number, own: readonly number[], matrix: readonly number[]) => {
    if (sizeOf(own) === 1) return graph.reshape(x, [1, ...matrix]);
    const full = sameShape(own, batch) ? x : graph.broadcast(x, [...batch, ...matrix]);
    return graph.reshape(full, [sizeOf(batch), ...matrix]);
  };
  return multiply(stack(a, batchA, matrixA), stack(b, batchB, matrixB));
}

const batchMatMul: Lowering = (graph, { a, b }, { transposeA, transposeB }) =>
  multiplyMatrices(graph, a, b, Boolean(transposeA), Boolean(transposeB));

/** Bias and activation after a product or a convolution. */
export function finishFused(
  graph: Recorder,
  product: number,
  { bias, preluActivationWeights }: Readonly<Record<string, number>>,
  attributes: Attributes,
): number {
  const sum = bias === undefined ? product : graph.elementwise("add", product, bias);
  const result = activate(graph, sum, attributes, preluActivationWeights);
  if (result === undefined) {
    throw new JitError(
      `activation ${attributes.activation}${atLine(graph.position().line)} cannot be compiled: ` +
        "expected one of linear, relu, relu6, elu, sigmoid, leakyrelu, prelu; apply it apart",
    );
  }
  return result;
}

const fusedMatMul: Lowering = (graph, inputs, attributes) => {
  const product = batchMatMul(graph, inputs, attributes) as number;
  return finishFused(graph, product, inputs, attributes);
};

/** A tensor with a name (a number) for each axis. */
interface Labelled {
  readonly node: number;
  readonly labels: readonly number[];
}

/** Pairs from left to right, each a batched matrix product. */
const einsum: Lowering = (graph, inputs, { equation }) => {
  const operands = Object.values(inputs);
  const { allDims, summedDims, idDims } = tf.backend_util.decodeEinsumEquation(
    equation as string,
    operands.length,
  );
  // Labels are numbered with those of the result first, in its order.
  const outputs = allDims.length - summedDims.length;
  const labelled = operands.map((node, i): Labelled => ({ node, labels: idDims[i] }));
  const result = labelled.reduce((left, right, i) => {
    const later = labelled.slice(i + 1).flatMap(({ labels }) => labels);
    const keep = (label: number) => label < outputs || later.includes(label);
    return contract(graph, left, right, keep);
  });
  const { node, labels } = sumOut(graph, result, (label) => label < outputs);
  return graph.transpose(node, labels.map((_, label) => labels.indexOf(label)));
};

function sumOut(
  graph: Recorder,
  { node, labels }: Labelled,
  keep: (label: number) => boolean,
): Labelled {
  const axes = labels.flatMap((label, axis) => keep(label) ? [] : [axis]);
  if (axes.length === 0) return { node, labels };
  return { node: graph.reduce("sum", node, axes), labels: labels.filter(keep) };
}

/** The product of two tensors, summed over the labels that nobody keeps. */
function contract(
  graph: Recorder,
  left: Labelled,
  right: Labelled,
  keep: (label: number) => boolean,
): Labelled {
  const a = sumOut(graph, left, (label) => keep(label) || right.labels.includes(label));
  const b = sumOut(graph, right, (label) => keep(label) || left.labels.includes(label));
  const shared = a.labels.filter((label) => b.labels.includes(label));
  const batch = shared.filter(keep), summed = shared.filter((label) => !keep(label));
  const freeA = a.labels.filter((label) => !shared.includes(label));
  const freeB = b.labels.filter((label) => !shared.includes(label));
  const extents = (x: Labelled, labels: readonly number[]) =>
    labels.map((label) => graph.shape(x.node)[x.labels.indexOf(label)]);
  const arrange = (x: Labelled, ...groups: number[][]) => {
    const permutation = groups.flat().map((label) => x.labels.indexOf(label));
    const shape = groups.map((labels) => sizeOf(extents(x, labels)));
    return graph.reshape(graph.transpose(x.node, permutation), shape);
  };
  const product = multiplyMatrices(
    graph,
    arrange(a, batch, freeA, summed),
    arrange(b, batch, summed, freeB),
  );
  const shape = [...extents(a, batch), ...extents(a, freeA), ...extents(b, freeB)];
  return { node: graph.reshape(product, shape), labels: [...batch, ...freeA, ...freeB] };
}

/** The products. */
export const productKernels: Lowerings = {
  BatchMatMul: batchMatMul,
  Einsum: einsum,
  _FusedMatMul: fusedMatMul,
};
