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
  const method = { strides: [1, 1], tile: [4, 4] };
  assertEquals<unknown>(operation, {
    ...{ kind: "winogradConv2d", filterSize: [3, 3], pads: [1, 1, 2, 0], outputChannels: 16 },
    ...method,
  });
  assertEquals(inputs, [6, 7]);
  const filterOperation = { kind: "winogradFilter", transposed: true, ...method };
  assertEquals<unknown>(lowered.nodes[7].operation, filterOperation);
  assertEquals(lowered.inputs, graph.inputs);
});

Deno.test("other convolutions stay as they are", () => {
  const cases: [number[], number[], [number, number]][] = [
    [[8, 16, 16, 16], [3, 3, 16, 16], [2, 2]],
    [[8, 16, 16, 16], [1, 1, 16, 16], [1, 1]],
    [[8, 16, 16, 16], [1, 7, 16, 16], [1, 2]],
    // More of the filter to be read than multiplications saved.
    [[8, 16, 16, 192], [3, 3, 192, 320], [2, 2]],
    [[8, 16, 16, 3], [3, 3, 3, 16], [1, 1]],
    [[8, 16, 16, 16], [3, 3, 16, 1], [1, 1]],
    // A tile of 2×2 pixels for a single one.
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

Deno.test("tiles fit what there is", () => {
  type Pair = [number, number];
  const none: Pads = [0, 0, 0, 0];
  const cases: [number[], number[], Pads, Pair, Pair][] = [
    [[2, 32, 32, 64], [3, 3, 64, 64], same, [1, 1], [4, 4]],
    [[2, 8, 8, 448], [3, 3, 448, 384], same, [1, 1], [4, 4]],
    [[2, 35, 35, 64], [3, 3, 64, 96], same, [1, 1], [6, 6]],
    [[2, 35, 35, 48], [5, 5, 48, 64], [2, 2, 2, 2], [1, 1], [4, 4]],
    [[2, 17, 17, 128], [1, 7, 128, 192], [0, 0, 3, 3], [1, 1], [1, 6]],
    [[2, 17, 17, 128], [7, 1, 128, 192], [3, 3, 0, 0], [1, 1], [6, 1]],
    [[2, 6, 6, 128], [1, 7, 128, 192], [0, 0, 3, 3], [1, 1], [1, 6]],
    [[2, 4, 4, 384], [3, 1, 384, 384], [1, 1, 0, 0], [1, 1], [4, 1]],
    [[2, 8, 8, 384], [3, 1, 384, 384], [1, 1, 0, 0], [1, 1], [8, 1]],
    [[2, 35, 35, 288], [3, 3, 288, 384], none, [2, 2], [3, 3]],
  ];
  for (const [input, filter, pads, strides, tile] of cases) {
    const builder = new GraphBuilder();
    const inputs = [image(builder, input), image(builder, filter)];
    const node = builder.add({ kind: "conv2d", strides, pads }, inputs);
    const lowered = lowerConvolutions(builder.finish([{ name: "y", node }]));
    const { operation, shape } = lowered.nodes.at(-1)!;
    assertEquals(operation.kind === "winogradConv2d" && operation.tile, tile, `${input} ${filter}`);
    assertEquals(shape, builder.nodes[node].shape);
  }
});

Deno.test("beside gradients tiles stay small", () => {
  const builder = new GraphBuilder();
  const x = image(builder, [2, 35, 35, 64]), filter = image(builder, [3, 3, 64, 96]);
  const wide = image(builder, [1, 7, 96, 96]);
  const conv2d = { kind: "conv2d", strides: [1, 1], pads: same } as const;
  const y = builder.add(conv2d, [x, filter]);
  const z = builder.add({ ...conv2d, pads: [0, 0, 3, 3] }, [y, wide]);
  const gradient = { ...conv2d, kind: "conv2dInputGradient", inputShape: [2, 35, 35, 64] } as const;
  const dx = builder.add(gradient, [y, filter]);
  const lowered = lowerConvolutions(
    builder.finish([{ name: "z", node: z }, { name: "dx", node: dx }]),
  );
  const tiles = lowered.nodes.flatMap(({ operation }) =>
    operation.kind === "winogradConv2d" ? [operation.tile] : []
  );
  assertEquals<unknown>(tiles, [[4, 4], [1, 2], [4, 4]]);
});
