/**
 * @file The two targets behind one interface. Which one runs follows from the device that is open:
 * a program for WebGPU shares the GPUDevice of TensorFlow.js, so that tensors cross on the device; on
 * the others ("wasm", "cpu") it is WebAssembly, and tensors cross by a copy in memory.
 */
import { type Tensor, tf } from "../tensor/mod.ts";
import type { Graph, ValueType } from "./graph.ts";
import type { Executable, Kernel, Plan } from "./kernels.ts";
import { compileWasm, wasmScratchCells } from "./wasm/executable.ts";
import { lowerConvolutions } from "./wasm/lowering.ts";
import { recomputeFilters } from "./wasm/recomputation.ts";
import { compileWebGpu, webGpuScratchCells } from "./webgpu/executable.ts";
import type { WebGpuExecutable } from "./webgpu/executable.ts";

/** What a target does for a program. */
export interface Target {
  readonly name: "wasm" | "webgpu";
  /** Rewrites a graph into operations that the target is good at. */
  lower(graph: Graph): Graph;
  /** A program whose arena is larger than this is planned again after {@link economize}. */
  readonly ampleBytes: number;
  /** Rewrites a lowered graph so that it needs less memory, for more work; perhaps to itself. */
  economize(graph: Graph): Graph;
  /** Cells of scratch memory that a kernel needs. */
  scratchCells(kernel: Kernel): number;
  /** Makes a plan into something that runs. */
  compile(plan: Plan, threads: number): Promise<Executable>;
  /** Copies a tensor's values into an argument. */
  write(executable: Executable, input: number, tensor: Tensor): void;
  /** A new tensor with a result's values. */
  result(executable: Executable, output: number, type: ValueType): Tensor;
}

type HostValues = Float32Array | Int32Array;

/** The values of a tensor as a program holds them. */
export function hostValues(tensor: Tensor): HostValues {
  const values = tensor.dataSync();
  return values instanceof Float32Array || values instanceof Int32Array
    ? values
    : Int32Array.from(values);
}

/** A tensor of a program's values. */
function tensorOf(values: HostValues, { shape, type }: ValueType): Tensor {
  const data = type === "bool" ? Uint8Array.from(values) : values;
  return tf.tensor(data, [...shape], type);
}

const wasm: Target = {
  name: "wasm",
  lower: lowerConvolutions,
  // What 32-bit addresses reach, less what threads have for themselves, a MiB or two each.
  ampleBytes: 3.75 * 2 ** 30,
  economize: recomputeFilters,
  scratchCells: wasmScratchCells,
  compile: (plan, threads) => compileWasm(plan, { threads }),
  write: (executable, input, tensor) => executable.writeInput(input, hostValues(tensor)),
  result: (executable, output, type) => tensorOf(executable.readOutput(output) as HostValues, type),
};

/** What is used of TensorFlow.js's WebGPU backend beyond its declared interface. */
interface SharedBackend {
  readonly device: GPUDevice;
  readonly tensorMap: {
    has(dataId: object): boolean;
    get(dataId: object): { resource: GPUBuffer; external?: boolean } | undefined;
  };
  readonly bufferManager: { acquireBuffer(bytes: number, usage: number): GPUBuffer };
  uploadToGPU(dataId: object): void;
  readonly commandEncoder: GPUCommandEncoder | null;
  endComputePassEncoder(): void;
  submitQueue(): void;
}

/** Submits what TensorFlow.js has recorded, if anything. */
function submitPending(backend: SharedBackend): void {
  if (!backend.commandEncoder) return;
  backend.endComputePassEncoder();
  backend.submitQueue();
}

const webgpu: Target = {
  name: "webgpu",
  lower: (graph) => graph,
  ampleBytes: Infinity,
  economize: (graph) => graph,
  scratchCells: webGpuScratchCells,
  compile: (plan) => compileWebGpu(plan, (tf.backend() as unknown as SharedBackend).device),
  write(executable, input, tensor) {
    const backend = tf.backend() as unknown as SharedBackend;
    if (!backend.tensorMap.has(tensor.dataId)) {
      return executable.writeInput(input, hostValues(tensor));
    }
    backend.uploadToGPU(tensor.dataId);
    // What makes the tensor may still wait in TensorFlow.js's own command buffer.
    submitPending(backend);
    const { resource } = backend.tensorMap.get(tensor.dataId)!;
    (executable as WebGpuExecutable).copyInputFrom(input, resource);
  },
  result(executable, output, { shape, type }) {
    const backend = tf.backend() as unknown as SharedBackend;
    const bytes = 4 * Math.max(1, shape.reduce((product, extent) => product * extent, 1));
    // A buffer that is free for TensorFlow.js may still be read by what it has not yet submitted.
    submitPending(backend);
    const buffer = backend.bufferManager.acquireBuffer(
      bytes,
      GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    );
    (executable as WebGpuExecutable).copyOutputTo(output, buffer);
    const held = type === "float32" ? "float32" : "int32";
    const tensor = tf.tensor({ buffer, zeroCopy: true }, [...shape], held);
    // Not external after all: the buffer goes back to its manager with the tensor.
    backend.tensorMap.get(tensor.dataId)!.external = false;
    if (type !== "bool") return tensor;
    const bool = tf.cast(tensor, "bool");
    tensor.dispose();
    return bool;
  },
};

/** The target that belongs to the device that is open. */
export function currentTarget(): Target {
  return tf.getBackend() === "webgpu" ? webgpu : wasm;
}
