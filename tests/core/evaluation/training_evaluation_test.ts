import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ConfigError, VapoError } from "../../../core/errors.ts";
import { openEvaluation } from "../../../core/evaluation/context.ts";
import { negativeLogLikelihood } from "../../../core/evaluation/data_reports.ts";
import { frechetReport, kernelOfSamples } from "../../../core/evaluation/feature_distances.ts";
import type { LoadedNetwork } from "../../../core/evaluation/features.ts";
import type { Split, SplitImages } from "../../../core/evaluation/images.ts";
import { evaluationSubject } from "../../../core/evaluation/subject.ts";
import {
  trainingEvaluation,
  type TrainingEvaluationInputs,
  trainingMeasure,
} from "../../../core/evaluation/training_evaluation.ts";
import type { FeatureNetwork } from "../../../core/metrics/feature_network.ts";
import { openDevice, randomKey, type Tensor4D, tf } from "../../../core/tensor/mod.ts";
import { assignConfig, type RunConfig } from "../../../core/train/config.ts";
import { configuredPotential } from "../../../core/train/configured_potential.ts";
import { sampleSpace } from "../../../core/train/data_sets.ts";
import { presetConfig } from "../../../core/train/presets.ts";
import { runSampling } from "../../../core/train/run_sampling.ts";

const points = presetConfig("8gaussians");
const digits = assignConfig(presetConfig("mnist16"), [
  "potential.channels=2",
  "potential.multipliers=[1]",
  "sampling.solver=heun",
  "sampling.steps=2",
  "sampling.batchSize=8",
  "evaluation.every=5",
  "evaluation.n=12",
]);

Deno.test("what is measured of points and images, unless it is said", () => {
  assertEquals(trainingMeasure(points), null);
  const measured = (config: RunConfig, ...assignments: string[]) =>
    trainingMeasure(assignConfig(config, ["evaluation.every=5", ...assignments]));
  assertEquals(measured(points), { every: 5, n: 2500, metric: "nll", features: null });
  assertEquals(measured(digits), { every: 5, n: 12, metric: "fid", features: "classifier" });
  assertEquals(measured(digits, "evaluation.metric=nll")?.features, null);
  assertEquals(measured(digits, "evaluation.features=inception")?.features, "inception");
  const refused: [RunConfig, string[], string][] = [
    [points, ["evaluation.metric=fid"], 'evaluation.metric is "fid" for data "8gaussians"'],
    [points, ["evaluation.metric=kid"], 'expected "nll" (--eval-metric nll)'],
    [points, ["evaluation.features=inception"], "leave --eval-features out"],
    [digits, ["evaluation.metric=nll", "evaluation.features=classifier"], "evaluation.features is"],
    [digits, ["evaluation.n=1"], "evaluation.n is 1: expected at least 2 for fid"],
    [digits, ["evaluation.n=3", "evaluation.metric=kid"], "expected at least 4 for kid"],
  ];
  for (const [config, assignments, message] of refused) {
    assertThrows(() => measured(config, ...assignments), ConfigError, message);
  }
});

Deno.test("a configuration of a stochastic solver is sampled to the path's end", () => {
  assertEquals(runSampling(digits).until, digits.sampling.until);
  assertEquals(runSampling(digits, "stochastic-heun").until, null);
  const { seed, solver, steps } = runSampling(digits, "stochastic-heun");
  assertEquals([seed, solver, steps], [digits.seed, "stochastic-heun", 2]);
});

/** A network with the mean and the mean square of an image as features. */
const moments: FeatureNetwork = {
  name: "mnist-classifier",
  label: "moments",
  size: 2,
  classes: 2,
  parameterShapes: { scale: [] },
  batchSize: 5,
  apply({ scale }, images: Tensor4D) {
    const mean = (values: Tensor4D) => tf.reshape(tf.mean(values, [1, 2, 3]), [-1, 1]);
    const features = tf.concat([mean(images), mean(tf.square(images))], 1);
    const scaled = tf.mul(features, scale) as tf.Tensor2D;
    return { features: scaled, logits: scaled };
  },
};

/** Images in shades of grey, and a note of all that is read and opened. */
function inputsOf(sha256 = "f00d") {
  const calls: string[] = [];
  const weights = { sha256, open: 0 };
  const inputs: TrainingEvaluationInputs = {
    weights: sha256,
    readSplit(split: Split, limit = 40): Promise<SplitImages> {
      calls.push(`read ${split}`);
      const pixels = Uint8Array.from({ length: limit * 256 }, (_, i) => (i * 37 + (i >> 8)) % 251);
      const shape = [16, 16, 1] as const;
      return Promise.resolve({
        ...{ pixels, shape, count: limit, available: 40 },
        ...{ name: `digits ${split}`, checksum: 7 },
      });
    },
    openNetwork(): Promise<LoadedNetwork> {
      calls.push("open");
      const parameters = { scale: tf.scalar(2) };
      return Promise.resolve({ network: moments, parameters, sha256: weights.sha256 });
    },
  };
  return { inputs, calls, weights };
}

