import { assertAlmostEquals, assertEquals } from "@std/assert";
import * as fc from "fast-check";
import { hermiteWeights } from "../../../../core/flow/ode/interpolation.ts";

Deno.test("a cubic is interpolated exactly, forwards and backwards", () => {
  const coefficient = fc.integer({ min: -5, max: 5 });
  fc.assert(
    fc.property(
      fc.tuple(coefficient, coefficient, coefficient, coefficient),
      fc.constantFrom(0.5, 2, -1.5),
      fc.double({ min: 0, max: 1, noNaN: true }),
      ([a, b, c, d], h, fraction) => {
        const y = (t: number) => a + t * (b + t * (c + t * d));
        const slope = (t: number) => b + t * (2 * c + t * 3 * d);
        const known = [y(1), y(1 + h), slope(1), slope(1 + h)];
        const value = hermiteWeights(fraction, h)
          .reduce((sum, weight, i) => sum + weight * known[i], 0);
        assertAlmostEquals(value, y(1 + fraction * h), 1e-10);
      },
    ),
    { seed: 4 },
  );
});

Deno.test("the ends are the ends", () => {
  assertEquals(hermiteWeights(0, 3), [1, 0, 0, 0]);
  assertEquals(hermiteWeights(1, 3).map(Math.abs), [0, 1, 0, 0]);
});
