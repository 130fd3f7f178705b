/** @file Dead code: nodes that no result needs. Arguments stay, needed or not. */
import type { Graph, Node } from "../graph.ts";

/** The graph without nodes that no result needs; the very same graph where all are needed. */
export function removeDeadCode(graph: Graph): Graph {
  const { nodes, outputs } = graph;
  const needed = nodes.map(({ operation }) => operation.kind === "input");
  for (const { node } of outputs) needed[node] = true;
  for (let i = nodes.length - 1; i >= 0; i--) {
    if (needed[i]) { for (const input of nodes[i].inputs) needed[input] = true; }
  }
  if (needed.every((need) => need)) return graph;
  const places = new Int32Array(nodes.length), kept: Node[] = [];
  nodes.forEach((node, i) => {
    if (!needed[i]) return;
    const moved = node.inputs.some((input) => places[input] !== input);
    places[i] = kept.length;
    kept.push(moved ? { ...node, inputs: node.inputs.map((input) => places[input]) } : node);
  });
  const moved = outputs.map(({ name, node }) => ({ name, node: places[node] }));
  return { nodes: kept, inputs: graph.inputs, outputs: moved };
}
