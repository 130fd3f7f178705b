/**
 * @file The WebGPU target: a plan becomes pipelines, one storage buffer (the arena), one uniform
 * buffer with every dispatch's parameters, and one bind group. A run is one command buffer with one
 * compute pass; WebGPU itself orders the dispatches of a pass that touch the same buffer.
 */
import { JitError } from "../errors.ts";
import type { Executable, Plan } from "../kernels.ts";
import { kernelDispatches } from "./lowering.ts";
import type { Dispatch } from "./shader.ts";
import { WORKGROUPS_PER_ROW } from "./shader.ts";

export { webGpuScratchCells } from "./lowering.ts";

/** The values of an argument or a result on the host. */
type HostValues = Float32Array | Int32Array;

/** What a dispatch took, of one run. */
export interface DispatchTime {
  /** Which kernel it belongs to, and what that is. */
  readonly kernel: number;
  readonly label: string;
  readonly milliseconds: number;
}

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

/**
 * How a device and its adapter are told apart where memory runs out: 1 MiB = 2²⁰ bytes, rounded up.
 */
const mebibytes = (bytes: number) => Math.ceil(bytes / 2 ** 20);

/** A submission is closed when it has so many dispatches, so that no driver's watchdog bites. */
const DISPATCHES_PER_SUBMISSION = 512;

/** What programs on one device share. */
interface DeviceState {
  readonly bindGroupLayout: GPUBindGroupLayout;
  readonly pipelineLayout: GPUPipelineLayout;
  /** By the shader's text. */
  readonly pipelines: Map<string, Promise<GPUComputePipeline>>;
  /** Why the device is lost, once it is. */
  lost?: string;
}

const deviceStates = new WeakMap<GPUDevice, DeviceState>();

function deviceState(device: GPUDevice): DeviceState {
  const known = deviceStates.get(device);
  if (known) return known;
  const bindGroupLayout = device.createBindGroupLayout({
    entries: [
      { binding: 0, visibility: GPUShaderStage.COMPUTE, buffer: { type: "storage" } },
      {
        binding: 1,
        visibility: GPUShaderStage.COMPUTE,
        buffer: { type: "uniform", hasDynamicOffset: true },
      },
    ],
  });
  const pipelineLayout = device.createPipelineLayout({ bindGroupLayouts: [bindGroupLayout] });
  const state: DeviceState = { bindGroupLayout, pipelineLayout, pipelines: new Map() };
  device.lost.then(({ reason, message }) => {
    state.lost = [reason, message].filter((text) => text && text !== "unknown").join(": ") ||
      "no reason given";
  });
  deviceStates.set(device, state);
  return state;
}

function lostError(reason: string): JitError {
  return new JitError(
    `the WebGPU device was lost (${reason}): the run's last checkpoint is intact; ` +
      "start again from it",
  );
}

/**
 * Makes a plan into something that runs on a device.
 *
 * @throws {JitError} when the arena is larger than a buffer may be, the device refuses the memory,
 *   a shader does not compile there, or the device is lost
 */
export async function compileWebGpu(plan: Plan, device: GPUDevice): Promise<WebGpuExecutable> {
  const state = deviceState(device);
  // A device that is lost already says so at once.
  await Promise.race([device.lost, Promise.resolve()]);
  if (state.lost) throw lostError(state.lost);
  const bytes = 4 * Math.max(16, plan.arenaSize);
  requireFits(bytes, device.limits);
  const work = plan.kernels.flatMap((_, kernel) =>
    kernelDispatches(plan, kernel).map((dispatch) => ({ kernel, dispatch }))
  );
  const pipelines = await Promise.all(work.map(({ dispatch }) => pipelineOf(device, dispatch)));
  const arena = await allocate(device, bytes);
  const parameters = uploadParameters(device, work.map(({ dispatch }) => dispatch));
  const bindGroup = device.createBindGroup({
    layout: state.bindGroupLayout,
    entries: [
      { binding: 0, resource: { buffer: arena } },
      { binding: 1, resource: { buffer: parameters.buffer, size: parameters.sliceBytes } },
    ],
  });
  plan.buffers.forEach(({ role, values, size, type }, i) => {
    if (role !== "constant" || !values || size === 0) return;
    const Values = type === "float32" ? Float32Array : Int32Array;
    const all = values.length === size ? values : new Values(size).fill(values[0]);
    device.queue.writeBuffer(arena, 4 * plan.offsets[i], all as BufferSource);
  });
  const commands = work.map(({ kernel, dispatch: { workgroups, label } }, i): Command => ({
    kernel,
    label,
    pipeline: pipelines[i],
    parameters: [i * parameters.stride],
    columns: Math.min(workgroups, WORKGROUPS_PER_ROW),
    rows: Math.ceil(workgroups / WORKGROUPS_PER_ROW),
  }));
  return makeExecutable(
    plan,
    device,
    state,
    { arena, parameters: parameters.buffer, bindGroup },
    commands,
  );
}

