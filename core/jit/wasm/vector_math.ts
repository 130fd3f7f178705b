/**
 * @file Elementwise functions on four lanes at once, as code. Exponentials and logarithms follow
 * Cephes (S. L. Moshier): a reduction by Cody and Waite, then a minimax polynomial; tanh and the
 * error function are odd rational functions of the argument. The coefficients were fitted for this
 * file (linear programming on the relative error, then a search over the last bits of the rounded
 * coefficients); errors are bounded in tests/core/jit/wasm/vector_math_test.ts. Everything is
 * lane-wise: a lane's result does not depend on the other lanes, nor on where the lane is.
 */
import type { DataType, ElementwiseName } from "../elementwise.ts";
import type { Code, FunctionBuilder, Local } from "./assembler.ts";
import { f32x4, f64x2, i32, i32x4, v128 } from "./assembler.ts";
import { multiplyAdd, negativeMultiplyAdd } from "./emitter.ts";

/**
 * Four values in code. A comparison gives a mask (all bits of a lane, or none); `cells` are what
 * memory holds: float32, int32, or a bool as the int32 0 or 1.
 */
export interface VectorValue {
  readonly code: Code;
  readonly form: "cells" | "mask";
  /** Of a product that nobody else wants: its factors, so that a sum can fuse it. */
  readonly factors?: readonly [Code, Code];
}

/** The locals and constants of one function with vector code in it. */
export class VectorScope {
  readonly #free: Local[] = [];
  readonly #constants = new Map<string, { local: Local; code: Code }>();
  #used = 0;

  constructor(readonly target: FunctionBuilder) {}

