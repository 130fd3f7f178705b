import { simplifyAlgebra } from "../../../../core/jit/passes/algebra.ts";
import type { GraphBuilder } from "../../../../core/jit/graph.ts";
import type { ElementwiseName } from "../../../../core/jit/elementwise.ts";
import { cells, check, checkOnRandomGraphs, type CheckOptions, float } from "./check_pass.ts";

const LENGTH = 51;
type Expression = (b: GraphBuilder, x: number, y: number) => number;

/** A rule on vectors x and y. */
function rule(expression: Expression, expected: string | null, options?: CheckOptions): void {
  check(
    simplifyAlgebra,
    (b) => expression(b, float(b, "x", LENGTH), float(b, "y", LENGTH)),
    expected,
    options,
  );
}

const of = (name: ElementwiseName, value: number): Expression => (b, x) =>
  b.elementwise(name, x, b.splat(value));
const ofLeft = (name: ElementwiseName, value: number): Expression => (b, x) =>
  b.elementwise(name, b.splat(value), x);

Deno.test("neutral elements", () => {
  rule(of("multiply", 1), "x");
  rule(ofLeft("multiply", 1), "x");
  rule(of("divide", 1), "x");
  rule(of("add", 0), "x");
  rule(of("subtract", 0), "x");
  rule(ofLeft("subtract", 0), "negate(x)");
  rule(of("multiply", -1), "negate(x)");
  rule(of("power", 1), "x");
});

Deno.test("a neutral element that widens leaves a broadcast", () => {
  check(
    simplifyAlgebra,
    (b) => b.elementwise("multiply", float(b, "x", 3), b.splat(1, [2, 3])),
    "broadcast[2,3](x)",
  );
});

Deno.test("zero times what may be infinite stays", () => {
  rule(of("multiply", 0), null);
  check(simplifyAlgebra, (b) => {
    const flag = b.input("flag", { shape: [3], type: "bool" });
    return b.elementwise("multiply", b.elementwise("toFloat", flag), b.splat(0));
  }, "0:[3]");
});

Deno.test("x − x and x/x stay: infinities and NaN", () => {
  rule((b, x) => b.elementwise("subtract", x, x), null);
  rule((b, x) => b.elementwise("divide", x, x), null);
  rule((b, x) => b.elementwise("equal", x, x), null);
});

Deno.test("constants meet", () => {
  const twice =
    (inner: Expression, outer: ElementwiseName, value: number): Expression => (b, x, y) =>
      b.elementwise(outer, inner(b, x, y), b.splat(value));
  rule(twice(of("multiply", 3), "multiply", 5), "multiply(x, 15)");
  rule(twice(ofLeft("multiply", 3), "multiply", 5), "multiply(x, 15)");
  rule(twice(of("multiply", 3), "divide", 4), "multiply(x, 0.75)");
  rule(twice(of("divide", 3), "multiply", 6), "multiply(x, 2)");
  rule(twice(of("divide", 3), "divide", 5), "divide(x, 15)");
  rule(twice(of("add", 3), "add", 5), "add(x, 8)");
  rule(twice(of("subtract", 3), "subtract", 5), "add(x, -8)");
});

Deno.test("constants that would cancel, over- or underflow stay apart", () => {
  const twice = (name: ElementwiseName, a: number, c: number): Expression => (b, x) =>
    b.elementwise(name, b.elementwise(name, x, b.splat(a)), b.splat(c));
  rule(twice("add", 1e8, -1e8), null);
  rule(twice("multiply", 2 ** 100, 2 ** 100), null);
  rule(twice("multiply", 2 ** -100, 2 ** -100), null);
});

Deno.test("division by a power of two, and by nothing else, is a product", () => {
  rule(of("divide", 8), "multiply(x, 0.125)");
  rule(of("divide", -0.5), "multiply(x, -2)");
  rule(of("divide", 3), null);
  rule(of("divide", 0), null);
  rule(of("divide", 2 ** 127), null); // its reciprocal is subnormal
});

Deno.test("minus signs meet", () => {
  const minus = (b: GraphBuilder, x: number) => b.elementwise("negate", x);
  rule((b, x, y) => b.elementwise("add", x, minus(b, y)), "subtract(x, y)");
  rule((b, x, y) => b.elementwise("add", minus(b, x), y), "subtract(y, x)");
  rule((b, x, y) => b.elementwise("subtract", x, minus(b, y)), "add(x, y)");
  rule((b, x, y) => b.elementwise("subtract", minus(b, x), y), "negate(add(x, y))");
  rule((b, x, y) => b.elementwise("multiply", minus(b, x), minus(b, y)), "multiply(x, y)");
  rule((b, x, y) => b.elementwise("divide", minus(b, x), minus(b, y)), "divide(x, y)");
  rule((b, x, y) => b.elementwise("multiply", minus(b, x), y), "negate(multiply(x, y))");
  rule(
    (b, x, y) => b.elementwise("subtract", y, b.elementwise("multiply", minus(b, x), y)),
    "add(y, multiply(x, y))",
  );
  rule((b, x) => b.elementwise("multiply", minus(b, x), b.splat(3)), "multiply(x, -3)");
  rule((b, x) => minus(b, b.elementwise("multiply", x, b.splat(3))), "multiply(x, -3)");
  rule((b, x, y) => minus(b, b.elementwise("subtract", x, y)), "subtract(y, x)");
  rule((b, x) => minus(b, b.elementwise("add", x, b.splat(3))), "subtract(-3, x)");
  rule((b, x) => b.elementwise("square", minus(b, x)), "square(x)");
  rule((b, x) => b.elementwise("cosine", minus(b, x)), "cosine(x)");
  rule((b, x) => b.elementwise("absolute", minus(b, x)), "absolute(x)");
});

