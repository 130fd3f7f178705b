import { assert, assertEquals } from "@std/assert";
import type { Kernel, View } from "../../../../core/jit/kernels.ts";
import {
  fillPhilox,
  type PhiloxDistribution,
  typeOfDraws,
} from "../../../../core/tensor/philox.ts";
import { webgpuTest } from "../../../webgpu.ts";
import { assertAsInterpreted, noise, planOf, runOnce, scheduleOf, view } from "./programs.ts";

/** A kernel that pads; the result has `size` cells. */
function pad(input: View, output: View, extents: number[], size: number, value = 0): Kernel {
  return { kind: "pad", input, output, extents, size, value };
}

webgpuTest("padding fills around, between and beside the cells", async () => {
  // [3, 4] into [8, 9] with one column between neighbours.
  const around = pad(view(0, [4, 1]), view(2, [9, 2], { offset: 20 }), [3, 4], 72, 1.5);
  // A vector at the end of a longer one, of integers.
  const type = "int32";
  const before = pad(view(1, [1], { type }), view(3, [1], { offset: 95, type }), [5], 100, -7);
  // A transposed one: strides that do not nest.
  const transposed = pad(view(0, [4, 1]), view(4, [1, 5], { offset: 6 }), [3, 4], 40, 2);
  const schedule = scheduleOf(
    {
      inputs: [12, { size: 5, type }],
      outputs: [72, { size: 100, type }, 40],
    },
    around,
    before,
    transposed,
  );
  await assertAsInterpreted(schedule, [noise(12), Int32Array.of(1, 2, 3, 4, 5)], 0);
});

webgpuTest("a scalar is padded, and padding by nothing is a copy", async () => {
  const schedule = scheduleOf(
    { inputs: [1, 24], outputs: [7, 24] },
    pad(view(0, []), view(2, [], { offset: 3 }), [], 7, 4),
    pad(view(1, [1]), view(3, [1]), [24], 24, 4),
  );
  await assertAsInterpreted(schedule, [noise(1), noise(24)], 0);
});

webgpuTest("gathering takes rows as bits", async () => {
  const schedule = scheduleOf(
    {
      inputs: [70, { size: 300, type: "int32" }, { size: 10, type: "int32" }],
      outputs: [2100, { size: 300, type: "int32" }],
    },
    { kind: "gather", table: 0, indices: 1, rows: 300, rowSize: 7, tableRows: 10, output: 3 },
    { kind: "gather", table: 2, indices: 1, rows: 300, rowSize: 1, tableRows: 10, output: 4 },
  );
  const indices = Int32Array.from(noise(300), (x) => Math.floor((x + 1) * 5));
  // Integers whose bits are a NaN's survive too.
  const integers = Int32Array.from({ length: 10 }, (_, i) => 0x7f800001 + i);
  const floats = noise(70);
  const [rows, cells] = await runOnce(planOf(schedule), [floats, indices, integers]);
  assertEquals(
    rows,
    Float32Array.from(rows, (_, i) => floats[indices[Math.floor(i / 7)] * 7 + i % 7]),
  );
  assertEquals(cells, Int32Array.from(indices, (index) => integers[index]));
});

/** Draws on the device and on the host. */
async function draws(
  distribution: PhiloxDistribution,
  samples: number,
  perSample: number,
  { count, offset = 0 }: { count?: number; offset?: number } = {},
) {
  const size = samples * perSample;
  const stream = -123456789, firstSample = 3;
  const type = typeOfDraws(distribution);
  const schedule = scheduleOf(
    {
      inputs: [{ size: 2, type: "int32" }, { size: 1, type: "int32" }, { size: 1, type: "int32" }],
      outputs: [{ size, type }],
    },
    {
      kind: "philox",
      distribution,
      stream,
      firstSample,
      ...(count !== undefined && { count }),
      samples,
      perSample,
      seed: 0,
      step: 1,
      ...(offset !== 0 && { offset: 2 }),
      output: 3,
    },
  );
  const seed = Int32Array.of(0x12345678, -99), step = 41;
  const inputs = [seed, Int32Array.of(step), Int32Array.of(offset)];
  const [actual] = await runOnce(planOf(schedule), inputs);
  const expected = type === "int32" ? new Int32Array(size) : new Float32Array(size);
  const source = { seed, step, stream, firstSample: firstSample + offset, count };
  fillPhilox(expected, distribution, perSample, source);
  return { actual, expected };
}

for (const [samples, perSample] of [[1, 1], [1, 1000], [7, 6], [300, 3]]) {
  const shape = `[${samples}, ${perSample}]`;
  webgpuTest(`random bits and uniforms are the host's, ${shape}`, async () => {
    for (const distribution of ["bits", "uniform"] as const) {
      const { actual, expected } = await draws(distribution, samples, perSample);
      assertEquals(actual, expected);
    }
  });

  webgpuTest(`draws of indices are the host's, for any count, ${shape}`, async () => {
    for (const count of [1, 7, 60_000, 3 * 2 ** 29, 2 ** 31 - 1]) {
      const { actual, expected } = await draws("indices", samples, perSample, { count });
      assertEquals(actual, expected);
    }
  });

  webgpuTest(`an offset in memory is added to the first sample, ${shape}`, async () => {
    for (const offset of [11, -2, 2 ** 31 - 1]) {
      const { actual, expected } = await draws("bits", samples, perSample, { offset });
      assertEquals(actual, expected);
    }
  });

  webgpuTest(`normal draws are the host's but for rounding, ${shape}`, async () => {
    const { actual, expected } = await draws("normal", samples, perSample);
    actual.forEach((value, i) => assert(Math.abs(value - expected[i]) < 1e-6));
  });
}
