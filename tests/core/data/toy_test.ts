import { assert, assertEquals } from "@std/assert";
import { toyDistributions, type ToyName, toyNames } from "../../../core/data/toy.ts";
import { openDevice, randomKey, tf } from "../../../core/tensor/mod.ts";
import { fractionWithinModes, modeHistogram } from "../../../core/metrics/modes.ts";
import fixture from "../../fixtures/rings.json" with { type: "json" };
import { webgpuTest } from "../../webgpu.ts";
import { assertClose } from "../homotopy/numerics.ts";
import { estimate } from "./point_estimates.ts";

const n = 50_000;

async function draw(name: ToyName, count = n, seed = 3): Promise<Float32Array> {
  await openDevice("wasm");
  const samples = toyDistributions[name].sample(count, randomKey(seed));
  assertEquals(samples.shape, [count, 2]);
  return await samples.data<"float32">();
}

/** That the mean of f over the points is the expected one, to 4.5 standard errors. */
function assertMean(
  samples: Float32Array,
  f: (x: number, y: number) => number,
  expected: number,
  what: string,
): void {
  const { mean, error } = estimate(samples, f);
  assert(
    Math.abs(mean - expected) < 4.5 * error + 1e-9,
    `${what}: ${mean} ± ${error}, ${expected}`,
  );
}

/** The mean of f(t) for t uniform on [from, to], by Simpson's rule. */
function average(f: (t: number) => number, from: number, to: number): number {
  const steps = 2000, h = (to - from) / steps;
  let sum = 0;
  for (let i = 0; i <= steps; i++) {
    sum += (i === 0 || i === steps ? 1 : i % 2 ? 4 : 2) * f(from + i * h);
  }
  return sum / (3 * steps);
}

const spiral = (f: (x: number, y: number) => number) =>
  average((t) => f(t * Math.cos(t) / 3.5, t * Math.sin(t) / 3.5), 1.5 * Math.PI, 4.5 * Math.PI);

/** E x, E y, E x², E y², E xy in closed form (the spiral's by quadrature). */
const moments: Record<ToyName, [number, number, number, number, number]> = {
  "8gaussians": [0, 0, 3.6 ** 2 / 2 + 0.24 ** 2, 3.6 ** 2 / 2 + 0.24 ** 2, 0],
  "25gaussians": [0, 0, 2 * 1.8 ** 2 + 0.12 ** 2, 2 * 1.8 ** 2 + 0.12 ** 2, 0],
  "2moons": [
    0,
    0,
    2.4 ** 2 * (0.75 + 0.08 ** 2),
    2.4 ** 2 * (0.5625 - 1 / Math.PI + 0.08 ** 2),
    2.4 ** 2 * (0.125 - 1 / Math.PI),
  ],
  pinwheel: [0, 0, 2.8 ** 2 * (1.09 + 0.01) / 2, 2.8 ** 2 * (1.09 + 0.01) / 2, 0],
  checkerboard: [0, 0, 16 / 3, 16 / 3, 1],
  swissroll: [
    spiral((x) => x),
    spiral((_, y) => y),
    spiral((x) => x * x) + 0.15 ** 2,
    spiral((_, y) => y * y) + 0.15 ** 2,
    spiral((x, y) => x * y),
  ],
  rings: [0, 0, 0.9 ** 2 * 7.5 / 2 + 0.096 ** 2, 0.9 ** 2 * 7.5 / 2 + 0.096 ** 2, 0],
};

for (const name of toyNames) {
  Deno.test(`${name}: means and covariances are the closed forms, within about [−4, 4]²`, async () => {
    const samples = await draw(name);
    const [x, y, xx, yy, xy] = moments[name];
    assertMean(samples, (x) => x, x, "E x");
    assertMean(samples, (_, y) => y, y, "E y");
    assertMean(samples, (x) => x * x, xx, "E x²");
    assertMean(samples, (_, y) => y * y, yy, "E y²");
    assertMean(samples, (x, y) => x * y, xy, "E xy");
    const far = (x: number, y: number) => Math.abs(x) > 4.5 || Math.abs(y) > 4.5 ? 1 : 0;
    assert(estimate(samples, far).mean < 0.02);
  });
}

