/**
 * @file The elementwise functions in WGSL. The built-in ones may be coarse (sin within 2⁻¹¹, log within
 * 2⁻²¹ near one, tanh NaN for large arguments, pow for positive bases only), and a compiler may
 * assume that no value is infinite or NaN. So the transcendental functions are polynomials, those of
 * Moshier's Cephes library (single precision, netlib.org/cephes) where nothing else is said, and
 * special values are told by their bits.
 */
import { philoxFunctions } from "../../tensor/philox_webgpu.ts";
import { logarithmPolynomial, sineOfReduced } from "../../tensor/wgsl_polynomials.ts";
import type { DataType, ElementwiseName } from "../elementwise.ts";
import type { Shader } from "./shader.ts";

/** A WGSL function, and the others that it calls. */
interface LibraryFunction {
  readonly code: (shader: Pick<Shader, "infinity" | "nan">) => string;
  readonly needs?: readonly FunctionName[];
}

/** The name of a function of the library. */
export type FunctionName =
  | "isNotANumber"
  | "signOf"
  | "exponential"
  | "naturalLogarithm"
  | "logarithmOnePlus"
  | "exponentialMinusOne"
  | "multiplyHigh"
  | "reduceAngle"
  | "sineOfReduced"
  | "sine"
  | "cosine"
  | "hyperbolicTangent"
  | "sigmoid"
  | "errorFunction"
  | "power"
  | "maximum"
  | "minimum"
  | "modulo"
  | "floorDivide"
  | "moduloInteger"
  | "floorDivideInteger"
  | "toInteger"
  | "philox"
  | "toUniform"
  | "normalPair";

const fixed = (code: string, ...needs: FunctionName[]): LibraryFunction => ({
  code: () => code,
  needs,
});

