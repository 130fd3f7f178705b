import { assert, assertEquals } from "@std/assert";
import * as fc from "fast-check";
import { openCrossProducts } from "../../../core/linear_algebra/cross_products.ts";
import { openRowProducts } from "../../../core/linear_algebra/row_products.ts";
import { seededNormals } from "../homotopy/numerics.ts";

/** x·y of two rows of d numbers. */
function inner(x: ArrayLike<number>, i: number, y: ArrayLike<number>, j: number, d: number) {
  let sum = 0;
  for (let k = 0; k < d; k++) sum += x[i * d + k] * y[j * d + k];
  return sum;
}

const everyRow = (count: number) => Array.from({ length: count }, (_, i) => i);

/** A·Bᵀ as a plain array of rows. */
async function products(
  a: Float64Array,
  b: Float64Array,
  d: number,
  { threads, which }: { threads?: number; which?: "left" } = {},
): Promise<number[][]> {
  const n = a.length / d, m = which ? n : b.length / d;
  const opened = await openRowProducts({ rows: Math.max(n, m), columns: d, threads });
  try {
    opened.pack("left", a, everyRow(n));
    opened.pack("right", b, everyRow(m));
    const result = opened.multiply(which);
    return everyRow(n).map((i) => [...result.subarray(i * opened.stride, i * opened.stride + m)]);
  } finally {
    opened.dispose();
  }
}

Deno.test("products of rows of any sizes are sums of products", async () => {
  const size = fc.integer({ min: 1, max: 130 });
  await fc.assert(
    fc.asyncProperty(size, size, fc.integer({ min: 1, max: 450 }), async (n, m, d) => {
      const a = seededNormals(n * d, n), b = seededNormals(m * d, m + 1000);
      const found = await products(a, b, d);
      found.forEach((row, i) =>
        row.forEach((value, j) => {
          assert(Math.abs(value - inner(a, i, b, j, d)) < 1e-13 * d, `${[n, m, d, i, j]}`);
        })
      );
    }),
    { numRuns: 15 },
  );
});

Deno.test("products of rows with themselves: one half, and squares to the last bit", async () => {
  const n = 205, d = 413, a = seededNormals(n * d, 3);
  const half = await products(a, a, d, { which: "left" });
  const whole = await products(a, a, d);
  for (let i = 0; i < n; i++) assertEquals(half[i].slice(0, i + 1), whole[i].slice(0, i + 1));
  const opened = await openRowProducts({ rows: n, columns: d });
  opened.pack("left", a, everyRow(n));
  assertEquals([...opened.squares("left")], whole.map((row, i) => row[i]));
  opened.dispose();
});

Deno.test("what is packed later, of fewer rows, is not mixed with what was there", async () => {
  const d = 10, a = seededNormals(40 * d, 4), b = seededNormals(5 * d, 5);
  const opened = await openRowProducts({ rows: 40, columns: d });
  opened.pack("left", a, everyRow(40));
  opened.pack("right", a, everyRow(40));
  opened.multiply();
  opened.pack("left", b, [3, 1]);
  const result = opened.multiply();
  const expected = [3, 1].map((i) => everyRow(40).map((j) => inner(b, i, a, j, d)));
  const found = [0, 1].map((i) => [...result.subarray(i * opened.stride, i * opened.stride + 40)]);
  found.flat().forEach((value, i) => assert(Math.abs(value - expected.flat()[i]) < 1e-12));
  opened.dispose();
});

Deno.test("sums of products of columns, over parts of any size", async () => {
  const d = 101, shift = seededNormals(d, 8), x = seededNormals(500 * d, 7);
  const sums = await openCrossProducts(d);
  for (const [from, to] of [[0, 192], [192, 193], [193, 300], [300, 492], [492, 500]]) {
    sums.add(x.subarray(from * d, to * d), to - from, shift);
  }
  const found = sums.sum();
  sums.dispose();
  for (let i = 0; i < d; i++) {
    for (let j = 0; j < d; j++) {
      let expected = 0;
      for (let row = 0; row < 500; row++) {
        expected += (x[row * d + i] - shift[i]) * (x[row * d + j] - shift[j]);
      }
      assert(Math.abs(found[i * d + j] - expected) < 1e-10, `${i}, ${j}`);
    }
  }
});

Deno.test("the same bits on one thread, two and three", async () => {
  const n = 230, d = 500, a = seededNormals(n * d, 1), b = seededNormals(n * d, 2);
  const one = await products(a, b, d, { threads: 1 });
  assertEquals(await products(a, b, d, { threads: 2 }), one);
  assertEquals(await products(a, b, d, { threads: 3 }), one);
});
