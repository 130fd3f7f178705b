import { assert, assertEquals } from "@std/assert";
import type { Buffer, Kernel } from "../../../../core/jit/kernels.ts";
import { type PhiloxDistribution, typeOfDraws } from "../../../../core/tensor/philox.ts";
import type { Cells } from "../kernel_interpreter.ts";
import { interpretKernel, runKernel } from "./run_phases.ts";

interface Draws {
  readonly kernel: Kernel;
  readonly buffers: Buffer[];
  readonly contents: (Cells | null)[];
}

function draws(
  distribution: PhiloxDistribution,
  samples: number,
  perSample: number,
  options: {
    stream?: number;
    firstSample?: number;
    count?: number;
    seed?: number[];
    step?: number;
    offset?: number;
  } = {},
): Draws {
  const { stream = 3, firstSample = 0, count, seed = [123456789, -5], step = 77 } = options;
  const { offset } = options;
  const kernel: Kernel = {
    ...{ kind: "philox", distribution, stream, firstSample, count, samples, perSample },
    ...{ seed: 0, step: 1, output: 2, ...(offset !== undefined && { offset: 3 }) },
  };
  const type = typeOfDraws(distribution);
  const buffers: Buffer[] = [
    { size: 2, type: "int32", role: "input" },
    { size: 1, type: "int32", role: "input" },
    { size: samples * perSample, type, role: "temporary" },
  ];
  const contents = [Int32Array.from(seed), Int32Array.of(step), null];
  if (offset === undefined) return { kernel, buffers, contents };
  return {
    kernel,
    buffers: [...buffers, { size: 1, type: "int32", role: "input" }],
    contents: [...contents, Int32Array.of(offset)],
  };
}

const shapes = [
  ...[[1, 1], [7, 1], [301, 1], [5, 2], [6, 2], [83, 2], [67, 3], [9, 4], [70, 4], [33, 5]],
  ...[[21, 6], [20, 7], [31, 8], [40, 11], [29, 12], [10, 13], [3, 100], [1, 1000], [2, 784]],
  ...[[13, 17], [11, 19], [0, 4], [4, 0]],
];

for (const distribution of ["bits", "uniform"] as const) {
  Deno.test(`draws of ${distribution} are the host's, bit by bit`, () => {
    for (const [samples, perSample] of shapes) {
      const { kernel, buffers, contents } = draws(distribution, samples, perSample);
      const [, , actual] = runKernel(kernel, buffers, contents);
      const [, , expected] = interpretKernel(kernel, buffers, contents);
      assertEquals(actual, expected, `[${samples}, ${perSample}]`);
    }
  });
}

Deno.test("draws of indices are the host's, for any count", () => {
  for (const [samples, perSample] of shapes) {
    for (const count of [1, 2, 7, 60_000, 3 * 2 ** 29, 2 ** 31 - 1]) {
      const { kernel, buffers, contents } = draws("indices", samples, perSample, { count });
      const [, , actual] = runKernel(kernel, buffers, contents);
      const [, , expected] = interpretKernel(kernel, buffers, contents);
      assertEquals(actual, expected, `[${samples}, ${perSample}] of ${count}`);
      assert(actual.every((index) => index >= 0 && index < count));
    }
  }
});

Deno.test("an offset in memory and the first sample known before add up", () => {
  for (const distribution of ["bits", "uniform", "normal", "indices"] as const) {
    for (const [firstSample, offset] of [[0, 5], [7, 12], [3, -2], [0, 2 ** 31 - 1]]) {
      const given = draws(distribution, 13, 6, { firstSample, offset, count: 99 });
      const known = draws(distribution, 13, 6, { firstSample: firstSample + offset, count: 99 });
      assertEquals(
        runKernel(given.kernel, given.buffers, given.contents)[2],
        runKernel(known.kernel, known.buffers, known.contents)[2],
        `${distribution} from ${firstSample} + ${offset}`,
      );
    }
  }
});

Deno.test("normal draws are the host's, within rounding", () => {
  for (const [samples, perSample] of shapes) {
    const { kernel, buffers, contents } = draws("normal", samples, perSample);
    const [, , actual] = runKernel(kernel, buffers, contents);
    const [, , expected] = interpretKernel(kernel, buffers, contents);
    for (let i = 0; i < actual.length; i++) {
      assert(Math.abs(actual[i] - expected[i]) < 1e-6, `${actual[i]}, not ${expected[i]}`);
    }
  }
});

Deno.test("seed, step, stream and the first sample all count, as unsigned words", () => {
  const variants = [
    { seed: [-1, 5] },
    { step: -3 },
    { stream: 0xfffffff0 },
    { firstSample: 0x7ffffffe },
    { firstSample: 4_000_000_000 },
  ];
  for (const options of variants) {
    const { kernel, buffers, contents } = draws("bits", 9, 6, options);
    assertEquals(
      runKernel(kernel, buffers, contents)[2],
      interpretKernel(kernel, buffers, contents)[2],
    );
  }
});

Deno.test("the known answer of Random123 for zeros", () => {
  const { kernel, buffers, contents } = draws("bits", 1, 4, { stream: 0, seed: [0, 0], step: 0 });
  const [, , words] = runKernel(kernel, buffers, contents);
  const expected = [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8];
  assertEquals([...words], expected.map((word) => word | 0));
});

Deno.test("many normal draws have the moments of the normal distribution", () => {
  const { kernel, buffers, contents } = draws("normal", 100, 1000);
  const [, , values] = runKernel(kernel, buffers, contents);
  const mean = (power: number) =>
    [...values].reduce((sum, x) => sum + x ** power, 0) / values.length;
  assert(Math.abs(mean(1)) < 0.015);
  assert(Math.abs(mean(2) - 1) < 0.025);
  assert(Math.abs(mean(4) - 3) < 0.2);
});