/** The functions. */
export const functions: Record<FunctionName, LibraryFunction> = {
  isNotANumber: fixed(`
fn isNotANumber(x : f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }`),

  signOf: fixed(`
fn signOf(x : f32) -> f32 { return select(select(x, -1.0, x < 0.0), 1.0, x > 0.0); }`),

  naturalLogarithm: {
    needs: ["isNotANumber"],
    code: ({ infinity, nan }) => `
fn naturalLogarithm(a : f32) -> f32 {
  let bits = bitcast<u32>(a);
  if (bits == 0x7f800000u || isNotANumber(a)) { return a; }
  if ((bits & 0x7fffffffu) == 0u) { return -${infinity}; }
  if (bits >= 0x80000000u) { return ${nan}; }
  let subnormal = bits < 0x00800000u;
  let scaled = select(bits, bitcast<u32>(a * 8388608.0), subnormal);
  // a = m·2^exponent with m from √½ to √2; 0x3f3504f3 is √½.
  let shifted = scaled - 0x3f3504f3u;
  let exponent = f32(i32(shifted) >> 23u) - select(0.0, 23.0, subnormal);
  let x = bitcast<f32>((shifted & 0x007fffffu) + 0x3f3504f3u) - 1.0;
  ${logarithmPolynomial}
  y += exponent * -2.12194440e-4;
  y += -0.5 * z;
  return x + y + exponent * 0.693359375;
}`,
  },

  logarithmOnePlus: fixed(
    `
fn logarithmOnePlus(x : f32) -> f32 {
  if (x < -0.29 || x > 0.41 || isNotANumber(x)) { return naturalLogarithm(1.0 + x); }
  ${logarithmPolynomial}
  return x + (y - 0.5 * z);
}`,
    "naturalLogarithm",
    "isNotANumber",
  ),

  // That of SwiftShader makes infinity of NaN, in which a diverged run would go unseen.
  exponential: fixed(
    `
fn exponential(x : f32) -> f32 { return select(exp(x), x, isNotANumber(x)); }`,
    "isNotANumber",
  ),

  // Below a half the power series, whose next term is beyond single precision.
  exponentialMinusOne: fixed(
    `
fn exponentialMinusOne(x : f32) -> f32 {
  if (!(abs(x) <= 0.5)) { return exponential(x) - 1.0; }
  var y = 2.7557319e-6 * x + 2.4801587e-5;
  y = y * x + 1.9841270e-4;
  y = y * x + 1.3888889e-3;
  y = y * x + 8.3333333e-3;
  y = y * x + 4.1666667e-2;
  y = y * x + 1.6666667e-1;
  y = y * x + 0.5;
  return x + x * x * y;
}`,
    "exponential",
  ),

  multiplyHigh: fixed(philoxFunctions.multiplyHigh),

  // Cody and Waite's subtraction of multiples of π/2 in three parts; for large arguments Payne and
  // Hanek's (1983): the product with as many bits of 2/π as matter, in integers.
  reduceAngle: {
    needs: ["multiplyHigh"],
    code: ({ nan }) => `
fn twoOverPi(word : u32) -> u32 {
  switch word {
    case 0u: { return 0x28be60dbu; }
    case 1u: { return 0x9391054au; }
    case 2u: { return 0x7f09d5f4u; }
    case 3u: { return 0x7d4d3770u; }
    case 4u: { return 0x36d8a566u; }
    default: { return 0x4f10e410u; }
  }
}
fn reduceAngle(x : f32) -> vec2<f32> {
  if (abs(x) < 8192.0) {
    let quotient = round(x * 0.63661977);
    let rest = ((x - quotient * 1.5703125) - quotient * 4.837512969970703e-4) -
      quotient * 7.549789948768648e-8;
    return vec2<f32>(rest, f32(i32(quotient) & 3));
  }
  let bits = bitcast<u32>(x) & 0x7fffffffu;
  if (bits >= 0x7f800000u) { return vec2<f32>(${nan}, 0.0); }
  let mantissa = ((bits & 0x007fffffu) << 8u) | 0x80000000u;
  let position = (bits >> 23u) - 126u;
  let word = position >> 5u;
  let shift = position & 31u;
  var high = select(0u, twoOverPi(word - 1u), word > 0u);
  var middle = twoOverPi(word);
  var low = twoOverPi(word + 1u);
  if (shift > 0u) {
    let back = 32u - shift;
    high = (high << shift) | (middle >> back);
    middle = (middle << shift) | (low >> back);
    low = (low << shift) | (twoOverPi(word + 2u) >> back);
  }
  // The product in 2.62 fixed point; what is above and below falls away.
  let carry = multiplyHigh(mantissa, low);
  let lowWord = mantissa * middle + carry;
  var highWord = mantissa * high + multiplyHigh(mantissa, middle) + select(0u, 1u, lowWord < carry);
  var quadrant = i32(highWord >> 30u);
  highWord = highWord & 0x3fffffffu;
  var fraction = f32(highWord) * 4294967296.0 + f32(lowWord);
  if (highWord >= 0x20000000u) {
    quadrant += 1;
    let borrow = select(1u, 0u, lowWord == 0u);
    fraction = -(f32(0x40000000u - highWord - borrow) * 4294967296.0 + f32(0u - lowWord));
  }
  // π/2 · 2⁻⁶²
  let rest = fraction * 3.4061215e-19;
  return select(
    vec2<f32>(rest, f32(quadrant & 3)), vec2<f32>(-rest, f32(-quadrant & 3)), x < 0.0);
}`,
  },

  // Of rest + quadrant·π/2, |rest| ≤ π/4.
  sineOfReduced: fixed(sineOfReduced),

  sine: fixed(
    `
fn sine(x : f32) -> f32 {
  let reduced = reduceAngle(x);
  return sineOfReduced(reduced.x, i32(reduced.y));
}`,
    "reduceAngle",
    "sineOfReduced",
  ),

  cosine: fixed(
    `
fn cosine(x : f32) -> f32 {
  let reduced = reduceAngle(x);
  return sineOfReduced(reduced.x, i32(reduced.y) + 1);
}`,
    "reduceAngle",
    "sineOfReduced",
  ),

  hyperbolicTangent: fixed(
    `
fn hyperbolicTangent(x : f32) -> f32 {
  if (isNotANumber(x)) { return x; }
  let magnitude = abs(x);
  if (magnitude > 0.625) {
    let large = 1.0 - 2.0 / (exp(2.0 * min(magnitude, 10.0)) + 1.0);
    return select(large, -large, x < 0.0);
  }
  let z = x * x;
  var y = -5.70498872745e-3 * z + 2.06390887954e-2;
  y = y * z - 5.37397155531e-2;
  y = y * z + 1.33314422036e-1;
  y = y * z - 3.33332819422e-1;
  return y * z * x + x;
}`,
    "isNotANumber",
  ),

  // Never the reciprocal of an infinite exponential.
  sigmoid: fixed(
    `
fn sigmoid(x : f32) -> f32 {
  let e = exponential(-abs(x));
  return select(1.0, e, x < 0.0) / (1.0 + e);
}`,
    "exponential",
  ),

  // The rational approximation of Eigen (GenericPacketMath: erf) on [−4, 4], ±1 beyond.
  errorFunction: fixed(
    `
fn errorFunction(a : f32) -> f32 {
  if (isNotANumber(a)) { return a; }
  let x = clamp(a, -4.0, 4.0);
  let z = x * x;
  var p = -2.72614225801306e-10 * z + 2.77068142495902e-8;
  p = p * z - 2.10102402082508e-6;
  p = p * z - 5.69250639462346e-5;
  p = p * z - 7.34990630326855e-4;
  p = p * z - 2.95459980854025e-3;
  p = p * z - 1.60960333262415e-2;
  var q = -1.45660718464996e-5 * z - 2.13374055278905e-4;
  q = q * z - 1.68282697438203e-3;
  q = q * z - 7.37332916720468e-3;
  q = q * z - 1.42647390514189e-2;
  return clamp(x * p / q, -1.0, 1.0);
}`,
    "isNotANumber",
  ),

  power: {
    needs: ["isNotANumber", "naturalLogarithm"],
    code: ({ infinity, nan }) => `
fn power(x : f32, y : f32) -> f32 {
  if (y == 0.0) { return 1.0; }
  if (isNotANumber(x) || isNotANumber(y)) { return ${nan}; }
  let base = bitcast<u32>(x) & 0x7fffffffu;
  let exponent = bitcast<u32>(y) & 0x7fffffffu;
  let whole = exponent >= 0x4b000000u || floor(y) == y;
  let odd = whole && exponent < 0x4b800000u && (i32(clamp(y, -16777216.0, 16777216.0)) & 1) == 1;
  let grows = (base > 0x3f800000u) == (y > 0.0);
  var result : f32;
  if (base == 0x3f800000u) {
    result = select(1.0, ${nan}, exponent == 0x7f800000u);
  } else if (base == 0u || base == 0x7f800000u || exponent == 0x7f800000u) {
    result = select(0.0, ${infinity}, grows);
  } else {
    result = exp2(clamp(y * naturalLogarithm(abs(x)) * 1.44269504, -200.0, 200.0));
  }
  if (bitcast<u32>(x) >= 0x80000000u) {
    if (!whole && base != 0u && base != 0x7f800000u) { return ${nan}; }
    if (odd) { result = -result; }
  }
  return result;
}`,
  },

  maximum: fixed(
    `
fn maximum(a : f32, b : f32) -> f32 {
  return select(select(max(a, b), b, isNotANumber(b)), a, isNotANumber(a));
}`,
    "isNotANumber",
  ),

  minimum: fixed(
    `
fn minimum(a : f32, b : f32) -> f32 {
  return select(select(min(a, b), b, isNotANumber(b)), a, isNotANumber(a));
}`,
    "isNotANumber",
  ),

  // A quotient may be off by an ulp and so its floor by one, which the remainder tells.
  modulo: fixed(`
fn modulo(a : f32, b : f32) -> f32 {
  var rest = fma(-floor(a / b), b, a);
  if (rest != 0.0 && (rest < 0.0) != (b < 0.0)) { rest += b; }
  if (abs(rest) >= abs(b)) { rest -= b; }
  return rest;
}`),

  floorDivide: fixed(`
fn floorDivide(a : f32, b : f32) -> f32 {
  let quotient = floor(a / b);
  if (!(abs(quotient) < 8388608.0)) { return quotient; }
  let rest = fma(-quotient, b, a);
  if (rest != 0.0 && (rest < 0.0) != (b < 0.0)) { return quotient - 1.0; }
  return select(quotient, quotient + 1.0, abs(rest) >= abs(b));
}`),

  moduloInteger: fixed(`
fn moduloInteger(a : i32, b : i32) -> i32 {
  if (b == 0) { return 0; }
  let rest = a % b;
  return select(rest, rest + b, rest != 0 && (rest < 0) != (b < 0));
}`),

  floorDivideInteger: fixed(`
fn floorDivideInteger(a : i32, b : i32) -> i32 {
  if (b == 0) { return 0; }
  return a / b - select(0, 1, a % b != 0 && (a < 0) != (b < 0));
}`),

  toInteger: fixed(
    `
fn toInteger(x : f32) -> i32 {
  if (isNotANumber(x)) { return 0; }
  if (x >= 2147483648.0) { return 2147483647; }
  if (x <= -2147483648.0) { return bitcast<i32>(0x80000000u); }
  return i32(x);
}`,
    "isNotANumber",
  ),

  philox: fixed(philoxFunctions.philox, "multiplyHigh"),
  toUniform: fixed(philoxFunctions.toUniform),

  // Box and Muller's. Quarter turns are told apart exactly, since four times a uniform is exact.
  normalPair: fixed(
    `
fn normalPair(words : vec2<u32>) -> vec2<f32> {
  let radius = sqrt(max(0.0, -2.0 * naturalLogarithm(toUniform(words.x))));
  let turns = 4.0 * toUniform(words.y);
  let quadrant = round(turns);
  let rest = (turns - quadrant) * 1.57079633;
  return radius *
    vec2<f32>(sineOfReduced(rest, i32(quadrant) + 1), sineOfReduced(rest, i32(quadrant)));
}`,
    "naturalLogarithm",
    "toUniform",
    "sineOfReduced",
  ),
};

