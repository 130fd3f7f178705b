/**
 * @file Devices: where tensors live and kernels run. `auto` takes WebGPU on an adapter that is real
 * hardware and SIMD WebAssembly otherwise; a software adapter is for testing, and slower.
 */
import * as tf from "@tensorflow/tfjs";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import { VapoError } from "../errors.ts";
import { defaultThreads, requireThreads } from "./threads.ts";
import { registerWasmKernels } from "./wasm_kernels.ts";

/**
 * The devices that a user can ask for.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { deviceNames } from "vapo";
 * const isDevice = (name: string) => (deviceNames as readonly string[]).includes(name);
 * assertEquals(["wasm", "cuda"].map(isDevice), [true, false]);
 * ```
 */
export const deviceNames = ["auto", "wasm", "webgpu", "cpu"] as const;
/** A device that a user can ask for; `auto` stands for the best one here. */
export type DeviceName = typeof deviceNames[number];

/** What a WebGPU adapter says of itself (`GPUAdapterInfo`); a text may be empty. */
export interface AdapterDescription {
  /** Who made it, as in "nvidia". */
  readonly vendor: string;
  /** Its family, as in "hopper". */
  readonly architecture: string;
  /** Its name in full. */
  readonly description: string;
  /** A software adapter (Mesa's lavapipe, SwiftShader): correct, and slow. */
  readonly software: boolean;
}

/** A device that is open, and why it was taken. */
export interface DeviceInfo {
  /** The device itself, never "auto". */
  readonly name: Exclude<DeviceName, "auto">;
  /** Why this one, as part of a sentence: "asked for", "no WebGPU adapter". */
  readonly reason: string;
  /** The WebGPU adapter, where one was looked for and found, even if it was not taken. */
  readonly adapter?: AdapterDescription;
}

/**
 * How a device is opened.
 *
 * What a browser's page needs for "wasm": where a Content-Security-Policy is sent, `script-src` with
 * `'wasm-unsafe-eval'`; for threads, `worker-src` with `blob:`, and with the page and with scripts of
 * workers the headers `Cross-Origin-Opener-Policy: same-origin` and `Cross-Origin-Embedder-Policy:
 * require-corp`, without which threads cannot share memory. It works in a worker and in the page
 * itself, which then stands still while a program runs.
 */
export interface DeviceOptions {
  /**
   * At most so many threads run a compiled WebAssembly program, the caller's own included: a whole
   * number from 1 to 256; default as many as the machine has cores. One does where threads cannot
   * share memory or are not let start. Results are the same for any number.
   */
  readonly threads?: number;
  /**
   * Where a browser finds `tfjs-backend-wasm-simd.wasm` of `@tensorflow/tfjs-backend-wasm` (under
   * Deno it is found by itself): the URL of its directory, with a slash at its end. The first time
   * that "wasm" is opened decides.
   */
  readonly wasmPath?: string;
}

/** The WebGPU adapter of this machine, or null where there is none. */
export async function findAdapter(): Promise<
  { adapter: GPUAdapter; description: AdapterDescription } | null
> {
  const gpu = (globalThis.navigator as Navigator | undefined)?.gpu;
  const adapter = await gpu?.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) return null;
  const { vendor, architecture, description, isFallbackAdapter } = adapter.info;
  const text = `${vendor} ${architecture} ${description}`;
  const software = isFallbackAdapter || /llvmpipe|lavapipe|swiftshader|software/i.test(text);
  return { adapter, description: { vendor, architecture, description, software } };
}

/** Whether programs are compiled on the open device; "cpu" stays eager, to compare with. */
export function compilesPrograms(): boolean {
  return tf.getBackend() !== "cpu";
}

/**
 * Which device a name stands for on this machine, without opening it.
 *
 * @param name which one; `auto` takes WebGPU on an adapter that is hardware, WebAssembly otherwise
 * @throws {VapoError} for an unknown name, and for "webgpu" where there is no adapter
 * @example
 * ```ts
 * import { assertEquals, assertRejects } from "@std/assert";
 * import { chooseDevice, type DeviceName, VapoError } from "vapo";
 * assertEquals(await chooseDevice("wasm"), { name: "wasm", reason: "asked for" });
 * await assertRejects(() => chooseDevice("cuda" as DeviceName), VapoError, "expected one of");
 * ```
 */
export async function chooseDevice(name: DeviceName): Promise<DeviceInfo> {
  if (!deviceNames.includes(name)) {
    throw new VapoError(
      `unknown device "${name}": expected one of ${deviceNames.join(", ")}`,
    );
  }
  if (name === "wasm" || name === "cpu") return { name, reason: "asked for" };
  const found = await findAdapter();
  const adapter = found?.description;
  if (name === "webgpu") {
    if (adapter) return { name, reason: "asked for", adapter };
    throw new VapoError(
      'device "webgpu" is not there: no WebGPU adapter was found; ' +
        "install a Vulkan driver (Debian: mesa-vulkan-drivers) or use --device wasm",
    );
  }
  if (!adapter) return { name: "wasm", reason: "no WebGPU adapter" };
  return adapter.software
    ? { name: "wasm", reason: `the WebGPU adapter is software${nameOf(adapter)}`, adapter }
    : { name: "webgpu", reason: `hardware WebGPU adapter${nameOf(adapter)}`, adapter };
}

