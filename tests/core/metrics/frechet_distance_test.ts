import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import * as fc from "fast-check";
import { NonFiniteError, VapoError } from "../../../core/errors.ts";
import { featureStatistics } from "../../../core/metrics/feature_statistics.ts";
import {
  frechetDistance,
  type GaussianStatistics,
} from "../../../core/metrics/frechet_distance.ts";
import {
  askSciPy,
  doubled,
  recordedFeatureMetrics,
  referenceFeatures,
} from "../../reference/feature_metrics.ts";
import { seededNormals } from "../homotopy/numerics.ts";

/** The features of the reference's cases, and their dimension. */
const cases: Record<
  keyof typeof recordedFeatureMetrics.frechet,
  [Float32Array, Float32Array, number]
> = {
  "more samples than features": [
    referenceFeatures(300, 64, 1),
    referenceFeatures(500, 64, 2, 0.25),
    64,
  ],
  "fewer samples than features": [
    referenceFeatures(50, 128, 1),
    referenceFeatures(40, 128, 2, 0.25),
    128,
  ],
  "one set of fewer, one of more": [
    referenceFeatures(100, 128, 1),
    referenceFeatures(300, 128, 2, 0.25),
    128,
  ],
  "duplicated features": [
    doubled(referenceFeatures(400, 40, 1), 40),
    doubled(referenceFeatures(300, 40, 2, 0.25), 40),
    80,
  ],
  "2048 features, duplicated": [
    doubled(referenceFeatures(300, 1024, 1), 1024),
    referenceFeatures(200, 2048, 2, 0.25),
    2048,
  ],
  "tiny": [referenceFeatures(5, 8, 1), referenceFeatures(4, 8, 2, 0.25), 8],
};

async function distanceOf(name: keyof typeof cases): Promise<number> {
  const [x, y, d] = cases[name];
  return await frechetDistance(await featureStatistics(x, d), await featureStatistics(y, d));
}

function assertRelative(actual: number, expected: number, tolerance: number, what = ""): void {
  assert(Math.abs(actual / expected - 1) < tolerance, `${what}: ${actual}, not ${expected}`);
}

/**
 * The reference is NumPy's singular values of the centred features themselves: of singular covariances
 * `scipy.linalg.sqrtm` and the eigenvalues' roots have lost half of their digits.
 */
Deno.test("distances are NumPy's, of singular covariances too", async () => {
  const frechet = await askSciPy("frechet") ?? recordedFeatureMetrics.frechet;
  for (const [name, expected] of Object.entries(frechet)) {
    const found = await distanceOf(name as keyof typeof cases);
    assertRelative(found, expected.features, 1e-11, name);
    const recorded = recordedFeatureMetrics.frechet[name as keyof typeof cases];
    assertRelative(found, recorded.eigh, 1e-6, `${name}, eigh`);
    assertRelative(found, recorded.sqrtm, 1e-6, `${name}, sqrtm`);
  }
  assertRelative(await distanceOf("tiny"), recordedFeatureMetrics.digits, 1e-14, "40 digits");
});

Deno.test("Gaussians whose covariances commute, and others, in closed form", async () => {
  // Diagonal ones: Σ (μ₁ − μ₂)² + (σ₁ − σ₂)², a variance of zero among them.
  const diagonal = (mean: number[], deviations: number[]): GaussianStatistics => ({
    mean: Float64Array.from(mean),
    covariance: Float64Array.from(
      { length: 9 },
      (_, i) => i % 4 === 0 ? deviations[i / 4] ** 2 : 0,
    ),
  });
  const a = diagonal([1, 2, 3], [1, 2, 0]), b = diagonal([1, 0, 0], [3, 0, 5]);
  assertAlmostEquals(await frechetDistance(a, b), 13 + 4 + 4 + 25, 1e-13);
  // In the plane tr √(Σ₁Σ₂) = √(tr Σ₁Σ₂ + 2 √(det Σ₁ det Σ₂)).
  const first = { mean: Float64Array.of(0, 1), covariance: Float64Array.of(2, 1, 1, 3) };
  const second = { mean: Float64Array.of(1, 3), covariance: Float64Array.of(4, -1, -1, 1) };
  const product = 2 * 4 - 1 - 1 + 3, determinants = 5 * 3;
  assertAlmostEquals(
    await frechetDistance(first, second),
    5 + 5 + 5 - 2 * Math.sqrt(product + 2 * Math.sqrt(determinants)),
    1e-13,
  );
});

/** XᵀX/n of n random points. */
function randomCovariance(d: number, n: number, seed: number): Float64Array {
  const x = seededNormals(n * d, seed);
  return Float64Array.from({ length: d * d }, (_, at) => {
    const i = Math.floor(at / d), j = at % d;
    let sum = 0;
    for (let k = 0; k < n; k++) sum += x[k * d + i] * x[k * d + j];
    return sum / n;
  });
}

