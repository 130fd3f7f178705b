import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import recorded from "../../fixtures/likelihood.json" with { type: "json" };
import { VapoError } from "../../../core/errors.ts";
import { logDensity, openLikelihood } from "../../../core/flow/likelihood.ts";
import { mixtureLogDensity } from "../../../core/homotopy/gaussian_mixture.ts";
import { gaussianPath } from "../../../core/homotopy/gaussian_path.ts";
import { fork, openDevice, randomKey, tf } from "../../../core/tensor/mod.ts";
import { ellipsoidPotential, mixturePotentialOn } from "../../exact_potentials.ts";
import {
  askSciPy,
  findSciPy,
  likelihoodCase,
  likelihoodRequest,
  path as scipyPath,
  potential as scipyPotential,
} from "../../reference/likelihood.ts";
import { webgpuTest } from "../../webgpu.ts";

Deno.test("log densities agree with SciPy's to 1e-6", async () => {
  await openDevice("wasm");
  const problem = likelihoodCase();
  const python = await findSciPy();
  const expected = python
    ? await askSciPy(python, likelihoodRequest(problem))
    : recorded.logDensity;
  const likelihood = openLikelihood(scipyPotential, problem.parameters, scipyPath, {
    rtol: 1e-8,
    atol: 1e-8,
  });
  const { logDensity, byProbe } = await likelihood.estimate(problem.points);
  likelihood.dispose();
  tf.dispose(problem.parameters);
  assertEquals(byProbe, logDensity);
  logDensity.forEach((value, i) =>
    assertAlmostEquals(value, expected[i], 1e-6 * Math.abs(expected[i]), `point ${i}`)
  );
});

Deno.test("what was recorded of SciPy is what it answers", async (t) => {
  const python = await findSciPy();
  await t.step({
    name: "asked anew",
    ignore: !python,
    async fn() {
      await openDevice("wasm");
      const problem = likelihoodCase();
      const answer = await askSciPy(python!, likelihoodRequest(problem));
      tf.dispose(problem.parameters);
      answer.forEach((value, i) => assertAlmostEquals(value, recorded.logDensity[i], 1e-8));
    },
  });
});

const path = gaussianPath();

Deno.test("the density of an exact mixture's flow is the mixture's at that time", async () => {
  await openDevice("wasm");
  const mixture = { means: [[-2, 0], [1.5, 1], [0, -2]], std: 0.3, weights: [0.5, 0.3, 0.2] };
  const potential = mixturePotentialOn(path, mixture);
  const points = Float64Array.of(-2, 0.1, 1.3, 1.2, 0.2, -1.8, 0, 0, -1, 0.5);
  for (const time of [0.5, 0.9]) {
    const likelihood = openLikelihood(potential, {}, path, { time, rtol: 1e-6, atol: 1e-6 });
    const { logDensity } = await likelihood.estimate(points);
    likelihood.dispose();
    const exact = mixtureLogDensity(mixture, points, path.at(time));
    logDensity.forEach((value, i) => assertAlmostEquals(value, exact[i], 2e-4, `point ${i}`));
  }
});

Deno.test("probes scatter around the closed form, several of one point along one flow", async () => {
  await openDevice("wasm");
  const d = 64, n = 60, time = 0.8, probes = 4;
  const { potential, logDensity: exactLogDensity, sample } = ellipsoidPotential(path, d);
  const points = sample(n, path.at(time));
  const likelihood = openLikelihood(potential, {}, path, { time, probes });
  const key = fork(randomKey(3), "probes");
  const found = await likelihood.estimate(points, { key });
  likelihood.dispose();
  const exact = exactLogDensity(points, path.at(time));
  const errors = Array.from(found.byProbe, (value, i) => value - exact[Math.floor(i / probes)]);
  const mean = errors.reduce((a, b) => a + b) / errors.length;
  const deviation = Math.sqrt(errors.reduce((a, b) => a + (b - mean) ** 2, 0) / errors.length);
  assert(deviation > 0.1, "the Hessian has to be far from a diagonal for this to say anything");
  assertAlmostEquals(mean, 0, 4 * deviation / Math.sqrt(errors.length) + 0.01);
  found.logDensity.forEach((value, i) => {
    const own = found.byProbe.slice(i * probes, (i + 1) * probes);
    assertAlmostEquals(value, own.reduce((a, b) => a + b) / probes, 1e-9);
  });
});

