import type { DataType } from "../../../../core/jit/elementwise.ts";
import type { GraphBuilder, Operation } from "../../../../core/jit/graph.ts";
import { removeIdentities } from "../../../../core/jit/passes/identities.ts";
import { check, checkOnRandomGraphs, float } from "./check_pass.ts";

/** What becomes of some operations, one after another, on an argument x of the given shape. */
function chain(shape: number[], operations: Operation[], expected: string | null): void {
  check(
    removeIdentities,
    (b) => operations.reduce((x, operation) => b.add(operation, [x]), float(b, "x", ...shape)),
    expected,
  );
}

Deno.test("reshapes", () => {
  const reshape = (...shape: number[]): Operation => ({ kind: "reshape", shape });
  chain([2, 3], [reshape(2, 3)], "x");
  chain([2, 3], [reshape(6), reshape(3, 2)], "reshape[3,2](x)");
  chain([2, 3], [reshape(6), reshape(2, 3)], "x");
  chain([2, 3], [reshape(3, 2)], null);
});

Deno.test("transpositions", () => {
  const transpose = (...permutation: number[]): Operation => ({ kind: "transpose", permutation });
  chain([2, 3], [transpose(0, 1)], "x");
  chain([2, 3], [transpose(1, 0), transpose(1, 0)], "x");
  chain([2, 3, 4], [transpose(1, 2, 0), transpose(1, 0, 2)], "transpose[2,1,0](x)");
  chain([2, 1, 3], [transpose(1, 0, 2)], "reshape[1,2,3](x)");
  chain([2, 3], [transpose(1, 0)], null);
});

Deno.test("slices", () => {
  const slice = (begin: number[], size: number[], strides = size.map(() => 1)): Operation => ({
    kind: "slice",
    begin,
    size,
    strides,
  });
  chain([4, 3], [slice([0, 0], [4, 3])], "x");
  chain([9], [slice([1], [4], [2]), slice([1], [2], [2])], "slice[3;2;4](x)");
  chain([4, 3], [slice([1, 0], [3, 3])], null);
  const pad: Operation = { kind: "pad", before: [2], after: [1], interior: [0], value: 0 };
  chain([5], [pad, slice([2], [5])], "x");
  chain([5], [pad, slice([3], [2], [2])], "slice[1;2;2](x)");
  chain([5], [pad, slice([1], [3])], null);
  chain([5], [{ ...pad, interior: [1] }, slice([2], [4])], null);
});

Deno.test("slices of concatenations", () => {
  const part = (begin: number, size: number) => (b: GraphBuilder) => {
    const inputs = ["x", "y", "z"].map((name) => float(b, name, 3));
    const whole = b.add({ kind: "concat", axis: 0 }, inputs);
    return b.add({ kind: "slice", begin: [begin], size: [size], strides: [1] }, [whole]);
  };
  check(removeIdentities, part(3, 3), "y");
  check(removeIdentities, part(7, 2), "slice[1;2;1](z)");
  check(removeIdentities, part(2, 3), null);
});

Deno.test("concatenations", () => {
  const two = (build: (b: GraphBuilder, x: number, y: number) => number) => (b: GraphBuilder) =>
    build(b, float(b, "x", 2, 3), float(b, "y", 2, 3));
  const concat = (b: GraphBuilder, axis: number, ...inputs: number[]) =>
    b.add({ kind: "concat", axis }, inputs);
  const rows = (b: GraphBuilder, x: number, begin: number, size: number) =>
    b.add({ kind: "slice", begin: [begin, 0], size: [size, 3], strides: [1, 1] }, [x]);
  check(removeIdentities, (b) => concat(b, 0, float(b, "x", 3)), "x");
  check(
    removeIdentities,
    two((b, x, y) => concat(b, 0, concat(b, 0, x, y), x)),
    "concat[0](x, y, x)",
  );
  check(
    removeIdentities,
    two((b, x, y) => concat(b, 1, concat(b, 0, x, y), concat(b, 0, y, x))),
    null,
  );
  check(removeIdentities, two((b, x) => concat(b, 0, rows(b, x, 0, 1), rows(b, x, 1, 1))), "x");
  check(removeIdentities, two((b, x) => concat(b, 0, rows(b, x, 1, 1), rows(b, x, 0, 1))), null);
  check(removeIdentities, two((b, x, y) => concat(b, 0, rows(b, x, 0, 1), rows(b, y, 1, 1))), null);
  check(
    removeIdentities,
    two((b, x) => concat(b, 1, x, b.splat(0, [2, 4]))),
    "pad[0,0;0,4;0,0;0](x)",
  );
  check(
    removeIdentities,
    two((b, x) => concat(b, 0, b.splat(2, [1, 3]), x, b.splat(2, [3, 3]))),
    "pad[1,0;3,0;0,0;2](x)",
  );
});

