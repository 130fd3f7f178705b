import { assert, assertEquals } from "@std/assert";
import * as fc from "fast-check";
import {
  bidiagonalSingularValues,
  singularValues,
} from "../../../core/linear_algebra/singular_values.ts";
import { assertClose, seededNormals } from "../homotopy/numerics.ts";

/** diag(values) between two random rotations, as many reflections each: rows×columns, by column. */
function withSingularValues(
  values: readonly number[],
  rows: number,
  columns: number,
  seed: number,
) {
  const a = new Float64Array(rows * columns);
  values.forEach((value, i) => a[i * rows + i] = value);
  for (let turn = 0; turn < 3; turn++) {
    const u = unit(rows, seed + 2 * turn), v = unit(columns, seed + 2 * turn + 1);
    for (let j = 0; j < columns; j++) {
      let sum = 0;
      for (let i = 0; i < rows; i++) sum += u[i] * a[j * rows + i];
      for (let i = 0; i < rows; i++) a[j * rows + i] -= 2 * sum * u[i];
    }
    for (let i = 0; i < rows; i++) {
      let sum = 0;
      for (let j = 0; j < columns; j++) sum += v[j] * a[j * rows + i];
      for (let j = 0; j < columns; j++) a[j * rows + i] -= 2 * sum * v[j];
    }
  }
  return a;
}

function unit(n: number, seed: number): Float64Array {
  const draws = seededNormals(n, seed);
  const length = Math.sqrt(draws.reduce((sum, x) => sum + x * x, 0));
  return draws.map((x) => x / length);
}

Deno.test("singular values of a matrix that was made of them, of any shape and rank", async () => {
  const size = fc.integer({ min: 1, max: 75 });
  const value = fc.oneof(
    fc.constantFrom(0, 1, 2),
    fc.double({ min: 1e-12, max: 1e3, noNaN: true }),
  );
  await fc.assert(
    fc.asyncProperty(size, size, fc.array(value, { maxLength: 75 }), async (m, n, given) => {
      const count = Math.min(m, n);
      const values = Array.from({ length: count }, (_, i) => given[i] ?? 0);
      const found = await singularValues(withSingularValues(values, m, n, m + n), m, n);
      assertClose(found, values.sort((a, b) => b - a), 1e-13);
    }),
    { numRuns: 30 },
  );
});

Deno.test("singular values across many blocks of columns, on one thread and on two", async () => {
  const rows = 310, columns = 290;
  const values = Array.from({ length: columns }, (_, i) => 2 ** (-i / 8));
  const a = withSingularValues(values, rows, columns, 1);
  const one = await singularValues(a, rows, columns, { threads: 1 });
  assertClose(one, values, 1e-14);
  assertEquals([...await singularValues(a, rows, columns, { threads: 2 })], [...one]);
});

Deno.test("small singular values of a bidiagonal matrix have all their digits", () => {
  // Graded by 17 orders of magnitude; mpmath's svd_r with 80 digits.
  const found = bidiagonalSingularValues({
    diagonal: Float64Array.of(1, 1e-6, 1e-12, 1e-17),
    above: Float64Array.of(1e-3, 1e-9, 1e-14),
  });
  const expected = [
    1.000000499999875,
    1.0000000000005e-6,
    1.0000494987749406e-12,
    9.9995000369969e-18,
  ];
  expected.forEach((value, i) => assert(Math.abs(found[i] / value - 1) < 1e-14, `${found[i]}`));
  // The determinant is the product of the diagonal, to the last digits.
  const product = found.reduce((all, value) => all * value, 1);
  assert(Math.abs(product / 1e-35 - 1) < 1e-13, `${product}`);
});

Deno.test("bidiagonal matrices with zeros on their diagonals", () => {
  // [[0, 1], [0, 0]] and [[1, 1, 0], [0, 0, 1], [0, 0, 1]], whose squares are 3, 1 … by hand.
  const two = bidiagonalSingularValues({
    diagonal: Float64Array.of(0, 0),
    above: Float64Array.of(1),
  });
  assertClose(two, [1, 0], 1e-15);
  const three = bidiagonalSingularValues({
    diagonal: Float64Array.of(1, 0, 1),
    above: Float64Array.of(1, 1),
  });
  assertClose(three, [Math.SQRT2, Math.SQRT2, 0], 1e-15);
});

Deno.test("scales from 1e-200 to 1e200, and no matrix at all", async () => {
  const values = [3, 2, 1, 0.5], a = withSingularValues(values, 6, 4, 5);
  for (const scale of [1e-200, 1e200]) {
    const found = await singularValues(a.map((x) => x * scale), 6, 4);
    assertClose(found.map((x) => x / scale), values, 1e-14);
  }
  assertEquals([...await singularValues(new Float64Array(6), 3, 2)], [0, 0]);
  assertEquals((await singularValues(new Float64Array(0), 0, 3)).length, 0);
});
