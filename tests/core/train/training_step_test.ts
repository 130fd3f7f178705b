import { assert, assertAlmostEquals, assertEquals, assertNotEquals } from "@std/assert";
import { energyExcess, energyLoss, type PathBatch } from "../../../core/loss/energy_loss.ts";
import { lossAndGradients, openDevice, type TensorRecord, tf } from "../../../core/tensor/mod.ts";
import { assignConfig } from "../../../core/train/config.ts";
import { openDataSource } from "../../../core/train/data_source.ts";
import { presetConfig } from "../../../core/train/presets.ts";
import type { TrainingState } from "../../../core/train/state.ts";
import { drawBatch } from "../../../core/train/training_batch.ts";
import {
  excessOverMinimum,
  lossOnBatch,
  mixtureOfData,
  trainingStep,
  updateState,
} from "../../../core/train/training_step.ts";
import { initialState } from "../../../core/train/initial_state.ts";
import { type TrainingProblem, trainingProblem } from "../../../core/train/training_problem.ts";
import { assertClose } from "../homotopy/numerics.ts";

async function tinyProblem(...assignments: string[]): Promise<TrainingProblem> {
  const config = assignConfig(presetConfig("8gaussians"), [
    "potential.hidden=[8,8]",
    "training.batchSize=32",
    "training.steps=10",
    "optimizer.warmupSteps=0",
    ...assignments,
  ]);
  return trainingProblem(config, await openDataSource(config.data));
}

/** The values of every tensor of a record, as float64. */
const values = (record: TensorRecord) =>
  Object.fromEntries(
    Object.entries(record).map(([name, tensor]) => [name, Float64Array.from(tensor.dataSync())]),
  );

const norm = (vectors: Iterable<Float64Array>) =>
  Math.sqrt([...vectors].reduce((sum, v) => sum + v.reduce((s, x) => s + x * x, 0), 0));

/** The gradients of the loss on a state's batch, before clipping. */
function rawGradients(
  { potential, path, config }: TrainingProblem,
  { parameters }: TrainingState,
  batch: PathBatch,
) {
  return values(
    lossAndGradients(() => {
      const { loss } = energyLoss(potential, parameters, batch, path, config.loss);
      return { loss, report: {} };
    }, parameters).gradients,
  );
}

for (const kind of ["adam", "lamb"] as const) {
  Deno.test(`a step clips, updates by ${kind} and averages, as by hand in float64`, async () => {
    await openDevice("wasm");
    // Constants under which every part matters: Adam forgives a scale where ε is small.
    const beta1 = 0.6, beta2 = 0.7, epsilon = 0.05, clipNorm = 0.3, averageDecay = 0.15;
    const weightDecay = kind === "adam" ? 0 : 0.2;
    const problem = await tinyProblem(
      `optimizer.kind=${kind}`,
      `optimizer.beta1=${beta1}`,
      `optimizer.beta2=${beta2}`,
      `optimizer.epsilon=${epsilon}`,
      `optimizer.clipNorm=${clipNorm}`,
      `optimizer.weightDecay=${weightDecay}`,
      `optimizer.averageDecay=${averageDecay}`,
      "optimizer.schedule=cosine",
    );
    let state = initialState(problem);
    const parameters = values(state.parameters), average = values(state.average);
    const m = values(state.moments), v = values(state.moments);
    assertEquals(average, parameters);
    for (let t = 0; t < 3; t++) {
      const batch = drawBatch(problem, state);
      const gradients = rawGradients(problem, state, batch);
      const gradientNorm = norm(Object.values(gradients));
      assert(gradientNorm > clipNorm, `the gradient's norm is ${gradientNorm}`);
      const rate = problem.config.optimizer.learningRate * 0.5 * (1 + Math.cos(Math.PI * t / 10));
      for (const [name, p] of Object.entries(parameters)) {
        const update = p.map((value, i) => {
          const g = gradients[name][i] * clipNorm / gradientNorm;
          const mean = m[`m/${name}`][i] = beta1 * m[`m/${name}`][i] + (1 - beta1) * g;
          const square = v[`v/${name}`][i] = beta2 * v[`v/${name}`][i] + (1 - beta2) * g * g;
          return kind === "adam"
            ? mean / (1 - beta1 ** (t + 1)) /
              (Math.sqrt(square / (1 - beta2 ** (t + 1))) + epsilon)
            : mean / (Math.sqrt(square) + epsilon) + weightDecay * value;
        });
        const ratio = kind === "adam" || norm([p]) === 0 ? 1 : norm([p]) / norm([update]);
        const decay = Math.min(averageDecay, (1 + t) / (10 + t));
        update.forEach((step, i) => {
          p[i] -= rate * ratio * step;
          average[name][i] += (1 - decay) * (p[i] - average[name][i]);
        });
      }
      const next = trainingStep(problem, state, batch);
      assertAlmostEquals(next.metrics.learningRate.dataSync()[0], rate, 1e-7);
      assertClose(next.metrics.gradientNorm.dataSync(), [gradientNorm], 1e-5);
      state = next.state;
      for (const name of Object.keys(parameters)) {
        assertClose(state.parameters[name].dataSync(), parameters[name], 2e-5);
        assertClose(state.average[name].dataSync(), average[name], 2e-5);
      }
    }
    assertEquals(state.counters.step.dataSync()[0], 3);
    assertEquals(state.counters.firstNonFinite.dataSync()[0], -1);
  });
}

