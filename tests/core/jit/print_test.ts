import { assertEquals } from "@std/assert";
import { GraphBuilder } from "../../../core/jit/graph.ts";
import { printGraph } from "../../../core/jit/print.ts";

Deno.test("a listing names arguments, shows constants and keeps the user's lines", () => {
  const builder = new GraphBuilder();
  const x = builder.input("x", { shape: [2, 3], type: "float32" });
  const n = builder.input("n", { shape: [], type: "int32" });
  const half = builder.elementwise("multiply", x, builder.splat(0.1));
  const ramp = builder.add({ kind: "constant", values: Float32Array.of(1, 2, 3, 4, 5, 6) }, [], {
    given: { shape: [2, 3], type: "float32" },
  });
  const product = builder.add(
    { kind: "matmul", transposeA: false, transposeB: true },
    [half, ramp],
    {
      source: "model.ts:7",
    },
  );
  const sum = builder.add({ kind: "reduce", name: "sum", axes: [0, 1] }, [product]);
  const pad = builder.add({ kind: "pad", before: [1], after: [0], interior: [0], value: 2 }, [
    builder.splat(3, [4]),
  ]);
  const graph = builder.finish([{ name: "sum", node: sum }, { name: "n", node: n }, {
    name: "pad",
    node: pad,
  }]);
  assertEquals(
    printGraph(graph),
    [
      "input x float32[2,3]",
      "input n int32[]",
      "%3 = multiply(x, 0.1) float32[2,3]",
      "%4 = constant(1, 2, 3, 4, …) float32[2,3]",
      "%5 = matmul(%3, %4ᵀ) float32[2,2]  // model.ts:7",
      "%6 = reduce(sum %5, axes: [0,1]) float32[]",
      "%8 = pad(3[4], before: [1], after: [0], interior: [0], value: 2) float32[5]",
      "output sum = %6",
      "output n = n",
      "output pad = %8",
      "",
    ].join("\n"),
  );
});
