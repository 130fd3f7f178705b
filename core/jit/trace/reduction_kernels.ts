/**
 * @file TensorFlow.js's reductions, and softmax, which is two of them.
 */
import type { Attributes, Lowering, Lowerings, Recorder } from "./recorder.ts";

/** The axes that an attribute names: one, several, or all where it is missing; each from 0 up. */
export function axesOf(axes: unknown, rank: number): number[] {
  if (axes === undefined || axes === null) return Array.from({ length: rank }, (_, axis) => axis);
  const list = typeof axes === "number" ? [axes] : axes as number[];
  return [...new Set(list.map((axis) => axis < 0 ? axis + rank : axis))];
}

function axesAndKeep(
  graph: Recorder,
  x: number,
  { axis, reductionIndices, keepDims }: Attributes,
): { axes: number[]; keep: boolean } {
  const axes = axesOf(reductionIndices ?? axis, graph.shape(x).length);
  return { axes, keep: Boolean(keepDims) };
}

const sum: Lowering = (graph, { x }, attributes) => {
  const { axes, keep } = axesAndKeep(graph, x, attributes);
  return graph.reduce("sum", graph.numeric(x)[0], axes, keep);
};

const mean: Lowering = (graph, { x }, attributes) => {
  const { axes, keep } = axesAndKeep(graph, x, attributes);
  const count = axes.reduce((product, axis) => product * graph.shape(x)[axis], 1);
  const total = graph.reduce("sum", graph.cast(x, "float32"), axes, keep);
  return count === 1 ? total : graph.elementwise("divide", total, graph.number(count));
};

/** Bools are reduced as the integers that they are. */
function extremum(name: "maximum" | "minimum"): Lowering {
  return (graph, { x }, attributes) => {
    const { axes, keep } = axesAndKeep(graph, x, attributes);
    const reduced = graph.reduce(name, graph.numeric(x)[0], axes, keep);
    return graph.cast(reduced, graph.type(x));
  };
}

/** e^(x − max)/Σ e^(x − max) over one axis. */
const softmax: Lowering = (graph, { logits }, { dim }) => {
  const axes = axesOf(dim, graph.shape(logits).length);
  const highest = graph.reduce("maximum", logits, axes, true);
  const weights = graph.elementwise(
    "exponential",
    graph.elementwise("subtract", logits, highest),
  );
  return graph.elementwise("divide", weights, graph.reduce("sum", weights, axes, true));
};

/** The reductions. */
export const reductionKernels: Lowerings = {
  All: extremum("minimum"),
  Any: extremum("maximum"),
  Max: extremum("maximum"),
  Mean: mean,
  Min: extremum("minimum"),
  Softmax: softmax,
  Sum: sum,
};
