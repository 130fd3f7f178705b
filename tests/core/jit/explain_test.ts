import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { explain } from "../../../core/jit/explain.ts";
import { GraphBuilder } from "../../../core/jit/graph.ts";
import { planMemory } from "../../../core/jit/schedule/memory.ts";
import { schedule } from "../../../core/jit/schedule/schedule.ts";

function example() {
  const b = new GraphBuilder();
  const x = b.input("x", { shape: [512, 128], type: "float32" });
  const w = b.input("w", { shape: [128, 64], type: "float32" });
  const product = b.add({ kind: "matmul", transposeA: false, transposeB: false }, [x, w]);
  const y = b.elementwise("exponential", product);
  const total = b.add({ kind: "reduce", name: "sum", axes: [0, 1] }, [b.elementwise("square", y)]);
  const graph = b.finish([{ name: "total", node: total }]);
  const scheduled = schedule(graph);
  const plan = planMemory(scheduled, { scratchCells: () => 0 });
  return { stages: [{ name: "recorded", graph }], schedule: scheduled, plan };
}

Deno.test("the text has the passes' sizes, a line a kernel with totals, and the memory", () => {
  const text = explain(example()), lines = text.split("\n");
  assertStringIncludes(text, "6 nodes  recorded");
  // 2·512·64·128 operations and 2·512·64 in the epilogue; 4·(512·128 + 128·64 + 512·64) bytes.
  assertMatch(text, /0 +8\.45 M +426 k +19\.85 {2}product \[512, 128\]·\[128, 64\], then exp/);
  assertMatch(text, /1 +32\.8 k +131 k +0\.25 {2}loop \[32768\] 1 → 1, 1 reduced over/);
  assertMatch(text, /8\.49 M +557 k +15\.24 {2}2 kernels/);
  assertStringIncludes(text, "arena 426 kB, at least 426 kB alive at once: 1.000");
  assertEquals(lines.filter((line) => line.endsWith("input")).length, 2);
});

Deno.test("graphs in full and fewer buffers where asked", () => {
  const text = explain(example(), { graphs: true, buffers: 2 });
  assertStringIncludes(text, "%2 = matmul(x, w) float32[512,64]");
  assertStringIncludes(text, "and 3 smaller ones");
  assertStringIncludes(explain({ ...example(), stages: [] }), "none changed anything");
});
