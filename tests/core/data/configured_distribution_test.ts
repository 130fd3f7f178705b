import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { blurredInterval } from "../../../core/data/closed_densities.ts";
import {
  configuredDistribution,
  type Distribution,
  type DistributionOptions,
  toyDistributions,
  type ToyName,
  toyNames,
} from "../../../core/data/toy.ts";
import { ConfigError } from "../../../core/errors.ts";
import { mixturePotential, mixtureVelocity } from "../../../core/homotopy/gaussian_mixture.ts";
import { gaussianPath } from "../../../core/homotopy/gaussian_path.ts";
import { fractionWithinModes, modeHistogram } from "../../../core/metrics/modes.ts";
import { openDevice, randomKey, tf } from "../../../core/tensor/mod.ts";
import { assertClose } from "../homotopy/numerics.ts";
import { estimate } from "./point_estimates.ts";

const n = 40_000;

function configured(
  name: ToyName | "points",
  options: Partial<DistributionOptions>,
): Distribution {
  const distribution = { noise: null, weights: null, points: null, ...options };
  return configuredDistribution({ name, distribution });
}

async function draw(distribution: Distribution, count = n, seed = 3): Promise<Float32Array> {
  await openDevice("wasm");
  const samples = distribution.sample(count, randomKey(seed));
  const values = await samples.data<"float32">();
  samples.dispose();
  return values;
}

/** Means of x, y, x², y², xy and their standard errors. */
function moments(samples: Float32Array) {
  const functions = [
    (x: number, _y: number) => x,
    (_x: number, y: number) => y,
    (x: number, _y: number) => x * x,
    (_x: number, y: number) => y * y,
    (x: number, y: number) => x * y,
  ];
  return functions.map((f) => estimate(samples, f));
}

/** The share of samples for which something holds, beside the one expected. */
function assertShare(
  samples: Float32Array,
  holds: (x: number, y: number) => boolean,
  expected: number,
  what: string,
): void {
  const count = samples.length / 2;
  let share = 0;
  for (let i = 0; i < count; i++) {
    if (holds(samples[2 * i], samples[2 * i + 1])) share += 1 / count;
  }
  const error = Math.sqrt(expected * (1 - expected) / count);
  assert(Math.abs(share - expected) <= 4.5 * error + 1e-9, `${what}: ${share}, not ${expected}`);
}

/** 1, 2, 3, … normalised. */
function ascending(count: number): number[] {
  const total = count * (count + 1) / 2;
  return Array.from({ length: count }, (_, k) => (k + 1) / total);
}

Deno.test("what is null is the distribution's own: the same object, or the same draws bit for bit", async () => {
  for (const name of toyNames) {
    assertEquals(configuredDistribution({ name }), toyDistributions[name]);
    assert(configured(name, {}) === toyDistributions[name], name);
    const { noise, components } = toyDistributions[name];
    const said = configured(name, {
      noise,
      weights: components.length > 0 ? components.map(() => 7) : null,
    });
    assertEquals(await draw(said, 500), await draw(toyDistributions[name], 500), name);
  }
});

Deno.test("each distribution says its noise and what it is composed of", () => {
  const facts = toyNames.map((name) => {
    const { noise, components } = toyDistributions[name];
    return [name, Number(noise.toFixed(3)), components.length, components[0]];
  });
  assertEquals(facts, [
    ["8gaussians", 0.24, 8, "Gaussian at (3.6, 0)"],
    ["25gaussians", 0.12, 25, "Gaussian at (-3.6, -3.6)"],
    ["2moons", 0.192, 2, "upper moon"],
    ["pinwheel", 0, 5, "arm 1"],
    ["checkerboard", 0, 8, "square at (-3, -3)"],
    ["swissroll", 0.15, 0, undefined],
    ["rings", 0.096, 4, "ring of radius 0.9"],
  ]);
  for (const name of toyNames) {
    const { components } = toyDistributions[name];
    assertEquals(new Set(components).size, components.length, name);
  }
});

