import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertNotEquals,
  assertRejects,
} from "@std/assert";
import { VapoError } from "../../../core/errors.ts";
import { type EvaluationInputs, openEvaluation } from "../../../core/evaluation/context.ts";
import { greyLevels, type SplitImages } from "../../../core/evaluation/images.ts";
import { evaluationSubject } from "../../../core/evaluation/subject.ts";
import { drawSamples } from "../../../core/flow/sampler.ts";
import type { FeatureNetwork } from "../../../core/metrics/feature_network.ts";
import { configuredPotential } from "../../../core/train/configured_potential.ts";
import { openDevice, randomKey, type Tensor4D, tf } from "../../../core/tensor/mod.ts";
import { assignConfig, type RunConfig } from "../../../core/train/config.ts";
import { sampleSpace } from "../../../core/train/data_sets.ts";
import { presetConfig } from "../../../core/train/presets.ts";
import { memoryStorage } from "../../../core/train/run_storage.ts";

const images = assignConfig(presetConfig("mnist16"), [
  "potential.channels=2",
  "potential.multipliers=[1]",
  "sampling.solver=heun",
  "sampling.steps=2",
  "sampling.batchSize=4",
]);
const plane = assignConfig(presetConfig("8gaussians"), [
  "potential.hidden=[4]",
  "sampling.solver=heun",
  "sampling.steps=2",
]);

/** A network with the mean of an image as its one feature and that and its negative as logits. */
const means: FeatureNetwork = {
  name: "mnist-classifier",
  label: "means",
  size: 1,
  classes: 2,
  parameterShapes: { scale: [] },
  batchSize: 3,
  apply({ scale }, images: Tensor4D) {
    const features = tf.mul(tf.reshape(tf.mean(images, [1, 2, 3]), [-1, 1]), scale);
    return {
      features: features as tf.Tensor2D,
      logits: tf.concat([features, tf.neg(features)], 1) as tf.Tensor2D,
    };
  },
};

async function inputsOf(
  config: RunConfig,
  more: Partial<EvaluationInputs> = {},
): Promise<EvaluationInputs> {
  await openDevice("wasm");
  const potential = configuredPotential(config.potential, sampleSpace(config.data).sampleShape);
  const parameters = potential.initialize(randomKey(3));
  const subject = await evaluationSubject({
    name: "run",
    config,
    parameters,
    step: 7,
    average: 0.9,
  });
  return {
    subject,
    sampling: { ...config.sampling, seed: 11 },
    openNetwork: () =>
      Promise.resolve({ network: means, parameters: { scale: tf.scalar(2) }, sha256: "f00d" }),
    ...more,
  };
}

Deno.test("samples of images are the grey levels of what the sampler draws, whole batches at a time", async () => {
  const inputs = await inputsOf(images);
  const context = openEvaluation(inputs);
  const six = await context.sampleImages(6);
  assertEquals([six.count, six.shape], [6, [16, 16, 1]]);
  const { potential, parameters, path } = inputs.subject;
  const drawn = await drawSamples(potential, parameters, path, {
    ...images.sampling,
    seed: 11,
    n: 8,
  });
  assertEquals(six.pixels, greyLevels(drawn.samples.subarray(0, 6 * 256)));
  assertEquals((await context.sampleImages(3)).pixels, six.pixels.subarray(0, 3 * 256));
  await assertRejects(() => context.samples(3), VapoError, "ask for them as bytes");
  context.dispose();
});

Deno.test("points are drawn as numbers, and what is of images is refused", async () => {
  const inputs = await inputsOf(plane);
  const context = openEvaluation(inputs);
  const { potential, parameters, path } = inputs.subject;
  const options = { ...plane.sampling, seed: 11, n: 5 };
  const { samples } = await drawSamples(potential, parameters, path, options);
  const found = await context.samples(5);
  assertEquals(found.length, 10);
  // Drawn in a larger batch, whose rounding may differ.
  found.forEach((value, i) => assertAlmostEquals(value, samples[i], 1e-5));
  await assertRejects(() => context.sampleImages(5), VapoError, "expected a run of images");
  await assertRejects(() => context.split("train"), VapoError, "expected a run of images");
});

