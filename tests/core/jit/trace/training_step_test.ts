import { assertEquals } from "@std/assert";
import {
  batchValueAndGradient,
  openDevice,
  randomKey,
  type Tensor,
  tf,
} from "../../../../core/tensor/mod.ts";
import type { TensorTree } from "../../../../core/jit/trace/tree.ts";
import { mlpPotential } from "../../../../core/potential/mlp.ts";
import { wideResnetPotential } from "../../../../core/potential/wide_resnet.ts";
import { assignConfig } from "../../../../core/train/config.ts";
import { type DataSource, openDataSource } from "../../../../core/train/data_source.ts";
import { presetConfig } from "../../../../core/train/presets.ts";
import type { TrainingState } from "../../../../core/train/state.ts";
import { drawBatch } from "../../../../core/train/training_batch.ts";
import { excessOverMinimum, trainingStep } from "../../../../core/train/training_step.ts";
import { initialState } from "../../../../core/train/initial_state.ts";
import { type TrainingProblem, trainingProblem } from "../../../../core/train/training_problem.ts";
import { assertAgrees, floats, onDevices, traceCleanly } from "./agreement.ts";

/** The draw and the step, as they are compiled together. */
function step(problem: TrainingProblem) {
  return (state: TrainingState) => {
    const { state: next, metrics } = trainingStep(problem, state, drawBatch(problem, state));
    return { state: next, metrics } as unknown as TensorTree;
  };
}

function asTree(state: TrainingState): TensorTree {
  return state as unknown as TensorTree;
}

const variants: string[][] = [
  [],
  ["loss.estimator=covariance", "loss.timeWeight=beta", "loss.timeDraw=late"],
  ["potential.weightNormalization=true", "optimizer.kind=lamb", "optimizer.weightDecay=0.01"],
  ["potential.timeExplicit=false", "optimizer.clipNorm=null", "optimizer.schedule=constant"],
  ["path.path=optimal-transport", "data.name=pinwheel"],
];

onDevices("a whole training step of an MLP is traced", async () => {
  for (const variant of variants) {
    const config = assignConfig(presetConfig("8gaussians"), [
      ...["potential.hidden=[7,5]", "training.batchSize=13", "training.steps=10"],
      ...variant,
    ]);
    const problem = trainingProblem(config, await openDataSource(config.data.name));
    const state = initialState(problem);
    assertAgrees(variant.join(" "), step(problem), [asTree(state)], { relative: 1e-4 });
  }
});

/** Images that a key draws, in place of a file. */
function fakeImages(sampleShape: [number, number, number]): DataSource {
  return {
    name: "mnist16",
    sampleShape,
    placement: "device",
    flip: false,
    draw: (n, key) => tf.sin(tf.mul(tf.cast(key.step, "float32"), tf.ones([n, ...sampleShape]))),
    dispose() {},
  };
}

onDevices("a whole training step of a wide ResNet is traced", () => {
  const config = assignConfig(presetConfig("mnist16"), [
    ...["potential.channels=3", "potential.multipliers=[1,2]", "training.batchSize=2"],
    ...[
      "potential.timeExplicit=true",
      "training.steps=10",
      "loss.spectralGap=0.01",
      "sampling.until=null",
    ],
  ]);
  const problem = trainingProblem(config, fakeImages([4, 4, 1]));
  const state = initialState(problem);
  assertAgrees("step", step(problem), [asTree(state)], { relative: 2e-4 });
});

onDevices("velocities and exact mixtures are traced", async () => {
  const potential = mlpPotential({
    dimension: 2,
    hidden: [5],
    timeExplicit: true,
    timeFeatures: 2,
  });
  const parameters = potential.initialize(randomKey(1));
  const velocity = (parameters: Record<string, Tensor>, x: Tensor, u: Tensor) =>
    batchValueAndGradient((x) => potential.apply(parameters, x, u), x);
  assertAgrees("velocity", velocity, [parameters, floats([7, 2]), floats([7], 0, 1)], {
    relative: 1e-5,
  });
  const config = assignConfig(presetConfig("25gaussians"), ["potential.hidden=[5]"]);
  const problem = trainingProblem(config, await openDataSource("25gaussians"));
  const state = initialState(problem);
  const excess = (state: TrainingState) =>
    ({ ...excessOverMinimum(problem, state, drawBatch(problem, state)) }) as TensorTree;
  assertAgrees("excess", excess, [asTree(state)], { relative: 1e-4 });
});

Deno.test("initialisation from data is traced", async () => {
  await openDevice("cpu");
  const potential = wideResnetPotential({
    ...{ imageShape: [4, 4, 1], channels: 3, multipliers: [1, 2], blocksPerLevel: 1 },
    timeExplicit: false,
  });
  const parameters = potential.initialize(randomKey(1));
  const f = (parameters: Record<string, Tensor>, x: Tensor, u: Tensor) =>
    potential.initializeFromData!(parameters, x, u);
  assertAgrees("initialisation", f, [parameters, floats([5, 4, 4, 1]), floats([5])], {
    relative: 1e-4,
  });
});

Deno.test("a step draws by four kernels of its own and closes over nothing large", async () => {
  await openDevice("cpu");
  const config = assignConfig(presetConfig("8gaussians"), ["potential.hidden=[7,5]"]);
  const problem = trainingProblem(config, await openDataSource("8gaussians"));
  const { graph, captured } = traceCleanly(step(problem), [asTree(initialState(problem))]);
  // The component and the spread of a mixture, the noise of the path, and the times.
  assertEquals(graph.nodes.filter(({ operation }) => operation.kind === "philox").length, 4);
  assertEquals(captured, []);
});
