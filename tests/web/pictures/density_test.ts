import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import {
  bandwidthAt,
  blurred,
  flowBandwidths,
  particleBandwidth,
  particleDensity,
  scottBandwidth,
} from "../../../web/pictures/density.ts";
import { cellCentre } from "../../../web/pictures/grid.ts";
import { gridOf, normals, straightFlow } from "./known_fields.ts";

const gaussian = (x: number, y: number, std: number) =>
  Math.exp(-(x * x + y * y) / (2 * std * std)) / (2 * Math.PI * std * std);

Deno.test("one particle is the kernel itself", () => {
  const grid = { size: 80, extent: 3 };
  const h = 0.4;
  const place = cellCentre(grid, 46);
  const density = particleDensity([place, -place], grid, h);
  const exact = gridOf(80, 3, (x, y) => gaussian(x - place, y + place, h));
  exact.forEach((value, i) => assertAlmostEquals(density[i], value, 1e-3 * gaussian(0, 0, h)));
});

Deno.test("the mass is 1, and the share of what lies inside", () => {
  const grid = { size: 64, extent: 5 };
  const cell = (10 / 64) ** 2;
  const mass = (points: ArrayLike<number>) =>
    particleDensity(points, grid, 0.3).reduce((a, b) => a + b) * cell;
  assertAlmostEquals(mass(normals(1000)), 1, 1e-6);
  assertAlmostEquals(mass([0, 0, 99, 99]), 0.5, 1e-6);
  assertAlmostEquals(mass([0, 0, NaN, 1]), 1, 1e-6);
});

Deno.test("many particles of a Gaussian are that Gaussian, blurred by the kernel", () => {
  const grid = { size: 48, extent: 4 };
  const density = particleDensity(normals(80_000), grid, 0.5);
  const exact = gridOf(48, 4, (x, y) => gaussian(x, y, Math.sqrt(1 + 0.25)));
  exact.forEach((value, i) => assertAlmostEquals(density[i], value, 0.004));
});

Deno.test("blurring on the grid agrees with the closed form", () => {
  const grid = { size: 64, extent: 5 };
  const out = blurred(gridOf(64, 5, (x, y) => gaussian(x - 1, y, 0.7)), grid, 0.5);
  const exact = gridOf(64, 5, (x, y) => gaussian(x - 1, y, Math.hypot(0.7, 0.5)));
  exact.forEach((value, i) => assertAlmostEquals(out[i], value, 1e-4));
});

Deno.test("Scott's rule on a Gaussian, whatever strays", () => {
  const points = normals(8000, 5).map((v) => 3 * v);
  assertAlmostEquals(scottBandwidth(points), 3 * 4000 ** (-1 / 6), 0.03 * 0.75);
  const stray = Float32Array.from(points);
  for (let i = 0; i < 40; i++) stray[i] = 1e6;
  assertAlmostEquals(scottBandwidth(stray), scottBandwidth(points), 0.02);
  assertEquals(scottBandwidth([1, 2, 1, 2]), 0);
  assertEquals(scottBandwidth([]), 0);
});

Deno.test("the kernel of a Gaussian is near Scott's, that of many narrow ones far below", () => {
  const noise = normals(4000, 3);
  const scott = scottBandwidth(noise);
  const one = particleBandwidth(noise);
  assert(one > 0.5 * scott && one <= scott, `${one} of ${scott}`);
  const eight = noise.map((v, i) => {
    const angle = Math.PI / 4 * ((i >> 1) % 8);
    return 0.2 * v + 4 * (i % 2 === 0 ? Math.cos(angle) : Math.sin(angle));
  });
  // Each is 250 particles of a spread of 0.2: 0.08 is best; 0.8 is Scott's.
  const narrow = particleBandwidth(eight);
  assert(narrow > 0.04 && narrow < 0.14, `${narrow}`);
});

Deno.test("the kernel scales with the particles, and needs some that are apart", () => {
  const noise = normals(1200, 8);
  const tenfold = particleBandwidth(noise.map((v) => 10 * v));
  assertAlmostEquals(tenfold / particleBandwidth(noise), 10, 0.05);
  assertEquals(particleBandwidth([]), 0);
  assertEquals(particleBandwidth(new Float32Array(200)), 0);
  // At least half a cell is taken, so that even these are seen.
  const grid = { size: 32, extent: 2 };
  assert(particleDensity(new Float32Array(200), grid).every(Number.isFinite));
});

Deno.test("the kernel of a flow is continuous in time and that of its frames", () => {
  const noise = normals(600, 4);
  const starts = Array.from({ length: 300 }, (_, i) => [noise[2 * i], noise[2 * i + 1]] as const);
  const times = Array.from({ length: 13 }, (_, k) => k / 12);
  // Everything shrinks to half.
  const flow = straightFlow(starts, starts.map(([x, y]) => [-x / 2, -y / 2] as const), times);
  const bandwidths = flowBandwidths(flow);
  const first = bandwidthAt(bandwidths, 0);
  assertAlmostEquals(first, particleBandwidth(noise), 1e-9);
  assertAlmostEquals(bandwidthAt(bandwidths, 1) / first, 0.5, 0.01);
  for (let u = 0; u < 1; u += 0.01) {
    const step = bandwidthAt(bandwidths, u + 0.01) - bandwidthAt(bandwidths, u);
    assert(Math.abs(step) < 0.05 * first);
  }
  assertEquals(bandwidthAt(bandwidths, 7), bandwidthAt(bandwidths, 1));
});
