import { assert, assertEquals, assertThrows } from "@std/assert";
import { estimateProgram, shapesOf } from "../../../core/jit/estimate.ts";
import { jit, JitError, type TensorTree } from "../../../core/jit/mod.ts";
import {
  flattenTree,
  type TensorSpec,
  type Tree,
  unflattenTree,
} from "../../../core/jit/trace/tree.ts";
import { wideResnetPotential } from "../../../core/potential/wide_resnet.ts";
import {
  openDevice,
  randomKey,
  type Tensor,
  type TensorRecord,
  tf,
} from "../../../core/tensor/mod.ts";
import { webgpuTest } from "../../webgpu.ts";
import { corpus, type Program } from "./corpus.ts";

/** Shapes and types in place of tensors. */
function specs(tree: TensorTree): Tree<TensorSpec> {
  const { leaves, structure } = flattenTree<Tensor>(tree);
  return unflattenTree(structure, leaves.map(({ tensor: { shape, dtype } }) => ({ shape, dtype })));
}

async function assertEstimated({ f, args, name }: Program): Promise<void> {
  const tensors = args();
  const estimate = estimateProgram(f, tensors.map(specs));
  const session = await jit(f as (...args: TensorTree[]) => TensorTree).load(...tensors);
  const { arenaBytes, livenessBytes, flops, bytes, kernels } = session.statistics;
  const { inputBytes, ...costs } = estimate;
  assertEquals(costs, { arenaBytes, livenessBytes, flops, bytes, kernels }, name);
  assert(inputBytes <= arenaBytes, name);
  session.dispose();
  tf.dispose(tensors as never);
}

// A few of every kind.
const some = corpus.filter((_, i) => i % 12 === 5);

Deno.test("an estimate is what a loaded program says of itself", async () => {
  await openDevice("wasm");
  for (const program of some) await assertEstimated(program);
});

webgpuTest("an estimate is what a loaded program says of itself", async () => {
  for (const program of some) await assertEstimated(program);
});

Deno.test("an estimate for the device cpu is that for wasm", async () => {
  const { f, args } = some[0];
  const estimates = [];
  for (const device of ["wasm", "cpu"] as const) {
    await openDevice(device);
    const tensors = args();
    estimates.push(estimateProgram(f, tensors.map(specs)));
    tf.dispose(tensors as never);
  }
  assertEquals(estimates[1], estimates[0]);
});

Deno.test("donated state takes the place of a result", async () => {
  await openDevice("wasm");
  const cells = 2 ** 20;
  const step = ({ x, y }: Record<string, Tensor>) => ({
    state: { x: tf.add(x, y), y: tf.mul(y, 2) },
  });
  const state = {
    x: { shape: [cells], dtype: "float32" },
    y: { shape: [cells], dtype: "float32" },
  };
  const donated = estimateProgram(step, [state], { donate: true });
  const apart = estimateProgram(step, [state]);
  assertEquals(donated.inputBytes, 2 * 4 * cells);
  assertEquals(donated.arenaBytes, 2 * 4 * cells);
  assertEquals(apart.arenaBytes, 4 * 4 * cells);
  assertEquals(donated.flops, 2 * cells);
  assertThrows(
    () =>
      estimateProgram(({ x }: Record<string, Tensor>) => ({ x }), [state], {
        donate: true,
      }),
    JitError,
    "state/x",
  );
});

Deno.test("shapes are those of the tensors that a function makes, and nothing is left behind", async () => {
  await openDevice("cpu");
  const potential = wideResnetPotential({
    imageShape: [8, 8, 3],
    channels: 4,
    multipliers: [1, 2],
    blocksPerLevel: 1,
    timeExplicit: true,
  });
  const before = tf.memory().numTensors;
  const shapes = shapesOf(() => potential.initialize(randomKey(1)));
  assertEquals(tf.memory().numTensors, before);
  const made = tf.tidy(() => potential.initialize(randomKey(1)));
  assertEquals(shapes, specs(made) as Record<string, TensorSpec>);
  tf.dispose(made);
});

Deno.test("shapes of a program whose tensors nobody could hold", async () => {
  await openDevice("cpu");
  const terabytes = { shape: [2 ** 20, 2 ** 20], dtype: "float32" };
  const { sum, nested } = shapesOf(
    (x: Tensor, { y }: TensorRecord) => ({
      sum: tf.sum(tf.add(x, y), 1),
      nested: [tf.cast(x, "int32")],
    }),
    terabytes,
    { y: terabytes },
  );
  assertEquals(sum, { shape: [2 ** 20], dtype: "float32" });
  assertEquals(nested[0], { shape: [2 ** 20, 2 ** 20], dtype: "int32" });
});
