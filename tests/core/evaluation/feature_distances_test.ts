import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { decode } from "fast-png";
import { VapoError } from "../../../core/errors.ts";
import type { EvaluationContext } from "../../../core/evaluation/context.ts";
import {
  frechetReport,
  kernelReport,
  precisionRecallReport,
  scoreReport,
} from "../../../core/evaluation/feature_distances.ts";
import type { SplitImages } from "../../../core/evaluation/images.ts";
import type { MetricSettings } from "../../../core/evaluation/metric_settings.ts";
import { metrics } from "../../../core/evaluation/metrics.ts";
import type { FeatureNetworkName } from "../../../core/metrics/feature_network.ts";

/** Points around a circle, which no two of are the same: [n, 2]. */
function circle(n: number, radius = 1, centre = [0, 0]): Float32Array {
  return Float32Array.from({ length: 2 * n }, (_, i) => {
    const angle = 2 * Math.PI * (i >> 1) / n;
    return centre[i % 2] + radius * (i % 2 ? Math.sin(angle) : Math.cos(angle));
  });
}

/** A context in which features are given, of the training set, of held-out images and of samples. */
function contextOf(
  features: { train: Float32Array; heldOut?: Float32Array; samples: Float32Array },
  { name = "inception-v3-fid", logits = new Float32Array() }: {
    name?: FeatureNetworkName;
    logits?: Float32Array;
  } = {},
): EvaluationContext {
  const network = { name, label: "a network", size: 2, classes: 2 };
  const sets: Record<string, Float32Array | undefined> = {
    "set train": features.train,
    "set test": features.heldOut,
  };
  const split = (split: string, limit = Infinity) => {
    const name = split === "train" ? "set train" : "set test", values = sets[name];
    if (!values) return Promise.reject(new VapoError("there are none"));
    const available = values.length / 2, count = Math.min(limit, available);
    return Promise.resolve({ name, count, available } as SplitImages);
  };
  return {
    sampling: { seed: 3 },
    network: () => Promise.resolve({ network, sha256: "cafe" }),
    split,
    splitFeatures: ({ name, count }: SplitImages) =>
      Promise.resolve(sets[name]!.subarray(0, 2 * count)),
    sampleFeatures: (n: number) =>
      Promise.resolve({ features: features.samples.subarray(0, 2 * n), logits }),
    sampleImages: (n: number) =>
      Promise.resolve({ pixels: new Uint8Array(n * 4).fill(255), count: n, shape: [2, 2, 1] }),
    progress: () => () => {},
  } as unknown as EvaluationContext;
}

Deno.test("samples that are training features moved have the square of the way as Fréchet distance", async () => {
  const context = contextOf({ train: circle(60), samples: circle(60, 1, [3, 4]) });
  const { measurements, notes, pictures } = await frechetReport(context, 60, { split: "train" });
  const { width, data } = decode(pictures[0].content as Uint8Array);
  assert(width > 16 && data.some((byte) => byte === 255));
  assertEquals(measurements.map(({ name, better }) => [name, better]), [["fid", "lower"]]);
  assertAlmostEquals(measurements[0].value, 25, 1e-4);
  assert(notes[0].includes("60 samples against set train (60 images)"));
});

Deno.test("circles of two radii have the difference of their deviations as Fréchet distance", async () => {
  const n = 90, heldOut = circle(n, 1.5);
  const context = contextOf({ train: circle(n), samples: circle(n, 3), heldOut });
  const { measurements } = await frechetReport(context, n, { split: "train" });
  // Σ = r²/2 · n/(n − 1) · I in two dimensions: 2 (σ₁ − σ₂)².
  const expected = (r: number) => (r - 1) ** 2 * n / (n - 1);
  assertAlmostEquals(measurements[0].value, expected(3), 1e-5);
  assertEquals(measurements[1].name, "held-out");
  assertAlmostEquals(measurements[1].value, expected(1.5), 1e-5);
});

