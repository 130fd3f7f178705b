/**
 * @file From a plan to something that runs: emits every kernel for its place in memory, compiles the
 * module, and moves values between the host and the arena.
 */
import { defaultThreads } from "../../tensor/threads.ts";
import { JitError } from "../errors.ts";
import type { Buffer, Executable, Kernel, Plan } from "../kernels.ts";
import { kernelAccesses } from "./accesses.ts";
import { convolutionScratchCells, emitConvolution } from "./convolution.ts";
import type { Step } from "./driver.ts";
import type { EmitterContext, Phase } from "./emitter.ts";
import { emitGather } from "./gather.ts";
import { emitLoop, loopScratchCells } from "./loop.ts";
import { emitPad } from "./pad.ts";
import { emitPhilox } from "./philox.ts";
import { emitProduct, productScratchCells } from "./product.ts";
import { loadProgram, type WasmProgram } from "./program.ts";
import { emitWinogradConvolution, winogradConvolutionScratchCells } from "./winograd.ts";
import { emitWinogradFilter, winogradFilterScratchCells } from "./winograd_filter.ts";

/** How a plan is compiled. */
export interface WasmOptions {
  /** At most so many threads, this one included; default one a processor. Results do not depend on it. */
  readonly threads?: number;
  /** A phase with less work (operations, or cells moved) is done by one thread; default 20 000. */
  readonly sharing?: number;
}

/** A program on threads of WebAssembly; its reads are synchronous. */
export interface WasmExecutable extends Executable {
  readOutput(index: number): Float32Array | Int32Array;
  readInput(index: number): Float32Array | Int32Array;
  /** How many threads take part, and what compiling took. */
  readonly threads: number;
  readonly statistics: WasmProgram["statistics"];
}

/** Cells of shared scratch memory that a kernel needs. */
export function wasmScratchCells(kernel: Kernel): number {
  switch (kernel.kind) {
    case "loop":
      return loopScratchCells(kernel);
    case "matmul":
      return productScratchCells(kernel);
    case "convolution":
      return convolutionScratchCells(kernel);
    case "winogradFilter":
      return winogradFilterScratchCells(kernel);
    case "winogradConvolution":
      return winogradConvolutionScratchCells(kernel);
    case "pad":
    case "gather":
    case "philox":
      return 0;
  }
}

/** The phases of a kernel. */
function emitKernel(context: EmitterContext, kernel: Kernel): Phase[] {
  switch (kernel.kind) {
    case "loop":
      return emitLoop(context, kernel);
    case "matmul":
      return emitProduct(context, kernel);
    case "convolution":
      return emitConvolution(context, kernel);
    case "winogradFilter":
      return emitWinogradFilter(context, kernel);
    case "winogradConvolution":
      return emitWinogradConvolution(context, kernel);
    case "pad":
      return emitPad(context, kernel);
    case "gather":
      return emitGather(context, kernel);
    case "philox":
      return emitPhilox(context, kernel);
  }
}

/**
 * Compiles a plan, with constants in place and arguments zero.
 *
 * @throws {JitError} (by the promise) when there is not enough memory
 */
export async function compileWasm(plan: Plan, options: WasmOptions = {}): Promise<WasmExecutable> {
  const program = await loadProgram({
    arenaCells: plan.arenaSize,
    threads: options.threads ?? defaultThreads(),
    sharing: options.sharing,
    build: (module, arena) =>
      plan.kernels.map((kernel, index): Step => ({
        name: kernel.kind,
        accesses: kernelAccesses(plan, index, wasmScratchCells(kernel)),
        phases: emitKernel({
          module,
          address: (buffer) => arena + 4 * plan.offsets[buffer],
          kernelScratch: arena + 4 * (plan.scratchOffsets[index] ?? 0),
        }, kernel),
      })),
  });
  const { buffers, offsets, inputs, outputs } = plan;
  // What is not needed to move values would keep the whole plan alive.
  const placesOf = (list: readonly number[]) => list.map((i) => placeOf(buffers[i], offsets[i]));
  buffers.forEach((buffer, i) => {
    if (buffer.role === "constant") writeConstant(program, buffer, offsets[i]);
  });
  return runnable(program, placesOf(inputs), placesOf(outputs));
}

/** Where a buffer's values are. */
interface Place {
  readonly offset: number;
  readonly size: number;
  readonly float: boolean;
}

function placeOf({ size, type }: Buffer, offset: number): Place {
  return { offset, size, float: type === "float32" };
}

/** A view of cells of the arena. */
function cellsOf({ memory, arena }: WasmProgram, { offset, size, float }: Place) {
  const start = arena + 4 * offset;
  return float
    ? new Float32Array(memory.buffer, start, size)
    : new Int32Array(memory.buffer, start, size);
}

function writeConstant(program: WasmProgram, buffer: Buffer, offset: number): void {
  const cells = cellsOf(program, placeOf(buffer, offset));
  const values = buffer.values!;
  if (values.length === cells.length) cells.set(values);
  else cells.fill(values[0]);
}

function runnable(
  program: WasmProgram,
  inputs: readonly Place[],
  outputs: readonly Place[],
): WasmExecutable {
  const find = (list: readonly Place[], index: number, what: string) => {
    const place = list[index];
    if (place) return place;
    throw new JitError(`a program with ${list.length} ${what}s has none with number ${index}`);
  };
  const readOutput = (index: number) => cellsOf(program, find(outputs, index, "result")).slice();
  return {
    threads: program.threads,
    statistics: program.statistics,
    writeInput(index, values) {
      const place = find(inputs, index, "argument");
      if (values.length !== place.size) {
        throw new JitError(
          `argument ${index} has ${values.length} values, expected ${place.size}; compile the ` +
            "function for each shape",
        );
      }
      cellsOf(program, place).set(values);
    },
    run(repeat = 1) {
      if (!Number.isInteger(repeat) || repeat < 0 || repeat >= 2 ** 31) {
        throw new JitError(
          `a program is to run ${repeat} times, expected a whole number below 2^31`,
        );
      }
      program.run(repeat);
    },
    readOutput,
    readOutputs: (indices) => Promise.resolve(indices.map(readOutput)),
    readInput: (index) => cellsOf(program, find(inputs, index, "argument")).slice(),
    dispose: () => program.dispose(),
  };
}
