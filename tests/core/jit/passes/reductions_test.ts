import type { GraphBuilder, Operation } from "../../../../core/jit/graph.ts";
import { simplifyReductions } from "../../../../core/jit/passes/reductions.ts";
import { check, checkOnRandomGraphs, float } from "./check_pass.ts";

/** Small whole numbers: sums in any order are exact. */
const numbers = [1, -2, 3, 0.5, -0.25];

const reduce = (b: GraphBuilder, x: number, axes: number[], name: "sum" | "maximum" = "sum") =>
  b.add({ kind: "reduce", name, axes }, [x]);

function rule(build: (b: GraphBuilder) => number, expected: string | null): void {
  check(simplifyReductions, build, expected, { numbers });
}

Deno.test("of broadcasts", () => {
  const broadcast = (b: GraphBuilder, x: number, ...shape: number[]) =>
    b.add({ kind: "broadcast", shape }, [x]);
  rule(
    (b) => reduce(b, broadcast(b, float(b, "x", 3), 5, 3), [0]),
    "multiply(sum[](x), 5)",
  );
  rule(
    (b) => reduce(b, broadcast(b, float(b, "x", 3), 5, 3), [0], "maximum"),
    "maximum[](x)",
  );
  rule(
    (b) => reduce(b, broadcast(b, float(b, "x", 3), 5, 3), [0, 1]),
    "multiply(sum[0](x), 5)",
  );
  rule((b) => reduce(b, broadcast(b, float(b, "x", 3), 5, 3), [1]), null);
});

Deno.test("of transpositions", () => {
  const transpose = (b: GraphBuilder, x: number, ...permutation: number[]) =>
    b.add({ kind: "transpose", permutation }, [x]);
  rule((b) => reduce(b, transpose(b, float(b, "x", 2, 3), 1, 0), [0]), "sum[1](x)");
  rule(
    (b) => reduce(b, transpose(b, float(b, "x", 2, 3, 4), 2, 1, 0), [1]),
    "transpose[1,0](sum[1](x))",
  );
});

Deno.test("of reshapes whose axes align", () => {
  rule((b) => reduce(b, b.reshape(float(b, "x", 2, 3, 4), [6, 4]), [0]), "sum[0,1](x)");
  rule((b) => reduce(b, b.reshape(float(b, "x", 6, 4), [2, 3, 4]), [0, 1]), "sum[0](x)");
  rule(
    (b) => reduce(b, b.reshape(float(b, "x", 2, 3, 4), [1, 6, 4]), [2]),
    "reshape[1,6](sum[2](x))",
  );
  rule((b) => reduce(b, b.reshape(float(b, "x", 6, 4), [2, 3, 4]), [1]), null);
  rule((b) => reduce(b, b.reshape(float(b, "x", 4, 6), [6, 4]), [0]), null);
});

Deno.test("of reshapes of nothing", () => {
  rule((b) => reduce(b, b.reshape(float(b, "x", 0), [0, 5]), [0]), null);
  rule((b) => reduce(b, b.reshape(float(b, "x", 0, 3), [5, 0]), [1]), null);
});

Deno.test("of reversals and of reductions", () => {
  const reverse: Operation = { kind: "reverse", axes: [0] };
  rule((b) => reduce(b, b.add(reverse, [float(b, "x", 2, 3)]), [0]), "sum[0](x)");
  rule((b) => reduce(b, b.add(reverse, [float(b, "x", 2, 3)]), [1]), null);
  rule((b) => reduce(b, reduce(b, float(b, "x", 2, 3, 4), [1]), [1]), "sum[1,2](x)");
  rule((b) => reduce(b, reduce(b, float(b, "x", 2, 3, 4), [1], "maximum"), [1]), null);
});

Deno.test("a sum that is a result too is not summed again", () => {
  rule((b) => {
    const inner = reduce(b, float(b, "x", 2, 3), [0]);
    return b.elementwise("add", reduce(b, inner, [0]), inner);
  }, null);
});

Deno.test("of products", () => {
  const product =
    (name: "multiply" | "divide", build: (b: GraphBuilder) => number) => (b: GraphBuilder) =>
      reduce(b, b.elementwise(name, float(b, "x", 2, 3), build(b)), [0]);
  rule(product("multiply", (b) => b.splat(3)), "multiply(sum[0](x), 3)");
  rule(product("multiply", (b) => float(b, "y", 3)), "multiply(sum[0](x), y)");
  rule(product("divide", (b) => float(b, "y", 1, 1)), "divide(sum[0](x), reshape[1](y))");
  rule(product("multiply", (b) => float(b, "y", 2, 1)), null);
  rule(product("multiply", (b) => float(b, "y", 2, 3)), null);
  rule((b) => reduce(b, b.elementwise("negate", float(b, "x", 3)), [0]), "negate(sum[0](x))");
  rule(
    (b) => reduce(b, b.elementwise("divide", b.splat(1), float(b, "x", 3)), [0]),
    null,
  );
  // The sum is over x alone: what is repeated in the product is not.
  rule((b) => {
    const outer = b.elementwise("multiply", float(b, "x", 5), float(b, "y", 3, 1));
    return reduce(b, outer, [1]);
  }, "multiply(reshape[1](sum[0](x)), reshape[3](y))");
});

Deno.test("an extremum of a product stays", () => {
  rule(
    (b) => reduce(b, b.elementwise("multiply", float(b, "x", 3), b.splat(-1)), [0], "maximum"),
    null,
  );
});

Deno.test("random graphs keep their results", () => {
  checkOnRandomGraphs(simplifyReductions);
  checkOnRandomGraphs(simplifyReductions, [
    ...(["reduce", "reduce", "broadcast", "elementwise", "transpose", "reshape"] as const),
  ]);
});