Deno.test("statistics from a file are compared with in place of images, where they are of the features", async () => {
  const context = contextOf({ train: circle(9), samples: circle(60) });
  const unit = (n: number) => ({
    mean: new Float64Array(n),
    covariance: Float64Array.from({ length: n * n }, (_, i) => i % (n + 1) === 0 ? 1 : 0),
    name: "mine.npz",
    sha256: "f00d",
  });
  const { measurements, notes } = await frechetReport(context, 60, {
    split: "train",
    statistics: unit(2),
  });
  // Against N(0, I): 2 (σ − 1)².
  const sigma = Math.sqrt(0.5 * 60 / 59);
  assertAlmostEquals(measurements[0].value, 2 * (sigma - 1) ** 2, 1e-5);
  assert(notes[0].includes("mine.npz"));
  await assertRejects(
    () => frechetReport(context, 60, { split: "train", statistics: unit(3) }),
    VapoError,
    "mine.npz has statistics of 3 features: expected 2",
  );
  const other = { ...unit(2), network: { name: "mnist-classifier", sha256: "beef" } };
  await assertRejects(
    () => frechetReport(context, 60, { split: "train", statistics: other }),
    VapoError,
    'mine.npz has statistics of the network "mnist-classifier"',
  );
});

Deno.test("no distance in another network's features has the name of one in Inception's", async () => {
  const sets = { train: circle(60), heldOut: circle(60), samples: circle(60, 2) };
  const logits = new Float32Array(120);
  const settings = (features: MetricSettings["features"]): MetricSettings => ({
    features,
    weights: "f00d",
    reference: { split: "train" },
    outside: [],
  });
  for (const name of ["fid", "kid", "is"] as const) {
    const ours = contextOf(sets, { name: "mnist-classifier", logits });
    const theirs = contextOf(sets, { logits });
    const [mine] = (await metrics[name].report(ours, 60, settings("classifier"))).measurements;
    const [field] = (await metrics[name].report(theirs, 60, settings("inception"))).measurements;
    assert(!/fid|kid|inception/i.test(mine.name + mine.label), mine.label);
    assert(/fid|kid|inception/i.test(field.name), field.name);
    assertEquals(mine.value, field.value);
    assert(!/inception/i.test(metrics[name].title(settings("classifier"))));
    assert(/inception/i.test(metrics[name].title(settings("inception"))));
  }
});

Deno.test("the kernel distance of one distribution is within its error of zero, of two far from it", async () => {
  const mixed = (n: number, seed: number, shift = 0) =>
    Float32Array.from({ length: 2 * n }, (_, i) => Math.sin((i + 1) * 12.9898 + seed) * 3 + shift);
  const same = contextOf({ train: mixed(400, 1), samples: mixed(400, 2) });
  const [near] = (await kernelReport(same, 400, { split: "train" })).measurements;
  const far = contextOf({ train: mixed(400, 1), samples: mixed(400, 2, 2) });
  const [distant] = (await kernelReport(far, 400, { split: "train" })).measurements;
  assertEquals(near.name, "kid");
  assert(Math.abs(near.value) < distant.value / 20, `${near.value} and ${distant.value}`);
  assert(near.standardError! > 0);
});

Deno.test("the score of samples that are sure of all classes alike is the number of classes", async () => {
  const logits = Float32Array.from({ length: 200 }, (_, i) => (i >> 1) % 2 === i % 2 ? 50 : 0);
  const { measurements } = await scoreReport(
    contextOf({ train: circle(2), samples: circle(100) }, { logits }),
    100,
  );
  assertEquals(measurements[0].name, "inception-score");
  assertAlmostEquals(measurements[0].value, 2, 1e-6);
});

Deno.test("samples on the training features are precise and cover them; far ones do neither", async () => {
  const on = contextOf({ train: circle(50), samples: circle(50, 1.001) });
  const off = contextOf({ train: circle(50), samples: circle(50, 1, [40, 0]) });
  const values = async (context: EvaluationContext) => {
    const { measurements } = await precisionRecallReport(context, 50, { split: "train" });
    return Object.fromEntries(measurements.map(({ name, value }) => [name, value]));
  };
  const { precision, recall, coverage } = await values(on);
  assertEquals([precision, recall, coverage], [1, 1, 1]);
  assertEquals(await values(off), { precision: 0, recall: 0, density: 0, coverage: 0 });
});
