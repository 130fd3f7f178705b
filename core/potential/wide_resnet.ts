/**
 * @file The wide residual network potential of the paper: hyper-parameters after Gao et al.,
 * "Learning Energy-Based Models by Diffusion Recovery Likelihood" (2021), with GELU and weight
 * normalisation.
 */
import { type Tensor, type TensorRecord, tf } from "../tensor/mod.ts";
import { ConfigError } from "../errors.ts";
import { layeredPotential } from "./layered_potential.ts";
import { gelu, initializeNormalized, type Layers } from "./layers.ts";
import type { Potential } from "./potential.ts";

/** The shape of a wide ResNet potential. */
export interface WideResnetOptions {
  /** [height, width, channels] of an image. */
  readonly imageShape: readonly [number, number, number];
  /** Channels after the stem. */
  readonly channels: number;
  /** Channels of each level, as multiples of `channels`; 2×2 average pooling between levels. */
  readonly multipliers: readonly number[];
  /** Residual blocks a level. */
  readonly blocksPerLevel: number;
  /** Whether u is an input, as one more constant channel. */
  readonly timeExplicit: boolean;
}

interface BlockPlan {
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
}

/**
 * A wide ResNet potential: 3×3 stem; per level `blocksPerLevel` residual blocks
 * conv2(act(conv1(act(x)))) + shortcut(x), the shortcut a 3×3 convolution where channels change;
 * GELU, sum over height and width, dense to a scalar. Every layer is weight-normalised; parameters
 * are `stem.v` [3, 3, in, out], `stem.g`, `stem.bias`, `level0.block0.conv1.v`, …, `head.v`.
 *
 * Source: the network of arXiv 2407.15238, after Gao et al., "Learning Energy-Based Models by
 * Diffusion Recovery Likelihood", 2021.
 *
 * @param options the shape of an image and of the network
 * @throws {ConfigError} when an image side cannot be halved at every level
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { openDevice, randomKey, tf, wideResnetPotential } from "vapo";
 * await openDevice("cpu");
 * const potential = wideResnetPotential({
 *   imageShape: [8, 8, 1], channels: 4, multipliers: [1, 2], blocksPerLevel: 1, timeExplicit: false,
 * });
 * const parameters = potential.initialize(randomKey(1));
 * const phi = potential.apply(parameters, tf.zeros([2, 8, 8, 1]), tf.zeros([2]));
 * assertEquals(phi.shape, [2]);
 * ```
 */
export function wideResnetPotential(options: WideResnetOptions): Potential {
  const { imageShape, channels, multipliers, blocksPerLevel, timeExplicit } = options;
  const [height, width, imageChannels] = imageShape;
  const halvings = 2 ** (multipliers.length - 1);
  if (height % halvings || width % halvings) {
    throw new ConfigError(
      `image size ${height}×${width} with ${multipliers.length} levels: ` +
        `expected sides divisible by ${halvings}; use fewer multipliers or pad the images`,
    );
  }
  const levels = planLevels(channels, multipliers, blocksPerLevel);
  const stemInputs = imageChannels + (timeExplicit ? 1 : 0);
  const features = channels * multipliers[multipliers.length - 1];

  const block = (use: Layers, p: TensorRecord, { name, inputs, outputs }: BlockPlan, x: Tensor) => {
    const inner = use.convolution(p, `${name}.conv1`, gelu(x));
    const residual = use.convolution(p, `${name}.conv2`, gelu(inner));
    const shortcut = inputs === outputs ? x : use.convolution(p, `${name}.shortcut`, x);
    return tf.add(shortcut, residual);
  };

  const forward = (use: Layers, parameters: TensorRecord, x: Tensor, u: Tensor): Tensor => {
    let h = use.convolution(parameters, "stem", timeExplicit ? withTimeChannel(x, u) : x);
    levels.forEach((blocks, level) => {
      if (level > 0) h = use.averagePool(parameters, `level${level}.pool`, h);
      for (const plan of blocks) h = block(use, parameters, plan, h);
    });
    h = use.sumPixels(parameters, "sum", gelu(h));
    return tf.reshape(use.dense(parameters, "head", h), [-1]);
  };

  return layeredPotential({
    sampleShape: imageShape,
    timeExplicit,
    normalized: true,
    initialize(parameters, key) {
      const add = (name: string, ...shape: number[]) =>
        initializeNormalized(parameters, key, name, shape);
      add("stem", 3, 3, stemInputs, channels);
      for (const { name, inputs, outputs } of levels.flat()) {
        add(`${name}.conv1`, 3, 3, inputs, outputs);
        add(`${name}.conv2`, 3, 3, outputs, outputs);
        if (inputs !== outputs) add(`${name}.shortcut`, 3, 3, inputs, outputs);
      }
      add("head", features, 1);
    },
    forward,
  });
}

function planLevels(
  channels: number,
  multipliers: readonly number[],
  blocksPerLevel: number,
): BlockPlan[][] {
  let inputs = channels;
  return multipliers.map((multiplier, level) =>
    Array.from({ length: blocksPerLevel }, (_, index) => {
      const plan = { name: `level${level}.block${index}`, inputs, outputs: channels * multiplier };
      inputs = plan.outputs;
      return plan;
    })
  );
}

/** x [n, h, w, c], u [n] → [n, h, w, c + 1]. */
function withTimeChannel(x: Tensor, u: Tensor): Tensor {
  const [n, height, width] = x.shape;
  const plane = tf.mul(tf.reshape(u, [n, 1, 1, 1]), tf.ones([n, height, width, 1]));
  return tf.concat([x, plane], 3);
}
