import { assertEquals } from "@std/assert";
import type { Kernel, Loop, Plan, View } from "../../../../core/jit/kernels.ts";
import { conflict, kernelAccesses } from "../../../../core/jit/wasm/accesses.ts";

/** A plan of one kernel, with buffers of these sizes one after another, 1000 cells apart. */
function planOf(kernel: Kernel, sizes: readonly number[]): Plan {
  return {
    buffers: sizes.map((size) => ({ size, type: "float32", role: "temporary" })),
    kernels: [kernel],
    inputs: [],
    outputs: [],
    offsets: sizes.map((_, i) => 1000 * i),
    scratchOffsets: [1000 * sizes.length],
    arenaSize: 1000 * sizes.length + 1000,
    livenessBound: 0,
  };
}

function view(buffer: number, offset: number, ...strides: number[]): View {
  return { buffer, type: "float32", offset, strides };
}

function loop(extents: readonly number[], reads: View[], writes: View[], reduced = 0): Loop {
  return {
    extents,
    reducedDimensions: reduced,
    reads,
    body: [],
    writes: writes.map((view) => ({ view, value: { kind: "read", index: 0 } })),
  };
}

function pairs(intervals: readonly { start: number; end: number }[]): number[][] {
  return intervals.map(({ start, end }) => [start, end]);
}

Deno.test("a loop's views: offsets, repeated and reversed walks, lines filled up at the end", () => {
  const kernel: Kernel = {
    kind: "loop",
    loop: loop([4, 5], [view(0, 19, -5, -1), view(1, 3, 0, 2), view(2, 0, 10, 1)], [
      view(3, 0, 5, 1),
      view(4, 20, 5, 1),
    ]),
  };
  const { reads, writes } = kernelAccesses(planOf(kernel, [20, 40, 100, 20, 60]), 0, 0);
  assertEquals(pairs(reads), [[0, 32], [1003, 1012], [2000, 2035]]);
  // The first ends with its buffer, and vectors may run on; the second must stop in the middle.
  assertEquals(pairs(writes), [[3000, 3032], [4020, 4040]]);
});

Deno.test("a product: whole operands, its result even if dropped, its epilogue, its scratch", () => {
  const matrix = (buffer: number) => ({
    buffer,
    offset: 0,
    batchStride: 0,
    rowStride: 8,
    columnStride: 1,
  });
  const kernel: Kernel = {
    kind: "matmul",
    batch: 1,
    m: 8,
    n: 8,
    k: 8,
    a: matrix(0),
    b: matrix(1),
    output: 2,
    epilogue: {
      loop: loop([8, 8], [view(2, 0, 8, 1), view(3, 0, 0, 1)], [view(4, 0, 8, 1)]),
      product: 0,
      keep: false,
    },
  };
  const { reads, writes } = kernelAccesses(planOf(kernel, [64, 64, 64, 8, 64]), 0, 100);
  assertEquals(pairs(reads), [[0, 64], [1000, 1064], [3000, 3016]]);
  assertEquals(pairs(writes).sort(), [[2000, 2064], [4000, 4064], [5000, 5100]]);
});

Deno.test("conflicts: two writers, a reader after a writer and before one; not two readers", () => {
  const reads = (start: number, end: number) => ({ reads: [{ start, end }], writes: [] });
  const writes = (start: number, end: number) => ({ reads: [], writes: [{ start, end }] });
  assertEquals(conflict(reads(0, 10), reads(0, 10)), false);
  assertEquals(conflict(writes(0, 10), reads(9, 12)), true);
  assertEquals(conflict(reads(0, 10), writes(9, 12)), true);
  assertEquals(conflict(writes(0, 10), writes(5, 6)), true);
  assertEquals(conflict(writes(0, 10), reads(10, 12)), false);
});
