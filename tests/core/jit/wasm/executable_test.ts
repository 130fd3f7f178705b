import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import { DeviceMemoryError, JitError } from "../../../../core/jit/errors.ts";
import { evaluate, type Values } from "../../../../core/jit/evaluate.ts";
import { type Graph, GraphBuilder, sizeOf } from "../../../../core/jit/graph.ts";
import type { Donation } from "../../../../core/jit/kernels.ts";
import { planMemory } from "../../../../core/jit/schedule/memory.ts";
import { schedule } from "../../../../core/jit/schedule/schedule.ts";
import {
  compileWasm,
  type WasmExecutable,
  wasmScratchCells,
} from "../../../../core/jit/wasm/executable.ts";
import { lowerConvolutions } from "../../../../core/jit/wasm/lowering.ts";
import { assertSameResults, programs } from "../random_graphs.ts";
import { uniform } from "./emitted.ts";

function compile(
  graph: Graph,
  { threads, donations = [], sharing }: {
    threads: number;
    donations?: readonly Donation[];
    sharing?: number;
  },
): Promise<WasmExecutable> {
  const scheduled = schedule(lowerConvolutions(graph), donations);
  return compileWasm(planMemory(scheduled, { scratchCells: wasmScratchCells }), {
    threads,
    sharing,
  });
}

/** The results of a graph on so many threads, of the second run; all phases are shared. */
async function resultsOf(graph: Graph, inputs: readonly Values[], threads: number) {
  const executable = await compile(graph, { threads, sharing: 0 });
  try {
    inputs.forEach((values, i) => executable.writeInput(i, values));
    executable.run(2);
    inputs.forEach((values, i) => assertEquals(executable.readInput(i), values));
    return graph.outputs.map((_, i) => executable.readOutput(i));
  } finally {
    executable.dispose();
  }
}

function bits(results: readonly Values[]): Int32Array[] {
  return results.map((values) => new Int32Array(values.slice().buffer));
}

const float = (...shape: number[]) => ({ shape, type: "float32" as const });

/** An evaluation of tanh(x w + b), of the mean square of it, and its derivative in w. */
function layer(batch: number, width: number): Graph {
  const g = new GraphBuilder();
  const x = g.input("x", float(batch, width));
  const w = g.input("w", float(width, width));
  const b = g.input("b", float(width));
  const product = (transposeA: boolean, transposeB: boolean, ...of: number[]) =>
    g.add({ kind: "matmul", transposeA, transposeB }, of);
  const y = g.elementwise(
    "hyperbolicTangent",
    g.elementwise("add", product(false, false, x, w), b),
  );
  const square = g.elementwise("square", y);
  const sum = g.add({ kind: "reduce", name: "sum", axes: [0, 1] }, [square]);
  const mean = g.elementwise("multiply", sum, g.splat(1 / (batch * width)));
  const slope = g.elementwise("multiply", y, g.elementwise("subtract", g.splat(1), square));
  const gradient = product(true, false, x, slope);
  const outputs = {
    y,
    mean,
    gradient,
    rows: g.add({ kind: "reduce", name: "maximum", axes: [1] }, [y]),
  };
  return g.finish(Object.entries(outputs).map(([name, node]) => ({ name, node })));
}

function cellsFor(graph: Graph, seed: number): Float32Array[] {
  const random = uniform(seed);
  return graph.inputs.map(({ shape }) => Float32Array.from({ length: sizeOf(shape) }, random));
}

Deno.test("a layer, its loss and its gradient: as evaluated, the same bits on 1, 2, 3 threads", async () => {
  for (const [batch, width] of [[64, 128], [33, 50], [1, 3]]) {
    const graph = layer(batch, width);
    const inputs = cellsFor(graph, batch);
    const one = await resultsOf(graph, inputs, 1);
    assertSameResults(one, evaluate(graph, inputs), 2e-4);
    for (const threads of [2, 3]) {
      assertEquals(bits(await resultsOf(graph, inputs, threads)), bits(one));
    }
  }
});

Deno.test("random programs: as evaluated, the same bits on 1, 2, 3 threads", async () => {
  await fc.assert(
    fc.asyncProperty(programs({ largest: 8192 }), async ({ graph, inputs }) => {
      const one = await resultsOf(graph, inputs, 1);
      assertSameResults(one, evaluate(graph, inputs));
      for (const threads of [2, 3]) {
        assertEquals(bits(await resultsOf(graph, inputs, threads)), bits(one));
      }
    }),
    { numRuns: 60, seed: 1 },
  );
});

