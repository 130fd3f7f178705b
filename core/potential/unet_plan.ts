/**
 * @file What a U-Net is made of: its blocks with their channels, and every layer with weights, with
 * the name that it has here and the one that it has in ADM's public code (openai/guided-diffusion).
 */
import { ConfigError } from "../errors.ts";
import type { UnetOptions } from "./unet.ts";

/** Something with a name here and one in ADM's state dictionary. */
interface Named {
  readonly name: string;
  readonly admName: string;
}

/** Attention after a block. */
export interface AttentionPlan extends Named {
  readonly channels: number;
}

/** A residual block, and what follows it. */
export interface BlockPlan extends Named {
  readonly inputs: number;
  readonly outputs: number;
  readonly attention?: AttentionPlan;
}

/** A U-Net's blocks, and what they have in common. */
export interface UnetPlan {
  /** Base channels. */
  readonly channels: number;
  /** Channels after the stem and before the head. */
  readonly stemChannels: number;
  readonly imageChannels: number;
  /** The width of the time embedding, 0 without one. */
  readonly embedding: number;
  readonly groups: number;
  readonly heads: number;
  /** In the order in which they run. */
  readonly encoder: readonly BlockPlan[][];
  readonly middle: readonly BlockPlan[];
  /** In the order in which they run: the last level first. */
  readonly decoder: readonly BlockPlan[][];
}

/** A layer with weights. */
export interface LayerPlan extends Named {
  readonly kind: "uniform" | "zero" | "norm";
  /** Of its kernel, or of its gain. */
  readonly shape: number[];
}

/**
 * Plans a U-Net.
 *
 * @throws {ConfigError} as {@link unetPotential} does
 */
export function planUnet(options: UnetOptions): UnetPlan {
  const { imageShape, channels, multipliers, blocksPerLevel, timeExplicit } = options;
  const { groups = 32, heads = 1 } = options;
  const sides = sidesOf(options), attended = attendedLevels(options, sides);
  const widths = multipliers.map((multiplier) => channels * multiplier);
  requireDivisible(widths, { groups, heads, attended });
  if (timeExplicit && channels % 2 !== 0) {
    throw new ConfigError(
      `channels is ${channels} for a time-explicit U-Net: expected an even number, half of them ` +
        "cosines of the time and half sines",
    );
  }

  let inputs = widths[0];
  /** Channels of each result that the decoder takes up, last first. */
  const skips = [inputs];
  const block = (part: string, level: number, index: number, admName: string, skip = 0) => {
    const name = `${part}.level${level}`, outputs = widths[level];
    const attention = {
      name: `${name}.attention${index}`,
      admName: `${admName}.1`,
      channels: outputs,
    };
    const plan: BlockPlan = {
      name: `${name}.block${index}`,
      admName: `${admName}.0`,
      inputs: inputs + skip,
      outputs,
      ...(attended[level] && { attention }),
    };
    inputs = outputs;
    return plan;
  };
  const encoder = widths.map((_, level) => {
    if (level > 0) skips.push(inputs);
    return Array.from({ length: blocksPerLevel }, (_, i) => {
      const plan = block("encoder", level, i, `input_blocks.${skips.length}`);
      skips.push(inputs);
      return plan;
    });
  });
  const middle = planMiddle(inputs);
  const count = skips.length;
  const decoder = widths.map((_, level) => level).reverse().map((level) =>
    Array.from({ length: blocksPerLevel + 1 }, (_, i) => {
      const admName = `output_blocks.${count - skips.length}`;
      return block("decoder", level, i, admName, skips.pop()!);
    })
  );
  return {
    channels,
    stemChannels: widths[0],
    imageChannels: imageShape[2],
    embedding: timeExplicit ? 4 * channels : 0,
    groups,
    heads,
    encoder,
    middle,
    decoder,
  };
}

function planMiddle(channels: number): BlockPlan[] {
  const attention = { name: "middle.attention", admName: "middle_block.1", channels };
  const both = { inputs: channels, outputs: channels };
  return [
    { name: "middle.block0", admName: "middle_block.0", ...both, attention },
    { name: "middle.block1", admName: "middle_block.2", ...both },
  ];
}

