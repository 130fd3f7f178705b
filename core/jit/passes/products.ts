/**
 * @file Products: transpositions become flags of products, products of many matrices with one
 * become one product, and products with repeated rows or columns smaller ones. Convolutions by a
 * 1×1 filter are products of pixels and channels.
 */
import { type Graph, type Node, type Operation, sameShape, sizeOf } from "../graph.ts";
import { padRank } from "./axes.ts";
import { rewrite, type Rewriter, type Rule, splatValue } from "./rewrite.ts";

/** Simplifies products. */
export function simplifyProducts(graph: Graph): Graph {
  return rewrite(graph, {
    matmul: [transposedOperand, batchOfOne, sharedRight, repeatedOperand, paddedOperand],
    transpose: [transposedProduct],
    slice: [sliceOfProduct],
    conv2d: [pointwise],
    conv2dInputGradient: [pointwiseInputGradient],
    conv2dFilterGradient: [pointwiseFilterGradient],
  });
}

type Matmul = Operation & { readonly kind: "matmul" };

/** Whether a node turns its matrices, of rank 2 or 3, on their diagonal. */
function isMatrixTranspose({ operation }: Node): boolean {
  if (operation.kind !== "transpose") return false;
  const { permutation } = operation, rank = permutation.length;
  return (rank === 2 && permutation[0] === 1) ||
    (rank === 3 && permutation[0] === 0 && permutation[1] === 2);
}

/** A transposed operand is a flag. */
const transposedOperand: Rule = ({ operation, inputs: [a, b] }, { at, add }) => {
  if (operation.kind !== "matmul") return;
  if (isMatrixTranspose(at(a))) {
    return add({ ...operation, transposeA: !operation.transposeA }, [at(a).inputs[0], b]);
  }
  if (isMatrixTranspose(at(b))) {
    return add({ ...operation, transposeB: !operation.transposeB }, [a, at(b).inputs[0]]);
  }
};

/** (A·B)ᵀ = Bᵀ·Aᵀ. */
const transposedProduct: Rule = (node, { at, add, usedOnce }) => {
  const [input] = node.inputs, { operation, inputs: [a, b] } = at(input);
  if (!isMatrixTranspose(node) || operation.kind !== "matmul" || !usedOnce(input)) return;
  const flags = { transposeA: !operation.transposeB, transposeB: !operation.transposeA };
  return add({ kind: "matmul", ...flags }, [b, a]);
};

/** A batch of one product is a product. */
const batchOfOne: Rule = ({ operation, inputs, shape }, { at, add, reshape }) => {
  if (shape.length !== 3 || shape[0] !== 1) return;
  const matrices = inputs.map((input) => reshape(input, at(input).shape.slice(1)));
  return reshape(add(operation, matrices), shape);
};

/** Many matrices times one, untransposed: one matrix of all their rows. */
const sharedRight: Rule = ({ operation, inputs: [a, b], shape }, { at, add, reshape }) => {
  if (operation.kind !== "matmul" || shape.length !== 3 || operation.transposeA) return;
  if (at(b).shape[0] !== 1) return;
  const [batch, m, k] = at(a).shape;
  const rows = reshape(a, [batch * m, k]);
  return reshape(add(operation, [rows, reshape(b, at(b).shape.slice(1))]), shape);
};

/** What an operand repeats: a broadcast's operand or a splat's value, in the operand's rank. */
function repeated(index: number, { at, splat, reshape }: Rewriter): number | undefined {
  const { operation, inputs, shape, type } = at(index);
  const ones = Array<number>(shape.length).fill(1);
  if (operation.kind === "broadcast") {
    return reshape(inputs[0], padRank(at(inputs[0]).shape, shape.length));
  }
  const value = splatValue(at(index));
  return value === undefined || sameShape(shape, ones) ? undefined : splat(value, ones, type);
}

/** The axes of an operand of a product: that of the result's rows or columns, and the summed one. */
function matrixAxes(operation: Matmul, side: number, rank: number): [outer: number, inner: number] {
  const outerFirst = side === 0 ? !operation.transposeA : operation.transposeB;
  return outerFirst ? [rank - 2, rank - 1] : [rank - 1, rank - 2];
}

/**
 * Where an operand is one row, column or matrix of the result again and again, one is computed and
 * repeated; where it is one value along the axis that is summed, the other operand is summed alone:
 * Σₖ aᵢ bₖⱼ = aᵢ Σₖ bₖⱼ.
 */
const repeatedOperand: Rule = (node, rewriter) => {
  const { operation, inputs, shape } = node, { at, add, broadcast } = rewriter;
  if (operation.kind !== "matmul") return;
  for (const side of [0, 1]) {
    const small = repeated(inputs[side], rewriter);
    if (small === undefined) continue;
    const full = at(inputs[side]).shape, extents = at(small).shape;
    const [outer, inner] = matrixAxes(operation, side, full.length);
    if (extents[inner] === 1) return outerProduct(node, side, small, rewriter);
    const axis = [0, outer].find((axis) => extents[axis] === 1 && full[axis] > 1);
    if (axis === undefined) continue;
    const one = broadcast(small, full.with(axis, 1));
    return broadcast(add(operation, inputs.with(side, one)), shape);
  }
};

