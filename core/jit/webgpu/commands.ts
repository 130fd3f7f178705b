/**
 * @file Dispatches made ready to be encoded: pipelines, and every dispatch's parameters in a slice of
 * one uniform buffer, found by a dynamic offset.
 */
import type { Plan } from "../kernels.ts";
import { pipelineOf } from "./device_state.ts";
import { kernelDispatches } from "./lowering.ts";
import { type Dispatch, WORKGROUPS_PER_ROW } from "./shader.ts";

/** A dispatch that is ready to be encoded. */
export interface Command {
  /** Which kernel it belongs to, and what that is. */
  readonly kernel: number;
  readonly label: string;
  readonly pipeline: GPUComputePipeline;
  /** The dynamic offset of its parameters. */
  readonly parameters: number[];
  readonly columns: number;
  readonly rows: number;
}

/** A program's commands, and the buffer of their parameters. */
export interface Commands {
  readonly commands: readonly Command[];
  readonly parameters: GPUBuffer;
  /** Of a dispatch, as the bind group has it. */
  readonly parameterBytes: number;
}

/** The commands of a plan. */
export async function createCommands(plan: Plan, device: GPUDevice): Promise<Commands> {
  const work = plan.kernels.flatMap((_, kernel) =>
    kernelDispatches(plan, kernel).map((dispatch) => ({ kernel, dispatch }))
  );
  const pipelines = await Promise.all(work.map(({ dispatch }) => pipelineOf(device, dispatch)));
  const { buffer, stride, bytes } = uploadParameters(device, work.map(({ dispatch }) => dispatch));
  const commands = work.map(({ kernel, dispatch: { workgroups, label } }, i): Command => ({
    kernel,
    label,
    pipeline: pipelines[i],
    parameters: [i * stride],
    columns: Math.min(workgroups, WORKGROUPS_PER_ROW),
    rows: Math.ceil(workgroups / WORKGROUPS_PER_ROW),
  }));
  return { commands, parameters: buffer, parameterBytes: bytes };
}

/** All dispatches' parameters in one uniform buffer, a slice each. */
function uploadParameters(device: GPUDevice, dispatches: readonly Dispatch[]) {
  const most = Math.max(...dispatches.map(({ parameters }) => parameters.length), 4);
  const bytes = 16 * Math.ceil(most / 4);
  const alignment = device.limits.minUniformBufferOffsetAlignment;
  const stride = Math.ceil(bytes / alignment) * alignment;
  const values = new Int32Array(stride / 4 * Math.max(1, dispatches.length));
  dispatches.forEach(({ parameters }, i) => values.set(parameters, i * stride / 4));
  const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
  const buffer = device.createBuffer({ size: values.byteLength, usage, label: "parameters" });
  device.queue.writeBuffer(buffer, 0, values);
  return { buffer, stride, bytes };
}

/** Encodes commands into a pass. */
export function encode(
  pass: GPUComputePassEncoder,
  commands: readonly Command[],
  bindGroup: GPUBindGroup,
) {
  let last: GPUComputePipeline | undefined;
  for (const { pipeline, parameters, columns, rows } of commands) {
    if (pipeline !== last) pass.setPipeline(last = pipeline);
    pass.setBindGroup(0, bindGroup, parameters);
    pass.dispatchWorkgroups(columns, rows);
  }
}
