/**
 * @file The transforms of filters' gradients by F(4×4, 3×3): where an output tile is
 * Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A for a filter g and an input tile d of 6×6 pixels, the gradient of g is
 * Gᵀ[(A y Aᵀ) ⊙ (Bᵀ d B)]G for a gradient y of the output. Points are those of winograd_points.ts.
 */
import { f32x4 } from "./assembler.ts";
import { multiplyAdd } from "./emitter.ts";
import { pointPolynomials } from "./winograd_points.ts";
import { axisTransforms, makeTransform, plusMinus } from "./winograd_transform.ts";

/** F(4, 3). */
export const gradientMethod = axisTransforms({ taps: 3, stride: 1, outputs: 4 });

const { points: [a, b], zeroDivisor, divisors: [na, nb] } = pointPolynomials(gradientMethod.inputs);
const a2 = a * a, b2 = b * b;

/** A: an output gradient's column. */
export const outputGradientTransform = makeTransform(
  { inputs: 4, outputs: 6, constants: [a, b, a2, b2], temporaries: 2 },
  ({ x: y, constant, store, temporaries: [e, o] }) => [
    store(0, y[0].get),
    store(5, y[3].get),
    e.set(multiplyAdd(y[2].get, constant(a2), y[0].get)),
    o.set(multiplyAdd(y[3].get, constant(a2), y[1].get)),
    plusMinus(e, o, constant(a), store, 1),
    e.set(multiplyAdd(y[2].get, constant(b2), y[0].get)),
    o.set(multiplyAdd(y[3].get, constant(b2), y[1].get)),
    plusMinus(e, o, constant(b), store, 3),
  ],
);

/** Gᵀ: to a filter gradient's column. */
export const filterGradientTransform = makeTransform(
  {
    inputs: 6,
    outputs: 3,
    constants: [1 / zeroDivisor, 1 / na, a / na, a2 / na, 1 / nb, b / nb, b2 / nb],
    temporaries: 4,
  },
  ({ x: w, constant, store, temporaries: [s1, d1, s2, d2] }) => [
    s1.set(f32x4.add(w[1].get, w[2].get)),
    d1.set(f32x4.sub(w[1].get, w[2].get)),
    s2.set(f32x4.add(w[3].get, w[4].get)),
    d2.set(f32x4.sub(w[3].get, w[4].get)),
    store(
      0,
      multiplyAdd(
        w[0].get,
        constant(1 / zeroDivisor),
        multiplyAdd(s1.get, constant(1 / na), f32x4.mul(s2.get, constant(1 / nb))),
      ),
    ),
    store(1, multiplyAdd(d1.get, constant(a / na), f32x4.mul(d2.get, constant(b / nb)))),
    store(
      2,
      multiplyAdd(s1.get, constant(a2 / na), multiplyAdd(s2.get, constant(b2 / nb), w[5].get)),
    ),
  ],
);