Deno.test("state carries over from run to run, also crosswise", async () => {
  const n = 40_000;
  const g = new GraphBuilder();
  const a = g.input("a", float(n)), b = g.input("b", float(n));
  const count = g.input("count", { shape: [], type: "int32" });
  const sum = g.elementwise("add", a, g.add({ kind: "reverse", axes: [0] }, [b]));
  const next = g.elementwise("add", count, g.splat(1, [], "int32"));
  const total = g.add({ kind: "reduce", name: "maximum", axes: [0] }, [sum]);
  const graph = g.finish(
    Object.entries({ a: b, b: sum, count: next, total }).map(([name, node]) => ({ name, node })),
  );
  const donations = [0, 1, 2].map((i) => ({ input: i, output: i }));
  const start = [
    Float32Array.from({ length: n }, (_, i) => i % 7),
    Float32Array.from({ length: n }, (_, i) => i % 5),
    Int32Array.of(10),
  ];
  for (const threads of [1, 2]) {
    const executable = await compile(graph, { threads, donations });
    start.forEach((values, i) => executable.writeInput(i, values));
    executable.run(3);
    executable.run();
    executable.run(0);
    let [x, y] = start as Float32Array[];
    for (let run = 0; run < 4; run++) [x, y] = [y, x.map((value, i) => value + y[n - 1 - i])];
    assertEquals(executable.readInput(0), x);
    assertEquals(executable.readInput(1), y);
    assertEquals(executable.readOutput(1), y);
    assertEquals(executable.readInput(2), Int32Array.of(14));
    assertEquals(executable.readOutput(3), Float32Array.of(Math.max(...y.slice(0, 1000), ...y)));
    assertEquals(executable.threads, threads);
    executable.dispose();
  }
});

Deno.test("truth values are 0 and 1; constants stay; a small program takes one thread", async () => {
  const g = new GraphBuilder();
  const x = g.input("x", float(5));
  const limits = g.add({ kind: "constant", values: Float32Array.of(0, 1, 2, 3, 4) }, [], {
    given: float(5),
  });
  const less = g.elementwise("less", x, limits);
  const graph = g.finish([{ name: "less", node: less }, { name: "limits", node: limits }]);
  const executable = await compile(graph, { threads: 4 });
  executable.writeInput(0, Float32Array.of(-1, 1, 1, 5, NaN));
  executable.run(3);
  assertEquals(executable.readOutput(0), Int32Array.of(1, 0, 1, 0, 0));
  assertEquals(executable.readOutput(1), Float32Array.of(0, 1, 2, 3, 4));
  assertEquals(executable.threads, 1);
  executable.dispose();
});

Deno.test("mistakes are named", async () => {
  const g = new GraphBuilder();
  const x = g.input("x", float(5));
  const graph = g.finish([{ name: "y", node: g.elementwise("negate", x) }]);
  const executable = await compile(graph, { threads: 1 });
  assertThrows(
    () => executable.writeInput(0, new Float32Array(4)),
    JitError,
    "argument 0 has 4 values, expected 5",
  );
  assertThrows(() => executable.writeInput(1, new Float32Array(4)), JitError, "number 1");
  assertThrows(() => executable.readOutput(1), JitError, "number 1");
  assertThrows(() => executable.run(1.5), JitError, "1.5");
  executable.dispose();
  executable.dispose();
  for (
    const use of [
      () => executable.run(),
      () => executable.readOutput(0),
      () => executable.writeInput(0, new Float32Array(5)),
    ]
  ) assertThrows(use, JitError, "disposed");
});

Deno.test("a program that is too large says how much it needs", async () => {
  const g = new GraphBuilder();
  const x = g.input("x", float(2 ** 15, 2 ** 15 + 8));
  const graph = g.finish([{ name: "y", node: g.elementwise("negate", x) }]);
  const error = await assertRejects(
    () => compile(graph, { threads: 1 }),
    DeviceMemoryError,
    "smaller batch",
  );
  assert(error.message.includes("4096 MiB"), error.message);
  assertEquals(error.limit, 2 ** 32);
  assert(error.bytes >= 2 * 4 * 2 ** 15 * (2 ** 15 + 8));
});
