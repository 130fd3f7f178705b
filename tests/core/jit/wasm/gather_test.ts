import { assertEquals } from "@std/assert";
import type { Buffer, Kernel } from "../../../../core/jit/kernels.ts";
import { interpretKernel, runKernel } from "./run_phases.ts";

function gather(rows: number, rowSize: number, tableRows: number) {
  const kernel: Kernel = {
    ...{ kind: "gather", table: 0, indices: 1, output: 2 },
    ...{ rows, rowSize, tableRows },
  };
  const buffers: Buffer[] = [
    { size: tableRows * rowSize, type: "float32", role: "input" },
    { size: rows, type: "int32", role: "input" },
    { size: rows * rowSize, type: "float32", role: "temporary" },
  ];
  const table = Float32Array.from({ length: tableRows * rowSize }, (_, i) => i + 0.5);
  return { kernel, buffers, table };
}

for (const rowSize of [1, 2, 3, 4, 7, 8, 10, 63, 64, 100]) {
  Deno.test(`rows of ${rowSize} cells are gathered`, () => {
    const { kernel, buffers, table } = gather(37, rowSize, 11);
    const indices = Int32Array.from({ length: 37 }, (_, i) => i * 7 % 11);
    assertEquals(
      runKernel(kernel, buffers, [table, indices, null]),
      interpretKernel(kernel, buffers, [table, indices, null]),
    );
  });
}

Deno.test("indices outside of the table take its edges", () => {
  const { kernel, buffers, table } = gather(5, 3, 4);
  const indices = Int32Array.of(-1, -(2 ** 31), 4, 2 ** 31 - 1, 2);
  const [, , actual] = runKernel(kernel, buffers, [table, indices, null]);
  const row = (i: number) => [...table.slice(3 * i, 3 * i + 3)];
  assertEquals([...actual], [0, 0, 3, 3, 2].flatMap(row));
});

Deno.test("rows of an empty table are zeros", () => {
  const { kernel, buffers, table } = gather(5, 3, 0);
  const [, , actual] = runKernel(kernel, buffers, [table, new Int32Array(5), null]);
  assertEquals([...actual], Array(15).fill(0));
});
