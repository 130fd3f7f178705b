import { assertEquals, assertStrictEquals } from "@std/assert";
import { type Graph, GraphBuilder } from "../../../../core/jit/graph.ts";
import { mergeCommonSubexpressions } from "../../../../core/jit/passes/common_subexpressions.ts";
import { checkOnRandomGraphs, expressionOf, float, graphOf } from "./check_pass.ts";

/** How many nodes are left of a graph whose result is the difference of two expressions. */
function count(a: (b: GraphBuilder) => number, c: (b: GraphBuilder) => number): number {
  const graph = graphOf((b) => b.elementwise("subtract", a(b), c(b)));
  const after = mergeCommonSubexpressions(graph);
  assertEquals(expressionOf(after), expressionOf(graph));
  return after.nodes.length;
}

/** A graph builder with two arguments at 0 and 1, for both expressions. */
function withArguments(
  a: (b: GraphBuilder, x: number, y: number) => number,
  c: (b: GraphBuilder, x: number, y: number) => number,
): Graph {
  return mergeCommonSubexpressions(graphOf((b) => {
    const x = float(b, "x", 3), y = float(b, "y", 3);
    return b.elementwise("subtract", a(b, x, y), c(b, x, y));
  }));
}

Deno.test("equal expressions are computed once", () => {
  const expression = (b: GraphBuilder, x: number, y: number) =>
    b.elementwise("exponential", b.elementwise("multiply", x, b.elementwise("add", y, b.splat(2))));
  const { nodes } = withArguments(expression, expression);
  assertEquals(nodes.length, 2 + 1 + 3 + 1);
  assertEquals(nodes.at(-1)!.inputs[0], nodes.at(-1)!.inputs[1]);
});

Deno.test("operands that commute may stand in any order, others not", () => {
  const of = (name: "add" | "subtract") =>
    withArguments((b, x, y) => b.elementwise(name, x, y), (b, x, y) => b.elementwise(name, y, x))
      .nodes.length;
  assertEquals(of("add"), 4);
  assertEquals(of("subtract"), 5);
});

Deno.test("constants are the same only with the same bits, shape and type", () => {
  assertEquals(count((b) => b.splat(2), (b) => b.splat(2)), 2);
  assertEquals(count((b) => b.splat(NaN), (b) => b.splat(NaN)), 2);
  assertEquals(count((b) => b.splat(0), (b) => b.splat(-0)), 3);
  assertEquals(count((b) => b.splat(2, [3]), (b) => b.splat(2)), 3);
});

Deno.test("of large constants only those that are one array are the same", () => {
  const large = (values: Float32Array) => (b: GraphBuilder) =>
    b.add({ kind: "constant", values }, [], { given: { shape: [5000], type: "float32" } });
  const values = Float32Array.from({ length: 5000 }, (_, i) => i);
  assertEquals(count(large(values), large(values)), 2);
  assertEquals(count(large(values), large(values.with(4999, 0))), 3);
  // More text than a string can hold, were they put into words.
  const huge = new Float32Array(60_000_000).fill(0.1);
  const given = { shape: [huge.length], type: "float32" } as const;
  const constant = { kind: "constant", values: huge } as const;
  const graph = graphOf((b) => b.elementwise("negate", b.add(constant, [], { given })));
  assertStrictEquals(mergeCommonSubexpressions(graph), graph);
});

Deno.test("equal attributes make equal operations, draws too", () => {
  const draw = (stream: number) => (b: GraphBuilder) =>
    b.add(
      { kind: "philox", distribution: "uniform", stream, firstSample: 0, shape: [2] },
      [b.splat(1, [2], "int32"), b.splat(3, [], "int32")],
    );
  assertEquals(count(draw(1), draw(1)), 4);
  assertEquals(count(draw(1), draw(2)), 5);
});

Deno.test("results that become the same node keep their names", () => {
  const builder = new GraphBuilder();
  const x = float(builder, "x", 3);
  const [a, b] = [0, 1].map(() => builder.elementwise("sine", x));
  const graph = builder.finish([{ name: "a", node: a }, { name: "b", node: b }]);
  assertEquals(mergeCommonSubexpressions(graph).outputs, [
    { name: "a", node: 1 },
    { name: "b", node: 1 },
  ]);
});

Deno.test("the first of equal nodes keeps its line", () => {
  const builder = new GraphBuilder();
  const x = float(builder, "x", 3), sine = { kind: "elementwise", name: "sine" } as const;
  const [a, b] = ["first", "second"].map((source) => builder.add(sine, [x], { source }));
  const node = builder.elementwise("add", a, b);
  const { nodes } = mergeCommonSubexpressions(builder.finish([{ name: "y", node }]));
  assertEquals(nodes.map(({ source }) => source), [undefined, "first", undefined]);
});

Deno.test("a graph without repetitions is left alone", () => {
  const graph = graphOf((b) => b.elementwise("add", float(b, "x", 3), float(b, "y", 3)));
  assertStrictEquals(mergeCommonSubexpressions(graph), graph);
});

Deno.test("random graphs keep their results", () => checkOnRandomGraphs(mergeCommonSubexpressions));
