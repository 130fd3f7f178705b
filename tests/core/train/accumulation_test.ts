import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { ConfigError } from "../../../core/errors.ts";
import { openDevice, type TensorRecord, tf } from "../../../core/tensor/mod.ts";
import { assignConfig } from "../../../core/train/config.ts";
import { openDataSource } from "../../../core/train/data_source.ts";
import { presetConfig } from "../../../core/train/presets.ts";
import { disposeState, flattenState, otherAverage } from "../../../core/train/state.ts";
import { openTrainingProgram } from "../../../core/train/training_program.ts";
import { trainingStep } from "../../../core/train/training_step.ts";
import { drawBatch } from "../../../core/train/training_batch.ts";
import { initialState, startingValues } from "../../../core/train/initial_state.ts";
import { trainingProblem } from "../../../core/train/training_problem.ts";
import { folderContents, imageFilesOf } from "./folder_files.ts";

async function planeProblem(...assignments: string[]) {
  const config = assignConfig(presetConfig("8gaussians"), [
    "potential.hidden=[8,7]",
    "training.batchSize=24",
    "optimizer.warmupSteps=0",
    ...assignments,
  ]);
  return trainingProblem(config, await openDataSource("8gaussians"));
}

/** Images, streamed, with everything that a step can have. */
async function imageProblem(...assignments: string[]) {
  const config = assignConfig(presetConfig("cifar10-small"), [
    "data.name=folder",
    "data.size=8",
    "data.placement=stream",
    "data.bufferImages=4",
    "data.flip=true",
    "potential.channels=4",
    "potential.multipliers=[1,2]",
    "loss.spectralRegularization=0.01",
    "training.batchSize=12",
    "optimizer.otherAverageDecays=[0.5]",
    ...assignments,
  ]);
  const source = await openDataSource(config.data, imageFilesOf(folderContents([9, 8, 6])));
  return trainingProblem(config, source);
}

type Problem = Awaited<ReturnType<typeof planeProblem>>;

/** The state's values and the last line after some steps from the given problem's own start. */
async function trained(problem: Problem, start: Problem, steps = 3) {
  const state = initialState(problem, startingValues(start));
  const program = await openTrainingProgram(problem, state);
  let line: Record<string, number> | null = null;
  for (let step = 1; step <= steps; step++) line = await program.step(step === steps);
  const after = program.state(), values: Record<string, number[]> = {};
  for (const [name, tensor] of Object.entries(flattenState<tf.Tensor>(after))) {
    values[name] = [...tensor.dataSync()];
  }
  disposeState(after);
  program.dispose();
  return { line: line!, values };
}

function assertAlike(actual: Record<string, number[]>, expected: Record<string, number[]>) {
  for (const [name, values] of Object.entries(expected)) {
    const scale = Math.max(1e-3, ...values.map(Math.abs));
    values.forEach((value, i) => assertAlmostEquals(actual[name][i], value, 2e-3 * scale, name));
  }
}

for (const device of ["cpu", "wasm"] as const) {
  Deno.test(`a batch in parts does the step of the batch whole, on ${device}`, async () => {
    await openDevice(device);
    const whole = await planeProblem(), parts = await planeProblem("training.microBatch=6");
    const expected = await trained(whole, whole), actual = await trained(parts, whole);
    assertAlike(actual.values, expected.values);
    for (const name of ["loss", "transport", "kinetic", "gradientNorm", "excess", "minimum"]) {
      assertAlmostEquals(actual.line[name], expected.line[name], 1e-4, name);
    }
    assertEquals(actual.values["counters/part"], [0]);
    assertEquals(actual.values["counters/step"], [3]);
    const sums = Object.entries(actual.values).filter(([name]) => name.startsWith("accumulated/"));
    assert(sums.length > 4 && sums.every(([, values]) => values.every((value) => value === 0)));
  });
}

Deno.test("so does a streamed batch, with flips and spectral regularisation", async () => {
  await openDevice("wasm");
  const own = await imageProblem("data.placement=device");
  const whole = await imageProblem(), parts = await imageProblem("training.microBatch=4");
  const expected = await trained(whole, own), actual = await trained(parts, own);
  assertAlike(actual.values, expected.values);
  for (const name of ["loss", "spectral", "largestSingularValue", "gradientNorm"]) {
    assertAlmostEquals(actual.line[name], expected.line[name], 1e-3, name);
  }
  assert(expected.line.spectral > expected.line.largestSingularValue);
});

Deno.test("the parts of a batch are its samples, in order", async () => {
  await openDevice("wasm");
  const whole = await planeProblem(), parts = await planeProblem("training.microBatch=8");
  const batch = drawBatch(whole, initialState(whole));
  const state = initialState(parts);
  for (const part of [0, 1, 2]) {
    const counters = { ...state.counters, part: tf.scalar(part, "int32") };
    const drawn = drawBatch(parts, { ...state, counters });
    for (const name of ["data", "noise", "time"] as const) {
      const all = batch[name].dataSync(), perSample = all.length / 24;
      const expected = all.slice(8 * part * perSample, 8 * (part + 1) * perSample);
      assertEquals(drawn[name].dataSync(), expected);
    }
  }
});

Deno.test("before the last part of a batch nothing moves but the sums", async () => {
  await openDevice("cpu");
  const problem = await planeProblem("training.microBatch=8");
  const start = initialState(problem);
  const before = copy(start.parameters);
  // A program does whole steps; one part alone is the pure function.
  const { state } = trainingStep(problem, start, drawBatch(problem, start));
  assertEquals(copy(state.parameters), before);
  assertEquals([...state.counters.part.dataSync(), ...state.counters.step.dataSync()], [1, 0]);
  assert([...state.accumulated["gradients/dense0.kernel"].dataSync()].some((value) => value !== 0));
});

function copy(record: TensorRecord): Record<string, number[]> {
  return Object.fromEntries(
    Object.entries(record).map(([name, tensor]) => [name, [...tensor.dataSync()]]),
  );
}

Deno.test("averages of several decays follow their own formula", async () => {
  await openDevice("cpu");
  const problem = await planeProblem(
    "optimizer.averageDecay=0.9",
    "optimizer.otherAverageDecays=[0.05,0]",
  );
  const start = initialState(problem), before = copy(start.parameters);
  const { state } = trainingStep(problem, start, drawBatch(problem, start));
  const after = copy(state.parameters);
  // The warm-up of the decay: at the first step at most 1/10.
  const decays = [[0.1, state.average], [0.05, otherAverage(state.otherAverages, 0.05)], [
    0,
    otherAverage(state.otherAverages, 0),
  ]] as const;
  for (const [decay, average] of decays) {
    for (const [name, values] of Object.entries(copy(average))) {
      values.forEach((value, i) =>
        assertAlmostEquals(value, decay * before[name][i] + (1 - decay) * after[name][i], 1e-6)
      );
    }
  }
});

Deno.test("a part that does not divide the batch is refused, and a decay given twice", () => {
  const config = presetConfig("rings");
  assertThrows(
    () => assignConfig(config, ["training.microBatch=100"]),
    ConfigError,
    "training.microBatch is 100: expected a divisor of training.batchSize (512)",
  );
  assertThrows(
    () => assignConfig(config, ["optimizer.otherAverageDecays=[0.5,0.999]"]),
    ConfigError,
    "has 0.999 once more than needed",
  );
});
