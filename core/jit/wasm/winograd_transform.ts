/**
 * @file The transforms of Winograd's minimal filtering F(4×4, 3×3), after A. Lavin and S. Gray, "Fast
 * Algorithms for Convolutional Neural Networks" (CVPR 2016): an output tile of 4×4 pixels is
 * Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A for a filter g and an input tile d of 6×6 pixels, and so the gradient of g
 * is Gᵀ[(A y Aᵀ) ⊙ (Bᵀ d B)]G for a gradient y of the output.
 *
 * The points of interpolation are 0, ±5/8, ±3/2 and ∞, instead of the usual 0, ±1, ±2 and ∞: all
 * constants of A and B are exact in single precision, and errors are half as large (root mean square
 * at 128 channels 1.0·10⁻⁶ of the result's instead of 2.2·10⁻⁶; on why, see B. Barabasz, A. Anderson,
 * K. Soodhalter and D. Gregg, "Error Analysis and Improving the Accuracy of Winograd Convolution for
 * Deep Neural Networks", ACM Transactions on Mathematical Software 46(4), 2020). With sums over
 * channels in parts of at most 64, as the products here make them, they are 0.8·10⁻⁶ from 128 to 512
 * channels, and 8·10⁻⁶ at most in a million results.
 */
import { type Code, f32x4, type FunctionBuilder, type Local } from "./assembler.ts";
import { multiplyAdd, negativeMultiplyAdd } from "./emitter.ts";

/** Points a and b: see above. */
const a = 5 / 8, b = 3 / 2;
const a2 = a * a, b2 = b * b;
/** Denominators of the rows of G for ±a and ±b. */
const na = 2 * a2 * (a2 - b2), nb = 2 * b2 * (b2 - a2);

/** Pixels of an output tile, and of an input tile, by side. */
export const outputTile = 4;
/** See {@link outputTile}. */
export const inputTile = 6;
/** Cells of a tile in the Winograd domain. */
export const planes = 36;
/** Longest sum over channels that is not divided. */
export const longestSum = 64;

/** One 1-D transform. */
export interface Transform {
  /** How many values it takes, */
  readonly inputs: number;
  /** and gives. */
  readonly outputs: number;
  /** Sets up constants in locals, and makes the code of one transform. */
  prepare(f: FunctionBuilder): TransformCode;
}

/** A transform in a function. */
export interface TransformCode {
  /** To be put in front of everything. */
  readonly constants: Code;
  /** Loads all inputs, and stores all outputs. */
  apply(load: (i: number) => Code, store: (i: number, value: Code) => Code): Code;
}

function makeTransform<Name extends string>(
  inputs: number,
  outputs: number,
  constants: Record<Name, number>,
  code: (
    x: readonly Local[],
    constant: Record<Name, Code>,
    store: (i: number, value: Code) => Code,
    temporary: readonly Local[],
  ) => Code,
): Transform {
  return {
    inputs,
    outputs,
    prepare: (f) => {
      const names = Object.keys(constants) as Name[];
      const held = names.map((name) => ({ name, local: f.local("v128") }));
      const x = f.locals("v128", inputs);
      const temporary = f.locals("v128", 4);
      const constant = Object.fromEntries(
        held.map(({ name, local }) => [name, local.get]),
      ) as Record<Name, Code>;
      return {
        constants: held.map(({ name, local }) => local.set(f32x4.const(constants[name]))),
        apply: (load, store) => [
          x.map((local, i) => local.set(load(i))),
          code(x, constant, store, temporary),
        ],
      };
    },
  };
}

/** Stores e ± o·factor. */
function plusMinus(
  e: Local,
  o: Local,
  factor: Code,
  store: (i: number, value: Code) => Code,
  first: number,
): Code {
  return [
    store(first, multiplyAdd(o.get, factor, e.get)),
    store(first + 1, negativeMultiplyAdd(o.get, factor, e.get)),
  ];
}

