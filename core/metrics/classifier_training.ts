/**
 * @file Training of the small classifiers whose features give MNIST and Fashion-MNIST a Fréchet
 * distance (see classifier_network.ts): cross-entropy, Adam with a cosine schedule, images that are
 * moved, stretched and made coarse a little, and clothes mirrored. The step is compiled whole and its
 * state stays on the device.
 *
 * On WebAssembly the parameters are a function of the images, the seed and the number of steps, bit
 * by bit, whatever the number of threads. That holds for one version of this program on processors
 * with a fused multiply-add, which WebAssembly's relaxed SIMD uses where it is there: a processor
 * without one (x86 before 2013), another version or another device rounds differently, and hundreds of
 * steps make another network of that. So distances can be compared where the parameters have the same
 * checksum, and only there.
 */
import type { ImageRecords } from "../data/image_records.ts";
import { type ImageSize, imagesOfWords } from "../data/images.ts";
import { mnistSizes } from "../data/mnist.ts";
import { shuffledOrder } from "../data/shuffled_order.ts";
import { NonFiniteError, VapoError } from "../errors.ts";
import { jit, type Session } from "../jit/mod.ts";
import { adam } from "../optim/adam.ts";
import { zeroMoments } from "../optim/moments.ts";
import { learningRateAt } from "../optim/schedules.ts";
import {
  fork,
  gatherBytes,
  lossAndGradients,
  packBytes,
  type RandomKey,
  randomKey,
  randomNormal,
  type Scalar,
  type Tensor,
  type Tensor2D,
  type Tensor4D,
  type TensorRecord,
  tf,
} from "../tensor/mod.ts";
import { type Augmentation, augmentedImages } from "./classifier_augmentation.ts";
import { CLASSIFIER_SIDE, type ClassifierName, classifierNetwork } from "./classifier_network.ts";
import type { FeatureNetwork } from "./feature_network.ts";

