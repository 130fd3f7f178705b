/**
 * @file Broadcasts: elementwise functions broadcast by themselves, so that most broadcasts are not
 * needed; those that are come as late as possible, so that work on a small array stays small. No
 * rule changes a bit of a result.
 */
import { broadcastShape, type Graph, type Node, sameShape, sizeOf } from "../graph.ts";
import { alignAxes, padRank } from "./axes.ts";
import { rewrite, type Rewriter, type Rule, splatValue } from "./rewrite.ts";

/** Removes broadcasts, and moves the others towards the results. */
export function moveBroadcasts(graph: Graph): Graph {
  return rewrite(graph, {
    broadcast: [broadcastOfNothing, broadcastOfBroadcast, broadcastOfLeadingOnes],
    elementwise: [elementwiseOfBroadcasts, elementwiseOfLeadingOnes],
    transpose: [transposeOfBroadcast],
    reshape: [reshapeOfBroadcast],
    slice: [sliceOfBroadcast],
  });
}

/** To the same shape, or to one with more axes of extent 1. */
const broadcastOfNothing: Rule = ({ inputs, shape }, { at, reshape }) =>
  sizeOf(at(inputs[0]).shape) === sizeOf(shape) ? reshape(inputs[0], shape) : undefined;

/** Two broadcasts are one. */
const broadcastOfBroadcast: Rule = ({ inputs, shape }, { at, broadcast }) => {
  const { operation, inputs: [inner] } = at(inputs[0]);
  return operation.kind === "broadcast" ? broadcast(inner, shape) : undefined;
};

/** A reshape that only puts ones in front: what a broadcast does by itself. */
const broadcastOfLeadingOnes: Rule = ({ inputs, shape }, rewriter) => {
  const inner = withoutLeadingOnes(inputs[0], rewriter);
  return inner === inputs[0] ? undefined : rewriter.broadcast(inner, shape);
};

/** What a reshape that only adds ones in front was made of; else the node itself. */
function withoutLeadingOnes(index: number, { at }: Rewriter): number {
  const { operation, inputs, shape } = at(index);
  if (operation.kind !== "reshape") return index;
  const inner = at(inputs[0]).shape;
  const padded = inner.length < shape.length && sameShape(padRank(inner, shape.length), shape);
  return padded ? inputs[0] : index;
}

/** What a node is a broadcast of; of a constant, its one value. Else the node itself. */
function small(index: number, { at, splat }: Rewriter): number {
  const node = at(index), value = splatValue(node);
  if (node.operation.kind === "broadcast") return node.inputs[0];
  return value === undefined || node.shape.length === 0 ? index : splat(value, [], node.type);
}

/**
 * An elementwise function of broadcasts: where the others give the result its shape, they are not
 * needed; where all are broadcasts, one of the result is enough.
 */
const elementwiseOfBroadcasts: Rule = (node, rewriter) => {
  const { operation, inputs, shape } = node;
  if (inputs.every((input) => !isBroadcast(rewriter.at(input)))) return;
  const operands = inputs.map((input) => small(input, rewriter));
  return rewriter.broadcast(rewriter.add(operation, operands), shape);
};

function isBroadcast(node: Node): boolean {
  return node.operation.kind === "broadcast" ||
    (node.shape.length > 0 && splatValue(node) !== undefined);
}

/** Ones in front of an operand's shape, where the others give the result its rank. */
const elementwiseOfLeadingOnes: Rule = ({ operation, inputs, shape }, rewriter) => {
  for (let i = 0; i < inputs.length; i++) {
    const inner = withoutLeadingOnes(inputs[i], rewriter);
    if (inner === inputs[i]) continue;
    const operands = inputs.with(i, inner);
    if (sameShape(broadcastShape(operands.map((o) => rewriter.at(o).shape)), shape)) {
      return rewriter.add(operation, operands);
    }
  }
};

/** The transpose of a broadcast is a broadcast of a transpose. */
const transposeOfBroadcast: Rule = ({ operation, inputs, shape }, rewriter) => {
  const inner = rewriter.at(inputs[0]);
  if (operation.kind !== "transpose" || inner.operation.kind !== "broadcast") return;
  const full = padRank(rewriter.at(inner.inputs[0]).shape, shape.length);
  const small = rewriter.reshape(inner.inputs[0], full);
  return rewriter.broadcast(rewriter.add(operation, [small]), shape);
};

/** A reshape that only puts in or takes out axes of extent 1 is as well done before a broadcast. */
const reshapeOfBroadcast: Rule = ({ inputs, shape }, rewriter) => {
  const inner = rewriter.at(inputs[0]);
  if (inner.operation.kind !== "broadcast" || sizeOf(shape) === 0) return;
  const full = padRank(rewriter.at(inner.inputs[0]).shape, inner.shape.length);
  const before = Array<number>(shape.length).fill(1);
  for (const { from, to } of alignAxes(inner.shape, shape)) {
    if (from.length !== 1 || to.length !== 1) return;
    before[to[0]] = full[from[0]];
  }
  return rewriter.broadcast(rewriter.reshape(inner.inputs[0], before), shape);
};

/** Of an axis that is a repetition of one cell, any part is a shorter repetition. */
const sliceOfBroadcast: Rule = ({ operation, inputs, shape }, rewriter) => {
  const inner = rewriter.at(inputs[0]);
  if (operation.kind !== "slice" || inner.operation.kind !== "broadcast") return;
  const full = padRank(rewriter.at(inner.inputs[0]).shape, shape.length);
  const begin = operation.begin.map((first, i) => full[i] === 1 ? 0 : first);
  const size = operation.size.map((extent, i) => full[i] === 1 ? 1 : extent);
  const part = rewriter.add(
    { kind: "slice", begin, size, strides: operation.strides.map((s, i) => full[i] === 1 ? 1 : s) },
    [rewriter.reshape(inner.inputs[0], full)],
  );
  return rewriter.broadcast(part, shape);
};
