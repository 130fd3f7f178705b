/**
 * @file How much memory one compiled program can have on the device that is open. A program lives in
 * one piece of memory, its arena: a WebAssembly memory with 32-bit addresses, or one storage buffer.
 */
import * as tf from "@tensorflow/tfjs";
import { bufferMemory, type DeviceMemory, wasmMemory } from "./memory_limits.ts";

export type { DeviceMemory };

/**
 * The memory that one program can have on the device that is open.
 *
 * On "wasm" (and "cpu", where what is compiled is WebAssembly too) that is what 32-bit addresses
 * reach, 4 GiB, or less where this machine does not reserve as much; on "webgpu" the size of the
 * largest buffer that a shader may be given, however much memory the device has.
 *
 * @example
 * ```ts
 * import { assert, assertEquals } from "@std/assert";
 * import { deviceMemory, openDevice } from "vapo";
 * await openDevice("wasm");
 * const { limitBytes, reason } = deviceMemory();
 * assert(limitBytes <= 2 ** 32);
 * assertEquals(reason, "one WebAssembly memory");
 * ```
 */
export function deviceMemory(): DeviceMemory {
  if (tf.getBackend() !== "webgpu") return wasmMemory();
  return bufferMemory((tf.backend() as unknown as { device: GPUDevice }).device.limits);
}