Deno.test("features are those of each image, in batches that do not divide their number", async () => {
  const context = openEvaluation(await inputsOf(images));
  const { pixels } = await context.sampleImages(7);
  const { features, logits } = await context.sampleFeatures(7);
  assertEquals([features.length, logits.length], [7, 14]);
  for (let i = 0; i < 7; i++) {
    const image = pixels.subarray(i * 256, (i + 1) * 256);
    const mean = image.reduce((sum, byte) => sum + byte / 127.5 - 1, 0) / 256;
    assert(Math.abs(features[i] - 2 * mean) < 1e-5);
    assertEquals([logits[2 * i], logits[2 * i + 1]], [features[i], -features[i]]);
  }
  context.dispose();
});

Deno.test("what is in the cache is not computed again, and another checkpoint's is not taken", async () => {
  const sampleCache = memoryStorage();
  let opened = 0;
  const counted = (inputs: EvaluationInputs): EvaluationInputs => ({
    ...inputs,
    sampleCache,
    openNetwork: () => {
      opened++;
      return inputs.openNetwork!();
    },
  });
  const drawn: number[] = [];
  const onProgress = (what: string, done: number) => {
    if (what === "samples") drawn.push(done);
  };
  const first = openEvaluation({ ...counted(await inputsOf(images)), onProgress });
  const before = await first.sampleFeatures(6);
  first.dispose();
  const second = openEvaluation(counted(await inputsOf(images)));
  assertEquals(await second.sampleFeatures(6), before);
  second.dispose();
  assertEquals(opened, 2); // for its name and checksum

  const moved = await inputsOf(images);
  const parameters = { ...moved.subject.parameters };
  const [name] = Object.keys(parameters).filter((name) => parameters[name].shape.length === 4);
  parameters[name] = tf.add(
    parameters[name],
    tf.range(0, parameters[name].size).reshape(parameters[name].shape),
  );
  const subject = await evaluationSubject({ ...moved.subject, parameters });
  assertNotEquals(subject.sha256, moved.subject.sha256);
  const third = openEvaluation(counted({ ...moved, subject }));
  assertNotEquals(await third.sampleFeatures(6), before);
  third.dispose();
});

Deno.test("an evaluation that is stopped goes on with the samples that it has", async () => {
  const sampleCache = memoryStorage();
  const controller = new AbortController();
  const stopped = openEvaluation({
    ...await inputsOf(images),
    sampleCache,
    signal: controller.signal,
    onProgress: (_what, done) => done >= 8 && controller.abort(),
  });
  await assertRejects(() => stopped.sampleImages(16), DOMException);
  const resumed: number[] = [];
  const onProgress = (_what: string, done: number) => resumed.push(done);
  const inputs = await inputsOf(images);
  const whole = await openEvaluation(inputs).sampleImages(16);
  const again = await openEvaluation({ ...inputs, sampleCache, onProgress }).sampleImages(16);
  assertEquals(again.pixels, whole.pixels);
  // Two batches were there, and are told of at once.
  assertEquals(resumed, [4, 8, 12, 16]);
});

Deno.test("features of a data set are kept by its images, not by the run", async () => {
  const dataCache = memoryStorage();
  const pixels = Uint8Array.from({ length: 2 * 256 }, (_, i) => i % 251);
  const split: SplitImages = {
    ...{ name: "tiny train", count: 2, available: 2, shape: [16, 16, 1], pixels },
    checksum: 1234,
  };
  const readSplit = () => Promise.resolve(split);
  const one = openEvaluation({ ...await inputsOf(images), dataCache, readSplit });
  const features = await one.splitFeatures(await one.split("train"));
  assertEquals(features.length, 2);
  one.dispose();
  // The other run finds them: blackened images of the same name and checksum would differ.
  const two = openEvaluation({
    ...await inputsOf(assignConfig(images, ["potential.channels=3"])),
    dataCache,
    readSplit: () => Promise.resolve({ ...split, pixels: new Uint8Array(2 * 256) }),
  });
  assertEquals(await two.splitFeatures(await two.split("train")), features);
  two.dispose();
});
