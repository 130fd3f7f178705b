/**
 * @file Small potentials that use every feature, with parameters and a batch that are functions of a
 * key alone, for comparison with the PyTorch programs beside this file.
 */
import { admParameterNames, type UnetOptions, unetPotential } from "../../core/potential/unet.ts";
import { describeLayers, parameterShapes } from "../../core/potential/description.ts";
import type { Potential } from "../../core/potential/potential.ts";
import { type WideResnetOptions, wideResnetPotential } from "../../core/potential/wide_resnet.ts";
import {
  fork,
  type RandomKey,
  randomKey,
  randomNormal,
  randomUniform,
  type Tensor,
  type TensorRecord,
  tf,
} from "../../core/tensor/mod.ts";

/** A potential that is compared. */
export interface Case {
  readonly name: string;
  /** The program beside this file that makes the same potential. */
  readonly program: "unet.py" | "wide_resnet.py";
  readonly potential: Potential;
  /** What that program is told. */
  readonly options: Record<string, unknown>;
  /** The probability of dropout, where it is on. */
  readonly dropout?: number;
}

/** Everything that a comparison is a function of. */
export interface CaseInputs {
  readonly parameters: TensorRecord;
  /** [n, h, w, c] */
  readonly data: Tensor;
  /** [n, h, w, c] */
  readonly noise: Tensor;
  /** [n] */
  readonly time: Tensor;
  readonly dropout?: RandomKey;
  /** What dropout multiplies with, by layer. */
  readonly masks: TensorRecord;
}

type Complete<T> = { readonly [K in keyof T]-?: T[K] };

function unet(name: string, options: Complete<UnetOptions>): Case {
  return {
    name,
    program: "unet.py",
    potential: unetPotential(options),
    options: { ...options, admNames: admParameterNames(options) },
    ...(options.dropout > 0 && { dropout: options.dropout }),
  };
}

function wideResnet(name: string, options: WideResnetOptions): Case {
  return {
    name,
    program: "wide_resnet.py",
    potential: wideResnetPotential(options),
    options: { ...options },
  };
}

/** All of them. */
export const cases: readonly Case[] = [
  unet("time-explicit U-Net of three levels", {
    imageShape: [8, 8, 3],
    channels: 4,
    multipliers: [1, 2, 2],
    blocksPerLevel: 1,
    attentionSides: [4],
    groups: 2,
    heads: 1,
    dropout: 0,
    timeExplicit: true,
    head: "squared-distance",
  }),
  unet("U-Net with dropout, two heads and an inner product", {
    imageShape: [4, 8, 1],
    channels: 6,
    multipliers: [1, 2],
    blocksPerLevel: 2,
    attentionSides: [4, 2],
    groups: 3,
    heads: 2,
    dropout: 0.3,
    timeExplicit: false,
    head: "inner-product",
  }),
  wideResnet("wide ResNet of three levels", {
    imageShape: [8, 8, 3],
    channels: 4,
    multipliers: [1, 2, 2],
    blocksPerLevel: 2,
    timeExplicit: false,
  }),
  wideResnet("time-explicit wide ResNet", {
    imageShape: [4, 8, 1],
    channels: 3,
    multipliers: [2, 1],
    blocksPerLevel: 1,
    timeExplicit: true,
  }),
];

const samples = 3;

/** On the open device; they belong to the caller. */
export function caseInputs({ potential, dropout }: Case): CaseInputs {
  const key = randomKey(20);
  const draw = (name: string) => randomNormal(fork(key, name), [samples, ...potential.sampleShape]);
  const inputs = {
    parameters: caseParameters(potential, fork(key, "parameters")),
    data: draw("data"),
    noise: draw("noise"),
    time: tf.tensor1d([0.1, 0.45, 0.8]),
    masks: {},
  };
  if (dropout === undefined) return inputs;
  const dropoutKey = fork(key, "dropout");
  return { ...inputs, dropout: dropoutKey, masks: masksOf(potential, dropoutKey, dropout) };
}

/** Away from where they start: there, much is zero and says nothing. */
function caseParameters(potential: Potential, key: RandomKey): TensorRecord {
  const parameters: TensorRecord = {};
  for (const [name, shape] of Object.entries(parameterShapes(potential))) {
    const inputs = shape.slice(0, -1).reduce((product, size) => product * size, 1);
    const draw = randomNormal(fork(key, name), shape);
    parameters[name] = /\.(g|gain)$/.test(name)
      ? tf.add(1, tf.mul(draw, 0.1))
      : tf.mul(draw, name.endsWith(".bias") ? 0.1 : 1 / Math.sqrt(inputs));
  }
  return parameters;
}

/** The same draws as the layers', put together here once more. */
function masksOf(potential: Potential, key: RandomKey, rate: number): TensorRecord {
  const masks: TensorRecord = {};
  for (const { kind, name, output } of describeLayers(potential)) {
    if (kind !== "dropout") continue;
    const uniform = randomUniform(fork(key, name), [samples, ...output]);
    const kept = tf.cast(tf.greaterEqual(uniform, rate), "float32");
    masks[name] = tf.div(kept, 1 - rate);
  }
  return masks;
}
