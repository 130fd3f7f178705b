/**
 * @file What programs on one device share: the layout of their one bind group, pipelines by the
 * text of their shader, and the word of the device's loss.
 */
import { JitError } from "../errors.ts";
import type { Dispatch } from "./shader.ts";

/** What programs on one device share. */
export interface DeviceState {
  readonly bindGroupLayout: GPUBindGroupLayout;
  readonly pipelineLayout: GPUPipelineLayout;
  /** By the shader's text. */
  readonly pipelines: Map<string, Promise<GPUComputePipeline>>;
  /** Why the device is lost, once it is. */
  lost?: string;
}

const states = new WeakMap<GPUDevice, DeviceState>();

/** The state of a device, made at its first use. */
export function deviceState(device: GPUDevice): DeviceState {
  const known = states.get(device);
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
    const texts = [reason, message].filter((text) => text && text !== "unknown");
    state.lost = texts.join(": ") || "no reason given";
  });
  states.set(device, state);
  return state;
}

/** @throws {JitError} once the device is lost */
export function requireNotLost({ lost }: DeviceState) {
  if (lost === undefined) return;
  throw new JitError(
    `the WebGPU device was lost (${lost}): the run's last checkpoint is intact; start again from it`,
  );
}

/** The first line of what went wrong. */
export function firstLine(error: unknown): string {
  return String((error as Error | null)?.message ?? error).split("\n")[0];
}

/**
 * The pipeline of a dispatch, made once a device.
 *
 * @throws {JitError} (by the promise) when the shader does not compile there, or the device is lost
 */
export function pipelineOf(device: GPUDevice, dispatch: Dispatch): Promise<GPUComputePipeline> {
  const state = deviceState(device);
  const known = state.pipelines.get(dispatch.code);
  if (known) return known;
  const pipeline = makePipeline(device, state, dispatch).catch((error) => {
    state.pipelines.delete(dispatch.code);
    requireNotLost(state);
    throw new JitError(
      `the kernel "${dispatch.label}" does not compile on this WebGPU device ` +
        `(${firstLine(error)}): expected it to; use the device "wasm", and report it`,
    );
  });
  state.pipelines.set(dispatch.code, pipeline);
  return pipeline;
}

async function makePipeline(
  device: GPUDevice,
  { pipelineLayout }: DeviceState,
  { code, label }: Dispatch,
): Promise<GPUComputePipeline> {
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ code, label });
  const invalid = device.popErrorScope();
  const made = device.createComputePipelineAsync({
    layout: pipelineLayout,
    compute: { module, entryPoint: "main" },
    label,
  });
  // The module's own error says more; the pipeline's must not go unhandled meanwhile.
  made.catch(() => {});
  const error = await invalid;
  if (error) throw error;
  return await made;
}
