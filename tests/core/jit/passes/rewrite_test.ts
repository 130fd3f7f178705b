import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { GraphBuilder } from "../../../../core/jit/graph.ts";
import {
  isElementwise,
  rewrite,
  type Rule,
  splatValue,
} from "../../../../core/jit/passes/rewrite.ts";
import { expressionOf, float, graphOf } from "./check_pass.ts";

/** sine → cosine → tanh, one at a time. */
const toCosine: Rule = ({ inputs }, { elementwise }) => elementwise("cosine", inputs[0]);
const toTanh: Rule = ({ inputs }, { elementwise }) => elementwise("hyperbolicTangent", inputs[0]);

const sines = graphOf((b) => b.elementwise("sine", b.elementwise("sine", float(b, "x", 3))));

Deno.test("what a rule makes is put to the rules", () => {
  assertEquals(
    expressionOf(rewrite(sines, { sine: [toCosine], cosine: [toTanh] })),
    "hyperbolicTangent(hyperbolicTangent(x))",
  );
});

Deno.test("without a rule that fires it is the same graph", () => {
  assertStrictEquals(rewrite(sines, { cosine: [toTanh], any: [() => undefined] }), sines);
});

Deno.test("rules for a function come before those for all", () => {
  const after = rewrite(sines, {
    sine: [toCosine],
    any: [
      ({ operation, inputs }, { elementwise }) =>
        operation.kind === "elementwise" && operation.name === "sine"
          ? elementwise("hyperbolicTangent", inputs[0])
          : undefined,
    ],
  });
  assertEquals(expressionOf(after), "cosine(cosine(x))");
});

Deno.test("a rule may not change a shape or a type", () => {
  const wrong: Rule = (_, { splat }) => splat(1, [2]);
  assertThrows(() => rewrite(sines, { sine: [wrong] }), Error, "made float32[2] of float32[3]");
});

Deno.test("new nodes come from the line of the one they replace", () => {
  const builder = new GraphBuilder();
  const x = float(builder, "x", 3);
  const sine = builder.add({ kind: "elementwise", name: "sine" }, [x], { source: "model.ts:3" });
  const node = builder.add({ kind: "elementwise", name: "negate" }, [sine], {
    source: "model.ts:4",
  });
  const { nodes } = rewrite(builder.finish([{ name: "y", node }]), { sine: [toCosine] });
  assertEquals(nodes.map(({ source }) => source), [undefined, "model.ts:3", "model.ts:4"]);
});

Deno.test("rules see how often a node is used, by results too", () => {
  const seen: boolean[] = [];
  const look: Rule = ({ inputs }, { usedOnce }) => void seen.push(usedOnce(inputs[0]));
  const builder = new GraphBuilder();
  const sine = builder.elementwise("sine", float(builder, "x", 3));
  const cosine = builder.elementwise("cosine", float(builder, "y", 3));
  const a = builder.elementwise("negate", sine), b = builder.elementwise("negate", cosine);
  rewrite(builder.finish([a, b, cosine].map((node) => ({ name: "y", node }))), { negate: [look] });
  assertEquals(seen, [true, false]);
});

Deno.test("splats and functions are told apart", () => {
  const builder = new GraphBuilder();
  const two = builder.splat(2, [3]), sum = builder.elementwise("add", two, two);
  assertEquals(splatValue(builder.nodes[two]), 2);
  assertEquals(splatValue(builder.nodes[sum]), undefined);
  assertEquals(isElementwise(builder.nodes[sum], "add"), true);
  assertEquals(isElementwise(builder.nodes[two], "add"), false);
});
