/**
 * @file Runs kernels' phases on one thread, in several orders and with several divisions of their
 * units into ranges, which must all give the same bits; every buffer stands between guards, and the
 * last one ends where the memory does.
 */
import { assertEquals } from "@std/assert";
import type { Buffer, Kernel, Schedule } from "../../../../core/jit/kernels.ts";
import { ModuleBuilder } from "../../../../core/jit/wasm/assembler.ts";
import type { EmitterContext, Phase } from "../../../../core/jit/wasm/emitter.ts";
import { emitGather } from "../../../../core/jit/wasm/gather.ts";
import { emitLoop, loopScratchCells } from "../../../../core/jit/wasm/loop.ts";
import { emitPad } from "../../../../core/jit/wasm/pad.ts";
import { emitPhilox } from "../../../../core/jit/wasm/philox.ts";
import { type Cells, interpret } from "../kernel_interpreter.ts";

/** How units are dealt with: in one range, one by one, or in uneven ranges from the last one on. */
export type Order = "whole" | "single" | "backwards";

/** A kernel's phases in an instance, to be run. */
export interface Prepared {
  run(order: Order): void;
  /** A view of a buffer's cells. */
  cells(buffer: number): Cells;
  /** Fails where memory outside of the buffers and the scratch has changed. */
  checkGuards(): void;
  readonly phases: readonly Phase[];
  readonly codeBytes: number;
}

const GUARD = 32;
const POISON = 0x7fc0dead;
/** As in the interpreter. */
const UNWRITTEN = 0x7fc00000;
const aligned = (cells: number) => Math.ceil(cells / 16) * 16;

function emit(context: EmitterContext, kernel: Kernel): Phase[] {
  switch (kernel.kind) {
    case "loop":
      return emitLoop(context, kernel);
    case "philox":
      return emitPhilox(context, kernel);
    case "gather":
      return emitGather(context, kernel);
    case "pad":
      return emitPad(context, kernel);
    default:
      throw new Error(`not a kernel of these tests: ${kernel.kind}`);
  }
}

/** Shared scratch of a kernel, in cells. */
export function scratchCells(kernel: Kernel): number {
  return kernel.kind === "loop" ? loopScratchCells(kernel) : 0;
}

/** A module with one kernel's phases, and a memory with the buffers. */
export function prepare(
  kernel: Kernel,
  buffers: readonly Buffer[],
  contents: readonly (Cells | null)[],
): Prepared {
  const sizes = [scratchCells(kernel), ...buffers.map(({ size }) => size)];
  const total = sizes.reduce((sum, size) => sum + GUARD + aligned(size), 0);
  const pages = Math.max(1, Math.ceil(total * 4 / 65536));
  let next = pages * 16384 - total;
  const starts = sizes.map((size) => {
    const start = next + GUARD;
    next = start + aligned(size);
    return start;
  });
  const module = new ModuleBuilder();
  const phases = emit({
    module,
    address: (buffer) => 4 * starts[1 + buffer],
    kernelScratch: 4 * starts[0],
  }, kernel);
  phases.forEach(({ code }, i) => module.export(`phase${i}`, code));
  const bytes = module.encode({ pages, shared: false });
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  const integers = new Int32Array(memory.buffer).fill(POISON);
  const cells = (buffer: number): Cells => {
    const { type, size } = buffers[buffer], start = 4 * starts[1 + buffer];
    return type === "float32"
      ? new Float32Array(memory.buffer, start, size)
      : new Int32Array(memory.buffer, start, size);
  };
  contents.forEach((values, buffer) => {
    if (values) cells(buffer).set(values);
    else integers.fill(UNWRITTEN, starts[1 + buffer], starts[1 + buffer] + buffers[buffer].size);
  });
  return {
    phases,
    codeBytes: bytes.length,
    cells,
    run: (order) =>
      phases.forEach(({ units, pointers, scratchBytes }, i) => {
        assertEquals(scratchBytes, 0);
        const phase = instance.exports[`phase${i}`] as (...values: number[]) => void;
        for (const [start, end] of ranges(units, order)) phase(start, end, 0, ...pointers);
      }),
    checkGuards: () => {
      let at = 0;
      for (const [i, start] of [...starts, integers.length].entries()) {
        for (; at < start; at++) {
          if (integers[at] !== POISON) throw new Error(`cell ${at} before ${start} was written`);
        }
        at = start + (sizes[i] ?? 0);
      }
    },
  };
}

function ranges(units: number, order: Order): [number, number][] {
  if (order === "whole") return [[0, units]];
  const out: [number, number][] = [];
  let at = 0, step = 1;
  while (at < units) {
    const end = Math.min(units, at + step);
    out.push([at, end]);
    at = end;
    if (order === "backwards") step = step % 5 + 2;
    else if (units > 2000) step = 7;
  }
  // An empty range does nothing.
  out.push([units, units]);
  return order === "single" ? out : out.reverse();
}

/** The buffers that a kernel writes, after it has run; the same in every order. */
export function runKernel(
  kernel: Kernel,
  buffers: readonly Buffer[],
  contents: readonly (Cells | null)[],
): Cells[] {
  const results: Cells[][] = [];
  for (const order of ["whole", "single", "backwards"] as const) {
    const prepared = prepare(kernel, buffers, contents);
    prepared.run(order);
    prepared.checkGuards();
    results.push(buffers.map((_, i) => prepared.cells(i).slice()));
  }
  for (const other of results.slice(1)) {
    other.forEach((cells, i) => {
      const expected = bits(results[0][i]);
      const at = bits(cells).findIndex((value, j) => value !== expected[j]);
      assertEquals(at, -1, `cell ${at} of buffer ${i} depends on how units are divided`);
    });
  }
  return results[0];
}

function bits(cells: Cells): Int32Array {
  return new Int32Array(cells.buffer, cells.byteOffset, cells.length);
}

/** What the buffers hold after a kernel, by the plain interpreter. */
export function interpretKernel(
  kernel: Kernel,
  buffers: readonly Buffer[],
  contents: readonly (Cells | null)[],
): Cells[] {
  const given = buffers.flatMap((_, i) => contents[i] ? [i] : []);
  const schedule: Schedule = {
    buffers,
    kernels: [kernel],
    inputs: given,
    outputs: buffers.map((_, i) => i),
  };
  return interpret(schedule, given.map((i) => contents[i]!));
}
