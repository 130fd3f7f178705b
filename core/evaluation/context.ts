/**
 * @file What several metrics of an evaluation share: the samples, the images of the run's data set, and
 * the features of both, each computed once and kept where a later evaluation finds it.
 */
import { VapoError } from "../errors.ts";
import { openSampler, type SampleOptions } from "../flow/sampler.ts";
import { sampleSize } from "../potential/potential.ts";
import { tf } from "../tensor/mod.ts";
import { cachedRows, type EvaluationFiles } from "./evaluation_store.ts";
import {
  type FeatureExtractor,
  type ImageFeatures,
  keptFeatures,
  keptFeaturesAndLogits,
  type LoadedNetwork,
  openFeatureExtractor,
  splitKey,
} from "./features.ts";
import { type ByteImages, greyLevels, type Split, type SplitImages } from "./images.ts";
import { type EvaluationSubject, modelKey } from "./subject.ts";

/** How samples are drawn; how many is each metric's. */
export type EvaluationSampling =
  & Pick<SampleOptions, "seed" | "solver" | "steps" | "rtol" | "atol" | "until">
  & Partial<Pick<SampleOptions, "equalSteps" | "noise" | "batchSize">>
  & {
    /** Tolerances of likelihoods, where they are not to be chosen. */
    readonly likelihood?: { readonly rtol?: number; readonly atol?: number };
  };

/** Images of other data sets, or why they are not there. */
export type OtherImages = SplitImages | { readonly missing: string };

/** What an evaluation is made from. */
export interface EvaluationInputs {
  readonly subject: EvaluationSubject;
  readonly sampling: EvaluationSampling;
  /** Reads images of the run's data set; left out for points in the plane. */
  readonly readSplit?: (split: Split, limit?: number) => Promise<SplitImages>;
  /** Reads the held-out images of another data set, at the size of the run's. */
  readonly readOther?: (name: string, limit: number) => Promise<OtherImages>;
  /** Opens the network that features are taken from. */
  readonly openNetwork?: () => Promise<LoadedNetwork>;
  /** Where samples and their features are kept; nowhere where it is left out. */
  readonly sampleCache?: EvaluationFiles;
  /** Where features of data sets are kept. */
  readonly dataCache?: EvaluationFiles;
  readonly signal?: AbortSignal;
  /** Told how far a piece of work is. */
  readonly onProgress?: (what: string, done: number, total: number) => void;
}

/** What metrics take their inputs from. */
export interface EvaluationContext extends EvaluationInputs {
  /** The first n samples: [n, …sampleShape]. */
  samples(n: number): Promise<Float32Array>;
  /** The first n samples as images of bytes. */
  sampleImages(n: number): Promise<ByteImages>;
  /** Features and logits of the first n samples. */
  sampleFeatures(n: number): Promise<ImageFeatures>;
  /** Images of the run's data set. */
  split(split: Split, limit?: number): Promise<SplitImages>;
  /** Features of images of a data set: [count, size]. */
  splitFeatures(images: SplitImages): Promise<Float32Array>;
  /** The network that features are taken from. */
  network(): Promise<LoadedNetwork>;
  /** Features of images that nothing is kept of. */
  extract(images: ByteImages, what: string): Promise<ImageFeatures>;
  /** For {@link onProgress}, with what is done. */
  progress(what: string): (done: number, total: number) => void;
  /** Frees what lies on the device, the network included. */
  dispose(): void;
}

/**
 * Opens an evaluation; nothing is computed before it is asked for.
 *
 * @param inputs the checkpoint, how samples are drawn, and where images, features and caches are
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import {
 *   assignConfig, configuredPotential, evaluationSubject, memoryStorage, openDevice, openEvaluation,
 *   presetConfig, randomKey,
 * } from "vapo";
 * await openDevice("wasm");
 * const config = assignConfig(presetConfig("rings"), ["potential.hidden=[4]"]);
 * const parameters = configuredPotential(config.potential, [2]).initialize(randomKey(1));
 * const subject = await evaluationSubject({
 *   name: "rings", config, parameters, step: 0, average: 0.999,
 * });
 * const sampleCache = memoryStorage(), sampling = { ...config.sampling, seed: 7, batchSize: 8 };
 * const first = openEvaluation({ subject, sampling, sampleCache });
 * const second = openEvaluation({ subject, sampling, sampleCache });
 * // Drawn by the first; found in the cache by the second.
 * assertEquals(await first.samples(8), await second.samples(8));
 * ```
 */
