import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { FormatError, NonFiniteError, VapoError } from "../../../core/errors.ts";
import { openDevice, tf } from "../../../core/tensor/mod.ts";
import { checkpointPath, checkpointSteps, loadCheckpoint } from "../../../core/train/checkpoint.ts";
import { assignConfig, type RunConfig } from "../../../core/train/config.ts";
import { openDataSource } from "../../../core/train/data_source.ts";
import { presetConfig } from "../../../core/train/presets.ts";
import { readConfig, readMetrics, writeConfig } from "../../../core/train/run_directory.ts";
import { memoryStorage, type RunStorage } from "../../../core/train/run_storage.ts";
import { disposeState, flattenState } from "../../../core/train/state.ts";
import { train } from "../../../core/train/trainer.ts";
import {
  drawBatch,
  initialState,
  trainingProblem,
  trainingStep,
} from "../../../core/train/training_step.ts";

const noFiles = () => Promise.reject(new Error("no files are needed"));

function tinyConfig(...assignments: string[]): RunConfig {
  return assignConfig(presetConfig("8gaussians"), [
    "potential.hidden=[8,8]",
    "training.batchSize=16",
    "training.steps=20",
    "training.logEvery=2",
    "training.checkpointEvery=5",
    "training.sampleEvery=10",
    "training.keepCheckpoints=100",
    "optimizer.warmupSteps=3",
    "sampling.n=8",
    "sampling.rtol=0.01",
    "sampling.atol=0.01",
    ...assignments,
  ]);
}

async function tinyProblem(config = tinyConfig()) {
  return trainingProblem(config, await openDataSource(config.data.name, noFiles));
}

/** A copy of a storage, with only the checkpoints up to a step: a run killed some time after it. */
async function cutAfter(storage: RunStorage, last: number): Promise<RunStorage> {
  const copy = memoryStorage("copy");
  const metrics = (await storage.read("metrics.jsonl"))!;
  // What was written after the checkpoint is there too, its last line torn.
  const torn = (await checkpointSteps(storage)).at(-1)! > last;
  await copy.write("metrics.jsonl", torn ? metrics.slice(0, -9) : metrics);
  for (const step of (await checkpointSteps(storage)).filter((step) => step <= last)) {
    const path = checkpointPath(step);
    for (const name of await storage.list(path)) {
      await copy.write(`${path}/${name}`, (await storage.read(`${path}/${name}`))!);
    }
  }
  return copy;
}

Deno.test("a run leaves metrics, checkpoints and pictures, and frees its tensors", async () => {
  await openDevice("wasm");
  const problem = await tinyProblem(), storage = memoryStorage();
  const before = tf.memory().numTensors;
  const steps: number[] = [];
  const outcome = await train(problem, { storage, onStep: (step) => void steps.push(step) });
  assertEquals(outcome, { step: 20, finished: true });
  assertEquals(tf.memory().numTensors, before);
  assertEquals(steps.length, 20);
  const metrics = await readMetrics(storage);
  assertEquals(metrics.map(({ step }) => step), [2, 4, 6, 8, 10, 12, 14, 16, 18, 20]);
  for (const line of metrics) {
    assertAlmostEquals(line.loss, line.transport + line.kinetic + line.gap, 1e-5);
    assert(line.excess > 0 && line.minimum < 0);
  }
  assertEquals(await checkpointSteps(storage), [0, 5, 10, 15, 20]);
  assertEquals(await storage.list("samples"), ["step-00000010.png", "step-00000020.png"]);
});

Deno.test("resumed from any checkpoint, a run goes on bitwise as if never stopped", async () => {
  await openDevice("wasm");
  const problem = await tinyProblem(), whole = memoryStorage();
  await train(problem, { storage: whole });
  for (const last of [0, 5, 15, 20]) {
    const cut = await cutAfter(whole, last);
    await train(problem, { storage: cut });
    assertEquals(await cut.read("metrics.jsonl"), await whole.read("metrics.jsonl"));
    const tensors = `${checkpointPath(20)}/state.safetensors`;
    assertEquals(await cut.read(tensors), await whole.read(tensors));
  }
});

Deno.test("an aborted run saves the step it is at and says that it is not finished", async () => {
  await openDevice("wasm");
  const problem = await tinyProblem(), storage = memoryStorage();
  const abort = new AbortController();
  const outcome = await train(problem, {
    storage,
    signal: abort.signal,
    onStep: (step) => void (step === 7 && abort.abort()),
  });
  assertEquals(outcome, { step: 7, finished: false });
  assertEquals((await checkpointSteps(storage)).at(-1), 7);
  assertEquals(await train(problem, { storage }), { step: 20, finished: true });
});

Deno.test("only the newest checkpoints are kept", async () => {
  await openDevice("wasm");
  const problem = await tinyProblem(tinyConfig("training.keepCheckpoints=2"));
  const storage = memoryStorage();
  await train(problem, { storage });
  assertEquals(await checkpointSteps(storage), [15, 20]);
});