/** An adapter's name in brackets; browsers often tell less than drivers do. */
function nameOf({ vendor, architecture, description }: AdapterDescription): string {
  const name = description || [vendor, architecture].filter(Boolean).join(" ");
  return name === "" ? "" : ` (${name})`;
}

/**
 * Opens a device and makes it the one that every following tensor operation runs on.
 *
 * @param name which one; `auto` takes WebGPU on hardware, WebAssembly otherwise
 * @param options threads, and where a browser finds the WebAssembly files
 * @returns the device that was opened, and why
 * @throws {VapoError} for an unknown name, or when the device is not there or does not start
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { openDevice, tf } from "vapo";
 * await openDevice("wasm");
 * assertEquals(tf.add(1, 2).dataSync()[0], 3);
 * ```
 */
export async function openDevice(
  name: DeviceName,
  options: DeviceOptions = {},
): Promise<DeviceInfo> {
  const chosen = await chooseDevice(name);
  threads = requireThreads(options.threads ?? defaultThreads());
  if (chosen.name === "wasm") await openWasm(options);
  else if (chosen.name === "webgpu") await openWebGpu();
  else await openCpu();
  return chosen;
}

let threads: number | undefined;

/** Threads that compiled programs run on: those that the device was opened with. */
export function deviceThreads(): number {
  return threads ?? defaultThreads();
}

async function setBackend(name: string): Promise<void> {
  if (!await tf.setBackend(name)) {
    throw new VapoError(
      `device "${name}" did not start; try --device cpu, or run "vapo doctor"; in a browser ` +
        "see DeviceOptions for what a page must serve and allow",
    );
  }
}

async function openCpu(): Promise<void> {
  await setBackend("cpu");
  // Its first use prints an advertisement for a native package.
  (tf.backend() as unknown as { firstUse: boolean }).firstUse = false;
}

let wasmPathsAreSet = false;

async function openWasm({ wasmPath }: DeviceOptions): Promise<void> {
  if (!wasmPathsAreSet) {
    setWasmPaths(wasmPath ?? wasmPathOfPackage());
    // Its own threads (eight, in a page that can share memory) have nothing to do beside compiled
    // programs, and where a Content-Security-Policy stops them it waits for them for ever.
    tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
    wasmPathsAreSet = true;
  }
  registerWasmKernels();
  await setBackend("wasm");
}

/** Under Deno the files lie beside the package's entry; a bundle has to be told. */
function wasmPathOfPackage(): string {
  try {
    return decodeURI(new URL(".", import.meta.resolve("@tensorflow/tfjs-backend-wasm")).pathname);
  } catch {
    throw new VapoError(
      'device "wasm" needs wasmPath here: expected the URL of the directory that serves ' +
        "tfjs-backend-wasm-simd.wasm, as in openDevice(name, { wasmPath })",
    );
  }
}

/** TensorFlow.js would choose features and limits by itself, and fails so on some adapters. */
async function openWebGpu(): Promise<void> {
  if (tf.findBackendFactory("webgpu") === webGpuFactory) return await setBackend("webgpu");
  if (tf.findBackendFactory("webgpu")) tf.removeBackend("webgpu");
  tf.registerBackend("webgpu", webGpuFactory);
  await setBackend("webgpu");
}

async function webGpuFactory() {
  const found = await findAdapter();
  if (!found) throw new VapoError('device "webgpu" is not there: no WebGPU adapter was found');
  const { adapter } = found;
  const wanted: GPUFeatureName[] = ["timestamp-query"];
  const device = await adapter.requestDevice({
    requiredFeatures: wanted.filter((feature) => adapter.features.has(feature)),
    requiredLimits: {
      maxBufferSize: adapter.limits.maxBufferSize,
      maxStorageBufferBindingSize: adapter.limits.maxStorageBufferBindingSize,
      maxComputeWorkgroupStorageSize: adapter.limits.maxComputeWorkgroupStorageSize,
      maxComputeWorkgroupSizeX: adapter.limits.maxComputeWorkgroupSizeX,
      maxComputeInvocationsPerWorkgroup: adapter.limits.maxComputeInvocationsPerWorkgroup,
      maxComputeWorkgroupsPerDimension: adapter.limits.maxComputeWorkgroupsPerDimension,
    },
  });
  return new WebGPUBackend(device, adapter.info);
}
