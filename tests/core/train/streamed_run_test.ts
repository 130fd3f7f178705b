import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { ConfigError, FormatError, VapoError } from "../../../core/errors.ts";
import { openDevice, tf } from "../../../core/tensor/mod.ts";
import {
  bestStep,
  checkpointPath,
  loadAverage,
  loadCheckpoint,
} from "../../../core/train/checkpoint.ts";
import { assignConfig, type RunConfig } from "../../../core/train/config.ts";
import { openDataSource } from "../../../core/train/data_source.ts";
import { presetConfig } from "../../../core/train/presets.ts";
import { readEvaluations, readMetrics } from "../../../core/train/run_directory.ts";
import { memoryStorage, type RunStorage } from "../../../core/train/run_storage.ts";
import { disposeState } from "../../../core/train/state.ts";
import { stateShapes } from "../../../core/train/state_shapes.ts";
import type { Evaluation } from "../../../core/train/evaluation.ts";
import { train } from "../../../core/train/trainer.ts";
import { initialState, startingValues } from "../../../core/train/initial_state.ts";
import { trainingProblem } from "../../../core/train/training_problem.ts";
import { folderContents, imageFilesOf } from "./folder_files.ts";

const contents = folderContents([9, 8, 6]);

function imagesConfig(...assignments: string[]): RunConfig {
  return assignConfig(presetConfig("cifar10-small"), [
    "data.name=folder",
    "data.size=8",
    "data.placement=stream",
    "data.bufferImages=4",
    "potential.channels=4",
    "potential.multipliers=[1,2]",
    "loss.spectralRegularization=0.01",
    "training.batchSize=6",
    "training.steps=8",
    "training.logEvery=1",
    "training.checkpointEvery=2",
    "training.sampleEvery=100",
    "training.keepCheckpoints=100",
    "optimizer.warmupSteps=2",
    "optimizer.otherAverageDecays=[0.1]",
    "sampling.n=2",
    "sampling.solver=euler",
    "sampling.steps=2",
    ...assignments,
  ]);
}

async function problemOf(config: RunConfig, files = imageFilesOf(contents)) {
  return trainingProblem(config, await openDataSource(config.data, files));
}

/** A run's files up to a checkpoint, as they were left when it was written. */
async function cutAfter(storage: RunStorage, last: number): Promise<RunStorage> {
  const copy = memoryStorage("copy");
  await copy.write("metrics.jsonl", (await storage.read("metrics.jsonl"))!);
  for (const name of await storage.list(checkpointPath(last))) {
    const path = `${checkpointPath(last)}/${name}`;
    await copy.write(path, (await storage.read(path))!);
  }
  return copy;
}

Deno.test("a streamed run resumed from any checkpoint goes on bitwise", async () => {
  await openDevice("wasm");
  for (const assignments of [[], ["training.microBatch=2"]]) {
    const config = imagesConfig(...assignments), whole = memoryStorage();
    await train(await problemOf(config), { storage: whole });
    for (const last of [0, 4]) {
      const cut = await cutAfter(whole, last);
      await train(await problemOf(config), { storage: cut });
      assertEquals(await cut.read("metrics.jsonl"), await whole.read("metrics.jsonl"));
      const tensors = `${checkpointPath(8)}/state.safetensors`;
      assertEquals(await cut.read(tensors), await whole.read(tensors));
    }
  }
});

Deno.test("a run goes on with other parts of its batches, as with none", async () => {
  await openDevice("wasm");
  const whole = memoryStorage();
  await train(await problemOf(imagesConfig()), { storage: whole });
  const cut = await cutAfter(whole, 4);
  await train(await problemOf(imagesConfig("training.microBatch=3")), { storage: cut });
  const [expected, actual] = [await readMetrics(whole), await readMetrics(cut)];
  assertEquals(actual.length, expected.length);
  expected.forEach((line, i) => {
    assertAlmostEquals(actual[i].loss, line.loss, 1e-4 * Math.max(1, Math.abs(line.loss)));
  });
});

Deno.test("a run says how fast it goes, and leaves clocks out of its metrics", async () => {
  await openDevice("wasm");
  const storage = memoryStorage();
  const memory: (number | null)[] = [], speeds: unknown[] = [];
  const before = tf.memory().numTensors;
  await train(await problemOf(imagesConfig("training.logEvery=4")), {
    storage,
    onStart: ({ memoryBytes }) => void memory.push(memoryBytes),
    onStep: (_step, _metrics, speed) => void (speed && speeds.push(speed)),
  });
  assertEquals(tf.memory().numTensors, before);
  assert(memory.length === 1 && memory[0]! > 1000);
  const lines = new TextDecoder().decode((await storage.read("speed.jsonl"))!).trim().split("\n");
  assertEquals(lines.map((line) => JSON.parse(line)), speeds as never);
  const [first] = speeds as { step: number; samplesPerSecond: number; waitMilliseconds: number }[];
  assertEquals(first.step, 4);
  assert(first.samplesPerSecond > 0 && first.waitMilliseconds >= 0);
  const [line] = await readMetrics(storage);
  assertEquals(Object.keys(line), [
    ...["step", "loss", "transport", "kinetic", "gap", "spectral", "largestSingularValue"],
    ...["gradientNorm", "learningRate"],
  ]);
});