Deno.test("a loss that is not finite stops the run at its step and keeps the checkpoint before", async () => {
  await openDevice("wasm");
  const problem = await tinyProblem(tinyConfig("training.logEvery=20"));
  let draws = 0; // The first is the initialisation's.
  const poisoned = {
    ...problem,
    data: {
      ...problem.data,
      draw: (n: number, key: Parameters<typeof problem.data.draw>[1]) =>
        ++draws === 10 ? tf.fill([n, 2], NaN) : problem.data.draw(n, key),
    },
  };
  const storage = memoryStorage();
  await assertRejects(
    () => train(poisoned, { storage }),
    NonFiniteError,
    "not finite at step 9; the checkpoint of step 5",
  );
  assertEquals((await checkpointSteps(storage)).at(-1), 5);
});

Deno.test("a damaged checkpoint is refused by name, and nothing is changed", async () => {
  await openDevice("wasm");
  const problem = await tinyProblem();
  const whole = memoryStorage();
  await train(problem, { storage: whole });
  const expected = initialState(problem);
  const tensors = `${checkpointPath(20)}/state.safetensors`;
  const facts = `${checkpointPath(20)}/state.json`;
  const bytes = (await whole.read(tensors))!;
  const damage: [string, string, Uint8Array][] = [
    ["truncated", tensors, bytes.slice(0, bytes.length >> 1)],
    ["empty", tensors, new Uint8Array()],
    ["flipped in the payload", tensors, bytes.map((b, i) => i === bytes.length - 9 ? b ^ 4 : b)],
    ["flipped in the header", tensors, bytes.map((b, i) => i === 200 ? b ^ 1 : b)],
    ["empty facts", facts, new Uint8Array()],
    ["other step", facts, new TextEncoder().encode('{"version":1,"step":19}')],
  ];
  for (const [what, path, content] of damage) {
    const storage = await cutAfter(whole, 20);
    await storage.write(path, content);
    const error = await assertRejects(
      () => train(problem, { storage }),
      FormatError,
      undefined,
      what,
    );
    assert((error as Error).message.includes("step-00000020"), (error as Error).message);
    assertEquals(await storage.read(path), content);
  }
  await assertRejects(
    () => loadCheckpoint(whole, 17, expected),
    VapoError,
    "no checkpoint of step 17 in memory: expected one of 0, 5, 10, 15, 20",
  );
  const other = initialState(await tinyProblem(tinyConfig("potential.hidden=[8,9]")));
  await assertRejects(() => loadCheckpoint(whole, 20, other), FormatError, "another configuration");
  disposeState(expected);
  disposeState(other);
});

Deno.test("a step is a pure function: equal inputs, equal outputs, inputs unchanged", async () => {
  await openDevice("wasm");
  const problem = await tinyProblem();
  const state = initialState(problem);
  const snapshot = Object.values(flattenState(state)).map((t) => t.dataSync().slice());
  const batch = drawBatch(problem, state);
  const once = trainingStep(problem, state, batch), again = trainingStep(problem, state, batch);
  Object.values(flattenState(once.state)).forEach((tensor, i) => {
    assertEquals(tensor.dataSync(), Object.values(flattenState(again.state))[i].dataSync());
  });
  Object.values(flattenState(state)).forEach((tensor, i) => {
    assertEquals(tensor.dataSync(), snapshot[i]);
  });
  assertEquals(once.state.counters.step.dataSync()[0], 1);
});

Deno.test("each draw of u stays on the path and has its density", async () => {
  await openDevice("wasm");
  const mean = async (draw: string) => {
    const problem = await tinyProblem(
      tinyConfig(`loss.timeDraw=${draw}`, "training.batchSize=20000"),
    );
    const time = drawBatch(problem, initialState(problem)).time.dataSync<"float32">();
    assert(time.every((u) => u >= 0 && u <= problem.path.uMax));
    return time.reduce((a, b) => a + b) / time.length / problem.path.uMax;
  };
  assertAlmostEquals(await mean("uniform"), 1 / 2, 0.01);
  assertAlmostEquals(await mean("late"), 2 / 3, 0.01);
  assertAlmostEquals(await mean("early"), 1 / 3, 0.01);
});

Deno.test("a run's configuration is read back, and what is none is refused by name", async () => {
  const storage = memoryStorage("runs/x");
  await assertRejects(() => readConfig(storage), VapoError, "runs/x is not a run");
  const config = tinyConfig();
  await writeConfig(storage, config);
  assertEquals(await readConfig(storage), config);
  await storage.write("config.json", new TextEncoder().encode('{"preset":'));
  await assertRejects(() => readConfig(storage), VapoError, "runs/x/config.json is not JSON");
});
