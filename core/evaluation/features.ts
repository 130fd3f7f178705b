/**
 * @file The features of images: what a network's distances are between.
 */
import { VapoError } from "../errors.ts";
import { jit } from "../jit/mod.ts";
import type { FeatureNetwork, Features } from "../metrics/feature_network.ts";
import { imagesOfWords } from "../data/images.ts";
import { packBytes, type Tensor, type TensorRecord, tf, wordsOfBytes } from "../tensor/mod.ts";
import { cachedRows, type CacheKey, type EvaluationFiles } from "./evaluation_store.ts";
import type { ByteImages, SplitImages } from "./images.ts";

/** A network with its parameters. */
export interface LoadedNetwork {
  readonly network: FeatureNetwork;
  /** On the device; the caller's. */
  readonly parameters: TensorRecord;
  /** SHA-256 of the file with the parameters. */
  readonly sha256: string;
}

/** Features and logits of images, row by row. */
export interface ImageFeatures {
  /** [n, size]. */
  readonly features: Float32Array;
  /** [n, classes]. */
  readonly logits: Float32Array;
}

/** How work is watched and stopped. */
interface Watched {
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/** A network compiled for images of one shape. */
export interface FeatureExtractor {
  /** How many images it takes at once. */
  readonly batchSize: number;
  /** The features of images of bytes, of any number. */
  extract(
    pixels: Uint8Array,
    options?: Watched,
  ): Promise<ImageFeatures>;
  dispose(): void;
}

/**
 * Compiles a network for images of one shape.
 *
 * @param loaded stays the caller's
 * @param shape [height, width, channels] of the images
 * @param batchSize how many images at once; the network's own where it is left out
 * @throws {VapoError} for channels that no network takes, or where the device has not enough memory
 */
export async function openFeatureExtractor(
  { network, parameters }: LoadedNetwork,
  shape: ByteImages["shape"],
  batchSize = network.batchSize,
): Promise<FeatureExtractor> {
  const [height, width, channels] = shape;
  if (channels !== 1 && channels !== 3) {
    throw new VapoError(
      `images of ${shape.join("×")} have ${channels} channels: expected 1 or 3 for features`,
    );
  }
  const bytes = height * width * channels, words = wordsOfBytes(bytes);
  const format = { stored: [height, width, channels] } as const;
  const program = jit(
    (parameters: TensorRecord, batch: Tensor): Record<keyof Features, Tensor> => ({
      ...network.apply(parameters, imagesOfWords(format, batch)),
    }),
    { static: [0] },
  );
  const blank = tf.zeros([batchSize, words], "int32");
  const session = await program.load(parameters, blank).finally(() => blank.dispose());
  const extractBatch = async (pixels: Uint8Array): Promise<ImageFeatures> => {
    const packed = new Int32Array(batchSize * words);
    packed.set(packBytes(pixels, bytes));
    const batch = tf.tensor2d(packed, [batchSize, words], "int32");
    session.write(1, batch);
    batch.dispose();
    session.run();
    return await session.read() as unknown as ImageFeatures;
  };
  return {
    batchSize,
    async extract(pixels, { signal, onProgress } = {}) {
      const n = pixels.length / bytes, { size, classes } = network;
      const features = new Float32Array(n * size), logits = new Float32Array(n * classes);
      for (let done = 0; done < n;) {
        // Whoever aborts needs a turn to do so.
        await new Promise((resolve) => setTimeout(resolve));
        signal?.throwIfAborted();
        const count = Math.min(batchSize, n - done);
        const batch = await extractBatch(pixels.subarray(done * bytes, (done + count) * bytes));
        features.set(batch.features.subarray(0, count * size), done * size);
        logits.set(batch.logits.subarray(0, count * classes), done * classes);
        done += count;
        onProgress?.(done, n);
      }
      return { features, logits };
    },
    dispose: () => session.dispose(),
  };
}

/** What features are computed by, where they are not kept already. */
export interface FeatureSource {
  readonly loaded: LoadedNetwork;
  /** Compiles the network, once; not called where all features are kept. */
  open(): Promise<FeatureExtractor>;
  /** Where they are kept; nowhere where it is left out. */
  readonly cache?: EvaluationFiles;
}

/** Rows of features that are written to a cache together. */
const CHUNK = 256;
/** The version of how they are computed: raised where the same key would give others. */
const ROWS = 1;

/** Features of images, from a cache as far as they are there: [count, size]. */
export async function keptFeatures(
  source: FeatureSource,
  of: CacheKey,
  images: ByteImages,
  watched: Watched,
): Promise<Float32Array> {
  const { size } = source.loaded.network;
  return await keptRows(
    source,
    { kind: "features", of },
    images,
    size,
    watched,
    ({ features }) => features,
  );
}

/** Features and logits of images, from a cache as far as they are there. */
export async function keptFeaturesAndLogits(
  source: FeatureSource,
  of: CacheKey,
  images: ByteImages,
  watched: Watched,
): Promise<ImageFeatures> {
  const { size, classes } = source.loaded.network;
  const key = { kind: "features and logits", of };
  const rows = await keptRows(source, key, images, size + classes, watched, joined);
  return parted(rows, images.count, size, classes);
}

/** Rows that are made of features, so many numbers each. */
async function keptRows(
  { loaded: { network, sha256 }, open, cache }: FeatureSource,
  key: CacheKey,
  { pixels, count }: ByteImages,
  width: number,
  { signal, onProgress }: Watched,
  rowsOf: (features: ImageFeatures, n: number) => Float32Array,
): Promise<Float32Array> {
  const bytes = pixels.length / count, device = tf.getBackend();
  const rows = await cachedRows(
    cache,
    { ...key, rows: ROWS, network: network.name, weights: sha256, device },
    { rows: count, rowShape: [width], dtype: "float32", chunk: CHUNK },
    async (from, to) => {
      const { extract } = await open();
      const part = pixels.subarray(from * bytes, to * bytes);
      const told = (done: number) => onProgress?.(from + done, count);
      return rowsOf(await extract(part, { signal, onProgress: told }), to - from);
    },
    { signal, onProgress },
  );
  return rows as Float32Array;
}

/** What the features of images of a data set are kept by: more of them are other rows. */
export function splitKey({ name, checksum, count, shape }: SplitImages): CacheKey {
  return { name, checksum, count, shape };
}

/** Features and logits of each image side by side. */
function joined({ features, logits }: ImageFeatures, n: number): Float32Array {
  const size = features.length / n, classes = logits.length / n;
  const rows = new Float32Array(n * (size + classes));
  for (let i = 0; i < n; i++) {
    rows.set(features.subarray(i * size, (i + 1) * size), i * (size + classes));
    rows.set(logits.subarray(i * classes, (i + 1) * classes), i * (size + classes) + size);
  }
  return rows;
}

function parted(rows: Float32Array, n: number, size: number, classes: number): ImageFeatures {
  const features = new Float32Array(n * size), logits = new Float32Array(n * classes);
  for (let i = 0; i < n; i++) {
    const row = rows.subarray(i * (size + classes), (i + 1) * (size + classes));
    features.set(row.subarray(0, size), i * size);
    logits.set(row.subarray(size), i * classes);
  }
  return { features, logits };
}
