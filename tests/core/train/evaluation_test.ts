import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { VapoError } from "../../../core/errors.ts";
import { openDevice, tf } from "../../../core/tensor/mod.ts";
import { bestStep, checkpointPath, checkpointSteps } from "../../../core/train/checkpoint.ts";
import { assignConfig } from "../../../core/train/config.ts";
import { openDataSource } from "../../../core/train/data_source.ts";
import type { Evaluation } from "../../../core/train/evaluation.ts";
import { presetConfig } from "../../../core/train/presets.ts";
import { type EvaluatedOf, readEvaluations } from "../../../core/train/run_directory.ts";
import { memoryStorage, type RunStorage } from "../../../core/train/run_storage.ts";
import { train, type TrainOptions } from "../../../core/train/trainer.ts";
import { trainingProblem } from "../../../core/train/training_problem.ts";

const config = assignConfig(presetConfig("8gaussians"), [
  "potential.hidden=[4]",
  "training.batchSize=8",
  "training.steps=8",
  "training.checkpointEvery=2",
  "training.keepCheckpoints=100",
  "training.sampleEvery=100",
  "optimizer.warmupSteps=2",
  "sampling.n=4",
  "sampling.solver=euler",
  "sampling.steps=2",
]);

/** Trains, or goes on, to the end or to a step; gives what was told. */
async function trained(
  storage: RunStorage,
  evaluation: Evaluation | undefined,
  until = 8,
  more: Partial<TrainOptions> = {},
): Promise<{ notices: string[]; bugs: unknown[] }> {
  await openDevice("wasm");
  const problem = trainingProblem(config, await openDataSource(config.data));
  const stop = new AbortController(), notices: string[] = [], bugs: unknown[] = [];
  await train(problem, {
    storage,
    evaluation,
    signal: stop.signal,
    onStep: (step) => void (step === until && until < 8 && stop.abort()),
    onNotice(message, bug) {
      notices.push(message);
      if (bug) bugs.push(bug);
    },
    ...more,
  });
  return { notices, bugs };
}

/** Values by step, of something. */
function evaluationOf(
  values: Record<number, number | Error>,
  of?: EvaluatedOf,
  metric = "fid",
): Evaluation {
  return {
    metric,
    of,
    every: 2,
    evaluate(_parameters, step) {
      const value = values[step];
      return value instanceof Error ? Promise.reject(value) : Promise.resolve(value);
    },
  };
}

async function bestFacts(storage: RunStorage) {
  const bytes = await storage.read("checkpoints/best/state.json");
  const { step, metric, value, of } = JSON.parse(new TextDecoder().decode(bytes!));
  return { step, metric, value, of };
}

const few = { n: 100, solver: "rk45" }, many = { n: 2500, solver: "rk45" };

Deno.test("only values of the same compete for the best checkpoint, and a change is told", async () => {
  const storage = memoryStorage();
  await trained(storage, evaluationOf({ 2: 50, 4: 40 }, many), 4);
  assertEquals(await bestStep(storage), 4);
  // Fewer samples make the distance larger, whatever the parameters are.
  const { notices } = await trained(storage, evaluationOf({ 4: 95, 6: 90, 8: 94 }, few));
  assertEquals(notices.length, 1);
  assertStringIncludes(notices[0], "from step 4 on (n 100, before 2500)");
  assertEquals(await readEvaluations(storage), [
    { step: 2, metric: "fid", value: 50, of: many },
    { step: 4, metric: "fid", value: 40, of: many },
    { step: 4, metric: "fid", value: 95, of: few },
    { step: 6, metric: "fid", value: 90, of: few },
    { step: 8, metric: "fid", value: 94, of: few },
  ]);
  assertEquals(await bestFacts(storage), { step: 6, metric: "fid", value: 90, of: few });
});

Deno.test("back at earlier settings, a run does not compare with a checkpoint that is gone", async () => {
  const storage = memoryStorage();
  await trained(storage, evaluationOf({ 2: 10 }, many), 2);
  await trained(storage, evaluationOf({ 2: 95, 4: 90 }, few), 4);
  const { notices } = await trained(storage, evaluationOf({ 4: 30, 6: 20, 8: 25 }, many));
  assertEquals(notices.length, 1);
  assertEquals(await bestFacts(storage), { step: 6, metric: "fid", value: 20, of: many });
});

Deno.test("another metric is another thing, the order of what values are of is none", async () => {
  const storage = memoryStorage();
  await trained(storage, evaluationOf({ 2: 1, 4: 2 }, many, "nll"), 4);
  const told = await trained(storage, evaluationOf({ 4: 60, 6: 70 }, many, "fid"), 6);
  assertStringIncludes(told.notices[0], "metric fid, before nll");
  assertEquals((await bestFacts(storage)).step, 4);
  const turned = Object.fromEntries(Object.entries(many).reverse());
  assertEquals((await trained(storage, evaluationOf({ 8: 50 }, turned))).notices, []);
  assertEquals((await bestFacts(storage)).step, 8);
});