Deno.test("another noise moves the means not at all, and the variances by its difference", async () => {
  for (const name of toyNames) {
    const own = toyDistributions[name], noise = 0.5;
    const before = moments(await draw(own)), changed = configured(name, { noise });
    assertEquals(changed.noise, noise);
    const after = moments(await draw(changed, n, 4));
    const added = noise ** 2 - own.noise ** 2;
    [0, 0, added, added, 0].forEach((expected, i) => {
      const error = Math.hypot(before[i].error, after[i].error);
      const difference = after[i].mean - before[i].mean;
      assert(Math.abs(difference - expected) < 4.5 * error, `${name}, moment ${i}: ${difference}`);
    });
  }
});

Deno.test("mixtures: modes come up by their weights", async () => {
  for (const name of ["8gaussians", "25gaussians"] as const) {
    const weights = ascending(toyDistributions[name].components.length);
    const distribution = configured(name, { weights: weights.map((weight) => 5 * weight) });
    assertClose(distribution.mixture!.weights!, weights, 1e-12);
    const shares = modeHistogram(await draw(distribution), distribution.mixture!);
    shares.forEach((share, k) => {
      const error = Math.sqrt(weights[k] * (1 - weights[k]) / n);
      assert(Math.abs(share - weights[k]) < 4.5 * error, `${name} ${k}: ${share}`);
    });
  }
});

Deno.test("moons, arms, squares and rings come up by their weights", async () => {
  const moons = await draw(configured("2moons", { weights: [3, 1], noise: 0 }));
  // Without noise the upper moon is the circle about (−1.2, −0.6), above its centre.
  const isUpper = (x: number, y: number) => Math.abs(Math.hypot(x + 1.2, y + 0.6) - 2.4) < 1e-3;
  assertShare(moons, isUpper, 0.75, "upper moon");

  const arms = ascending(5), pinwheel = await draw(configured("pinwheel", { weights: arms }));
  const angle = 2 * Math.PI / 5;
  const armOf = (x: number, y: number) => {
    const turned = Math.atan2(y, x) + 0.25 * Math.exp(Math.hypot(x, y) / 2.8);
    return (10 - Math.round(turned / angle)) % 5;
  };
  const seen = [0, 1, 2, 3, 4].map((arm) => {
    let count = 0;
    for (let i = 0; i < n; i++) if (armOf(pinwheel[2 * i], pinwheel[2 * i + 1]) === arm) count++;
    return count / n;
  });
  // Tangential noise leads a few into a neighbour's half.
  seen.forEach((share, arm) => assertAlmostEquals(share, arms[arm], 0.02, `arm ${arm}: ${seen}`));

  const squares = ascending(8);
  const { components } = toyDistributions.checkerboard;
  const board = await draw(configured("checkerboard", { weights: squares }));
  components.forEach((component, k) => {
    const [x, y] = component.match(/-?\d+/g)!.map(Number);
    const isInside = (a: number, b: number) => Math.abs(a - x) <= 1 && Math.abs(b - y) <= 1;
    assertShare(board, isInside, squares[k], component);
    const inner = (a: number, b: number) => Math.abs(a - x) <= 0.5 && Math.abs(b - y) <= 0.5;
    assertShare(board, inner, squares[k] / 4, `the middle of ${component}`);
  });

  const radii = ascending(4), circles = await draw(configured("rings", { weights: radii }));
  const ring = (x: number, y: number) => Math.round(Math.hypot(x, y) / 0.9);
  radii.forEach((weight, k) =>
    assertShare(circles, (x, y) => ring(x, y) === k + 1, weight, `${k}`)
  );
});

Deno.test("squares of weight 0 stay empty, whole columns too", async () => {
  const weights = [0, 0, 1, 0, 0, 2, 0, 0], distribution = configured("checkerboard", { weights });
  const samples = await draw(distribution), density = distribution.density!;
  assert(density(Float64Array.from(samples)).every((p) => p > 0));
  assertShare(samples, (x, y) => x < 0 && y < 0, 1 / 3, "square at (-1, -1)");
  assertShare(samples, (x, y) => x > 0 && x < 2 && y > 0 && y < 2, 2 / 3, "square at (1, 1)");
});