/** Refuses an arena that the device's limits do not allow, before the device does. */
function requireFits(bytes: number, limits: GPUSupportedLimits) {
  const names = ["maxBufferSize", "maxStorageBufferBindingSize"] as const;
  for (const name of names) {
    if (bytes <= limits[name]) continue;
    throw new JitError(
      `the program needs ${
        mebibytes(bytes)
      } MiB of device memory in one buffer: expected at most ` +
        `${mebibytes(limits[name])} MiB (the device's ${name}); ` +
        "take a smaller batch, or --device wasm",
    );
  }
}

async function allocate(device: GPUDevice, size: number): Promise<GPUBuffer> {
  device.pushErrorScope("out-of-memory");
  device.pushErrorScope("validation");
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  let thrown: unknown;
  let buffer: GPUBuffer | undefined;
  try {
    buffer = device.createBuffer({ size, usage, label: "arena" });
  } catch (error) {
    thrown = error;
  }
  // Of a lost device the scopes may reject.
  const errors = await Promise.all([device.popErrorScope(), device.popErrorScope()])
    .catch((error) => [error]);
  const lost = deviceState(device).lost;
  if (lost) throw lostError(lost);
  const message = thrown ?? errors.find((error) => error)?.message;
  if (message !== undefined || !buffer) {
    buffer?.destroy();
    throw new JitError(
      `the device refused ${mebibytes(size)} MiB of memory (${firstLine(message)}): ` +
        "expected so much to be free; take a smaller batch, or --device wasm",
    );
  }
  return buffer;
}

function firstLine(message: unknown): string {
  return String((message as Error)?.message ?? message).split("\n")[0];
}

/** The pipeline of a shader, made once a device. */
function pipelineOf(device: GPUDevice, { code, label }: Dispatch): Promise<GPUComputePipeline> {
  const { pipelines, pipelineLayout } = deviceState(device);
  const known = pipelines.get(code);
  if (known) return known;
  const make = async () => {
    device.pushErrorScope("validation");
    const module = device.createShaderModule({ code, label });
    const invalid = device.popErrorScope();
    const made = device.createComputePipelineAsync({
      layout: pipelineLayout,
      compute: { module, entryPoint: "main" },
      label,
    });
    // Whichever rejects first is reported; the other one must not go unhandled.
    made.catch(() => {});
    const error = await invalid;
    if (error) throw error;
    return await made;
  };
  const pipeline = make().catch((error) => {
    pipelines.delete(code);
    const { lost } = deviceState(device);
    if (lost) throw lostError(lost);
    throw new JitError(
      `the kernel "${label}" does not compile on this WebGPU device (${firstLine(error)}): ` +
        "use --device wasm, and report it",
    );
  });
  pipelines.set(code, pipeline);
  return pipeline;
}

/** All dispatches' parameters in one uniform buffer, a slice each. */
function uploadParameters(device: GPUDevice, dispatches: readonly Dispatch[]) {
  const alignment = device.limits.minUniformBufferOffsetAlignment;
  const roundUp = (n: number, to: number) => Math.ceil(n / to) * to;
  const most = Math.max(4, ...dispatches.map(({ parameters }) => parameters.length));
  const sliceBytes = roundUp(4 * most, 16);
  const stride = roundUp(sliceBytes, alignment);
  const values = new Int32Array(stride / 4 * Math.max(1, dispatches.length));
  dispatches.forEach(({ parameters }, i) => values.set(parameters, i * stride / 4));
  const buffer = device.createBuffer({
    size: values.byteLength,
    usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    label: "parameters",
  });
  device.queue.writeBuffer(buffer, 0, values);
  return { buffer, stride, sliceBytes };
}

