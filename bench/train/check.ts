/**
 * @file Whether all compute the same: the loss and the norms of its gradients on one batch, by eager
 * TensorFlow.js and by PyTorch. Times of different mathematics would compare nothing.
 */
import {
  lossAndGradients,
  randomKey,
  randomNormal,
  type Tensor,
  tf,
} from "../../core/tensor/mod.ts";
import { energyLoss } from "../../core/loss/energy_loss.ts";
import { overlayConfig } from "../../core/train/config.ts";
import { presetConfig } from "../../core/train/presets.ts";
import { initialState, trainingProblem } from "../../core/train/training_step.ts";
import { disposeState } from "../../core/train/state.ts";
import type { TorchCheck, TorchPeer } from "../peers/torch_process.ts";
import { openWorkData } from "./problem.ts";
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

async function compare(
  torch: TorchPeer,
  { name, config, sampleShape }: typeof checked[number],
  variant: string,
): Promise<Agreement> {
  const batchSize = config.training.batchSize;
  const data = openWorkData({
    name,
    kind: "step",
    config,
    sampleShape,
    batch: batchSize,
    residentImages: 32,
    inner: 1,
  });
  const problem = trainingProblem(config, data);
  const state = initialState(problem);
  const n = batchSize;
  const key = randomKey(3);
  const batch = {
    data: data.draw(n, key),
    noise: randomNormal({ ...key, stream: 1 }, [n, ...sampleShape]),
    time: tf.mul(tf.add(tf.range(0, n), 0.5), problem.path.uMax / n),
  };
  const { parameters } = state;
  const { loss, gradients } = lossAndGradients(() => {
    const { loss } = energyLoss(problem.potential, parameters, batch, problem.path, config.loss);
    return { loss, report: {} };
  }, parameters);
  const theirs: TorchCheck = await torch.check({
    config,
    sampleShape,
    variant,
    parameters: Object.fromEntries(
      Object.entries(parameters).map(([name, tensor]) => [name, encode(tensor)]),
    ),
    data: encode(batch.data),
    noise: encode(batch.noise),
    time: encode(batch.time),
  });
  const value = loss.dataSync()[0];
  const differences = Object.entries(gradients).map(([name, gradient]) =>
    Math.abs(tf.norm(gradient).dataSync()[0] - theirs.norms[name]) / theirs.gradientNorm
  );
  tf.dispose([loss, gradients, key.seed, key.step, batch.data, batch.noise, batch.time]);
  disposeState(state);
  data.dispose();
  return {
    name: `${name}, PyTorch with ${variant}`,
    loss: value,
    lossDifference: Math.abs(value - theirs.loss) / Math.abs(theirs.loss),
    gradientDifference: Math.max(...differences),
  };
}

/** Compares all; `openDevice` comes first. */
export async function checkAgreement(torch: TorchPeer): Promise<Agreement[]> {
  const agreements: Agreement[] = [];
  for (const net of checked) {
    for (const gelu of ["gelu", "own gelu"]) agreements.push(await compare(torch, net, gelu));
  }
  return agreements;
}

/** The largest difference that rounding explains. */
export const TOLERANCE = 1e-4;

/** Whether two implementations computed the same. */
export function agrees({ lossDifference, gradientDifference }: Agreement): boolean {
  return lossDifference < TOLERANCE && gradientDifference < TOLERANCE;
}
