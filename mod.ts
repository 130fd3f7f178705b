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
  gatherBytes,
  lossAndGradients,
  openDevice,
  packBytes,
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
  unpackBytes,
} from "./core/tensor/mod.ts";
export { type DeviceMemory, deviceMemory } from "./core/tensor/device_memory.ts";
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
export {
  describeLayers,
  type LayerDescription,
  parameterShapes,
} from "./core/potential/description.ts";
export { type MlpOptions, mlpPotential } from "./core/potential/mlp.ts";
export { type ApplyOptions, type Potential, sampleSize } from "./core/potential/potential.ts";
export { sumOfPotentials, sumParameters } from "./core/potential/sum.ts";
export {
  admParameterNames,
  type UnetHead,
  type UnetOptions,
  unetPotential,
} from "./core/potential/unet.ts";
export { type WideResnetOptions, wideResnetPotential } from "./core/potential/wide_resnet.ts";

// The compiler
export {
  DeviceMemoryError,
  estimateProgram,
  type ExplainOptions,
  type HostTree,
  jit,
  JitError,
  type JitOptions,
  type Jitted,
  type PreparedProgram,
  type ProgramEstimate,
  type ProgramStatistics,
  type Session,
  shapesOf,
  type TensorSpec,
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
export {
  initialSpectralVectors,
  type SpectralRegularization,
  spectralRegularization,
  type SpectralRegularizationOptions,
} from "./core/loss/spectral_regularization.ts";

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
  type Likelihood,
  type LikelihoodOptions,
  logDensity,
  negativeLogLikelihood,
  openLikelihood,
} from "./core/flow/likelihood.ts";
export * from "./core/flow/ode/mod.ts";
export {
  drawSamples,
  openSampler,
  priorSamples,
  type SampleOptions,
  type Sampler,
  type SampleResult,
  type SolverName,
  solverNames,
} from "./core/flow/sampler.ts";
export type { Turns } from "./core/pauses.ts";
export type { ParameterUse } from "./core/flow/compiled_flow.ts";
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
export type { ImageRecords } from "./core/data/image_records.ts";
export {
  drawImages,
  flipSome,
  fromUint8,
  type ImageDataset,
  type ImageFormat,
  imageShape,
  type ImageSize,
  imagesOfWords,
  residentImages,
} from "./core/data/images.ts";
export {
  loadMnist,
  type MnistName,
  type MnistPart,
  type ReadFile,
  readMnistLabels,
} from "./core/data/mnist.ts";
export { type CifarName, readCifar } from "./core/data/cifar.ts";
export { readSvhn, type SvhnPart } from "./core/data/svhn.ts";
export { type CelebaPart, readCelebaPartition } from "./core/data/celeba.ts";
export type { PreparedIndex, PreparedShard } from "./core/data/prepared_index.ts";
export { type DataFiles, openPreparedSet, type PreparedSet } from "./core/data/prepared_set.ts";
export {
  type BatchStream,
  type BatchStreamOptions,
  openBatchStream,
} from "./core/data/batch_stream.ts";
export {
  configuredDistribution,
  type Distribution,
  type DistributionOptions,
  toyDistributions,
  type ToyName,
  toyNames,
} from "./core/data/toy.ts";

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

export { type Auroc, auroc, type RocCurve, rocCurve } from "./core/metrics/auroc.ts";
export {
  type Histogram,
  histogram,
  histogramEdges,
  type HistogramEdgesOptions,
} from "./core/metrics/histogram.ts";
export {
  type KolmogorovSmirnov,
  kolmogorovSmirnov,
  type KolmogorovSmirnovOptions,
} from "./core/metrics/kolmogorov_smirnov.ts";
export {
  nearestImages,
  nearestPoints,
  type NeighbourOptions,
  type Neighbours,
} from "./core/metrics/nearest_neighbours.ts";
export { type PathLengths, pathLengths } from "./core/metrics/path_length.ts";

// Distances in the features of a network
export type {
  FeatureNetwork,
  FeatureNetworkName,
  Features,
} from "./core/metrics/feature_network.ts";
export { inceptionNetwork } from "./core/metrics/inception.ts";
export { inceptionParameters, type WeightArray } from "./core/metrics/inception_weights.ts";
export { type ClassifierName, classifierNetwork } from "./core/metrics/classifier_network.ts";
export {
  type ClassifierParameters,
  type ClassifierTest,
  type ClassifierTraining,
  trainClassifier,
  type TrainedClassifier,
} from "./core/metrics/classifier_training.ts";
export {
  encodePreparedNetwork,
  type NetworkParameter,
  type PreparedNetwork,
  type PreparedNetworkIndex,
  readNetworkIndex,
  readPreparedNetwork,
} from "./core/metrics/prepared_features.ts";
export {
  type FeatureStatistics,
  featureStatistics,
  type FeatureStatisticsOptions,
} from "./core/metrics/feature_statistics.ts";
export {
  frechetDistance,
  type FrechetDistanceOptions,
  type GaussianStatistics,
} from "./core/metrics/frechet_distance.ts";
export {
  type KernelDistance,
  kernelDistance,
  type KernelDistanceOptions,
} from "./core/metrics/kernel_distance.ts";
export {
  type InceptionScore,
  inceptionScore,
  type InceptionScoreOptions,
} from "./core/metrics/inception_score.ts";
export {
  type PrecisionRecall,
  precisionRecall,
  type PrecisionRecallOptions,
} from "./core/metrics/precision_recall.ts";
export {
  encodeStatistics,
  readStatistics,
  type StatisticsContent,
  type StatisticsNetwork,
} from "./core/metrics/statistics_file.ts";