Deno.test("without a norm to clip at, gradients pass as they are", async () => {
  await openDevice("wasm");
  const free = await tinyProblem("optimizer.clipNorm=null");
  const loose = await tinyProblem("optimizer.clipNorm=1e30");
  const state = initialState(free), batch = drawBatch(free, state);
  const [a, b] = [free, loose].map((problem) => trainingStep(problem, state, batch));
  for (const name of Object.keys(state.parameters)) {
    const updated = a.state.parameters[name].dataSync();
    assert(updated.every(Number.isFinite), name);
    assertEquals(updated, b.state.parameters[name].dataSync());
  }
  assertEquals(a.metrics.gradientNorm.dataSync(), b.metrics.gradientNorm.dataSync());
});

Deno.test("a step from the mean of its batch's halves is the step on the whole", async () => {
  await openDevice("wasm");
  const problem = await tinyProblem();
  const state = initialState(problem), batch = drawBatch(problem, state);
  const half = (first: number): PathBatch => ({
    data: tf.slice(batch.data, first, 16),
    noise: tf.slice(batch.noise, first, 16),
    time: tf.slice(batch.time, first, 16),
  });
  const [a, b] = [0, 16].map((first) => lossOnBatch(problem, state, half(first)));
  const mean = <T extends TensorRecord>(x: T, y: T) =>
    Object.fromEntries(
      Object.keys(x).map((name) => [name, tf.mul(tf.add(x[name], y[name]), 0.5)]),
    ) as T;
  const joined = updateState(problem, state, {
    loss: tf.mul(tf.add(a.loss, b.loss), 0.5),
    parts: mean(a.parts as unknown as TensorRecord, b.parts as unknown as TensorRecord) as never,
    gradients: mean(a.gradients, b.gradients),
    spectral: {},
  });
  const whole = trainingStep(problem, state, batch);
  for (const [name, metric] of Object.entries(whole.metrics)) {
    assertClose(joined.metrics[name].dataSync(), metric.dataSync(), 1e-5);
  }
  // Moments, not parameters: Adam's first step is the gradient's sign, whatever its size.
  for (const [name, moment] of Object.entries(whole.state.moments)) {
    assertClose(joined.state.moments[name].dataSync(), moment.dataSync(), 2e-5);
  }
});

Deno.test("a gradient that is not finite is noted even where the loss is", async () => {
  await openDevice("wasm");
  const problem = await tinyProblem();
  const { potential } = problem;
  const poisoned: TrainingProblem = {
    ...problem,
    potential: {
      ...potential,
      // √0 is 0, and its slope infinite.
      apply: (parameters, x, u) =>
        tf.add(
          potential.apply(parameters, x, u),
          tf.sqrt(tf.mul(tf.sum(parameters["dense0.bias"]), 0)),
        ),
    },
  };
  const state = initialState(problem);
  const { state: next, metrics } = trainingStep(poisoned, state, drawBatch(problem, state));
  assert(Number.isFinite(metrics.loss.dataSync()[0]));
  assert(!Number.isFinite(metrics.gradientNorm.dataSync()[0]));
  assertEquals(next.counters.firstNonFinite.dataSync()[0], 1);
});

