import { assertAlmostEquals, assertEquals } from "@std/assert";
import * as fc from "fast-check";
import { growingLeastSquares } from "../../../../core/flow/ode/least_squares.ts";

Deno.test("a straight line is fitted to points as the textbook does", () => {
  const problem = growingLeastSquares();
  problem.add([1, 1, 1, 1]);
  problem.add([1, 2, 3, 4]);
  const { solution, residual } = problem.fit([6, 5, 7, 10]);
  assertAlmostEquals(solution[0], 3.5, 1e-14);
  assertAlmostEquals(solution[1], 1.4, 1e-14);
  [1.1, -1.3, -0.7, 0.9].forEach((r, i) => assertAlmostEquals(residual[i], r, 1e-14));
});

const entry = fc.integer({ min: -9, max: 9 });

Deno.test("the residual is b − A x, and no column is left in it, however A has grown", () => {
  const growth = fc.array(fc.array(entry, { minLength: 1, maxLength: 3 }), {
    minLength: 1,
    maxLength: 6,
  });
  fc.assert(
    fc.property(growth, fc.infiniteStream(entry), (extra, stream) => {
      const problem = growingLeastSquares();
      const columns: number[][] = [];
      let rows = 0;
      for (const tail of extra) {
        rows += tail.length;
        // A strong diagonal keeps the columns independent.
        const column = Array.from({ length: rows }, () => stream.next().value as number);
        column[columns.length] += 40;
        columns.push(column);
        problem.add(column);
      }
      assertEquals(problem.columns, columns.length);
      const right = Array.from({ length: rows + 1 }, () => stream.next().value as number);
      const { solution, residual } = problem.fit(right);
      right.forEach((b, i) => {
        const product = columns.reduce((sum, column, j) => sum + (column[i] ?? 0) * solution[j], 0);
        assertAlmostEquals(residual[i], b - product, 1e-11);
      });
      for (const column of columns) {
        assertAlmostEquals(column.reduce((sum, a, i) => sum + a * residual[i], 0), 0, 1e-10);
      }
    }),
    { numRuns: 100, seed: 2 },
  );
});

Deno.test("an unknown that no equation mentions is 0", () => {
  const problem = growingLeastSquares();
  problem.add([0, 0]);
  problem.add([0, 2]);
  assertEquals([...problem.fit([1, 4]).solution], [0, 2]);
});