Deno.test("evaluations of earlier versions are read, and not compared with", async () => {
  const storage = memoryStorage();
  await trained(storage, evaluationOf({ 2: 7, 4: 5 }), 4);
  const lines = new TextDecoder().decode((await storage.read("evaluations.jsonl"))!);
  assertEquals(
    lines,
    '{"step":2,"metric":"fid","value":7}\n{"step":4,"metric":"fid","value":5}\n',
  );
  const { notices } = await trained(storage, evaluationOf({ 4: 9, 6: 8, 8: 8 }, many));
  assertStringIncludes(notices[0], "what the earlier ones are of is not noted");
  assertEquals((await bestFacts(storage)).step, 6);
  assertEquals((await readEvaluations(storage)).map(({ step }) => step), [2, 4, 4, 6, 8]);
});

Deno.test("without an evaluation a run goes on from one with evaluations, and keeps its best", async () => {
  const storage = memoryStorage();
  await trained(storage, evaluationOf({ 2: 7, 4: 9 }, many), 4);
  assertEquals((await trained(storage, undefined)).notices, []);
  assertEquals((await readEvaluations(storage)).map(({ step }) => step), [2, 4]);
  assertEquals(await bestStep(storage), 2);
});

Deno.test("a bug in an evaluation costs the evaluation, and comes with what is needed to report it", async () => {
  const storage = memoryStorage(), bug = new TypeError("x is undefined");
  const { notices, bugs } = await trained(storage, evaluationOf({ 2: bug, 4: 5, 6: 4, 8: 6 }, few));
  assertEquals(notices, ["no fid at step 2: a bug: x is undefined"]);
  assert(bugs.length === 1 && bugs[0] === bug && bug.stack);
  assertEquals(await bestStep(storage), 6);
  const user = await trained(
    memoryStorage(),
    evaluationOf({ 2: new VapoError("no disk") }, few),
    2,
  );
  assertEquals([user.notices, user.bugs], [["no fid at step 2: no disk"], []]);
});

Deno.test("what evaluations share is computed once, before the first step", async () => {
  const storage = memoryStorage(), calls: string[] = [], told: unknown[] = [];
  const evaluation: Evaluation = {
    ...evaluationOf({}),
    prepare(watch) {
      calls.push("prepare");
      watch?.onProgress?.("features", 1, 3);
      return Promise.resolve();
    },
    evaluate(_parameters, step, watch) {
      calls.push(`evaluate ${step}`);
      watch?.onProgress?.("samples", step, 8);
      return Promise.resolve(step);
    },
  };
  await trained(storage, evaluation, 8, {
    onStep: (step) => void calls.push(`step ${step}`),
    onEvaluating: (...progress) => void told.push(progress),
  });
  assertEquals(calls.slice(0, 4), ["prepare", "step 1", "evaluate 2", "step 2"]);
  assertEquals(calls.filter((call) => call === "prepare").length, 1);
  assertEquals(told.slice(0, 2), [["features", 1, 3], ["samples", 2, 8]]);
});

Deno.test("what cannot be prepared ends a run before it begins, and frees what it had", async () => {
  const storage = memoryStorage(), before = tf.memory().numTensors;
  const evaluation = {
    ...evaluationOf({}),
    prepare: () => Promise.reject(new VapoError("the weights are damaged")),
  };
  await assertRejects(() => trained(storage, evaluation), VapoError, "the weights are damaged");
  assertEquals(tf.memory().numTensors, before);
  assertEquals(await checkpointSteps(storage), []);
  assertEquals(await storage.read("metrics.jsonl"), null);
});

Deno.test("Ctrl-C while something is prepared leaves a run that goes on", async () => {
  const storage = memoryStorage(), whole = memoryStorage(), stop = new AbortController();
  const evaluation = evaluationOf({ 2: 3, 4: 2, 6: 1, 8: 4 }, few);
  const interrupted: Evaluation = {
    ...evaluation,
    prepare(watch) {
      stop.abort();
      return Promise.reject(watch!.signal!.reason);
    },
  };
  await trained(storage, interrupted, 8, { signal: stop.signal });
  assertEquals(await checkpointSteps(storage), [0]);
  await trained(storage, evaluation);
  await trained(whole, evaluation);
  for (const file of ["evaluations.jsonl", `${checkpointPath(8)}/state.safetensors`]) {
    assertEquals(await storage.read(file), await whole.read(file));
  }
});

Deno.test("killed in an evaluation, a run goes on to the same evaluations and the same best", async () => {
  const storage = memoryStorage(), whole = memoryStorage();
  const evaluation = evaluationOf({ 2: 7, 4: 3, 6: 5, 8: 4 }, few);
  await trained(whole, evaluation);
  const never = new Promise<number>(() => {});
  const reached = Promise.withResolvers<void>();
  const killed: Evaluation = {
    ...evaluation,
    evaluate(parameters, step) {
      if (step < 6) return evaluation.evaluate(parameters, step);
      reached.resolve();
      return never;
    },
  };
  // The process is gone: nothing of it is waited for.
  trained(storage, killed);
  await reached.promise;
  await trained(storage, evaluation);
  for (const file of ["evaluations.jsonl", "checkpoints/best/state.safetensors"]) {
    assertEquals(await storage.read(file), await whole.read(file));
  }
});