/** What a classifier is trained on, and how long. */
export interface ClassifierTraining {
  readonly name: ClassifierName;
  /** 28×28×1 with a label each: the only images that the parameters are a function of. */
  readonly train: ImageRecords;
  /** 28×28×1 with a label each: the images that it is tested with in the end. */
  readonly test: ImageRecords;
  /** Updates, each on 128 images. Default 2,800, six times all images of MNIST. */
  readonly steps?: number;
  /** An integer in [0, 2⁵³). Default 0: other seeds give other networks, and other distances. */
  readonly seed?: number;
  /** Stops the training: the promise is rejected with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Hears of the steps done. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** How a classifier does on images that it was not trained on. */
export interface ClassifierTest {
  readonly images: number;
  /** Images that it takes for another class. */
  readonly errors: number;
  /** In [0, 1]. */
  readonly accuracy: number;
  /** Of each class 0 … 9, how many of its images are taken for another. */
  readonly errorsByClass: readonly number[];
}

/** Parameters on the host by name, with the network's `parameterShapes`. */
export type ClassifierParameters = Readonly<
  Record<string, { readonly shape: readonly number[]; readonly data: Float32Array }>
>;

/** A trained classifier. */
export interface TrainedClassifier {
  readonly parameters: ClassifierParameters;
  /** What they were made by. */
  readonly steps: number;
  readonly seed: number;
  /** On the test images padded to 32×32. */
  readonly test: ClassifierTest;
  /** On the test images averaged to 14×14 and padded to 16×16. */
  readonly testAt16: ClassifierTest;
}

/** Clothes differ by their outlines, which even a stretch of a tenth blurs. */
const augmentations: Readonly<Record<ClassifierName, Augmentation>> = {
  "mnist-classifier": { shift: 2, stretch: 0.1, mirror: false, coarse: 0.25 },
  "fashion-mnist-classifier": { shift: 0.5, stretch: 0.03, mirror: true, coarse: 0.25 },
};

const BATCH = 128;
const STEPS = 2800;
const LEARNING_RATE = 1e-2;
const WARM_UP_STEPS = 100;
/** Adam's β₂: with 0.999 the second moments of the first steps would last through half the run. */
const BETA_2 = 0.99;
/** What the standard deviation 1/√inputs is multiplied by: GELU passes on about half the variance. */
const GAIN = 1.5;
const CLASSES = 10;
/** Stored images. */
const stored = [28, 28, 1] as const;
const PIXELS = 28 * 28;
/** Milliseconds between two turns of the event loop. */
const BREATH = 50;

/**
 * Trains a classifier on the open device, and tests it. About a minute on two cores.
 *
 * @param training the images; the test images are looked at when the training is over
 * @throws {VapoError} for records that are not images of 28×28×1 with a label from 0 to 9
 * @throws {NonFiniteError} where the training diverged
 * @throws the signal's reason where it is aborted
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { type ImageRecords, openDevice, trainClassifier } from "vapo";
 * await openDevice("wasm");
 * // Two classes, black and white.
 * const pixels = new Uint8Array(2 * 28 * 28).fill(255, 28 * 28);
 * const labels = Uint8Array.of(0, 1);
 * const images: ImageRecords = { count: 2, shape: [28, 28, 1], pixels, labels, labelsPerImage: 1 };
 * const { test } = await trainClassifier(
 *   { name: "mnist-classifier", train: images, test: images, steps: 10 },
 * );
 * assertEquals(test.errors, 0);
 * ```
 */
export async function trainClassifier(
  { name, train, test, steps = STEPS, seed = 0, signal, onProgress }: ClassifierTraining,
): Promise<TrainedClassifier> {
  requireRecords(train, "to train on");
  requireRecords(test, "to test with");
  const network = classifierNetwork(name);
  const session = await openTraining(network, train, steps, seed);
  let parameters: ClassifierParameters;
  try {
    await doSteps(session, batchesOf(train.count, seed), { steps, signal, onProgress });
    parameters = await readParameters(session);
  } finally {
    session.dispose();
  }
  requireFinite(parameters, steps);
  return {
    parameters,
    steps,
    seed,
    test: await testClassifier(network, parameters, test, mnistSizes.mnist),
    testAt16: await testClassifier(network, parameters, test, mnistSizes.mnist16),
  };
}

function requireRecords({ count, shape, labels, labelsPerImage }: ImageRecords, what: string) {
  const wrong = (found: string, expected: string) =>
    new VapoError(
      `images ${what} ${found}; expected ${expected}: take those of MNIST or Fashion-MNIST`,
    );
  if (shape.join("×") !== stored.join("×")) throw wrong(`are ${shape.join("×")}`, "28×28×1");
  if (count < 1) throw wrong("are none", "one at least");
  if (labelsPerImage !== 1) throw wrong(`have ${labelsPerImage} labels each`, "one");
  const bad = labels.find((label) => label >= CLASSES);
  if (bad !== undefined) throw wrong(`have the label ${bad}`, "0 to 9");
}

function requireFinite(parameters: ClassifierParameters, steps: number): void {
  for (const [name, { data }] of Object.entries(parameters)) {
    if (data.every(Number.isFinite)) continue;
    throw new NonFiniteError(
      `the classifier's ${name} is not finite after ${steps} steps: expected numbers; ` +
        "check the images, or try another device",
    );
  }
}

/** All that is carried from one step to the next. */
interface State extends Record<string, Tensor | TensorRecord> {
  parameters: TensorRecord;
  moments: TensorRecord;
  /** int32 scalar. */
  step: Tensor;
  /** int32 [2]. */
  seed: Tensor;
}

type TrainingSession = Session<{ state: State }, State>;

/** Compiles the step, and puts the images and the first state on the device. */
async function openTraining(
  network: FeatureNetwork,
  { count, pixels, labels }: ImageRecords,
  steps: number,
  seed: number,
): Promise<TrainingSession> {
  const optimizer = adam({ beta2: BETA_2 });
  const augmentation = augmentations[network.name as ClassifierName];
  const step = (state: State, rows: Tensor, words: Tensor, labels: Tensor) => {
    const key: RandomKey = { seed: state.seed, step: state.step, stream: 0 };
    const images = augmentedImages(drawnImages(words, rows), key, augmentation);
    const time = tf.cast(state.step, "float32") as Scalar;
    const { gradients } = lossAndGradients(() => {
      const { logits } = network.apply(state.parameters, images);
      return { loss: crossEntropy(logits, gatherBytes(labels, rows, 1)), report: {} };
    }, state.parameters);
    const learningRate = learningRateAt({
      kind: "cosine",
      learningRate: LEARNING_RATE,
      warmupSteps: WARM_UP_STEPS,
      totalSteps: steps,
    }, time);
    const updated = optimizer.update({ ...state, gradients, learningRate, step: time });
    const next = tf.add(state.step, tf.scalar(1, "int32"));
    return { state: { ...updated, step: next, seed: tf.clone(state.seed) } as State };
  };
  const state = initialState(network, seed);
  const rows = tf.zeros([BATCH], "int32");
  const words = packed(pixels, count),
    labelWords = tf.tensor2d(
      packBytes(labels, 1),
      [count, 1],
      "int32",
    );
  try {
    return await jit(step, { donate: true, static: [2, 3] }).load(state, rows, words, labelWords);
  } finally {
    tf.dispose([state, rows, words, labelWords]);
  }
}

/** Bytes of images on the device, [n, 196] words. */
function packed(pixels: Uint8Array, count: number): Tensor2D {
  return tf.tensor2d(packBytes(pixels, PIXELS), [count, PIXELS / 4], "int32");
}

/** Kernels ~ N(0, gain²/inputs), the last one without the gain; biases 0. */
function initialState(network: FeatureNetwork, seed: number): State {
  return tf.tidy(() => {
    const key = randomKey(seed), parameters: TensorRecord = {};
    for (const [name, sizes] of Object.entries(network.parameterShapes)) {
      const shape = [...sizes], inputs = shape.slice(0, -1).reduce((product, n) => product * n, 1);
      const gain = name === "head.kernel" ? 1 : GAIN;
      parameters[name] = name.endsWith(".bias")
        ? tf.zeros(shape)
        : tf.mul(randomNormal(fork(key, name), shape), gain / Math.sqrt(inputs));
    }
    const moments = zeroMoments(parameters);
    return { parameters, moments, step: tf.scalar(0, "int32"), seed: key.seed } as State as never;
  }) as State;
}

/** The images of these rows, padded to 32×32: [n, 32, 32, 1] in [−1, 1]. */
function drawnImages(words: Tensor, rows: Tensor): Tensor4D {
  const bytes = gatherBytes(words, rows, PIXELS);
  const images = tf.reshape(tf.sub(tf.mul(bytes, 1 / 127.5), 1), [rows.shape[0], ...stored]);
  const side = (CLASSIFIER_SIDE - stored[0]) / 2;
  return tf.pad(images as Tensor4D, [[0, 0], [side, side], [side, side], [0, 0]], -1);
}

/** The mean of log Σ exp(logits) − logits[label]; labels [n, 1] as numbers. */
function crossEntropy(logits: Tensor2D, labels: Tensor): Scalar {
  const is = tf.cast(tf.equal(labels, tf.range(0, CLASSES)), "float32");
  return tf.mean(tf.sub(tf.logSumExp(logits, 1), tf.sum(tf.mul(logits, is), 1))) as Scalar;
}

/** The rows of each step's images: every image comes once before one comes again. */
function batchesOf(count: number, seed: number): (step: number) => Int32Array {
  const order = shuffledOrder({ seed, shardCounts: [count], bufferImages: count });
  let epoch = -1, images: Uint32Array = new Uint32Array();
  return (step) =>
    Int32Array.from({ length: BATCH }, (_, i) => {
      const sample = step * BATCH + i, current = Math.floor(sample / count);
      if (current !== epoch) [epoch, images] = [current, order.windowOrder(current, 0).images];
      return images[sample % count];
    });
}

async function doSteps(
  session: TrainingSession,
  rowsOf: (step: number) => Int32Array,
  { steps, signal, onProgress }: Pick<ClassifierTraining, "signal" | "onProgress"> & {
    readonly steps: number;
  },
): Promise<void> {
  let last = -Infinity;
  for (let step = 0; step < steps; step++) {
    if (performance.now() - last > BREATH) {
      await new Promise((resolve) => setTimeout(resolve));
      signal?.throwIfAborted();
      onProgress?.(step, steps);
      last = performance.now();
    }
    const rows = tf.tensor1d(rowsOf(step), "int32");
    session.write(1, rows);
    rows.dispose();
    session.run();
  }
  onProgress?.(steps, steps);
}

async function readParameters(session: TrainingSession): Promise<ClassifierParameters> {
  const state = session.state();
  try {
    const arrays = Object.entries(state.parameters).map(async ([name, tensor]) => {
      const data = await tensor.data() as Float32Array;
      return [name, { shape: tensor.shape, data }] as const;
    });
    return Object.fromEntries(await Promise.all(arrays));
  } finally {
    tf.dispose(state);
  }
}

/** Images that are tested at once. */
const TEST_BATCH = 250;

/**
 * What a classifier makes of labelled images, on the open device.
 *
 * @param parameters by name, as {@link trainClassifier} gives them
 * @param records 28×28×1 with a label each
 * @param size what the images are brought to before the network sees them, as in an evaluation
 */
export async function testClassifier(
  network: FeatureNetwork,
  parameters: ClassifierParameters,
  { count, pixels, labels }: ImageRecords,
  size: ImageSize,
): Promise<ClassifierTest> {
  const classify = jit((parameters: TensorRecord, words: Tensor) =>
    network.apply(parameters, imagesOfWords({ ...size, stored }, words)).logits
  );
  const tensors = parametersOnDevice(parameters);
  const errorsByClass = new Array<number>(CLASSES).fill(0);
  try {
    for (let first = 0; first < count; first += TEST_BATCH) {
      const part = pixels.subarray(first * PIXELS, (first + TEST_BATCH) * PIXELS);
      const words = packed(part, part.length / PIXELS);
      const logits = await classify(tensors, words);
      const rows = await logits.data();
      tf.dispose([words, logits]);
      labels.subarray(first, first + TEST_BATCH).forEach((label, i) => {
        if (largest(rows.subarray(i * CLASSES, (i + 1) * CLASSES)) !== label) {
          errorsByClass[label]++;
        }
      });
    }
  } finally {
    tf.dispose(tensors);
    classify.dispose();
  }
  const errors = errorsByClass.reduce((sum, n) => sum + n, 0);
  return { images: count, errors, accuracy: 1 - errors / count, errorsByClass };
}

function largest(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}

/** They belong to the caller. */
function parametersOnDevice(parameters: ClassifierParameters): TensorRecord {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, { shape, data }]) =>
      [name, tf.tensor(data, [...shape])] as const
    ),
  );
}
