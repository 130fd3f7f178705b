import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Buffer, Kernel, Loop, View, Write } from "../../../../core/jit/kernels.ts";
import { type FunctionBuilder, ModuleBuilder } from "../../../../core/jit/wasm/assembler.ts";
import { emitLoop, loopScratchCells, rowLoopFunction } from "../../../../core/jit/wasm/loop.ts";
import { type Cells } from "../kernel_interpreter.ts";
import { arbitraryLoop, choices } from "./random_loops.ts";
import { interpretKernel, runKernel } from "./run_phases.ts";

const read = (index: number) => ({ kind: "read" as const, index });
const value = (index: number) => ({ kind: "value" as const, index });

function view(buffer: number, strides: number[], offset = 0): View {
  return { buffer, type: "float32", offset, strides };
}

function kernelOf(loop: Loop) {
  return { kind: "loop", loop } satisfies Kernel;
}

const float = (size: number, role: Buffer["role"] = "input"): Buffer => ({
  size,
  type: "float32",
  role,
});

function uniform(size: number, seed = 1): Float32Array {
  const choose = choices(seed);
  return Float32Array.from({ length: size }, () => choose(2 ** 24) / 2 ** 23 - 1);
}

/** −0 and 0 are the same, and so are all NaN. */
function assertSame(actual: readonly Cells[], expected: readonly Cells[]): void {
  actual.forEach((cells, buffer) =>
    cells.forEach((x, i) => {
      const wanted = expected[buffer][i];
      if (x !== wanted && !(Number.isNaN(x) && Number.isNaN(wanted))) {
        throw new Error(`cell ${i} of buffer ${buffer} is ${x}, expected ${wanted}`);
      }
    })
  );
}

Deno.test("random loops on whole numbers are exact, however their units are divided", () => {
  fc.assert(
    fc.property(arbitraryLoop, ({ kernel, buffers, contents }) => {
      assertSame(
        runKernel(kernel, buffers, contents),
        interpretKernel(kernel, buffers, contents),
      );
    }),
    { numRuns: 400 },
  );
});

/** Σ and max of a matrix over rows or columns, and of all. */
function reduction(extents: number[], strides: number[], reduced: number, outputs: number) {
  const kept = extents.length - reduced;
  const inner = Array<number>(reduced).fill(0);
  const outer = extents.slice(0, kept).map((_, d) =>
    extents.slice(d + 1, kept).reduce((a, b) => a * b, 1)
  );
  const write = (buffer: number, reduce: Write["reduce"]): Write => ({
    view: view(buffer, [...outer, ...inner]),
    value: read(0),
    reduce,
  });
  return {
    kernel: kernelOf({
      extents,
      reducedDimensions: reduced,
      reads: [view(0, strides)],
      body: [],
      writes: [write(1, "sum"), write(2, "maximum"), write(3, "minimum")],
    }),
    buffers: [
      float(extents.reduce((a, b) => a * b, 1)),
      ...[1, 2, 3].map(() => float(outputs, "temporary")),
    ],
  };
}

const shapes: [string, number[], number[], number, number][] = [
  ["a column sum", [32, 6000], [1, 32], 1, 32],
  ["a column sum of odd width", [37, 3001], [1, 37], 1, 37],
  ["a narrow column sum", [3, 5000], [1, 3], 1, 3],
  ["a row sum", [300, 517], [517, 1], 1, 300],
  ["a sum of long rows", [3, 60001], [60001, 1], 1, 3],
  ["a full sum", [150001], [1], 1, 1],
  ["a sum over the middle", [7, 5, 900], [900 * 5, 1, 5], 1, 35],
  ["a sum over two", [6, 40, 50, 3], [6000, 3, 120, 1], 2, 240],
];
for (const [name, extents, strides, reduced, outputs] of shapes) {
  Deno.test(`${name} is as good as in double precision, rounded`, () => {
    const { kernel, buffers } = reduction(extents, strides, reduced, outputs);
    const contents = [uniform(buffers[0].size), null, null, null];
    const actual = runKernel(kernel, buffers, contents);
    const expected = interpretKernel(kernel, buffers, contents);
    const terms = extents.slice(-reduced).reduce((a, b) => a * b, 1);
    for (let i = 0; i < outputs; i++) {
      // The sum of the sizes is about half the number of terms.
      assert(Math.abs(actual[1][i] - expected[1][i]) < 3e-6 * Math.sqrt(terms) + 1e-6);
    }
    assertSame(actual.slice(2), expected.slice(2));
  });
}

Deno.test("a large sum of equal terms keeps its accuracy", () => {
  const { kernel, buffers } = reduction([300_000], [1], 1, 1);
  const [, sum] = runKernel(kernel, buffers, [
    new Float32Array(300_000).fill(0.1),
    null,
    null,
    null,
  ]);
  assert(Math.abs(sum[0] / (300_000 * Math.fround(0.1)) - 1) < 2e-5, `${sum[0]}`);
});

Deno.test("NaN goes through maxima and minima, wherever it stands", () => {
  const { kernel, buffers } = reduction([5, 83], [83, 1], 1, 5);
  for (const place of [0, 1, 40, 82]) {
    const values = uniform(buffers[0].size);
    values[2 * 83 + place] = NaN;
    const [, sum, maximum, minimum] = runKernel(kernel, buffers, [values, null, null, null]);
    for (const result of [sum, maximum, minimum]) {
      assertEquals([...result].map(Number.isNaN), [false, false, true, false, false]);
    }
  }
});

