/**
 * @file Less memory for a little more work: filters in the Winograd domain, four times as large as the
 * filters themselves, are made anew for each convolution that needs them rather than kept from one
 * pass over a network to the next (rematerialisation: Chen et al., "Training Deep Nets with Sublinear
 * Memory Cost", 2016, for the one thing where it costs next to nothing).
 */
import { type Graph, GraphBuilder, type Node, sizeOf } from "../graph.ts";

/** Convolutions, in the order of the graph, that a filter is kept for beyond one that uses it. */
const nearby = 3;

/** Operations of a cell or two, that a filter's weights may be computed by a second time. */
const mostOperations = 8;

/**
 * The graph with a Winograd-domain filter for each of its uses, but for uses close to each other, and
 * with the elementwise work that its weights come from.
 */
export function recomputeFilters(graph: Graph): Graph {
  const { nodes } = graph;
  const builder = new GraphBuilder(), places: number[] = [];
  const isLazy = nodes.map(({ operation }) => operation.kind === "winogradFilter");
  for (const { node } of graph.outputs) isLazy[node] = false;
  /** When a filter, or the weights of some, was used last, counted in convolutions. */
  const lastUse = new Map<number, number>();
  let convolutions = 0;
  const isFresh = (node: number) => convolutions - (lastUse.get(node) ?? -Infinity) <= nearby;
  const makeFilter = (filter: number) => {
    const [weights] = nodes[filter].inputs;
    const again = lastUse.has(weights) && !isFresh(weights) ? weightsOf(nodes, weights) : [];
    for (const index of [...again, filter]) {
      const { operation, inputs, source } = nodes[index];
      const operands = inputs.map((input) => places[input]);
      places[index] = builder.add(operation, operands, { given: nodes[index], source });
    }
    lastUse.set(weights, convolutions);
  };
  nodes.forEach((node, index) => {
    const { operation, inputs, source } = node;
    if (isLazy[index]) return;
    if (operation.kind === "winogradConv2d") {
      const [, filter] = inputs;
      if (isLazy[filter] && !isFresh(filter)) makeFilter(filter);
      lastUse.set(filter, convolutions++);
    }
    const operands = inputs.map((input) => places[input]);
    places[index] = builder.add(operation, operands, { given: node, source });
  });
  const outputs = graph.outputs.map(({ name, node }) => ({ name, node: places[node] }));
  return builder.finish(outputs, graph.inputs);
}

/**
 * The operations that make weights of arguments and of what is much smaller than they are, in order;
 * none where it takes others, which would have to be kept instead.
 */
function weightsOf(nodes: readonly Node[], weights: number): number[] {
  const large = sizeOf(nodes[weights].shape) / 8;
  const chain = new Set<number>(), stack = [weights];
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    const { operation: { kind }, shape, inputs } = nodes[at];
    if (chain.has(at) || kind === "input" || kind === "constant" || sizeOf(shape) < large) continue;
    const isCheap = kind === "elementwise" || kind === "reshape" || kind === "broadcast";
    if (!isCheap || chain.size === mostOperations) return [];
    chain.add(at);
    stack.push(...inputs);
  }
  return [...chain].sort((a, b) => a - b);
}