  /** A local for a value in flight. Those handed out before {@link reuse} may be the same ones. */
  temporary(): Local {
    if (this.#used === this.#free.length) this.#free.push(this.target.local("v128"));
    return this.#free[this.#used++];
  }

  /** How many temporaries are taken, for {@link reuse}. */
  get mark(): number {
    return this.#used;
  }

  /** Gives all temporaries back that were taken since a mark. */
  reuse(mark: number): void {
    this.#used = mark;
  }

  /** Four times a float32, loaded once at the function's start. */
  float(value: number): Code {
    return this.#constant(`f${Object.is(value, -0) ? "-0" : value}`, f32x4.const(value));
  }

  /** Four times an int32, loaded once at the function's start. */
  integer(value: number): Code {
    return this.#constant(`i${value}`, i32x4.const(value));
  }

  /** What sets the constants: to be put at the function's start. */
  get prologue(): Code {
    return [...this.#constants.values()].map(({ local, code }) => local.set(code));
  }

  /** The value in a form that may be used many times: `use` gets a local. */
  share(value: Code, use: (value: Code) => Code): Code {
    if (isLocal(value)) return use(value);
    const local = this.temporary();
    return [local.set(value), use(local.get)];
  }

  #constant(key: string, code: Code): Code {
    const known = this.#constants.get(key);
    if (known) return known.local.get;
    const local = this.target.local("v128");
    this.#constants.set(key, { local, code });
    return local.get;
  }
}

/** Whether code only reads a local, so that it may be repeated. */
function isLocal(code: Code): boolean {
  return code[0] === 0x20 && code.every((part) => typeof part === "number");
}

/** Four locals as the rows of a matrix, which becomes its transpose. */
export function transposeFour(scope: VectorScope, rows: readonly Local[]): Code {
  const [a, b, c, d] = rows, mark = scope.mark;
  const low = scope.temporary(), high = scope.temporary();
  const lowest = scope.temporary(), highest = scope.temporary();
  scope.reuse(mark);
  return [
    low.set(v128.shuffle32(a.get, b.get, [0, 4, 1, 5])),
    high.set(v128.shuffle32(a.get, b.get, [2, 6, 3, 7])),
    lowest.set(v128.shuffle32(c.get, d.get, [0, 4, 1, 5])),
    highest.set(v128.shuffle32(c.get, d.get, [2, 6, 3, 7])),
    a.set(v128.shuffle32(low.get, lowest.get, [0, 1, 4, 5])),
    b.set(v128.shuffle32(low.get, lowest.get, [2, 3, 6, 7])),
    c.set(v128.shuffle32(high.get, highest.get, [0, 1, 4, 5])),
    d.set(v128.shuffle32(high.get, highest.get, [2, 3, 6, 7])),
  ];
}

const SIGN = -0x80000000;
/** Added to a float below 2²² it leaves the nearest integer in the low bits. */
const ROUNDER = 1.5 * 2 ** 23;
const ROUNDER_BITS = 0x4b400000;
const SQRT_HALF_BITS = 0x3f3504f3;
const LN2_HIGH = 0.693359375, LN2_LOW = -2.12194440e-4;
/** (eʳ − 1 − r)/r² on |r| ≤ ½ ln 2. */
const EXPONENTIAL = [
  0.5,
  0.1666654348373413,
  0.041666414588689804,
  0.008366572670638561,
  0.0013939737109467387,
];
/** (log(1 + f) − f + f²/2)/f³ on √½ ≤ 1 + f ≤ √2. */
const LOGARITHM = [
  0.3333331346511841,
  -0.25000008940696716,
  0.20002080500125885,
  -0.1666799783706665,
  0.1422005593776703,
  -0.12405768036842346,
  0.1188599169254303,
  -0.11674849689006805,
  0.06749087572097778,
];
/** (sin r − r)/r³ and (cos r − 1 + r²/2)/r⁴ in r², on |r| ≤ π/4. */
const SINE = [-0.16666653752326965, 0.008332106284797192, -0.00019507884280756116];
const COSINE = [0.04166664555668831, -0.0013887308305129409, 2.4432101781712845e-05];
/** π/2 in parts of 8 bits (so that multiples below 2¹⁶ are exact), and a rest. */
const HALF_PI = [
  1.5703125,
  0.0004825592041015625,
  1.2665987014770508e-06,
  9.92093629470503e-10,
] as const;
/** erf(x) = x P(x²)/Q(x²), which rounds to 1 beyond ERF_LIMIT. */
const ERF_LIMIT = 3.8325;
const ERF_P = [
  1.1283791065216064,
  0.19078437983989716,
  0.05279028043150902,
  0.003779636463150382,
  0.0002848072617780417,
  2.0419990963060366e-06,
];
const ERF_Q = [
  1.0,
  0.5024109482765198,
  0.11425768584012985,
  0.014997470192611217,
  0.0011652151588350534,
  3.8003974623279646e-05,
];
/** tanh(x) = x P(x²)/Q(x²), which rounds to 1 beyond TANH_LIMIT. */
const TANH_LIMIT = 9.02;
const TANH_P = [
  1.0,
  0.1308315396308899,
  0.0031030040699988604,
  1.1143933079438284e-05,
  -2.017424804989787e-08,
  5.244763304212974e-11,
  -8.373007419782558e-14,
];
const TANH_Q = [1.0, 0.4641648232936859, 0.02449137531220913, 0.0002544749586377293];

/** c₀ + x (c₁ + x (c₂ + …)); x is a local. */
function horner(scope: VectorScope, x: Code, coefficients: readonly number[]): Code {
  let sum: Code = scope.float(coefficients[coefficients.length - 1]);
  for (let i = coefficients.length - 2; i >= 0; i--) {
    sum = multiplyAdd(sum, x, scope.float(coefficients[i]));
  }
  return sum;
}

/** Between −limit and limit; NaN stays. */
function clamp(scope: VectorScope, x: Code, low: number, high: number): Code {
  return f32x4.pmax(f32x4.pmin(x, scope.float(high)), scope.float(low));
}

/** 2ⁿ for integer lanes −126 ≤ n ≤ 127, by the bits. */
function powerOfTwo(scope: VectorScope, n: Code): Code {
  return i32x4.shl(i32x4.add(n, scope.integer(127)), [0x41, 23]);
}

/** p·2ⁿ for −252 ≤ n ≤ 254 in two steps, so that it underflows and overflows as it should. */
function scaleByPowerOfTwo(scope: VectorScope, p: Code, n: Code): Code {
  return scope.share(n, (n) =>
    scope.share(i32x4.shrS(n, [0x41, 1]), (half) =>
      f32x4.mul(
        f32x4.mul(p, powerOfTwo(scope, half)),
        powerOfTwo(scope, i32x4.sub(n, half)),
      )));
}

/** x = n ln 2 + r: gives n as integer lanes, and r. x is finite and small, or NaN. */
function reduceByLn2(
  scope: VectorScope,
  x: Code,
  use: (n: Code, r: Code) => Code,
): Code {
  return scope.share(
    x,
    (x) =>
      scope.share(
        multiplyAdd(x, scope.float(Math.LOG2E), scope.float(ROUNDER)),
        (shifted) =>
          scope.share(f32x4.sub(shifted, scope.float(ROUNDER)), (n) =>
            scope.share(
              negativeMultiplyAdd(
                n,
                scope.float(LN2_LOW),
                negativeMultiplyAdd(n, scope.float(LN2_HIGH), x),
              ),
              (r) => use(i32x4.sub(shifted, scope.integer(ROUNDER_BITS)), r),
            )),
      ),
  );
}

/** eʳ on |r| ≤ ½ ln 2; r is a local. */
function smallExponential(scope: VectorScope, r: Code): Code {
  return horner(scope, r, [1, 1, ...EXPONENTIAL]);
}

/** eˣ. */
export function exponential(scope: VectorScope, x: Code): Code {
  return reduceByLn2(
    scope,
    clamp(scope, x, -104.5, 89),
    (n, r) => scaleByPowerOfTwo(scope, smallExponential(scope, r), n),
  );
}

/** eˣ − 1 = 2ⁿ (eʳ − 1) + (2ⁿ − 1), with 2ⁿ⁻¹ for 2ⁿ so that it does not overflow before its time. */
export function exponentialMinusOne(scope: VectorScope, x: Code): Code {
  return scope.share(x, (x) =>
    v128.bitselect(
      x,
      reduceByLn2(scope, clamp(scope, x, -26, 89), (n, r) =>
        scope.share(
          powerOfTwo(scope, i32x4.sub(n, scope.integer(1))),
          (half) =>
            scope.share(
              multiplyAdd(
                half,
                multiplyAdd(f32x4.mul(r, r), horner(scope, r, EXPONENTIAL), r),
                f32x4.sub(half, scope.float(0.5)),
              ),
              (result) => f32x4.add(result, result),
            ),
        )),
      f32x4.eq(x, scope.float(0)),
    ));
}

/** x = 2ᵉ m with √½ ≤ m < √2, for positive finite x (a local): gives e as integer lanes, and m. */
function splitExponent(
  scope: VectorScope,
  x: Code,
  mayBeDenormal: boolean,
  use: (e: Code, m: Code) => Code,
): Code {
  const split = (bits: Code, shift: (e: Code) => Code): Code =>
    scope.share(
      i32x4.shrS(i32x4.sub(bits, scope.integer(SQRT_HALF_BITS)), [0x41, 23]),
      (e) => use(shift(e), i32x4.sub(bits, i32x4.shl(e, [0x41, 23]))),
    );
  if (!mayBeDenormal) return split(x, (e) => e);
  return scope.share(f32x4.lt(x, scope.float(2 ** -126)), (small) =>
    scope.share(
      v128.bitselect(f32x4.mul(x, scope.float(2 ** 23)), x, small),
      (bits) => split(bits, (e) => i32x4.sub(e, v128.and(small, scope.integer(23)))),
    ));
}

/** log x for positive finite x. */
function logarithmInside(scope: VectorScope, x: Code, mayBeDenormal: boolean): Code {
  return splitExponent(
    scope,
    x,
    mayBeDenormal,
    (e, m) =>
      scope.share(
        f32x4.convertI32x4S(e),
        (e) =>
          scope.share(f32x4.sub(m, scope.float(1)), (f) =>
            scope.share(f32x4.mul(f, f), (square) => {
              const cubic = f32x4.mul(f32x4.mul(square, f), horner(scope, f, LOGARITHM));
              const small = multiplyAdd(e, scope.float(LN2_LOW), cubic);
              const rest = negativeMultiplyAdd(square, scope.float(0.5), small);
              return multiplyAdd(e, scope.float(LN2_HIGH), f32x4.add(f, rest));
            })),
      ),
  );
}

/** log x of normal positive x: no special values. */
export function logarithmOfPositive(scope: VectorScope, x: Code): Code {
  return scope.share(x, (x) => logarithmInside(scope, x, false));
}

/** log x: −∞ at 0, NaN below. */
export function logarithm(scope: VectorScope, x: Code): Code {
  return scope.share(x, (x) => {
    const finite = v128.bitselect(
      logarithmInside(scope, x, true),
      x,
      f32x4.lt(x, scope.float(Infinity)),
    );
    const defined = v128.or(finite, f32x4.lt(x, scope.float(0)));
    return v128.bitselect(scope.float(-Infinity), defined, f32x4.eq(x, scope.float(0)));
  });
}

/** log(1 + x): the logarithm of the rounded sum u, and the first-order term in what was rounded off. */
export function logarithmOnePlus(scope: VectorScope, x: Code): Code {
  return scope.share(
    x,
    (x) =>
      scope.share(
        f32x4.add(x, scope.float(1)),
        (u) =>
          scope.share(f32x4.sub(u, scope.float(1)), (sum) => {
            const correction = v128.andNot(f32x4.div(f32x4.sub(x, sum), u), f32x4.eq(sum, x));
            return v128.bitselect(
              x,
              f32x4.add(logarithm(scope, u), correction),
              f32x4.eq(u, scope.float(1)),
            );
          }),
      ),
  );
}

/** sin r and cos r on |r| ≤ π/4; r is a local. */
function smallSine(scope: VectorScope, r: Code, square: Code): Code {
  return f32x4.mul(multiplyAdd(square, horner(scope, square, SINE), scope.float(1)), r);
}

function smallCosine(scope: VectorScope, square: Code): Code {
  return multiplyAdd(
    square,
    multiplyAdd(square, horner(scope, square, COSINE), scope.float(-0.5)),
    scope.float(1),
  );
}

/** sin(r + quadrant·π/2), quadrant as integer lanes of which the two low bits count. */
function sineInQuadrant(scope: VectorScope, r: Code, quadrant: Code): Code {
  return scope.share(
    r,
    (r) =>
      scope.share(f32x4.mul(r, r), (square) =>
        scope.share(quadrant, (quadrant) => {
          const odd = i32x4.shrS(i32x4.shl(quadrant, [0x41, 31]), [0x41, 31]);
          const value = v128.bitselect(
            smallCosine(scope, square),
            smallSine(scope, r, square),
            odd,
          );
          const sign = i32x4.shl(v128.and(quadrant, scope.integer(2)), [0x41, 30]);
          return v128.xor(value, sign);
        })),
  );
}

/** sin(x + quarter·π/2). Good to |x| ≤ 10⁵; NaN for infinities; bounded everywhere. */
function circular(scope: VectorScope, x: Code, quarter: 0 | 1): Code {
  return scope.share(
    x,
    (x) =>
      scope.share(
        multiplyAdd(x, scope.float(2 / Math.PI), scope.float(ROUNDER)),
        (shifted) =>
          scope.share(f32x4.sub(shifted, scope.float(ROUNDER)), (n) => {
            const reduced = HALF_PI.reduce<Code>(
              (r, part) => negativeMultiplyAdd(n, scope.float(part), r),
              x,
            );
            const quadrant = quarter ? i32x4.add(shifted, scope.integer(1)) : shifted;
            return sineInQuadrant(scope, clamp(scope, reduced, -1, 1), quadrant);
          }),
      ),
  );
}

/** sin x. */
export function sine(scope: VectorScope, x: Code): Code {
  return circular(scope, x, 0);
}

/** cos x. */
export function cosine(scope: VectorScope, x: Code): Code {
  return circular(scope, x, 1);
}

/** (cos 2πu, sin 2πu) for 0 ≤ u ≤ 1, reduced without an error; `use` gets both. */
export function turn(
  scope: VectorScope,
  u: Code,
  use: (cosine: Code, sine: Code) => Code,
): Code {
  return scope.share(u, (u) =>
    scope.share(
      multiplyAdd(u, scope.float(4), scope.float(ROUNDER)),
      (shifted) =>
        scope.share(
          f32x4.mul(
            f32x4.sub(
              u,
              f32x4.mul(f32x4.sub(shifted, scope.float(ROUNDER)), scope.float(0.25)),
            ),
            scope.float(2 * Math.PI),
          ),
          (r) =>
            scope.share(f32x4.mul(r, r), (square) =>
              scope.share(
                smallSine(scope, r, square),
                (s) =>
                  scope.share(smallCosine(scope, square), (c) => {
                    const odd = scope.temporary();
                    const sign = (quadrant: Code) =>
                      i32x4.shl(v128.and(quadrant, scope.integer(2)), [0x41, 30]);
                    const cosineValue = v128.xor(
                      v128.bitselect(s, c, odd.get),
                      sign(i32x4.add(shifted, scope.integer(1))),
                    );
                    const sineValue = v128.xor(v128.bitselect(c, s, odd.get), sign(shifted));
                    return [
                      odd.set(i32x4.shrS(i32x4.shl(shifted, [0x41, 31]), [0x41, 31])),
                      use(cosineValue, sineValue),
                    ];
                  }),
              )),
        ),
    ));
}

/** x P(x²)/Q(x²) for |x| below a limit, beyond which it is ±1. */
function oddRational(
  scope: VectorScope,
  x: Code,
  limit: number,
  p: readonly number[],
  q: readonly number[],
): Code {
  return scope.share(
    clamp(scope, x, -limit, limit),
    (x) =>
      scope.share(f32x4.mul(x, x), (square) =>
        clamp(
          scope,
          f32x4.div(f32x4.mul(x, horner(scope, square, p)), horner(scope, square, q)),
          -1,
          1,
        )),
  );
}

/** tanh x. */
export function hyperbolicTangent(scope: VectorScope, x: Code): Code {
  return oddRational(scope, x, TANH_LIMIT, TANH_P, TANH_Q);
}

/** erf x. */
export function errorFunction(scope: VectorScope, x: Code): Code {
  return oddRational(scope, x, ERF_LIMIT, ERF_P, ERF_Q);
}

/** 1/(1 + e⁻ˣ). */
export function sigmoid(scope: VectorScope, x: Code): Code {
  return f32x4.div(
    scope.float(1),
    f32x4.add(scope.float(1), exponential(scope, f32x4.neg(x))),
  );
}

const upperHalf = (x: Code): Code => v128.shuffle32(x, x, [2, 3, 2, 3]);
const joinHalves = (low: Code, high: Code): Code => v128.shuffle32(low, high, [0, 1, 4, 5]);

/** 2/ln 2 (s + s³/3 + …) = log₂ m, s = (m − 1)/(m + 1), for two lanes of √½ ≤ m < √2. */
function logarithmToBaseTwo(scope: VectorScope, m: Code): Code {
  const one = f64x2.const(1);
  return scope.share(
    m,
    (m) =>
      scope.share(
        f64x2.div(f64x2.sub(m, one), f64x2.add(m, one)),
        (s) =>
          scope.share(f64x2.mul(s, s), (square) => {
            let sum: Code = f64x2.const(2 / Math.LN2 / 11);
            for (let k = 9; k > 0; k -= 2) {
              sum = f64x2.add(f64x2.mul(sum, square), f64x2.const(2 / Math.LN2 / k));
            }
            return f64x2.mul(sum, s);
          }),
      ),
  );
}

/** |x|ʸ for finite |x| > 0: y log₂ |x| in double precision, then 2ⁿ eʳ. x and y are locals. */
function powerOfPositive(scope: VectorScope, x: Code, y: Code): Code {
  return splitExponent(scope, x, true, (e, m) =>
    scope.share(e, (e) =>
      scope.share(m, (m) => {
        const whole = scope.temporary(), rest = scope.temporary();
        const part = (half: (x: Code) => Code, use: (n: Code, f: Code) => Code): Code => {
          const exponent = f64x2.add(
            f64x2.convertLowI32x4S(half(e)),
            logarithmToBaseTwo(scope, f64x2.promoteLowF32x4(half(m))),
          );
          const product = f64x2.mul(exponent, f64x2.promoteLowF32x4(half(y)));
          const bounded = f64x2.pmax(
            f64x2.pmin(product, f64x2.const(250)),
            f64x2.const(-250),
          );
          return scope.share(
            bounded,
            (t) =>
              scope.share(
                f64x2.nearest(t),
                (n) => use(f64x2.truncSatI32x4SZero(n), f64x2.demoteF32x4Zero(f64x2.sub(t, n))),
              ),
          );
        };
        return [
          part((x) => x, (n, f) => [whole.set(n), rest.set(f)]),
          part(upperHalf, (n, f) => [
            whole.set(joinHalves(whole.get, n)),
            rest.set(joinHalves(rest.get, f)),
          ]),
          rest.set(f32x4.mul(rest.get, scope.float(Math.LN2))),
          scaleByPowerOfTwo(scope, smallExponential(scope, rest.get), whole.get),
        ];
      })));
}

/** xʸ with the special values of Math.pow. */
export function power(scope: VectorScope, x: Code, y: Code): Code {
  const infinity = scope.float(Infinity), zero = scope.float(0);
  return scope.share(x, (x) =>
    scope.share(y, (y) =>
      scope.share(f32x4.abs(x), (size) => {
        const half = f32x4.mul(y, scope.float(0.5));
        const whole = scope.temporary(), odd = scope.temporary(), result = scope.temporary();
        return [
          whole.set(f32x4.eq(f32x4.nearest(y), y)),
          odd.set(
            scope.share(half, (half) => v128.and(whole.get, f32x4.ne(f32x4.nearest(half), half))),
          ),
          result.set(powerOfPositive(scope, size, y)),
          // Of 0 and ∞: 0 or ∞.
          result.set(
            v128.bitselect(
              v128.and(infinity, v128.xor(f32x4.eq(size, zero), f32x4.gt(y, zero))),
              result.get,
              v128.or(f32x4.eq(size, zero), f32x4.eq(size, infinity)),
            ),
          ),
          result.set(
            v128.or(result.get, v128.and(v128.and(x, odd.get), scope.integer(SIGN))),
          ),
          // NaN where an operand is, and of a negative number to a broken power.
          result.set(v128.or(
            result.get,
            v128.or(
              v128.or(f32x4.ne(x, x), f32x4.ne(y, y)),
              v128.andNot(
                v128.andNot(f32x4.lt(x, zero), f32x4.eq(size, infinity)),
                whole.get,
              ),
            ),
          )),
          v128.bitselect(scope.float(1), result.get, f32x4.eq(y, zero)),
        ];
      })));
}

/** xⁿ by repeated multiplication, for a small whole n. */
function wholePower(scope: VectorScope, x: Code, n: number): Code {
  if (n === 0) return scope.float(1);
  if (n < 0) return f32x4.div(scope.float(1), wholePower(scope, x, -n));
  if (n === 1) return x;
  return scope.share(x, (x) => {
    if (n % 2) return f32x4.mul(wholePower(scope, x, n - 1), x);
    return scope.share(wholePower(scope, x, n / 2), (root) => f32x4.mul(root, root));
  });
}

/** −1, 0 or 1; zeros keep their sign, NaN stays. */
function sign(scope: VectorScope, x: Code): Code {
  return scope.share(x, (x) =>
    v128.bitselect(
      v128.or(v128.and(x, scope.integer(SIGN)), scope.float(1)),
      x,
      f32x4.gt(f32x4.abs(x), scope.float(0)),
    ));
}

/** ⌊a/b⌋ of integers by way of doubles, in which it is exact; 0 where b is. */
function integerFloorDivide(scope: VectorScope, a: Code, b: Code): Code {
  const part = (half: (x: Code) => Code, a: Code, b: Code): Code =>
    f64x2.truncSatI32x4SZero(
      f64x2.floor(f64x2.div(f64x2.convertLowI32x4S(half(a)), f64x2.convertLowI32x4S(half(b)))),
    );
  return scope.share(a, (a) =>
    scope.share(b, (b) =>
      v128.andNot(
        joinHalves(part((x) => x, a, b), part(upperHalf, a, b)),
        i32x4.eq(b, scope.integer(0)),
      )));
}

/** a − b ⌊a/b⌋ of integers; 0 where b is. */
function integerModulo(scope: VectorScope, a: Code, b: Code): Code {
  return scope.share(a, (a) =>
    scope.share(b, (b) =>
      v128.andNot(
        i32x4.sub(a, i32x4.mul(b, integerFloorDivide(scope, a, b))),
        i32x4.eq(b, scope.integer(0)),
      )));
}

/** The larger one; NaN where either is. Three instructions, of which f32x4.max takes many more. */
export function maximum(scope: VectorScope, a: Code, b: Code): Code {
  return scope.share(a, (a) => scope.share(b, (b) => v128.or(f32x4.pmax(a, b), f32x4.ne(b, b))));
}

/** The smaller one; NaN where either is. */
export function minimum(scope: VectorScope, a: Code, b: Code): Code {
  return scope.share(a, (a) => scope.share(b, (b) => v128.or(f32x4.pmin(a, b), f32x4.ne(b, b))));
}

type Unary = (scope: VectorScope, x: Code) => Code;
type Binary = (scope: VectorScope, a: Code, b: Code) => Code;

const floatUnary: Partial<Record<ElementwiseName, Unary>> = {
  negate: (_, x) => f32x4.neg(x),
  absolute: (_, x) => f32x4.abs(x),
  sign,
  square: (scope, x) => scope.share(x, (x) => f32x4.mul(x, x)),
  squareRoot: (_, x) => f32x4.sqrt(x),
  reciprocalSquareRoot: (scope, x) => f32x4.div(scope.float(1), f32x4.sqrt(x)),
  reciprocal: (scope, x) => f32x4.div(scope.float(1), x),
  exponential,
  exponentialMinusOne,
  logarithm,
  logarithmOnePlus,
  sine,
  cosine,
  hyperbolicTangent,
  sigmoid,
  errorFunction,
  floor: (_, x) => f32x4.floor(x),
  ceiling: (_, x) => f32x4.ceil(x),
  round: (_, x) => f32x4.nearest(x),
  toFloat: (_, x) => x,
  toInt: (_, x) => i32x4.truncSatF32x4S(x),
};

const floatBinary: Partial<Record<ElementwiseName, Binary>> = {
  add: (_, a, b) => f32x4.add(a, b),
  subtract: (_, a, b) => f32x4.sub(a, b),
  multiply: (_, a, b) => f32x4.mul(a, b),
  divide: (_, a, b) => f32x4.div(a, b),
  floorDivide: (_, a, b) => f32x4.floor(f32x4.div(a, b)),
  modulo: (scope, a, b) =>
    scope.share(
      a,
      (a) => scope.share(b, (b) => negativeMultiplyAdd(b, f32x4.floor(f32x4.div(a, b)), a)),
    ),
  power,
  maximum,
  minimum,
};

const floatMask: Partial<Record<ElementwiseName, Binary>> = {
  isFinite: (scope, x) => f32x4.lt(f32x4.abs(x), scope.float(Infinity)),
  isNaN: (scope, x) => scope.share(x, (x) => f32x4.ne(x, x)),
  isInfinite: (scope, x) => f32x4.eq(f32x4.abs(x), scope.float(Infinity)),
  toBool: (scope, x) => f32x4.ne(x, scope.float(0)),
  less: (_, a, b) => f32x4.lt(a, b),
  lessEqual: (_, a, b) => f32x4.le(a, b),
  greater: (_, a, b) => f32x4.gt(a, b),
  greaterEqual: (_, a, b) => f32x4.ge(a, b),
  equal: (_, a, b) => f32x4.eq(a, b),
  notEqual: (_, a, b) => f32x4.ne(a, b),
};

const integerUnary: Partial<Record<ElementwiseName, Unary>> = {
  negate: (_, x) => i32x4.neg(x),
  absolute: (_, x) => i32x4.abs(x),
  sign: (scope, x) =>
    scope.share(
      x,
      (x) => i32x4.minS(i32x4.maxS(x, scope.integer(-1)), scope.integer(1)),
    ),
  square: (scope, x) => scope.share(x, (x) => i32x4.mul(x, x)),
  toFloat: (_, x) => f32x4.convertI32x4S(x),
  toInt: (_, x) => x,
  upperByte: (_, x) => i32x4.shrU(x, i32.const(24)),
  // Whole already.
  floor: (_, x) => x,
  ceiling: (_, x) => x,
  round: (_, x) => x,
};

const integerBinary: Partial<Record<ElementwiseName, Binary>> = {
  add: (_, a, b) => i32x4.add(a, b),
  subtract: (_, a, b) => i32x4.sub(a, b),
  multiply: (_, a, b) => i32x4.mul(a, b),
  maximum: (_, a, b) => i32x4.maxS(a, b),
  minimum: (_, a, b) => i32x4.minS(a, b),
  floorDivide: integerFloorDivide,
  modulo: integerModulo,
};

const integerMask: Partial<Record<ElementwiseName, Binary>> = {
  toBool: (scope, x) => i32x4.ne(x, scope.integer(0)),
  less: (_, a, b) => i32x4.ltS(a, b),
  lessEqual: (_, a, b) => i32x4.leS(a, b),
  greater: (_, a, b) => i32x4.gtS(a, b),
  greaterEqual: (_, a, b) => i32x4.geS(a, b),
  equal: (_, a, b) => i32x4.eq(a, b),
  notEqual: (_, a, b) => i32x4.ne(a, b),
  isFinite: (scope) => scope.integer(-1),
  isNaN: (scope) => scope.integer(0),
  isInfinite: (scope) => scope.integer(0),
};

/** A value as memory holds it. */
export function asCells(scope: VectorScope, value: VectorValue): Code {
  return value.form === "cells" ? value.code : v128.and(value.code, scope.integer(1));
}

/** A bool as a mask. */
function asMask(scope: VectorScope, value: VectorValue): Code {
  return value.form === "mask" ? value.code : i32x4.ne(value.code, scope.integer(0));
}

const cells = (code: Code): VectorValue => ({ code, form: "cells" });
const mask = (code: Code): VectorValue => ({ code, form: "mask" });

/** Logic, and what takes or gives bools otherwise; null where it is none of these. */
function logical(
  scope: VectorScope,
  name: ElementwiseName,
  operands: readonly VectorValue[],
  type: DataType,
): VectorValue | null {
  const [a, b, c] = operands;
  switch (name) {
    case "not":
      return mask(v128.not(asMask(scope, a)));
    case "and":
      return mask(v128.and(asMask(scope, a), asMask(scope, b)));
    case "or":
      return mask(v128.or(asMask(scope, a), asMask(scope, b)));
    case "select":
      if (b.form === "mask" && c.form === "mask") {
        return mask(v128.bitselect(b.code, c.code, asMask(scope, a)));
      }
      return cells(v128.bitselect(asCells(scope, b), asCells(scope, c), asMask(scope, a)));
    case "toFloat":
      return a.form === "mask" ? cells(v128.and(a.code, scope.float(1))) : null;
    case "toBool":
      return type === "bool" ? a : null;
    default:
      return null;
  }
}

/** a + b, a − b: with a fused product where an operand is one. */
function fusedSum(
  scope: VectorScope,
  name: ElementwiseName,
  operands: readonly VectorValue[],
): Code | null {
  const [a, b] = operands;
  if (name === "add" && a.factors) return multiplyAdd(...a.factors, asCells(scope, b));
  if (name === "add" && b?.factors) return multiplyAdd(...b.factors, asCells(scope, a));
  if (name === "subtract" && b?.factors) {
    return negativeMultiplyAdd(...b.factors, asCells(scope, a));
  }
  return null;
}

/** A number among the operands, where it is known when the code is made. */
export type KnownNumbers = readonly (number | undefined)[];

/** What a known operand makes simpler. */
function simplified(
  scope: VectorScope,
  name: ElementwiseName,
  [a, b]: readonly VectorValue[],
  known: KnownNumbers,
): Code | null {
  if (name === "power" && Number.isInteger(known[1]) && Math.abs(known[1]!) <= 4) {
    return wholePower(scope, a.code, known[1]!);
  }
  // One instruction each; they hand on a NaN of the first operand, and the second is none.
  if ((name === "maximum" || name === "minimum") && !Number.isNaN(known[0] ?? known[1] ?? NaN)) {
    const [x, limit] = known[1] === undefined ? [b, a] : [a, b];
    return (name === "maximum" ? f32x4.pmax : f32x4.pmin)(x.code, limit.code);
  }
  return null;
}

/** The code of an elementwise function of operands of one type (of `select`: that of its last two). */
export function applyElementwise(
  scope: VectorScope,
  name: ElementwiseName,
  operands: readonly VectorValue[],
  type: DataType,
  known: KnownNumbers = [],
): VectorValue {
  const value = logical(scope, name, operands, type);
  if (value) return value;
  const isFloat = type === "float32";
  if (isFloat) {
    const fused = fusedSum(scope, name, operands) ?? simplified(scope, name, operands, known);
    if (fused) return cells(fused);
  }
  const [a, b] = operands.map((operand) => asCells(scope, operand));
  const compare = (isFloat ? floatMask : integerMask)[name];
  if (compare) return mask(compare(scope, a, b));
  const one = (isFloat ? floatUnary : integerUnary)[name];
  if (one) return cells(one(scope, a));
  const two = (isFloat ? floatBinary : integerBinary)[name];
  if (two) return cells(two(scope, a, b));
  throw new Error(`no ${name} of ${type}`);
}

const weights: Partial<Record<ElementwiseName, number>> = {
  divide: 3,
  squareRoot: 3,
  reciprocal: 3,
  reciprocalSquareRoot: 6,
  exponential: 22,
  exponentialMinusOne: 22,
  logarithm: 30,
  logarithmOnePlus: 38,
  sine: 24,
  cosine: 24,
  hyperbolicTangent: 18,
  sigmoid: 26,
  errorFunction: 20,
  floorDivide: 8,
  modulo: 9,
  power: 90,
  maximum: 3,
  minimum: 3,
};

/** About how many instructions an elementwise function is. */
export function instructionWeight(name: ElementwiseName): number {
  return weights[name] ?? 1;
}
