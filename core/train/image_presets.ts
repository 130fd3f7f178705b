/**
 * @file The presets of image scale: for each of the paper's data sets the paper's own settings, a
 * variant with the low-variance estimator (`-stein`) and one with the U-Net energy (`-unet`), which are
 * what we recommend. Each value stands beside where it comes from.
 * {@link presetSourceKey} says what the abbreviations stand for.
 */

/** What the abbreviations of the sources stand for, a line each. */
export const presetSourceKey = [
  "[VPF]   Variational Potential Flow, arXiv 2407.15238",
  "[VPFB]  its follow-up, arXiv 2504.16262",
  "[DRL]   Gao et al., Learning EBMs by Diffusion Recovery Likelihood, 2021",
  "[NVAE]  Vahdat and Kautz, NVAE: A Deep Hierarchical Variational Autoencoder, 2020",
  "[LAMB]  You et al., Large Batch Optimization for Deep Learning, 2020",
  "[ADM]   Dhariwal and Nichol, Diffusion Models Beat GANs on Image Synthesis, 2021",
  "[DDPM]  Ho et al., Denoising Diffusion Probabilistic Models, 2020",
] as const;

/** A value of a preset, and where it comes from. */
export type SourcedValue = readonly [value: unknown, source: string];

/** Values of a preset, by key with dots. */
export type SourcedValues = Readonly<Record<string, SourcedValue>>;

const lost = "our choice: the paper's value is not known";

/** What the paper says of every data set, and what we chose where it does not. */
const paper: SourcedValues = {
  "seed": [0, "our choice"],
  "device": ["auto", "our choice: WebGPU on a graphics card, WebAssembly otherwise"],
  "data.directory": [null, "our choice: data/NAME, as vapo data makes it"],
  "data.size": [null, "the data set's own"],
  "data.distribution": [null, "of no effect on images"],
  "data.flip": [true, "[VPF] random horizontal flips"],
  "data.placement": ["auto", "our choice: in the device's memory up to 512 MiB"],
  "data.bufferImages": [8192, "our choice: 400 MB at 128 pixels, twice"],
  "data.checksum": [null, "noted when a run starts"],
  "path.path": ["log-homotopy", "[VPF] equations 6 and 7"],
  "path.timeLaw": ["log-uniform", "[VPF] ln t uniform on [ln δ, 0]"],
  "path.omega": [1, "[VPF] the prior's standard deviation ω"],
  "path.sigma": [0.01, "[VPF] the data likelihood's standard deviation σ"],
  "path.delta": [1e-6, `${lost}; the flow then starts with 1 % of the data's mean`],
  "path.betaMin": [0.01, "of no effect with log-uniform time"],
  "potential.kind": ["wide-resnet", "[VPF] after [DRL]: GELU, weight normalisation"],
  "potential.channels": [128, "[DRL]"],
  "potential.timeExplicit": [false, "[VPF] no time embedding"],
  "loss.estimator": ["covariance", "[VPF] equation 20"],
  "loss.timeWeight": ["one", "[VPF]"],
  "loss.timeDraw": ["uniform", "[VPF] in ln t"],
  "loss.spectralGap": [1e-4, lost],
  "loss.perDimension": [true, "our choice: one scale of losses and gradients for all image sizes"],
  "loss.spectralRegularization": [1e-4, `[VPF] after [NVAE]; ${lost}`],
  "optimizer.kind": ["lamb", "[VPF] without bias correction, weight norm in [0, 10]"],
  "optimizer.learningRate": [1e-3, lost],
  "optimizer.beta1": [0.5, "[VPF] β₁ of CelebA and LSUN"],
  "optimizer.beta2": [0.999, "[LAMB]"],
  "optimizer.epsilon": [1e-6, "[LAMB]"],
  "optimizer.weightDecay": [0, lost],
  "optimizer.schedule": ["constant", lost],
  "optimizer.warmupSteps": [1000, "our choice"],
  "optimizer.clipNorm": [1, "our choice"],
  "optimizer.averageDecay": [0.9999, "[DRL], [DDPM]"],
  "optimizer.otherAverageDecays": [[0.999], "our choice: to compare with"],
  "training.steps": [1_300_000, "[VPF] 1.3 M iterations"],
  "training.microBatch": [null, "our choice: the batch whole, where the device has the memory"],
  "training.logEvery": [100, "our choice"],
  "training.checkpointEvery": [10_000, "[VPF] evaluates every 10,000 iterations"],
  "training.keepCheckpoints": [3, "our choice"],
  "training.sampleEvery": [10_000, "[VPF] evaluates every 10,000 iterations"],
  "sampling.n": [64, "our choice"],
  "sampling.solver": ["rk45", "[VPF]"],
  "sampling.steps": [100, "of no effect with rk45"],
  "sampling.rtol": [1e-3, "[VPFB] RK45 at tolerance 1e-3"],
  "sampling.atol": [1e-3, "[VPFB]"],
  "sampling.until": [1.25, `[VPF] integrates to a longer terminal time; ${lost}`],
  "sampling.batchSize": [16, "our choice"],
  "evaluation.every": [null, "[VPF] 10000, which needs Inception's weights: --eval-every 10000"],
  "evaluation.n": [2500, "[VPF]"],
  "evaluation.metric": ["fid", "[VPF]"],
  "evaluation.features": ["inception", "[VPF]"],
};

