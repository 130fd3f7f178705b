/**
 * @file Interpolation between samples: spherically between the draws of the prior that they flow
 * from (Shoemake, 1985; White, 2016), so that what lies between is as likely as the ends.
 */
import { VapoError } from "../errors.ts";

/**
 * Spherical interpolation from a (fraction 0) to b (fraction 1):
 * sin((1−f)θ)/sin θ · a + sin(fθ)/sin θ · b with the angle θ between them; straight where they are
 * parallel or opposite.
 *
 * Source: Shoemake, "Animating Rotation with Quaternion Curves", 1985; White, "Sampling Generative
 * Networks", 2016.
 *
 * @param a a draw of the prior, flat
 * @param b another, of the same length
 * @param fraction f, in [0, 1]
 * @returns as many values, in float64
 * @throws {VapoError} for vectors of different lengths
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { sphericalInterpolation } from "vapo";
 * const middle = sphericalInterpolation([1, 0], [0, 1], 0.5);
 * assertAlmostEquals(middle[0], Math.SQRT1_2); // on the circle, where (½, ½) is not
 * assertAlmostEquals(middle[1], Math.SQRT1_2);
 * ```
 */
export function sphericalInterpolation(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  fraction: number,
): Float64Array {
  if (a.length !== b.length) {
    throw new VapoError(
      `cannot interpolate between vectors of ${a.length} and ${b.length} values: ` +
        "expected the same number",
    );
  }
  let dot = 0, aa = 0, bb = 0;
  for (let i = 0; i < a.length; i++) {
    dot += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  const angle = Math.acos(Math.min(1, Math.max(-1, dot / Math.sqrt(aa * bb))));
  const sine = Math.sin(angle);
  const straight = !(sine > 1e-6);
  const fromA = straight ? 1 - fraction : Math.sin((1 - fraction) * angle) / sine;
  const fromB = straight ? fraction : Math.sin(fraction * angle) / sine;
  return Float64Array.from(a as ArrayLike<number>, (value, i) => fromA * value + fromB * b[i]);
}
