/**
 * @file The tests of the vector functions, for an engine with fused products and for one without.
 */
import { assert, assertEquals } from "@std/assert";
import { elementwise, type ElementwiseName } from "../../../../core/jit/elementwise.ts";
import type { Buffer, Kernel } from "../../../../core/jit/kernels.ts";
import { runKernel } from "./run_phases.ts";
import {
  assertAccurate,
  assertSpecial,
  compute,
  evenly,
  largestError,
  ofAllSizes,
} from "./vector_math_accuracy.ts";

const POINTS = 40_001;
const all = ofAllSizes(POINTS);
const special = [
  ...[0, -0, 1, -1, 2, -2, 3, -3, 0.5, -0.5, 2.5, Infinity, -Infinity, NaN, 1e-40, -1e-40, 3e38],
  ...[-3e38, 1e10, -1e10, 16777216, -16777217, 0.99999994, 1.0000001],
];

type Bound = { ulp: number } | { relative: number };

/** Bounds on the error; the places where functions are hardest are among the points. */
const bounds: [ElementwiseName, Float32Array, Bound][] = [
  ["exponential", evenly(-87.3, 88.72, POINTS), { ulp: 1.2 }],
  ["exponential", evenly(-104, -87, POINTS), { ulp: 1 }],
  ["exponential", evenly(-1, 1, POINTS), { ulp: 1.1 }],
  ["exponential", all, { ulp: 1.2 }],
  ["exponentialMinusOne", evenly(-20, 88.7, POINTS), { ulp: 1.6 }],
  ["exponentialMinusOne", evenly(-2, 2, POINTS), { ulp: 1.7 }],
  ["exponentialMinusOne", all, { ulp: 1.6 }],
  ["logarithm", evenly(0.5, 2, POINTS), { ulp: 1 }],
  ["logarithm", all, { ulp: 1 }],
  ["logarithmOnePlus", evenly(-0.999, 2, POINTS), { ulp: 1.6 }],
  ["logarithmOnePlus", all, { ulp: 1.6 }],
  ["sine", evenly(-7, 7, POINTS), { ulp: 2.2 }],
  ["sine", evenly(-1000, 1000, POINTS), { ulp: 3 }],
  ["cosine", evenly(-7, 7, POINTS), { ulp: 2.2 }],
  ["cosine", evenly(-1000, 1000, POINTS), { ulp: 3 }],
  ["hyperbolicTangent", evenly(-10, 10, POINTS), { relative: 3.5e-7 }],
  ["hyperbolicTangent", all, { relative: 3.5e-7 }],
  ["errorFunction", evenly(-4.5, 4.5, POINTS), { relative: 3.3e-7 }],
  ["errorFunction", all, { relative: 3.3e-7 }],
  // Further down the result is denormal, and 0 here.
  ["sigmoid", evenly(-87, 87, POINTS), { ulp: 2.5 }],
  ["reciprocalSquareRoot", all, { ulp: 1.5 }],
  ["squareRoot", all, { ulp: 0.5 }],
  ["reciprocal", all.filter((x) => Math.abs(x) < 2 ** 126), { ulp: 0.5 }],
];

/** Values of two operands, each of all of some. */
function pairs(values: readonly number[]): number[][] {
  return values.flatMap((a) => values.map((b) => [a, b]));
}

function testSpecialValues(): void {
  const exact: ElementwiseName[] = [
    ...["negate", "absolute", "sign", "square", "squareRoot", "reciprocal"] as const,
    ...["floor", "ceiling", "round"] as const,
  ];
  for (const name of exact) {
    assertSpecial(name, [...special, ...evenly(-4, 4, 33)].map((x) => [x]));
  }
  const limits: ElementwiseName[] = [
    ...["exponential", "exponentialMinusOne", "logarithm", "logarithmOnePlus"] as const,
    ...["hyperbolicTangent", "errorFunction"] as const,
  ];
  for (const name of limits) assertSpecial(name, [0, -0, Infinity, -Infinity, NaN].map((x) => [x]));
  assertSpecial("logarithm", [[-1], [-1e-40], [1]]);
  assertSpecial("logarithmOnePlus", [[-1], [-1.5]]);
  assertSpecial("sigmoid", [[Infinity], [-Infinity], [NaN], [0]]);
  for (const name of ["sine", "cosine"] as const) {
    assertSpecial(name, [[0], [Infinity], [-Infinity], [NaN]]);
  }
  for (const name of ["maximum", "minimum", "divide", "add"] as const) {
    assertSpecial(name, pairs(special));
  }
}

function testPower(): void {
  // Those whose result is 0, infinite, NaN or a small whole number.
  const isExact = ([a, b]: number[]) => {
    const value = Math.fround(Math.pow(Math.fround(a), Math.fround(b)));
    return !(Math.abs(value) > 0 && Math.abs(value) < Infinity) || Math.abs(value) === 1;
  };
  assertSpecial("power", pairs(special).filter(isExact));
  const bases = all.map(Math.abs);
  const exponents = bases.map((x, i) => {
    const spread = (i * 0.6180339887 % 1 - 0.5) * 250, size = Math.log2(x);
    return Number.isFinite(size) && size !== 0 ? spread / size : 2;
  });
  const { error, at } = largestError("power", [bases, exponents]);
  assert(error < 1.5, `${error} ulp at ${at}`);
  const whole = largestError("power", [
    Float32Array.from(all, (x) => Math.sign(x) * (1 + Math.abs(x) % 1)),
    all.map((_, i) => i % 41 - 20),
  ]);
  assert(whole.error < 1.5, `${whole.error} ulp at ${whole.at}`);
}

