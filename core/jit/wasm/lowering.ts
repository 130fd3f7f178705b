/**
 * @file What the WASM target makes of a graph before it is scheduled: convolutions of 3×3 filters,
 * and the gradients of their inputs, by Winograd's method where it pays. A gradient of the input is a
 * convolution with the filter turned by 180° and its channels exchanged. Filters become nodes of
 * their own, one a filter and direction, so that convolutions which share a filter share its
 * transform.
 */
import type { ConvolutionGeometry } from "../kernels.ts";
import { type Graph, GraphBuilder, type Node, type Pads } from "../graph.ts";
import { winogradPays } from "./winograd_choice.ts";

/** A convolution as Winograd's method sees it. */
interface Lowered {
  readonly transposed: boolean;
  readonly pads: Pads;
  readonly outputChannels: number;
}

/** The graph with convolutions in the Winograd domain where they are faster there. */
export function lowerConvolutions(graph: Graph): Graph {
  const builder = new GraphBuilder();
  const filters = new Map<string, number>();
  const places: number[] = [];
  for (const node of graph.nodes) {
    const { operation, source } = node;
    const inputs = node.inputs.map((input) => places[input]);
    const lowered = lowerNode(graph, node);
    if (!lowered) {
      places.push(builder.add(operation, inputs, { given: node, source }));
      continue;
    }
    const { transposed, pads, outputChannels } = lowered;
    const key = `${node.inputs[1]},${transposed}`;
    const filter = filters.get(key) ??
      builder.add({ kind: "winogradFilter", transposed }, [inputs[1]], { source });
    filters.set(key, filter);
    places.push(
      builder.add({ kind: "winogradConv2d", pads, outputChannels }, [inputs[0], filter], {
        source,
      }),
    );
  }
  const outputs = graph.outputs.map(({ name, node }) => ({ name, node: places[node] }));
  return builder.finish(outputs, graph.inputs);
}

function lowerNode({ nodes }: Graph, { operation, inputs, shape }: Node): Lowered | null {
  if (operation.kind !== "conv2d" && operation.kind !== "conv2dInputGradient") return null;
  const [source, filter] = inputs.map((input) => nodes[input].shape);
  const transposed = operation.kind === "conv2dInputGradient";
  const [top, bottom, left, right] = operation.pads;
  const pads: Pads = transposed ? [2 - top, 2 - bottom, 2 - left, 2 - right] : operation.pads;
  const [filterHeight, filterWidth] = filter;
  const [strideHeight, strideWidth] = operation.strides;
  const [batch, inputHeight, inputWidth, inputChannels] = source;
  const [, outputHeight, outputWidth, outputChannels] = shape;
  const geometry: ConvolutionGeometry = {
    ...{ batch, inputHeight, inputWidth, inputChannels },
    ...{ outputHeight, outputWidth, outputChannels },
    ...{ filterHeight, filterWidth, strideHeight, strideWidth, padTop: pads[0], padLeft: pads[2] },
  };
  return winogradPays(geometry) ? { transposed, pads, outputChannels } : null;
}
