import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { FormatError, NonFiniteError, VapoError } from "../../../core/errors.ts";
import { drawSamples } from "../../../core/flow/sampler.ts";
import { crc32 } from "../../../core/formats/crc32.ts";
import { decodeSafetensors, encodeSafetensors } from "../../../core/formats/safetensors.ts";
import { JitError } from "../../../core/jit/mod.ts";
import { threadPool } from "../../../core/jit/wasm/thread_pool.ts";
import { encodePng } from "../../../core/picture/rgb_image.ts";
import { openDevice, tf } from "../../../core/tensor/mod.ts";
import {
  checkpointPath,
  checkpointSteps,
  loadAverage,
  loadCheckpoint,
} from "../../../core/train/checkpoint.ts";
import { assignConfig, type RunConfig } from "../../../core/train/config.ts";
import { openDataSource } from "../../../core/train/data_source.ts";
import { presetConfig } from "../../../core/train/presets.ts";
import { readConfig, readMetrics, writeConfig } from "../../../core/train/run_directory.ts";
import { memoryStorage, type RunStorage } from "../../../core/train/run_storage.ts";
import { samplePicture } from "../../../core/train/sample_picture.ts";
import { disposeState, flattenState } from "../../../core/train/state.ts";
import { isComplete, train } from "../../../core/train/trainer.ts";
import { drawBatch } from "../../../core/train/training_batch.ts";
import { initialState } from "../../../core/train/initial_state.ts";
import { trainingProblem } from "../../../core/train/training_problem.ts";
import { trainingStep } from "../../../core/train/training_step.ts";

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
  return trainingProblem(config, await openDataSource(config.data));
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
  const names = ["step", "loss", "transport", "kinetic", "gap", "gradientNorm", "learningRate"];
  assertEquals(Object.keys(metrics[0]), [...names, "excess", "minimum"]);
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

/** A storage whose process is killed at the n-th change that it is asked for, halfway through. */
function killedAt(storage: RunStorage, n: number): RunStorage {
  let changes = 0;
  const killed = new Error("killed");
  const change = (half: () => Promise<void>, whole: () => Promise<void>) => {
    if (++changes < n) return whole();
    // Only an append can be caught halfway; the others happen whole or not at all.
    return changes === n ? half().then(() => Promise.reject(killed)) : Promise.reject(killed);
  };
  const nothing = () => Promise.resolve();
  return {
    ...storage,
    write: (path, bytes) => change(nothing, () => storage.write(path, bytes)),
    writeDirectory: (path, files) => change(nothing, () => storage.writeDirectory(path, files)),
    remove: (path) => change(nothing, () => storage.remove(path)),
    append: (path, bytes) =>
      change(
        () => storage.append(path, bytes.subarray(0, bytes.length >> 1)),
        () => storage.append(path, bytes),
      ),
  };
}

/** The checksums of a run's files, by name; of its checkpoints only the newest. */
async function contents(storage: RunStorage): Promise<Record<string, number>> {
  const directories = ["samples", checkpointPath((await checkpointSteps(storage)).at(-1)!)];
  const listed = await Promise.all(
    directories.map(async (directory) =>
      (await storage.list(directory)).map((name) => `${directory}/${name}`)
    ),
  );
  const sums: Record<string, number> = {};
  for (const file of ["metrics.jsonl", ...listed.flat()]) {
    sums[file] = crc32((await storage.read(file))!);
  }
  return sums;
}

