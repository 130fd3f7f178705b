import type { GraphBuilder, Operation } from "../../../../core/jit/graph.ts";
import { foldConstants } from "../../../../core/jit/passes/constant_folding.ts";
import { cells, check, checkOnRandomGraphs, float } from "./check_pass.ts";

Deno.test("elementwise functions of constants", () => {
  check(foldConstants, (b) => b.elementwise("add", b.splat(2), b.splat(3)), "5");
  check(foldConstants, (b) => b.elementwise("add", b.splat(2, [4]), b.splat(3, [5, 1])), "5:[5,4]");
  check(
    foldConstants,
    (b) => b.elementwise("multiply", cells(b, [1, 2, 3]), b.splat(2)),
    "2 4 6:[3]",
  );
  check(foldConstants, (b) => b.elementwise("less", b.splat(1), b.splat(2)), "1");
  const most = 2 ** 31 - 1; // rounded as the program would: int32 wraps
  check(
    foldConstants,
    (b) => b.elementwise("add", b.splat(most, [], "int32"), b.splat(1, [], "int32")),
    `${-(2 ** 31)}`,
  );
});

Deno.test("what has an argument stays", () => {
  check(foldConstants, (b) => b.elementwise("add", float(b, "x", 3), b.splat(3)), null);
});

Deno.test("splats stay splats, whatever their size", () => {
  const size = 100_000;
  const moves: [Operation, number[], string][] = [
    [{ kind: "reshape", shape: [size] }, [size / 2, 2], `7:[${size}]`],
    [{ kind: "broadcast", shape: [size, 3] }, [3], `7:[${size},3]`],
    [{ kind: "transpose", permutation: [1, 0] }, [2, size], `7:[${size},2]`],
    [{ kind: "slice", begin: [5], size: [3], strides: [2] }, [size], "7:[3]"],
    [{ kind: "reverse", axes: [0] }, [size], `7:[${size}]`],
    [{ kind: "pad", before: [1], after: [2], interior: [0], value: 7 }, [size], `7:[${size + 3}]`],
    [{ kind: "reduce", name: "sum", axes: [0] }, [size], "700000"],
    [{ kind: "reduce", name: "maximum", axes: [1] }, [2, size], "7:[2]"],
  ];
  for (const [operation, shape, expected] of moves) {
    check(foldConstants, (b) => b.add(operation, [b.splat(7, shape)]), expected);
  }
  check(
    foldConstants,
    (b) => b.add({ kind: "concat", axis: 0 }, [b.splat(7, [size]), b.splat(7, [2])]),
    `7:[${size + 2}]`,
  );
});

Deno.test("equal cells become a splat", () => {
  check(foldConstants, (b) => cells(b, [2, 2, 2]), "2:[3]");
  check(foldConstants, (b) => cells(b, [2, 2, 3]), null);
  check(foldConstants, (b) => cells(b, [0, -0]), null);
  check(foldConstants, (b) => cells(b, [NaN, NaN]), "NaN:[2]");
});

Deno.test("moves and products of small constants", () => {
  const matrix = (b: GraphBuilder) => cells(b, [1, 2, 3, 4], [2, 2]);
  const transposed = (b: GraphBuilder) =>
    b.add({ kind: "transpose", permutation: [1, 0] }, [matrix(b)]);
  check(foldConstants, transposed, "1 3 2 4:[2,2]");
  check(
    foldConstants,
    (b) => b.add({ kind: "matmul", transposeA: false, transposeB: false }, [matrix(b), matrix(b)]),
    "7 10 15 22:[2,2]",
  );
  check(
    foldConstants,
    (b) => b.add({ kind: "gather" }, [cells(b, [5, 6]), b.splat(1, [3], "int32")]),
    "6:[3]",
  );
});

Deno.test("large results stay operations", () => {
  const pad: Operation = { kind: "pad", before: [5000], after: [0], interior: [0], value: 0 };
  check(foldConstants, (b) => b.add(pad, [cells(b, [1, 2])]), null);
});

Deno.test("draws stay draws", () => {
  check(foldConstants, (b) => {
    const operands = [b.splat(1, [2], "int32"), b.splat(0, [], "int32")];
    return b.add(
      { kind: "philox", distribution: "uniform", stream: 1, firstSample: 0, shape: [2] },
      operands,
    );
  }, null);
});

Deno.test("random graphs keep their results", () => {
  checkOnRandomGraphs(foldConstants);
  checkOnRandomGraphs(foldConstants, [
    "constant",
    "elementwise",
    "reshape",
    "reduce",
    "pad",
    "concat",
  ]);
});
