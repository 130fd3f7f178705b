/**
 * @file Accuracy of the vector functions: tables of bounds, and what measures against them. Shared by
 * the tests with fused products and without.
 */
import { assert, assertEquals } from "@std/assert";
import { elementwise, type ElementwiseName } from "../../../../core/jit/elementwise.ts";
import type { Buffer, Kernel } from "../../../../core/jit/kernels.ts";
import { prepare } from "./run_phases.ts";

/** f of every point, as the compiled loop computes it; `operands` are columns of points. */
export function compute(name: ElementwiseName, operands: readonly Float32Array[]): Float32Array {
  const size = operands[0].length;
  const view = (buffer: number) => ({ buffer, type: "float32", offset: 0, strides: [1] }) as const;
  const kernel: Kernel = {
    kind: "loop",
    loop: {
      extents: [size],
      reducedDimensions: 0,
      reads: operands.map((_, i) => view(i)),
      body: [{
        name,
        operands: operands.map((_, index) => ({ kind: "read" as const, index })),
        type: "float32",
      }],
      writes: [{ view: view(operands.length), value: { kind: "value", index: 0 } }],
    },
  };
  const buffers = [...operands, 0].map((): Buffer => ({ size, type: "float32", role: "input" }));
  const prepared = prepare(kernel, buffers, operands);
  prepared.run("whole");
  return prepared.cells(operands.length).slice() as Float32Array;
}

/** The distance to the next float32 from one of the size of x, at least that of the normal ones. */
export function ulp(x: number): number {
  const size = Math.max(Math.abs(x), 2 ** -126);
  return 2 ** (Math.floor(Math.log2(size)) - 23);
}

/** The largest error in units of the last place, and where. */
export function largestError(
  name: ElementwiseName,
  operands: readonly Float32Array[],
  reference: (...x: number[]) => number = elementwise[name].evaluate as (...x: number[]) => number,
): { error: number; relative: number; at: number[] } {
  const actual = compute(name, operands);
  let error = 0, relative = 0, at: number[] = [];
  for (let i = 0; i < actual.length; i++) {
    const point = operands.map((column) => column[i]);
    const expected = reference(...point), rounded = Math.fround(expected);
    if (Object.is(rounded, actual[i]) || rounded === actual[i]) continue;
    if (!Number.isFinite(rounded) || !Number.isFinite(actual[i])) {
      // Next to the largest float either side of the edge will do.
      const edge = Math.abs(Math.abs(expected) / 2 ** 128 - 1) < 1e-6;
      assert(edge, `${name}(${point}) = ${actual[i]}, expected ${rounded}`);
      continue;
    }
    const difference = Math.abs(actual[i] - expected);
    relative = Math.max(relative, difference / Math.max(Math.abs(expected), 2 ** -126));
    if (difference / ulp(expected) > error) [error, at] = [difference / ulp(expected), point];
  }
  return { error, relative, at };
}

/** So many numbers from `low` to `high`, evenly. */
export function evenly(low: number, high: number, count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => low + (high - low) * i / (count - 1));
}

/** So many floats of all sizes, by their bits: every so-maniest one. */
export function ofAllSizes(count: number): Float32Array {
  const bits = Uint32Array.from({ length: count }, (_, i) => Math.floor(i * (2 ** 32 / count)) + i);
  const values = new Float32Array(bits.buffer);
  return values.map((x) => Number.isNaN(x) ? 1 : x);
}

/** Fails where a function is further from the truth than so many ulp (or relatively). */
export function assertAccurate(
  name: ElementwiseName,
  points: Float32Array,
  bound: { ulp: number } | { relative: number },
): void {
  const { error, relative, at } = largestError(name, [points]);
  const message = `${name}: ${error} ulp at ${at}, ${relative} relative`;
  assert("ulp" in bound ? error <= bound.ulp : relative <= bound.relative, message);
}

/** Fails where special values differ in anything but the bits of a NaN. */
export function assertSpecial(name: ElementwiseName, points: number[][]): void {
  const columns = points[0].map((_, i) => Float32Array.from(points, (point) => point[i]));
  const actual = compute(name, columns);
  points.forEach((point, i) => {
    const evaluate = elementwise[name].evaluate as (...x: number[]) => number;
    const expected = Math.fround(evaluate(...point.map(Math.fround)));
    assertEquals(actual[i] + 0, expected + 0, `${name}(${point})`);
  });
}