Deno.test("densities follow noise and weights: ∫ p = 1, and E p(x) is ∫ p²", async () => {
  const cases: [string, Distribution][] = [
    ["8gaussians", configured("8gaussians", { noise: 0.5, weights: ascending(8) })],
    ["rings", configured("rings", { noise: 0.3, weights: ascending(4) })],
    ["rings by weight", configured("rings", { weights: [1, 0, 0, 2] })],
    ["checkerboard", configured("checkerboard", { noise: 0.25, weights: ascending(8) })],
    ["checkerboard by weight", configured("checkerboard", { weights: ascending(8) })],
    ["points", configured("points", { points: [[0, 0], [2, -1], [2.5, 3]], weights: [1, 2, 4] })],
  ];
  const cells = 350, side = 14 / cells, grid = new Float64Array(2 * cells * cells);
  for (let i = 0; i < cells * cells; i++) {
    grid[2 * i] = (i % cells + 0.5) * side - 7;
    grid[2 * i + 1] = (Math.floor(i / cells) + 0.5) * side - 7;
  }
  for (const [name, distribution] of cases) {
    const p = distribution.density!(grid);
    const total = p.reduce((sum, value) => sum + value, 0) * side ** 2;
    assertAlmostEquals(total, 1, 1e-5, name);
    const squared = p.reduce((sum, value) => sum + value ** 2, 0) * side ** 2;
    const atSamples = distribution.density!(Float64Array.from(await draw(distribution, 20_000)));
    const mean = atSamples.reduce((sum, value) => sum + value, 0) / atSamples.length;
    const variance = atSamples.reduce((sum, value) => sum + (value - mean) ** 2, 0) /
      atSamples.length;
    const error = Math.sqrt(variance / atSamples.length) + 1e-9;
    assert(Math.abs(mean - squared) < 4.5 * error, `${name}: ${mean} ± ${error}, ${squared}`);
  }
});

Deno.test("densities without a closed form are left out, and those of no width", () => {
  const hasDensity = (name: ToyName, noise: number) => configured(name, { noise }).density;
  for (const name of ["2moons", "pinwheel", "swissroll"] as const) {
    assertEquals(hasDensity(name, 0.3), undefined);
  }
  for (const name of ["8gaussians", "rings"] as const) {
    assertEquals(hasDensity(name, 0), undefined);
    assert(hasDensity(name, 0.01));
  }
  assert(hasDensity("checkerboard", 0));
});

Deno.test("a blurred interval is the integral of the normal density over it", () => {
  for (const [x, from, to, std] of [[0.3, -1, 2, 0.5], [-3, 0, 2, 1.1], [5, -4, -2, 2]]) {
    const steps = 4000, h = (to - from) / steps;
    let integral = 0;
    for (let i = 0; i < steps; i++) {
      const z = (from + (i + 0.5) * h - x) / std;
      integral += Math.exp(-z * z / 2) / (std * Math.sqrt(2 * Math.PI)) * h;
    }
    assertAlmostEquals(blurredInterval(x, from, to, std), integral, 1e-7);
  }
  assertEquals(blurredInterval(100, -4, -2, 0.1), 0);
});

Deno.test("points: a Gaussian about each, of the width and the weights that are said", async () => {
  const points: [number, number][] = [[-3, 2], [4, 4], [0, -1], [2, 0]];
  const own = configured("points", { points });
  assertEquals([own.name, own.noise, own.components], [
    "points",
    0.2,
    ["point 1", "point 2", "point 3", "point 4"],
  ]);
  assertEquals(own.mixture, { means: points, std: 0.2 });
  const weights = [4, 1, 0, 3],
    distribution = configured("points", {
      points,
      weights,
      noise: 0.1,
    });
  const samples = await draw(distribution), mixture = distribution.mixture!;
  modeHistogram(samples, mixture).forEach((share, k) => {
    const expected = weights[k] / 8, error = Math.sqrt(expected * (1 - expected) / n);
    assert(Math.abs(share - expected) <= 4.5 * error, `point ${k}: ${share}`);
  });
  const within = 1 - Math.exp(-4.5), error = Math.sqrt(within * (1 - within) / n);
  assertAlmostEquals(fractionWithinModes(samples, mixture), within, 4.5 * error);
});