/** The product with an operand that is `small`, one cell wide, repeated along the summed axis. */
function outerProduct(
  { operation, inputs, shape }: Node,
  side: number,
  small: number,
  { at, add, reshape, elementwise, broadcast }: Rewriter,
): number {
  const other = inputs[1 - side];
  const [, summed] = matrixAxes(operation as Matmul, 1 - side, shape.length);
  const sum = add({ kind: "reduce", name: "sum", axes: [summed] }, [other]);
  const factors = [[small, side], [sum, 1 - side]].map(([factor, side]) => {
    const batch = shape.length === 3 ? at(factor).shape.slice(0, 1) : [];
    const extent = sizeOf(at(factor).shape) / sizeOf(batch);
    return reshape(factor, [...batch, ...(side === 0 ? [extent, 1] : [1, extent])]);
  });
  return broadcast(elementwise("multiply", factors[0], factors[1]), shape);
}

/** Part of a product's rows is the product of part of the rows, and so for columns and matrices. */
const sliceOfProduct: Rule = (node, { at, add, usedOnce }) => {
  const [input] = node.inputs, { operation, inputs, shape } = at(input);
  if (operation.kind !== "matmul" || node.operation.kind !== "slice" || !usedOnce(input)) return;
  const { begin, size, strides } = node.operation, rank = shape.length;
  const operands = inputs.map((operand, side) => {
    const full = at(operand).shape;
    const [outer, inner] = matrixAxes(operation, side, rank), cut = rank - 2 + side;
    const part = {
      begin: begin.with(inner, 0).with(outer, begin[cut]),
      size: size.with(inner, full[inner]).with(outer, size[cut]),
      strides: strides.with(inner, 1).with(outer, strides[cut]),
    };
    if (rank === 3 && full[0] === 1) {
      part.begin[0] = 0;
      part.size[0] = part.strides[0] = 1;
    }
    return sameShape(part.size, full) ? operand : add({ kind: "slice", ...part }, [operand]);
  });
  return add(operation, operands);
};

/**
 * Zeros around an operand: along the summed axis, what they are multiplied with is left out (it does
 * not count, were it NaN); along another, they are put around the product.
 */
const paddedOperand: Rule = ({ operation, inputs, shape }, { at, add }) => {
  if (operation.kind !== "matmul") return;
  for (const side of [0, 1]) {
    const { operation: pad, inputs: [inner], shape: full } = at(inputs[side]);
    if (pad.kind !== "pad" || pad.value !== 0 || pad.interior.some((n) => n > 0)) continue;
    const { shape: from } = at(inner), padded = full.flatMap((n, i) => n > from[i] ? [i] : []);
    const rank = shape.length, [outer, summed] = matrixAxes(operation, side, rank);
    if (padded.length !== 1 || padded[0] < rank - 2) continue;
    if (padded[0] === summed) {
      const other = inputs[1 - side], size = at(other).shape;
      const [, axis] = matrixAxes(operation, 1 - side, rank), none = size.map(() => 0);
      const part = add({
        kind: "slice",
        begin: none.with(axis, pad.before[summed]),
        size: size.with(axis, from[summed]),
        strides: size.map(() => 1),
      }, [other]);
      return add(operation, side === 0 ? [inner, part] : [part, inner]);
    }
    const none = shape.map(() => 0), axis = rank - 2 + side;
    return add({
      kind: "pad",
      before: none.with(axis, pad.before[outer]),
      after: none.with(axis, pad.after[outer]),
      interior: none,
      value: 0,
    }, [add(operation, inputs.with(side, inner))]);
  }
};

/** Whether a convolution's filter, [1, 1, c, o] here, sees one pixel at a time, each once. */
function isPointwise(operation: Operation, filterShape: readonly number[]): boolean {
  if (!("pads" in operation) || !("strides" in operation)) return false;
  return filterShape[0] === 1 && filterShape[1] === 1 &&
    operation.pads.every((pad) => pad === 0) &&
    operation.strides.every((stride) => stride === 1);
}

/** All but the last axis as one. */
function pixels(index: number, { at, reshape }: Rewriter): number {
  const { shape } = at(index), channels = shape[shape.length - 1];
  return reshape(index, [sizeOf(shape.slice(0, -1)), channels]);
}

/** x · filter, pixel by pixel. */
const pointwise: Rule = ({ operation, inputs: [x, filter], shape }, rewriter) => {
  if (!isPointwise(operation, rewriter.at(filter).shape)) return;
  const operands = [pixels(x, rewriter), pixels(filter, rewriter)];
  const product = { kind: "matmul", transposeA: false, transposeB: false } as const;
  return rewriter.reshape(rewriter.add(product, operands), shape);
};

/** dy · filterᵀ. */
const pointwiseInputGradient: Rule = ({ operation, inputs: [dy, filter], shape }, rewriter) => {
  if (!isPointwise(operation, rewriter.at(filter).shape)) return;
  const operands = [pixels(dy, rewriter), pixels(filter, rewriter)];
  const product = { kind: "matmul", transposeA: false, transposeB: true } as const;
  return rewriter.reshape(rewriter.add(product, operands), shape);
};

/** xᵀ · dy. */
const pointwiseFilterGradient: Rule = ({ operation, inputs: [x, dy], shape }, rewriter) => {
  if (!isPointwise(operation, shape)) return;
  const operands = [pixels(x, rewriter), pixels(dy, rewriter)];
  const product = { kind: "matmul", transposeA: true, transposeB: false } as const;
  return rewriter.reshape(rewriter.add(product, operands), shape);
};