/** Bᵀ: an input tile's column. */
export const inputTransform = makeTransform(
  6,
  6,
  { product: a2 * b2, sum: a2 + b2, a, b, a2, b2 },
  (d, c, store, [e, o]) => [
    [0, 5].map((row) => {
      const k = row === 0 ? 0 : 1;
      const rest = negativeMultiplyAdd(d[k + 2].get, c.sum, d[k + 4].get);
      return store(row, multiplyAdd(d[k].get, c.product, rest));
    }),
    e.set(negativeMultiplyAdd(d[2].get, c.b2, d[4].get)),
    o.set(negativeMultiplyAdd(d[1].get, c.b2, d[3].get)),
    plusMinus(e, o, c.a, store, 1),
    e.set(negativeMultiplyAdd(d[2].get, c.a2, d[4].get)),
    o.set(negativeMultiplyAdd(d[1].get, c.a2, d[3].get)),
    plusMinus(e, o, c.b, store, 3),
  ],
);

/** Aᵀ: to an output tile's column. */
export const outputTransform = makeTransform(
  6,
  4,
  { a, b, a2, b2, a3: a * a2, b3: b * b2 },
  (m, c, store, [s1, d1, s2, d2]) => [
    s1.set(f32x4.add(m[1].get, m[2].get)),
    d1.set(f32x4.sub(m[1].get, m[2].get)),
    s2.set(f32x4.add(m[3].get, m[4].get)),
    d2.set(f32x4.sub(m[3].get, m[4].get)),
    store(0, f32x4.add(f32x4.add(m[0].get, s1.get), s2.get)),
    store(1, multiplyAdd(d1.get, c.a, f32x4.mul(d2.get, c.b))),
    store(2, multiplyAdd(s1.get, c.a2, f32x4.mul(s2.get, c.b2))),
    store(3, multiplyAdd(d1.get, c.a3, multiplyAdd(d2.get, c.b3, m[5].get))),
  ],
);

/** A: an output gradient's column. */
export const outputGradientTransform = makeTransform(
  4,
  6,
  { a, b, a2, b2 },
  (y, c, store, [e, o]) => [
    store(0, y[0].get),
    store(5, y[3].get),
    e.set(multiplyAdd(y[2].get, c.a2, y[0].get)),
    o.set(multiplyAdd(y[3].get, c.a2, y[1].get)),
    plusMinus(e, o, c.a, store, 1),
    e.set(multiplyAdd(y[2].get, c.b2, y[0].get)),
    o.set(multiplyAdd(y[3].get, c.b2, y[1].get)),
    plusMinus(e, o, c.b, store, 3),
  ],
);

/** G: a filter's column. */
export const filterTransform = makeTransform(
  3,
  6,
  {
    first: 1 / (a2 * b2),
    na: 1 / na,
    a1: a / na,
    a2: a2 / na,
    nb: 1 / nb,
    b1: b / nb,
    b2: b2 / nb,
  },
  (g, c, store, [e]) => [
    store(0, f32x4.mul(g[0].get, c.first)),
    store(5, g[2].get),
    e.set(multiplyAdd(g[2].get, c.a2, f32x4.mul(g[0].get, c.na))),
    plusMinus(e, g[1], c.a1, store, 1),
    e.set(multiplyAdd(g[2].get, c.b2, f32x4.mul(g[0].get, c.nb))),
    plusMinus(e, g[1], c.b1, store, 3),
  ],
);

/** Gᵀ: to a filter gradient's column. */
export const filterGradientTransform = makeTransform(
  6,
  3,
  {
    first: 1 / (a2 * b2),
    na: 1 / na,
    a1: a / na,
    a2: a2 / na,
    nb: 1 / nb,
    b1: b / nb,
    b2: b2 / nb,
  },
  (w, c, store, [s1, d1, s2, d2]) => [
    s1.set(f32x4.add(w[1].get, w[2].get)),
    d1.set(f32x4.sub(w[1].get, w[2].get)),
    s2.set(f32x4.add(w[3].get, w[4].get)),
    d2.set(f32x4.sub(w[3].get, w[4].get)),
    store(
      0,
      multiplyAdd(
        w[0].get,
        c.first,
        multiplyAdd(s1.get, c.na, f32x4.mul(s2.get, c.nb)),
      ),
    ),
    store(1, multiplyAdd(d1.get, c.a1, f32x4.mul(d2.get, c.b1))),
    store(2, multiplyAdd(s1.get, c.a2, multiplyAdd(s2.get, c.b2, w[5].get))),
  ],
);
