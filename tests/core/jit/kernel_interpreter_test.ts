import { assertEquals, assertThrows } from "@std/assert";
import type { Buffer, Kernel, Plan, Schedule, View } from "../../../core/jit/kernels.ts";
import { cellsOf, interpret, writtenBuffers } from "./kernel_interpreter.ts";

function buffer(size: number, role: Buffer["role"] = "temporary"): Buffer {
  return { size, type: "float32", role };
}

function view(buffer: number, strides: number[], offset = 0): View {
  return { buffer, type: "float32", offset, strides };
}

/** One kernel with the given arguments (buffers 0, 1, …), and the values of the buffers after them. */
function run(kernel: Kernel, inputs: number[][], outputSizes: number[]): number[][] {
  const buffers = [
    ...inputs.map(({ length }) => buffer(length, "input")),
    ...outputSizes.map((size) => buffer(size)),
  ];
  const schedule: Schedule = {
    buffers,
    kernels: [kernel],
    inputs: inputs.map((_, i) => i),
    outputs: outputSizes.map((_, i) => inputs.length + i),
  };
  return interpret(schedule, inputs.map((cells) => Float32Array.from(cells)))
    .map((cells) => [...cells]);
}

Deno.test("a loop reads a transposed view, reduces rows, and writes every point too", () => {
  const outputs = run(
    {
      kind: "loop",
      loop: {
        extents: [2, 3],
        reducedDimensions: 1,
        reads: [view(0, [1, 2])],
        body: [{ name: "negate", operands: [{ kind: "read", index: 0 }], type: "float32" }],
        writes: [
          { view: view(1, [3, 1]), value: { kind: "value", index: 0 } },
          { view: view(2, [1, 0]), value: { kind: "read", index: 0 }, reduce: "sum" },
          { view: view(3, [1, 0]), value: { kind: "read", index: 0 }, reduce: "maximum" },
        ],
      },
    },
    [[1, 2, 3, 4, 5, 6]],
    [6, 2, 2],
  );
  assertEquals(outputs, [[-1, -3, -5, -2, -4, -6], [9, 12], [5, 6]]);
});

Deno.test("a product of a transposed matrix, its raw result dropped, then a row added", () => {
  const product: Kernel = {
    kind: "matmul",
    batch: 1,
    m: 2,
    n: 2,
    k: 3,
    a: { buffer: 0, offset: 0, batchStride: 0, rowStride: 1, columnStride: 2 },
    b: { buffer: 1, offset: 0, batchStride: 0, rowStride: 2, columnStride: 1 },
    output: 3,
    epilogue: {
      product: 1,
      keep: false,
      loop: {
        extents: [2, 2],
        reducedDimensions: 0,
        reads: [view(2, [0, 1]), view(3, [2, 1])],
        body: [{
          name: "add",
          operands: [{ kind: "read", index: 0 }, { kind: "read", index: 1 }],
          type: "float32",
        }],
        writes: [{ view: view(4, [2, 1]), value: { kind: "value", index: 0 } }],
      },
    },
  };
  // [[1, 3, 5], [2, 4, 6]] · [[1, 2], [3, 4], [5, 6]] + [10, 20]
  const outputs = run(product, [[1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6], [10, 20]], [4, 4]);
  assertEquals(outputs, [[NaN, NaN, NaN, NaN], [45, 64, 54, 76]]);
  assertEquals(writtenBuffers(product), [4]);
});

