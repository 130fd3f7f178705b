/**
 * @file The WebGPU target: a plan becomes pipelines, one storage buffer (the arena), one uniform
 * buffer with every dispatch's parameters, and one bind group. A run is one command buffer with one
 * compute pass; WebGPU itself orders the dispatches of a pass that touch the same buffer.
 */
import { bufferMemory } from "../../tensor/memory_limits.ts";
import { DeviceMemoryError, JitError, mebibytes } from "../errors.ts";
import type { Executable, Plan } from "../kernels.ts";
import { type Command, createCommands, encode } from "./commands.ts";
import { deviceState, firstLine, requireNotLost } from "./device_state.ts";
import { type DispatchTime, profile } from "./profile.ts";
import { createReader, type HostValues } from "./readback.ts";

export { webGpuScratchCells } from "./lowering.ts";

/** A program on a WebGPU device. Everything happens in the order of the calls. */
export interface WebGpuExecutable extends Executable {
  /** Dispatches a run. */
  readonly dispatches: number;
  /** Pipelines of the program; dispatches of the same form and shape share one. */
  readonly pipelines: number;
  readOutput(index: number): Promise<HostValues>;
  readInput(index: number): Promise<HostValues>;
  /** Copies of several results' values in one transfer. */
  readOutputs(indices: readonly number[]): Promise<HostValues[]>;
  /** Sets an argument from another buffer of the device, without the host. */
  copyInputFrom(index: number, source: GPUBuffer, byteOffset?: number): void;
  /** Copies a result to another buffer of the device, without the host. */
  copyOutputTo(index: number, target: GPUBuffer, byteOffset?: number): void;
  /** Copies an argument's present values to another buffer of the device, without the host. */
  copyInputTo(index: number, target: GPUBuffer, byteOffset?: number): void;
  /** Resolves when everything that was enqueued is done. */
  finished(): Promise<void>;
  /** Runs the program once and measures each dispatch; undefined without "timestamp-query". */
  profile(): Promise<DispatchTime[] | undefined>;
}

/** A submission is closed when it has so many dispatches, so that no driver's watchdog bites. */
const DISPATCHES_PER_SUBMISSION = 512;

/**
 * Makes a plan into something that runs on a device.
 *
 * @throws {DeviceMemoryError} (by the promise) when the arena is larger than a buffer may be, or the
 *   device refuses the memory
 * @throws {JitError} (by the promise) when a shader does not compile there, or the device is lost
 */
export async function compileWebGpu(plan: Plan, device: GPUDevice): Promise<WebGpuExecutable> {
  const state = deviceState(device);
  // Word of a device that is lost already comes at once.
  await Promise.race([device.lost, Promise.resolve()]);
  requireNotLost(state);
  const bytes = 4 * Math.max(16, plan.arenaSize);
  requireFits(bytes, device.limits);
  const { commands, parameters, parameterBytes } = await createCommands(plan, device);
  try {
    const arena = await allocate(device, bytes);
    uploadConstants(plan, device, arena);
    const bindGroup = device.createBindGroup({
      layout: state.bindGroupLayout,
      entries: [
        { binding: 0, resource: { buffer: arena } },
        { binding: 1, resource: { buffer: parameters, size: parameterBytes } },
      ],
    });
    return makeExecutable(plan, device, commands, { arena, parameters, bindGroup });
  } catch (error) {
    parameters.destroy();
    throw error;
  }
}

/** Refuses an arena that the device's limits do not allow, before the device does. */
function requireFits(bytes: number, limits: GPUSupportedLimits) {
  const { limitBytes, reason } = bufferMemory(limits);
  if (bytes <= limitBytes) return;
  throw new DeviceMemoryError(
    `the program needs ${mebibytes(bytes)} of device memory in one buffer: expected at most ` +
      `${mebibytes(limitBytes)} (${reason}); take a smaller batch, or the device "wasm"`,
    { bytes, limit: limitBytes },
  );
}

async function allocate(device: GPUDevice, size: number): Promise<GPUBuffer> {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  device.pushErrorScope("out-of-memory");
  device.pushErrorScope("validation");
  let buffer: GPUBuffer | undefined, thrown: unknown;
  try {
    buffer = device.createBuffer({ size, usage, label: "arena" });
  } catch (error) {
    thrown = error;
  }
  // Of a lost device the scopes may reject.
  const errors = await Promise.all([device.popErrorScope(), device.popErrorScope()])
    .catch((error) => [error]);
  requireNotLost(deviceState(device));
  const error = thrown ?? errors.find((error) => error);
  if (buffer && !error) return buffer;
  buffer?.destroy();
  throw new DeviceMemoryError(
    `the device refused ${mebibytes(size)} of memory (${firstLine(error)}): ` +
      'expected so much to be free; take a smaller batch, or the device "wasm"',
    { bytes: size, limit: NaN },
  );
}

