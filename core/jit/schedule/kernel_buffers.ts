/** @file Which buffers a kernel reads and writes, and kernels with other buffers in their place. */
import type { Kernel, Loop, View } from "../kernels.ts";

/** The loop of a kernel: its own, or its epilogue. */
export function loopOf(kernel: Kernel): Loop | undefined {
  if (kernel.kind === "loop") return kernel.loop;
  return "epilogue" in kernel ? kernel.epilogue?.loop : undefined;
}

/** Buffers that a kernel reads other than by its loop: whole, or in an order of its own. */
export function operandBuffers(kernel: Kernel): number[] {
  switch (kernel.kind) {
    case "loop":
      return [];
    case "matmul":
      return [kernel.a.buffer, kernel.b.buffer];
    case "convolution":
      return [kernel.left, kernel.right];
    case "winogradFilter":
      return [kernel.filter];
    case "winogradConvolution":
      return [kernel.input, kernel.filter];
    case "pad":
      return [kernel.input.buffer];
    case "gather":
      return [kernel.table, kernel.indices];
    case "philox": {
      const { seed, step, offset } = kernel;
      return offset === undefined ? [seed, step] : [seed, step, offset];
    }
  }
}

/** What a kernel's loop reads from memory: all but the raw result of its own product. */
export function loopReads(kernel: Kernel): View[] {
  const loop = loopOf(kernel);
  if (!loop) return [];
  const product = "epilogue" in kernel ? kernel.epilogue!.product : -1;
  return loop.reads.filter((_, index) => index !== product);
}

/** The buffer of a kernel's raw result; undefined of a loop, whose results are its writes. */
export function rawOutput(kernel: Kernel): number | undefined {
  if (kernel.kind === "loop") return undefined;
  return kernel.kind === "pad" ? kernel.output.buffer : kernel.output;
}

/** Whether the raw result is of no use but to the kernel's own epilogue. */
export function isRawOutputDropped(kernel: Kernel): boolean {
  return "epilogue" in kernel && kernel.epilogue?.keep === false;
}

/** All buffers that a kernel reads. */
export function readBuffers(kernel: Kernel): Set<number> {
  return new Set([...operandBuffers(kernel), ...loopReads(kernel).map(({ buffer }) => buffer)]);
}

/** All buffers that a kernel leaves results in. */
export function writtenBuffers(kernel: Kernel): Set<number> {
  const raw = rawOutput(kernel);
  const written = loopOf(kernel)?.writes.map(({ view }) => view.buffer) ?? [];
  return new Set(raw === undefined || isRawOutputDropped(kernel) ? written : [raw, ...written]);
}

/** All buffers that a kernel reads or leaves results in. */
export function usedBuffers(kernel: Kernel): Set<number> {
  return new Set([...readBuffers(kernel), ...writtenBuffers(kernel)]);
}

/** All buffers that a kernel names: those it uses, and a raw result that is dropped. */
export function namedBuffers(kernel: Kernel): Set<number> {
  const raw = rawOutput(kernel);
  const named = usedBuffers(kernel);
  return raw === undefined ? named : named.add(raw);
}

function renameLoop(loop: Loop, name: (buffer: number) => number): Loop {
  const view = (view: View): View => ({ ...view, buffer: name(view.buffer) });
  return {
    ...loop,
    reads: loop.reads.map(view),
    writes: loop.writes.map((write) => ({ ...write, view: view(write.view) })),
  };
}

/** The same kernel on other buffers. */
export function renameBuffers(kernel: Kernel, name: (buffer: number) => number): Kernel {
  const renamed = renameOperands(kernel, name);
  if (!("epilogue" in renamed) || !renamed.epilogue) return renamed;
  const { epilogue } = renamed;
  return { ...renamed, epilogue: { ...epilogue, loop: renameLoop(epilogue.loop, name) } };
}

function renameOperands(kernel: Kernel, name: (buffer: number) => number): Kernel {
  switch (kernel.kind) {
    case "loop":
      return { ...kernel, loop: renameLoop(kernel.loop, name) };
    case "matmul": {
      const { a, b, output } = kernel;
      return {
        ...kernel,
        a: { ...a, buffer: name(a.buffer) },
        b: { ...b, buffer: name(b.buffer) },
        output: name(output),
      };
    }
    case "convolution": {
      const { left, right, output } = kernel;
      return { ...kernel, left: name(left), right: name(right), output: name(output) };
    }
    case "winogradFilter":
      return { ...kernel, filter: name(kernel.filter), output: name(kernel.output) };
    case "winogradConvolution": {
      const { input, filter, output } = kernel;
      return { ...kernel, input: name(input), filter: name(filter), output: name(output) };
    }
    case "pad": {
      const { input, output } = kernel;
      return {
        ...kernel,
        input: { ...input, buffer: name(input.buffer) },
        output: { ...output, buffer: name(output.buffer) },
      };
    }
    case "gather": {
      const { table, indices, output } = kernel;
      return { ...kernel, table: name(table), indices: name(indices), output: name(output) };
    }
    case "philox": {
      const { seed, step, offset, output } = kernel;
      return {
        ...kernel,
        seed: name(seed),
        step: name(step),
        ...(offset !== undefined && { offset: name(offset) }),
        output: name(output),
      };
    }
  }
}