Deno.test("a reduction of nothing gives the identities, a loop without points has no phases", () => {
  const { kernel, buffers } = reduction([5, 0], [0, 1], 1, 5);
  const [, sum, maximum, minimum] = runKernel(kernel, [float(1), ...buffers.slice(1)], [
    new Float32Array(1),
    null,
    null,
    null,
  ]);
  assertEquals([...sum], Array(5).fill(0));
  assertEquals([...maximum], Array(5).fill(-Infinity));
  assertEquals([...minimum], Array(5).fill(Infinity));
  const empty = reduction([0, 5], [5, 1], 1, 0);
  const context = { module: new ModuleBuilder(), address: () => 0, kernelScratch: 0 };
  assertEquals(emitLoop(context, empty.kernel), []);
  assertEquals(loopScratchCells(empty.kernel), 0);
});

Deno.test("loops that differ in nothing but buffers share their code", () => {
  const copy = (from: number, to: number) =>
    kernelOf({
      extents: [100],
      reducedDimensions: 0,
      reads: [view(from, [1])],
      body: [],
      writes: [{ view: view(to, [1], 4), value: read(0) }],
    });
  const module = new ModuleBuilder();
  const context = { module, address: (buffer: number) => 1024 * buffer, kernelScratch: 0 };
  const [a] = emitLoop(context, copy(0, 1)), [b] = emitLoop(context, copy(2, 3));
  assertEquals(a.code, b.code);
  assertEquals([...a.pointers, ...b.pointers], [0, 1024 + 16, 2048, 3072 + 16]);
});

for (const [rows, columns] of [[64, 48], [37, 53], [5, 700], [4, 4], [3, 1000], [130, 18]]) {
  Deno.test(`a transposed copy of ${rows}×${columns}, with an operand either way`, () => {
    const kernel = kernelOf({
      extents: [columns, rows],
      reducedDimensions: 0,
      reads: [view(0, [1, columns]), view(1, [rows, 1]), view(2, [1, 0]), view(3, [0, 1])],
      body: [
        { name: "add", operands: [read(1), read(2)], type: "float32" },
        { name: "subtract", operands: [read(0), read(3)], type: "float32" },
      ],
      writes: [
        { view: view(4, [rows, 1]), value: read(0) },
        { view: view(5, [1, columns]), value: value(0) },
        { view: view(6, [rows, 1]), value: value(1) },
      ],
    });
    const size = rows * columns;
    const sizes = [size, size, columns, rows, size, size, size];
    const contents = sizes.map((size, i) => i < 4 ? uniform(size, i + 1) : null);
    const [a, b, c, d, copied, sums, differences] = runKernel(
      kernel,
      sizes.map((size) => float(size)),
      contents,
    );
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        const across = j * rows + i, along = i * columns + j;
        assertEquals(copied[across], a[along]);
        assertEquals(sums[along], Math.fround(b[across] + c[j]));
        assertEquals(differences[across], Math.fround(a[along] - d[i]));
      }
    }
  });
}

Deno.test("a read in place of a write sees the value from before", () => {
  // b ← a, c ← a + 1 with c in a's place: both from the old a.
  const kernel = kernelOf({
    extents: [103],
    reducedDimensions: 0,
    reads: [view(0, [1])],
    body: [{
      name: "add",
      operands: [read(0), { kind: "number", value: 1, type: "float32" }],
      type: "float32",
    }],
    writes: [
      { view: view(0, [1]), value: value(0) },
      { view: view(1, [1]), value: read(0) },
    ],
  });
  const values = uniform(103);
  const actual = runKernel(kernel, [float(103), float(103, "temporary")], [values, null]);
  assertEquals(actual[0], values.map((x) => Math.fround(x + 1)));
  assertEquals(actual[1], values);
});

/** Calls a row function over some ranges, on buffers one after another. */
function runRows(
  make: (module: ModuleBuilder) => FunctionBuilder,
  buffers: Float32Array[],
  ranges: number[][],
) {
  const module = new ModuleBuilder();
  module.export("rows", make(module));
  const memory = new WebAssembly.Memory({ initial: 16, maximum: 16 });
  const bytes = module.encode({ pages: 16, shared: false });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  let at = 64;
  const starts = buffers.map((values) => {
    const start = at;
    new Float32Array(memory.buffer, start, values.length).set(values);
    at += Math.ceil(values.length / 16) * 64;
    return start;
  });
  const rows = instance.exports.rows as (...values: number[]) => void;
  for (const [start, end] of ranges) rows(start, end, 0, ...starts);
  return buffers.map(({ length }, i) => new Float32Array(memory.buffer, starts[i], length).slice());
}

for (
  const [rows, columns, extents, strides] of [
    [10, 37, [10, 37], [37, 1]],
    [40, 3, [120], [1]],
    [70, 1, [70], [1]],
    [1, 70, [70], [1]],
    [12, 8, [96], [1]],
    [12, 8, [3, 4, 8], [32, 8, 1]],
    [1, 1, [], []],
  ] as const
) {
  Deno.test(`an epilogue over ${rows}×${columns} as [${extents}] goes row by row`, () => {
    const loop: Loop = {
      extents,
      reducedDimensions: 0,
      reads: [view(0, [...strides]), view(1, [...strides], 5)],
      body: [{ name: "multiply", operands: [read(0), read(1)], type: "float32" }],
      writes: [{ view: view(2, [...strides]), value: value(0) }],
    };
    const a = uniform(rows * columns, 2), b = uniform(rows * columns + 5, 3);
    const middle = Math.ceil(rows / 3), last = Math.max(middle, rows - 1);
    const [, , result] = runRows(
      (module) => rowLoopFunction(module, loop, rows, columns),
      [a, b, new Float32Array(rows * columns).fill(NaN)],
      [[0, middle], [middle, middle], [middle, last]],
    );
    const done = last * columns;
    assertEquals(result.slice(0, done), a.map((x, i) => Math.fround(x * b[i + 5])).slice(0, done));
    assert(result.slice(done).every(Number.isNaN));
  });
}
