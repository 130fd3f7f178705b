import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { mendedCovariance } from "../../../core/metrics/covariance.ts";

function refuse(found: string, expected: string): never {
  throw new Error(`${found}; expected ${expected}`);
}
const mended = (
  values: number[],
  d: number,
) => [...mendedCovariance(Float64Array.from(values), d, refuse)];

Deno.test("a covariance is returned itself, and what is mended is a copy", () => {
  const good = Float64Array.of(2, 1, 1, 3);
  assertStrictEquals(mendedCovariance(good, 2, refuse), good);
  const nearly = Float64Array.of(2, 1, 1 + 2 ** -30, 3);
  assertEquals([...mendedCovariance(nearly, 2, refuse)], [2, 1 + 2 ** -31, 1 + 2 ** -31, 3]);
  assertEquals(nearly[1], 1);
});

Deno.test("what is as small as rounding to float32 is mended, of any scale; more is refused", () => {
  for (const scale of [1e-12, 1, 1e12]) {
    const of = (...values: number[]) => mended(values.map((value) => value * scale), 2);
    assertEquals(of(1, 0.25, 0.25, -1e-9), [scale, 0, 0, 0]);
    // Small beside its own variance it need not be.
    const [, upper, lower] = of(1, 1e-10, 0, 1e-16);
    assert(upper === lower && upper > 0);
    assertThrows(() => of(1, 0, 0, -1e-4), Error, "at [1, 1]; expected none below 0");
    assertThrows(() => of(1, 0.5, 0.4, 1), Error, "at [0, 1]; expected a symmetric matrix");
  }
  assertThrows(() => mended([-1e-9], 1), Error, "none below 0");
});
