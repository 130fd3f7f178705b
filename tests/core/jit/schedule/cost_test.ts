import { assertEquals } from "@std/assert";
import { GraphBuilder, type ValueType } from "../../../../core/jit/graph.ts";
import type { Schedule } from "../../../../core/jit/kernels.ts";
import { kernelBytes, kernelFlops } from "../../../../core/jit/schedule/cost.ts";
import { scheduleOf } from "./checked_schedule.ts";

function float(...shape: number[]): ValueType {
  return { shape, type: "float32" };
}

function costs(scheduled: Schedule): [flops: number, bytes: number][] {
  return scheduled.kernels.map((kernel) => [kernelFlops(kernel), kernelBytes(kernel, scheduled)]);
}

Deno.test("a product with an epilogue: 2mnk and an instruction a cell; operands and results once", () => {
  const b = new GraphBuilder();
  const x = b.input("x", float(6, 5)), w = b.input("w", float(5, 8)), bias = b.input("b", float(8));
  const product = b.add({ kind: "matmul", transposeA: false, transposeB: false }, [x, w]);
  const y = b.elementwise("exponential", b.elementwise("add", product, bias));
  const scheduled = scheduleOf(b, [y]);
  assertEquals(costs(scheduled), [[2 * 6 * 8 * 5 + 2 * 48, 4 * (30 + 40 + 8 + 48)]]);
  const kept = scheduleOf(b, [y, product]);
  assertEquals(costs(kept), [[2 * 6 * 8 * 5 + 2 * 48, 4 * (30 + 40 + 8 + 48 + 48)]]);
});

Deno.test("a convolution counts its taps, those on padding too", () => {
  const b = new GraphBuilder();
  const x = b.input("x", float(2, 4, 4, 3)), filter = b.input("f", float(3, 3, 3, 5));
  const y = b.add({ kind: "conv2d", strides: [1, 1], pads: [1, 1, 1, 1] }, [x, filter]);
  assertEquals(costs(scheduleOf(b, [y])), [[2 * 160 * 27, 4 * (96 + 135 + 160)]]);
});

Deno.test("a reduction counts its instructions and its sum; a broadcast operand is read once", () => {
  const b = new GraphBuilder();
  const x = b.input("x", float(6, 8)), scale = b.input("s", float(8));
  const product = b.elementwise("multiply", x, scale);
  const total = b.add({ kind: "reduce", name: "sum", axes: [0] }, [product]);
  assertEquals(costs(scheduleOf(b, [total])), [[2 * 48, 4 * (48 + 8 + 8)]]);
});

Deno.test("moves and draws are no floating-point work", () => {
  const b = new GraphBuilder();
  const seed = b.input("seed", { shape: [2], type: "int32" });
  const step = b.input("step", { shape: [], type: "int32" });
  const draw = b.add(
    { kind: "philox", distribution: "uniform", stream: 1, firstSample: 0, shape: [5, 3] },
    [seed, step],
  );
  const padded = b.add(
    { kind: "pad", before: [1, 0], after: [0, 2], interior: [0, 0], value: 0 },
    [draw],
  );
  assertEquals(costs(scheduleOf(b, [padded])), [[0, 4 * (3 + 15)], [0, 4 * (15 + 30)]]);
});