/** Puts an expression together; `float` is whether the (last) operand is float32. */
type Expression = (shader: Shader, operands: readonly string[], float: boolean) => string;

const one = (text: (a: string) => string): Expression => (_, [a]) => text(a);
const infix = (operator: string): Expression => (_, [a, b]) => `(${a} ${operator} ${b})`;
const bool = (condition: string) => `select(0i, 1i, ${condition})`;
const comparison = (operator: string): Expression => (_, [a, b]) => bool(`${a} ${operator} ${b}`);
const library = (name: FunctionName): Expression => (shader, operands) =>
  shader.call(name, ...operands);
const magnitudeBits = (a: string) => `(bitcast<u32>(${a}) & 0x7fffffffu)`;

const expressions: Record<ElementwiseName, Expression> = {
  negate: one((a) => `(-${a})`),
  absolute: one((a) => `abs(${a})`),
  sign: (shader, [a], float) =>
    float ? shader.call("signOf", a) : `(select(0i, 1i, ${a} > 0i) - select(0i, 1i, ${a} < 0i))`,
  square: one((a) => `(${a} * ${a})`),
  squareRoot: one((a) => `sqrt(${a})`),
  reciprocalSquareRoot: one((a) => `inverseSqrt(${a})`),
  reciprocal: one((a) => `(1.0f / ${a})`),
  exponential: library("exponential"),
  exponentialMinusOne: library("exponentialMinusOne"),
  logarithm: library("naturalLogarithm"),
  logarithmOnePlus: library("logarithmOnePlus"),
  sine: library("sine"),
  cosine: library("cosine"),
  hyperbolicTangent: library("hyperbolicTangent"),
  sigmoid: library("sigmoid"),
  errorFunction: library("errorFunction"),
  floor: one((a) => `floor(${a})`),
  ceiling: one((a) => `ceil(${a})`),
  round: one((a) => `round(${a})`),
  isFinite: one((a) => bool(`${magnitudeBits(a)} < 0x7f800000u`)),
  isNaN: one((a) => bool(`${magnitudeBits(a)} > 0x7f800000u`)),
  isInfinite: one((a) => bool(`${magnitudeBits(a)} == 0x7f800000u`)),
  not: one((a) => bool(`${a} == 0i`)),
  toFloat: one((a) => `f32(${a})`),
  toInt: (shader, [a], float) => float ? shader.call("toInteger", a) : a,
  toBool: (_, [a], float) => bool(float ? `!(${a} == 0.0f)` : `${a} != 0i`),
  upperByte: one((a) => `i32(bitcast<u32>(${a}) >> 24u)`),
  add: infix("+"),
  subtract: infix("-"),
  multiply: infix("*"),
  divide: infix("/"),
  floorDivide: (shader, operands, float) =>
    shader.call(float ? "floorDivide" : "floorDivideInteger", ...operands),
  modulo: (shader, operands, float) => shader.call(float ? "modulo" : "moduloInteger", ...operands),
  power: library("power"),
  maximum: (shader, [a, b], float) => combine(shader, "maximum", a, b, float),
  minimum: (shader, [a, b], float) => combine(shader, "minimum", a, b, float),
  less: comparison("<"),
  lessEqual: comparison("<="),
  greater: comparison(">"),
  greaterEqual: comparison(">="),
  equal: comparison("=="),
  // Of NaN it must hold; naga makes != an ordered comparison.
  notEqual: (_, [a, b]) => bool(`!(${a} == ${b})`),
  and: (_, [a, b]) => bool(`(${a} != 0i) && (${b} != 0i)`),
  or: (_, [a, b]) => bool(`(${a} != 0i) || (${b} != 0i)`),
  select: (_, [condition, a, b]) => `select(${b}, ${a}, ${condition} != 0i)`,
};

/** The call of an elementwise function; `type` is that of its last operand. */
export function callElementwise(
  shader: Shader,
  name: ElementwiseName,
  operands: readonly string[],
  type: DataType,
): string {
  return expressions[name](shader, operands, type === "float32");
}

/** Two values of a reduction as one; the maximum or minimum with a NaN is NaN. */
export function combine(
  shader: Shader,
  name: "sum" | "maximum" | "minimum",
  a: string,
  b: string,
  float: boolean,
): string {
  if (name === "sum") return `(${a} + ${b})`;
  if (float) return shader.call(name, a, b);
  return `${name === "maximum" ? "max" : "min"}(${a}, ${b})`;
}