Deno.test("the state's shapes are known without making it, those of a checkpoint too", async () => {
  await openDevice("wasm");
  const problem = await problemOf(imagesConfig("data.placement=device", "training.microBatch=2"));
  const state = initialState(problem), shapes = stateShapes(problem);
  for (const part of Object.keys(state) as (keyof typeof state)[]) {
    const actual = Object.entries(shapes[part]).map(([name, { shape, dtype }]) =>
      `${name} ${dtype} [${shape}]`
    );
    const expected = Object.entries(state[part]).map(([name, { shape, dtype }]) =>
      `${name} ${dtype} [${shape}]`
    );
    assertEquals(actual, expected, part);
  }
  assert(Object.keys(shapes.spectral).length > 0 && Object.keys(shapes.accumulated).length > 0);
  disposeState(state);
});

Deno.test("an average of another decay can be read back", async () => {
  await openDevice("wasm");
  const storage = memoryStorage(), problem = await problemOf(imagesConfig());
  await train(problem, { storage });
  const { parameters } = stateShapes(problem);
  const main = await loadAverage(storage, 8, parameters);
  const other = await loadAverage(storage, 8, parameters, 0.1);
  assertEquals(Object.keys(other), Object.keys(main));
  assert(main["head.v"].dataSync().join() !== other["head.v"].dataSync().join());
  await assertRejects(
    () => loadAverage(storage, 8, parameters, 0.25),
    FormatError,
    "otherAverages/0.25/",
  );
});

/** Values by step, in place of a measure. */
function evaluationOf(values: Record<number, number | Error>): Evaluation {
  return {
    metric: "distance",
    every: 2,
    evaluate(parameters, step) {
      assert("head.v" in parameters);
      const value = values[step];
      return value instanceof Error ? Promise.reject(value) : Promise.resolve(value);
    },
  };
}

Deno.test("the checkpoint that is best by an evaluation is kept, whatever becomes of the others", async () => {
  await openDevice("wasm");
  const config = imagesConfig("training.keepCheckpoints=1"), storage = memoryStorage();
  const evaluation = evaluationOf({ 2: 7, 4: 3, 6: 5, 8: 4 });
  const problem = await problemOf(config);
  await train(problem, { storage, evaluation });
  assertEquals(await readEvaluations(storage), [
    { step: 2, metric: "distance", value: 7 },
    { step: 4, metric: "distance", value: 3 },
    { step: 6, metric: "distance", value: 5 },
    { step: 8, metric: "distance", value: 4 },
  ]);
  assertEquals(await bestStep(storage), 4);
  const best = await loadAverage(storage, "best", stateShapes(problem).parameters);
  // The run up to there.
  const short = memoryStorage();
  await train(await problemOf(imagesConfig()), { storage: short });
  const { average } = await loadCheckpoint(short, 4, stateShapes(problem));
  assertEquals(best["stem.v"].dataSync(), average["stem.v"].dataSync());
});

Deno.test("killed at any write, a run with evaluations keeps the best one", async () => {
  await openDevice("wasm");
  const config = imagesConfig("training.steps=6", "training.keepCheckpoints=1");
  const evaluation = evaluationOf({ 2: 7, 4: 3, 6: 5 });
  for (let kills = 1;; kills++) {
    const storage = memoryStorage();
    let changes = 0;
    const change = <A extends unknown[]>(write: (...args: A) => Promise<void>) => (...args: A) =>
      ++changes < kills ? write(...args) : Promise.reject(new Error("killed"));
    const killed = {
      ...storage,
      write: change(storage.write),
      writeDirectory: change(storage.writeDirectory),
      append: change(storage.append),
      remove: change(storage.remove),
    };
    const survived = await train(await problemOf(config), { storage: killed, evaluation })
      .then(() => true, () => false);
    if (!survived) await train(await problemOf(config), { storage, evaluation });
    assertEquals(await bestStep(storage), 4, `killed at change ${kills}`);
    const steps = (await readEvaluations(storage)).map(({ step }) => step);
    assertEquals(steps, [2, 4, 6], `killed at change ${kills}`);
    if (survived) break;
    // Every third change: the test's time is what limits it.
    kills += 2;
  }
});