Deno.test("a point's density depends on its number, not on the batches before", async () => {
  await openDevice("wasm");
  const { potential, sample } = ellipsoidPotential(path, 16);
  const points = sample(5, path.at(0.5));
  // Equal steps to a tolerance that none of them comes near: a batch is one system.
  const likelihood = openLikelihood(potential, {}, path, {
    ...{ time: 0.5, rtol: 1e-7, atol: 1e-7, probes: 1 },
  });
  const key = randomKey(3);
  const whole = await likelihood.estimate(points, { key });
  const parts: number[] = [];
  for (const [from, to] of [[0, 2], [2, 4], [4, 5]]) {
    const batch = points.slice(from * 16, to * 16);
    const part = await likelihood.estimate(batch, { key: { ...key, firstSample: from } });
    parts.push(...part.logDensity);
  }
  likelihood.dispose();
  whole.logDensity.forEach((value, i) => assertAlmostEquals(value, parts[i], 1e-4));
  const x = tf.tensor2d(Float32Array.from(points), [5, 16]);
  const once = await logDensity(potential, {}, path, x, {
    ...{ time: 0.5, rtol: 1e-7, atol: 1e-7, hutchinson: key },
  });
  once.forEach((value, i) => assertAlmostEquals(value, whole.logDensity[i], 1e-4));
});

Deno.test("wrong options and points are refused by name, an abort ends it, nothing stays", async () => {
  await openDevice("wasm");
  const { potential, sample } = ellipsoidPotential(path, 4);
  const points = sample(3, path.at(0.5));
  const before = tf.memory().numTensors;
  assertThrows(
    () => openLikelihood(potential, {}, path, { probes: -1 }),
    VapoError,
    "probes is -1",
  );
  assertThrows(() => openLikelihood(potential, {}, path, { time: 2 }), VapoError, "time is 2");
  const likelihood = openLikelihood(potential, {}, path, { probes: 1 });
  const refused = async (points: Float64Array, message: string, signal?: AbortSignal) => {
    const key = message.includes("key") ? undefined : randomKey(1);
    await assertRejects(() => likelihood.estimate(points, { key, signal }), Error, message);
    if (key) tf.dispose([key.seed, key.step]);
    assertEquals(tf.memory().numTensors, before, message);
  };
  await refused(points.slice(1), "11 values are not points of 4");
  await refused(Float64Array.of(1, 2, NaN, 4), "value 2 of point 0 is NaN");
  await refused(points, "1 probes without a key");
  await refused(points, "enough", AbortSignal.abort(new Error("enough")));
  likelihood.dispose();
  assertEquals(tf.memory().numTensors, before);
});

/** Log densities by each of two probes, of the second of two batches. */
async function twoBatches(device: "cpu" | "wasm" | "webgpu"): Promise<Float64Array> {
  await openDevice(device);
  const { parameters, points } = likelihoodCase();
  const likelihood = openLikelihood(scipyPotential, parameters, scipyPath, { probes: 2 });
  const key = randomKey(4);
  await likelihood.estimate(points.slice(15, 30), { key });
  const { byProbe } = await likelihood.estimate(points.slice(0, 15), { key });
  likelihood.dispose();
  tf.dispose(parameters);
  return byProbe;
}

Deno.test("eager is as compiled", async () => {
  const eager = await twoBatches("cpu"), compiled = await twoBatches("wasm");
  eager.forEach((value, i) => assertAlmostEquals(value, compiled[i], 1e-3));
});

webgpuTest("a WebGPU device gives the same densities", async () => {
  const here = await twoBatches("wasm"), there = await twoBatches("webgpu");
  here.forEach((value, i) => assertAlmostEquals(value, there[i], 1e-3));
});
