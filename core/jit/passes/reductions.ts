/**
 * @file Reductions: what does not vary along the reduced axes comes out of them, and what moves
 * cells about is not done before them. Sums change in rounding only.
 */
import { type Graph, type Node, type Operation, sizeOf } from "../graph.ts";
import { alignAxes, padRank } from "./axes.ts";
import { isElementwise, rewrite, type Rewriter, type Rule } from "./rewrite.ts";

/** Simplifies reductions. */
export function simplifyReductions(graph: Graph): Graph {
  return rewrite(graph, {
    reduce: [
      reduceBroadcast,
      reduceTranspose,
      reduceReshape,
      reduceReverse,
      reduceReduce,
      sumOfNegative,
      sumOfProduct,
    ],
  });
}

type Reduce = Operation & { readonly kind: "reduce" };

/** A rule for the reduction of a value of the given kind. */
function reductionOf(
  kind: Operation["kind"],
  rule: (operation: Reduce, inner: Node, node: Node, rewriter: Rewriter) => number | undefined,
): Rule {
  return (node, rewriter) => {
    const inner = rewriter.at(node.inputs[0]);
    if (node.operation.kind !== "reduce" || inner.operation.kind !== kind) return;
    return rule(node.operation, inner, node, rewriter);
  };
}

/** Along axes of repetition, a sum is so many times the cell, an extremum the cell. */
const reduceBroadcast = reductionOf(
  "broadcast",
  ({ name, axes }, inner, { shape, type }, rewriter) => {
    const { shape: extents, inputs: [input] } = inner, { at } = rewriter;
    const from = padRank(at(input).shape, extents.length);
    const repeated = axes.filter((axis) => from[axis] === 1);
    if (repeated.length === 0) return;
    const count = sizeOf(repeated.map((axis) => extents[axis]));
    if (count === 0 || (type !== "float32" && name === "sum")) return;
    const reduced = rewriter.add({ kind: "reduce", name, axes }, [rewriter.reshape(input, from)]);
    const value = name === "sum"
      ? rewriter.elementwise("multiply", reduced, rewriter.splat(count))
      : reduced;
    return rewriter.broadcast(value, shape);
  },
);

/** The axes that are reduced need not be moved first. */
const reduceTranspose = reductionOf("transpose", ({ name, axes }, inner, _, rewriter) => {
  if (inner.operation.kind !== "transpose") return;
  const { permutation } = inner.operation;
  const reduced = axes.map((axis) => permutation[axis]).sort((a, b) => a - b);
  const kept = permutation.filter((axis) => !reduced.includes(axis));
  const order = kept.toSorted((a, b) => a - b);
  const sum = rewriter.add({ kind: "reduce", name, axes: reduced }, inner.inputs);
  if (kept.every((axis, i) => axis === order[i])) return sum;
  const moved = kept.map((axis) => order.indexOf(axis));
  return rewriter.add({ kind: "transpose", permutation: moved }, [sum]);
});

/** A reshape that splits or merges axes which are all reduced, or all kept, is done after. */
const reduceReshape = reductionOf("reshape", ({ name, axes }, inner, { shape }, rewriter) => {
  const from = rewriter.at(inner.inputs[0]).shape;
  if (sizeOf(from) === 0) return; // of no cells at all, axes do not correspond
  const reduced: number[] = [];
  for (const block of alignAxes(from, inner.shape)) {
    const count = block.to.filter((axis) => axes.includes(axis)).length;
    if (count > 0 && count < block.to.length) return;
    if (count > 0) reduced.push(...block.from);
  }
  const sum = rewriter.add({ kind: "reduce", name, axes: reduced }, inner.inputs);
  return rewriter.reshape(sum, shape);
});

/** The order of what is reduced does not matter. */
const reduceReverse = reductionOf("reverse", (operation, inner, _, rewriter) => {
  if (inner.operation.kind !== "reverse") return;
  if (!inner.operation.axes.every((axis) => operation.axes.includes(axis))) return;
  return rewriter.add(operation, inner.inputs);
});

/** Sums of sums are sums, extrema of extrema extrema. */
const reduceReduce = reductionOf("reduce", ({ name, axes }, inner, node, rewriter) => {
  if (inner.operation.kind !== "reduce" || inner.operation.name !== name) return;
  if (!rewriter.usedOnce(node.inputs[0])) return;
  const within = inner.operation.axes;
  const kept = rewriter.at(inner.inputs[0]).shape.map((_, i) => i).filter((i) =>
    !within.includes(i)
  );
  const all = [...within, ...axes.map((axis) => kept[axis])].sort((a, b) => a - b);
  return rewriter.add({ kind: "reduce", name, axes: all }, inner.inputs);
});

/** Σ −x = −Σ x. */
const sumOfNegative = reductionOf("elementwise", (operation, inner, _, rewriter) => {
  if (operation.name !== "sum" || !isElementwise(inner, "negate")) return;
  return rewriter.elementwise("negate", rewriter.add(operation, inner.inputs));
});

/** Σ x·y = y·Σ x, and Σ x/y = (Σ x)/y, for a y that does not vary along the reduced axes. */
const sumOfProduct = reductionOf("elementwise", (operation, inner, node, rewriter) => {
  if (operation.name !== "sum" || node.type !== "float32") return;
  const isProduct = isElementwise(inner, "multiply");
  if (!isProduct && !isElementwise(inner, "divide")) return;
  const rank = inner.shape.length;
  const full = inner.inputs.map((input) => padRank(rewriter.at(input).shape, rank));
  const isFixed = (side: number) => operation.axes.every((axis) => full[side][axis] === 1);
  const side = isFixed(1) ? 1 : isProduct && isFixed(0) ? 0 : -1;
  if (side < 0 || isFixed(1 - side)) return;
  const kept = full[side].filter((_, axis) => !operation.axes.includes(axis));
  const small = inner.inputs[side];
  const factor = rewriter.at(small).shape.length === 0 ? small : rewriter.reshape(small, kept);
  const other = rewriter.reshape(inner.inputs[1 - side], full[1 - side]);
  const sum = rewriter.add(operation, [other]);
  return rewriter.add(inner.operation, [sum, factor]);
});