const cifar10: SourcedValues = {
  "data.name": ["cifar10", "[VPF]"],
  "potential.multipliers": [[1, 2, 2, 2], "[DRL] for 32 pixels"],
  "potential.blocksPerLevel": [8, "[VPF] n of CIFAR-10"],
  "optimizer.beta1": [0.9, "[LAMB]; [VPF] lowers it for CelebA and LSUN only"],
  "training.batchSize": [256, "[VPF]"],
};

const celeba: SourcedValues = {
  "data.name": ["celeba64", "[VPF]"],
  "potential.multipliers": [[1, 2, 2, 2, 4], "[DRL] for 64 pixels"],
  "potential.blocksPerLevel": [6, "[VPF] n of CelebA"],
  "training.batchSize": [128, "[VPF]"],
};

function lsun(name: string, side: 64 | 128, blocks: number): SourcedValues {
  const multipliers = side === 64 ? [1, 2, 2, 2, 4] : [1, 2, 2, 2, 4, 4];
  return {
    "data.name": [name, "[VPF]"],
    "potential.multipliers": [multipliers, `[DRL] for ${side} pixels`],
    "potential.blocksPerLevel": [blocks, "[VPF] n of LSUN"],
    "training.batchSize": [64, "[VPF]"],
  };
}

/** The low-variance estimator, and the law of time that keeps velocities of order one. */
const stein: SourcedValues = {
  "path.timeLaw": ["linear-std", "our choice: velocities stay O(1) all along"],
  "path.betaMin": [0.01, "our choice: σ"],
  "loss.estimator": ["stein", "our choice: the same minimum at a variance 7 to 24,000 times less"],
  "optimizer.learningRate": [5e-3, "our choice: LAMB wants large rates (bench/README.md)"],
  "optimizer.schedule": ["cosine", "our choice"],
};

/** The U-Net energy, trained by the low-variance estimator as diffusion models are. */
function unet(side: 32 | 64 | 128): SourcedValues {
  const multipliers = { 32: [2, 2, 2], 64: [1, 2, 2, 2], 128: [1, 1, 2, 2, 2] }[side];
  return {
    ...stein,
    "potential.kind": ["unet", "[VPFB] E(x) = ½|x − f|², f as in [ADM]"],
    "potential.head": ["squared-distance", "[VPFB]"],
    "potential.channels": [128, "[ADM]"],
    "potential.multipliers": [
      multipliers,
      side === 32 ? "[VPFB]" : "our choice, after [ADM]: 16×16 is the resolution with attention",
    ],
    "potential.blocksPerLevel": [
      { 32: 4, 64: 3, 128: 2 }[side],
      side === 32 ? "[VPFB]" : "our choice, after [ADM]",
    ],
    "potential.attentionSides": [[16], "[ADM], [VPFB]"],
    "potential.groups": [32, "[ADM]"],
    "potential.heads": [1, "[VPFB]"],
    "potential.dropout": [side === 32 ? 0.3 : 0.1, side === 32 ? "[VPFB]" : "[ADM]"],
    "potential.timeExplicit": [false, "[VPF], and our choice: the energy is then one density's"],
    "loss.spectralRegularization": [0, "our choice: group normalisation bounds the layers"],
    "optimizer.kind": ["adam", "[DDPM]"],
    "optimizer.learningRate": [2e-4, "[DDPM]"],
    "optimizer.beta1": [0.9, "[DDPM]"],
    "optimizer.epsilon": [1e-8, "[DDPM]"],
    "optimizer.schedule": ["constant", "[DDPM]"],
    "optimizer.warmupSteps": [5000, "[DDPM]"],
  };
}

