/**
 * @file A TensorFlow.js backend that computes nothing. Kernels that run on it are written down as
 * nodes of a graph, and its tensors stand for those nodes. All that TensorFlow.js does above its
 * kernels, gradients of gradients included, works on such tensors as on any others.
 */
import { type Tensor, tf } from "../../tensor/mod.ts";
import type { DataType } from "../elementwise.ts";
import { JitError } from "../errors.ts";
import { sizeOf } from "../graph.ts";
import { byteKernels } from "./byte_kernels.ts";
import { convolutionKernels } from "./convolution_kernels.ts";
import { elementwiseKernels } from "./elementwise_kernels.ts";
import { poolingKernels } from "./pooling_kernels.ts";
import { productKernels } from "./product_kernels.ts";
import { randomKernels } from "./random_kernels.ts";
import { type Attributes, dataType, type Lowering, type Lowerings, Recorder } from "./recorder.ts";
import { reductionKernels } from "./reduction_kernels.ts";
import { shapeKernels } from "./shape_kernels.ts";
import type { TensorSpec } from "./tree.ts";
import { atLine, userLine } from "./user_line.ts";

/** The name that the backend has in TensorFlow.js. */
export const BACKEND_NAME = "vapo-trace";

/** Tensors of other backends up to this size are taken for constants, with the values they have. */
const LARGEST_CONSTANT = 1024;

const lowerings: Lowerings = {
  ...elementwiseKernels,
  ...shapeKernels,
  ...reductionKernels,
  ...productKernels,
  ...convolutionKernels,
  ...poolingKernels,
  ...randomKernels,
  ...byteKernels,
};

/** What is used of TensorFlow.js's engine beyond its declared interface. */
export interface EngineInternals {
  backendName: string | undefined;
  backendInstance: unknown;
  pendingBackendInit: unknown;
  readonly registry: Record<string, unknown>;
  readonly state: {
    gradientDepth: number;
    kernelDepth: number;
    activeTape: unknown;
    profiling: boolean;
    readonly scopeStack: readonly unknown[];
    readonly tensorInfo: WeakMap<object, { readonly backend: unknown }>;
  };
  startScope(name: string): void;
  endScope(): void;
  keep<T extends Tensor>(tensor: T): T;
  makeVariable(...args: unknown[]): Tensor;
  readSync(dataId: object): ArrayLike<number>;
  makeTensorFromDataId(
    dataId: object,
    shape: readonly number[],
    dtype: string,
    backend: unknown,
  ): Tensor;
}

/** TensorFlow.js's engine. */
export function engineInternals(): EngineInternals {
  return tf.engine() as unknown as EngineInternals;
}

/** What a data id of the backend stands for. */
interface Value {
  readonly node: number;
  /** How it came about, for messages. */
  readonly origin: string;
  readonly line: string | undefined;
  references: number;
}

/** One trace in progress. */
export class Recording {
  /** The graph so far. */
  readonly graph = new Recorder();
  /** Tensors of other backends that are inputs. */
  readonly captured: { readonly input: number; readonly tensor: Tensor }[] = [];
  /** Tensors that outlive their scopes, TensorFlow.js's own included. */
  readonly kept: Tensor[] = [];
  /** The first thing that went wrong where it could not be thrown, or might be caught. */
  error: JitError | undefined;
  readonly #values = new Map<object, Value>();
  /** Nodes of tensors of other backends, by data id and type. */
  readonly #foreign = new Map<object, Map<string, number>>();
  #inputs = 0;

  /** Data ids alive. */
  get size(): number {
    return this.#values.size;
  }

  value(dataId: object): Value | undefined {
    return this.#values.get(dataId);
  }

  /** A data id of its own for a node. */
  stand(node: number, origin: string, line?: string): object {
    const dataId = {};
    this.#values.set(dataId, { node, origin, line, references: 1 });
    return dataId;
  }

  /** An argument of the function. */
  argument(path: string, spec: TensorSpec): Tensor {
    const shape = [...spec.shape], type = dataType(spec.dtype, `argument ${path}`);
    const node = this.#input(path, shape, type);
    const dataId = this.stand(node, `argument ${path}`);
    return engineInternals().makeTensorFromDataId(dataId, shape, type, theBackend());
  }

  #input(name: string, shape: readonly number[], type: DataType): number {
    this.#inputs++;
    return this.graph.builder.input(name, { shape, type });
  }

  /** The node that a tensor stands for; one of another backend becomes a constant or an input. */
  nodeOf(tensor: tf.TensorInfo): number {
    return this.#values.get(tensor.dataId)?.node ?? this.#foreignNode(tensor as Tensor);
  }

  #foreignNode(tensor: Tensor): number {
    const { dataId, shape, dtype } = tensor;
    let nodes = this.#foreign.get(dataId);
    if (!nodes) this.#foreign.set(dataId, nodes = new Map());
    let node = nodes.get(dtype);
    if (node === undefined) nodes.set(dtype, node = this.#capture(tensor));
    return this.graph.reshape(node, shape);
  }

  #capture(tensor: Tensor): number {
    const { dataId, shape, dtype } = tensor;
    const type = dataType(dtype, "a tensor that the function closes over");
    const { state, registry } = engineInternals();
    const owner = state.tensorInfo.get(dataId)?.backend;
    if (!owner) {
      throw new JitError(
        `a disposed tensor ${dtype}[${shape}] is used${atLine(this.graph.position().line)}: ` +
          "expected a live one; dispose it later",
      );
    }
    // A variable is there to change, and WebGPU cannot be read without waiting.
    const readable = owner !== registry.webgpu && !(tensor instanceof tf.Variable);
    if (readable && sizeOf(shape) <= LARGEST_CONSTANT) {
      return this.graph.constant(engineInternals().readSync(dataId), shape, type);
    }
    this.captured.push({ input: this.#inputs, tensor });
    return this.#input(`captured/${this.captured.length - 1}`, shape, type);
  }

  retain(dataId: object): void {
    const value = this.#values.get(dataId);
    if (value) value.references++;
  }

  /** Whether that was the last reference. */
  release(dataId: object, force: boolean): boolean {
    const value = this.#values.get(dataId);
    if (!value) return true;
    if (--value.references > 0 && !force) return false;
    return this.#values.delete(dataId);
  }
}

