/**
 * @file The U-Net potential of the follow-up, arXiv 2504.16262: the energy ½|x − f(x, u)|² of a U-Net
 * f that is the one of Dhariwal and Nichol, "Diffusion Models Beat GANs on Image Synthesis" (2021,
 * "ADM"), down to the names of its parameters, so that weights carry over.
 */
import { ConfigError } from "../errors.ts";
import { silu, type Tensor, type TensorRecord, tf } from "../tensor/mod.ts";
import { layeredPotential } from "./layered_potential.ts";
import {
  initializeGroupNorm,
  initializeUniform,
  initializeZero,
  type Layers,
  type Modulation,
} from "./layers.ts";
import type { Potential } from "./potential.ts";
import {
  type AttentionPlan,
  type BlockPlan,
  planUnet,
  unetLayers,
  type UnetPlan,
} from "./unet_plan.ts";

/** How a scalar is made of an image x and the U-Net's image f. */
export type UnetHead = "squared-distance" | "inner-product";

/** The shape of a U-Net potential. */
export interface UnetOptions {
  /** [height, width, channels] of an image. */
  readonly imageShape: readonly [number, number, number];
  /** Base channels: those of a level are its multiplier times these. */
  readonly channels: number;
  /** Channels of each level, as multiples of `channels`; 2×2 average pooling between levels. */
  readonly multipliers: readonly number[];
  /** Residual blocks a level of the encoder; a level of the decoder has one more. */
  readonly blocksPerLevel: number;
  /**
   * Heights of the images within the net whose blocks are followed by attention. The middle always
   * has it. Default the first that is pooled: half of the image's own.
   */
  readonly attentionSides?: readonly number[];
  /** Groups of group normalisation; they divide every number of channels. Default 32. */
  readonly groups?: number;
  /** Heads of attention. Default 1. */
  readonly heads?: number;
  /** The probability that a feature is dropped in training, in [0, 1). Default 0.3. */
  readonly dropout?: number;
  /** Whether u is an input. */
  readonly timeExplicit: boolean;
  /** Φ = −½|x − f|² ("squared-distance", the default) or x·f ("inner-product"). */
  readonly head?: UnetHead;
}

/**
 * A U-Net potential: Φ = −½|x − f(x, u)|², that is −E of the energy E = ½|x − f|², or Φ = x·f(x, u).
 *
 * f is the U-Net of ADM's public code (`UNetModel` of openai/guided-diffusion) with
 * `use_scale_shift_norm=True`, `resblock_updown=False`, `conv_resample=False` (so that pooling down
 * and nearest-neighbour up-sampling have no weights) and `use_new_attention_order=True` (queries, keys
 * and values are thirds of the channels; with one head the two orders are the same), the time u ∈ [0, 1]
 * taken as it is:
 *
 * - a block is norm, SiLU, 3×3 convolution, then norm·(1 + scale) + shift with scale and shift from
 *   the time embedding, SiLU, dropout, 3×3 convolution; its input is added, through a 1×1 convolution
 *   where channels change. Without time, norm takes the place of norm·(1 + scale) + shift;
 * - the time embedding is [cos, sin] of u·exp(−ln(10⁴)·i/(C/2)), C base channels in all, then
 *   dense, SiLU, dense: C → 4C → 4C;
 * - the encoder's level is `blocksPerLevel` blocks and, but for the last, a pooling; the results of
 *   all of them are taken up, last first, by the decoder's blocks: beside their own input, channel by
 *   channel;
 * - it starts as PyTorch's layers do, uniform on ±1/√inputs, but for the second convolution of each
 *   block, the projection of each attention and the last convolution, which are zero: f = 0 and
 *   Φ = −½|x|² (or 0) at the start.
 *
 * Parameters are named `stem.kernel`, `time.dense0.kernel`,
 * `encoder.level0.block0.{norm1, conv1, time, norm2, conv2, shortcut}`,
 * `encoder.level1.attention0.{norm, qkv, projection}`, `middle.block0`, `middle.attention`,
 * `middle.block1`, `decoder.level2.block0`, …, `head.norm`, `head.convolution`, each with `.kernel` or
 * `.gain` and with `.bias`; {@link admParameterNames} has the names that they have in ADM's files.
 *
 * Source: arXiv 2504.16262 for the energy; Dhariwal and Nichol, "Diffusion Models Beat GANs on Image
 * Synthesis", 2021, for the network.
 *
 * @param options the shape of an image and of the network
 * @throws {ConfigError} when an image side cannot be halved at every level, channels are not divisible
 * by the groups or by the heads, or attention is asked for at a side that no level has
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { openDevice, randomKey, tf, unetPotential } from "vapo";
 * await openDevice("cpu");
 * const potential = unetPotential({
 *   imageShape: [4, 4, 1], channels: 4, multipliers: [1, 2], blocksPerLevel: 1, groups: 2,
 *   timeExplicit: true,
 * });
 * const parameters = potential.initialize(randomKey(1));
 * const phi = potential.apply(parameters, tf.ones([2, 4, 4, 1]), tf.zeros([2]));
 * assertEquals([...phi.dataSync()], [-8, -8]); // −½|x|²
 * ```
 */