Deno.test("noise, times and data of a batch have streams of their own, each step and the start", async () => {
  await openDevice("wasm");
  const problem = await tinyProblem(
    "training.batchSize=4000",
    "potential.weightNormalization=true",
  );
  const streams: string[] = [];
  const watched: TrainingProblem = {
    ...problem,
    data: {
      ...problem.data,
      draw(n, key) {
        streams.push(`${key.stream}, step ${key.step.dataSync()[0]}`);
        return problem.data.draw(n, key);
      },
    },
  };
  const state = initialState(watched);
  const { data, noise, time } = drawBatch(watched, state);
  assertEquals(new Set(streams).size, 2, streams.join("; "));
  // Equal words would make |ε|² = −2 ln u, whose correlation with u is −0.87.
  const square = tf.sum(tf.square(noise), 1), far = tf.sum(tf.mul(data, noise), 1);
  for (const other of [square, far]) {
    const [a, b] = [time, other].map((x) =>
      tf.div(tf.sub(x, tf.mean(x)), tf.moments(x).variance.sqrt())
    );
    const correlation = tf.mean(tf.mul(a, b)).dataSync()[0];
    assert(Math.abs(correlation) < 4 / Math.sqrt(4000), `${correlation}`);
  }
  const next = trainingStep(problem, state, { data, noise, time }).state;
  assertNotEquals(drawBatch(problem, next).noise.dataSync(), noise.dataSync());
});

Deno.test("batches of one sample do not make the start degenerate", async () => {
  await openDevice("wasm");
  const problem = await tinyProblem("training.batchSize=1", "potential.weightNormalization=true");
  const { parameters } = initialState(problem);
  const gains = Object.keys(parameters).filter((name) => name.endsWith(".g"));
  assertEquals(gains.length, 3);
  for (const name of gains) {
    assert(parameters[name].dataSync().every((gain) => gain > 0.1 && gain < 100), name);
  }
});

Deno.test("the excess is that of the parameters, not of their average, and mixtures' alone", async () => {
  await openDevice("wasm");
  const problem = await tinyProblem();
  const state = initialState(problem), batch = drawBatch(problem, state);
  const average = Object.fromEntries(
    Object.entries(state.average).map(([name, tensor]) => [name, tf.zerosLike(tensor)]),
  );
  const { excess } = excessOverMinimum(problem, { ...state, average }, batch)!;
  const { path, potential, data, config } = problem;
  const { mixture } = data.distribution!;
  const expected = energyExcess(potential, state.parameters, batch, path, mixture!, config.loss);
  assertEquals(excess.dataSync(), expected.excess.dataSync());
  const rings = await tinyProblem("data.name=rings");
  assertEquals(excessOverMinimum(rings, state, batch), null);
});

Deno.test("drawn points have an excess, but where pairs of samples and points fill the memory", async () => {
  await openDevice("wasm");
  const points = (count: number) =>
    `data.distribution.points=${
      JSON.stringify(Array.from({ length: count }, (_, k) => [k / 1000, Math.sin(k)]))
    }`;
  const few = await tinyProblem("data.name=points", points(3), "data.distribution.weights=[1,0,2]");
  const state = initialState(few), batch = drawBatch(few, state);
  const { excess, minimum } = excessOverMinimum(few, state, batch)!;
  const mixture = {
    means: few.config.data.distribution!.points!,
    std: 0.2,
    weights: [1 / 3, 0, 2 / 3],
  };
  const { path, potential, config } = few;
  const expected = energyExcess(potential, state.parameters, batch, path, mixture, config.loss);
  assertEquals(
    [...excess.dataSync(), ...minimum.dataSync()],
    [...expected.excess.dataSync(), ...expected.minimum.dataSync()],
  );
  const sizes = async (count: number, batchSize: number) =>
    mixtureOfData(
      await tinyProblem("data.name=points", points(count), `training.batchSize=${batchSize}`),
    ) !== null;
  assertEquals([await sizes(4096, 2048), await sizes(4096, 4096), await sizes(8, 4096)], [
    true,
    false,
    true,
  ]);
});
