import { assert, assertEquals } from "@std/assert";
import { GraphBuilder, type ValueType } from "../../../../core/jit/graph.ts";
import type { Kernel, Loop, Schedule } from "../../../../core/jit/kernels.ts";
import { loopOf } from "../../../../core/jit/schedule/kernel_buffers.ts";
import { scheduleOf } from "./checked_schedule.ts";

function float(...shape: number[]): ValueType {
  return { shape, type: "float32" };
}

function kinds({ kernels }: Schedule): string[] {
  return kernels.map(({ kind }) => kind);
}

function onlyLoop({ kernels }: Schedule): Loop {
  assertEquals(kernels.map(({ kind }) => kind), ["loop"]);
  return loopOf(kernels[0])!;
}

function onlyProduct({ kernels }: Schedule): Extract<Kernel, { kind: "matmul" }> {
  assertEquals(kernels.map(({ kind }) => kind), ["matmul"]);
  return kernels[0] as Extract<Kernel, { kind: "matmul" }>;
}

/** gelu(z), its derivative and its second derivative. */
function geluWithDerivatives(b: GraphBuilder, z: number): number[] {
  const scaled = b.elementwise("multiply", z, b.splat(Math.SQRT1_2));
  const cumulative = b.elementwise(
    "multiply",
    b.elementwise("add", b.elementwise("errorFunction", scaled), b.splat(1)),
    b.splat(0.5),
  );
  const density = b.elementwise(
    "multiply",
    b.elementwise("exponential", b.elementwise("negate", b.elementwise("square", scaled))),
    b.splat(1 / Math.sqrt(2 * Math.PI)),
  );
  return [
    b.elementwise("multiply", z, cumulative),
    b.elementwise("add", cumulative, b.elementwise("multiply", z, density)),
    b.elementwise(
      "multiply",
      density,
      b.elementwise("subtract", b.splat(2), b.elementwise("square", z)),
    ),
  ];
}

Deno.test("a function and its derivatives are one loop that shares erf and exp", () => {
  const b = new GraphBuilder();
  const loop = onlyLoop(scheduleOf(b, geluWithDerivatives(b, b.input("z", float(5, 8)))));
  assertEquals([loop.reads.length, loop.writes.length, loop.extents], [1, 3, [40]]);
  const names = loop.body.map(({ name }) => name);
  for (const name of ["errorFunction", "exponential"] as const) {
    assertEquals(names.filter((other) => other === name).length, 1);
  }
});

Deno.test("Adam's update of a parameter, its moments and its average are one loop", () => {
  const b = new GraphBuilder();
  const [p, g, m, v, a] = ["p", "g", "m", "v", "a"].map((name) => b.input(name, float(6, 8)));
  const rate = b.input("rate", float());
  const times = (x: number, c: number) => b.elementwise("multiply", x, b.splat(c));
  const m2 = b.elementwise("add", times(m, 0.9), times(g, 0.1));
  const square = b.elementwise("absolute", v);
  const v2 = b.elementwise("add", times(square, 0.99), times(b.elementwise("square", g), 0.01));
  const scale = b.elementwise("add", b.elementwise("squareRoot", v2), b.splat(1e-3));
  const step = b.elementwise("multiply", rate, b.elementwise("divide", m2, scale));
  const p2 = b.elementwise("subtract", p, step);
  const a2 = b.elementwise("add", a, times(b.elementwise("subtract", p2, a), 0.1));
  const donations = [{ input: 0, output: 0 }, { input: 2, output: 1 }, { input: 3, output: 2 }];
  const scheduled = scheduleOf(b, [p2, m2, v2, a2], donations);
  const loop = onlyLoop(scheduled);
  assertEquals([loop.reads.length, loop.writes.length], [6, 4]);
  assertEquals(scheduled.outputs.slice(0, 3), [0, 2, 3]);
});

Deno.test("no kernel has more views than a function has parameters, nor an endless body", () => {
  const b = new GraphBuilder();
  const terms = Array.from({ length: 1100 }, (_, i) => b.input(`x${i}`, float(6)));
  const sum = terms.reduce((sum, x) => b.elementwise("add", sum, x));
  const one = b.input("one", float());
  const scalars = Array.from({ length: 1100 }, (_, i) => b.elementwise("add", one, b.splat(i)));
  let chain = sum;
  for (let i = 0; i < 2000; i++) chain = b.elementwise(i % 2 ? "sine" : "exponential", chain);
  for (const kernel of scheduleOf(b, [chain, ...scalars]).kernels) {
    const { reads, body, writes } = loopOf(kernel)!;
    assert(reads.length + writes.length < 990, `${reads.length} and ${writes.length} views`);
    assert(body.length <= 500, `${body.length} instructions`);
  }
});