/** The heights of the images in each level. */
function sidesOf({ imageShape: [height, width], multipliers }: UnetOptions): number[] {
  const halvings = 2 ** (multipliers.length - 1);
  if (height % halvings || width % halvings) {
    throw new ConfigError(
      `image size ${height}×${width} with ${multipliers.length} levels: ` +
        `expected sides divisible by ${halvings}; use fewer multipliers or pad the images`,
    );
  }
  return multipliers.map((_, level) => height / 2 ** level);
}

/** Which levels have attention. */
function attendedLevels({ attentionSides }: UnetOptions, sides: readonly number[]): boolean[] {
  if (!attentionSides) return sides.map((_, level) => level === 1);
  for (const side of attentionSides) {
    if (sides.includes(side)) continue;
    throw new ConfigError(
      `attentionSides has ${side}: expected sides of the images within the net, which are ` +
        `${sides.join(", ")}; choose among them, or [] for attention in the middle alone`,
    );
  }
  return sides.map((side) => attentionSides.includes(side));
}

function requireDivisible(
  widths: readonly number[],
  { groups, heads, attended }: { groups: number; heads: number; attended: readonly boolean[] },
): void {
  widths.forEach((width, level) => {
    if (width % groups !== 0) {
      throw new ConfigError(
        `groups is ${groups} for ${width} channels in level ${level}: expected a divisor of ` +
          `${[...new Set(widths)].join(" and ")}; set groups to one`,
      );
    }
    const hasAttention = attended[level] || level === widths.length - 1;
    if (hasAttention && width % heads !== 0) {
      throw new ConfigError(
        `heads is ${heads} for ${width} channels in level ${level}: expected a divisor; set ` +
          "heads to one",
      );
    }
  });
}

/** All layers with weights, in the order in which they run. */
export function unetLayers(plan: UnetPlan): LayerPlan[] {
  const { channels, stemChannels, imageChannels, embedding } = plan;
  const layer = (
    kind: LayerPlan["kind"],
    name: string,
    admName: string,
    ...shape: number[]
  ): LayerPlan => ({ kind, name, admName, shape });
  const attentionLayers = ({ name, admName, channels }: AttentionPlan) => [
    layer("norm", `${name}.norm`, `${admName}.norm`, channels),
    layer("uniform", `${name}.qkv`, `${admName}.qkv`, channels, 3 * channels),
    layer("zero", `${name}.projection`, `${admName}.proj_out`, channels, channels),
  ];
  const blockLayers = ({ name, admName: adm, inputs, outputs, attention }: BlockPlan) => [
    layer("norm", `${name}.norm1`, `${adm}.in_layers.0`, inputs),
    layer("uniform", `${name}.conv1`, `${adm}.in_layers.2`, 3, 3, inputs, outputs),
    ...(embedding > 0
      ? [layer("uniform", `${name}.time`, `${adm}.emb_layers.1`, embedding, 2 * outputs)]
      : []),
    layer("norm", `${name}.norm2`, `${adm}.out_layers.0`, outputs),
    layer("zero", `${name}.conv2`, `${adm}.out_layers.3`, 3, 3, outputs, outputs),
    ...(inputs === outputs
      ? []
      : [layer("uniform", `${name}.shortcut`, `${adm}.skip_connection`, 1, 1, inputs, outputs)]),
    ...(attention ? attentionLayers(attention) : []),
  ];
  const timeLayers = embedding > 0
    ? [
      layer("uniform", "time.dense0", "time_embed.0", channels, embedding),
      layer("uniform", "time.dense1", "time_embed.2", embedding, embedding),
    ]
    : [];
  return [
    ...timeLayers,
    layer("uniform", "stem", "input_blocks.0.0", 3, 3, imageChannels, stemChannels),
    ...[...plan.encoder, plan.middle, ...plan.decoder].flat().flatMap(blockLayers),
    layer("norm", "head.norm", "out.0", stemChannels),
    layer("zero", "head.convolution", "out.2", 3, 3, stemChannels, imageChannels),
  ];
}