for (const name of ["8gaussians", "25gaussians"] as const) {
  Deno.test(`${name}: every mode has its share, and is as wide as it says`, async () => {
    const samples = await draw(name), mixture = toyDistributions[name].mixture!;
    const modes = mixture.means.length, share = modeHistogram(samples, mixture);
    const error = Math.sqrt(1 / modes * (1 - 1 / modes) / n);
    assert(share.every((s) => Math.abs(s - 1 / modes) < 4.5 * error), `${share}`);
    const expected = 1 - Math.exp(-4.5), within = fractionWithinModes(samples, mixture);
    const withinError = Math.sqrt(expected * (1 - expected) / n);
    assert(Math.abs(within - expected) < 4.5 * withinError, `${within}`);
  });
}

Deno.test("the eight modes are a circle of radius 3.6, the twenty-five a grid of spacing 1.8", () => {
  const ring = toyDistributions["8gaussians"].mixture!.means;
  assertClose(ring.map(([x, y]) => Math.hypot(x, y)), new Array(8).fill(3.6), 1e-15);
  assertClose(ring[1], [3.6 * Math.SQRT1_2, 3.6 * Math.SQRT1_2], 1e-15);
  const grid = toyDistributions["25gaussians"].mixture!.means;
  assertEquals(new Set(grid.map(([x, y]) => `${x / 1.8},${y / 1.8}`)).size, 25);
  assert(grid.flat().every((c) => [-2, -1, 0, 1, 2].includes(c / 1.8)));
});

Deno.test("2moons: the two moons are equally likely half circles of noise 0.08", async () => {
  const samples = (await draw("2moons")).map((c) => c / 2.4);
  // Distances to the half circles about (−1/2, −1/4), opening down, and (1/2, 1/4), opening up.
  const offset = (x: number, y: number, sign: number) => {
    const dx = sign * x + 0.5, dy = sign * y + 0.25;
    return dy > 0 ? Math.hypot(dx, dy) - 1 : Math.hypot(Math.abs(dx) - 1, dy);
  };
  const nearest = (x: number, y: number) =>
    Math.min(Math.abs(offset(x, y, 1)), Math.abs(offset(x, y, -1)));
  const isUpper = (x: number, y: number) =>
    Math.abs(offset(x, y, 1)) < Math.abs(offset(x, y, -1)) ? 1 : 0;
  assertMean(samples, isUpper, 0.5, "share of the upper moon");
  let most = 0;
  for (let i = 0; i < n; i++) most = Math.max(most, nearest(samples[2 * i], samples[2 * i + 1]));
  assert(most < 0.08 * 5.5, `${most}`);
});

Deno.test("pinwheel: five equal arms that turn with exp(radius)/4, clockwise as they go out", async () => {
  const samples = (await draw("pinwheel")).map((c) => c / 2.8);
  const arm = 2 * Math.PI / 5;
  const turned = (x: number, y: number) => Math.atan2(y, x) + 0.25 * Math.exp(Math.hypot(x, y));
  const residual = (x: number, y: number) => turned(x, y) - arm * Math.round(turned(x, y) / arm);
  // Uniform angles would have a mean square of (2π/5)²/12 = 0.13.
  const { mean } = estimate(samples, (x, y) => residual(x, y) ** 2);
  assert(mean < 0.03, `${mean}`);
  for (let k = 0; k < 5; k++) {
    const isArm = (x: number, y: number) => (Math.round(turned(x, y) / arm) + 10) % 5 === k ? 1 : 0;
    assertMean(samples, isArm, 0.2, `share of arm ${k}`);
  }
});

