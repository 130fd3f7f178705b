import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import { jit } from "../../../core/jit/mod.ts";
import { openDevice, type TensorRecord, tf } from "../../../core/tensor/mod.ts";
import { assignConfig, type RunConfig } from "../../../core/train/config.ts";
import { openDataSource } from "../../../core/train/data_source.ts";
import { presetConfig } from "../../../core/train/presets.ts";
import { disposeState, flattenState, type TrainingState } from "../../../core/train/state.ts";
import { fitMicroBatch } from "../../../core/train/micro_batch.ts";
import { summarizeProblem, summarizeTraining } from "../../../core/train/summary.ts";
import { initialState } from "../../../core/train/initial_state.ts";
import { trainingProblem } from "../../../core/train/training_problem.ts";
import { wholeStep } from "../../../core/train/training_step.ts";

Deno.test("a summary of a small run is what the loaded run says of itself", async () => {
  await openDevice("wasm");
  const config = assignConfig(presetConfig("rings"), [
    "potential.hidden=[24,16]",
    "training.batchSize=40",
  ]);
  const summary = summarizeTraining(config);
  const problem = trainingProblem(config, await openDataSource("rings"));
  type State = TrainingState & TensorRecord;
  const state = initialState(problem) as State;
  const step = wholeStep(problem) as unknown as (state: State) => { state: State };
  const session = await jit(step, { donate: true }).load(state);
  const cells = (record: TensorRecord) =>
    Object.values(record).reduce((sum, { size }) => sum + size, 0);
  assertEquals(summary.parameters, cells(state.parameters));
  assertEquals(summary.memory.state, 4 * cells(flattenState(state)));
  assertEquals(summary.memory.total, session.statistics.arenaBytes);
  assertEquals(summary.flops, session.statistics.flops);
  assertEquals(summary.kernels, session.statistics.kernels);
  assertEquals(summary.memory.data, 0);
  assertEquals(summarizeProblem(problem), summary);
  session.dispose();
  disposeState(state);
});

/** A wide ResNet as wide as the paper's for CIFAR-10, on the MNIST preset's images. */
const large: RunConfig = assignConfig(presetConfig("mnist"), [
  "potential.channels=128",
  "potential.multipliers=[1,2,2,2]",
  "potential.blocksPerLevel=2",
  "training.batchSize=256",
]);

Deno.test("a net that fits nowhere is summarised in seconds", async () => {
  await openDevice("cpu");
  const before = tf.memory().numTensors;
  const { parameters, flops, memory } = summarizeTraining(large);
  assertEquals(tf.memory().numTensors, before);
  // The convolutions alone: 9 cells an input and output channel.
  const pairs = 4 * 128 ** 2 + 2 * 128 * 256 + (3 + 2 * 4) * 256 ** 2;
  assert(parameters > 9 * pairs && parameters < 1.01 * 9 * pairs, `${parameters}`);
  // Φ, ∇Φ and the gradients of both: six times as many products, and little else.
  const products = 32 ** 2 * 4 * 128 ** 2 + 16 ** 2 * (2 * 128 * 256 + 3 * 256 ** 2) +
    (8 ** 2 + 4 ** 2) * 4 * 256 ** 2;
  assertAlmostEquals(flops / (256 * 2 * 9 * products), 6, 0.2);
  // The set itself, and a batch.
  assertEquals(memory.data, (60_000 + 256) * 28 * 28);
  assertAlmostEquals(memory.state / (16 * parameters), 1, 1e-3);
  assertEquals(memory.total, memory.state + memory.data + memory.temporaries);
  assert(memory.temporaries > 3 * 2 ** 30);
});

Deno.test("the largest part that fits, by few estimates", () => {
  const bytesOf = (base: number, slope: number) => {
    const sizes: number[] = [];
    return {
      sizes,
      at(size: number) {
        sizes.push(size);
        // Nearly affine, as memory plans are.
        return base + slope * size + 20 * Math.sin(size);
      },
    };
  };
  const few = bytesOf(1000, 100);
  assertEquals(fitMicroBatch(few.at, 256, 4500), 32);
  assert(few.sizes.length <= 5, `${few.sizes}`);
  const whole = bytesOf(0, 1);
  assertEquals(fitMicroBatch(whole.at, 96, 1e6), 96);
  assertEquals(whole.sizes, [96]);
  assertEquals(fitMicroBatch(() => 10, 1, 5), null);
});

Deno.test("the answer divides the batch, fits, and the next larger part does not", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5000 }),
      fc.integer({ min: 0, max: 1000 }),
      fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 5000, maxLength: 5000 }),
      fc.integer({ min: 0, max: 200_000 }),
      (batchSize, base, steps, limit) => {
        // Any function that never falls.
        const bytes = [base];
        for (let size = 1; size <= batchSize; size++) {
          bytes[size] = bytes[size - 1] + steps[size - 1];
        }
        const fitting = bytes.flatMap((need, size) =>
          size > 0 && batchSize % size === 0 && need <= limit ? [size] : []
        );
        assertEquals(
          fitMicroBatch((size) => bytes[size], batchSize, limit),
          fitting.at(-1) ?? null,
        );
      },
    ),
    { numRuns: 50, seed: 1 },
  );
});