Deno.test("reversals and pads", () => {
  const reverse = (...axes: number[]): Operation => ({ kind: "reverse", axes });
  chain([2, 3], [reverse()], "x");
  chain([2, 1, 3], [reverse(1, 2)], "reverse[2](x)");
  chain([2, 3], [reverse(0), reverse(0, 1)], "reverse[1](x)");
  chain([2, 3], [reverse(1), reverse(1)], "x");
  chain([2, 3], [reverse(1)], null);
  chain([3], [{ kind: "pad", before: [0], after: [0], interior: [0], value: 1 }], "x");
  chain([1], [{ kind: "pad", before: [0], after: [0], interior: [2], value: 1 }], "x");
});

Deno.test("reductions over nothing", () => {
  const sum = (...axes: number[]): Operation => ({ kind: "reduce", name: "sum", axes });
  chain([2, 3], [sum()], "x");
  chain([2, 1, 3], [sum(1)], "reshape[2,3](x)");
  chain([2, 1, 3], [sum(0, 1)], null);
});

Deno.test("negations and casts", () => {
  const unary = (
    type: DataType,
    names: Parameters<GraphBuilder["elementwise"]>[0][],
    expected: string | null,
  ) =>
    check(
      removeIdentities,
      (b) => names.reduce((x, name) => b.elementwise(name, x), b.input("x", { shape: [7], type })),
      expected,
    );
  unary("float32", ["negate", "negate"], "x");
  unary("bool", ["not", "not"], "x");
  unary("float32", ["toFloat"], "x");
  unary("bool", ["toFloat", "toBool"], "x");
  unary("bool", ["toFloat", "toInt"], "toInt(x)");
  unary("bool", ["toInt", "toFloat"], "toFloat(x)");
  unary("int32", ["toFloat", "toInt"], null); // beyond 2²⁴ not the same integer
  unary("float32", ["toBool", "toFloat"], null);
  unary("float32", ["negate"], null);
});

Deno.test("negated comparisons, where NaN allows", () => {
  const negated = (name: "equal" | "less", expected: string | null) =>
    check(
      removeIdentities,
      (b) => b.elementwise("not", b.elementwise(name, float(b, "x", 9), float(b, "y", 9))),
      expected,
    );
  negated("equal", "notEqual(x, y)");
  negated("less", null);
});

Deno.test("a choice between the same", () => {
  check(removeIdentities, (b) => {
    const condition = b.input("condition", { shape: [2, 3], type: "bool" });
    const x = float(b, "x", 3);
    return b.elementwise("select", condition, x, x);
  }, "broadcast[2,3](x)");
});

Deno.test("reshapes move out of elementwise functions", () => {
  check(removeIdentities, (b) => {
    const [x, y] = ["x", "y"].map((name) => b.reshape(float(b, name, 6), [2, 3]));
    return b.reshape(b.elementwise("add", b.elementwise("multiply", x, b.splat(2)), y), [6]);
  }, "add(multiply(x, 2), y)");
  check(removeIdentities, (b) => {
    const x = b.reshape(float(b, "x", 6), [2, 3]);
    return b.elementwise("add", x, float(b, "y", 2, 3));
  }, null);
  check(removeIdentities, (b) => {
    const x = b.reshape(float(b, "x", 3), [3, 1]);
    return b.elementwise("add", x, b.reshape(float(b, "y", 3), [1, 3]));
  }, null);
});

Deno.test("random graphs keep their results", () => {
  checkOnRandomGraphs(removeIdentities);
  checkOnRandomGraphs(removeIdentities, [
    ...(["reshape", "transpose", "slice", "concat", "pad", "reverse", "elementwise"] as const),
  ]);
});
