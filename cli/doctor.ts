/**
 * @file `vapo doctor`: what this machine has to compute with, and which device `auto` takes.
 */
import { cpus } from "node:os";
import { Command } from "commander";
import manifest from "../deno.json" with { type: "json" };
import {
  type AdapterDescription,
  chooseDevice,
  type DeviceInfo,
  findAdapter,
  openDevice,
  tf,
} from "../core/tensor/mod.ts";
import { hasRelaxedSimd, i32x4, ModuleBuilder } from "../core/jit/wasm/assembler.ts";
import { byteSize } from "../core/formats/byte_size.ts";
import { canShareMemory } from "../core/tensor/threads.ts";
import { silenceGraphicsDrivers } from "./device.ts";
import { standardOutput } from "./terminal.ts";

/** The command. */
export function doctorCommand(): Command {
  return new Command("doctor")
    .description("show what this machine has to compute with")
    .option("--json", "print one JSON object")
    .action(async ({ json }: { json?: boolean }) => {
      const examination = await examine();
      const text = json ? JSON.stringify(examination) : describe(examination);
      standardOutput.line(text);
    });
}

interface Examination {
  readonly vapo: string;
  readonly deno: string;
  readonly v8: string;
  readonly system: string;
  readonly processor: string;
  readonly cores: number;
  /** In bytes. */
  readonly memory: number;
  readonly adapter: (AdapterDescription & { readonly limits: Record<string, number> }) | null;
  readonly simd: boolean;
  readonly relaxedSimd: boolean;
  readonly sharedMemory: boolean;
  readonly auto: Pick<DeviceInfo, "name" | "reason">;
  /** Billions of floating-point operations a second in a matrix product, or why there are none. */
  readonly speed: Record<string, number | string>;
}

async function examine(): Promise<Examination> {
  silenceGraphicsDrivers();
  const { name, reason } = await chooseDevice("auto");
  const adapter = await describeAdapter();
  const devices = ["wasm", ...(adapter ? ["webgpu"] : []), "cpu"] as const;
  const speed: Record<string, number | string> = {};
  for (const device of devices) speed[device] = await matrixProductSpeed(device as "wasm");
  return {
    vapo: manifest.version,
    deno: Deno.version.deno,
    v8: Deno.version.v8,
    system: `${Deno.build.os} ${Deno.osRelease()} ${Deno.build.arch}`,
    processor: cpus()[0]?.model ?? "unknown",
    cores: navigator.hardwareConcurrency,
    memory: Deno.systemMemoryInfo().total,
    adapter,
    simd: hasSimd(),
    relaxedSimd: hasRelaxedSimd(),
    sharedMemory: canShareMemory(),
    auto: { name, reason },
    speed,
  };
}

const limitNames = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupsPerDimension",
] as const;

async function describeAdapter(): Promise<Examination["adapter"]> {
  const found = await findAdapter();
  if (!found) return null;
  const limits = limitNames.map((name) => [name, found.adapter.limits[name]] as const);
  return { ...found.description, limits: Object.fromEntries(limits) };
}

/** Whether the engine has the fixed-width SIMD proposal: asked with a module that uses it. */
function hasSimd(): boolean {
  const module = new ModuleBuilder();
  module.function("probe", [], ["v128"]).body(i32x4.const(0));
  return WebAssembly.validate(module.encode({ pages: 1, shared: false }));
}

const SIZE = 256;
const REPETITIONS = 5;

/** The best of a few products of two square matrices; the answer is read back each time. */
async function matrixProductSpeed(device: "wasm" | "webgpu" | "cpu"): Promise<number | string> {
  try {
    await openDevice(device);
    const a = tf.fill([SIZE, SIZE], 0.5), b = tf.fill([SIZE, SIZE], 0.25);
    let best = Infinity;
    for (let i = 0; i <= REPETITIONS; i++) {
      const begin = performance.now();
      const product = tf.matMul(a, b);
      await product.data();
      const seconds = (performance.now() - begin) / 1000;
      if (i > 0) best = Math.min(best, seconds); // the first one compiles
      product.dispose();
    }
    tf.dispose([a, b]);
    return Number((2 * SIZE ** 3 / best / 1e9).toPrecision(2));
  } catch (error) {
    return (error as Error).message.split("\n")[0];
  }
}

function describe(found: Examination): string {
  const yes = (value: boolean) => value ? "yes" : "no";
  const { adapter } = found;
  const rows: [string, string][] = [
    ["vapo", `${found.vapo}, Deno ${found.deno}, V8 ${found.v8}`],
    ["system", found.system],
    ["processor", `${found.processor}, ${found.cores} cores`],
    ["memory", byteSize(found.memory)],
    ["SIMD", `${yes(found.simd)}; relaxed: ${yes(found.relaxedSimd)}`],
    ["threads", `${found.cores} cores; shared memory: ${yes(found.sharedMemory)}`],
    ["WebGPU", adapter ? describeKind(adapter) : "no adapter"],
    ...Object.entries(adapter?.limits ?? {}).map(([name, value]): [string, string] => [
      "",
      `${name} ${value >= 2 ** 20 ? byteSize(value) : value}`,
    ]),
    ...Object.entries(found.speed).map(([device, speed], i): [string, string] => [
      i === 0 ? "speed" : "",
      `${device.padEnd(6)} ${typeof speed === "number" ? `${speed} GFLOP/s` : speed}`,
    ]),
    ["auto", `${found.auto.name}: ${found.auto.reason}`],
  ];
  return rows.map(([name, value]) => `${name.padEnd(9)}  ${value}`).join("\n");
}

function describeKind({ description, vendor, architecture, software }: AdapterDescription): string {
  const name = description || [vendor, architecture].filter(Boolean).join(" ") || "unnamed";
  return `${name}, ${software ? "software" : "hardware"}`;
}
