/**
 * @file Random draws as tensor operations: one kernel, `Philox`, on every device, whose counter is
 * an input tensor. A training step that draws its own data and noise is therefore a pure function
 * of its state, and a tracer sees the draw as a node, never as a baked-in constant.
 */
import * as tf from "@tensorflow/tfjs";
import type { KernelConfig, KernelFunc, Tensor, TensorInfo } from "@tensorflow/tfjs";
import { VapoError } from "../errors.ts";
import { fillPhilox, type PhiloxDistribution, typeOfDraws } from "./philox.ts";
import { philoxProgram } from "./philox_webgpu.ts";

/**
 * What a draw is a function of: the run's seed (int32 [2]), the step (int32 scalar) and a stream,
 * a 32-bit number that keeps independent draws of one step apart.
 */
export interface RandomKey {
  /** The two 32-bit words of the run's seed: int32 [2]. */
  readonly seed: Tensor;
  /** The counter of the run: an int32 scalar. */
  readonly step: Tensor;
  /** An unsigned 32-bit integer; {@link fork} makes new ones. */
  readonly stream: number;
  /**
   * The index of the first sample of a draw: a part of a larger draw starts past 0, the default. A
   * tensor (int32 scalar) does as a number does, and lets one compiled program draw any part.
   */
  readonly firstSample?: number | Tensor;
}

/**
 * A key for the given seed and step. The tensors it makes belong to the caller (or to the
 * enclosing `tf.tidy`).
 *
 * @param seed an integer in [0, 2⁵³)
 * @param step the counter of the run: an integer, or an int32 scalar that lives on the device
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { openDevice, randomKey, randomNormal } from "vapo";
 * await openDevice("cpu");
 * const once = await randomNormal(randomKey(7), [4, 2]).data();
 * const again = await randomNormal(randomKey(7), [4, 2]).data();
 * assertEquals(once, again);
 * ```
 */
export function randomKey(seed: number, step: number | Tensor = 0): RandomKey {
  return {
    seed: tf.tensor1d([seed | 0, Math.floor(seed / 2 ** 32) | 0], "int32"),
    step: typeof step === "number" ? tf.scalar(step, "int32") : step,
    stream: 0,
  };
}

/**
 * An independent stream of the same seed and step, named by a label: FNV-1a (Fowler, Noll, Vo) of
 * the label, started from the parent's stream. It shares its parent's tensors and first sample.
 *
 * @param key the parent
 * @param label what the draw is for: a label gives the same stream every time
 * @example
 * ```ts
 * import { assertEquals, assertNotEquals } from "@std/assert";
 * import { fork, openDevice, randomKey, randomUniform } from "vapo";
 * await openDevice("cpu");
 * const key = randomKey(7);
 * const draw = (label: string) => randomUniform(fork(key, label), [3]).dataSync();
 * assertEquals(draw("noise"), draw("noise"));
 * assertNotEquals(draw("noise"), draw("time"));
 * ```
 */
export function fork(key: RandomKey, label: string): RandomKey {
  let hash = (0x811c9dc5 ^ key.stream) >>> 0;
  for (let i = 0; i < label.length; i++) {
    hash = Math.imul(hash ^ label.charCodeAt(i), 0x01000193) >>> 0;
  }
  return { ...key, stream: hash };
}

/**
 * Uniform draws, each from the upper 23 bits of a word of {@link randomBits}.
 *
 * @param key what the draw is a function of
 * @param shape the first axis counts samples: row i is the same whatever the number of rows
 * @returns float32 of the given shape, in the open interval (0, 1): odd multiples of 2⁻²⁴
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { openDevice, randomKey, randomUniform } from "vapo";
 * await openDevice("cpu");
 * const four = randomUniform(randomKey(7), [4, 3]).dataSync();
 * const two = randomUniform(randomKey(7), [2, 3]).dataSync();
 * assertEquals(two, four.slice(0, 6));
 * ```
 */
export function randomUniform(key: RandomKey, shape: number[]): Tensor {
  return draw(key, shape, "uniform");
}

/**
 * Standard normal draws.
 *
 * Source: Box and Muller, "A Note on the Generation of Random Normal Deviates", 1958.
 *
 * @param key what the draw is a function of
 * @param shape the first axis counts samples: row i is the same whatever the number of rows
 * @returns float32 of the given shape, within ±5.8, the end of Box and Muller's radius
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { openDevice, randomKey, randomNormal, tf } from "vapo";
 * await openDevice("cpu");
 * const { mean, variance } = tf.moments(randomNormal(randomKey(7), [10_000]));
 * assertAlmostEquals(mean.dataSync()[0], 0, 0.05);
 * assertAlmostEquals(variance.dataSync()[0], 1, 0.05);
 * ```
 */
export function randomNormal(key: RandomKey, shape: number[]): Tensor {
  return draw(key, shape, "normal");
}

/**
 * Raw 32-bit words of {@link philox4x32}: the same integers on every device.
 *
 * @param key what the draw is a function of
 * @param shape the first axis counts samples: row i is the same whatever the number of rows
 * @returns int32 of the given shape: sample i takes the words of the Philox blocks with counters
 * (0, i, step, stream), (1, i, step, stream), …
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { openDevice, philox4x32, randomBits, randomKey } from "vapo";
 * await openDevice("cpu");
 * const words = randomBits(randomKey(0), [1, 4]).dataSync();
 * const block = philox4x32(new Uint32Array(4), new Uint32Array(2));
 * assertEquals([...words], [...Int32Array.from(block)]);
 * ```
 */