function uploadConstants(plan: Plan, device: GPUDevice, arena: GPUBuffer) {
  plan.buffers.forEach(({ role, values, size }, buffer) => {
    if (role !== "constant" || !values || size === 0) return;
    const all = values.length === size ? values : splat(values, size);
    device.queue.writeBuffer(arena, 4 * plan.offsets[buffer], all as BufferSource);
  });
}

function splat(values: HostValues, size: number): HostValues {
  const [value] = values;
  return values instanceof Float32Array
    ? new Float32Array(size).fill(value)
    : new Int32Array(size).fill(value);
}

/** What a program holds on its device. */
interface Resources {
  readonly arena: GPUBuffer;
  readonly parameters: GPUBuffer;
  readonly bindGroup: GPUBindGroup;
}

function makeExecutable(
  plan: Plan,
  device: GPUDevice,
  commands: readonly Command[],
  { arena, parameters, bindGroup }: Resources,
): WebGpuExecutable {
  const { queue } = device;
  const state = deviceState(device);
  let disposed = false;
  // An error of the first run comes to light with a read.
  let firstRun: Promise<GPUError | null> | undefined;
  const reader = createReader(device, state, arena, () => firstRun);

  const alive = () => {
    if (disposed) throw new JitError("the program is disposed: expected a live one; load it again");
    requireNotLost(state);
  };
  const region = (buffer: number) => ({
    start: 4 * plan.offsets[buffer],
    bytes: 4 * plan.buffers[buffer].size,
    isFloat: plan.buffers[buffer].type === "float32",
  });
  const read = (buffers: readonly number[]) => {
    alive();
    return reader.read(buffers.map(region));
  };
  const submit = (encodeInto: (encoder: GPUCommandEncoder) => void) => {
    const encoder = device.createCommandEncoder();
    encodeInto(encoder);
    queue.submit([encoder.finish()]);
  };
  const submitRuns = (count: number) =>
    submit((encoder) => {
      const pass = encoder.beginComputePass();
      for (let i = 0; i < count; i++) encode(pass, commands, bindGroup);
      pass.end();
    });
  const copyTo = (buffer: number, target: GPUBuffer, byteOffset: number) => {
    alive();
    const { start, bytes } = region(buffer);
    if (bytes === 0) return;
    submit((encoder) => encoder.copyBufferToBuffer(arena, start, target, byteOffset, bytes));
  };

  return {
    dispatches: commands.length,
    pipelines: new Set(commands.map(({ pipeline }) => pipeline)).size,
    writeInput(index, values) {
      alive();
      const { start, bytes, isFloat } = region(plan.inputs[index]);
      if (4 * values.length !== bytes || values instanceof Float32Array !== isFloat) {
        throw new JitError(
          `argument ${index} got ${values.length} cells of ${values.constructor.name}: ` +
            `expected ${bytes / 4} of ${isFloat ? "Float32Array" : "Int32Array"}`,
        );
      }
      if (bytes > 0) queue.writeBuffer(arena, start, values as BufferSource);
    },
    run(repeat = 1) {
      alive();
      if (commands.length === 0) return;
      const most = Math.max(1, Math.floor(DISPATCHES_PER_SUBMISSION / commands.length));
      for (let done = 0; done < repeat; done += most) {
        const isFirst = firstRun === undefined;
        if (isFirst) device.pushErrorScope("validation");
        submitRuns(Math.min(most, repeat - done));
        if (!isFirst) continue;
        firstRun = device.popErrorScope();
        firstRun.catch(() => {});
      }
    },
    readOutput: async (index) => (await read([plan.outputs[index]]))[0],
    readInput: async (index) => (await read([plan.inputs[index]]))[0],
    // deno-lint-ignore require-await -- a disposed program rejects, as the others do
    readOutputs: async (indices) => read(indices.map((index) => plan.outputs[index])),
    copyInputFrom(index, source, byteOffset = 0) {
      alive();
      const { start, bytes } = region(plan.inputs[index]);
      if (bytes === 0) return;
      submit((encoder) => encoder.copyBufferToBuffer(source, byteOffset, arena, start, bytes));
    },
    copyOutputTo: (index, target, byteOffset = 0) =>
      copyTo(plan.outputs[index], target, byteOffset),
    copyInputTo: (index, target, byteOffset = 0) => copyTo(plan.inputs[index], target, byteOffset),
    async finished() {
      alive();
      await queue.onSubmittedWorkDone();
      requireNotLost(state);
    },
    async profile() {
      alive();
      if (!device.features.has("timestamp-query")) return undefined;
      return await profile(device, commands, bindGroup);
    },
    dispose() {
      if (disposed) return;
      disposed = true;
      reader.dispose();
      arena.destroy();
      parameters.destroy();
    },
  };
}
