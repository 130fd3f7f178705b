/** @file Which convolutions go to the Winograd domain, and how. */
import { assertEquals } from "@std/assert";
import { GraphBuilder, type Pads } from "../../../../core/jit/graph.ts";
import { lowerConvolutions } from "../../../../core/jit/wasm/lowering.ts";

const same: Pads = [1, 1, 1, 1];

function kinds(graph: { nodes: readonly { operation: { kind: string } }[] }): string[] {
  return graph.nodes.map(({ operation }) => operation.kind);
}

function image(builder: GraphBuilder, shape: readonly number[]): number {
  return builder.input("image", { shape, type: "float32" });
}

Deno.test("a filter is transformed once a direction", () => {
  const builder = new GraphBuilder();
  const x = image(builder, [8, 16, 16, 16]);
  const filter = image(builder, [3, 3, 16, 32]);
  const conv2d = { kind: "conv2d", strides: [1, 1], pads: [1, 1, 0, 2] as Pads } as const;
  const y = builder.add(conv2d, [x, filter]);
  const twin = builder.add(conv2d, [builder.elementwise("negate", x), filter]);
  const inputShape = [8, 16, 16, 16];
  const gradient = { ...conv2d, kind: "conv2dInputGradient", inputShape } as const;
  const dx = builder.add(gradient, [builder.elementwise("add", y, twin), filter]);
  const graph = builder.finish([{ name: "y", node: y }, { name: "dx", node: dx }]);
  const lowered = lowerConvolutions(graph);
  assertEquals(kinds(lowered), [
    ...["input", "input", "winogradFilter", "winogradConv2d", "elementwise"],
    ...["winogradConv2d", "elementwise", "winogradFilter", "winogradConv2d"],
  ]);
  assertEquals(lowered.outputs.map(({ name }) => name), ["y", "dx"]);
  for (const [i, { node }] of lowered.outputs.entries()) {
    assertEquals(lowered.nodes[node].shape, graph.nodes[graph.outputs[i].node].shape);
  }
  const { operation, inputs } = lowered.nodes.at(-1)!;
  assertEquals(operation, { kind: "winogradConv2d", pads: [1, 1, 2, 0], outputChannels: 16 });
  assertEquals(inputs, [6, 7]);
  assertEquals(lowered.nodes[7].operation, { kind: "winogradFilter", transposed: true });
  assertEquals(lowered.inputs, graph.inputs);
});

Deno.test("other convolutions stay as they are", () => {
  const cases: [number[], number[], [number, number]][] = [
    [[8, 16, 16, 16], [3, 3, 16, 16], [2, 2]],
    [[8, 16, 16, 16], [5, 5, 16, 16], [1, 1]],
    [[8, 16, 16, 3], [3, 3, 3, 16], [1, 1]],
    [[8, 16, 16, 16], [3, 3, 16, 1], [1, 1]],
    // A tile of 4×4 pixels for a single one.
    [[8, 1, 1, 16], [3, 3, 16, 16], [1, 1]],
  ];
  for (const [input, filter, strides] of cases) {
    const builder = new GraphBuilder();
    const inputs = [image(builder, input), image(builder, filter)];
    const node = builder.add({ kind: "conv2d", strides, pads: same }, inputs);
    const graph = builder.finish([{ name: "y", node }]);
    assertEquals(kinds(lowerConvolutions(graph)), kinds(graph));
  }
});