/** Parameters of a potential that has learnt nothing, and what `vapo eval` would make of them. */
async function untrained(config: RunConfig, seed: number, inputs: TrainingEvaluationInputs) {
  const { sampleShape } = sampleSpace(config.data);
  const parameters = configuredPotential(config.potential, sampleShape).initialize(randomKey(seed));
  const subject = await evaluationSubject({
    ...{ name: "run", config, parameters, step: 5, average: config.optimizer.averageDecay },
  });
  const { weights: _, ...sources } = inputs;
  return {
    parameters,
    context: openEvaluation({ ...sources, subject, sampling: runSampling(config) }),
  };
}

Deno.test("fid and kid are those of an evaluation by itself; the reference is read once, the network freed", async () => {
  await openDevice("wasm");
  for (const metric of ["fid", "kid"] as const) {
    const config = assignConfig(digits, [`evaluation.metric=${metric}`]);
    const { inputs, calls } = inputsOf();
    const evaluation = trainingEvaluation(config, trainingMeasure(config)!, inputs);
    assertEquals(evaluation.metric, metric === "fid" ? "frechet-classifier" : "kernel-classifier");
    const { n, weights, solver, until } = evaluation.of!;
    assertEquals([n, weights, solver, until], [12, "f00d", "heun", config.sampling.until]);
    const progress: string[] = [];
    const before = tf.memory().numTensors;
    await evaluation.prepare!({ onProgress: (what) => void progress.push(what) });
    assert(progress.includes("features of digits train"), progress.join());
    assertEquals(calls, ["read train", "open"]);
    assertEquals(tf.memory().numTensors, before);
    for (const seed of [3, 4]) {
      const { parameters, context } = await untrained(config, seed, inputsOf().inputs);
      const expected = metric === "fid"
        ? (await frechetReport(context, 12, { split: "train" })).measurements[0].value
        : (await kernelOfSamples(context, 12, { split: "train" })).mean;
      context.dispose();
      const tensors = tf.memory().numTensors;
      assertEquals(await evaluation.evaluate(parameters, 5), expected);
      assertEquals(tf.memory().numTensors, tensors);
      tf.dispose(parameters);
    }
    // The network once an evaluation, the images never again.
    assertEquals(calls, ["read train", "open", "open", "open"]);
  }
});

Deno.test("nll is that of an evaluation by itself, of images and of points", async () => {
  await openDevice("wasm");
  const tiny = ["potential.hidden=[4]", "evaluation.every=5", "evaluation.n=6"];
  const cases = [
    assignConfig(points, tiny),
    assignConfig(digits, ["evaluation.metric=nll", "evaluation.n=2"]),
  ];
  for (const config of cases) {
    const measure = trainingMeasure(config)!;
    const { inputs, calls } = inputsOf();
    const evaluation = trainingEvaluation(config, measure, { readSplit: inputs.readSplit });
    await evaluation.prepare!();
    const { parameters, context } = await untrained(config, 3, inputsOf().inputs);
    const expected = await negativeLogLikelihood(context, measure.n);
    context.dispose();
    for (const step of [5, 10]) {
      assertEquals(await evaluation.evaluate(parameters, step), expected);
    }
    tf.dispose(parameters);
    assertEquals(calls, config === cases[0] ? [] : ["read held-out"]);
  }
});

Deno.test("weights that have changed are not measured by, and what failed may be tried again", async () => {
  await openDevice("wasm");
  const { inputs, weights } = inputsOf();
  const evaluation = trainingEvaluation(digits, trainingMeasure(digits)!, inputs);
  const { parameters, context } = await untrained(digits, 3, inputs);
  context.dispose();
  const before = tf.memory().numTensors;
  weights.sha256 = "other";
  for (const run of [() => evaluation.prepare!(), () => evaluation.evaluate(parameters, 5)]) {
    await assertRejects(run, VapoError, "the weights of moments have changed");
  }
  weights.sha256 = "f00d";
  const value = await evaluation.evaluate(parameters, 5);
  assert(value > 0);
  weights.sha256 = "other";
  await assertRejects(() => evaluation.evaluate(parameters, 10), VapoError, "go on by --resume");
  assertEquals(tf.memory().numTensors, before);
  tf.dispose(parameters);
});

Deno.test("a signal ends an evaluation and what is prepared for it", async () => {
  await openDevice("wasm");
  const { inputs } = inputsOf();
  const evaluation = trainingEvaluation(digits, trainingMeasure(digits)!, inputs);
  const signal = AbortSignal.abort(new Error("stopped"));
  await assertRejects(() => evaluation.prepare!({ signal }), Error, "stopped");
  const { parameters, context } = await untrained(digits, 3, inputs);
  context.dispose();
  await evaluation.prepare!();
  await assertRejects(() => evaluation.evaluate(parameters, 5, { signal }), Error, "stopped");
  tf.dispose(parameters);
});