Deno.test("killed at any of its writes, a run resumed leaves what it would have left", async () => {
  await openDevice("wasm");
  const problem = await tinyProblem(tinyConfig(
    "training.steps=6",
    "training.logEvery=1",
    "training.checkpointEvery=2",
    "training.sampleEvery=3",
    "training.keepCheckpoints=1",
    "potential.hidden=[4]",
  ));
  const whole = memoryStorage();
  await train(problem, { storage: whole });
  const expected = await contents(whole);
  const before = tf.memory().numTensors;
  let kills = 0;
  for (;; kills++) {
    const storage = memoryStorage();
    try {
      await train(problem, { storage: killedAt(storage, kills + 1) });
      break;
    } catch (error) {
      assertEquals((error as Error).message, "killed");
    }
    // What a reader finds meanwhile: lines that are whole, up to the newest checkpoint at least.
    const newest = (await checkpointSteps(storage)).at(-1) ?? 0;
    const steps = (await readMetrics(storage)).map(({ step }) => step);
    assertEquals(steps, Array.from(steps, (_, i) => i + 1));
    assert(steps.length >= newest, `${steps.length} lines at checkpoint ${newest}`);
    await train(problem, { storage });
    assertEquals(await contents(storage), expected, `killed at change ${kills + 1}`);
  }
  // Rewound metrics, 6 lines of them and of speed, 4 checkpoints, 3 of them removed, 2 pictures.
  assertEquals(kills, 1 + 2 * 6 + 4 + 3 + 2);
  assertEquals(tf.memory().numTensors, before);
});

Deno.test("the last step is logged, and a picture is drawn from the average", async () => {
  await openDevice("wasm");
  const problem = await tinyProblem(tinyConfig("training.logEvery=7")), storage = memoryStorage();
  await train(problem, { storage });
  assertEquals((await readMetrics(storage)).map(({ step }) => step), [7, 14, 20]);
  const fresh = initialState(problem);
  const loaded = await loadCheckpoint(storage, 20, fresh);
  const average = await loadAverage(storage, 20, fresh.parameters);
  for (const [name, tensor] of Object.entries(average)) {
    assertEquals(tensor.dataSync(), loaded.average[name].dataSync());
  }
  const { config, path, potential, data } = problem;
  const options = { ...config.sampling, seed: config.seed };
  const { samples } = await drawSamples(potential, average, path, options);
  assertEquals(
    await storage.read("samples/step-00000020.png"),
    encodePng(await samplePicture(data, samples)),
  );
});

Deno.test("a picture that cannot be drawn costs a notice, not the run", async () => {
  await openDevice("wasm");
  const problem = await tinyProblem(), { config } = problem, storage = memoryStorage();
  const sampling = { ...config.sampling, until: 5 }; // as if nobody had checked it
  const notices: string[] = [];
  const outcome = await train({ ...problem, config: { ...config, sampling } }, {
    storage,
    onNotice: (message) => void notices.push(message),
  });
  assertEquals(outcome, { step: 20, finished: true });
  assertEquals(notices.length, 2);
  assert(notices[0].startsWith("no samples/step-00000010.png: until is 5"), notices[0]);
  assertEquals(await storage.list("samples"), []);
});

Deno.test("an abort at the last checkpoint leaves the picture to whoever resumes", async () => {
  await openDevice("wasm");
  const problem = await tinyProblem(), storage = memoryStorage();
  const abort = new AbortController();
  const aborting: RunStorage = {
    ...storage,
    async writeDirectory(path, files) {
      await storage.writeDirectory(path, files);
      if (path === checkpointPath(20)) abort.abort();
    },
  };
  const stopped = await train(problem, { storage: aborting, signal: abort.signal });
  assertEquals(stopped, { step: 20, finished: false });
  assertEquals(await isComplete(problem.config, storage), false);
  assertEquals(await train(problem, { storage }), { step: 20, finished: true });
  assertEquals(await isComplete(problem.config, storage), true);
  assertEquals(await storage.list("samples"), ["step-00000010.png", "step-00000020.png"]);
});