export function unetPotential(options: UnetOptions): Potential {
  const { dropout = 0.3, head = "squared-distance", timeExplicit, imageShape } = options;
  if (!(dropout >= 0 && dropout < 1)) {
    throw new ConfigError(
      `dropout is ${dropout}: expected a probability from 0 up to, not including, 1`,
    );
  }
  const plan = planUnet(options);
  const start = { uniform: initializeUniform, zero: initializeZero, norm: initializeGroupNorm };
  return layeredPotential({
    sampleShape: imageShape,
    timeExplicit,
    normalized: false,
    initialize(parameters, key) {
      for (const { kind, name, shape } of unetLayers(plan)) {
        start[kind](parameters, key, name, shape);
      }
    },
    forward(use, parameters, x, u) {
      const f = unet(use, parameters, plan, dropout, x, u);
      return head === "inner-product"
        ? use.innerProduct(parameters, "head.product", x, f)
        : use.squaredDistance(parameters, "head.distance", x, f);
    },
  });
}

/**
 * The names that a U-Net potential's parameters have in files of ADM's public code, by their names
 * here. There, convolutions are [outputs, inputs, height, width] (here [height, width, inputs,
 * outputs]), dense layers [outputs, inputs] (here [inputs, outputs]), and those of attention, `qkv` and
 * `proj_out`, convolutions [outputs, inputs, 1] (here dense).
 *
 * | here | there |
 * |---|---|
 * | `time.dense0`, `time.dense1` | `time_embed.0`, `time_embed.2` |
 * | `stem` | `input_blocks.0.0` |
 * | `encoder.levelL.blockB` | `input_blocks.(1 + L·(blocks + 1) + B).0` |
 * | `encoder.levelL.attentionB` | `input_blocks.(1 + L·(blocks + 1) + B).1` |
 * | `middle.block0`, `middle.attention`, `middle.block1` | `middle_block.0`, `.1`, `.2` |
 * | `decoder.levelL.blockB` | `output_blocks.((last − L)·(blocks + 1) + B).0`, attention at `.1` |
 * | `head.norm`, `head.convolution` | `out.0`, `out.2` |
 * | of a block: `norm1`, `conv1`, `time` | `in_layers.0`, `in_layers.2`, `emb_layers.1` |
 * | of a block: `norm2`, `conv2`, `shortcut` | `out_layers.0`, `out_layers.3`, `skip_connection` |
 * | of an attention: `norm`, `qkv`, `projection` | `norm`, `qkv`, `proj_out` |
 * | `.kernel` or `.gain`, `.bias` | `.weight`, `.bias` |
 *
 * @param options those of {@link unetPotential}
 * @throws {ConfigError} as there
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { admParameterNames } from "vapo";
 * const names = admParameterNames({
 *   imageShape: [32, 32, 3], channels: 128, multipliers: [2, 2, 2], blocksPerLevel: 4,
 *   timeExplicit: true,
 * });
 * assertEquals(names["stem.kernel"], "input_blocks.0.0.weight");
 * assertEquals(names["decoder.level1.attention4.qkv.bias"], "output_blocks.9.1.qkv.bias");
 * ```
 */
export function admParameterNames(options: UnetOptions): Record<string, string> {
  const names: Record<string, string> = {};
  for (const { kind, name, admName } of unetLayers(planUnet(options))) {
    names[`${name}.${kind === "norm" ? "gain" : "kernel"}`] = `${admName}.weight`;
    names[`${name}.bias`] = `${admName}.bias`;
  }
  return names;
}

