import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { ConfigError } from "../../../core/errors.ts";
import { slicedWasserstein } from "../../../core/metrics/sliced_wasserstein.ts";
import fixture from "../../fixtures/metrics.json" with { type: "json" };
import { assertClose, seededNormals } from "../homotopy/numerics.ts";

Deno.test("on the line it is optimal transport, for equal and unequal numbers of points", () => {
  let compared = 0;
  for (const { dimension, x, y, squaredWasserstein } of fixture.cases) {
    if (!squaredWasserstein) continue;
    const a = Float64Array.from(x), b = Float64Array.from(y);
    assertClose([slicedWasserstein(a, b, dimension) ** 2], [squaredWasserstein], 1e-12);
    assertClose([slicedWasserstein(b, a, dimension) ** 2], [squaredWasserstein], 1e-12);
    compared++;
  }
  assertEquals(compared, 3);
});

Deno.test("equally many points on the line: the root mean square of sorted differences", () => {
  const x = Float32Array.of(3, -1, 0), y = Float32Array.of(1, 5, 2);
  assertAlmostEquals(slicedWasserstein(x, y, 1), Math.sqrt((4 + 4 + 4) / 3), 1e-14);
});

Deno.test("a shift by s is |s|/√d, a dilation of N(0, I) by c is c − 1", () => {
  for (const dimension of [2, 5]) {
    const x = seededNormals(1000 * dimension, 7);
    const shift = Array.from({ length: dimension }, (_, k) => k + 1);
    const shifted = x.map((value, i) => value + shift[i % dimension]);
    const expected = Math.hypot(...shift) / Math.sqrt(dimension);
    const options = { projections: 1000 };
    // E (θ·s)² = |s|²/d; the mean over 1,000 directions is within some percent of it.
    const actual = slicedWasserstein(x, shifted, dimension, options);
    assert(Math.abs(actual / expected - 1) < 0.08, `${actual}, ${expected}`);
    const wider = x.map((value) => 1.5 * value);
    // W₂ of N(0, 1) and N(0, c²) is c − 1 in every direction; 1,000 samples have a std of their own.
    assertAlmostEquals(slicedWasserstein(x, wider, dimension, options), 0.5, 0.03);
  }
});

Deno.test("doubling every point of a sample changes nothing", () => {
  const x = seededNormals(40, 1), y = seededNormals(60, 2);
  const doubled = Float64Array.from([...x, ...x]);
  assertAlmostEquals(slicedWasserstein(doubled, y, 2), slicedWasserstein(x, y, 2), 1e-13);
  assertAlmostEquals(slicedWasserstein(doubled, x, 2), 0, 1e-7);
});

Deno.test("the directions are a function of the seed", () => {
  const x = seededNormals(40, 1), y = seededNormals(40, 2).map((v, i) => i % 2 ? v : v + 3);
  const of = (seed: number) => slicedWasserstein(x, y, 2, { projections: 8, seed });
  assertEquals(of(1), of(1));
  assert(of(1) !== of(2) && of(1) !== of(1 + 2 ** 32));
});

Deno.test("a number of projections that is not a positive integer is refused", () => {
  const x = new Float32Array(4);
  for (const projections of [0, 1.5, NaN]) {
    assertThrows(
      () => slicedWasserstein(x, x, 2, { projections }),
      ConfigError,
      `projections is ${projections}`,
    );
  }
});