Deno.test("an evaluation that Ctrl-C has kept from being done is done when the run goes on", async () => {
  await openDevice("wasm");
  const storage = memoryStorage(), stop = new AbortController();
  const evaluation = evaluationOf({ 2: 7, 4: 3, 6: 5, 8: 4 });
  const interrupted: Evaluation = {
    ...evaluation,
    evaluate(parameters, step) {
      if (step < 4) return evaluation.evaluate(parameters, step);
      stop.abort();
      return Promise.reject(stop.signal.reason);
    },
  };
  const problem = await problemOf(imagesConfig());
  const outcome = await train(problem, {
    storage,
    signal: stop.signal,
    evaluation: interrupted,
  });
  assertEquals(outcome, { step: 4, finished: false });
  await train(problem, { storage, evaluation });
  assertEquals((await readEvaluations(storage)).map(({ step }) => step), [2, 4, 6, 8]);
  assertEquals(await bestStep(storage), 4);
});

Deno.test("an evaluation that fails is told of, and the run goes on", async () => {
  await openDevice("wasm");
  const storage = memoryStorage(), notices: string[] = [];
  const evaluation = evaluationOf({ 2: new VapoError("no features"), 4: NaN, 6: 5, 8: 6 });
  const outcome = await train(await problemOf(imagesConfig()), {
    storage,
    evaluation,
    onNotice: (message) => void notices.push(message),
  });
  assertEquals(outcome, { step: 8, finished: true });
  assertEquals(notices, [
    "no distance at step 2: no features",
    "no distance at step 4: distance is NaN: expected a finite number",
  ]);
  assertEquals((await readEvaluations(storage)).map(({ step }) => step), [6, 8]);
  assertEquals(await bestStep(storage), 6);
});

Deno.test("resumed, a run takes back the evaluations that it will do again", async () => {
  await openDevice("wasm");
  const storage = memoryStorage(), values = { 2: 7, 4: 3, 6: 5, 8: 4 };
  await train(await problemOf(imagesConfig()), { storage, evaluation: evaluationOf(values) });
  for (const step of [6, 8]) await storage.remove(checkpointPath(step));
  await train(await problemOf(imagesConfig()), { storage, evaluation: evaluationOf(values) });
  assertEquals((await readEvaluations(storage)).map(({ step }) => step), [2, 4, 6, 8]);
  assertEquals(await bestStep(storage), 4);
});

Deno.test("a step that does not fit the device is refused with the part that does", async () => {
  await openDevice("wasm");
  // 512 samples at 128 pixels: activations of 40 GB; a sample takes 70 MB of them.
  const large = imagesConfig(
    "data.size=128",
    "potential.channels=64",
    "training.batchSize=512",
    "training.microBatch=512",
    "loss.spectralRegularization=0",
  );
  const files = imageFilesOf(folderContents([2], { shape: [128, 128, 3] }));
  const error = await assertRejects(
    async () => await train(await problemOf(large, files), { storage: memoryStorage() }),
    ConfigError,
    "a step at training.microBatch 512 needs",
  );
  assert(
    /set training\.microBatch to (16|32|64) \(--micro-batch \1\)/.test(error.message),
    error.message,
  );
  assert(error.message.includes("expected at most 4 GiB"), error.message);
});

Deno.test("where a run starts does not depend on the parts of its batches", async () => {
  await openDevice("wasm");
  const starts = await Promise.all(
    [null, 6, 2].map(async (microBatch) => {
      const config = imagesConfig("data.placement=device", `training.microBatch=${microBatch}`);
      return startingValues(await problemOf(config)).parameters;
    }),
  );
  for (const name of Object.keys(starts[0])) {
    const [whole, six, two] = starts.map((parameters) => parameters[name].dataSync());
    assertEquals(six, whole, name);
    assertEquals(two, whole, name);
  }
});

Deno.test("other images than a run was started with are refused", async () => {
  const { images } = await openDataSource(imagesConfig().data, imageFilesOf(contents));
  assertEquals(images!.count, 23);
  const data = { ...imagesConfig().data, checksum: images!.checksum };
  await openDataSource(data, imageFilesOf(contents));
  await assertRejects(
    () => openDataSource(data, imageFilesOf(folderContents([9, 8, 5]))),
    VapoError,
    "the 22 images in data/numbers are not those that the run was started with",
  );
});

Deno.test("a damaged shard ends a run with its name, and what is saved stays", async () => {
  await openDevice("wasm");
  const broken = { ...contents };
  broken["train-1.bin"] = broken["train-1.bin"].slice();
  broken["train-1.bin"][5] ^= 1;
  const storage = memoryStorage();
  await assertRejects(
    async () => await train(await problemOf(imagesConfig(), imageFilesOf(broken)), { storage }),
    FormatError,
    "train-1.bin",
  );
});
