import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import * as fc from "fast-check";
import { VapoError } from "../../../core/errors.ts";
import { pivotedCholesky } from "../../../core/linear_algebra/pivoted_cholesky.ts";
import { seededNormals } from "../homotopy/numerics.ts";

/** XᵀX of a random X [rank, n] with columns of different scales. */
function gram(n: number, rank: number, seed: number): Float64Array {
  const x = seededNormals(n * rank, seed), scale = (i: number) => 10 ** (i % 7 - 3);
  const result = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let k = 0; k < rank; k++) sum += x[k * n + i] * x[k * n + j];
      result[i * n + j] = sum * scale(i) * scale(j);
    }
  }
  return result;
}

/** The largest error of L·Lᵀ, each relative to the variances of its row and column. */
function worstError(matrix: Float64Array, n: number, columns: Float64Array, rank: number): number {
  let worst = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = 0; k < rank; k++) sum += columns[k * n + i] * columns[k * n + j];
      const scale = Math.sqrt(matrix[i * n + i] * matrix[j * n + j]) || 1;
      worst = Math.max(worst, Math.abs(sum - matrix[i * n + j]) / scale);
    }
  }
  return worst;
}

Deno.test("L·Lᵀ is the matrix and L has its rank, whatever the scales of the columns", async () => {
  const sizes = fc.tuple(fc.integer({ min: 1, max: 220 }), fc.integer({ min: 0, max: 220 }));
  await fc.assert(
    fc.asyncProperty(sizes, async ([n, most]) => {
      const expected = Math.min(n, most), matrix = gram(n, expected, n + most);
      const { columns, rank } = await pivotedCholesky(matrix, n);
      assertEquals(rank, expected);
      assert(worstError(matrix, n, columns, rank) < 1e-12);
    }),
    { numRuns: 20 },
  );
});

Deno.test("a factor by hand: the variable of which most is left comes next", async () => {
  const { columns, rank } = await pivotedCholesky(
    Float64Array.of(1, 0.5, 0, 0.5, 1, 0, 0, 0, 4),
    3,
  );
  assertEquals(rank, 3);
  [1, 0.5, 0, 0, 0, 2, 0, Math.sqrt(0.75), 0].forEach((value, i) =>
    assertAlmostEquals(columns[i], value, 1e-15)
  );
});

Deno.test("what was rounded to float32 ends at that rounding", async () => {
  const n = 150, matrix = gram(n, 60, 9), rounded = Float64Array.from(matrix, Math.fround);
  const { columns, rank } = await pivotedCholesky(rounded, n);
  assert(rank >= 60 && rank < n, `${rank}`);
  assert(worstError(matrix, n, columns, rank) < 1e-4);
});

Deno.test("the same bits on one thread and on two", async () => {
  const n = 220, matrix = gram(n, 200, 2);
  const one = await pivotedCholesky(matrix, n, { threads: 1 });
  const two = await pivotedCholesky(matrix, n, { threads: 2 });
  assertEquals([...two.columns], [...one.columns]);
});

Deno.test("negative variances are refused", async () => {
  await assertRejects(
    () => pivotedCholesky(Float64Array.of(1, 0, 0, -2), 2),
    VapoError,
    "variance 1 is -2",
  );
});
