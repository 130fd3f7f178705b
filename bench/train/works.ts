/**
 * @file What is timed by `deno task bench:train`: every work in one place, read by all that do it.
 * A work is plain JSON, so that a peer in another language is handed the very same thing.
 */
import { overlayConfig, type RunConfig } from "../../core/train/config.ts";
import { presetConfig } from "../../core/train/presets.ts";

/** What is aimed at on a machine with two cores. */
export type Target =
  /** So many times PyTorch's time at the most; eager TensorFlow.js takes so many times ours. */
  | { readonly kind: "time"; readonly ofPyTorch: number; readonly eager?: number }
  /** So many GFLOP/s of the direct algorithm at the least, on two threads. */
  | { readonly kind: "speed"; readonly gigaflops: number };

/** One training step, or one evaluation of the velocity ∇Φ at u = ½. */
export interface PotentialWork {
  readonly name: string;
  readonly target: Target;
  readonly kind: "step" | "velocity";
  /** A whole configuration; the batch size and the data's shape are those below. */
  readonly config: RunConfig;
  /** [d], or [height, width, channels]. */
  readonly sampleShape: readonly number[];
  readonly batch: number;
  /** Of images: how many random ones lie on the device, for steps to draw from. */
  readonly residentImages: number;
  /** Calls timed as one. */
  readonly inner: number;
}

/** [m, k] × [k, n]. */
export interface ProductWork {
  readonly name: string;
  readonly target: Target;
  readonly kind: "product";
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly inner: number;
}

/** A 3×3 convolution with stride 1 that keeps the size, or one of its two derivatives. */
export interface ConvolutionWork {
  readonly name: string;
  readonly target: Target;
  readonly kind: "convolution";
  readonly direction: "forward" | "inputGradient" | "filterGradient";
  /** [n, height, width, channels]. */
  readonly inputShape: readonly [number, number, number, number];
  readonly outputs: number;
  readonly inner: number;
}

/** Something to time. */
export type Work = PotentialWork | ProductWork | ConvolutionWork;

interface Net {
  readonly title: string;
  readonly config: RunConfig;
  readonly sampleShape: readonly number[];
  readonly batch: number;
  readonly inner: number;
  readonly step: { readonly ofPyTorch: number; readonly eager?: number };
}

/** The nets, from the smallest to the one that the paper trains. */
const nets: readonly Net[] = [
  {
    title: "MLP 128×3, batch 512",
    config: presetConfig("8gaussians"),
    sampleShape: [2],
    batch: 512,
    inner: 5,
    step: { ofPyTorch: 0.6, eager: 30 },
  },
  {
    title: "WRN 24 (1,2,2), 16×16×1, batch 64",
    config: presetConfig("mnist16"),
    sampleShape: [16, 16, 1],
    batch: 64,
    inner: 1,
    step: { ofPyTorch: 1 },
  },
  {
    title: "WRN 32 (1,2,2,2), 32×32×1, batch 64",
    config: presetConfig("mnist"),
    sampleShape: [32, 32, 1],
    batch: 64,
    inner: 1,
    step: { ofPyTorch: 1 },
  },
  {
    title: "WRN 128 (1,2,2,2), 8 blocks a level, 32×32×3, batch 2",
    config: overlayConfig(presetConfig("mnist"), {
      potential: { channels: 128, multipliers: [1, 2, 2, 2], blocksPerLevel: 8 },
    }, "the paper's net"),
    sampleShape: [32, 32, 3],
    batch: 2,
    inner: 1,
    step: { ofPyTorch: 1.2 },
  },
];

function potentialWorks(kind: "step" | "velocity"): PotentialWork[] {
  return nets.map(({ title, config, step, ...rest }): PotentialWork => ({
    name: `${kind}: ${title}`,
    target: { kind: "time", ...(kind === "step" ? step : { ofPyTorch: 1 }) },
    kind,
    config: overlayConfig(config, { training: { batchSize: rest.batch } }, "the batch size"),
    residentImages: 10_000,
    ...rest,
  }));
}

const directions = ["forward", "inputGradient", "filterGradient"] as const;

/** All works, in the order of the report's rows. */
export const works: readonly Work[] = [
  ...potentialWorks("step"),
  ...potentialWorks("velocity"),
  {
    name: "product 1024³",
    target: { kind: "speed", gigaflops: 60 },
    kind: "product",
    m: 1024,
    k: 1024,
    n: 1024,
    inner: 1,
  },
  ...directions.map((direction): ConvolutionWork => ({
    name: `convolution 3×3, 128→128, 32×32, batch 8: ${direction}`,
    target: { kind: "speed", gigaflops: 70 },
    kind: "convolution",
    direction,
    inputShape: [8, 32, 32, 128],
    outputs: 128,
    inner: 1,
  })),
];

/** Floating-point operations of a direct algorithm, where a count is meaningful. */
export function directOperations(work: Work): number | undefined {
  if (work.kind === "product") return 2 * work.m * work.k * work.n;
  if (work.kind !== "convolution") return undefined;
  return 2 * 9 * work.outputs * work.inputShape.reduce((product, extent) => product * extent, 1);
}
