import { assertAlmostEquals, assertEquals } from "@std/assert";
import { openDevice, tf } from "../../../core/tensor/mod.ts";
import { assignConfig } from "../../../core/train/config.ts";
import { openDataSource } from "../../../core/train/data_source.ts";
import { presetConfig } from "../../../core/train/presets.ts";
import { disposeState, flattenState } from "../../../core/train/state.ts";
import { openTrainingProgram } from "../../../core/train/training_program.ts";
import { initialState } from "../../../core/train/initial_state.ts";
import { trainingProblem } from "../../../core/train/training_problem.ts";

/** The lines of some steps, and the values of the state after them. */
async function trained(device: "cpu" | "wasm") {
  await openDevice(device);
  const config = assignConfig(presetConfig("8gaussians"), [
    "potential.hidden=[8,7]",
    "training.batchSize=19",
  ]);
  const problem = trainingProblem(config, await openDataSource("8gaussians"));
  const before = tf.memory().numTensors;
  const program = await openTrainingProgram(problem, initialState(problem));
  const lines: (Record<string, number> | null)[] = [];
  for (const logging of [true, false, true]) lines.push(await program.step(logging));
  const state = program.state();
  const values = Object.entries(flattenState(state)).map(([name, tensor]) =>
    [name, [...tensor.dataSync()]] as const
  );
  disposeState(state);
  program.dispose();
  assertEquals(tf.memory().numTensors, before, `${device} leaves tensors`);
  return { lines, values };
}

Deno.test("compiled and eager programs train alike, and leave no tensor", async () => {
  const eager = await trained("cpu"), compiled = await trained("wasm");
  assertEquals(compiled.lines.map((line) => line && Object.keys(line)), [
    Object.keys(eager.lines[0]!),
    null,
    Object.keys(eager.lines[2]!),
  ]);
  eager.lines.forEach((line, i) => {
    for (const [name, value] of Object.entries(line ?? {})) {
      assertAlmostEquals(
        compiled.lines[i]![name],
        value,
        1e-3 * Math.max(1, Math.abs(value)),
        name,
      );
    }
  });
  assertEquals(compiled.values.map(([name]) => name), eager.values.map(([name]) => name));
  for (const [i, [name, values]] of eager.values.entries()) {
    const scale = Math.max(1e-3, ...values.map(Math.abs));
    values.forEach((value, j) =>
      assertAlmostEquals(compiled.values[i][1][j], value, 2e-2 * scale, name)
    );
  }
});
