import { assert, assertEquals } from "@std/assert";
import type {
  ConvolutionGeometry,
  Epilogue,
  Kernel,
  MatrixView,
  Schedule,
} from "../../../../core/jit/kernels.ts";
import { webGpuScratchCells } from "../../../../core/jit/webgpu/executable.ts";
import { webgpuTest } from "../../../webgpu.ts";
import { assertAsInterpreted, noise, planOf, runOnce, scheduleOf, view } from "./programs.ts";

interface Product {
  readonly batch?: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  /** One right operand for all. */
  readonly share?: boolean;
}

function matrix(
  buffer: number,
  rows: number,
  columns: number,
  transposed = false,
  shared = false,
): MatrixView {
  return {
    buffer,
    offset: 0,
    batchStride: shared ? 0 : rows * columns,
    rowStride: transposed ? 1 : columns,
    columnStride: transposed ? rows : 1,
  };
}

function matmul(product: Product, output: number, epilogue?: Epilogue): Kernel {
  const { batch = 1, m, n, k, transposeA, transposeB, share } = product;
  const a = matrix(0, m, k, transposeA), b = matrix(1, k, n, transposeB, share);
  return { kind: "matmul", batch, m, n, k, a, b, output, epilogue };
}

function sizes({ batch = 1, m, n, k, share }: Product) {
  return { a: batch * m * k, b: (share ? 1 : batch) * k * n, result: batch * m * n };
}

async function check(product: Product) {
  const { a, b, result } = sizes(product);
  const schedule = scheduleOf({ inputs: [a, b], outputs: [result] }, matmul(product, 2));
  await assertAsInterpreted(schedule, [noise(a), noise(b, 2)], 1e-5);
}

const products: Record<string, Product> = {
  "whole tiles": { m: 64, n: 64, k: 64 },
  "ragged tiles": { m: 67, n: 130, k: 37 },
  "a single cell": { m: 1, n: 1, k: 1 },
  "a row": { m: 1, n: 70, k: 20 },
  "a column": { m: 70, n: 1, k: 300 },
  "few columns": { m: 300, n: 10, k: 40 },
  "few rows": { m: 10, n: 300, k: 40 },
  "an outer product": { m: 33, n: 65, k: 1 },
  "nothing to sum": { m: 4, n: 5, k: 0 },
  "a transposed left operand": { m: 40, n: 50, k: 60, transposeA: true },
  "a transposed right operand": { m: 40, n: 50, k: 60, transposeB: true },
  "both transposed": { m: 70, n: 65, k: 33, transposeA: true, transposeB: true },
  "a batch": { batch: 5, m: 20, n: 30, k: 17 },
  "a batch with one right operand": { batch: 3, m: 20, n: 30, k: 17, share: true },
  "a long contraction": { m: 20, n: 30, k: 3001 },
  "a long contraction of a batch": { batch: 2, m: 5, n: 70, k: 1500, transposeA: true },
  "large tiles": { m: 1300, n: 1400, k: 19 },
};

for (const [name, product] of Object.entries(products)) {
  webgpuTest(`a product of ${name}`, () => check(product));
}

Deno.test("a long contraction is divided among workgroups, a large result is not", () => {
  assert(webGpuScratchCells(matmul({ m: 20, n: 30, k: 3000 }, 2)) > 0);
  assertEquals(webGpuScratchCells(matmul({ m: 4096, n: 4096, k: 4096 }, 2)), 0);
});

/** y = tanh(product + bias[column]) · scale[row], and its square. */
function epilogue(rows: number, columns: number, keep: boolean): Epilogue {
  return {
    product: 1,
    keep,
    loop: {
      extents: [rows, columns],
      reducedDimensions: 0,
      reads: [view(2, [0, 1]), view(4, [columns, 1]), view(3, [1, 0])],
      body: [
        { name: "add", type: "float32", operands: [read(1), read(0)] },
        { name: "hyperbolicTangent", type: "float32", operands: [value(0)] },
        { name: "multiply", type: "float32", operands: [value(1), read(2)] },
        { name: "square", type: "float32", operands: [value(2)] },
      ],
      writes: [
        { view: view(5, [columns, 1]), value: value(2) },
        { view: view(6, [1, rows]), value: value(3) },
      ],
    },
  };
}

function read(index: number) {
  return { kind: "read", index } as const;
}

function value(index: number) {
  return { kind: "value", index } as const;
}

/** Operands, bias, scale; product, two results of the epilogue. */
function withEpilogue(
  [left, right, rows, columns]: readonly number[],
  keep: boolean,
  kernel: (epilogue: Epilogue) => Kernel,
): Schedule {
  const cells = rows * columns;
  const schedule = scheduleOf(
    { inputs: [left, right, columns, rows], outputs: [cells, cells, cells] },
    kernel(epilogue(rows, columns, keep)),
  );
  return keep ? schedule : { ...schedule, outputs: schedule.outputs.slice(1) };
}

for (const product of [{ batch: 2, m: 35, n: 70, k: 20 }, { m: 7, n: 33, k: 2000 }]) {
  for (const keep of [true, false]) {
    const name = `${JSON.stringify(product)}, ${keep ? "kept" : "not kept"}`;
    webgpuTest(`an epilogue of a product ${name}`, async () => {
      const { a, b } = sizes(product);
      const rows = (product.batch ?? 1) * product.m;
      const schedule = withEpilogue(
        [a, b, rows, product.n],
        keep,
        (epilogue) => matmul(product, 4, epilogue),
      );
      const inputs = [a, b, product.n, rows].map((size, i) => noise(size, i + 1));
      await assertAsInterpreted(schedule, inputs);
    });
  }
}

