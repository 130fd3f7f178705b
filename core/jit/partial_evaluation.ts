/**
 * @file Partial evaluation (Jones, Gomard and Sestoft, 1993): what a program computes from arguments
 * that will not change is computed once, ahead. For a velocity, called hundreds of times with the
 * same parameters, that is the weight normalisation and the filters in the Winograd domain.
 */
import { type Graph, GraphBuilder, type Node } from "./graph.ts";

/** A program in two: the first gives what the second takes as further arguments. */
export interface SplitGraph {
  /** Computes from static arguments alone; null where nothing is worth it. */
  readonly prologue: Graph | null;
  /** The rest. */
  readonly main: Graph;
  /** What each argument of `main` is: an argument of the whole, or a result of the prologue. */
  readonly arguments: readonly (
    | { readonly kind: "argument"; readonly index: number }
    | { readonly kind: "prologue"; readonly output: number }
  )[];
}

/** Operations that move no data of their own, or as good as: not worth a stored result. */
function isFree({ operation: { kind } }: Node): boolean {
  return kind === "reshape" || kind === "broadcast" || kind === "constant" || kind === "input";
}

/**
 * Splits a graph.
 *
 * @param graph the whole
 * @param isStatic whether the argument of that index never changes
 */
export function splitStatic(graph: Graph, isStatic: (input: number) => boolean): SplitGraph {
  const { nodes } = graph;
  const isKnown: boolean[] = [];
  nodes.forEach(({ operation, inputs }, i) => {
    isKnown[i] = operation.kind === "input"
      ? isStatic(operation.index)
      : operation.kind === "constant" || inputs.every((input) => isKnown[input]);
  });
  // A result that the prologue hands over: known, and read by something that is not.
  const handedOver = new Set<number>();
  const wanted = new Set<number>();
  const want = (i: number) => {
    const set = isKnown[i] && !isFree(nodes[i]) ? handedOver : wanted;
    set.add(i);
  };
  graph.outputs.forEach(({ node }) => want(node));
  for (let i = nodes.length - 1; i >= 0; i--) {
    if (wanted.has(i)) nodes[i].inputs.forEach(want);
  }
  const used = (index: number) =>
    nodes.some(({ operation }, i) =>
      wanted.has(i) && operation.kind === "input" && operation.index === index
    );
  const kept = graph.inputs.map((_, index) => index)
    .filter((index) => !isStatic(index) || used(index));
  const handed = [...handedOver].sort((a, b) => a - b);

  const builder = new GraphBuilder();
  const moved = new Map<number, number>();
  const inputs = kept.map((index) => graph.inputs[index]);
  handed.forEach((node, output) => {
    const type = nodes[node];
    const index = inputs.push({ name: `prologue/${output}`, shape: type.shape, type: type.type }) -
      1;
    moved.set(node, builder.add({ kind: "input", index }, [], { given: type }));
  });
  nodes.forEach((node, i) => {
    if (!wanted.has(i)) return;
    const operation = node.operation.kind === "input"
      ? { ...node.operation, index: kept.indexOf(node.operation.index) }
      : node.operation;
    const operands = node.inputs.map((input) => moved.get(input)!);
    moved.set(i, builder.add(operation, operands, { given: node, source: node.source }));
  });
  const outputs = graph.outputs.map(({ name, node }) => ({ name, node: moved.get(node)! }));
  return {
    prologue: handed.length === 0 ? null : {
      ...graph,
      outputs: handed.map((node, i) => ({ name: `prologue/${i}`, node })),
    },
    main: builder.finish(outputs, inputs),
    arguments: [
      ...kept.map((index) => ({ kind: "argument" as const, index })),
      ...handed.map((_, output) => ({ kind: "prologue" as const, output })),
    ],
  };
}