/** A dispatch that is ready to be encoded. */
interface Command {
  readonly kernel: number;
  readonly label: string;
  readonly pipeline: GPUComputePipeline;
  /** The dynamic offset of its parameters. */
  readonly parameters: readonly number[];
  readonly columns: number;
  readonly rows: number;
}

/** What a program holds on its device. */
interface Resources {
  readonly arena: GPUBuffer;
  readonly parameters: GPUBuffer;
  readonly bindGroup: GPUBindGroup;
}

function encode(pass: GPUComputePassEncoder, commands: readonly Command[], group: GPUBindGroup) {
  let last: GPUComputePipeline | undefined;
  for (const { pipeline, parameters, columns, rows } of commands) {
    if (pipeline !== last) pass.setPipeline(last = pipeline);
    pass.setBindGroup(0, group, parameters as number[]);
    pass.dispatchWorkgroups(columns, rows);
  }
}

function makeExecutable(
  plan: Plan,
  device: GPUDevice,
  state: DeviceState,
  { arena, parameters, bindGroup }: Resources,
  commands: readonly Command[],
): WebGpuExecutable {
  const { queue } = device;
  let disposed = false;
  // An error of the first run comes to light with the first read.
  let firstRun: Promise<GPUError | null> | undefined;
  let spareStaging: GPUBuffer | undefined;

  const alive = () => {
    if (disposed) throw new JitError("the program is disposed: expected a live one; load it again");
    if (state.lost) throw lostError(state.lost);
  };
  const copy = (encodeCopies: (encoder: GPUCommandEncoder) => void) => {
    const encoder = device.createCommandEncoder();
    encodeCopies(encoder);
    queue.submit([encoder.finish()]);
  };
  const bytesOf = (buffer: number) => 4 * plan.buffers[buffer].size;
  const placeOf = (buffer: number) => 4 * plan.offsets[buffer];

  const submitRuns = (count: number) =>
    copy((encoder) => {
      const pass = encoder.beginComputePass();
      for (let i = 0; i < count; i++) encode(pass, commands, bindGroup);
      pass.end();
    });

  /** Copies of buffers' values, by one staging buffer. */
  const read = async (buffers: readonly number[]): Promise<HostValues[]> => {
    alive();
    const starts: number[] = [];
    let size = 0;
    for (const buffer of buffers) {
      starts.push(size);
      size += bytesOf(buffer);
    }
    let staging = spareStaging;
    spareStaging = undefined;
    if (!staging || staging.size < size) {
      staging?.destroy();
      const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
      staging = device.createBuffer({ size: Math.max(16, size), usage, label: "staging" });
    }
    let values: HostValues[];
    try {
      copy((encoder) =>
        buffers.forEach((buffer, i) => {
          if (bytesOf(buffer) === 0) return;
          encoder.copyBufferToBuffer(arena, placeOf(buffer), staging, starts[i], bytesOf(buffer));
        })
      );
      await staging.mapAsync(GPUMapMode.READ);
      const error = await firstRun;
      if (error) throw error;
      const mapped = staging.getMappedRange();
      values = buffers.map((buffer, i) => {
        const slice = mapped.slice(starts[i], starts[i] + bytesOf(buffer));
        return plan.buffers[buffer].type === "float32"
          ? new Float32Array(slice)
          : new Int32Array(slice);
      });
      staging.unmap();
    } catch (error) {
      staging.destroy();
      // Word of a lost device may come a moment after the read has failed.
      await Promise.race([device.lost, new Promise((resolve) => setTimeout(resolve, 100))]);
      if (disposed) throw new JitError("the program was disposed while it was read");
      if (state.lost) throw lostError(state.lost);
      throw new JitError(
        `the WebGPU device failed (${firstLine(error)}): the run's last checkpoint is intact; ` +
          "start again from it, with a smaller batch or --device wasm",
      );
    }
    if (disposed || spareStaging) staging.destroy();
    else spareStaging = staging;
    return values;
  };

  return {
    dispatches: commands.length,
    pipelines: new Set(commands.map(({ pipeline }) => pipeline)).size,
    writeInput(index, values) {
      alive();
      const { size, type } = plan.buffers[plan.inputs[index]];
      if (values.length !== size || values instanceof Float32Array !== (type === "float32")) {
        throw new JitError(
          `argument ${index} got ${values.length} cells of ${values.constructor.name}: ` +
            `expected ${size} of ${type === "float32" ? "Float32Array" : "Int32Array"}`,
        );
      }
      if (size === 0) return;
      queue.writeBuffer(arena, placeOf(plan.inputs[index]), values as BufferSource);
    },
    run(repeat = 1) {
      alive();
      if (commands.length === 0) return;
      const most = Math.max(1, Math.floor(DISPATCHES_PER_SUBMISSION / commands.length));
      for (let done = 0; done < repeat; done += most) {
        const isFirst = firstRun === undefined;
        if (isFirst) device.pushErrorScope("validation");
        submitRuns(Math.min(most, repeat - done));
        if (isFirst) {
          firstRun = device.popErrorScope();
          firstRun.catch(() => {});
        }
      }
    },
    readOutput: async (index) => (await read([plan.outputs[index]]))[0],
    readInput: async (index) => (await read([plan.inputs[index]]))[0],
    readOutputs: (indices) => read(indices.map((index) => plan.outputs[index])),
    copyInputFrom(index, source, byteOffset = 0) {
      alive();
      const buffer = plan.inputs[index];
      if (bytesOf(buffer) === 0) return;
      copy((encoder) =>
        encoder.copyBufferToBuffer(source, byteOffset, arena, placeOf(buffer), bytesOf(buffer))
      );
    },
    copyOutputTo(index, target, byteOffset = 0) {
      alive();
      copyTo(plan.outputs[index], target, byteOffset);
    },
    copyInputTo(index, target, byteOffset = 0) {
      alive();
      copyTo(plan.inputs[index], target, byteOffset);
    },
    async finished() {
      alive();
      await queue.onSubmittedWorkDone();
      if (state.lost) throw lostError(state.lost);
    },
    async profile() {
      alive();
      if (!device.features.has("timestamp-query")) return undefined;
      return await profile(device, commands, bindGroup);
    },
    dispose() {
      if (disposed) return;
      disposed = true;
      for (const buffer of [arena, parameters, spareStaging]) buffer?.destroy();
    },
  };

  function copyTo(buffer: number, target: GPUBuffer, byteOffset: number) {
    if (bytesOf(buffer) === 0) return;
    copy((encoder) =>
      encoder.copyBufferToBuffer(arena, placeOf(buffer), target, byteOffset, bytesOf(buffer))
    );
  }
}

