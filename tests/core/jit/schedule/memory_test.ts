import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { GraphBuilder } from "../../../../core/jit/graph.ts";
import type { Kernel, Loop, Schedule, View } from "../../../../core/jit/kernels.ts";
import { lifetimes, planMemory } from "../../../../core/jit/schedule/memory.ts";
import { schedule } from "../../../../core/jit/schedule/schedule.ts";
import { programs } from "../random_graphs.ts";
import {
  assertValidPlan,
  bruteForceLifetimes,
  scheduleOf,
  someScratch,
} from "./checked_schedule.ts";

function view(buffer: number, strides = [1]): View {
  return { buffer, type: "float32", offset: 0, strides };
}

/** A loop over 16·lines cells that reads some buffers and writes one. */
function loop(lines: number, reads: readonly View[], write: number): Kernel {
  const body: Loop["body"] = [];
  return {
    kind: "loop",
    loop: {
      extents: [16 * lines],
      reducedDimensions: 0,
      reads,
      body,
      writes: [{ view: view(write), value: { kind: "read", index: 0 } }],
    },
  };
}

/** Temporaries of so many lines each; the first buffer is the argument, of one line. */
function temporaries(...lines: number[]): Schedule["buffers"] {
  return [
    { size: 16, type: "float32", role: "input" },
    ...lines.map((n) => ({ size: 16 * n, type: "float32", role: "temporary" } as const)),
  ];
}

const reversed = (buffer: number, lines: number): View => ({
  ...view(buffer, [-1]),
  offset: 16 * lines - 1,
});

const noScratch = { scratchCells: () => 0 };

Deno.test("buffers that are never alive together share memory, those that are do not", () => {
  // 1 → 2 → 3 → 4, each read backwards, so that nothing is in place.
  const chain: Schedule = {
    buffers: temporaries(4, 4, 4, 4),
    kernels: [
      loop(1, [view(0)], 1),
      ...[1, 2, 3].map((i) => loop(4, [reversed(i, 4)], i + 1)),
    ],
    inputs: [0],
    outputs: [4],
  };
  const plan = planMemory(chain, noScratch);
  assertValidPlan(plan);
  assertEquals([plan.arenaSize, plan.livenessBound], [16 * 9, 16 * 9]);
});

Deno.test("a result takes the memory of an operand that dies and is read at the same cells", () => {
  const chain = (read: (buffer: number) => View): Schedule => ({
    buffers: temporaries(4, 4, 4),
    kernels: [loop(1, [view(0)], 1), loop(4, [read(1)], 2), loop(4, [read(2)], 3)],
    inputs: [0],
    outputs: [3],
  });
  const inPlace = planMemory(chain((buffer) => view(buffer)), noScratch);
  assertEquals(new Set(inPlace.offsets.slice(1)).size, 1);
  assertEquals(inPlace.livenessBound, 16 * 5);
  const moved = planMemory(chain((buffer) => reversed(buffer, 4)), noScratch);
  assertEquals(moved.livenessBound, 16 * 9);
});

Deno.test("an operand that lives on keeps its memory, and so does a result", () => {
  const lives: Schedule = {
    buffers: temporaries(4, 4, 4),
    kernels: [
      loop(1, [view(0)], 1),
      loop(4, [view(1)], 2),
      loop(4, [view(1), view(2)], 3),
    ],
    inputs: [0],
    outputs: [2, 3],
  };
  const plan = planMemory(lives, noScratch);
  assertValidPlan(plan);
  assert(plan.offsets[2] !== plan.offsets[1]);
  assertEquals(plan.offsets[3], plan.offsets[1]);
});

Deno.test("a product's dropped raw result lies where its epilogue's result does", () => {
  const b = new GraphBuilder();
  const x = b.input("x", { shape: [4, 4], type: "float32" });
  const product = b.add({ kind: "matmul", transposeA: false, transposeB: false }, [x, x]);
  const plan = planMemory(scheduleOf(b, [b.elementwise("exponential", product)]), noScratch);
  const [kernel] = plan.kernels;
  if (kernel.kind !== "matmul" || kernel.epilogue?.keep !== false) throw new Error("kept");
  const [{ view: { buffer } }] = kernel.epilogue.loop.writes;
  assertEquals(plan.offsets[kernel.output], plan.offsets[buffer]);
  assertEquals(plan.arenaSize, 32);
});

Deno.test("scratch is alive in its kernel alone", () => {
  const chain: Schedule = {
    buffers: temporaries(1, 1, 1),
    kernels: [1, 2, 3].map((i) => loop(1, [reversed(i - 1, 1)], i)),
    inputs: [0],
    outputs: [3],
  };
  const plan = planMemory(chain, {
    scratchCells: (kernel) => kernel === chain.kernels[1] ? 33 : 0,
  });
  // The argument, one operand, one result, and 48 cells: 33 in whole lines.
  assertEquals([plan.arenaSize, plan.livenessBound], [16 * 6, 16 * 6]);
  assertEquals(plan.scratchOffsets[1] % 16, 0);
});

Deno.test("alignment holds for every buffer", () => {
  const plan = planMemory({
    buffers: [1, 17, 5].map((size) => ({ size, type: "float32", role: "input" as const })),
    kernels: [],
    inputs: [0, 1, 2],
    outputs: [],
  }, { scratchCells: () => 0, alignment: 64 });
  assertEquals([plan.offsets, plan.arenaSize], [[0, 64, 128], 192]);
});

Deno.test("lifetimes are those that a look at every kernel finds", () => {
  fc.assert(
    fc.property(programs(), ({ graph }) => {
      const scheduled = schedule(graph);
      const found = lifetimes(scheduled);
      bruteForceLifetimes(scheduled).forEach((lifetime, buffer) => {
        const { role } = scheduled.buffers[buffer];
        assertEquals(found[buffer], role === "temporary" ? lifetime : null);
      });
    }),
    { numRuns: 100, seed: 1 },
  );
});

/** Buffers with random sizes and lifetimes: a kernel each, which reads some of those before it. */
const randomSchedules = fc.array(
  fc.record({
    lines: fc.integer({ min: 1, max: 40 }),
    back: fc.array(fc.integer({ min: 1, max: 12 })),
  }),
  { minLength: 1, maxLength: 60 },
).map((made): Schedule => ({
  buffers: temporaries(...made.map(({ lines }) => lines)),
  kernels: made.map(({ lines, back }, i) => {
    const from = new Set(back.map((distance) => Math.max(0, i + 1 - distance)));
    return loop(lines, [...from, 0].map((buffer) => view(buffer, [0])), i + 1);
  }),
  inputs: [0],
  outputs: [made.length],
}));

Deno.test("random lifetimes: plans are valid and within 1.3 of the bound, mostly at it", () => {
  const ratios: number[] = [];
  fc.assert(
    fc.property(randomSchedules, (scheduled) => {
      const plan = planMemory(scheduled, { scratchCells: someScratch });
      assertValidPlan(plan);
      ratios.push(plan.arenaSize / plan.livenessBound);
    }),
    { numRuns: 150, seed: 1 },
  );
  const mean = ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length;
  assert(Math.max(...ratios) <= 1.3, `the worst ratio is ${Math.max(...ratios)}`);
  assert(mean < 1.03, `the mean ratio is ${mean}`);
});
