/** @file Tests that need a WebGPU adapter; a software one will do. */
import { findAdapter, openDevice } from "../core/tensor/mod.ts";

const requireAll = Deno.env.get("VAPO_REQUIRE_ALL") === "1";
const hasAdapter = await findAdapter() !== null;

/**
 * Registers a test that runs on the device "webgpu". Without an adapter it is skipped, or fails
 * where the environment variable VAPO_REQUIRE_ALL is 1. Read tensors by `await tensor.data()`.
 */
export function webgpuTest(name: string, fn: () => void | Promise<void>): void {
  Deno.test({
    name: `${name} [webgpu]`,
    ignore: !hasAdapter && !requireAll,
    // The device and its buffers outlive the test that opens them first.
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      await openDevice("webgpu");
      await fn();
    },
  });
}
