import { assert, assertEquals } from "@std/assert";
import { deviceMemory } from "../../../core/tensor/device_memory.ts";
import { bufferMemory, mostReservable, mostWasmPages } from "../../../core/tensor/memory_limits.ts";
import { openDevice, tf } from "../../../core/tensor/mod.ts";
import { webgpuTest } from "../../webgpu.ts";

Deno.test("WebAssembly programs have at most what 32-bit addresses reach", async () => {
  for (const device of ["wasm", "cpu"] as const) {
    await openDevice(device);
    const { limitBytes, reason } = deviceMemory();
    assert(limitBytes > 0 && limitBytes <= 2 ** 32);
    const memory = new WebAssembly.Memory({ initial: limitBytes / 65536 });
    assertEquals(memory.buffer.byteLength, limitBytes);
    assert(reason.includes("WebAssembly memory"));
  }
});

Deno.test("what can be reserved is found to a 64th of all that can be addressed", () => {
  const tries: number[] = [];
  const found = mostReservable((pages) => {
    tries.push(pages);
    return pages <= 20_000;
  });
  assertEquals(found, 19 * 1024); // the largest multiple of 1024 up to 20,000
  assert(tries.length <= 7);
  assertEquals(mostReservable(() => true), mostWasmPages);
  assertEquals(mostReservable(() => false), 0);
});

Deno.test("a WebGPU program has the smaller of two limits, by its name", () => {
  const limits = { maxBufferSize: 2 ** 40, maxStorageBufferBindingSize: 2 ** 31 - 4 };
  assertEquals(bufferMemory(limits), {
    limitBytes: 2 ** 31 - 4,
    reason: "the device's maxStorageBufferBindingSize",
  });
  assertEquals(bufferMemory({ ...limits, maxBufferSize: 2 ** 28 }), {
    limitBytes: 2 ** 28,
    reason: "the device's maxBufferSize",
  });
});

webgpuTest("the limit is that of the open device", () => {
  const { limits } = (tf.backend() as unknown as { device: GPUDevice }).device;
  const { limitBytes } = deviceMemory();
  assert(limitBytes <= limits.maxBufferSize && limitBytes <= limits.maxStorageBufferBindingSize);
  assert(limitBytes >= 2 ** 27); // what every WebGPU implementation has to give
});