Deno.test("an aborted run saves the step it is at and says that it is not finished", async () => {
  await openDevice("wasm");
  const problem = await tinyProblem(), storage = memoryStorage(), whole = memoryStorage();
  const abort = new AbortController();
  const outcome = await train(problem, {
    storage,
    signal: abort.signal,
    onStep: (step) => void (step === 7 && abort.abort()),
  });
  assertEquals(outcome, { step: 7, finished: false });
  assertEquals((await checkpointSteps(storage)).at(-1), 7);
  assertEquals(await train(problem, { storage }), { step: 20, finished: true });
  await train(problem, { storage: whole });
  for (const file of ["metrics.jsonl", `${checkpointPath(20)}/state.safetensors`]) {
    assertEquals(await storage.read(file), await whole.read(file));
  }
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
  const poisoned = {
    ...problem,
    data: {
      ...problem.data,
      draw: (n: number, key: Parameters<typeof problem.data.draw>[1]) =>
        // The draw as a tensor function of the step, as it is compiled.
        tf.where(
          tf.equal(key.step, tf.scalar(8, "int32")),
          tf.fill([n, 2], NaN),
          problem.data.draw(n, key),
        ),
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

Deno.test("threads that die end the run with an error, and its last checkpoint goes on", async () => {
  await openDevice("wasm", { threads: 2 });
  const config = tinyConfig("potential.hidden=[64,64]", "training.batchSize=256");
  const problem = await tinyProblem(config);
  const whole = memoryStorage(), broken = memoryStorage();
  await train(problem, { storage: whole });
  const onStep = (step: number) => {
    if (step === 13) threadPool(2).destroy();
  };
  await assertRejects(
    () => train(problem, { storage: broken, onStep }),
    JitError,
    "threads of this program have been ended",
  );
  assertEquals((await checkpointSteps(broken)).at(-1), 10);
  assertEquals(await train(problem, { storage: broken }), { step: 20, finished: true });
  const end = `${checkpointPath(20)}/state.safetensors`;
  assertEquals(await broken.read(end), await whole.read(end));
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
  const { tensors: arrays } = decodeSafetensors(bytes);
  const step = arrays["counters/step"];
  const count = Float32Array.from(step.data as Int32Array);
  const mistyped = { ...arrays, "counters/step": { ...step, dtype: "F32", data: count } as const };
  const damage: [string, string, Uint8Array][] = [
    ["without a checksum", tensors, encodeSafetensors(arrays, {}, { checksum: false })],
    ["mistyped", tensors, encodeSafetensors(mistyped)],
    ["with a tensor more", tensors, encodeSafetensors({ ...arrays, "parameters/more": step })],
    ["other version", facts, new TextEncoder().encode('{"version":2,"step":20}')],
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
    // Lines beyond the checkpoint, which a resumed run would take back.
    await storage.append("metrics.jsonl", new TextEncoder().encode('{"step":21}\n{"st'));
    const metrics = await storage.read("metrics.jsonl");
    const error = await assertRejects(
      () => train(problem, { storage }),
      FormatError,
      undefined,
      what,
    );
    assert((error as Error).message.includes("step-00000020"), (error as Error).message);
    assertEquals(await storage.read(path), content);
    assertEquals(await storage.read("metrics.jsonl"), metrics);
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
  await assertRejects(() => readConfig(storage), FormatError, "runs/x/config.json is not JSON");
});

Deno.test("a checkpoint with a file missing is named as damaged, not as absent", async () => {
  await openDevice("wasm");
  const problem = await tinyProblem(), storage = memoryStorage();
  await train(problem, { storage });
  for (const name of ["state.json", "state.safetensors"]) {
    const cut = await cutAfter(storage, 20);
    await cut.remove(`${checkpointPath(20)}/${name}`);
    await assertRejects(
      () => train(problem, { storage: cut }),
      FormatError,
      `step-00000020 is damaged: it has no ${name}`,
    );
  }
});

Deno.test("metrics that went missing before the checkpoint are noticed aloud", async () => {
  await openDevice("wasm");
  const problem = await tinyProblem(), storage = memoryStorage("runs/y");
  await train(problem, { storage });
  const notices: string[] = [];
  const onNotice = (notice: string) => void notices.push(notice);
  await train(problem, { storage, onNotice });
  assertEquals(notices, []);
  await storage.write("metrics.jsonl", new TextEncoder().encode('{"step":2}\n{"ste'));
  await train(problem, { storage, onNotice });
  assertEquals(notices.length, 1);
  assert(notices[0].includes("runs/y") && notices[0].includes("step 2, expected 20"), notices[0]);
});
