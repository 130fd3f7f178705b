import { assertAlmostEquals, assertEquals } from "@std/assert";
import { configuredDistribution, toyDistributions } from "../../../core/data/toy.ts";
import { mixtureLogDensity } from "../../../core/homotopy/gaussian_mixture.ts";
import { openDevice, randomKey } from "../../../core/tensor/mod.ts";
import { entropyOf } from "../../../web/laboratory/engine_entropy.ts";

const gaussian = (std: number) => Math.log(2 * Math.PI * Math.E * std ** 2);

Deno.test("the entropy of one Gaussian, and of ones far apart, is the closed form", () => {
  const points = (points: [number, number][], noise: number, weights: number[] | null = null) =>
    entropyOf(configuredDistribution({
      name: "points",
      distribution: { noise, weights, points },
    }))!;
  assertAlmostEquals(points([[1, 2]], 0.7), gaussian(0.7), 1e-12);
  const shared = -0.25 * Math.log(0.25) - 0.75 * Math.log(0.75);
  assertAlmostEquals(points([[-20, 0], [20, 3]], 0.7, [1, 3]), gaussian(0.7) + shared, 1e-12);
  // Components in one place are one.
  assertAlmostEquals(points([[1, 1], [1, 1], [1, 1]], 0.7), gaussian(0.7), 1e-12);
  assertEquals(
    entropyOf(configuredDistribution({
      name: "points",
      distribution: { noise: 0, weights: null, points: [[0, 0]] },
    })),
    null,
  );
});

Deno.test("the entropy of components that overlap is the mean of many draws", async () => {
  await openDevice("cpu");
  const wide = (name: "8gaussians" | "25gaussians", noise: number) =>
    configuredDistribution({ name, distribution: { noise, weights: null, points: null } });
  const many = configuredDistribution({
    name: "points",
    distribution: {
      noise: 0.2,
      weights: null,
      points: Array.from({ length: 1500 }, (_, i) => [3 * Math.cos(i / 200), Math.sin(i / 50)]),
    },
  });
  for (
    const [distribution, tolerance] of [
      [toyDistributions["25gaussians"], 0.02],
      [wide("8gaussians", 1.5), 0.02],
      [wide("25gaussians", 0.6), 0.02],
      [many, 0.1],
    ] as const
  ) {
    const n = 20_000, draws = distribution.sample(n, randomKey(3));
    const points = Float64Array.from(draws.dataSync());
    draws.dispose();
    const data = { alpha: 1, beta: 0, alphaDot: 0, betaDot: 0 };
    const some = distribution === many ? points.subarray(0, 4000) : points;
    const values = mixtureLogDensity(distribution.mixture!, some, data);
    const mean = -values.reduce((sum, value) => sum + value, 0) / values.length;
    assertAlmostEquals(entropyOf(distribution)!, mean, tolerance, distribution.name);
  }
});

Deno.test("the entropy of a density on an area is the area's logarithm", () => {
  assertAlmostEquals(entropyOf(toyDistributions.checkerboard)!, Math.log(32), 1e-6);
  // A circle of radius R with narrow noise τ: log 2πR + log τ√(2πe), averaged over the four rings,
  // plus log 4 for which ring it is.
  const each = [0.9, 1.8, 2.7, 3.6].map((radius) =>
    Math.log(2 * Math.PI * radius) + Math.log(0.096) + 0.5 * Math.log(2 * Math.PI * Math.E)
  );
  const rings = each.reduce((sum, value) => sum + value, 0) / 4 + Math.log(4);
  assertAlmostEquals(entropyOf(toyDistributions.rings)!, rings, 0.01);
});

Deno.test("an entropy that nobody knows is not made up", () => {
  for (const distribution of Object.values(toyDistributions)) {
    if (distribution.density) continue;
    assertEquals(entropyOf(distribution), null, distribution.name);
  }
});
