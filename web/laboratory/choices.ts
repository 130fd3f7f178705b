/**
 * @file What can be chosen in the laboratory, in words: names of options, and why each choice matters.
 * The names are checked against the core's types, so that none is missing; nothing of the core is
 * loaded for it.
 */
import type { ToyName } from "../../core/data/toy.ts";
import type { SolverName } from "../../core/flow/sampler.ts";
import type { SdeMethod } from "../../core/flow/sde.ts";
import type { DeviceName } from "../../core/tensor/device.ts";
import type { LaboratorySettings } from "./settings.ts";
import type { FieldView, PictureChoices } from "./store_types.ts";

/** Options by value, with their names. */
export type Options<K extends string> = Readonly<Record<K, string>>;

/** The distributions of the plane. */
export const toyLabels: Options<ToyName> = {
  "8gaussians": "8 Gaussians",
  "25gaussians": "25 Gaussians",
  "2moons": "Two moons",
  "pinwheel": "Pinwheel",
  "checkerboard": "Checker\u00adboard",
  "swissroll": "Swiss roll",
  "rings": "Rings",
};

/** The two unbiased estimators of the energy loss. */
export const estimatorLabels: Options<LaboratorySettings["estimator"]> = {
  stein: "Stein",
  covariance: "covariance",
};

/** The weight w(u) of the loss. */
export const timeWeightLabels: Options<LaboratorySettings["timeWeight"]> = {
  one: "1",
  beta: "β(u)",
};

/** Gaussian paths. */
export const pathLabels: Options<LaboratorySettings["path"]> = {
  "log-homotopy": "log-homotopy",
  "optimal-transport": "optimal transport",
};

/** Time laws. */
export const timeLawLabels: Options<LaboratorySettings["timeLaw"]> = {
  "linear-std": "linear in β",
  "log-uniform": "log-uniform",
};

/** Optimisers. */
export const optimizerLabels: Options<LaboratorySettings["optimizer"]> = {
  adam: "Adam",
  lamb: "LAMB",
};

/** Devices. */
export const deviceLabels: Options<DeviceName> = {
  auto: "the best one",
  wasm: "WebAssembly",
  webgpu: "WebGPU",
  cpu: "plain TypeScript",
};

/** Solvers of the flow. */
export const solverLabels: Options<SolverName> = {
  "euler": "Euler",
  "midpoint": "midpoint",
  "heun": "Heun",
  "bogacki-shampine": "Bogacki-Shampine",
  "rk4": "Runge-Kutta 4",
  "rk45": "RK45",
  "dop853": "DOP853",
  "backward-euler": "backward Euler",
  "radau": "Radau",
  "euler-maruyama": "Euler-Maruyama",
  "stochastic-heun": "stochastic Heun",
};

const stochasticSolvers: Readonly<Record<SdeMethod, true>> = {
  "euler-maruyama": true,
  "stochastic-heun": true,
};

/** Whether a solver adds noise: such a one ends where the path has a score, which is not beyond uMax. */
export function isStochastic(solver: SolverName): boolean {
  return solver in stochasticSolvers;
}

/** What the plane shows. */
export const fieldLabels: Options<FieldView> = {
  potential: "Potential Φ",
  density: "Density",
  none: "None",
};

/** How ∇Φ is drawn. */
export const velocityLabels: Options<PictureChoices["velocity"]> = {
  arrows: "Arrows",
  streamlines: "Streamlines",
  none: "None",
};

/** What is beside what is learned. */
export const compareLabels: Options<PictureChoices["compare"]> = {
  learned: "Learned",
  both: "Beside exact",
  difference: "Difference",
};

/** Why a choice matters, in a sentence or two. */
export const reasons = {
  noise: "How wide each mode is blurred. Narrow modes need a sharper potential and smaller steps.",
  estimator:
    "Two unbiased estimates of one loss, with the same minimum. The Stein estimator's variance is 7 " +
    "to 24,000 times smaller here: nothing else matters as much.",
  timeWeight:
    "What each time counts in the loss. β(u) damps the end of the path, where the covariance " +
    "estimator is wildest.",
  path:
    "How a datum is blended with noise: x = αx̄ + βε. The log-homotopy is the paper's; optimal " +
    "transport goes in straight lines.",
  timeLaw:
    "How fast the path is run through. Linear in β keeps velocities of one size; log-uniform is the " +
    "paper's and crowds the action near the end.",
  timeInput:
    "With u as an input Φ can be another at each time. Without it, one landscape serves all times, " +
    "and the flow may go on past u = 1 to refine samples.",
  width: "Units of each hidden layer: what Φ can express, and what a step costs.",
  depth: "Hidden layers of exact GELU.",
  optimizer:
    "Adam scales each number's step by its recent gradients; LAMB besides by the size of a layer, " +
    "as the paper trains.",
  learningRate:
    "The step size after warm-up. Too large and the loss jumps; too small and it crawls.",
  batchSize: "Samples a step: more make a calmer gradient, and each step costs more.",
  spectralGap:
    "η adds ½η E[Φ²]: it ties down the constant that Φ is free by. More than a little of it " +
    "flattens Φ.",
  sigma:
    "The width that data points are blurred by at the end of the path, in data units: how sharp the " +
    "last stretch is.",
  steps: "Of the whole run: the learning rate falls along a cosine to 0 at the last one.",
  seed:
    "Every random draw is a function of it: the same seed and settings give the same run, to the bit.",
  device:
    "Where training runs. WebGPU is taken by itself on a graphics card that is real hardware.",
} as const;

/** The values offered of what is a number; a value from an address or a run is offered besides. */
export const offered = {
  width: [8, 16, 32, 64, 128, 256],
  depth: [1, 2, 3, 4, 5, 6],
  learningRate: [1e-4, 3e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 1e-1],
  batchSize: [32, 64, 128, 256, 512, 1024, 2048],
  spectralGap: [0, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1],
  sigma: [0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2],
  steps: [500, 1000, 2000, 3000, 5000, 10000, 20000],
} as const;
