import { assert, assertEquals } from "@std/assert";
import type { Kernel, Loop, Schedule, Write } from "../../../../core/jit/kernels.ts";
import { webGpuScratchCells } from "../../../../core/jit/webgpu/executable.ts";
import { webgpuTest } from "../../../webgpu.ts";
import {
  assertAsInterpreted,
  loopKernel,
  noise,
  planOf,
  runOnce,
  scheduleOf,
  view,
} from "./programs.ts";

webgpuTest("a loop broadcasts, transposes, reverses and slices by its strides", async () => {
  const schedule = scheduleOf(
    { inputs: [60, 4, 5, 200], outputs: [60] },
    loopKernel({
      extents: [3, 4, 5],
      reads: [
        view(0, [1, 3, 12]),
        view(1, [0, 1, 0]),
        view(2, [0, 0, -1], { offset: 4 }),
        view(3, [40, 10, 2], { offset: 7 }),
      ],
      body: [
        { name: "add", type: "float32", operands: [read(0), read(1)] },
        { name: "multiply", type: "float32", operands: [value(0), read(2)] },
        { name: "add", type: "float32", operands: [value(1), read(3)] },
      ],
      writes: [{ view: view(4, [20, 5, 1]), value: value(2) }],
    }),
  );
  await assertAsInterpreted(schedule, [60, 4, 5, 200].map((size, i) => noise(size, i)));
});

webgpuTest("a loop writes several values, in place and elsewhere", async () => {
  const size = 1000;
  const schedule = scheduleOf(
    { inputs: [size], outputs: [size, 2 * size] },
    loopKernel({
      extents: [size],
      reads: [view(0, [1])],
      body: [
        { name: "square", type: "float32", operands: [read(0)] },
        { name: "greater", type: "bool", operands: [read(0), number(0.5)] },
        { name: "toFloat", type: "float32", operands: [value(1)] },
      ],
      writes: [
        { view: view(0, [1]), value: value(0) },
        { view: view(1, [1]), value: value(2) },
        { view: view(2, [2], { offset: 1 }), value: read(0) },
        { view: view(2, [2]), value: number(3) },
      ],
    }),
  );
  await assertAsInterpreted(schedule, [noise(size)]);
});

webgpuTest("a loop has more cells than a row of workgroups", async () => {
  // 32,768 workgroups of 256 threads are one row of a dispatch.
  const size = 32768 * 256 + 1000;
  const schedule = scheduleOf(
    { inputs: [1], outputs: [size] },
    loopKernel({
      extents: [size],
      reads: [view(0, [0])],
      writes: [{ view: view(1, [1]), value: read(0) }],
    }),
  );
  const [result] = await runOnce(planOf(schedule), [Float32Array.of(7)]);
  assert(result.every((cell) => cell === 7));
});

/** A schedule that reduces [rows, length] (or, `columns`, [length, rows]) in three ways. */
function reduction(rows: number, length: number, columns: boolean): Schedule {
  const strides = columns ? [1, rows] : [length, 1];
  const write = (buffer: number, reduce: Write["reduce"], index: number): Write => ({
    view: view(buffer, [1, 0]),
    value: value(index),
    reduce,
  });
  return scheduleOf(
    { inputs: [rows * length, rows], outputs: [rows, rows, rows, rows * length] },
    loopKernel({
      extents: [rows, length],
      reducedDimensions: 1,
      reads: [view(0, strides), view(1, [1, 0])],
      body: [
        { name: "multiply", type: "float32", operands: [read(0), read(1)] },
        { name: "subtract", type: "float32", operands: [read(0), read(1)] },
      ],
      writes: [
        write(2, "sum", 0),
        write(3, "maximum", 1),
        write(4, "minimum", 0),
        { view: view(5, strides), value: value(1) },
      ],
    }),
  );
}

const shapes = [[1, 1], [1, 5], [1, 100_000], [3, 4096], [7, 33], [130, 10], [64, 1000], [2000, 3]];

webgpuTest("rows and columns of all sizes are reduced", async () => {
  for (const columns of [false, true]) {
    for (const [rows, length] of shapes) {
      const schedule = reduction(rows, length, columns);
      await assertAsInterpreted(schedule, [noise(rows * length), noise(rows, 2)]);
    }
  }
});

Deno.test("few long rows are shared by workgroups, many rows are not", () => {
  const kernel = (rows: number, length: number) => reduction(rows, length, false).kernels[0];
  assertEquals(webGpuScratchCells(kernel(2, 100_000)) > 0, true);
  assertEquals(webGpuScratchCells(kernel(100_000, 100)), 0);
});

webgpuTest("several dimensions are reduced, integers exactly", async () => {
  const extents = [3, 5, 7, 11];
  const size = 3 * 5 * 7 * 11;
  const loop: Partial<Loop> & Pick<Loop, "extents"> = {
    extents,
    reducedDimensions: 2,
    // The input is [7, 3, 11, 5].
    reads: [view(0, [55, 1, 165, 5], { type: "int32" })],
  };
  const kernels: Kernel[] = (["sum", "maximum", "minimum"] as const).map((reduce, i) =>
    loopKernel({
      ...loop,
      writes: [{ view: view(i + 1, [5, 1, 0, 0], { type: "int32" }), value: read(0), reduce }],
    })
  );
  const output = { size: 15, type: "int32" } as const;
  const schedule = scheduleOf(
    { inputs: [{ size, type: "int32" }], outputs: [output, output, output] },
    ...kernels,
  );
  const input = Int32Array.from(noise(size), (x) => Math.round(x * 2 ** 30));
  await assertAsInterpreted(schedule, [input], 0);
});

webgpuTest("a maximum with a NaN is NaN; nothing sums to zero", async () => {
  const schedule = scheduleOf(
    { inputs: [2000, 1], outputs: [2, 2, 4] },
    loopKernel({
      extents: [2, 1000],
      reducedDimensions: 1,
      reads: [view(0, [1000, 1])],
      writes: [
        { view: view(2, [1, 0]), value: read(0), reduce: "maximum" },
        { view: view(3, [1, 0]), value: read(0), reduce: "minimum" },
      ],
    }),
    loopKernel({
      extents: [4, 0],
      reducedDimensions: 1,
      reads: [view(1, [0, 0])],
      writes: [{ view: view(4, [1, 0]), value: read(0), reduce: "sum" }],
    }),
  );
  const input = noise(2000);
  input[1700] = NaN;
  const [maximum, minimum, sum] = await runOnce(planOf(schedule), [input, Float32Array.of(1)]);
  assertEquals(maximum[0], Math.max(...input.slice(0, 1000)));
  assertEquals([maximum[1], minimum[1]], [NaN, NaN]);
  assertEquals(sum, new Float32Array(4));
});

webgpuTest("sums repeat bit for bit", async () => {
  const schedule = reduction(5, 50_000, false);
  const inputs = [noise(250_000), noise(5, 2)];
  const [once, again] = [
    await runOnce(planOf(schedule), inputs),
    await runOnce(planOf(schedule), inputs),
  ];
  assertEquals(once[0], again[0]);
});

function read(index: number) {
  return { kind: "read", index } as const;
}

function value(index: number) {
  return { kind: "value", index } as const;
}

function number(value: number) {
  return { kind: "number", value, type: "float32" } as const;
}
