import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import fixture from "../../fixtures/lamb.json" with { type: "json" };
import { adam } from "../../../core/optim/adam.ts";
import { clipByGlobalNorm, globalNorm } from "../../../core/optim/clipping.ts";
import { updateAverage } from "../../../core/optim/ema.ts";
import { lamb } from "../../../core/optim/lamb.ts";
import { zeroMoments } from "../../../core/optim/moments.ts";
import { learningRateAt } from "../../../core/optim/schedules.ts";
import { openDevice, type TensorRecord, tf } from "../../../core/tensor/mod.ts";

type Nested = number[] | number[][];

function tensors(record: Record<string, Nested>): TensorRecord {
  return Object.fromEntries(
    Object.entries(record).map(([name, values]) => [name, tf.tensor(values)]),
  );
}

Deno.test("LAMB follows the NumPy trajectory to 1e-6", async () => {
  await openDevice("wasm");
  const { beta1, beta2, eps: epsilon, weightDecay, lr } = fixture;
  const optimizer = lamb({ beta1, beta2, epsilon, weightDecay });
  let parameters = tensors(fixture.start);
  let moments = zeroMoments(parameters);
  fixture.steps.forEach(({ grads, params }, step) => {
    ({ parameters, moments } = optimizer.update({
      parameters,
      gradients: tensors(grads),
      moments,
      learningRate: tf.scalar(lr),
      step: tf.scalar(step),
    }));
    for (const [name, expected] of Object.entries(params)) {
      const actual = parameters[name].dataSync();
      expected.flat().forEach((value, i) => assertAlmostEquals(actual[i], value, 1e-6));
    }
  });
});

Deno.test("LAMB clamps the weight norm and leaves a zero tensor its plain step", async () => {
  await openDevice("cpu");
  const parameters = { large: tf.fill([4], 100), zero: tf.zeros([2]) };
  const updated = lamb({ beta1: 0, beta2: 0, epsilon: 0 }).update({
    parameters,
    gradients: { large: tf.ones([4]), zero: tf.ones([2]) },
    moments: zeroMoments(parameters),
    learningRate: tf.scalar(0.1),
    step: tf.scalar(0),
  });
  // |update| = lr · 10, not lr · 200; each of four entries takes half of it.
  assertAlmostEquals(100 - updated.parameters.large.dataSync()[0], 0.5, 1e-5);
  assertAlmostEquals(updated.parameters.zero.dataSync()[0], -0.1, 1e-6);
});

// An ε of the gradients' size tells √v̂ + ε from √(v̂ + ε).
for (const epsilon of [1e-8, 0.5]) {
  Deno.test(`Adam follows Kingma and Ba's recursion in float64, ε = ${epsilon}`, async () => {
    await openDevice("wasm");
    const beta1 = 0.9, beta2 = 0.999, rate = 0.01;
    const optimizer = adam({ beta1, beta2, epsilon });
    let parameters: TensorRecord = { w: tf.tensor1d([1, -2]) };
    let moments = zeroMoments(parameters);
    const p = [1, -2], m = [0, 0], v = [0, 0];
    for (let t = 1; t <= 50; t++) {
      const gradients = p.map((x, i) => Math.sin(3 * x + i) + 0.1 * t);
      ({ parameters, moments } = optimizer.update({
        parameters,
        gradients: { w: tf.tensor1d(gradients) },
        moments,
        learningRate: tf.scalar(rate),
        step: tf.scalar(t - 1),
      }));
      gradients.forEach((g, i) => {
        m[i] = beta1 * m[i] + (1 - beta1) * g;
        v[i] = beta2 * v[i] + (1 - beta2) * g * g;
        const corrected = Math.sqrt(v[i] / (1 - beta2 ** t)) + epsilon;
        p[i] -= rate * m[i] / (1 - beta1 ** t) / corrected;
      });
      parameters.w.dataSync().forEach((value, i) => assertAlmostEquals(value, p[i], 2e-6));
    }
  });
}

Deno.test("the global norm is that of one long vector, and only a larger one is clipped", async () => {
  await openDevice("cpu");
  const gradients = { a: tf.tensor2d([[3, 0], [0, 0]]), b: tf.tensor1d([4]) };
  assertAlmostEquals(globalNorm(gradients).dataSync()[0], 5, 1e-6);
  const clipped = clipByGlobalNorm(gradients, 1);
  assertAlmostEquals(clipped.norm.dataSync()[0], 5, 1e-6);
  assertAlmostEquals(globalNorm(clipped.gradients).dataSync()[0], 1, 1e-6);
  const kept = clipByGlobalNorm(gradients, 6).gradients;
  assertEquals([...kept.b.dataSync()], [4]);
  const zero = clipByGlobalNorm({ a: tf.zeros([3]) }, 1).gradients;
  assertEquals([...zero.a.dataSync()], [0, 0, 0]);
});

Deno.test("the average starts close to the parameters and ends at its decay", async () => {
  await openDevice("cpu");
  const one = { w: tf.scalar(1) }, zero = { w: tf.scalar(0) };
  const after = (step: number) => updateAverage(zero, one, 0.999, tf.scalar(step)).w.dataSync()[0];
  assertAlmostEquals(after(0), 1 - 1 / 10, 1e-6);
  assertAlmostEquals(after(90), 1 - 91 / 100, 1e-6);
  assertAlmostEquals(after(1e6), 1 - 0.999, 1e-6);
  assertEquals(updateAverage(one, one, 0.999, tf.scalar(5)).w.dataSync()[0], 1);
});

Deno.test("schedules: linear warm-up, then constant or half a cosine to zero", async () => {
  await openDevice("cpu");
  const rate = (kind: "constant" | "cosine", step: number) =>
    learningRateAt(
      { kind, learningRate: 0.5, warmupSteps: 10, totalSteps: 110 },
      tf.scalar(step),
    ).dataSync()[0];
  for (const kind of ["constant", "cosine"] as const) {
    assertAlmostEquals(rate(kind, 0), 0.05, 1e-6);
    assertAlmostEquals(rate(kind, 4), 0.25, 1e-6);
    assertAlmostEquals(rate(kind, 10), 0.5, 1e-6);
  }
  assertAlmostEquals(rate("constant", 109), 0.5, 1e-6);
  assertAlmostEquals(rate("cosine", 60), 0.25, 1e-6);
  assertAlmostEquals(rate("cosine", 85), 0.25 * (1 + Math.cos(0.75 * Math.PI)), 1e-6);
  assertAlmostEquals(rate("cosine", 110), 0, 1e-6);
  assert(rate("cosine", 500) < 1e-7);
});
