import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import * as fc from "fast-check";
import { ConfigError, NonFiniteError, VapoError } from "../../../core/errors.ts";
import { type PrecisionRecall, precisionRecall } from "../../../core/metrics/precision_recall.ts";
import {
  askSciPy,
  recordedFeatureMetrics,
  referenceFeatures,
} from "../../reference/feature_metrics.ts";
import { seededNormals } from "../homotopy/numerics.ts";

function assertSame(found: PrecisionRecall, expected: PrecisionRecall): void {
  for (const key of ["precision", "recall", "density", "coverage"] as const) {
    assertAlmostEquals(found[key], expected[key], 1e-12, key);
  }
}

Deno.test("all four are those of the package prdc, ties included", async () => {
  const prdc = await askSciPy("prdc") ?? recordedFeatureMetrics.prdc;
  const plane = [referenceFeatures(90, 2, 1), referenceFeatures(70, 2, 2, 1)] as const;
  assertSame(await precisionRecall(...plane, 2, { neighbours: 3 }), prdc.plane);
  const wide = [referenceFeatures(120, 40, 1), referenceFeatures(110, 40, 2, 0.5)] as const;
  assertSame(await precisionRecall(...wide, 40), prdc.wide);
  // On a grid.
  const grid = (n: number, seed: number) =>
    referenceFeatures(n, 2, seed).map((x) => Math.round(2 * x));
  assertSame(await precisionRecall(grid(90, 1), grid(80, 2), 2, { neighbours: 4 }), prdc.ties);
});

/** The definitions, distance by distance. */
function plainly(real: number[][], fake: number[][], k: number): PrecisionRecall {
  const squared = (x: number[], y: number[]) => x.reduce((sum, xi, i) => sum + (xi - y[i]) ** 2, 0);
  const radii = (points: number[][]) =>
    points.map((x) => points.map((y) => squared(x, y)).sort((a, b) => a - b)[k]);
  const realRadii = radii(real), fakeRadii = radii(fake);
  const inReal = fake.map((y) => real.filter((x, i) => squared(x, y) < realRadii[i]).length);
  const mean = (values: readonly (number | boolean)[]) =>
    values.reduce<number>((sum, value) => sum + Number(value), 0) / values.length;
  return {
    precision: mean(inReal.map((count) => count > 0)),
    recall: mean(real.map((x) => fake.some((y, j) => squared(x, y) < fakeRadii[j]))),
    density: mean(inReal) / k,
    coverage: mean(real.map((x, i) => fake.some((y) => squared(x, y) < realRadii[i]))),
  };
}

Deno.test("points on a small grid, where most distances are ties and many points the same", async () => {
  const cell = fc.integer({ min: -2, max: 2 });
  const points = fc.array(fc.tuple(cell, cell, cell), { minLength: 4, maxLength: 25 });
  await fc.assert(
    fc.asyncProperty(points, points, fc.integer({ min: 1, max: 3 }), async (real, fake, k) => {
      const flat = (list: number[][]) => Float32Array.from(list.flat());
      const found = await precisionRecall(flat(real), flat(fake), 3, { neighbours: k });
      assertSame(found, plainly(real, fake, k));
    }),
    { numRuns: 25 },
  );
});

Deno.test("samples that are the data: each is at a distance of exactly 0 from its original", async () => {
  const d = 50, x = referenceFeatures(60, d, 4);
  const { precision, recall, coverage, density } = await precisionRecall(x, x, d, {
    neighbours: 2,
  });
  assertEquals([precision, recall, coverage], [1, 1, 1]);
  // A ball has its own point's copy and the nearest neighbour's; the second's is on its surface.
  assertAlmostEquals(density, 1, 1e-12);
});

Deno.test("many blocks of points: with the definition, on one thread and on two", async () => {
  const rows = (values: Float64Array) =>
    Array.from({ length: values.length / 3 }, (_, i) => [...values.subarray(3 * i, 3 * i + 3)]);
  const real = seededNormals(3 * 1100, 1), fake = seededNormals(3 * 1100, 2).map((x) => 1.3 * x);
  const told: [number, number][] = [];
  const found = await precisionRecall(real, fake, 3, {
    threads: 1,
    onProgress: (done, total) => told.push([done, total]),
  });
  assertSame(found, plainly(rows(real), rows(fake), 5));
  assertEquals(await precisionRecall(real, fake, 3, { threads: 2 }), found);
  assertEquals(told.at(-1), [10, 10]);
  assertEquals(told.length, 10);
});

Deno.test("samples of the same distribution have a density and a coverage as the paper says", async () => {
  // Naeem et al. 2020, section 3: E density = 1, and for as many samples as data E coverage → 1 − 2^−k.
  const n = 1500, k = 5;
  const of = (seed: number) => seededNormals(4 * n, seed);
  const { density, coverage } = await precisionRecall(of(5), of(6), 4, { neighbours: k });
  assertAlmostEquals(coverage, 1 - 2 ** -k, 0.02);
  assert(Math.abs(density - 1) < 0.1, `${density}`);
});

Deno.test("wrong neighbours and features are refused; an abort ends it", async () => {
  const x = referenceFeatures(10, 2, 1), y = referenceFeatures(5, 2, 2);
  await assertRejects(
    () => precisionRecall(x, y, 2),
    VapoError,
    "5 samples given; expected more than the 5 neighbours",
  );
  await assertRejects(
    () => precisionRecall(x, y, 2, { neighbours: 1.5 }),
    ConfigError,
    "neighbours is 1.5",
  );
  await assertRejects(() => precisionRecall(x, y, 3), VapoError, "not whole samples");
  await assertRejects(
    () => precisionRecall(x, y.map(() => NaN), 2, { neighbours: 1 }),
    NonFiniteError,
  );
  await assertRejects(
    () =>
      precisionRecall(x, y, 2, {
        neighbours: 1,
        signal: AbortSignal.abort(new Error("enough")),
      }),
    Error,
    "enough",
  );
});
