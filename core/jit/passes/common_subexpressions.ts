/**
 * @file Common subexpressions: of nodes that compute the same, the first stays. Nodes are the same
 * if their operations are and their operands are (in any order, where they commute). Random draws
 * are functions of their operands too, so equal ones are one.
 */
import type { Graph, Node } from "../graph.ts";
import { removeDeadCode } from "./dead_code.ts";

/** Constants with more cells are the same only where they are one array: comparing takes too long. */
const MOST_CELLS = 4096;

/** Computes everything once. */
export function mergeCommonSubexpressions(graph: Graph): Graph {
  const first = new Map<string, number>(), arrays = new Map<object, number>();
  const places: number[] = [];
  let merged = false;
  const nodes = graph.nodes.map((node, i) => {
    const moved = node.inputs.some((input) => places[input] !== input);
    const copy = moved ? { ...node, inputs: node.inputs.map((input) => places[input]) } : node;
    const key = keyOf(copy, arrays);
    places[i] = first.get(key) ?? i;
    if (places[i] === i) first.set(key, i);
    else merged = true;
    return copy;
  });
  if (!merged) return graph;
  const outputs = graph.outputs.map(({ name, node }) => ({ name, node: places[node] }));
  return removeDeadCode({ nodes, inputs: graph.inputs, outputs });
}

/** Elementwise functions with f(a, b) = f(b, a), but for which NaN it is. */
const commuting: ReadonlySet<string> = new Set([
  ...["add", "multiply", "maximum", "minimum", "equal", "notEqual", "and", "or"],
]);

/** A text that two nodes have in common only if they compute the same; `arrays` numbers large ones. */
function keyOf({ operation, inputs, shape, type }: Node, arrays: Map<object, number>): string {
  if (operation.kind === "constant") {
    const { values } = operation;
    if (values.length <= MOST_CELLS) return `${type}[${shape}] ${cellsText(values)}`;
    if (!arrays.has(values)) arrays.set(values, arrays.size);
    return `${type}[${shape}] array ${arrays.get(values)}`;
  }
  const attributes: (string | number)[] = [];
  for (const [name, value] of Object.entries(operation)) attributes.push(name, String(value));
  const commutes = operation.kind === "elementwise" && commuting.has(operation.name);
  const operands = commutes ? inputs.toSorted((a, b) => a - b) : inputs;
  return `${attributes.join(" ")} (${operands}) ${type}[${shape}]`;
}

/** The bits of cells, as text: −0 is not 0, and NaN is itself. */
function cellsText(values: Float32Array | Int32Array): string {
  return new Int32Array(values.buffer, values.byteOffset, values.length).join();
}
