/**
 * vapo: variational potential flow on Deno and in the browser. One scalar potential Φ is learned
 * whose gradient carries noise to data, with no Markov chain in training; it is trained, sampled
 * and measured on WebGPU or SIMD WebAssembly.
 *
 * A run in a few lines:
 *
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import {
 *   assignConfig, drawSamples, initialState, loadCheckpoint, memoryStorage, openDataSource,
 *   openDevice, presetConfig, train, trainingProblem,
 * } from "vapo";
 *
 * await openDevice("wasm");
 * const config = assignConfig(presetConfig("8gaussians"), [
 *   "training.steps=3", "potential.hidden=[16]", "sampling.n=8",
 * ]);
 * const problem = trainingProblem(config, await openDataSource(config.data.name));
 * const storage = memoryStorage();
 * await train(problem, { storage });
 * const { average } = await loadCheckpoint(storage, 3, initialState(problem));
 * const { samples } = await drawSamples(problem.potential, average, problem.path, {
 *   ...config.sampling, seed: config.seed,
 * });
 * assertEquals(samples.length, 8 * 2); // eight points in the plane
 * ```
 *
 * @module
 */

// Errors
export { ConfigError, FormatError, NonFiniteError, VapoError } from "./core/errors.ts";

// Tensors, devices, random draws
export {
  type AdapterDescription,
  batchValueAndGradient,
  chooseDevice,
  type DeviceInfo,
  type DeviceName,
  deviceNames,
  type DeviceOptions,
  fork,
  lossAndGradients,
  openDevice,
  randomBits,
  randomIndices,
  type RandomKey,
  randomKey,
  randomNormal,
  randomUniform,
  type Scalar,
  type Tensor,
  type Tensor2D,
  type Tensor4D,
  type TensorRecord,
  tf,
} from "./core/tensor/mod.ts";
export { philox4x32 } from "./core/tensor/philox.ts";

// Paths between prior and data, exact mixtures
export {
  conditionalSample,
  conditionalVelocity,
  type GaussianPath,
  gaussianPath,
  type GaussianPathOptions,
  hostConditionalVelocity,
  hostInnovation,
  innovation,
  type PathCoefficients,
} from "./core/homotopy/gaussian_path.ts";
export {
  type GaussianMixture,
  mixtureLogDensity,
  mixturePotential,
  mixtureScore,
  mixtureVelocity,
  mixtureVelocityTensor,
} from "./core/homotopy/gaussian_mixture.ts";

// Potentials
export { gelu } from "./core/potential/layers.ts";
export { type MlpOptions, mlpPotential } from "./core/potential/mlp.ts";
export { type Potential, sampleSize } from "./core/potential/potential.ts";
export { type WideResnetOptions, wideResnetPotential } from "./core/potential/wide_resnet.ts";

// The compiler
export {
  type ExplainOptions,
  type HostTree,
  jit,
  JitError,
  type JitOptions,
  type Jitted,
  type ProgramStatistics,
  type Session,
  type TensorTree,
} from "./core/jit/mod.ts";

// The energy loss
export {
  energyExcess,
  type EnergyLoss,
  energyLoss,
  type EnergyLossOptions,
  type PathBatch,
} from "./core/loss/energy_loss.ts";

// Optimisers
export { adam, type AdamOptions } from "./core/optim/adam.ts";
export { clipByGlobalNorm, globalNorm } from "./core/optim/clipping.ts";
export { updateAverage } from "./core/optim/ema.ts";
export { lamb, type LambOptions } from "./core/optim/lamb.ts";
export { zeroMoments } from "./core/optim/moments.ts";
export type { Optimizer, UpdateInputs } from "./core/optim/optimizer.ts";
export { learningRateAt, type ScheduleOptions } from "./core/optim/schedules.ts";

