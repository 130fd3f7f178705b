/**
 * @file The elementwise functions of the compiler's language: how many operands each has, of which
 * type, what type it gives, and what it means. The meaning is written down once, in `evaluate`, for
 * constant folding and as the reference that both targets are tested against. Gradients do not
 * appear: TensorFlow.js has taken them before a program is recorded.
 */

/** The types of values. A bool is held as the int32 0 or 1. */
export type DataType = "float32" | "int32" | "bool";

/** What an elementwise function is. */
export interface ElementwiseDefinition {
  readonly arity: 1 | 2 | 3;
  /** The type of the result; "same" is that of the last operand. */
  readonly result: DataType | "same";
  /** The value of numbers (bools as 0 and 1); rounded to the type of the result by the caller. */
  readonly evaluate: (a: number, b: number, c: number) => number;
}

function unary(
  evaluate: (a: number) => number,
  result: ElementwiseDefinition["result"] = "same",
): ElementwiseDefinition {
  return { arity: 1, result, evaluate };
}

function binary(
  evaluate: (a: number, b: number) => number,
  result: ElementwiseDefinition["result"] = "same",
): ElementwiseDefinition {
  return { arity: 2, result, evaluate };
}

function comparison(holds: (a: number, b: number) => boolean): ElementwiseDefinition {
  return binary((a, b) => holds(a, b) ? 1 : 0, "bool");
}

/** To the nearest whole number, halves to the even one. */
function roundHalfToEven(x: number): number {
  const rounded = Math.round(x);
  return Math.abs(x % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

/** The error function in double precision: a power series near zero, a continued fraction beyond. */
export function erf(x: number): number {
  if (Number.isNaN(x)) return NaN;
  const z = Math.abs(x);
  if (z > 6) return Math.sign(x);
  if (z < 2.5) {
    let term = z, sum = z;
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
      term *= -z * z / n;
      sum += term / (2 * n + 1);
    }
    return Math.sign(x) * sum * 2 / Math.sqrt(Math.PI);
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (z + fraction);
  return Math.sign(x) * (1 - Math.exp(-z * z) / Math.sqrt(Math.PI) / (z + fraction));
}

/**
 * All elementwise functions. Operands of one call have one type, but for the condition of `select`.
 * Integers: add, subtract, multiply, floorDivide, modulo, maximum, minimum, negate, absolute, sign,
 * upperByte, comparisons, select and casts; all others take float32 (logic takes bool).
 */
export const elementwise = {
  negate: unary((a) => -a),
  absolute: unary(Math.abs),
  sign: unary(Math.sign),
  square: unary((a) => a * a),
  squareRoot: unary(Math.sqrt),
  reciprocalSquareRoot: unary((a) => 1 / Math.sqrt(a)),
  reciprocal: unary((a) => 1 / a),
  exponential: unary(Math.exp),
  exponentialMinusOne: unary(Math.expm1),
  logarithm: unary(Math.log),
  logarithmOnePlus: unary(Math.log1p),
  sine: unary(Math.sin),
  cosine: unary(Math.cos),
  hyperbolicTangent: unary(Math.tanh),
  sigmoid: unary((a) => 1 / (1 + Math.exp(-a))),
  errorFunction: unary(erf),
  floor: unary(Math.floor),
  ceiling: unary(Math.ceil),
  round: unary(roundHalfToEven),
  isFinite: unary((a) => Number.isFinite(a) ? 1 : 0, "bool"),
  isNaN: unary((a) => Number.isNaN(a) ? 1 : 0, "bool"),
  isInfinite: unary((a) => Math.abs(a) === Infinity ? 1 : 0, "bool"),
  not: unary((a) => a ? 0 : 1, "bool"),
  toFloat: unary((a) => a, "float32"),
  /** Towards zero; from a float that no int32 holds: the nearest int32, and 0 from NaN. */
  toInt: unary((a) => Math.trunc(Math.min(2147483647, Math.max(-2147483648, a || 0))), "int32"),
  toBool: unary((a) => a === 0 ? 0 : 1, "bool"),
  /** The uppermost 8 of an int32's 32 bits, as 0 … 255. Floats have none. */
  upperByte: unary((a) => a >>> 24),
  add: binary((a, b) => a + b),
  subtract: binary((a, b) => a - b),
  multiply: binary((a, b) => a * b),
  divide: binary((a, b) => a / b),
  floorDivide: binary((a, b) => Math.floor(a / b)),
  /** Of the sign of the divisor, as in Python. */
  modulo: binary((a, b) => a - b * Math.floor(a / b)),
  power: binary((a, b) => Math.pow(a, b)),
  maximum: binary((a, b) => Math.max(a, b)),
  minimum: binary((a, b) => Math.min(a, b)),
  less: comparison((a, b) => a < b),
  lessEqual: comparison((a, b) => a <= b),
  greater: comparison((a, b) => a > b),
  greaterEqual: comparison((a, b) => a >= b),
  equal: comparison((a, b) => a === b),
  notEqual: comparison((a, b) => a !== b),
  and: comparison((a, b) => a !== 0 && b !== 0),
  or: comparison((a, b) => a !== 0 || b !== 0),
  /** a where the condition (bool) holds, b elsewhere. */
  select: {
    arity: 3,
    result: "same",
    evaluate: (condition: number, a: number, b: number) => condition ? a : b,
  } as ElementwiseDefinition,
} satisfies Record<string, ElementwiseDefinition>;

/** The name of an elementwise function. */
export type ElementwiseName = keyof typeof elementwise;
