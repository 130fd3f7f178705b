import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import * as fc from "fast-check";
import { ConfigError, NonFiniteError, VapoError } from "../../../core/errors.ts";
import { kernelDistance, randomSubset } from "../../../core/metrics/kernel_distance.ts";
import {
  askSciPy,
  recordedFeatureMetrics,
  referenceFeatures,
} from "../../reference/feature_metrics.ts";
import { assertClose } from "../homotopy/numerics.ts";

Deno.test("distances over the same subsets are NumPy's", async () => {
  const kernel = await askSciPy("kernel") ?? recordedFeatureMetrics.kernel;
  const narrow = await kernelDistance(
    referenceFeatures(60, 20, 1),
    referenceFeatures(50, 20, 2, 0.25),
    20,
    { subsets: 6, subsetSize: 30, seed: 7 },
  );
  const wide = await kernelDistance(
    referenceFeatures(400, 300, 1),
    referenceFeatures(300, 300, 2, 2),
    300,
    { subsets: 3, subsetSize: 200, seed: 8 },
  );
  for (const [found, expected] of [[narrow, kernel.narrow], [wide, kernel.wide]] as const) {
    assertClose(found.values, expected.values, 1e-12);
    assertAlmostEquals(found.mean, expected.mean, 1e-12);
    assertAlmostEquals(found.standardDeviation, expected.std, 1e-12);
    const { length } = expected.values;
    assertAlmostEquals(found.standardError, expected.std / Math.sqrt(length - 1), 1e-12);
  }
});

Deno.test("unbiased: of one distribution zero within its error, of another as the closed form", async () => {
  // For uniform draws on ±√3 in one dimension E x = 0, E x² = 1: E (xy + 1)³ = 1 + 3 + E²x³ … = 4,
  // and shifted by c each way E ((x + c)(y + c) + 1)³ by its moments.
  const n = 4000, root = Math.sqrt(3);
  const draws = (seed: number) =>
    Float64Array.from(referenceUniform(n, seed), (u) => root * (2 * u - 1));
  const x = draws(1), y = draws(2), options = { subsets: 40, subsetSize: 100 };
  const same = await kernelDistance(x, y, 1, options);
  assert(Math.abs(same.mean) < 5 * same.standardError, `${same.mean} ± ${same.standardError}`);
  const c = 0.5, shifted = await kernelDistance(x, y.map((value) => value + c), 1, options);
  // Moments 1, 2 and 3 of x, then of x + c: E(xy+1)³ = 1 + 3 m₁m₁′ + 3 m₂m₂′ + m₃m₃′.
  const p = [0, 1, 0], q = [c, 1 + c * c, 3 * c + c ** 3];
  const expected = 3 * (p[0] - q[0]) ** 2 + 3 * (p[1] - q[1]) ** 2 + (p[2] - q[2]) ** 2;
  const error = Math.abs(shifted.mean - expected);
  assert(error < 5 * shifted.standardError, `${shifted.mean}, not ${expected}`);
});

/** n uniform draws, from the differences of the reference's. */
function referenceUniform(n: number, seed: number): number[] {
  // The first feature is (u + u′ − 1)/4: its distribution function makes it uniform again.
  return Array.from(referenceFeatures(n, 1, seed), (feature) => {
    const s = 4 * feature;
    return s < 0 ? (1 + s) ** 2 / 2 : 1 - (1 - s) ** 2 / 2;
  });
}

Deno.test("a subset has different numbers in range, and is a function of its key", () => {
  fc.assert(fc.property(
    fc.integer({ min: 1, max: 300 }),
    fc.nat(),
    fc.nat({ max: 2 ** 40 }),
    (count, size, seed) => {
      const taken = size % (count + 1), key = { seed, subset: 3, set: 0 };
      const subset = randomSubset(count, taken, key);
      assertEquals(new Set(subset).size, taken);
      assert(subset.every((i) => i >= 0 && i < count));
      assertEquals(randomSubset(count, taken, key), subset);
    },
  ));
  const of = (key: Partial<{ seed: number; subset: number; set: number }>) =>
    randomSubset(1000, 20, { seed: 1, subset: 1, set: 0, ...key }).join();
  const all = [{}, { seed: 2 }, { seed: 1 + 2 ** 32 }, { subset: 2 }, { set: 1 }].map(of);
  assertEquals(new Set(all).size, 5);
});

Deno.test("each number is in a subset as often as any other", () => {
  const times = new Float64Array(20);
  for (let subset = 0; subset < 4000; subset++) {
    for (const i of randomSubset(20, 5, { seed: 3, subset, set: 0 })) times[i]++;
  }
  // Each 1,000 times, with a standard deviation of 27.
  assert(times.every((count) => Math.abs(count - 1000) < 5 * 27.4), `${times}`);
});

Deno.test("the same bits on one thread and on two; progress in subsets", async () => {
  const x = referenceFeatures(150, 70, 1), y = referenceFeatures(150, 70, 2);
  const told: number[] = [];
  const options = { subsets: 3, subsetSize: 130 };
  const one = await kernelDistance(x, y, 70, {
    ...options,
    threads: 1,
    onProgress: (done, total) => told.push(done / total),
  });
  assertEquals((await kernelDistance(x, y, 70, { ...options, threads: 2 })).values, one.values);
  assertEquals(told, [1 / 3, 2 / 3, 1]);
});

Deno.test("wrong options and features are refused; an abort ends it", async () => {
  const x = referenceFeatures(10, 2, 1), y = referenceFeatures(8, 2, 2);
  const refused = (options: Parameters<typeof kernelDistance>[3], message: string) =>
    assertRejects(() => kernelDistance(x, y, 2, options), ConfigError, message);
  await refused({ subsets: 0 }, "subsets is 0");
  await refused({ subsetSize: 1 }, "subsetSize is 1");
  await refused({ seed: -1 }, "seed is -1");
  await assertRejects(
    () => kernelDistance(x, y, 2, { subsetSize: 9 }),
    VapoError,
    "8 samples given; expected at least the 9 of a subset",
  );
  await assertRejects(() => kernelDistance(x, y, 3), VapoError, "not whole samples");
  await assertRejects(
    () => kernelDistance(x, y.map(() => Infinity), 2, { subsetSize: 4 }),
    NonFiniteError,
  );
  const controller = new AbortController();
  const onProgress = () => controller.abort(new Error("enough"));
  await assertRejects(
    () => kernelDistance(x, y, 2, { subsetSize: 4, signal: controller.signal, onProgress }),
    Error,
    "enough",
  );
});