// Evaluation
export {
  type EvaluationContext,
  type EvaluationInputs,
  type EvaluationSampling,
  openEvaluation,
  type OtherImages,
} from "./core/evaluation/context.ts";
export type {
  EvaluationDocument,
  EvaluationPicture,
  EvaluationTable,
  MadePicture,
  Measurement,
  MetricReport,
  MetricResult,
} from "./core/evaluation/document.ts";
export {
  cachedRows,
  type CachedRowsOptions,
  type CacheKey,
  type EvaluationFiles,
  type RowsWanted,
} from "./core/evaluation/evaluation_store.ts";
export { type EvaluationSubject, evaluationSubject } from "./core/evaluation/subject.ts";
export {
  type ByteImages,
  greyLevels,
  type Split,
  type SplitImages,
} from "./core/evaluation/images.ts";
export type { Reference } from "./core/evaluation/feature_distances.ts";
export type { LoadedNetwork } from "./core/evaluation/features.ts";
export { type Metric, type MetricName, metricNames, metrics } from "./core/evaluation/metrics.ts";
export { type MetricSettings } from "./core/evaluation/metric_settings.ts";
export {
  bitsPerDimension,
  dequantizedImages,
  type LikelihoodReportOptions,
  negativeLogLikelihoodReport,
} from "./core/evaluation/bits_per_dimension.ts";
export { imageInterpolations, uniformNoise } from "./core/evaluation/out_of_distribution.ts";
export {
  type InterpolationOptions,
  interpolationReport,
} from "./core/evaluation/prior_interpolation.ts";
export { solverQuality, type SolverQualityOptions } from "./core/evaluation/solver_quality.ts";
export { potentialValues, type PotentialValuesOptions } from "./core/evaluation/energy_values.ts";
export { renderReport, type ReportContext, textSummary } from "./core/evaluation/report.ts";

// Training
export { assignConfig, overlayConfig, parseConfig, type RunConfig } from "./core/train/config.ts";
export { configuredPotential } from "./core/train/configured_potential.ts";
export {
  type DataChoice,
  type DataName,
  dataNames,
  type SampleSpace,
  sampleSpace,
} from "./core/train/data_sets.ts";
export {
  type BatchReader,
  type DataOptions,
  type DataSource,
  type ImageFiles,
  openDataSource,
  type StreamedImages,
} from "./core/train/data_source.ts";
export { fitMicroBatch } from "./core/train/micro_batch.ts";
export {
  presetConfig,
  presetDescriptions,
  presetNames,
  presetSources,
} from "./core/train/presets.ts";
export { summarizeTraining, type TrainingSummary } from "./core/train/summary.ts";
export {
  type EvaluatedOf,
  type EvaluationLine,
  type MetricsLine,
  readConfig,
  readEvaluations,
  readMetrics,
  type SpeedLine,
  writeConfig,
} from "./core/train/run_directory.ts";
export {
  bestStep,
  checkpointSteps,
  loadAverage,
  loadCheckpoint,
  saveCheckpoint,
} from "./core/train/checkpoint.ts";
export { memoryStorage, type RunStorage } from "./core/train/run_storage.ts";
export { samplePicture } from "./core/train/sample_picture.ts";
export { disposeState, type TrainingState } from "./core/train/state.ts";
export type { Evaluation, EvaluationWatch } from "./core/train/evaluation.ts";
export {
  isComplete,
  type RunFacts,
  train,
  type TrainOptions,
  type TrainOutcome,
} from "./core/train/trainer.ts";
export { drawBatch } from "./core/train/training_batch.ts";
export { initialState } from "./core/train/initial_state.ts";
export { type StepMetrics, trainingStep } from "./core/train/training_step.ts";
export { type TrainingProblem, trainingProblem } from "./core/train/training_problem.ts";

// File formats
export { type MatArray, type MatClass, readMat } from "./core/formats/mat.ts";
export type { RandomAccessFile } from "./core/formats/random_access.ts";
export { readTar, type TarEntry } from "./core/formats/tar.ts";
export { openZip, type ZipArchive, type ZipEntry } from "./core/formats/zip.ts";
export { encodeZip } from "./core/formats/zip_writer.ts";
export { decodeNpy, encodeNpy, type NpyArray } from "./core/formats/npy.ts";
export { encodeNpz, openNpz } from "./core/formats/npz.ts";
export { type PickleContent, type PickleOptions, readPickle } from "./core/formats/pickle.ts";
export { sha256 } from "./core/formats/sha256.ts";
export { readTorchCheckpoint } from "./core/formats/torch_checkpoint.ts";
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
export {
  type ArrangementOptions,
  type CaptionOptions,
  picturesInColumn,
  picturesInRow,
  withCaption,
  withMargin,
} from "./core/picture/compose.ts";
export { type DensityPlotOptions, scatterOverDensity } from "./core/picture/density_plot.ts";
export {
  fieldOverContours,
  type FieldPlotOptions,
  gradientArrows,
} from "./core/picture/field_plot.ts";
export { type HistogramPlotOptions, svgHistogramPlot } from "./core/picture/histogram_plot.ts";
export { imageGrid, type ImageGridOptions } from "./core/picture/image_grid.ts";
export { type GridField, kernelDensity } from "./core/picture/kernel_density.ts";
export { type LinePlotOptions, type LineSeries, svgLinePlot } from "./core/picture/line_plot.ts";
export {
  type BandedSeries,
  linePlotImage,
  type LinePlotImageOptions,
} from "./core/picture/line_plot_image.ts";
export { svgColumn } from "./core/picture/svg_column.ts";
export {
  encodePng,
  type GreyImage,
  pixelAt,
  type Rgb,
  type RgbImage,
} from "./core/picture/rgb_image.ts";
