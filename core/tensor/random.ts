/**
 * @file Random draws as tensor operations: one kernel, `Philox`, on every device, whose counter is
 * an input tensor. A training step that draws its own data and noise is therefore a pure function
 * of its state, and a tracer sees the draw as a node, never as a baked-in constant.
 */
import * as tf from "@tensorflow/tfjs";
import type { KernelConfig, KernelFunc, Tensor, TensorInfo } from "@tensorflow/tfjs";
import { fillPhilox, type PhiloxDistribution } from "./philox.ts";
import { philoxProgram } from "./philox_webgpu.ts";

/**
 * What a draw is a function of: the run's seed (int32 [2]), the step (int32 scalar) and a stream,
 * a 32-bit number that keeps independent draws of one step apart.
 */
export interface RandomKey {
  readonly seed: Tensor;
  readonly step: Tensor;
  readonly stream: number;
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
 * the label, started from the parent's stream.
 */
export function fork(key: RandomKey, label: string): RandomKey {
  let hash = (0x811c9dc5 ^ key.stream) >>> 0;
  for (let i = 0; i < label.length; i++) {
    hash = Math.imul(hash ^ label.charCodeAt(i), 0x01000193) >>> 0;
  }
  return { ...key, stream: hash };
}

/**
 * Uniform draws.
 *
 * @param key what the draw is a function of
 * @param shape the first axis counts samples: row i is the same whatever the number of rows
 * @returns float32 of the given shape, in the open interval (0, 1)
 */
export function randomUniform(key: RandomKey, shape: number[]): Tensor {
  return draw(key, shape, "uniform");
}

/**
 * Standard normal draws (Box and Muller).
 *
 * @param key what the draw is a function of
 * @param shape the first axis counts samples: row i is the same whatever the number of rows
 * @returns float32 of the given shape
 */
export function randomNormal(key: RandomKey, shape: number[]): Tensor {
  return draw(key, shape, "normal");
}

/** Raw 32-bit words as int32 of the given shape: the same integers on every device. */
export function randomBits(key: RandomKey, shape: number[]): Tensor {
  return draw(key, shape, "bits");
}

/** Uniform integers 0 … count − 1 as int32 of the given shape; `count` below 2²³. */
export function randomIndices(key: RandomKey, shape: number[], count: number): Tensor {
  return tf.tidy(() =>
    tf.minimum(
      tf.cast(tf.floor(tf.mul(randomUniform(key, shape), count)), "int32"),
      tf.scalar(count - 1, "int32"),
    )
  );
}

interface PhiloxAttributes {
  shape: number[];
  distribution: PhiloxDistribution;
  stream: number;
}

function draw(key: RandomKey, shape: number[], distribution: PhiloxDistribution): Tensor {
  const attributes: PhiloxAttributes = { shape, distribution, stream: key.stream };
  return tf.engine().runKernel(
    "Philox",
    { seed: key.seed, step: key.step },
    attributes as unknown as tf.NamedAttrMap,
  ) as Tensor;
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
    inputs: { seed: TensorInfo; step: TensorInfo };
    attrs: PhiloxAttributes;
    backend: HostBackend;
  },
): TensorInfo => {
  const { shape, distribution, stream } = attrs;
  const size = tf.util.sizeFromShape(shape);
  const dtype = distribution === "bits" ? "int32" : "float32";
  const values = dtype === "int32" ? new Int32Array(size) : new Float32Array(size);
  const seed = backend.readSync(inputs.seed.dataId);
  const step = backend.readSync(inputs.step.dataId)[0];
  fillPhilox(values, distribution, valuesPerSample(shape), seed, step, stream);
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
    inputs: { seed: TensorInfo; step: TensorInfo };
    attrs: PhiloxAttributes;
    backend: WebGpuBackend;
  },
): TensorInfo => {
  const { shape, distribution, stream } = attrs;
  const program = philoxProgram(shape, distribution);
  return backend.runWebGPUProgram(
    program,
    [inputs.seed, inputs.step],
    distribution === "bits" ? "int32" : "float32",
    [{ type: "int32", data: [valuesPerSample(shape)] }, { type: "int32", data: [stream | 0] }],
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
