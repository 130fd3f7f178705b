/**
 * @file Whether all compute the same: the loss and the norms of its gradients on one batch, by eager
 * TensorFlow.js, by PyTorch and by the compiled step. Times of different mathematics would compare
 * nothing.
 */
import { jit } from "../../core/jit/mod.ts";
import { energyLoss } from "../../core/loss/energy_loss.ts";
import { lossAndGradients, type Tensor, type TensorRecord, tf } from "../../core/tensor/mod.ts";
import { overlayConfig } from "../../core/train/config.ts";
import { presetConfig } from "../../core/train/presets.ts";
import { disposeState, type TrainingState } from "../../core/train/state.ts";
import { wholeStep } from "../../core/train/training_step.ts";
import { drawBatch } from "../../core/train/training_batch.ts";
import { initialState } from "../../core/train/initial_state.ts";
import { type StepMetrics } from "../../core/train/training_step.ts";
import { type TrainingProblem } from "../../core/train/training_problem.ts";
import type { TorchPeer } from "../peers/torch_process.ts";
import { openWorkProblem } from "./problem.ts";
import type { PotentialWork } from "./works.ts";

const image = presetConfig("mnist16");

/** Nets small enough to be checked in a second, with everything in them that the works have. */
const checked: readonly (Pick<PotentialWork, "config" | "sampleShape"> & { name: string })[] = [
  { name: "MLP", config: presetConfig("8gaussians"), sampleShape: [2] },
  {
    name: "wide ResNet",
    config: overlayConfig(image, {
      potential: { channels: 4, multipliers: [1, 2, 2], blocksPerLevel: 2 },
      training: { batchSize: 16 },
    }, "the check"),
    sampleShape: [16, 16, 1],
  },
  {
    name: "wide ResNet, three channels, log-homotopy, spectral gap",
    config: overlayConfig(image, {
      potential: { channels: 4, multipliers: [1, 1] },
      path: { path: "log-homotopy" },
      loss: { spectralGap: 0.1, perDimension: false },
      training: { batchSize: 16 },
    }, "the check"),
    sampleShape: [8, 8, 3],
  },
];

/** A tensor as the other process reads it. */
function encode(tensor: Tensor): { shape: number[]; base64: string } {
  const { buffer, byteOffset, byteLength } = tensor.dataSync<"float32">();
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return { shape: tensor.shape, base64: btoa(text) };
}

/** How far two implementations are apart on one net, relative to the size of what they computed. */
export interface Agreement {
  readonly name: string;
  readonly loss: number;
  /** Of the loss. */
  readonly lossDifference: number;
  /** The largest over the parameters, of the norm of a gradient relative to that of all. */
  readonly gradientDifference: number;
}

type Net = typeof checked[number];

/** The net's training problem on data of its own, which the caller disposes. */
function problemOf({ name, config, sampleShape }: Net): TrainingProblem {
  const batch = config.training.batchSize;
  const work = { name, kind: "step", config, sampleShape, batch, residentImages: 32, inner: 1 };
  return openWorkProblem(work as PotentialWork);
}

async function compareTorch(torch: TorchPeer, net: Net, variant: string): Promise<Agreement> {
  const problem = problemOf(net);
  const { config, data, path, potential } = problem;
  const state = initialState(problem);
  const batch = drawBatch(problem, state);
  const { parameters } = state;
  const { loss, gradients } = lossAndGradients(() => {
    const { loss } = energyLoss(potential, parameters, batch, path, config.loss);
    return { loss, report: {} };
  }, parameters);
  const encoded = Object.entries(parameters).map(([name, tensor]) => [name, encode(tensor)]);
  const theirs = await torch.check({
    config,
    sampleShape: net.sampleShape,
    variant,
    parameters: Object.fromEntries(encoded),
    data: encode(batch.data),
    noise: encode(batch.noise),
    time: encode(batch.time),
  });
  const value = loss.dataSync()[0];
  const differences = Object.entries(gradients).map(([name, gradient]) => {
    const norm = tf.tidy(() => tf.norm(gradient).dataSync()[0]);
    return Math.abs(norm - theirs.norms[name]) / theirs.gradientNorm;
  });
  tf.dispose([loss, gradients, batch.data, batch.noise, batch.time]);
  disposeState(state);
  data.dispose();
  return {
    name: `${net.name}, PyTorch with ${variant}`,
    loss: value,
    lossDifference: Math.abs(value - theirs.loss) / Math.abs(value),
    gradientDifference: Math.max(...differences),
  };
}

/** The first step's loss and gradient norm, compiled and kernel by kernel. */
async function compareCompiled(net: Net): Promise<Agreement> {
  const problem = problemOf(net);
  const state = initialState(problem) as TrainingState & TensorRecord;
  const step = wholeStep(problem);
  const eager = tf.tidy(() => step(state).metrics as TensorRecord) as StepMetrics;
  const [loss, norm] = [eager.loss, eager.gradientNorm].map((scalar) => scalar.dataSync()[0]);
  tf.dispose(eager);
  type Step = (state: TensorRecord) => { state: TensorRecord; metrics: StepMetrics };
  const session = await jit(step as unknown as Step, { donate: true }).load(state);
  session.run();
  const { metrics } = await session.read() as { metrics: Record<string, Float32Array> };
  session.dispose();
  disposeState(state);
  problem.data.dispose();
  return {
    name: `${net.name}, compiled`,
    loss,
    lossDifference: Math.abs(metrics.loss[0] - loss) / Math.abs(loss),
    gradientDifference: Math.abs(metrics.gradientNorm[0] - norm) / norm,
  };
}

/** Compares all with eager TensorFlow.js; `openDevice` comes first. Null leaves PyTorch out. */
export async function checkAgreement(torch: TorchPeer | null): Promise<Agreement[]> {
  const agreements: Agreement[] = [];
  for (const net of checked) {
    agreements.push(await compareCompiled(net));
    for (const gelu of torch ? ["gelu", "own gelu"] : []) {
      agreements.push(await compareTorch(torch!, net, gelu));
    }
  }
  return agreements;
}

/** The largest difference that rounding explains. */
export const TOLERANCE = 1e-4;

/** Whether two implementations computed the same. */
export function agrees({ lossDifference, gradientDifference }: Agreement): boolean {
  return lossDifference < TOLERANCE && gradientDifference < TOLERANCE;
}