Deno.test("views are free in a loop, through reshapes too", () => {
  const b = new GraphBuilder();
  const x = b.input("x", float(4, 6)), y = b.input("y", float(6, 8)), row = b.input("r", float(6));
  const turned = b.add({ kind: "transpose", permutation: [1, 0] }, [x]);
  const sliced = b.add(
    { kind: "slice", begin: [0, 1], size: [6, 4], strides: [1, 2] },
    [y],
  );
  const reversed = b.add({ kind: "reverse", axes: [0] }, [sliced]);
  const column = b.add({ kind: "broadcast", shape: [6, 4] }, [b.reshape(row, [6, 1])]);
  const sum = b.elementwise("add", b.elementwise("multiply", turned, reversed), column);
  const flat = b.elementwise("negate", b.reshape(sum, [2, 12]));
  const loop = onlyLoop(scheduleOf(b, [flat]));
  assertEquals(loop.extents, [6, 4]);
  assertEquals(loop.reads.map(({ offset, strides }) => [offset, ...strides]), [
    [0, 1, 6],
    [41, -8, 2],
    [0, 1, 0],
  ]);
});

Deno.test("a reshape that no loop nest can number is copied first", () => {
  const b = new GraphBuilder();
  const x = b.input("x", float(4, 6)), y = b.input("y", float(4, 6));
  const turn = (node: number) => b.add({ kind: "transpose", permutation: [1, 0] }, [node]);
  const four = b.reshape(turn(x), [24]), six = b.reshape(turn(b.reshape(y, [6, 4])), [24]);
  assertEquals(kinds(scheduleOf(b, [b.elementwise("add", four, six)])), ["loop", "loop"]);
});

Deno.test("an elementwise group becomes the epilogue of its product", () => {
  const b = new GraphBuilder();
  const x = b.input("x", float(6, 5)), w = b.input("w", float(5, 8)), bias = b.input("b", float(8));
  const residual = b.input("residual", float(6, 8));
  const product = b.add({ kind: "matmul", transposeA: false, transposeB: false }, [x, w]);
  const z = b.elementwise("add", product, bias);
  const outputs = geluWithDerivatives(b, z);
  const kernel = onlyProduct(scheduleOf(b, [...outputs, b.elementwise("add", z, residual)]));
  assertEquals(kernel.epilogue!.keep, false);
  assertEquals(kernel.epilogue!.loop.writes.length, 4);
  assertEquals(kernel.epilogue!.loop.reads.map(({ strides }) => strides), [
    [8, 1],
    [0, 1],
    [8, 1],
  ]);
});

Deno.test("a product's raw result is kept where something else reads it", () => {
  const b = new GraphBuilder();
  const x = b.input("x", float(6, 5)), w = b.input("w", float(5, 6));
  const product = b.add({ kind: "matmul", transposeA: false, transposeB: false }, [x, w]);
  const again = b.add({ kind: "matmul", transposeA: false, transposeB: false }, [product, product]);
  const kernels = scheduleOf(b, [b.elementwise("square", product), again]).kernels;
  assertEquals(kernels.map(({ kind }) => kind), ["matmul", "matmul"]);
  assert(kernels.some((kernel) => "epilogue" in kernel && kernel.epilogue?.keep));
});

Deno.test("an epilogue reads what comes before its product, and nothing that depends on it", () => {
  const b = new GraphBuilder();
  const x = b.input("x", float(6, 6)), w = b.input("w", float(6, 6));
  const multiply = (a: number, c: number) =>
    b.add({ kind: "matmul", transposeA: false, transposeB: false }, [a, c]);
  const first = multiply(x, w), second = multiply(b.elementwise("negate", first), w);
  const both = b.elementwise("add", first, b.elementwise("square", second));
  const { kernels } = scheduleOf(b, [both]);
  assertEquals(kernels.map(({ kind }) => kind), ["matmul", "matmul"]);
  assertEquals(kernels.map((kernel) => loopOf(kernel)?.body.map(({ name }) => name)), [
    ["negate"],
    ["square", "add"],
  ]);
});

Deno.test("a scale for each image does not fit the rows and columns of an epilogue", () => {
  const b = new GraphBuilder();
  const x = b.input("x", float(2, 3, 3, 2)), filter = b.input("f", float(1, 1, 2, 4));
  const y = b.add({ kind: "conv2d", strides: [1, 1], pads: [0, 0, 0, 0] }, [x, filter]);
  const scale = b.input("scale", float(2, 1, 1, 1)), bias = b.input("bias", float(4));
  const biased = b.elementwise("add", y, bias);
  const scaled = b.elementwise("multiply", b.elementwise("exponential", biased), scale);
  const { kernels } = scheduleOf(b, [scaled]);
  assertEquals(kernels.map(({ kind }) => kind), ["convolution", "loop"]);
  assertEquals(loopOf(kernels[0])!.body.map(({ name }) => name), ["add", "exponential"]);
});

