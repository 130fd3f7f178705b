/**
 * @file What the passes share: one visit of a graph's nodes in order, with rules that may put
 * something else in a node's place. Operands are rewritten before the nodes that use them, and what
 * a rule makes is itself put to the rules, so that nearly all of the work is done in one sweep;
 * sweeps are repeated until no rule fires (rules that look at how often a node is used may fire a
 * sweep late). The same idea as "smart constructors", or as local rewriting in LLVM's InstCombine.
 */
import type { DataType, ElementwiseName } from "../elementwise.ts";
import {
  type Graph,
  infer,
  type Node,
  type Operation,
  sameShape,
  type ValueType,
} from "../graph.ts";
import { removeDeadCode } from "./dead_code.ts";

/** A pass: a graph that gives the same results, or the very same graph where there is nothing to do. */
export type Pass = (graph: Graph) => Graph;

/** The graph that a rule works on: nodes so far, and ways to add some. */
export interface Rewriter {
  /** A node of the new graph. */
  at(index: number): Node;
  /** A node, put to the rules. `given` is the type of a constant. */
  add(operation: Operation, inputs: readonly number[], given?: ValueType): number;
  /** An elementwise node. */
  elementwise(name: ElementwiseName, ...inputs: number[]): number;
  /** A constant of one value. */
  splat(value: number, shape?: readonly number[], type?: DataType): number;
  /** The same cells in another shape; nothing where the shape is the same. */
  reshape(input: number, shape: readonly number[]): number;
  /** Repeated along axes; nothing where the shape is the same. */
  broadcast(input: number, shape: readonly number[]): number;
  /** Whether a node has a single user, so that work moves, rather than doubles, with a rewriting. */
  usedOnce(index: number): boolean;
}

/**
 * A rule: a node of the new graph with the value of `node` (whose operands are of the new graph,
 * and rewritten already), or undefined where the rule has nothing to say. Shape and type must be
 * the node's own.
 */
export type Rule = (node: Node, rewriter: Rewriter) => number | undefined;

/** Rules by what they apply to: an elementwise function, a kind of operation, or any node. */
export type Rules = {
  readonly [key in ElementwiseName | Operation["kind"] | "any"]?: readonly Rule[];
};

/** Sweeps end by themselves; this is against rules that undo each other. */
const MOST_SWEEPS = 16;

/** Applies rules until none fires. */
export function rewrite(graph: Graph, rules: Rules): Graph {
  for (let i = 0; i < MOST_SWEEPS; i++) {
    const swept = removeDeadCode(sweep(graph, rules));
    if (swept === graph) break;
    graph = swept;
  }
  return graph;
}

function sweep(graph: Graph, rules: Rules): Graph {
  const uses = countUses(graph), newUses: number[] = [];
  const nodes: Node[] = [], places: number[] = [];
  let fired = false, source: string | undefined;
  const place = (node: Node): number => {
    const replacement = applyRules(node, rules, rewriter);
    if (replacement === undefined) return nodes.push(node) - 1;
    fired = true;
    assertSameType(node, nodes[replacement]);
    return replacement;
  };
  const rewriter: Rewriter = {
    at: (index) => nodes[index],
    add(operation, inputs, given) {
      const { shape, type } = infer(operation, inputs.map((i) => nodes[i]), given);
      return place({ operation, inputs, shape, type, ...(source && { source }) });
    },
    elementwise: (name, ...inputs) => rewriter.add({ kind: "elementwise", name }, inputs),
    splat(value, shape = [], type = "float32") {
      const values = type === "float32" ? Float32Array.of(value) : Int32Array.of(value);
      return rewriter.add({ kind: "constant", values }, [], { shape, type });
    },
    reshape: (input, shape) =>
      sameShape(nodes[input].shape, shape)
        ? input
        : rewriter.add({ kind: "reshape", shape }, [input]),
    broadcast: (input, shape) =>
      sameShape(nodes[input].shape, shape)
        ? input
        : rewriter.add({ kind: "broadcast", shape }, [input]),
    usedOnce: (index) => (newUses[index] ?? 0) <= 1,
  };
  graph.nodes.forEach((node, i) => {
    source = node.source;
    const moved = node.inputs.some((input) => places[input] !== input);
    const inputs = moved ? node.inputs.map((input) => places[input]) : node.inputs;
    places[i] = place(moved ? { ...node, inputs } : node);
    newUses[places[i]] = (newUses[places[i]] ?? 0) + uses[i];
  });
  if (!fired) return graph;
  const outputs = graph.outputs.map(({ name, node }) => ({ name, node: places[node] }));
  return { nodes, inputs: graph.inputs, outputs };
}

function applyRules(node: Node, rules: Rules, rewriter: Rewriter): number | undefined {
  const { operation } = node;
  for (
    const list of [
      operation.kind === "elementwise" ? rules[operation.name] : undefined,
      rules[operation.kind],
      rules.any,
    ]
  ) {
    for (const rule of list ?? []) {
      const replacement = rule(node, rewriter);
      if (replacement !== undefined) return replacement;
    }
  }
}

function countUses({ nodes, outputs }: Graph): Int32Array {
  const uses = new Int32Array(nodes.length);
  for (const { inputs } of nodes) for (const input of inputs) uses[input]++;
  for (const { node } of outputs) uses[node]++;
  return uses;
}

function assertSameType(node: Node, replacement: Node): void {
  if (node.type === replacement.type && sameShape(node.shape, replacement.shape)) return;
  const { operation } = node;
  throw new Error(
    `a rule for ${operation.kind === "elementwise" ? operation.name : operation.kind} made ` +
      `${replacement.type}[${replacement.shape}] of ${node.type}[${node.shape}]`,
  );
}

/** The value of a constant that is the same in all cells; undefined of other nodes. */
export function splatValue({ operation }: Node): number | undefined {
  return operation.kind === "constant" && operation.values.length === 1
    ? operation.values[0]
    : undefined;
}

/** Whether a node applies the given elementwise function. */
export function isElementwise({ operation }: Node, name: ElementwiseName): boolean {
  return operation.kind === "elementwise" && operation.name === name;
}
