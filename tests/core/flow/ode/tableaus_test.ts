import { assertAlmostEquals, assertEquals } from "@std/assert";
import * as tableaus from "../../../../core/flow/ode/tableaus.ts";
import type { Tableau } from "../../../../core/flow/ode/tableaus.ts";

const all = Object.entries(tableaus as Record<string, Tableau>);

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
const dot = (a: readonly number[], b: readonly number[]) => sum(a.map((x, i) => x * b[i]));

/** A applied to a vector with an entry for each stage. */
const applied = ({ stages }: Tableau, vector: readonly number[]) =>
  stages.map((row) => dot(row, vector));

/**
 * The order conditions that involve bushy and tall trees (Hairer, Nørsett & Wanner I, section II.2):
 * Σ bᵢ cᵢ^(k−1) = 1/k, and Σ b A^(k−1−m) c^m = m!/k!.
 */
function conditions(tableau: Tableau, weights: readonly number[], order: number): number[] {
  const residuals: number[] = [];
  for (let k = 1; k <= order; k++) {
    for (let m = 0; m < k; m++) {
      let vector: number[] = tableau.nodes.map((c) => c ** m);
      let expected = 1;
      for (let i = m + 1; i < k; i++) {
        vector = applied(tableau, vector);
        expected /= i;
      }
      residuals.push(dot(weights, vector) - expected / k);
    }
  }
  return residuals;
}

for (const [name, tableau] of all) {
  Deno.test(`${name}: the coefficients satisfy the conditions of order ${tableau.order}`, () => {
    const { stages, nodes, weights, order } = tableau;
    assertEquals([nodes.length, weights.length], [stages.length, stages.length]);
    stages.forEach((row, i) => {
      assertEquals(row.length, i);
      assertAlmostEquals(sum(row), nodes[i], 1e-14);
    });
    for (const residual of conditions(tableau, weights, order)) {
      assertAlmostEquals(residual, 0, 1e-13);
    }
    const next = conditions(tableau, weights, order + 1);
    assertEquals(next.every((residual) => Math.abs(residual) < 1e-8), false);
  });
}

for (const [name, tableau] of all.filter(([, { error }]) => error)) {
  Deno.test(`${name}: the error estimate is that of a solution of lower order`, () => {
    const { error, weights, stages, nodes } = tableau;
    assertEquals(error!.weights.length, stages.length + 1);
    // The slope at the end is one stage more: its row is the solution itself.
    const extended = { ...tableau, stages: [...stages, weights], nodes: [...nodes, 1] };
    const estimates = name === "dop853"
      ? [{ row: error!.weights, order: 5 }, { row: error!.crudeWeights!, order: 3 }]
      : [{ row: error!.weights, order: error!.order }];
    for (const { row, order } of estimates) {
      const lower = [...weights, 0].map((weight, i) => weight - row[i]);
      for (const residual of conditions(extended, lower, order)) {
        assertAlmostEquals(residual, 0, 1e-13);
      }
      const next = conditions(extended, lower, order + 1);
      assertEquals(next.every((residual) => Math.abs(residual) < 1e-8), false);
    }
  });
}