Deno.test("checkerboard: eight equal squares of one colour, uniform inside, none outside", async () => {
  const samples = await draw("checkerboard");
  const density = toyDistributions.checkerboard.density!(Float64Array.from(samples));
  assert(density.every((p) => p === 1 / 32));
  for (let column = -2; column < 2; column++) {
    for (let row = -2; row < 2; row++) {
      const isCell = (x: number, y: number) =>
        Math.floor(x / 2) === column && Math.floor(y / 2) === row ? 1 : 0;
      assertMean(samples, isCell, (column + row) % 2 === 0 ? 1 / 8 : 0, `cell ${column}, ${row}`);
    }
  }
  const inCell = (c: number) => c / 2 - Math.floor(c / 2);
  assertMean(samples, (x) => inCell(x), 1 / 2, "place in a cell, across");
  assertMean(samples, (_, y) => inCell(y), 1 / 2, "place in a cell, up");
  assertMean(samples, (x, y) => inCell(x) * inCell(y), 1 / 4, "places in a cell");
});

Deno.test("rings: four circles, equally likely, and the density that SciPy computes", async () => {
  const samples = await draw("rings");
  const ring = (x: number, y: number) => Math.round(Math.hypot(x, y) / 0.9);
  for (let k = 1; k <= 4; k++) {
    // The noise reaches a neighbour's half (0.45 away) once in 400,000 samples.
    assertMean(samples, (x, y) => ring(x, y) === k ? 1 : 0, 1 / 4, `share of ring ${k}`);
  }
  const density = toyDistributions.rings.density!(Float64Array.from(fixture.points));
  assertClose(density, fixture.density, 5e-7); // the error of the Bessel function's polynomial
});

Deno.test("densities are those of the samples: E p(x) is ∫ p², by the midpoint rule", async () => {
  for (const name of ["8gaussians", "25gaussians", "checkerboard", "rings"] as const) {
    const cells = 400, side = 10 / cells, grid = new Float64Array(2 * cells * cells);
    for (let i = 0; i < cells * cells; i++) {
      grid[2 * i] = (i % cells + 0.5) * side - 5;
      grid[2 * i + 1] = (Math.floor(i / cells) + 0.5) * side - 5;
    }
    const density = toyDistributions[name].density!;
    const p = density(grid);
    const total = p.reduce((sum, value) => sum + value, 0) * side ** 2;
    assert(Math.abs(total - 1) < 1e-6, `${name}: ∫ p = ${total}`);
    const squared = p.reduce((sum, value) => sum + value ** 2, 0) * side ** 2;
    const samples = await draw(name, 20_000);
    assertMean(samples, (x, y) => density(Float64Array.of(x, y))[0], squared, `${name}: E p`);
  }
});

Deno.test("few samples are a prefix of many, another seed draws others, one tensor is left", async () => {
  for (const name of toyNames) {
    const few = await draw(name, 10), many = await draw(name, 100);
    assertEquals(few, many.slice(0, 20), name);
    assert((await draw(name, 10, 4)).every((value, i) => value !== few[i]), name);
    const key = randomKey(1), before = tf.memory().numTensors;
    const samples = toyDistributions[name].sample(5, key);
    assertEquals(tf.memory().numTensors, before + 1, name);
    samples.dispose();
  }
});

Deno.test("drawing samples reads no tensor on the host", async () => {
  await openDevice("wasm");
  const key = randomKey(1);
  const { dataSync, data } = tf.Tensor.prototype;
  const refuse = () => {
    throw new Error("read");
  };
  Object.assign(tf.Tensor.prototype, { dataSync: refuse, data: refuse });
  try {
    for (const name of toyNames) toyDistributions[name].sample(5, key).dispose();
  } finally {
    Object.assign(tf.Tensor.prototype, { dataSync, data });
  }
});

webgpuTest(
  "the samples are those of the cpu to float32 rounding, and a prefix of more",
  async () => {
    const drawn = new Map<ToyName, Float32Array>();
    for (const name of toyNames) {
      const distribution = toyDistributions[name];
      const many = await distribution.sample(300, randomKey(8)).data<"float32">();
      const few = await distribution.sample(30, randomKey(8)).data<"float32">();
      assertEquals(few, many.slice(0, 60), name);
      drawn.set(name, many);
    }
    await openDevice("cpu");
    for (const name of toyNames) {
      const expected = await toyDistributions[name].sample(300, randomKey(8)).data();
      assertClose(drawn.get(name)!, expected, 1e-4);
    }
  },
);
