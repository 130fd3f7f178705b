/**
 * @file What limits the memory of one program: the addresses of WebAssembly, the size of a WebGPU
 * buffer. Without a word of TensorFlow.js.
 */
import { canShareMemory } from "./threads.ts";

/** The memory that one program can have. */
export interface DeviceMemory {
  /** In bytes. */
  readonly limitBytes: number;
  /** What sets the limit, as part of a sentence: "one WebAssembly memory". */
  readonly reason: string;
}

/** Bytes in a page of WebAssembly memory. */
export const wasmPageBytes = 2 ** 16;

/** The most pages that 32-bit addresses reach: 4 GiB. */
export const mostWasmPages = 2 ** 16;

/** The memory of one WebAssembly program here. */
export function wasmMemory(): DeviceMemory {
  const pages = reservablePages ??= mostReservable(reserve);
  const reason = pages === mostWasmPages
    ? "one WebAssembly memory"
    : "the WebAssembly memory that can be reserved here";
  return { limitBytes: pages * wasmPageBytes, reason };
}

/** The memory of one storage buffer of a WebGPU device. */
export function bufferMemory(
  limits: Pick<GPUSupportedLimits, "maxBufferSize" | "maxStorageBufferBindingSize">,
): DeviceMemory {
  const names = ["maxStorageBufferBindingSize", "maxBufferSize"] as const;
  const [least] = names.toSorted((a, b) => limits[a] - limits[b]);
  return { limitBytes: limits[least], reason: `the device's ${least}` };
}

/** What was found; memory that is reserved now and then says nothing about later either. */
let reservablePages: number | undefined;

/** Whether a memory of so many pages is to be had: untouched, it costs addresses alone. */
function reserve(pages: number): boolean {
  try {
    new WebAssembly.Memory({ initial: pages, maximum: pages, shared: canShareMemory() });
    return true;
  } catch {
    return false;
  }
}

/** The most pages that are to be had, up to a 64th of all that can be addressed. */
export function mostReservable(canReserve: (pages: number) => boolean): number {
  if (canReserve(mostWasmPages)) return mostWasmPages;
  const step = mostWasmPages / 64;
  let least = 0, most = 64;
  while (most - least > 1) {
    const middle = (least + most) >> 1;
    if (canReserve(middle * step)) least = middle;
    else most = middle;
  }
  return least * step;
}
