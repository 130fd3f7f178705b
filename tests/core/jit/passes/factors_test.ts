import type { GraphBuilder } from "../../../../core/jit/graph.ts";
import { orderFactors } from "../../../../core/jit/passes/factors.ts";
import { check, checkOnRandomGraphs, float } from "./check_pass.ts";

const numbers = [0.5, -2, 3, 0.25, -1];

/** A rule on arrays x and y, vectors a and b, and a scalar s. */
function rule(
  expression: (
    b: GraphBuilder,
    operands: { x: number; y: number; a: number; c: number; s: number },
  ) => number,
  expected: string | null,
): void {
  check(
    orderFactors,
    (b) => {
      const x = float(b, "x", 6, 7), y = float(b, "y", 6, 7);
      const a = float(b, "a", 7), c = float(b, "c", 7), s = float(b, "s");
      return expression(b, { x, y, a, c, s });
    },
    expected,
    { numbers },
  );
}

const times = (b: GraphBuilder, ...factors: number[]) =>
  factors.reduce((left, right) => b.elementwise("multiply", left, right));

Deno.test("small factors are multiplied with each other first", () => {
  rule((b, { x, a, c }) => times(b, x, a, c), "multiply(x, multiply(a, c))");
  rule((b, { x, a }) => times(b, x, b.splat(3), a), "multiply(x, multiply(3, a))");
  rule(
    (b, { x, s }) => times(b, b.elementwise("multiply", s, x), s),
    "multiply(x, multiply(s, s))",
  );
});

Deno.test("small factors that are large together stay apart", () => {
  check(
    orderFactors,
    (b) => {
      const column = float(b, "column", 6, 1), row = float(b, "row", 7);
      return times(b, float(b, "x", 6, 7), column, row);
    },
    null,
    { numbers },
  );
});

Deno.test("a factor of a vector does not move to and fro between the vectors of an outer product", () => {
  for (const factor of [(b: GraphBuilder) => b.splat(3), (b: GraphBuilder) => float(b, "s")]) {
    const outer = (b: GraphBuilder) =>
      times(b, float(b, "column", 7, 1), times(b, float(b, "row", 7), factor(b)));
    check(orderFactors, outer, null, { numbers });
  }
});

Deno.test("constants and small factors come last", () => {
  rule((b, { x, y }) => times(b, x, b.splat(3), y), "multiply(multiply(x, y), 3)");
  rule((b, { x, y, a }) => times(b, y, times(b, x, a)), "multiply(multiply(y, x), a)");
  rule(
    (b, { x, y }) => b.elementwise("divide", times(b, x, b.splat(3)), y),
    "multiply(divide(x, y), 3)",
  );
  rule((b, { x, y }) => b.elementwise("divide", y, times(b, x, b.splat(3))), null);
});

Deno.test("small products are not taken apart for a large factor", () => {
  rule((b, { x, a, s }) => times(b, a, s, x), null);
});

Deno.test("a product with other users is not taken apart", () => {
  rule((b, { x, y }) => {
    const product = times(b, x, b.splat(3));
    return b.elementwise("add", times(b, product, y), b.elementwise("sine", product));
  }, null);
});

Deno.test("division by something small", () => {
  rule((b, { x, a }) => b.elementwise("divide", x, a), "multiply(x, reciprocal(a))");
  rule((b, { x, y }) => b.elementwise("divide", x, y), null);
  rule((b, { x }) => b.elementwise("divide", x, b.splat(3)), null); // one rounding instead of two
});

Deno.test("common factors come out", () => {
  const three = (b: GraphBuilder, value: number, by = 3) => times(b, value, b.splat(by));
  rule((b, { x, y }) => b.elementwise("add", three(b, x), three(b, y)), "multiply(add(x, y), 3)");
  rule(
    (b, { x, y }) => b.elementwise("add", three(b, x), three(b, y, -3)),
    "multiply(subtract(x, y), 3)",
  );
  rule(
    (b, { x, y, a }) => b.elementwise("subtract", times(b, x, a), times(b, a, y)),
    "multiply(subtract(x, y), a)",
  );
  rule((b, { x, y }) => b.elementwise("add", three(b, x), three(b, y, 2)), null);
});

Deno.test("random graphs keep their results", () => {
  checkOnRandomGraphs(orderFactors);
  checkOnRandomGraphs(orderFactors, ["constant", "elementwise", "broadcast", "reduce"]);
});
