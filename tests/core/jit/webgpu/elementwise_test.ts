import { assert, assertEquals } from "@std/assert";
import {
  type DataType,
  elementwise,
  type ElementwiseName,
} from "../../../../core/jit/elementwise.ts";
import type { Schedule } from "../../../../core/jit/kernels.ts";
import { webgpuTest } from "../../../webgpu.ts";
import type { Cells } from "../kernel_interpreter.ts";
import { loopKernel, noise, planOf, runOnce, scheduleOf, view } from "./programs.ts";

/** A schedule that applies one function to arguments cell by cell. */
function application(name: ElementwiseName, size: number, operandType: DataType): Schedule {
  const { arity, result } = elementwise[name];
  const types = Array.from(
    { length: arity },
    (_, i): DataType => name === "select" && i === 0 ? "bool" : operandType,
  );
  const type = result === "same" ? operandType : result;
  return scheduleOf(
    { inputs: types.map((type) => ({ size, type })), outputs: [{ size, type }] },
    loopKernel({
      extents: [size],
      reads: types.map((type, i) => view(i, [1], { type })),
      body: [{ name, type, operands: types.map((_, index) => ({ kind: "read", index })) }],
      writes: [{ view: view(arity, [1], { type }), value: { kind: "value", index: 0 } }],
    }),
  );
}

async function apply(
  name: ElementwiseName,
  operands: readonly Cells[],
  type: DataType = "float32",
): Promise<Cells> {
  const schedule = application(name, operands[0].length, type);
  return (await runOnce(planOf(schedule), operands))[0];
}

/** From `low` to `high`, with the ends. */
function grid(low: number, high: number, count = 4001): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => low + (high - low) * i / (count - 1));
}

/** Both signs of the powers of two from 2^low to 2^high, times something. */
function powers(low: number, high: number): Float32Array {
  const values = [];
  for (let e = low; e <= high; e += 0.25) values.push(2 ** e, -(2 ** e));
  return Float32Array.from(values);
}

function join(...arrays: Float32Array[]): Float32Array {
  return Float32Array.from(arrays.flatMap((array) => [...array]));
}

/** The largest error, relative to the true value or (below `floor`) to `floor`. */
function largestError(actual: Cells, expected: (i: number) => number, floor: number) {
  let error = 0, at = -1;
  actual.forEach((value, i) => {
    const truth = expected(i);
    const here = Math.abs(value - truth) / Math.max(Math.abs(truth), floor);
    if (Number.isNaN(here) || here > error) [error, at] = [Number.isNaN(here) ? Infinity : here, i];
  });
  return { error, at };
}

const TINY = 1e-30;
const accuracies: [ElementwiseName, Float32Array, number, number][] = [
  ["exponential", join(grid(-80, 80), powers(-20, -1)), 2e-5, TINY],
  ["exponentialMinusOne", join(grid(-5, 5), powers(-30, 3)), 2e-6, TINY],
  ["logarithm", join(grid(0.5, 2), powers(-120, 120).map(Math.abs)), 3e-7, TINY],
  [
    "logarithmOnePlus",
    join(grid(-0.99, 3), powers(-30, -1), powers(0, 100).map(Math.abs)),
    5e-7,
    TINY,
  ],
  ["sine", join(grid(-20, 20), grid(-9000, 9000)), 3e-7, 0.1],
  ["cosine", join(grid(-20, 20), grid(-9000, 9000)), 3e-7, 0.1],
  ["sine", powers(-30, 127), 3e-7, TINY],
  ["cosine", powers(-30, 127), 3e-7, TINY],
  ["hyperbolicTangent", join(grid(-12, 12), powers(-30, 127)), 5e-7, TINY],
  ["sigmoid", join(grid(-80, 80), powers(-10, 3)), 2e-5, TINY],
  ["errorFunction", join(grid(-6, 6), powers(-30, 3)), 1e-6, TINY],
  ["squareRoot", powers(-100, 120).map(Math.abs), 1e-6, TINY],
  ["reciprocalSquareRoot", powers(-100, 120).map(Math.abs), 1e-6, TINY],
  ["reciprocal", powers(-100, 120), 1e-6, TINY],
];

for (const [name, values, tolerance, floor] of accuracies) {
  webgpuTest(`${name} is within ${tolerance} of the truth from ${values[0]}`, async () => {
    const actual = await apply(name, [values]);
    const { error, at } = largestError(
      actual,
      (i) => elementwise[name].evaluate(values[i], 0, 0),
      floor,
    );
    assert(error <= tolerance, `error ${error} at ${values[at]}: ${actual[at]}`);
  });
}

