import { assertEquals, assertStrictEquals } from "@std/assert";
import { GraphBuilder } from "../../../../core/jit/graph.ts";
import { removeDeadCode } from "../../../../core/jit/passes/dead_code.ts";
import { checkOnRandomGraphs, float, graphOf } from "./check_pass.ts";

Deno.test("what no result needs goes; arguments stay", () => {
  const builder = new GraphBuilder();
  const x = float(builder, "x", 3), y = float(builder, "y", 3);
  builder.elementwise("add", x, y);
  const node = builder.elementwise("sine", x);
  builder.elementwise("cosine", node);
  const after = removeDeadCode(builder.finish([{ name: "r", node }, { name: "s", node }]));
  assertEquals(after.nodes.map(({ operation }) => operation.kind), [
    "input",
    "input",
    "elementwise",
  ]);
  assertEquals(after.nodes[2].inputs, [0]);
  assertEquals(after.outputs, [{ name: "r", node: 2 }, { name: "s", node: 2 }]);
  assertEquals(after.inputs.map(({ name }) => name), ["x", "y"]);
});

Deno.test("a graph that is needed is left alone", () => {
  const graph = graphOf((b) => b.elementwise("sine", float(b, "x", 3)));
  assertStrictEquals(removeDeadCode(graph), graph);
});

Deno.test("random graphs keep their results", () => checkOnRandomGraphs(removeDeadCode));