// The flow: velocity, solvers, samples, densities
export { sphericalInterpolation } from "./core/flow/interpolation.ts";
export { type LangevinOptions, refineByLangevin } from "./core/flow/langevin.ts";
export {
  type LikelihoodOptions,
  logDensity,
  negativeLogLikelihood,
} from "./core/flow/likelihood.ts";
export * from "./core/flow/ode/mod.ts";
export {
  drawSamples,
  type SampleOptions,
  type SampleResult,
  type SolverName,
  solverNames,
} from "./core/flow/sampler.ts";
export { type SdeMethod, sdeMethodNames, type SdeOptions, solveSde } from "./core/flow/sde.ts";
export { float64Space, tensorSpace, type VectorSpace } from "./core/flow/vector_space.ts";
export {
  exactLaplacian,
  hessianProduct,
  hutchinsonLaplacian,
  scoreFromVelocity,
  type VelocityField,
  velocityField,
} from "./core/flow/velocity.ts";

// Data
export { decodeIdx, encodeIdx, type IdxArray, type IdxDtype, readIdx } from "./core/data/idx.ts";
export { drawImages, fromUint8, type ImageDataset, type ImageSize } from "./core/data/images.ts";
export { loadMnist, type MnistName, type MnistPart, type ReadFile } from "./core/data/mnist.ts";
export { type Distribution, toyDistributions, type ToyName, toyNames } from "./core/data/toy.ts";

// Metrics
export { energyDistance, type EnergyDistanceOptions } from "./core/metrics/energy_distance.ts";
export {
  maximumMeanDiscrepancy,
  type MaximumMeanDiscrepancyOptions,
  medianBandwidth,
} from "./core/metrics/maximum_mean_discrepancy.ts";
export { fractionWithinModes, modeHistogram } from "./core/metrics/modes.ts";
export type { Samples } from "./core/metrics/samples.ts";
export {
  slicedWasserstein,
  type SlicedWassersteinOptions,
} from "./core/metrics/sliced_wasserstein.ts";

// Training
export { assignConfig, overlayConfig, parseConfig, type RunConfig } from "./core/train/config.ts";
export {
  type DataName,
  dataNames,
  type DataSource,
  openDataSource,
  type ReadDataFile,
  type SampleSpace,
  sampleSpace,
} from "./core/train/data_source.ts";
export {
  presetConfig,
  presetDescriptions,
  type PresetName,
  presetNames,
} from "./core/train/presets.ts";
export {
  type MetricsLine,
  readConfig,
  readMetrics,
  writeConfig,
} from "./core/train/run_directory.ts";
export {
  checkpointSteps,
  loadAverage,
  loadCheckpoint,
  saveCheckpoint,
} from "./core/train/checkpoint.ts";
export { memoryStorage, type RunStorage } from "./core/train/run_storage.ts";
export { samplePicture } from "./core/train/sample_picture.ts";
export { disposeState, type TrainingState } from "./core/train/state.ts";
export { isComplete, train, type TrainOptions, type TrainOutcome } from "./core/train/trainer.ts";
export {
  configuredPotential,
  drawBatch,
  initialState,
  type StepMetrics,
  type TrainingProblem,
  trainingProblem,
  trainingStep,
} from "./core/train/training_step.ts";

// File formats
export { decodeNpy, encodeNpy, type NpyArray } from "./core/formats/npy.ts";
export {
  checksumOf,
  decodeSafetensors,
  encodeSafetensors,
  type SafetensorsDtype,
  type SafetensorsFile,
  type SafetensorsTensor,
} from "./core/formats/safetensors.ts";

// Pictures
export type { Extent, FrameOptions } from "./core/picture/axes.ts";
export {
  type Colormap,
  colormaps,
  type ColorScaleOptions,
  mapColors,
} from "./core/picture/colormap.ts";
export { type DensityPlotOptions, scatterOverDensity } from "./core/picture/density_plot.ts";
export {
  fieldOverContours,
  type FieldPlotOptions,
  gradientArrows,
} from "./core/picture/field_plot.ts";
export { imageGrid, type ImageGridOptions } from "./core/picture/image_grid.ts";
export { type GridField, kernelDensity } from "./core/picture/kernel_density.ts";
export { type LinePlotOptions, type LineSeries, svgLinePlot } from "./core/picture/line_plot.ts";
export {
  encodePng,
  type GreyImage,
  pixelAt,
  type Rgb,
  type RgbImage,
} from "./core/picture/rgb_image.ts";
