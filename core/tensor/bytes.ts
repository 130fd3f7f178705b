/**
 * @file Bytes as tensors: four to an int32, and one kernel, `UnpackBytes`, that takes rows of them and
 * gives each byte as a number. TensorFlow.js has no type of one byte, and its own gather rounds
 * integers above 2²⁴ on WebGPU (its shaders hand every value on as float32), so that words of bytes
 * can be moved by this kernel alone.
 */
import * as tf from "@tensorflow/tfjs";
import type { KernelConfig, KernelFunc, Tensor, TensorInfo } from "@tensorflow/tfjs";
import { VapoError } from "../errors.ts";
import { unpackBytesProgram } from "./bytes_webgpu.ts";

/** How many words hold so many bytes. */
export function wordsOfBytes(bytes: number): number {
  return Math.ceil(bytes / 4);
}

/**
 * Rows of bytes as rows of 32-bit words, the first byte lowest; each row starts with a new word, the
 * last of a row is filled up with zeros.
 *
 * @param bytes row after row
 * @param rowBytes how many a row has
 * @returns ⌈rowBytes/4⌉ words a row
 * @throws {VapoError} where `bytes` are not whole rows.
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { packBytes } from "vapo";
 * const words = packBytes(Uint8Array.of(1, 2, 3, 4, 5, 255), 3);
 * assertEquals([...words], [0x00030201, 0x00ff0504]);
 * ```
 */
export function packBytes(bytes: Uint8Array, rowBytes: number): Int32Array<ArrayBuffer> {
  const rows = bytes.length / rowBytes;
  if (!(Number.isInteger(rowBytes) && rowBytes > 0 && Number.isInteger(rows))) {
    throw new VapoError(
      `${bytes.length} bytes cannot be packed in rows of ${rowBytes}: expected whole rows; ` +
        "pass them all",
    );
  }
  const words = new Int32Array(rows * wordsOfBytes(rowBytes));
  // Every engine that there is has its words little-endian.
  const out = new Uint8Array(words.buffer), stride = 4 * wordsOfBytes(rowBytes);
  if (stride === rowBytes) out.set(bytes);
  else {
    for (let row = 0; row < rows; row++) {
      out.set(bytes.subarray(row * rowBytes, (row + 1) * rowBytes), row * stride);
    }
  }
  return words;
}

/**
 * The bytes of {@link packBytes} as numbers. It has no gradient: bytes are data.
 *
 * @param words int32 [n, w]
 * @param count how many bytes a row has, at most 4w
 * @returns float32 [n, count], whole numbers from 0 to 255
 * @throws {VapoError} for a tensor that does not hold so many bytes a row.
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { openDevice, packBytes, tf, unpackBytes } from "vapo";
 * await openDevice("cpu");
 * const words = tf.tensor2d(packBytes(Uint8Array.of(7, 8, 255), 3), [1, 1], "int32");
 * assertEquals([...await unpackBytes(words, 3).data()], [7, 8, 255]);
 * ```
 */
export function unpackBytes(words: Tensor, count: number): Tensor {
  return unpack({ words }, count);
}

/**
 * Rows of {@link packBytes}, by their number, as numbers: `unpackBytes` of gathered words.
 *
 * @param words int32 [rows, w]
 * @param rows int32 [n], each a number of a row
 * @param count how many bytes a row has, at most 4w
 * @returns float32 [n, count], whole numbers from 0 to 255
 * @throws {VapoError} for a tensor that does not hold so many bytes a row, or for other numbers.
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { gatherBytes, openDevice, packBytes, tf } from "vapo";
 * await openDevice("cpu");
 * const words = tf.tensor2d(packBytes(Uint8Array.of(10, 11, 20, 21), 2), [2, 1], "int32");
 * const rows = tf.tensor1d([1, 1, 0], "int32");
 * assertEquals([...await gatherBytes(words, rows, 2).data()], [20, 21, 20, 21, 10, 11]);
 * ```
 */
export function gatherBytes(words: Tensor, rows: Tensor, count: number): Tensor {
  if (rows.dtype !== "int32" || rows.rank !== 1) {
    throw new VapoError(
      `rows to gather are ${rows.dtype} of shape [${rows.shape}]: expected int32 of shape [n]; ` +
        "cast and reshape them",
    );
  }
  return unpack({ words, rows }, count);
}

/** The kernel's inputs: all rows in order where there are no numbers of rows. */
interface UnpackInputs<T> {
  words: T;
  rows?: T;
}

function unpack(inputs: UnpackInputs<Tensor>, count: number): Tensor {
  const { dtype, shape } = inputs.words;
  const fits = Number.isInteger(count) && count >= 0 && count <= 4 * (shape[1] ?? 0);
  if (dtype !== "int32" || shape.length !== 2 || !fits) {
    throw new VapoError(
      `${count} bytes a row cannot be unpacked from ${dtype} of shape [${shape}]: ` +
        `expected int32 of shape [n, ${wordsOfBytes(count)}]; pack them with packBytes`,
    );
  }
  return tf.engine().runKernel(
    "UnpackBytes",
    inputs as unknown as tf.NamedTensorMap,
    { count },
  ) as Tensor;
}

interface KernelCall<Backend> {
  inputs: UnpackInputs<TensorInfo>;
  attrs: { count: number };
  backend: Backend;
}

interface HostBackend {
  readSync(dataId: object): Int32Array;
  write(values: Float32Array, shape: number[], dtype: tf.DataType): object;
  /** Of WebAssembly: a view of a tensor's values, which `readSync` would copy. */
  typedArrayFromHeap?(tensor: TensorInfo): Int32Array;
}

const unpackOnHost = ({ inputs, attrs, backend }: KernelCall<HostBackend>): TensorInfo => {
  const { words, rows } = inputs, { count } = attrs;
  const view = backend.typedArrayFromHeap?.(words) ?? backend.readSync(words.dataId);
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  const numbers = rows && backend.readSync(rows.dataId);
  const shape = [numbers?.length ?? words.shape[0], count], stride = 4 * words.shape[1];
  const values = new Float32Array(shape[0] * count);
  for (let i = 0; i < shape[0]; i++) {
    const start = (numbers ? numbers[i] : i) * stride;
    values.set(bytes.subarray(start, start + count), i * count);
  }
  return { dataId: backend.write(values, shape, "float32"), shape, dtype: "float32" };
};

interface WebGpuBackend {
  runWebGPUProgram(
    program: ReturnType<typeof unpackBytesProgram>,
    inputs: TensorInfo[],
    dtype: tf.DataType,
    uniforms: { type: string; data: number[] }[],
  ): TensorInfo;
}

const unpackOnWebGpu = ({ inputs, attrs, backend }: KernelCall<WebGpuBackend>): TensorInfo => {
  const { words, rows } = inputs, { count } = attrs;
  const shape = [(rows ?? words).shape[0], count];
  return backend.runWebGPUProgram(
    unpackBytesProgram(shape, rows !== undefined),
    rows ? [words, rows] : [words],
    "float32",
    [count, words.shape[1]].map((value) => ({ type: "int32", data: [value] })),
  );
};

const kernels: [string, unknown][] = [
  ["cpu", unpackOnHost],
  ["wasm", unpackOnHost],
  ["webgpu", unpackOnWebGpu],
];
for (const [backendName, kernelFunc] of kernels) {
  const config: KernelConfig = {
    kernelName: "UnpackBytes",
    backendName,
    kernelFunc: kernelFunc as KernelFunc,
  };
  tf.registerKernel(config);
}
