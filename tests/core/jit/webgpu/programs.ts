/**
 * @file What the tests of the WebGPU target share: plans for schedules written by hand, runs of them
 * on the device that is open, and comparisons with the interpreter of kernels.
 */
import { assert, assertEquals } from "@std/assert";
import type { DataType } from "../../../../core/jit/elementwise.ts";
import type { Buffer, Kernel, Loop, Plan, Schedule, View } from "../../../../core/jit/kernels.ts";
import {
  compileWebGpu,
  type WebGpuExecutable,
  webGpuScratchCells,
} from "../../../../core/jit/webgpu/executable.ts";
import { tf } from "../../../../core/tensor/mod.ts";
import { type Cells, interpret } from "../kernel_interpreter.ts";

/** The device that TensorFlow.js is on. */
export function openGpu(): GPUDevice {
  return (tf.backend() as unknown as { device: GPUDevice }).device;
}

/** A plan that reuses no memory: buffer after buffer, then every kernel's scratch. */
export function planOf(schedule: Schedule): Plan {
  let end = 0;
  const take = (size: number) => {
    const start = end;
    end += Math.ceil(size / 16) * 16;
    return start;
  };
  const offsets = schedule.buffers.map(({ size }) => take(size));
  const scratchOffsets = schedule.kernels.map((kernel) => take(webGpuScratchCells(kernel)));
  return { ...schedule, offsets, scratchOffsets, arenaSize: end, livenessBound: end };
}

/** All results of one run. */
export async function runOnce(plan: Plan, inputs: readonly Cells[]): Promise<Cells[]> {
  const executable = await compileWebGpu(plan, openGpu());
  try {
    inputs.forEach((values, index) => executable.writeInput(index, values));
    executable.run();
    return await executable.readOutputs(plan.outputs.map((_, index) => index));
  } finally {
    executable.dispose();
  }
}

/** Runs a body on an executable and disposes it. */
export async function withExecutable(
  plan: Plan,
  body: (executable: WebGpuExecutable) => Promise<void>,
): Promise<void> {
  const executable = await compileWebGpu(plan, openGpu());
  try {
    await body(executable);
  } finally {
    executable.dispose();
  }
}

/** A schedule of kernels over inputs, then outputs, then other buffers, numbered in this order. */
export function scheduleOf(
  buffers: { readonly inputs: readonly Size[]; readonly outputs: readonly Size[] },
  ...kernels: Kernel[]
): Schedule {
  const { inputs, outputs } = buffers;
  const bufferOf = (role: Buffer["role"]) => (size: Size): Buffer =>
    typeof size === "number" ? { size, type: "float32", role } : { ...size, role };
  return {
    buffers: [...inputs.map(bufferOf("input")), ...outputs.map(bufferOf("temporary"))],
    kernels,
    inputs: inputs.map((_, i) => i),
    outputs: outputs.map((_, i) => inputs.length + i),
  };
}

/** The cells of a buffer, float32 where a type is not given. */
export type Size = number | { readonly size: number; readonly type: DataType };

/** A view of a buffer, float32 and from its start where not said otherwise. */
export function view(
  buffer: number,
  strides: readonly number[],
  { offset = 0, type = "float32" as DataType } = {},
): View {
  return { buffer, strides, offset, type };
}

/** A kernel of a loop; what is left out is empty. */
export function loopKernel(loop: Partial<Loop> & Pick<Loop, "extents" | "writes">): Kernel {
  return { kind: "loop", loop: { reducedDimensions: 0, reads: [], body: [], ...loop } };
}

/** Numbers from −1 to 1 that repeat from run to run. */
export function noise(size: number, seed = 1): Float32Array {
  let state = seed * 2654435761 >>> 0;
  return Float32Array.from({ length: size }, () => {
    state = Math.imul(state, 1664525) + 1013904223 >>> 0;
    return (state >>> 8) / 2 ** 23 - 1;
  });
}

/** Asserts that values agree to a tolerance, relative to the larger of one and the largest value. */
export function assertClose(
  actual: Cells,
  expected: Cells,
  tolerance = 1e-5,
  scale = Math.max(1, ...largest(expected)),
) {
  assertEquals(actual.length, expected.length);
  actual.forEach((value, i) => {
    const difference = Math.abs(value - expected[i]);
    const same = Object.is(value, expected[i]) || value === expected[i];
    assert(
      same || difference <= tolerance * scale,
      `cell ${i}: ${value} instead of ${expected[i]}`,
    );
  });
}

function* largest(values: Cells) {
  let most = 0;
  for (const value of values) if (Number.isFinite(value)) most = Math.max(most, Math.abs(value));
  yield most;
}

/** Runs a schedule here and in the interpreter, and asserts that the results agree. */
export async function assertAsInterpreted(
  schedule: Schedule,
  inputs: readonly Cells[],
  tolerance?: number,
): Promise<void> {
  const results = await runOnce(planOf(schedule), inputs);
  interpret(schedule, inputs).forEach((expected, i) =>
    assertClose(results[i], expected, tolerance)
  );
}