Deno.test("a matrix product reads transposed, sliced and broadcast operands where they are", () => {
  const b = new GraphBuilder();
  const x = b.input("x", float(7, 3, 4)), w = b.input("w", float(1, 4, 5));
  const moved = b.add({ kind: "transpose", permutation: [1, 0, 2] }, [x]);
  const part = b.add({ kind: "slice", begin: [0, 2, 0], size: [3, 5, 4], strides: [1, 1, 1] }, [
    moved,
  ]);
  const product = b.add({ kind: "matmul", transposeA: false, transposeB: false }, [part, w]);
  const { a, b: right } = onlyProduct(scheduleOf(b, [product]));
  assertEquals([a.offset, a.batchStride, a.rowStride, a.columnStride], [24, 4, 12, 1]);
  assertEquals([right.batchStride, right.rowStride, right.columnStride], [0, 5, 1]);
});

Deno.test("a matrix that is walked backwards is copied", () => {
  const b = new GraphBuilder();
  const x = b.input("x", float(3, 4)), w = b.input("w", float(4, 5));
  const reversed = b.add({ kind: "reverse", axes: [1] }, [x]);
  const product = b.add({ kind: "matmul", transposeA: false, transposeB: false }, [reversed, w]);
  assertEquals(kinds(scheduleOf(b, [product])), ["loop", "matmul"]);
});

Deno.test("a convolution's operand is copied where it is a view", () => {
  const b = new GraphBuilder();
  const x = b.input("x", float(2, 6, 6, 2)), filter = b.input("f", float(3, 3, 2, 4));
  const part = b.add({
    kind: "slice",
    begin: [0, 1, 0, 0],
    size: [2, 4, 6, 2],
    strides: [1, 1, 1, 1],
  }, [
    x,
  ]);
  const y = b.add({ kind: "conv2d", strides: [1, 1], pads: [1, 1, 1, 1] }, [part, filter]);
  assertEquals(kinds(scheduleOf(b, [y])), ["loop", "convolution"]);
});

Deno.test("a reduction takes in what leads to it, with other results of the same points", () => {
  const b = new GraphBuilder();
  const x = b.input("x", float(6, 8)), y = b.input("y", float(6, 8));
  const delta = b.elementwise("multiply", x, b.elementwise("exponential", y));
  const sum = b.add({ kind: "reduce", name: "sum", axes: [0] }, [delta]);
  const most = b.add({ kind: "reduce", name: "maximum", axes: [0] }, [b.elementwise("add", x, y)]);
  const loop = onlyLoop(scheduleOf(b, [delta, sum, most]));
  assertEquals([loop.extents, loop.reducedDimensions], [[8, 6], 1]);
  assertEquals(loop.writes.map(({ reduce, view }) => [reduce, ...view.strides]), [
    [undefined, 1, 8],
    ["sum", 1, 0],
    ["maximum", 1, 0],
  ]);
});

Deno.test("reductions over other axes, and what follows a reduction, are other kernels", () => {
  const b = new GraphBuilder();
  const x = b.elementwise("exponential", b.input("x", float(6, 8)));
  const rows = b.add({ kind: "reduce", name: "sum", axes: [1] }, [x]);
  const columns = b.add({ kind: "reduce", name: "sum", axes: [0] }, [x]);
  assertEquals(scheduleOf(b, [rows, columns]).kernels.length, 2);
  const share = b.elementwise("divide", x, b.reshape(rows, [6, 1]));
  assertEquals(scheduleOf(b, [share]).kernels.length, 2);
});

Deno.test("what only a reduction needs of several products is computed there", () => {
  const b = new GraphBuilder();
  const x = b.input("x", float(6, 5)), w = b.input("w", float(5, 8));
  const z = b.add({ kind: "matmul", transposeA: false, transposeB: false }, [x, w]);
  const g = b.add({ kind: "matmul", transposeA: true, transposeB: false }, [x, z]);
  const norm = b.add({ kind: "reduce", name: "sum", axes: [0, 1] }, [b.elementwise("square", z)]);
  // z is stored for the second product, so its square need not be.
  const { kernels } = scheduleOf(b, [g, norm]);
  const bodies = kernels.map((kernel) => `${kernel.kind} ${loopOf(kernel)?.body.length ?? 0}`);
  assertEquals(bodies.toSorted(), ["loop 1", "matmul 0", "matmul 0"]);
});

