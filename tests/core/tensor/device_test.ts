import { assert, assertEquals, assertRejects } from "@std/assert";
import { VapoError } from "../../../core/errors.ts";
import {
  chooseDevice,
  compilesPrograms,
  type DeviceName,
  findAdapter,
  openDevice,
  tf,
} from "../../../core/tensor/mod.ts";
import { webgpuTest } from "../../webgpu.ts";

/** Replaces the browser's and Deno's door to WebGPU while `fn` runs. */
async function withGpu(gpu: unknown, fn: () => Promise<void>): Promise<void> {
  const before = Object.getOwnPropertyDescriptor(globalThis, "navigator")!;
  Object.defineProperty(globalThis, "navigator", { value: { gpu }, configurable: true });
  try {
    await fn();
  } finally {
    Object.defineProperty(globalThis, "navigator", before);
  }
}

/** A door behind which there is one adapter. */
function gpuWith(description: string, isFallbackAdapter = false) {
  const info = { vendor: "acme", architecture: "", description, isFallbackAdapter };
  return { requestAdapter: () => Promise.resolve({ info }) };
}

Deno.test("programs are compiled on every device but the slow one", async () => {
  for (const [name, compiles] of [["wasm", true], ["cpu", false]] as const) {
    await openDevice(name);
    assertEquals(compilesPrograms(), compiles, name);
  }
});

Deno.test("an unknown device is refused with the known names", async () => {
  await assertRejects(
    () => chooseDevice("cuda" as DeviceName),
    VapoError,
    'unknown device "cuda": expected one of auto, wasm, webgpu, cpu',
  );
});

Deno.test("auto takes hardware WebGPU, and wasm where the adapter is software or missing", async () => {
  await withGpu(gpuWith("RTX"), async () => {
    const { name, adapter } = await chooseDevice("auto");
    assertEquals([name, adapter?.software], ["webgpu", false]);
  });
  for (const gpu of [gpuWith("llvmpipe (LLVM 15)"), gpuWith("Acme", true)]) {
    await withGpu(gpu, async () => {
      const { name, reason, adapter } = await chooseDevice("auto");
      assertEquals([name, adapter?.software], ["wasm", true]);
      assert(reason.includes("software"), reason);
    });
  }
  for (const gpu of [undefined, { requestAdapter: () => Promise.resolve(null) }]) {
    await withGpu(gpu, async () => {
      assertEquals(await chooseDevice("auto"), { name: "wasm", reason: "no WebGPU adapter" });
      await assertRejects(() => chooseDevice("webgpu"), VapoError, "no WebGPU adapter was found");
    });
  }
});

Deno.test("an open device is the one that operations run on", async () => {
  for (const name of ["cpu", "wasm", "cpu"] as const) {
    assertEquals(await openDevice(name), { name, reason: "asked for" });
    assertEquals(tf.getBackend(), name);
    assertEquals([...await tf.add(tf.tensor1d([1, 2]), 0.5).data()], [1.5, 2.5]);
  }
});

webgpuTest("webgpu is the device that was opened, and says which adapter it is", async () => {
  const opened = await openDevice("webgpu");
  assertEquals(opened.adapter, (await findAdapter())?.description);
  assertEquals(tf.getBackend(), "webgpu");
  assertEquals([...await tf.matMul(tf.tensor2d([[1, 2]]), tf.tensor2d([[3], [4]])).data()], [11]);
});