/** A net that learns something visible from 3,000 images on two cores in half an hour. */
const small: SourcedValues = {
  ...stein,
  "data.name": ["cifar10", "our choice"],
  "path.path": ["optimal-transport", "our choice: the best of those compared on MNIST"],
  "potential.channels": [32, "our choice: what half an hour allows"],
  "potential.multipliers": [[1, 2, 2, 2], "[DRL] for 32 pixels"],
  "potential.blocksPerLevel": [1, "our choice: what half an hour allows"],
  "loss.spectralGap": [0, "our choice"],
  "loss.spectralRegularization": [0, "our choice"],
  "optimizer.learningRate": [2e-2, "our choice: the best of those compared on MNIST"],
  "optimizer.beta1": [0.9, "[LAMB]"],
  "optimizer.warmupSteps": [100, "our choice"],
  "optimizer.averageDecay": [0.999, "our choice: a short run"],
  "optimizer.otherAverageDecays": [[], "our choice: a short run"],
  "training.steps": [6000, "our choice: half an hour"],
  "training.batchSize": [64, "our choice: half an hour"],
  "training.logEvery": [20, "our choice"],
  "training.checkpointEvery": [500, "our choice"],
  "training.sampleEvery": [2000, "our choice"],
  "sampling.batchSize": [null, "our choice: a small net takes them all"],
};

/** The data sets of the paper, and what they need of their potentials. */
const sets = {
  "cifar10": { side: 32, values: cifar10, what: "CIFAR-10" },
  "celeba64": { side: 64, values: celeba, what: "CelebA at 64×64" },
  "lsun-church64": { side: 64, values: lsun("lsun-church64", 64, 2), what: "LSUN churches, 64×64" },
  "lsun-bedroom64": {
    side: 64,
    values: lsun("lsun-bedroom64", 64, 2),
    what: "LSUN bedrooms, 64×64",
  },
  "lsun-church128": {
    side: 128,
    values: lsun("lsun-church128", 128, 2),
    what: "LSUN churches, 128×128",
  },
  "lsun-bedroom128": {
    side: 128,
    values: lsun("lsun-bedroom128", 128, 5),
    what: "LSUN bedrooms, 128×128",
  },
} as const;

/** A preset of image scale. */
export interface ImagePreset {
  /** What it is for, in a line. */
  readonly description: string;
  /** Every key of the configuration. */
  readonly values: SourcedValues;
}

/** The presets of image scale, by name, in the order in which they are listed. */
export const imagePresets: Readonly<Record<string, ImagePreset>> = Object.fromEntries([
  [
    "cifar10-small",
    {
      description: "3,000 images of CIFAR-10, in half an hour on two cores",
      values: { ...paper, ...small },
    },
  ],
  ...Object.entries(sets).flatMap(([name, { side, values, what }]) => [
    [name, { description: `${what}, the paper's settings`, values: { ...paper, ...values } }],
    [`${name}-stein`, {
      description: `${what}, the low-variance estimator`,
      values: { ...paper, ...values, ...stein },
    }],
    [`${name}-unet`, {
      description: `${what}, that estimator and the U-Net energy`,
      values: { ...paper, ...values, ...unet(side) },
    }],
  ]),
]);
