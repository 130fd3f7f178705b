import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import * as fc from "fast-check";
import { NonFiniteError, VapoError } from "../../../core/errors.ts";
import { featureStatistics } from "../../../core/metrics/feature_statistics.ts";
import {
  askSciPy,
  recordedFeatureMetrics,
  referenceFeatures,
} from "../../reference/feature_metrics.ts";
import { digest } from "../../reference/pytorch.ts";
import { assertClose } from "../homotopy/numerics.ts";

Deno.test("the reference's features are the same numbers here", () => {
  assertClose(
    digest(referenceFeatures(20, 10, 3, 0.5)),
    recordedFeatureMetrics.features,
    1e-15,
  );
});

Deno.test("mean and covariance are NumPy's, far from the origin too", async () => {
  const statistics = await askSciPy("statistics") ?? recordedFeatureMetrics.statistics;
  const plain = referenceFeatures(500, 30, 5);
  const far = plain.map((x) => Math.fround(x) + 4096);
  for (const [features, expected] of [[plain, statistics.plain], [far, statistics.far]] as const) {
    const { mean, covariance, count } = await featureStatistics(features, 30);
    assertClose(digest(mean), expected.mean, 1e-14);
    assertClose(digest(covariance), expected.covariance, 1e-13);
    assertEquals(count, 500);
  }
});

Deno.test("constant features, and sums that float32 would not hold", async () => {
  const n = 1000;
  const features = Float32Array.from({ length: 3 * n }, (_, i) => {
    return [0.1, 16_777_216 + (i % 2 ? 2 : -2), i % 2][i % 3];
  });
  const { mean, covariance } = await featureStatistics(features, 3);
  assertEquals(mean[0], Math.fround(0.1));
  assertEquals([covariance[0], covariance[1], covariance[2]], [0, 0, 0]);
  assertEquals(mean[1], 16_777_216);
  assertAlmostEquals(covariance[4], 4 * n / (n - 1), 1e-12);
  assertAlmostEquals(covariance[8], 0.25 * n / (n - 1), 1e-14);
});

Deno.test("parts of any sizes, one after another or asynchronously", async () => {
  const d = 7, features = referenceFeatures(700, d, 1, 3);
  const whole = await featureStatistics(features, d);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 6 }), async (cuts) => {
      const ends = [0, ...cuts.sort((a, b) => a - b), 700];
      const parts = ends.slice(1).map((end, i) => features.subarray(ends[i] * d, end * d));
      const found = await featureStatistics(parts, d);
      assertEquals(found.count, 700);
      assertClose(found.mean, whole.mean, 1e-14);
      assertClose(found.covariance, whole.covariance, 1e-13);
    }),
    { numRuns: 10 },
  );
  async function* stream() {
    yield features.subarray(0, 40 * d);
    await Promise.resolve();
    yield features.subarray(40 * d);
  }
  const streamed = await featureStatistics(stream(), d);
  assertClose(streamed.covariance, whole.covariance, 1e-13);
});

Deno.test("the same bits on one thread and on two; progress in rows", async () => {
  const d = 130, features = referenceFeatures(500, d, 2);
  const told: [number, number][] = [];
  const one = await featureStatistics(features, d, {
    threads: 1,
    onProgress: (done, total) => told.push([done, total]),
  });
  const two = await featureStatistics(features, d, { threads: 2 });
  assertEquals([...two.covariance], [...one.covariance]);
  assertEquals([...two.mean], [...one.mean]);
  assertEquals(told.at(-1), [500, 500]);
  assert(told.length > 1 && told.every(([done], i) => i === 0 || done > told[i - 1][0]));
});

Deno.test("too few, broken and infinite features are refused; an abort ends the sum", async () => {
  const refused = (features: Float32Array | Float32Array[], d: number, message: string) =>
    assertRejects(() => featureStatistics(features, d), VapoError, message);
  await refused(Float32Array.of(1, 2, 3), 2, "3 numbers are not whole samples of dimension 2");
  await refused(Float32Array.of(1, 2), 2, "1 samples given; expected at least 2");
  await refused([], 2, "0 samples given; expected at least 2");
  await refused([Float32Array.of(1, 2)], 2, "1 samples given; expected at least 2");
  await assertRejects(
    () => featureStatistics([Float32Array.of(1, 2, 3, NaN)], 2),
    NonFiniteError,
    "sample 1 holds NaN",
  );
  const controller = new AbortController();
  const features = referenceFeatures(1000, 3, 1);
  const onProgress = () => controller.abort(new Error("enough"));
  await assertRejects(
    () => featureStatistics(features, 3, { signal: controller.signal, onProgress }),
    Error,
    "enough",
  );
});