webgpuTest("what lies beyond a ragged operand does not matter, NaN or not", async () => {
  const product = { m: 3, n: 3, k: 5 };
  const schedule = scheduleOf({ inputs: [15, 15, 4], outputs: [9] }, matmul(product, 3));
  const plan = planOf(schedule);
  // The operands lie behind NaNs and before NaNs.
  const poisoned = { ...plan, offsets: [32, 64, 0, 96], arenaSize: 112 };
  const beyond = { buffer: { size: 32, type: "float32", role: "input" } as const };
  const around = {
    ...poisoned,
    buffers: [...plan.buffers, beyond.buffer, beyond.buffer, beyond.buffer],
    offsets: [...poisoned.offsets, 0, 47, 79],
    inputs: [4, 5, 6, 0, 1],
    arenaSize: 128,
  };
  const nan = new Float32Array(32).fill(NaN);
  const [a, b] = [noise(15), noise(15, 2)];
  const [actual] = await runOnce(around, [nan, nan, nan, a, b]);
  const expected = Float32Array.from({ length: 9 }, (_, i) => {
    let sum = 0;
    for (let k = 0; k < 5; k++) sum += a[Math.floor(i / 3) * 5 + k] * b[k * 3 + i % 3];
    return sum;
  });
  actual.forEach((cell, i) => assert(Math.abs(cell - expected[i]) < 1e-6, `${cell}`));
});

/** A geometry of a convolution that is same-padded where not said otherwise. */
function geometryOf(geometry: Partial<ConvolutionGeometry>): ConvolutionGeometry {
  const whole = {
    batch: 2,
    inputHeight: 6,
    inputWidth: 7,
    inputChannels: 5,
    outputChannels: 9,
    filterHeight: 3,
    filterWidth: 3,
    strideHeight: 1,
    strideWidth: 1,
    padTop: 1,
    padLeft: 1,
    ...geometry,
  };
  return {
    outputHeight: Math.ceil(whole.inputHeight / whole.strideHeight),
    outputWidth: Math.ceil(whole.inputWidth / whole.strideWidth),
    ...whole,
  };
}

const geometries: Record<string, Partial<ConvolutionGeometry>> = {
  "of same size": {},
  "without padding": { padTop: 0, padLeft: 0, outputHeight: 4, outputWidth: 5 },
  "that is cropped": { padTop: -1, padLeft: -2, outputHeight: 3, outputWidth: 3 },
  "of stride 2": { strideHeight: 2, strideWidth: 2, padTop: 0, padLeft: 1 },
  "of strides 3 and 1, wide": { strideHeight: 3, filterWidth: 5, padLeft: 2 },
  "of one tap and stride 2": {
    filterHeight: 1,
    filterWidth: 1,
    padTop: 0,
    padLeft: 0,
    strideHeight: 2,
    strideWidth: 2,
  },
  "of many pixels": {
    batch: 3,
    inputHeight: 24,
    inputWidth: 24,
    inputChannels: 16,
    outputChannels: 32,
  },
  "of many channels": { batch: 1, inputHeight: 4, inputWidth: 4, inputChannels: 96 },
};

function convolution(
  form: "forward" | "inputGradient" | "filterGradient",
  geometry: ConvolutionGeometry,
) {
  const { batch, inputChannels, outputChannels } = geometry;
  const inputs = batch * geometry.inputHeight * geometry.inputWidth;
  const outputs = batch * geometry.outputHeight * geometry.outputWidth;
  const taps = geometry.filterHeight * geometry.filterWidth;
  const x = inputs * inputChannels, y = outputs * outputChannels;
  const filter = taps * inputChannels * outputChannels;
  return {
    forward: { left: x, right: filter, rows: outputs, columns: outputChannels },
    inputGradient: { left: y, right: filter, rows: inputs, columns: inputChannels },
    filterGradient: { left: x, right: y, rows: taps * inputChannels, columns: outputChannels },
  }[form];
}

for (const form of ["forward", "inputGradient", "filterGradient"] as const) {
  for (const [name, partial] of Object.entries(geometries)) {
    webgpuTest(`a convolution ${name}, ${form}`, async () => {
      const geometry = geometryOf(partial);
      const { left, right, rows, columns } = convolution(form, geometry);
      const schedule = scheduleOf(
        { inputs: [left, right], outputs: [rows * columns] },
        { kind: "convolution", form, geometry, left: 0, right: 1, output: 2 },
      );
      await assertAsInterpreted(schedule, [noise(left), noise(right, 2)], 1e-5);
    });
  }

  webgpuTest(`an epilogue of a convolution, ${form}`, async () => {
    const geometry = geometryOf({ inputHeight: 12 });
    const { left, right, rows, columns } = convolution(form, geometry);
    const schedule = withEpilogue([left, right, rows, columns], false, (epilogue) => ({
      kind: "convolution",
      form,
      geometry,
      left: 0,
      right: 1,
      output: 4,
      epilogue,
    }));
    const inputs = [left, right, columns, rows].map((size, i) => noise(size, i + 1));
    await assertAsInterpreted(schedule, inputs);
  });
}