webgpuTest("power is Math.pow", async () => {
  const bases = [0.1, 0.9, 0.999, 0.9999, 1, 1.5, 2, 3, 10, -2, -0.5, -3];
  const exponents = [-3, -2, -1, -0.5, 0, 0.5, 1, 2, 3, 7, 100, 2.5, 16777215];
  const pairs = bases.flatMap((a) => exponents.map((b) => [a, b]));
  const [a, b] = [0, 1].map((i) => Float32Array.from(pairs, (pair) => pair[i]));
  const actual = await apply("power", [a, b]);
  actual.forEach((value, i) => {
    const truth = Math.fround(Math.pow(a[i], b[i]));
    if (Math.abs(truth) > 0 && Math.abs(truth) < 1e-36) return; // it may be flushed to zero
    const same = Object.is(value, truth) || Math.abs(value - truth) <= 2e-5 * Math.abs(truth);
    // 0.9999 ^ 16777215 and its like magnify the rounding of the logarithm.
    assert(same || b[i] === 16777215, `${a[i]} ^ ${b[i]}: ${value} instead of ${truth}`);
  });
});

const SPECIAL = [NaN, Infinity, -Infinity, 0, -0, 1, -1, 0.5, -2.5, 3, 2 ** 100, -(2 ** 100)];

webgpuTest("functions of NaN, infinities and zeros are what the host's are", async () => {
  const names = (Object.keys(elementwise) as ElementwiseName[]).filter((name) =>
    !["not", "and", "or", "select", "modulo", "floorDivide", "upperByte"].includes(name)
  );
  for (const name of names) {
    const { arity, result } = elementwise[name];
    const evaluate = elementwise[name].evaluate as (...operands: number[]) => number;
    const pairs = arity === 1
      ? SPECIAL.map((a) => [a])
      : SPECIAL.flatMap((a) => SPECIAL.map((b) => [a, b]));
    const operands = Array.from(
      { length: arity },
      (_, i) => Float32Array.from(pairs, (pair) => pair[i]),
    );
    const actual = await apply(name, operands);
    pairs.forEach((pair, i) => {
      const value = evaluate(...pair);
      const truth = result === "same" ? Math.fround(value) : value;
      const close = Math.abs(actual[i] - truth) <= 1e-5 * Math.abs(truth);
      // The sign of a zero is left open.
      const same = Object.is(actual[i], truth) || actual[i] === truth || close;
      assert(same, `${name}(${pair}) is ${actual[i]} instead of ${truth}`);
    });
  }
});

webgpuTest("floorDivide and modulo are Python's, also where the quotient is whole", async () => {
  const values = Array.from({ length: 60 }, (_, i) => (i - 30) / 2).concat([0.1, 0.7, -0.3, 1e6]);
  const pairs = values.flatMap((a) =>
    [1, 2, 3, 7, 0.5, 49, -3, -0.75].map((b) => [Math.fround(a), b])
  );
  const [a, b] = [0, 1].map((i) => Float32Array.from(pairs, (pair) => pair[i]));
  const quotients = await apply("floorDivide", [a, b]);
  const rests = await apply("modulo", [a, b]);
  pairs.forEach(([a, b], i) => {
    assertEquals(quotients[i] + 0, Math.floor(a / b) + 0, `${a} // ${b}`);
    const rest = elementwise.modulo.evaluate(a, b, 0);
    assert(
      Math.abs(rests[i] - rest) <= 1e-6 * Math.max(Math.abs(a), Math.abs(b)),
      `${a} % ${b}: ${rests[i]}, not ${rest}`,
    );
  });
});

