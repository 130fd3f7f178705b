import { assertEquals } from "@std/assert";
import type { Buffer, Kernel } from "../../../../core/jit/kernels.ts";
import { interpretKernel, runKernel } from "./run_phases.ts";

const contiguous = (extents: number[]) =>
  extents.map((_, d) => extents.slice(d + 1).reduce((a, b) => a * b, 1));

function check(
  extents: number[],
  before: number[],
  after: number[],
  interior: number[],
  value: number,
) {
  const outer = extents.map((extent, d) =>
    extent + Math.max(0, extent - 1) * interior[d] + before[d] + after[d]
  );
  const size = outer.reduce((a, b) => a * b, 1);
  const strides = contiguous(outer);
  const kernel: Kernel = {
    kind: "pad",
    input: { buffer: 0, type: "float32", offset: 0, strides: contiguous(extents) },
    extents,
    output: {
      buffer: 1,
      type: "float32",
      offset: strides.reduce((sum, stride, d) => sum + stride * before[d], 0),
      strides: strides.map((stride, d) => stride * (1 + interior[d])),
    },
    size,
    value,
  };
  const cells = extents.reduce((a, b) => a * b, 1);
  const buffers: Buffer[] = [
    { size: cells, type: "float32", role: "input" },
    { size, type: "float32", role: "temporary" },
  ];
  const contents = [Float32Array.from({ length: cells }, (_, i) => i + 1), null];
  assertEquals(runKernel(kernel, buffers, contents), interpretKernel(kernel, buffers, contents));
}

Deno.test("padding on all sides of images", () => {
  check([2, 5, 6, 3], [0, 1, 2, 0], [0, 2, 1, 0], [0, 0, 0, 0], 0);
  check([3, 8, 8, 16], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0], 0);
});

Deno.test("padding between cells", () => {
  check([2, 3, 4, 5], [0, 0, 1, 0], [0, 1, 0, 0], [0, 1, 2, 0], -1.5);
  check([7], [3], [2], [3], 9);
});

Deno.test("padding of nothing, and by nothing", () => {
  check([0, 4], [1, 0], [2, 0], [0, 0], 5);
  check([6, 7], [0, 0], [0, 0], [0, 0], 5);
  check([], [], [], [], 5);
});
