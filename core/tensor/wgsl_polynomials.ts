/**
 * @file Polynomials of Moshier's Cephes library (single precision, netlib.org/cephes) in WGSL, whose
 * built-in functions may be coarse.
 */

/** Statements: with x in scope, `z` is x² and `y` log(1 + x) − x + x²/2, for 1 + x from √½ to √2. */
export const logarithmPolynomial = `
  let z = x * x;
  var y = 7.0376836292e-2 * x - 1.1514610310e-1;
  y = y * x + 1.1676998740e-1;
  y = y * x - 1.2420140846e-1;
  y = y * x + 1.4249322787e-1;
  y = y * x - 1.6668057665e-1;
  y = y * x + 2.0000714765e-1;
  y = y * x - 2.4999993993e-1;
  y = y * x + 3.3333331174e-1;
  y = y * x * z;`;

/** A function: the sine of rest + quadrant·π/2, |rest| ≤ π/4. */
export const sineOfReduced = `
fn sineOfReduced(rest : f32, quadrant : i32) -> f32 {
  let z = rest * rest;
  let s = ((-1.9515295891e-4 * z + 8.3321608736e-3) * z - 1.6666654611e-1) * z * rest + rest;
  let c = ((2.443315711809948e-5 * z - 1.388731625493765e-3) * z + 4.166664568298827e-2) * z * z -
    0.5 * z + 1.0;
  let value = select(s, c, (quadrant & 1) == 1);
  return select(value, -value, (quadrant & 2) == 2);
}`;
