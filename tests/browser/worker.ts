/**
 * @file What the browser test runs in a page's worker: the same core, the same run, handed back as
 * numbers. Bundled by the test; nothing here knows that it is not under Deno.
 */
import { trainTiny } from "./tiny_run.ts";
import type { DeviceName } from "../../core/tensor/mod.ts";

self.onmessage = async ({ data }: MessageEvent<{ device: DeviceName; wasmPath: string }>) => {
  try {
    self.postMessage({ metrics: await trainTiny(data.device, data.wasmPath) });
  } catch (error) {
    self.postMessage({ error: String((error as Error).stack ?? error) });
  }
};