Deno.test("the three forms of a convolution are adjoint to each other", () => {
  const geometry = {
    ...{ batch: 2, inputHeight: 3, inputWidth: 4, inputChannels: 2 },
    ...{ outputHeight: 2, outputWidth: 2, outputChannels: 3, filterHeight: 3, filterWidth: 2 },
    ...{ strideHeight: 1, strideWidth: 2, padTop: 1, padLeft: -1 },
  };
  const wave = (size: number, phase: number) =>
    Array.from({ length: size }, (_, i) => Math.fround(Math.sin(i + phase)));
  const x = wave(48, 0), filter = wave(36, 1), dy = wave(24, 2);
  const convolve = (form: "forward" | "inputGradient" | "filterGradient", inputs: number[][]) => {
    const size = { forward: 24, inputGradient: 48, filterGradient: 36 }[form];
    return run({ kind: "convolution", form, geometry, left: 0, right: 1, output: 2 }, inputs, [
      size,
    ])[0];
  };
  const dot = (a: number[], b: number[]) =>
    Math.round(1e4 * a.reduce((sum, value, i) => sum + value * b[i], 0));
  const y = convolve("forward", [x, filter]);
  assertEquals(dot(y, dy), dot(x, convolve("inputGradient", [dy, filter])));
  assertEquals(dot(y, dy), dot(filter, convolve("filterGradient", [x, dy])));
  // Row 0, column 0 of the first image: taps (1, 0), (1, 1), (2, 0), (2, 1) on rows 0, 1, columns 1, 2.
  const cell = [0, 1].flatMap((row) =>
    [0, 1].flatMap((tap) =>
      [0, 1].map((c) =>
        x[(row * 4 + 1 + tap) * 2 + c] * filter[(((row + 1) * 2 + tap) * 2 + c) * 3]
      )
    )
  );
  assertEquals(y[0], Math.fround(cell.reduce((sum, value) => sum + value)));
});

Deno.test("pad spreads cells over a filled result; gather takes rows", () => {
  const pad: Kernel = {
    kind: "pad",
    input: view(0, [1]),
    extents: [3],
    output: view(1, [2], 1),
    size: 7,
    value: 9,
  };
  assertEquals(run(pad, [[1, 2, 3]], [7]), [[9, 1, 9, 2, 9, 3, 9]]);
  const gather: Kernel = {
    ...{ kind: "gather", table: 0, indices: 1, rows: 3 },
    ...{ rowSize: 2, tableRows: 2, output: 2 },
  };
  assertEquals(run(gather, [[1, 2, 3, 4], [1, 0, 1]], [6]), [[3, 4, 1, 2, 3, 4]]);
});

Deno.test("in an arena, memory that is overwritten or never written shows", () => {
  const increment = (from: number, to: number): Kernel => ({
    kind: "loop",
    loop: {
      extents: [2],
      reducedDimensions: 0,
      reads: [view(from, [1])],
      body: [{
        name: "add",
        operands: [{ kind: "read", index: 0 }, { kind: "number", value: 1, type: "float32" }],
        type: "float32",
      }],
      writes: [{ view: view(to, [1]), value: { kind: "value", index: 0 } }],
    },
  });
  const plan: Plan = {
    buffers: [buffer(2, "input"), buffer(2), buffer(2), buffer(2)],
    kernels: [increment(0, 1), increment(1, 2)],
    inputs: [0],
    outputs: [1, 2, 3],
    offsets: [0, 16, 32, 48],
    scratchOffsets: [0, 0],
    arenaSize: 64,
    livenessBound: 64,
  };
  const inputs = [Float32Array.of(1, 2)];
  const values = (offsets: number[]) =>
    interpret(plan, inputs, { plan: { ...plan, offsets } }).map((cells) => [...cells]);
  assertEquals(values([0, 16, 32, 48]), [[2, 3], [3, 4], [NaN, NaN]]);
  assertEquals(values([0, 16, 16, 48])[0], [3, 4]);
  // A vector stored past the end of buffer 2 would overwrite buffer 1.
  assertEquals(values([0, 34, 32, 48])[0], [NaN, NaN]);
});

Deno.test("a view outside of its buffer is an error", () => {
  const copy: Kernel = {
    kind: "loop",
    loop: {
      extents: [3],
      reducedDimensions: 0,
      reads: [view(0, [1])],
      body: [],
      writes: [{ view: view(1, [1]), value: { kind: "read", index: 0 } }],
    },
  };
  assertThrows(() => run(copy, [[1, 2]], [3]), Error, "a read at cell 2");
  assertThrows(() => run(copy, [[1, 2, 3]], [2]), Error, "a write at cell 2");
  assertEquals(cellsOf("bool", 2), new Int32Array(2));
});