/** f(x, u): [n, h, w, c]. */
function unet(
  use: Layers,
  parameters: TensorRecord,
  plan: UnetPlan,
  dropout: number,
  x: Tensor,
  u: Tensor,
): Tensor {
  const { encoder, middle, decoder } = plan, last = encoder.length - 1;
  const time = plan.embedding > 0 ? embedTime(use, parameters, plan.channels, u) : undefined;
  const block = (each: BlockPlan, h: Tensor) =>
    residualBlock(use, parameters, { ...plan, ...each, dropout }, h, time);
  let h = use.convolution(parameters, "stem", x);
  const skips = [h];
  encoder.forEach((blocks, level) => {
    if (level > 0) skips.push(h = use.averagePool(parameters, `encoder.level${level}.pool`, h));
    for (const each of blocks) skips.push(h = block(each, h));
  });
  for (const each of middle) h = block(each, h);
  decoder.forEach((blocks, i) => {
    if (i > 0) h = use.upsample(parameters, `decoder.level${last - i}.upsample`, h);
    for (const each of blocks) {
      h = block(each, use.concatenate(parameters, `${each.name}.skip`, h, skips.pop()!));
    }
  });
  h = silu(use.groupNorm(parameters, "head.norm", h, plan.groups));
  return use.convolution(parameters, "head.convolution", h);
}

/** What all blocks know of the time: SiLU of its embedding, [n, 4·channels]. */
function embedTime(use: Layers, parameters: TensorRecord, channels: number, u: Tensor): Tensor {
  const hidden = silu(use.dense(parameters, "time.dense0", timeEmbedding(u, channels)));
  return silu(use.dense(parameters, "time.dense1", hidden));
}

/** u [n] → [n, channels]: cosines, then sines, of frequencies from 1 down towards 10⁻⁴. */
function timeEmbedding(u: Tensor, channels: number): Tensor {
  const half = channels / 2;
  const frequencies = Array.from({ length: half }, (_, i) => Math.exp(-Math.log(1e4) * i / half));
  const angles = tf.mul(tf.reshape(u, [-1, 1]), tf.tensor2d([frequencies]));
  return tf.concat([tf.cos(angles), tf.sin(angles)], 1);
}

/** What a block is, and what it shares with the others. */
type BlockOptions = BlockPlan & Pick<UnetPlan, "groups" | "heads"> & { readonly dropout: number };

function residualBlock(
  use: Layers,
  parameters: TensorRecord,
  { name, inputs, outputs, groups, heads, dropout, attention }: BlockOptions,
  x: Tensor,
  time: Tensor | undefined,
): Tensor {
  const modulation = time && timeModulation(use, parameters, `${name}.time`, time);
  let h = silu(use.groupNorm(parameters, `${name}.norm1`, x, groups));
  h = use.convolution(parameters, `${name}.conv1`, h);
  h = silu(use.groupNorm(parameters, `${name}.norm2`, h, groups, modulation));
  if (dropout > 0) h = use.dropout(parameters, `${name}.dropout`, h, dropout);
  h = use.convolution(parameters, `${name}.conv2`, h);
  const shortcut = inputs === outputs ? x : use.convolution(parameters, `${name}.shortcut`, x);
  h = tf.add(shortcut, h);
  return attention ? selfAttention(use, parameters, { ...attention, groups, heads }, h) : h;
}

function timeModulation(
  use: Layers,
  parameters: TensorRecord,
  name: string,
  time: Tensor,
): Modulation {
  const [scale, shift] = tf.split(use.dense(parameters, name, time), 2, 1);
  return { scale, shift };
}

/** x plus what its pixels make of each other. */
function selfAttention(
  use: Layers,
  parameters: TensorRecord,
  { name, channels, groups, heads }: AttentionPlan & Pick<UnetPlan, "groups" | "heads">,
  x: Tensor,
): Tensor {
  const [n, height, width] = x.shape;
  const pixels = tf.reshape(x, [n, height * width, channels]);
  const normalized = use.groupNorm(parameters, `${name}.norm`, pixels, groups);
  const qkv = use.dense(parameters, `${name}.qkv`, normalized);
  const mixed = use.attention(parameters, `${name}.mixing`, qkv, heads);
  const projected = use.dense(parameters, `${name}.projection`, mixed);
  return tf.add(x, tf.reshape(projected, x.shape));
}