export function openEvaluation(inputs: EvaluationInputs): EvaluationContext {
  const { subject, sampling, signal } = inputs;
  const { sampleShape } = subject.space;
  const isImages = sampleShape.length === 3;
  const once = memory();
  let network: LoadedNetwork | undefined, extractor: FeatureExtractor | undefined;

  const progress = (what: string) => (done: number, total: number) =>
    inputs.onProgress?.(what, done, total);
  const openNetwork = async () => {
    if (!inputs.openNetwork) throw takesImages(subject);
    return network ??= await inputs.openNetwork();
  };
  const openExtractor = async () =>
    extractor ??= await openFeatureExtractor(
      await openNetwork(),
      sampleShape as ByteImages["shape"],
    );
  const featureSource = async (cache?: EvaluationFiles) => ({
    loaded: await openNetwork(),
    open: openExtractor,
    cache,
  });
  const { likelihood: _, ...drawn } = sampling;
  const samplesKey = {
    kind: "samples",
    model: modelKey(subject),
    ...{ ...drawn, batchSize: batchSizeOf(inputs) },
  };

  const context: EvaluationContext = {
    ...inputs,
    progress,
    samples: (n) =>
      once(`samples ${n}`, async () => {
        if (!isImages) return await keptSamples(n);
        throw new VapoError(`samples of ${subject.name} are images: ask for them as bytes`);
      }) as Promise<Float32Array>,
    sampleImages: (n) =>
      once(`images ${n}`, async () => {
        if (!isImages) throw takesImages(subject);
        return byteImages(await keptSamples(n) as Uint8Array, sampleShape);
      }) as Promise<ByteImages>,
    sampleFeatures: (n) =>
      once(`features ${n}`, async () => {
        const images = await context.sampleImages(n);
        const source = await featureSource(inputs.sampleCache);
        const watched = { signal, onProgress: progress("features of samples") };
        return await keptFeaturesAndLogits(source, samplesKey, images, watched);
      }) as Promise<ImageFeatures>,
    split: (split, limit) =>
      once(`split ${split} ${limit}`, async () => {
        if (!inputs.readSplit) throw takesImages(subject);
        return await inputs.readSplit(split, limit);
      }) as Promise<SplitImages>,
    splitFeatures: (images) =>
      once(`features of ${images.name} ${images.count}`, async () => {
        const source = await featureSource(inputs.dataCache);
        const watched = { signal, onProgress: progress(`features of ${images.name}`) };
        return await keptFeatures(source, splitKey(images), images, watched);
      }) as Promise<Float32Array>,
    network: openNetwork,
    extract: async ({ pixels }, what) =>
      await (await openExtractor()).extract(pixels, { signal, onProgress: progress(what) }),
    dispose() {
      extractor?.dispose();
      if (network) tf.dispose(network.parameters);
      [network, extractor] = [undefined, undefined];
    },
  };
  return context;

  /** The first n samples; of images, their grey levels. */
  async function keptSamples(n: number): Promise<Float32Array | Uint8Array> {
    const { potential, parameters, path } = subject;
    const batchSize = batchSizeOf(inputs);
    const size = sampleSize(potential);
    const sampler = openSampler(potential, parameters, path, 1);
    // A batch is one system to an adaptive solver: it is always drawn whole, whatever n.
    const draw = async (from: number, to: number) => {
      const options = { ...drawn, n: batchSize, batchSize, firstSample: from, signal };
      const { samples } = await sampler.draw(options);
      const taken = samples.subarray(0, (to - from) * size);
      return isImages ? greyLevels(taken) : taken;
    };
    try {
      return await cachedRows(
        inputs.sampleCache,
        samplesKey,
        { rows: n, rowShape: sampleShape, dtype: isImages ? "uint8" : "float32", chunk: batchSize },
        draw,
        { signal, onProgress: progress("samples") },
      );
    } finally {
      sampler.dispose();
    }
  }
}

/** Samples that are drawn together, needed or not: a batch is one system to an adaptive solver. */
const MOST_TOGETHER = 256;

function batchSizeOf({ sampling, subject }: EvaluationInputs): number {
  const fitting = Math.floor(2 ** 18 / sampleSize(subject.potential));
  return sampling.batchSize ?? Math.max(1, Math.min(MOST_TOGETHER, fitting));
}

function byteImages(pixels: Uint8Array, shape: readonly number[]): ByteImages {
  const size = shape.reduce((product, side) => product * side, 1);
  return { pixels, count: pixels.length / size, shape: shape as ByteImages["shape"] };
}

/** Remembers what was computed by a name; what failed may be tried again. */
function memory() {
  const known = new Map<string, Promise<unknown>>();
  return (name: string, compute: () => Promise<unknown>): Promise<unknown> => {
    const before = known.get(name);
    if (before) return before;
    const made = compute();
    known.set(name, made);
    made.catch(() => known.delete(name));
    return made;
  };
}

/** Says that a metric is one of images. */
function takesImages({ name, config }: EvaluationSubject): VapoError {
  return new VapoError(
    `run ${name} is of points (data "${config.data.name}"): expected a run of images; ` +
      "for points there are nll, energy, interpolate and solvers",
  );
}