Deno.test("all scalar arithmetic is one loop, before and after a reduction one each", () => {
  const b = new GraphBuilder();
  const step = b.input("step", float()), x = b.input("x", float(6, 8));
  const late = b.elementwise("add", step, b.splat(1));
  const warm = b.elementwise("minimum", b.elementwise("multiply", late, b.splat(0.1)), b.splat(1));
  const cosine = b.elementwise("cosine", late);
  const norm = b.elementwise(
    "squareRoot",
    b.add({ kind: "reduce", name: "sum", axes: [0, 1] }, [b.elementwise("square", x)]),
  );
  const scale = b.elementwise("multiply", b.elementwise("maximum", norm, b.splat(1)), cosine);
  assertEquals(scheduleOf(b, [warm, cosine, norm, scale]).kernels.length, 2);
});

Deno.test("a cheap scalar or column is computed where it is used, an expensive one once", () => {
  const kernelsWith = (name: "multiply" | "exponential") => {
    const b = new GraphBuilder();
    const u = b.input("u", float(6, 1)), x = b.input("x", float(6, 8));
    const column = name === "multiply"
      ? b.elementwise("multiply", u, b.splat(2))
      : b.elementwise("exponential", u);
    return scheduleOf(b, [b.elementwise("add", x, column)]).kernels.length;
  };
  assertEquals([kernelsWith("multiply"), kernelsWith("exponential")], [1, 2]);
});

Deno.test("a cheap function of what is stored anyway is computed again", () => {
  const b = new GraphBuilder();
  const x = b.input("x", float(6, 8)), w = b.input("w", float(8, 8));
  const multiply = (a: number, c: number) =>
    b.add({ kind: "matmul", transposeA: false, transposeB: false }, [a, c]);
  const h = b.elementwise("exponential", x);
  const half = b.elementwise("multiply", h, b.splat(0.5));
  const product = b.elementwise("add", multiply(h, w), half);
  const { kernels, buffers } = scheduleOf(b, [product]);
  assertEquals(kernels.map(({ kind }) => kind), ["loop", "matmul"]);
  assertEquals(loopOf(kernels[0])!.writes.length, 1);
  assertEquals(buffers.filter(({ role }) => role === "temporary").length, 3);
});

Deno.test("parts of a concatenation are written where they are made", () => {
  const b = new GraphBuilder();
  const x = b.input("x", float(6, 3)), w = b.input("w", float(3, 4)), u = b.input("u", float(6, 1));
  const product = b.add({ kind: "matmul", transposeA: false, transposeB: false }, [x, w]);
  const features = [
    b.elementwise("negate", product),
    b.elementwise("sine", u),
    b.elementwise("cosine", u),
    x,
  ];
  const { kernels } = scheduleOf(b, [b.add({ kind: "concat", axis: 1 }, features)]);
  assertEquals(kernels.map(({ kind }) => kind).sort(), ["loop", "loop", "matmul"]);
  const writes = kernels.flatMap((kernel) => loopOf(kernel)!.writes.map(({ view }) => view));
  assertEquals(new Set(writes.map(({ buffer }) => buffer)).size, 1);
  assertEquals(writes.map(({ offset }) => offset).sort((a, c) => a - c), [0, 4, 5, 6]);
});

Deno.test("loops of the same size beside each other are one kernel, of other sizes are not", () => {
  const kernelsOf = (...sizes: number[]) => {
    const b = new GraphBuilder();
    const outputs = sizes.map((size, i) =>
      b.elementwise("exponential", b.input(`x${i}`, float(size)))
    );
    return scheduleOf(b, outputs).kernels.length;
  };
  assertEquals([kernelsOf(9, 9, 9), kernelsOf(9, 8, 9)], [1, 2]);
  // Large ones gain nothing unless they read the same one.
  assertEquals(kernelsOf(70_000, 70_000), 2);
});

Deno.test("no merge closes a cycle", () => {
  // a → reduction → b, and both a and b are functions of x at the same points.
  const b = new GraphBuilder();
  const x = b.input("x", float(6, 8));
  const a = b.elementwise("exponential", x);
  const total = b.add({ kind: "reduce", name: "sum", axes: [0, 1] }, [a]);
  const c = b.elementwise("subtract", b.elementwise("sine", x), total);
  const d = b.elementwise("multiply", a, c);
  const { kernels } = scheduleOf(b, [a, d]);
  assertEquals(kernels.length, 2);
});

Deno.test("what is computed twice on purpose is computed in two loops", () => {
  const scaled = (times: number) => {
    const b = new GraphBuilder();
    // Large enough for neighbours to be merged only for what they both read.
    const x = b.input("x", float(300, 300)), gain = b.input("gain", float(300));
    const one = b.elementwise("multiply", x, gain);
    const other = b.elementwise(times === 2 ? "multiply" : "add", x, gain);
    return scheduleOf(b, [one, other]);
  };
  assertEquals(kinds(scaled(2)), ["loop", "loop"]);
  assertEquals(kinds(scaled(1)), ["loop"]);
});