/** A query set has at most 4,096 queries; a dispatch takes two. */
const DISPATCHES_PER_QUERY_SET = 2048;

/** One run with a pass a dispatch, between two timestamps each. */
async function profile(
  device: GPUDevice,
  commands: readonly Command[],
  bindGroup: GPUBindGroup,
): Promise<DispatchTime[]> {
  const times: DispatchTime[] = [];
  for (let start = 0; start < commands.length; start += DISPATCHES_PER_QUERY_SET) {
    const part = commands.slice(start, start + DISPATCHES_PER_QUERY_SET);
    const stamps = await timestamps(device, part, bindGroup);
    part.forEach(({ kernel, label }, i) =>
      times.push({ kernel, label, milliseconds: Number(stamps[2 * i + 1] - stamps[2 * i]) / 1e6 })
    );
  }
  return times;
}

async function timestamps(
  device: GPUDevice,
  commands: readonly Command[],
  bindGroup: GPUBindGroup,
): Promise<BigUint64Array> {
  const count = 2 * commands.length, size = 8 * count;
  const querySet = device.createQuerySet({ type: "timestamp", count });
  const { QUERY_RESOLVE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
  const resolved = device.createBuffer({ size, usage: QUERY_RESOLVE | COPY_SRC });
  const staging = device.createBuffer({ size, usage: COPY_DST | MAP_READ });
  try {
    const encoder = device.createCommandEncoder();
    commands.forEach((command, i) => {
      const pass = encoder.beginComputePass({
        timestampWrites: {
          querySet,
          beginningOfPassWriteIndex: 2 * i,
          endOfPassWriteIndex: 2 * i + 1,
        },
      });
      encode(pass, [command], bindGroup);
      pass.end();
    });
    encoder.resolveQuerySet(querySet, 0, count, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, size);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    return new BigUint64Array(staging.getMappedRange().slice(0));
  } finally {
    querySet.destroy();
    resolved.destroy();
    staging.destroy();
  }
}