let recording: Recording | undefined;

/** The trace in progress. */
export function currentRecording(): Recording | undefined {
  return recording;
}

/** Makes a trace the one in progress, or none. */
export function setRecording(next: Recording | undefined): void {
  recording = next;
}

function requireRecording(): Recording {
  if (recording) return recording;
  throw new JitError(
    "a tensor of a compiled function is used after the function was recorded: expected it to stay " +
      "inside; return it as a result",
  );
}

/** TensorFlow.js's functions that draw on the host, by the names that it gives them. */
const hostRandom =
  /^(rand|randomGamma|randomNormal|randomStandardNormal|randomUniform|randomUniformInt|truncatedNormal)_$/;

/** The backend itself; everything that it holds is the trace's. */
class RecordingBackend extends tf.KernelBackend {
  override write(values: tf.BackendValues, shape: number[], dtype: tf.DataType): object {
    const current = requireRecording();
    current.graph.startKernel();
    const { line, callees } = current.graph.position(true);
    const type = dataType(dtype, `a tensor made${atLine(line)}`);
    const random = callees.find((name) => hostRandom.test(name));
    if (random) {
      throw new JitError(
        `tf.${random.slice(0, -1)}${atLine(line)} draws on the host, once for all runs: expected ` +
          "draws of a key; use randomNormal, randomUniform or randomIndices of this library",
      );
    }
    const node = current.graph.constant(values as Float32Array, shape, type);
    return current.stand(node, "a constant", line);
  }

  override readSync(dataId: object): tf.BackendValues {
    throw noValues(dataId);
  }

  override read(dataId: object): Promise<tf.BackendValues> {
    // Thrown when the function has returned: nobody waits for this promise.
    noValues(dataId);
    return new Promise(() => {});
  }

  override readToGPU(dataId: object): tf.GPUData {
    throw noValues(dataId);
  }

  override incRef(dataId: object): void {
    requireRecording().retain(dataId);
  }

  override refCount(dataId: object): number {
    return recording?.value(dataId)?.references ?? 0;
  }

  override disposeData(dataId: object, force = false): boolean {
    return recording?.release(dataId, force) ?? true;
  }

  override numDataIds(): number {
    return recording?.size ?? 0;
  }

  override memory() {
    return { unreliable: false };
  }

  override floatPrecision(): 16 | 32 {
    return 32;
  }

  override epsilon(): number {
    return 1e-7;
  }

  override dispose(): void {}
}

/** The error of a read on the host; the trace fails with it whatever becomes of it here. */
function noValues(dataId: object): JitError {
  const current = requireRecording();
  const value = current.value(dataId);
  const { line } = userLine();
  const what = value
    ? `the result of ${value.origin}${value.line === line ? "" : atLine(value.line)}`
    : "a tensor";
  const error = new JitError(
    `${what} is read on the host${atLine(line)}: a compiled function has no values yet; return ` +
      "the tensor and read the result, or compute with tensors (tf.where in place of if)",
  );
  current.error ??= error;
  return error;
}

interface KernelArguments {
  readonly inputs: Record<string, tf.TensorInfo | undefined>;
  readonly attrs: Attributes | undefined;
}

/** A kernel that writes itself down. */
function record(name: string, lower: Lowering) {
  return ({ inputs, attrs }: KernelArguments): tf.TensorInfo | tf.TensorInfo[] => {
    const current = requireRecording(), { graph } = current;
    graph.startKernel();
    const nodes: Record<string, number> = {};
    for (const [key, tensor] of Object.entries(inputs ?? {})) {
      if (tensor) nodes[key] = current.nodeOf(tensor);
    }
    const first = Object.values(nodes)[0];
    const result = lower(graph, nodes, attrs ?? {});
    const stand = (node: number): tf.TensorInfo => {
      // A clone is what it is a clone of.
      const same = node === first && inputs[Object.keys(nodes)[0]];
      const origin = same ? current.value(same.dataId) : undefined;
      const dataId = origin
        ? current.stand(node, origin.origin, origin.line)
        : current.stand(node, name, graph.node(node).source);
      return { dataId, shape: [...graph.shape(node)], dtype: graph.type(node) };
    };
    return Array.isArray(result) ? result.map(stand) : stand(result);
  };
}

let backend: RecordingBackend | undefined;

/** The backend, registered with TensorFlow.js at the first call. */
export function theBackend(): tf.KernelBackend {
  if (backend) return backend;
  const made = backend = new RecordingBackend();
  // Never the one that TensorFlow.js picks by itself.
  tf.registerBackend(BACKEND_NAME, () => made, -1);
  tf.findBackend(BACKEND_NAME);
  for (const [kernelName, lower] of Object.entries(lowerings)) {
    tf.registerKernel({
      kernelName,
      backendName: BACKEND_NAME,
      kernelFunc: record(kernelName, lower) as unknown as tf.KernelFunc,
    });
  }
  return made;
}