/** x raised to a power that is known. */
function testKnownPower(): void {
  for (const exponent of [0, 1, 2, 3, 4, -1, -2, -3, 0.5, 7]) {
    const view = (buffer: number) =>
      ({ buffer, type: "float32", offset: 0, strides: [1] }) as const;
    const x = evenly(-3, 3, 61), number = { kind: "number", type: "float32" } as const;
    const kernel: Kernel = {
      kind: "loop",
      loop: {
        extents: [61],
        reducedDimensions: 0,
        reads: [view(0)],
        body: [{
          name: "power",
          operands: [{ kind: "read", index: 0 }, { ...number, value: exponent }],
          type: "float32",
        }],
        writes: [{ view: view(1), value: { kind: "value", index: 0 } }],
      },
    };
    const buffers: Buffer[] = [0, 1].map(() => ({ size: 61, type: "float32", role: "input" }));
    const [, actual] = runKernel(kernel, buffers, [x, null]);
    x.forEach((x, i) => {
      const expected = Math.fround(Math.pow(x, exponent));
      const close = Math.abs(actual[i] - expected) <= 3e-7 * Math.abs(expected);
      assert(close || Object.is(actual[i], expected), `${x}^${exponent}: ${actual[i]}`);
    });
  }
}

/** Integers through a function of two of them, as Math does it. */
function testIntegers(): void {
  const values = [
    0,
    1,
    -1,
    2,
    -2,
    3,
    -3,
    7,
    -7,
    10,
    1000003,
    -1000003,
    2 ** 31 - 1,
    -(2 ** 31) + 1,
  ];
  const points = pairs(values), size = points.length;
  const names: ElementwiseName[] = [
    ...["floorDivide", "modulo", "maximum", "minimum", "less", "greaterEqual"] as const,
  ];
  for (const name of names) {
    const view = (buffer: number) => ({ buffer, type: "int32", offset: 0, strides: [1] }) as const;
    const operands = [0, 1].map((index) => ({ kind: "read" as const, index }));
    const kernel: Kernel = {
      kind: "loop",
      loop: {
        extents: [size],
        reducedDimensions: 0,
        reads: [view(0), view(1)],
        body: [{ name, operands, type: "int32" }],
        writes: [{ view: view(2), value: { kind: "value", index: 0 } }],
      },
    };
    const buffers = [0, 1, 2].map((): Buffer => ({ size, type: "int32", role: "input" }));
    const columns = [0, 1].map((i) => Int32Array.from(points, (point) => point[i]));
    const [, , actual] = runKernel(kernel, buffers, [...columns, null]);
    points.forEach(([a, b], i) => {
      const evaluate = elementwise[name].evaluate as (a: number, b: number) => number;
      const expected = evaluate(a, b) | 0;
      assertEquals(actual[i], expected, `${name}(${a}, ${b})`);
    });
  }
}

/** The upper byte of integers over all of their range. */
function testUpperByte(): void {
  const values = Int32Array.from({ length: 301 }, (_, i) => Math.imul(i, 0x9e3779b1));
  values.set([0, -1, 2 ** 31 - 1, -(2 ** 31), 2 ** 24, 2 ** 24 - 1]);
  const view = (buffer: number) => ({ buffer, type: "int32", offset: 0, strides: [1] }) as const;
  const kernel: Kernel = {
    kind: "loop",
    loop: {
      extents: [values.length],
      reducedDimensions: 0,
      reads: [view(0)],
      body: [{ name: "upperByte", operands: [{ kind: "read", index: 0 }], type: "int32" }],
      writes: [{ view: view(1), value: { kind: "value", index: 0 } }],
    },
  };
  const buffers = [0, 1].map((): Buffer => ({ size: values.length, type: "int32", role: "input" }));
  const [, actual] = runKernel(kernel, buffers, [values, null]);
  assertEquals(actual, values.map((value) => value >>> 24));
}

/** Large arguments of sine and cosine: small errors up to 10⁵, and never beyond ±1. */
function testLargeAngles(): void {
  for (const name of ["sine", "cosine"] as const) {
    const points = evenly(-1e5, 1e5, POINTS), actual = compute(name, [points]);
    const worst = points.reduce(
      (worst, x, i) => Math.max(worst, Math.abs(actual[i] - elementwise[name].evaluate(x, 0, 0))),
      0,
    );
    assert(worst < 2e-7, `${name}: ${worst}`);
    assert(compute(name, [all]).every((y) => Number.isNaN(y) || Math.abs(y) <= 1), name);
  }
}

/** Registers the tests. */
export function testVectorMath(engine: string): void {
  for (const [name, points, bound] of bounds) {
    const range = points === all ? "all sizes" : `[${points[0]}, ${points.at(-1)}]`;
    Deno.test(`${name} on ${range} is accurate ${engine}`, () => {
      assertAccurate(name, points, bound);
    });
  }
  Deno.test(`special values are exact ${engine}`, testSpecialValues);
  Deno.test(`powers are those of Math.pow ${engine}`, testPower);
  Deno.test(`powers with a known exponent ${engine}`, testKnownPower);
  Deno.test(`integers divide towards −∞ ${engine}`, testIntegers);
  Deno.test(`the upper byte of integers ${engine}`, testUpperByte);
  Deno.test(`sine and cosine of large angles ${engine}`, testLargeAngles);
}
