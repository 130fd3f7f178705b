import { assert, assertAlmostEquals, assertEquals, assertStrictEquals } from "@std/assert";
import type { ElementwiseName } from "../../../../core/jit/elementwise.ts";
import { evaluate } from "../../../../core/jit/evaluate.ts";
import { type Graph, GraphBuilder } from "../../../../core/jit/graph.ts";
import { collectPolynomials, workOf } from "../../../../core/jit/passes/polynomials.ts";
import { check, checkOnRandomGraphs, float } from "./check_pass.ts";

/** Numbers that are not infinite: of others ∞ − ∞ may come. */
const numbers = [0.5, -2, 3, 0.25, -1, 0];

/** An expression of vectors by their names. */
type Expression = (
  e: (name: ElementwiseName | number | string, ...operands: number[]) => number,
) => number;

function rule(expression: Expression, expected: string | null): void {
  check(
    collectPolynomials,
    (b) => {
      const vectors = new Map(["x", "y", "z", "w"].map((name) => [name, float(b, name, 7)]));
      return expression((name, ...operands) => {
        if (typeof name === "number") return b.splat(name);
        return vectors.get(name) ?? b.elementwise(name as ElementwiseName, ...operands);
      });
    },
    expected,
    { numbers },
  );
}

Deno.test("a common factor comes out, the newest last", () => {
  rule(
    (e) => e("add", e("multiply", e("w"), e("x")), e("multiply", e("w"), e("y"))),
    "multiply(add(x, y), w)",
  );
  rule(
    (e) => e("subtract", e("multiply", e("x"), e("w")), e("multiply", e("w"), e("square", e("x")))),
    "multiply(multiply(subtract(1, x), x), w)",
  );
});

Deno.test("terms are collected by their newest factor", () => {
  // w·x·y + w·z + x·z
  rule(
    (e) => {
      const wxy = e("multiply", e("multiply", e("w"), e("x")), e("y"));
      const wz = e("multiply", e("w"), e("z"));
      return e("add", e("add", wxy, wz), e("multiply", e("x"), e("z")));
    },
    "add(multiply(x, z), multiply(add(multiply(x, y), z), w))",
  );
});

Deno.test("constants meet in one coefficient", () => {
  rule(
    (e) =>
      e(
        "multiply",
        e("multiply", e("x"), e(3)),
        e("multiply", e(0.5), e("multiply", e("y"), e(-4))),
      ),
    "negate(multiply(multiply(x, y), 6))",
  );
});

Deno.test("like terms are one", () => {
  rule(
    (e) =>
      e(
        "add",
        e("multiply", e("x"), e("multiply", e("y"), e(3))),
        e("multiply", e("multiply", e("y"), e(2)), e("x")),
      ),
    "multiply(multiply(x, y), 5)",
  );
});

Deno.test("terms do not cancel", () => {
  rule((e) => e("subtract", e("add", e("x"), e("y")), e("x")), null);
  rule((e) => {
    const product = (by: number) => e("multiply", e("multiply", e("x"), e("y")), e(by));
    return e("subtract", e("add", product(3), e("z")), product(2));
  }, null);
});

Deno.test("a difference of arguments is not multiplied out: it is exact", () => {
  rule((e) => {
    const difference = e("multiply", e("subtract", e("x"), e("y")), e("w"));
    return e("add", difference, e("multiply", e("x"), e("z")));
  }, null);
});

Deno.test("a sum times a sum is not multiplied out", () => {
  rule((e) => {
    const sum = e("subtract", e("multiply", e("x"), e("y")), e("multiply", e("z"), e("w")));
    return e(
      "multiply",
      sum,
      e("add", e("multiply", e("x"), e("z")), e("multiply", e("y"), e("w"))),
    );
  }, null);
  rule(
    (e) => e("square", e("subtract", e("multiply", e("x"), e("y")), e("multiply", e("z"), e("w")))),
    null,
  );
});