export function randomBits(key: RandomKey, shape: number[]): Tensor {
  return draw(key, shape, "bits");
}

/**
 * Uniform integers: the upper half of the 64-bit product of a word of {@link randomBits} and the
 * count (Lemire, "Fast Random Integer Generation in an Interval", 2019, without the rejection, which
 * would make a draw depend on more than its own word). The same on every device.
 *
 * @param key what the draw is a function of
 * @param shape the first axis counts samples: row i is the same whatever the number of rows
 * @param count how many integers there are to draw from, at most 2³¹ − 1; each is as likely as the
 * others up to count·2⁻³² of its probability
 * @returns int32 of the given shape, in 0 … count − 1
 * @throws {VapoError} for a count that cannot be drawn from
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { openDevice, randomIndices, randomKey } from "vapo";
 * await openDevice("cpu");
 * const dice = randomIndices(randomKey(7), [100], 6).dataSync();
 * assertEquals([...new Set(dice)].sort(), [0, 1, 2, 3, 4, 5]);
 * ```
 */
export function randomIndices(key: RandomKey, shape: number[], count: number): Tensor {
  if (!(Number.isInteger(count) && count >= 1 && count < 2 ** 31)) {
    throw new VapoError(
      `cannot draw indices of ${count} things: expected a whole number from 1 to 2^31 - 1; ` +
        "split a larger set",
    );
  }
  return draw(key, shape, "indices", count);
}

interface PhiloxAttributes {
  shape: number[];
  distribution: PhiloxDistribution;
  stream: number;
  firstSample: number;
  /** Of indices: how many there are to draw from. */
  count?: number;
}

/** The kernel's inputs; `offset` is added to `firstSample`. */
interface PhiloxInputs<T> {
  seed: T;
  step: T;
  offset?: T;
}

function draw(
  { seed, step, stream, firstSample = 0 }: RandomKey,
  shape: number[],
  distribution: PhiloxDistribution,
  count?: number,
): Tensor {
  const attributes: PhiloxAttributes = { shape, distribution, stream, firstSample: 0 };
  if (count !== undefined) attributes.count = count;
  const inputs: PhiloxInputs<Tensor> = { seed, step };
  if (typeof firstSample === "number") attributes.firstSample = firstSample;
  else inputs.offset = checkedOffset(firstSample);
  return tf.engine().runKernel(
    "Philox",
    inputs as unknown as tf.NamedTensorMap,
    attributes as unknown as tf.NamedAttrMap,
  ) as Tensor;
}

function checkedOffset(firstSample: Tensor): Tensor {
  const { dtype, size, shape } = firstSample;
  if (dtype === "int32" && size === 1) return firstSample;
  throw new VapoError(
    `firstSample is a ${dtype} tensor of shape [${shape}]: expected an int32 scalar; cast it`,
  );
}

/** How many values one sample takes: the product of all axes but the first. */
function valuesPerSample(shape: number[]): number {
  return shape.slice(1).reduce((product, size) => product * size, 1);
}

interface HostBackend {
  readSync(dataId: object): ArrayLike<number>;
  write(values: Int32Array | Float32Array, shape: number[], dtype: tf.DataType): object;
}

const philoxOnHost = (
  { inputs, attrs, backend }: {
    inputs: PhiloxInputs<TensorInfo>;
    attrs: PhiloxAttributes;
    backend: HostBackend;
  },
): TensorInfo => {
  const { shape, distribution, stream, count } = attrs;
  const size = tf.util.sizeFromShape(shape);
  const dtype = typeOfDraws(distribution);
  const values = dtype === "int32" ? new Int32Array(size) : new Float32Array(size);
  const seed = backend.readSync(inputs.seed.dataId);
  const step = backend.readSync(inputs.step.dataId)[0];
  const offset = inputs.offset ? backend.readSync(inputs.offset.dataId)[0] : 0;
  const source = { seed, step, stream, firstSample: attrs.firstSample + offset, count };
  fillPhilox(values, distribution, valuesPerSample(shape), source);
  return { dataId: backend.write(values, shape, dtype), shape, dtype };
};

interface WebGpuBackend {
  runWebGPUProgram(
    program: ReturnType<typeof philoxProgram>,
    inputs: TensorInfo[],
    dtype: tf.DataType,
    uniforms: { type: string; data: number[] }[],
  ): TensorInfo;
}

const philoxOnWebGpu = (
  { inputs, attrs, backend }: {
    inputs: PhiloxInputs<TensorInfo>;
    attrs: PhiloxAttributes;
    backend: WebGpuBackend;
  },
): TensorInfo => {
  const { shape, distribution, stream, firstSample, count = 0 } = attrs;
  const { seed, step, offset } = inputs;
  return backend.runWebGPUProgram(
    philoxProgram(shape, distribution, offset !== undefined),
    offset ? [seed, step, offset] : [seed, step],
    typeOfDraws(distribution),
    [valuesPerSample(shape), stream | 0, firstSample | 0, count].map((value) => ({
      type: "int32",
      data: [value],
    })),
  );
};

const kernels: [string, unknown][] = [
  ["cpu", philoxOnHost],
  ["wasm", philoxOnHost],
  ["webgpu", philoxOnWebGpu],
];
for (const [backendName, kernelFunc] of kernels) {
  const config: KernelConfig = {
    kernelName: "Philox",
    backendName,
    kernelFunc: kernelFunc as KernelFunc,
  };
  tf.registerKernel(config);
}