Deno.test("points without noise are drawn as they are, and exact answers hold before the end", async () => {
  const points: [number, number][] = [[-3, 2], [4, 4]];
  const distribution = configured("points", { points, noise: 0 });
  const samples = await draw(distribution, 200);
  for (let i = 0; i < 200; i++) {
    const [x, y] = samples.subarray(2 * i, 2 * i + 2);
    assert(points.some(([a, b]) => x === a && y === b));
  }
  const path = gaussianPath(), x = Float64Array.of(0.5, -1, -2.9, 2.1);
  for (const u of [0, 0.5, path.uMax]) {
    const c = path.at(u);
    const values = [
      ...mixturePotential(distribution.mixture!, x, c),
      ...mixtureVelocity(distribution.mixture!, x, c),
    ];
    assert(values.every(Number.isFinite), `${values}`);
  }
});

Deno.test("thousands of points are drawn and have a density, without memory for all pairs", async () => {
  const count = 4096;
  const points = Array.from({ length: count }, (_, k): [number, number] => {
    const radius = 4 * Math.sqrt((k + 0.5) / count);
    return [radius * Math.cos(2.4 * k), radius * Math.sin(2.4 * k)];
  });
  const weights = points.map((_, k) => 1 + k % 3);
  const distribution = configured("points", { points, weights, noise: 0.5 });
  const samples = await draw(distribution, 5000);
  assertShare(samples, (x) => x > 0, 0.5, "right half");
  // About a disc of radius 4, evenly filled: 1/16π at its middle.
  assertAlmostEquals(distribution.density!(Float64Array.of(0, 0))[0], 1 / (16 * Math.PI), 5e-4);
});

Deno.test("any noise and weights give finite draws, and few are a prefix of many", async () => {
  await openDevice("wasm");
  const weight = fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1e300, noNaN: true }));
  const options = fc.constantFrom(...toyNames).chain((name) => {
    const { length } = toyDistributions[name].components;
    const list = fc.array(weight, { minLength: length, maxLength: length })
      .filter((weights) => weights.some((weight) => weight > 0));
    return fc.record({
      name: fc.constant(name),
      noise: fc.option(fc.double({ min: 0, max: 100, noNaN: true })),
      weights: length === 0 ? fc.constant(null) : fc.option(list),
    });
  });
  const key = randomKey(2), before = tf.memory().numTensors;
  fc.assert(
    fc.property(options, ({ name, noise, weights }) => {
      const distribution = configured(name, { noise, weights });
      const many = distribution.sample(20, key), few = distribution.sample(5, key);
      const [all, first] = [many.dataSync(), few.dataSync()];
      tf.dispose([many, few]);
      assert(all.every(Number.isFinite));
      assertEquals(all.slice(0, 10), first);
      const density = distribution.density?.(Float64Array.from(all));
      assert(density === undefined || density.every((p) => p >= 0 && p < Infinity));
    }),
    { seed: 4, numRuns: 200 },
  );
  assertEquals(tf.memory().numTensors, before);
});

Deno.test("what does not fit the distribution says what was expected", () => {
  const refused = (
    name: ToyName | "points",
    options: Partial<DistributionOptions>,
    message: string,
  ) => assertThrows(() => configured(name, options), ConfigError, message);
  refused("rings", { noise: -1 }, "data.distribution.noise is -1: expected a standard deviation");
  refused("rings", { noise: NaN }, "data.distribution.noise is NaN");
  refused("rings", { noise: 101 }, "from 0 to 100");
  refused("rings", { weights: [1, 2] }, '2 numbers for the 4 components of data "rings"');
  refused("swissroll", { weights: [1] }, "expected null, for it has none");
  refused("rings", { points: [[0, 0]] }, '1 point for data "rings": expected null');
  refused("points", {}, 'null for data "points": expected 1 to 4096 points');
  refused("points", { points: [] }, "0 points: expected 1 to 4096; add one");
  refused("points", { points: new Array(4097).fill([0, 0]) }, "leave some out");
  refused("points", { points: [[0, 0], [0, 200]] }, "[0,200] at place 2: expected two coordinates");
  refused("points", { points: [[NaN, 0]] }, "at place 1");
  const short = [[1]] as unknown as [number, number][];
  refused("points", { points: short }, "[1] at place 1: expected two coordinates");
});