/** y = f(x), x·f′, and more, as automatic differentiation writes them for a gelu. */
function gelu(): Graph {
  const b = new GraphBuilder();
  const [x, first, tangent, second] = ["x", "first", "tangent", "second"].map((name) =>
    float(b, name, 64)
  );
  const scale = (node: number, by: number) => b.elementwise("multiply", node, b.splat(by));
  const times = (...nodes: number[]) => nodes.reduce((a, c) => b.elementwise("multiply", a, c));
  const plus = (a: number, c: number) => b.elementwise("add", a, c);
  const root = Math.SQRT1_2, slope = 2 / Math.sqrt(Math.PI);
  const scaled = scale(x, root), phi = plus(b.elementwise("errorFunction", scaled), b.splat(1));
  const half = scale(x, 0.5), y = times(half, phi);
  const bell = b.elementwise(
    "exponential",
    b.elementwise("negate", b.elementwise("square", scaled)),
  );
  /** The adjoint of x for one of y. */
  const adjoint = (dy: number) =>
    plus(scale(times(times(dy, half), scale(bell, slope)), root), scale(times(dy, phi), 0.5));
  const gradient = adjoint(first);
  // The forward derivative of the gradient, and the adjoint of both.
  const forward = plus(
    times(scale(tangent, root), scale(bell, slope), half),
    times(scale(tangent, 0.5), phi),
  );
  const adjointOfPhi = plus(times(second, half), times(scale(tangent, 0.5), first));
  const adjointOfBell = scale(times(scale(tangent, root * slope), times(first, half)), 2);
  const inner = b.elementwise(
    "subtract",
    times(adjointOfPhi, scale(bell, slope)),
    times(adjointOfBell, bell, scaled),
  );
  const outer = plus(times(second, phi), times(scale(tangent, root), scale(bell, slope), first));
  const final = plus(scale(inner, root), scale(outer, 0.5));
  return b.finish([
    { name: "y", node: y },
    { name: "gradient", node: gradient },
    { name: "forward", node: forward },
    { name: "final", node: final },
  ]);
}

Deno.test("two derivatives of a gelu share its first", () => {
  const graph = gelu(), after = collectPolynomials(graph);
  assert(workOf(after) <= 26 * 64, `${workOf(after) / 64} operations a cell`);
  const inputs = [0.5, 1, -2, 3].map((by) =>
    Float32Array.from({ length: 64 }, (_, i) => 3 * Math.sin(by * (i + 1)))
  );
  const expected = evaluate(graph, inputs);
  evaluate(after, inputs).forEach((values, i) =>
    values.forEach((value, j) => assertAlmostEquals(value, expected[i][j], 1e-5))
  );
  // gradient = first · f′(x), forward = tangent · f′(x).
  const factors = ["gradient", "forward"].map((name) => {
    const { node } = after.outputs.find((output) => output.name === name)!;
    return after.nodes[node].inputs[0];
  });
  assertEquals(factors[0], factors[1]);
});

Deno.test("what does not get cheaper stays as it is", () => {
  const builder = new GraphBuilder();
  const [x, y] = ["x", "y"].map((name) => float(builder, name, 5));
  const product = builder.elementwise("multiply", y, x);
  const node = builder.elementwise("add", product, builder.elementwise("sine", product));
  const graph = builder.finish([{ name: "r", node }]);
  assertStrictEquals(collectPolynomials(graph), graph);
});

Deno.test("small factors are multiplied with each other first", () => {
  check(
    collectPolynomials,
    (b) => {
      const x = float(b, "x", 6, 7), y = float(b, "y", 6, 7);
      const a = float(b, "a", 7), c = float(b, "c", 7);
      const left = b.elementwise("multiply", b.elementwise("multiply", x, a), c);
      const right = b.elementwise("multiply", b.elementwise("multiply", y, c), a);
      return b.elementwise("add", left, right);
    },
    "multiply(add(x, y), multiply(a, c))",
    { numbers },
  );
});

Deno.test("random graphs keep their results", () => {
  checkOnRandomGraphs(collectPolynomials);
  checkOnRandomGraphs(collectPolynomials, ["constant", "elementwise"]);
});
