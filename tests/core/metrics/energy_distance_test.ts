import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { NonFiniteError, VapoError } from "../../../core/errors.ts";
import { energyDistance } from "../../../core/metrics/energy_distance.ts";
import fixture from "../../fixtures/metrics.json" with { type: "json" };
import { assertClose, seededNormals } from "../homotopy/numerics.ts";

Deno.test("both estimators are NumPy's, and on the line the root is SciPy's energy_distance", () => {
  for (const { dimension, x, y, energyV, energyU, scipyEnergyDistance } of fixture.cases) {
    const a = Float64Array.from(x), b = Float64Array.from(y);
    const v = energyDistance(a, b, dimension);
    assertClose([v], [energyV], 1e-12);
    assertClose([energyDistance(a, b, dimension, { estimator: "u-statistic" })], [energyU], 1e-12);
    if (scipyEnergyDistance) assertClose([Math.sqrt(v)], [scipyEnergyDistance], 1e-12);
  }
});

Deno.test("point masses at distance r have the energy distance 2r", () => {
  // Five points against seven, in three dimensions, at distance √(1 + 4 + 4) = 3.
  const x = new Float32Array(15);
  const y = Float32Array.from({ length: 21 }, (_, i) => [1, 2, -2][i % 3]);
  for (const estimator of ["v-statistic", "u-statistic"] as const) {
    assertAlmostEquals(energyDistance(x, y, 3, { estimator }), 6, 1e-14);
  }
});

Deno.test("n whole numbers against the same plus s > n: 2s − 2(n² − 1)/3n, over many blocks", () => {
  const n = 700, s = 1000;
  const x = Float64Array.from({ length: n }, (_, i) => i), y = x.map((value) => value + s);
  assertAlmostEquals(energyDistance(x, y, 1), 2 * s - 2 * (n * n - 1) / (3 * n), 1e-9);
  const unbiased = energyDistance(x, y, 1, { estimator: "u-statistic" });
  assertAlmostEquals(unbiased, 2 * s - 2 * (n + 1) / 3, 1e-9);
});

Deno.test("a sample has distance 0 from itself, whatever the order of its points", () => {
  const x = seededNormals(1200, 1), reversed = x.slice().reverse();
  assertAlmostEquals(energyDistance(x, x, 1), 0, 1e-13);
  assertAlmostEquals(energyDistance(x, reversed, 1), 0, 1e-13);
});

Deno.test("N(0, I) against N(0, I): the V-statistic is the noise floor, the U-statistic 0", () => {
  // E|X − X′| = √2 E|N(0, I₂)| = √2 √(π/2) = √π in two dimensions.
  const n = 400, repeats = 30, floor = 2 / n * Math.sqrt(Math.PI);
  let v = 0, u = 0;
  for (let i = 0; i < repeats; i++) {
    const x = seededNormals(2 * n, 100 + 2 * i), y = seededNormals(2 * n, 101 + 2 * i);
    v += energyDistance(x, y, 2) / repeats;
    u += energyDistance(x, y, 2, { estimator: "u-statistic" }) / repeats;
  }
  // The scatter of one value is about half the floor; of the mean of 30, a tenth of it.
  assert(Math.abs(v - floor) < 0.4 * floor, `${v}, floor ${floor}`);
  assert(Math.abs(u) < 0.4 * floor, `${u}, floor ${floor}`);
});

Deno.test("N(0, 1) against N(μ, 1) is the closed form", () => {
  // 2 E|N(μ, 2)| − 2 E|N(0, 2)|, with E|N(μ, 2)| = (2/√π) exp(−μ²/4) + μ erf(μ/2) at μ = 2.
  const n = 4000, mu = 2, erfOf1 = 0.8427007929497149;
  const folded = 2 / Math.sqrt(Math.PI) * Math.exp(-(mu ** 2) / 4) + mu * erfOf1;
  const expected = 2 * folded - 4 / Math.sqrt(Math.PI);
  const x = seededNormals(n, 5), y = seededNormals(n, 6).map((value) => value + mu);
  const actual = energyDistance(x, y, 1, { estimator: "u-statistic" });
  assertAlmostEquals(actual, expected, 0.08); // five times 1/√n
});

Deno.test("samples that are not whole, too few, or not finite are refused", () => {
  const x = new Float32Array(6);
  assertThrows(() => energyDistance(x, x, 4), VapoError, "6 numbers are not whole samples");
  assertThrows(() => energyDistance(x, x, 0), VapoError, "dimension 0");
  assertThrows(() => energyDistance(x, new Float32Array(), 2), VapoError, "0 samples given");
  assertEquals(energyDistance(x, x, 6), 0);
  assertThrows(
    () => energyDistance(x, x, 6, { estimator: "u-statistic" }),
    VapoError,
    "1 samples given; expected at least 2",
  );
  const diverged = Float32Array.of(0, 1, 2, NaN, 4, 5);
  assertThrows(() => energyDistance(x, diverged, 2), NonFiniteError, "sample 1 holds NaN");
});