/** μ → Hμ, Σ → HΣHᵀ with the reflection H = I − 2wwᵀ. */
function reflected({ mean, covariance }: GaussianStatistics, seed: number): GaussianStatistics {
  const d = mean.length, w = seededNormals(d, seed);
  const squares = w.reduce((sum, x) => sum + x * x, 0);
  const reflect = (vector: Float64Array) => {
    const along = 2 * vector.reduce((sum, x, i) => sum + x * w[i], 0) / squares;
    return vector.map((x, i) => x - along * w[i]);
  };
  const turned = covariance.slice();
  for (const step of [0, 1]) {
    for (let i = 0; i < d; i++) {
      const at = (j: number) => step === 0 ? i * d + j : j * d + i;
      reflect(mean.map((_, j) => turned[at(j)])).forEach((x, j) => turned[at(j)] = x);
    }
  }
  return { mean: reflect(mean), covariance: turned };
}

Deno.test("rotated and exchanged distances are the same; of a set to itself it is nothing", async () => {
  const rank = fc.integer({ min: 1, max: 45 });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 2, max: 30 }), rank, rank, async (d, m, n) => {
      const of = (samples: number, seed: number) => ({
        mean: seededNormals(d, seed),
        covariance: randomCovariance(d, samples, seed + 1),
      });
      const a = of(m, d), b = of(n, 100 + d);
      const found = await frechetDistance(a, b);
      assert(found > 0);
      assertRelative(await frechetDistance(b, a), found, 1e-12);
      // A reflection's rounding in what was exactly singular is worth 1e-16, its root 1e-8.
      const tolerance = Math.min(m, n) < d ? 1e-6 : 1e-11;
      const turned = await frechetDistance(reflected(a, 7), reflected(b, 7));
      assertRelative(turned, found, tolerance, `${[d, m, n]}`);
      const traces = a.covariance.reduce((sum, x, i) => i % (d + 1) === 0 ? sum + x : sum, 0);
      const itself = await frechetDistance(a, a);
      assert(Math.abs(itself) < 1e-13 * traces, `${itself} of ${traces}`);
    }),
    { numRuns: 15 },
  );
});

Deno.test("scaled features: the square of the scale", async () => {
  const d = 30;
  const distance = (scale: number) => {
    const of = (n: number, seed: number) => ({
      mean: seededNormals(d, seed).map((x) => x * scale),
      covariance: randomCovariance(d, n, seed).map((x) => x * scale ** 2),
    });
    return frechetDistance(of(20, 1), of(50, 2));
  };
  const one = await distance(1);
  assertRelative(await distance(1e-20) * 1e40, one, 1e-12);
  assertRelative(await distance(1e20) / 1e40, one, 1e-12);
});

Deno.test("the same bits on one thread and on two; progress from start to end", async () => {
  const [x, y, d] = cases["one set of fewer, one of more"];
  const a = await featureStatistics(x, d), b = await featureStatistics(y, d);
  const told: number[] = [];
  const one = await frechetDistance(a, b, {
    threads: 1,
    onProgress: (done, total) => told.push(done / total),
  });
  assertEquals(await frechetDistance(a, b, { threads: 2 }), one);
  assert(told.every((part, i) => i === 0 || part >= told[i - 1]) && told[0] >= 0);
  assertEquals(told.at(-1), 1);
});

Deno.test("what is no covariance is refused; an abort ends the computation", async () => {
  const good = { mean: Float64Array.of(0, 0), covariance: Float64Array.of(1, 0, 0, 1) };
  const refused = (mean: number[], covariance: number[], message: string) =>
    assertRejects(
      () =>
        frechetDistance(good, {
          mean: Float64Array.from(mean),
          covariance: Float64Array.from(covariance),
        }),
      VapoError,
      message,
    );
  await refused([0], [1], "statistics are of 2 and 1 features");
  await refused([0, 0], [1, 0, 0], "2 means and a covariance of 3 numbers");
  await refused([], [], "0 means");
  await refused([0, 0], [1, 0.5, 0.2, 1], "0.2 at [1, 0] and 0.5 at [0, 1] of their covariance");
  await refused([0, 0], [1, 0, 0, -1], "a variance of -1 at [1, 1]");
  await assertRejects(
    () => frechetDistance({ ...good, mean: Float64Array.of(0, NaN) }, good),
    NonFiniteError,
    "the first statistics hold NaN in their mean",
  );
  await assertRejects(
    () => frechetDistance(good, good, { signal: AbortSignal.abort(new Error("enough")) }),
    Error,
    "enough",
  );
});
