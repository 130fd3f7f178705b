/** @file What the tests of exact oracles share: differences, seeded draws, a comparison. */
import { assert } from "@std/assert";

/** f′(x) by the central difference of sixth order. */
export function derivative(f: (x: number) => number, x: number, h: number): number {
  const difference = (k: number) => f(x + k * h) - f(x - k * h);
  return (45 * difference(1) - 9 * difference(2) + difference(3)) / (60 * h);
}

/** Standard normal draws on the host: xorshift32 twisted with a Weyl sequence, then Box-Muller. */
export function seededNormals(n: number, seed: number): Float64Array {
  let state = (seed * 2654435761) >>> 0 || 1;
  let weyl = 0;
  const uniform = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    weyl = (weyl + 0x9e3779b9) | 0;
    const mixed = Math.imul((state + weyl) ^ ((state + weyl) >>> 15), 0x85ebca6b);
    return (((mixed ^ (mixed >>> 13)) >>> 0) + 0.5) / 2 ** 32;
  };
  return Float64Array.from(
    { length: n },
    () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()),
  );
}

/** Each value within `tolerance`, relative to the largest magnitude expected. */
export function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
): void {
  assert(actual.length === expected.length, `${actual.length} values, not ${expected.length}`);
  const scale = Math.max(Number.MIN_VALUE, ...Array.from(expected, Math.abs));
  Array.from(expected, (value, i) => {
    const error = Math.abs(actual[i] - value);
    assert(error <= tolerance * scale, `value ${i}: ${actual[i]}, not ${value}`);
  });
}