Deno.test("a minus sign with another user stays where it is", () => {
  rule((b, x, y) => {
    const negative = b.elementwise("negate", x);
    return b.elementwise(
      "add",
      b.elementwise("multiply", negative, y),
      b.elementwise("sine", negative),
    );
  }, null);
});

Deno.test("a minus sign does not move out to a larger array", () => {
  check(simplifyAlgebra, (b) => {
    const x = float(b, "x", 3), y = float(b, "y", 2, 3);
    return b.elementwise("multiply", b.elementwise("negate", x), y);
  }, null);
});

Deno.test("products and sums with itself", () => {
  rule((b, x) => b.elementwise("multiply", x, x), "square(x)");
  rule((b, x) => b.elementwise("add", x, x), "multiply(x, 2)");
  rule((b, x) => b.elementwise("maximum", x, x), "x");
  rule((b, x) => b.elementwise("minimum", x, x), "x");
});

Deno.test("integers wrap, so only what is exact is done", () => {
  const integers = (expression: Expression, expected: string | null) =>
    check(
      simplifyAlgebra,
      (b) => {
        const type = { shape: [LENGTH], type: "int32" } as const;
        return expression(b, b.input("x", type), b.input("y", type));
      },
      expected,
      { numbers: [0, 1, -1, 7, 2 ** 31 - 1, -(2 ** 31)] },
    );
  const one = (b: GraphBuilder) => b.splat(1, [], "int32");
  integers((b, x) => b.elementwise("multiply", x, one(b)), "x");
  integers((b, x) => b.elementwise("add", x, b.splat(0, [], "int32")), "x");
  integers((b, x) => b.elementwise("multiply", x, x), null);
  integers((b, x) => b.elementwise("subtract", x, one(b)), null);
  integers((b, x, y) => b.elementwise("add", x, b.elementwise("negate", y)), "subtract(x, y)");
});

Deno.test("reciprocals", () => {
  rule(ofLeft("divide", 1), "reciprocal(x)");
  rule((b, x, y) => b.elementwise("multiply", x, b.elementwise("reciprocal", y)), "divide(x, y)");
  rule(
    (b, x) => b.elementwise("reciprocal", b.elementwise("squareRoot", x)),
    "reciprocalSquareRoot(x)",
  );
  check(simplifyAlgebra, (b) => {
    const x = float(b, "x", 2, 3), y = float(b, "y", 3);
    return b.elementwise("multiply", x, b.elementwise("reciprocal", y));
  }, null);
});

Deno.test("powers", () => {
  rule(of("power", 0), "1:[51]");
  rule(of("power", 2), "square(x)");
  rule(of("power", 3), "multiply(square(x), x)");
  rule(of("power", -1), "reciprocal(x)");
  rule(of("power", -2), "reciprocal(square(x))");
  rule(of("power", 4), null);
  rule(of("power", 1.5), null);
  rule(of("power", 0.5), null); // of −∞ it is ∞, and a root is NaN
  const square = (b: GraphBuilder, x: number) => b.elementwise("square", x);
  rule((b, x) => b.elementwise("power", square(b, x), b.splat(0.5)), "squareRoot(square(x))");
  rule(
    (b, x) => b.elementwise("power", square(b, x), b.splat(-0.5)),
    "reciprocalSquareRoot(square(x))",
  );
  rule((b, x) => b.elementwise("absolute", square(b, x)), "square(x)");
});

Deno.test("integers that add up beyond their range are not positive", () => {
  check(simplifyAlgebra, (b) => {
    const size = b.elementwise("absolute", b.input("n", { shape: [3], type: "int32" }));
    return b.elementwise("absolute", b.elementwise("add", size, size));
  }, null);
});

Deno.test("logic", () => {
  const logic = (expression: Expression, expected: string | null) =>
    check(simplifyAlgebra, (b) => {
      const type = { shape: [5], type: "bool" } as const;
      return expression(b, b.input("x", type), b.input("y", type));
    }, expected);
  const constant = (b: GraphBuilder, value: number) => b.splat(value, [], "bool");
  logic((b, x) => b.elementwise("and", x, constant(b, 1)), "x");
  logic((b, x) => b.elementwise("and", constant(b, 0), x), "0:[5]");
  logic((b, x) => b.elementwise("or", x, constant(b, 0)), "x");
  logic((b, x) => b.elementwise("or", x, constant(b, 1)), "1:[5]");
  logic((b, x) => b.elementwise("and", x, x), "x");
  logic((b, x, y) => b.elementwise("and", x, y), null);
});

Deno.test("choices", () => {
  const choose = (condition: (b: GraphBuilder) => number): Expression => (b, x, y) =>
    b.elementwise("select", condition(b), x, y);
  const flag = (b: GraphBuilder) => b.input("flag", { shape: [LENGTH], type: "bool" });
  rule(choose((b) => b.splat(1, [], "bool")), "x");
  rule(choose((b) => b.splat(0, [LENGTH], "bool")), "y");
  rule(choose((b) => b.elementwise("not", flag(b))), "select(flag, y, x)");
  rule(choose(flag), null);
  rule((b) => b.elementwise("select", flag(b), b.splat(1), b.splat(0)), "toFloat(flag)");
});

Deno.test("a constant that is no splat stays", () => {
  check(
    simplifyAlgebra,
    (b) => b.elementwise("multiply", float(b, "x", 2), cells(b, [1, 0])),
    null,
  );
});

Deno.test("random graphs keep their results", () => {
  checkOnRandomGraphs(simplifyAlgebra);
  checkOnRandomGraphs(simplifyAlgebra, ["constant", "elementwise"]);
});