webgpuTest("functions of integers are exact", async () => {
  const values = [0, 1, -1, 2, -3, 7, -8, 100, 16777217, -16777217, 2147483647, -2147483648];
  const pairs = values.flatMap((a) => values.map((b) => [a, b]));
  const [a, b] = [0, 1].map((i) => Int32Array.from(pairs, (pair) => pair[i]));
  const exact: Partial<Record<ElementwiseName, (a: number, b: number) => number>> = {
    add: (a, b) => a + b | 0,
    subtract: (a, b) => a - b | 0,
    multiply: Math.imul,
    negate: (a) => -a | 0,
    absolute: (a) => Math.abs(a) | 0,
    sign: Math.sign,
    maximum: Math.max,
    minimum: Math.min,
    less: (a, b) => a < b ? 1 : 0,
    lessEqual: (a, b) => a <= b ? 1 : 0,
    equal: (a, b) => a === b ? 1 : 0,
    notEqual: (a, b) => a !== b ? 1 : 0,
    toInt: (a) => a,
    upperByte: (a) => a >>> 24,
    toBool: (a) => a ? 1 : 0,
    toFloat: Math.fround,
  };
  for (const [name, truth] of Object.entries(exact)) {
    const operands = [a, b].slice(0, elementwise[name as ElementwiseName].arity);
    const actual = await apply(name as ElementwiseName, operands, "int32");
    pairs.forEach(([a, b], i) => assertEquals(actual[i], truth(a, b) + 0, `${name}(${a}, ${b})`));
  }
  const divisible = pairs.map(([a, b]) => b !== 0 && !(a === -2147483648 && b === -1));
  const quotients = await apply("floorDivide", [a, b], "int32");
  const rests = await apply("modulo", [a, b], "int32");
  pairs.forEach(([a, b], i) => {
    if (!divisible[i]) return;
    assertEquals(quotients[i], Math.floor(a / b) + 0, `${a} // ${b}`);
    assertEquals(rests[i], a - b * Math.floor(a / b) + 0, `${a} % ${b}`);
  });
});

webgpuTest("logic and select work on bools", async () => {
  const bits = [0, 1].flatMap((a) => [0, 1].map((b) => [a, b]));
  const [a, b] = [0, 1].map((i) => Int32Array.from(bits, (pair) => pair[i]));
  assertEquals(await apply("and", [a, b], "bool"), Int32Array.of(0, 0, 0, 1));
  assertEquals(await apply("or", [a, b], "bool"), Int32Array.of(0, 1, 1, 1));
  assertEquals(await apply("not", [a], "bool"), Int32Array.of(1, 1, 0, 0));
  const nan = new Float32Array(4).fill(NaN);
  const chosen = await apply("select", [a, noise(4), nan]);
  assertEquals([...chosen].map(Number.isNaN), [true, true, false, false]);
});

webgpuTest("casts to int32 go towards zero and saturate", async () => {
  const values = Float32Array.of(2.9, -2.9, 3e9, -3e9, NaN, Infinity, -Infinity, 2147483520);
  const expected = Int32Array.of(
    2,
    -2,
    2147483647,
    -2147483648,
    0,
    2147483647,
    -2147483648,
    2147483520,
  );
  assertEquals(await apply("toInt", [values]), expected);
});

webgpuTest("zero times NaN is NaN, also where the zero is a constant", async () => {
  const zero = { kind: "number", value: 0, type: "float32" } as const;
  const x = { kind: "read", index: 0 } as const;
  const names = ["multiply", "divide"] as const;
  const schedule = scheduleOf(
    { inputs: [4], outputs: [4, 4] },
    ...names.map((name, i) =>
      loopKernel({
        extents: [4],
        reads: [view(0, [1])],
        body: [{ name, type: "float32", operands: [zero, x] }],
        writes: [{ view: view(i + 1, [1]), value: { kind: "value", index: 0 } }],
      })
    ),
  );
  const results = await runOnce(planOf(schedule), [Float32Array.of(NaN, Infinity, 0, 2)]);
  assertEquals([...results[0]], [NaN, NaN, 0, 0]);
  assertEquals([...results[1]], [NaN, 0, NaN, 0]);
});

webgpuTest("constants may be infinite, NaN, negative zero and the least integer", async () => {
  const numbers = [Infinity, -Infinity, NaN, -0, 1e-40, -1.5, 3e38, -2147483648];
  const types = numbers.map((n): DataType => n === -2147483648 ? "int32" : "float32");
  const schedule = scheduleOf(
    { inputs: [], outputs: types.map((type) => ({ size: 1, type })) },
    ...numbers.map((value, i) =>
      loopKernel({
        extents: [],
        writes: [{
          view: view(i, [], { type: types[i] }),
          value: { kind: "number", value, type: types[i] },
        }],
      })
    ),
    // Numbers alone, of which the compiler could make an infinite constant.
    loopKernel({
      extents: [],
      body: [{
        name: "exponential",
        type: "float32",
        operands: [{ kind: "number", value: 1000, type: "float32" }],
      }],
      writes: [{ view: view(6, []), value: { kind: "value", index: 0 } }],
    }),
  );
  const results = (await runOnce(planOf(schedule), [])).map(([value]) => value);
  const expected = numbers.map((n, i) => i === 6 ? Infinity : i === 4 ? Math.fround(n) : n);
  assertEquals(results, expected);
});
