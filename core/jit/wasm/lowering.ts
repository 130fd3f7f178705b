/**
 * @file What the WASM target makes of a graph before it is scheduled: convolutions, and the gradients
 * of their inputs, by Winograd's method where it pays. A gradient of the input is a
 * convolution with the filter turned by 180° and its channels exchanged. Filters become nodes of
 * their own, one a filter, direction and tile, so that convolutions which share a filter share its
 * transform.
 */
import type { ConvolutionGeometry } from "../kernels.ts";
import { type Graph, GraphBuilder, type Node, type Pads } from "../graph.ts";
import {
  forwardPoints,
  gradientPoints,
  type MostPoints,
  type Tile,
  winogradTile,
} from "./winograd_choice.ts";

/** A convolution as Winograd's method sees it. */
interface Lowered {
  readonly transposed: boolean;
  readonly pads: Pads;
  readonly outputChannels: number;
  readonly filterSize: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly tile: Tile;
}

/** The graph with convolutions in the Winograd domain where they are faster there. */
export function lowerConvolutions(graph: Graph): Graph {
  const builder = new GraphBuilder();
  const filters = new Map<string, number>();
  const places: number[] = [];
  const hasGradients = graph.nodes.some(({ operation: { kind } }) =>
    kind === "conv2dInputGradient" || kind === "conv2dFilterGradient"
  );
  const most = hasGradients ? gradientPoints : forwardPoints;
  for (const node of graph.nodes) {
    const { operation, source } = node;
    const inputs = node.inputs.map((input) => places[input]);
    const lowered = lowerNode(graph, node, most);
    if (!lowered) {
      places.push(builder.add(operation, inputs, { given: node, source }));
      continue;
    }
    const { transposed, strides, tile, ...more } = lowered;
    const key = `${[node.inputs[1], transposed, ...strides, ...tile]}`;
    const filter = filters.get(key) ??
      builder.add({ kind: "winogradFilter", transposed, strides, tile }, [inputs[1]], { source });
    filters.set(key, filter);
    const convolution = { kind: "winogradConv2d", ...more, strides, tile } as const;
    places.push(builder.add(convolution, [inputs[0], filter], { source }));
  }
  const outputs = graph.outputs.map(({ name, node }) => ({ name, node: places[node] }));
  return builder.finish(outputs, graph.inputs);
}

function lowerNode(
  { nodes }: Graph,
  { operation, inputs, shape }: Node,
  most: MostPoints,
): Lowered | null {
  if (operation.kind !== "conv2d" && operation.kind !== "conv2dInputGradient") return null;
  const [source, filter] = inputs.map((input) => nodes[input].shape);
  const transposed = operation.kind === "conv2dInputGradient";
  const { strides, pads: [top, bottom, left, right] } = operation;
  const [filterHeight, filterWidth] = filter, [strideHeight, strideWidth] = strides;
  if (transposed && (strideHeight > 1 || strideWidth > 1)) return null;
  const rows = filterHeight - 1, columns = filterWidth - 1;
  const pads: Pads = transposed
    ? [rows - top, rows - bottom, columns - left, columns - right]
    : operation.pads;
  const [batch, inputHeight, inputWidth, inputChannels] = source;
  const [, outputHeight, outputWidth, outputChannels] = shape;
  const geometry: ConvolutionGeometry = {
    ...{ batch, inputHeight, inputWidth, inputChannels },
    ...{ outputHeight, outputWidth, outputChannels },
    ...{ filterHeight, filterWidth, strideHeight, strideWidth, padTop: pads[0], padLeft: pads[2] },
  };
  const filterSize = [filterHeight, filterWidth] as const;
  const tile = winogradTile(geometry, most);
  return tile && { transposed, pads, outputChannels, filterSize, strides, tile };
}
