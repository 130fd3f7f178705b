import { assert, assertAlmostEquals, assertEquals, assertStrictEquals } from "@std/assert";
import { evaluate, type Values } from "../../../../core/jit/evaluate.ts";
import type { Graph } from "../../../../core/jit/graph.ts";
import { optimize, passes } from "../../../../core/jit/passes/pipeline.ts";
import { workOf } from "../../../../core/jit/passes/polynomials.ts";
import { trace } from "../../../../core/jit/trace/trace.ts";
import { flattenTree, type TensorTree } from "../../../../core/jit/trace/tree.ts";
import { gelu } from "../../../../core/potential/layers.ts";
import { openDevice, type Tensor, tf } from "../../../../core/tensor/mod.ts";
import { assertSameSignature, checkOnRandomGraphs, float, graphOf } from "./check_pass.ts";

await openDevice("cpu");

/** A recorded function with the values of its arguments. */
function recorded(
  f: (...args: Tensor[]) => TensorTree,
  ...args: Tensor[]
): { graph: Graph; inputs: Values[] } {
  const { graph } = trace(f as (...args: never[]) => TensorTree, args);
  const inputs = flattenTree(args).leaves.map(({ tensor }) => (tensor as Tensor).dataSync());
  return { graph, inputs: inputs as Values[] };
}

const wave = (shape: number[], by: number) =>
  tf.sin(tf.reshape(tf.mul(tf.range(1, tf.util.sizeFromShape(shape) + 1), by), shape));

/** The gradient by both layers' weights of the squared gradient of a small network by its input. */
function secondOrder(x: Tensor, first: Tensor, last: Tensor): TensorTree {
  const network = (x: Tensor, first: Tensor, last: Tensor) =>
    tf.sum(tf.matMul(gelu(tf.matMul(x as never, first as never)) as never, last as never));
  const loss = (first: Tensor, last: Tensor) =>
    tf.mean(tf.square(tf.grad((x: Tensor) => network(x, first, last))(x))) as Tensor;
  return { loss: loss(first, last), gradients: tf.grads(loss)([first, last]) };
}

Deno.test("a second-order gradient keeps its values and loses more than half of its work", () => {
  const { graph, inputs } = recorded(
    secondOrder,
    wave([16, 3], 1),
    wave([3, 8], 2),
    wave([8, 1], 3),
  );
  const { graph: after, stages } = optimize(graph);
  assertSameSignature(after, graph);
  const expected = evaluate(graph, inputs);
  evaluate(after, inputs).forEach((values, i) => {
    const scale = Math.max(...expected[i].map(Math.abs));
    values.forEach((value, j) => assertAlmostEquals(value, expected[i][j], 1e-5 * scale));
  });
  assert(workOf(after) < workOf(graph) / 2);
  const count = (name: string) =>
    after.nodes.filter(({ operation }) =>
      operation.kind === name || (operation.kind === "elementwise" && operation.name === name)
    ).length;
  // The bell of both derivatives of the gelu is computed once.
  assertEquals(count("exponential"), 1);
  assertEquals(count("toFloat"), 0);
  assertEquals(count("transpose"), 0);
  assertStrictEquals(stages.at(-1)!.graph, after);
});

Deno.test("the stages are those that changed something, by their names", () => {
  const { graph, stages } = optimize(graphOf((b) => {
    const x = float(b, "x", 3);
    b.elementwise("cosine", x);
    return b.elementwise("negate", b.elementwise("negate", b.elementwise("sine", x)));
  }));
  assertEquals(stages.map(({ name }) => name), ["dead code", "identities"]);
  assertEquals(graph.nodes.length, 2);
});

Deno.test("a graph without anything to do is left alone, without stages", () => {
  const graph = graphOf((b) => b.elementwise("sine", float(b, "x", 3)));
  const optimized = optimize(graph);
  assertStrictEquals(optimized.graph, graph);
  assertEquals(optimized.stages, []);
});

Deno.test("what targets add to graphs passes through", () => {
  const graph = graphOf((b) => {
    const x = float(b, "x", 1, 8, 8, 4), filter = float(b, "filter", 3, 3, 4, 8);
    const method = { strides: [1, 1], tile: [4, 4] } as const;
    const inDomain = b.add({ kind: "winogradFilter", transposed: false, ...method }, [filter]);
    const operation = {
      kind: "winogradConv2d",
      filterSize: [3, 3],
      pads: [1, 1, 1, 1],
      outputChannels: 8,
      ...method,
    } as const;
    return b.elementwise("multiply", b.add(operation, [x, inDomain]), b.splat(1));
  });
  assertEquals(optimize(graph).graph.nodes.at(-1)!.operation.kind, "winogradConv2d");
});

Deno.test("passes have names of their own", () => {
  assertEquals(new Set(passes.map(({ name }) => name)).size, passes.length);
});

Deno.test("random graphs keep their results", () => {
  checkOnRandomGraphs((graph) => optimize(graph).graph);
});
