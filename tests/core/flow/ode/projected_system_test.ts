import { assertAlmostEquals, assertEquals } from "@std/assert";
import { projectedSystem, reciprocal } from "../../../../core/flow/ode/projected_system.ts";

Deno.test("a rotation is inverted for a real and for a complex shift", () => {
  // J = [0 −1; 1 0] acts as i, so that (σI − J) x = b for b = (1, −i)·β is solved by β/(σ − i).
  const images = [Float64Array.of(0, 1), Float64Array.of(-1, 0)];
  const real = projectedSystem([2]);
  images.forEach((image, j) => real.explore(j, image));
  const { solution, residual } = real.solve([Float64Array.of(1, 0)], 2);
  // The inverse of [2 1; −1 2] is [2 −1; 1 2] / 5.
  assertAlmostEquals(solution[0], 2 / 5, 1e-15);
  assertAlmostEquals(solution[1], 1 / 5, 1e-15);
  residual.forEach((r) => assertAlmostEquals(r, 0, 1e-15));

  const complex = projectedSystem([2, 3]);
  images.forEach((image, j) => complex.explore(j, image));
  const found = complex.solve([Float64Array.of(1, 0), Float64Array.of(0, -1)], 2).solution;
  // 1/(2 + 3i − i) = (1 − i)/4, times the eigenvector (1, −i).
  [1 / 4, -1 / 4, -1 / 4, -1 / 4].forEach((x, i) => assertAlmostEquals(found[i], x, 1e-15));
});

Deno.test("vectors take part one by one, in any order, and the residual falls", () => {
  const images = [[3, 1, 0, 2], [1, -1, 1, 0], [0, 2, 1, 1], [1, 0, 0, -2]];
  const system = projectedSystem([1, -0.5]);
  const right = [Float64Array.of(1, 2, 3, 4), Float64Array.of(0, -1)];
  const norms = [2, 0, 3, 1].map((j) => {
    system.explore(j, Float64Array.from(images[j]));
    return Math.hypot(...system.solve(right, 4).residual);
  });
  assertEquals(system.size, 4);
  assertEquals(norms.every((norm, i) => i === 0 || norm <= norms[i - 1]), true);
  assertAlmostEquals(norms[3], 0, 1e-13);
});

Deno.test("1/σ as a matrix is the inverse of σ as a matrix", () => {
  assertEquals(reciprocal([4]), [[0.25]]);
  const [[p, q], [r, s]] = reciprocal([3, 4]);
  // 1/(3 + 4i) = (3 − 4i)/25
  assertEquals([p, q, r, s], [3 / 25, 4 / 25, -4 / 25, 3 / 25]);
});
