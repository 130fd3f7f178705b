/**
 * @file `deno task bench:starts [NAME…]`: whether each preset of image scale starts on a CPU, takes
 * ten steps at a batch of two, stops at Ctrl-C and goes on to the end; with the memory and the time
 * that takes. Sets are a few dozen random images, in the layouts of the real ones and prepared by
 * `vapo data`; they are placed as the whole sets would be. Each result is written as soon as it is
 * there, and a report that was stopped goes on with the presets that are left.
 */
import { Command } from "commander";
import { fromFileUrl, join } from "@std/path";
import { cpus } from "node:os";
import type { DataSetName } from "../cli/data/data_sets.ts";
import { exitCodes } from "../cli/failures.ts";
import { listenForInterruption } from "../cli/interruption.ts";
import { writeWhole } from "../cli/run_storage.ts";
import { VapoError } from "../core/errors.ts";
import { byteSize } from "../core/formats/byte_size.ts";
import { imagePresets } from "../core/train/image_presets.ts";
import { markdownTable } from "./markdown_table.ts";
import { writeSource } from "./starts_sources.ts";
import { requireSuccess, runVapo, type VapoEvent, type VapoProcess } from "./vapo_process.ts";

const RESULTS = fromFileUrl(new URL("./results/", import.meta.url));
const STEPS = 10;
const BATCH = 2;
/** Ctrl-C comes when this step is seen; the run stops a step or two later. */
const INTERRUPTED_AFTER = 6;
/** Sets that lie on the device, as a whole CIFAR-10 does; this one of the others too, to have both. */
const RESIDENT = ["cifar10-small", "cifar10", "cifar10-stein", "cifar10-unet", "celeba64-stein"];

const names = Object.keys(imagePresets);

/** How a preset's first steps went. */
export interface StartResult {
  readonly preset: string;
  /** Where its images were. */
  readonly placement: "device" | "stream";
  /** Bytes of device memory that its step takes at the batch size here. */
  readonly memoryBytes: number | null;
  /** The most memory that one of its two processes had. */
  readonly peakResidentBytes: number | null;
  /** From the start of the process to the end of the first step. */
  readonly secondsToFirstStep: number | null;
  /** The median over the steps; checkpoints and pictures are not in it. */
  readonly secondsPerStep: number | null;
  /** The step at which Ctrl-C stopped it. */
  readonly stoppedAt: number | null;
  /** Notices, such as of a picture that was left out. */
  readonly notices: readonly string[];
  /** What went wrong; left out where nothing did. */
  readonly error?: string;
  readonly machine: string;
}

/** What one process of training told. */
export interface Sitting {
  readonly code: number;
  readonly lastWords: string;
  readonly events: readonly VapoEvent[];
  readonly peakResidentBytes: number | null;
  readonly secondsToFirstStep: number | null;
}

/** Trains in a process, which is interrupted once a step is seen. */
async function sit(
  args: readonly string[],
  signal: AbortSignal,
  interruptAfter = Infinity,
): Promise<Sitting> {
  const events: VapoEvent[] = [];
  const begin = performance.now();
  let peakResidentBytes: number | null = null, secondsToFirstStep: number | null = null;
  const onEvent = async (event: VapoEvent, process: VapoProcess) => {
    events.push(event);
    peakResidentBytes = await process.peakResidentBytes() ?? peakResidentBytes;
    if (event.event !== "metrics") return;
    secondsToFirstStep ??= (performance.now() - begin) / 1000;
    console.error(`  step ${event.step}, loss ${event.loss}`);
    if (event.step === interruptAfter) process.interrupt();
  };
  const { code, lastWords } = await runVapo(["train", ...args], { onEvent, signal });
  signal.throwIfAborted();
  return { code, lastWords, events, peakResidentBytes, secondsToFirstStep };
}

/** Trains a preset in two sittings, in a directory that is removed afterwards. */
async function startPreset(
  preset: string,
  data: string,
  parent: string,
  signal: AbortSignal,
): Promise<StartResult> {
  const placement = RESIDENT.includes(preset) ? "device" : "stream";
  const run = join(parent, `run-${preset}`);
  const settings = {
    "data.placement": placement,
    "sampling.n": 2,
    "sampling.solver": "euler",
    "sampling.steps": 2,
    "training.checkpointEvery": STEPS / 2,
    "training.logEvery": 1,
  };
  const args = [preset, "--data", data, "--out", run, "--device", "wasm"]
    .concat(["--batch", String(BATCH), "--steps", String(STEPS)])
    .concat(Object.entries(settings).flatMap(([key, value]) => ["--set", `${key}=${value}`]));
  try {
    const first = await sit(args, signal, INTERRUPTED_AFTER);
    const second = first.code === exitCodes.interrupted
      ? await sit(["--resume", run], signal)
      : null;
    const sittings = second ? [first, second] : [first];
    const events = sittings.flatMap(({ events }) => events);
    const peaks = sittings.flatMap(({ peakResidentBytes: peak }) => peak === null ? [] : [peak]);
    const error = mistakeOf(first, second, second ? await metricsOf(run) : []);
    return {
      preset,
      placement,
      memoryBytes: numbers(events, "ready", "memoryBytes").at(0) ?? null,
      peakResidentBytes: peaks.length > 0 ? Math.max(...peaks) : null,
      secondsToFirstStep: first.secondsToFirstStep,
      secondsPerStep: median(
        numbers(events, "metrics", "samplesPerSecond").map((speed) => BATCH / speed),
      ),
      stoppedAt: numbers(first.events, "end", "step").at(0) ?? null,
      notices: events.flatMap(({ event, message }) => event === "notice" ? [String(message)] : []),
      ...(error !== null && { error }),
      machine: `${navigator.hardwareConcurrency} × ${cpus()[0]?.model.trim() || "unknown"}`,
    };
  } finally {
    await removeIfThere(run);
  }
}

/**
 * What is wrong with a run that was to be stopped once and to come to its end; null where nothing.
 *
 * @param first the sitting that was interrupted
 * @param second the one that went on; null where the first did not end by the interrupt
 * @param metrics the lines of metrics.jsonl
 */
export function mistakeOf(
  first: Sitting,
  second: Sitting | null,
  metrics: readonly { readonly step: number; readonly loss: unknown }[],
): string | null {
  if (!second) {
    return first.code === exitCodes.success
      ? `was not stopped by an interrupt after step ${INTERRUPTED_AFTER}`
      : `code ${first.code}: ${first.lastWords}`;
  }
  if (second.code !== exitCodes.success) return `resumed, code ${second.code}: ${second.lastWords}`;
  const [stopped] = numbers(first.events, "end", "step");
  const [resumed] = numbers(second.events, "start", "step");
  if (resumed !== stopped) return `stopped at step ${stopped}, went on from ${resumed}`;
  const end = second.events.at(-1);
  if (end?.event !== "end" || end.step !== STEPS || end.finished !== true) {
    return `did not end at step ${STEPS}: ${JSON.stringify(end)}`;
  }
  const steps = metrics.map(({ step }) => step).join(", ");
  const expected = Array.from({ length: STEPS }, (_, i) => i + 1).join(", ");
  if (steps !== expected) return `metrics.jsonl has the steps ${steps}`;
  const bad = metrics.find(({ loss }) => !Number.isFinite(loss));
  return bad ? `the loss of step ${bad.step} is ${bad.loss}` : null;
}

async function metricsOf(run: string): Promise<{ step: number; loss: unknown }[]> {
  const text = await Deno.readTextFile(join(run, "metrics.jsonl"));
  return text.trim().split("\n").map((line) => JSON.parse(line));
}

/** A number of each event of a kind. */
function numbers(events: readonly VapoEvent[], kind: string, key: string): number[] {
  return events.flatMap((event) => {
    const value = event.event === kind ? event[key] : undefined;
    return typeof value === "number" ? [value] : [];
  });
}

function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a - b), middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** The prepared set of a preset below a directory, made where it is not there yet. */
async function preparedSet(preset: string, parent: string, signal: AbortSignal): Promise<string> {
  const name = imagePresets[preset].values["data.name"][0] as DataSetName;
  const directory = join(parent, name), source = join(parent, `source-${name}`);
  try {
    await Deno.stat(directory);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    await writeSource(name, source);
    const args = ["data", name, "--source", source, "--out", directory, "--unverified"];
    const end = await runVapo(args, { signal });
    signal.throwIfAborted();
    requireSuccess(args, end);
  }
  return directory;
}

/** The table of all results. */
export function startsTable(results: readonly StartResult[]): string {
  const bytes = (value: number | null) => value === null ? "–" : byteSize(value);
  const seconds = (value: number | null) => value === null ? "–" : value.toPrecision(3);
  const rows = results.map((result) => [
    result.preset,
    result.placement,
    bytes(result.memoryBytes),
    bytes(result.peakResidentBytes),
    seconds(result.secondsToFirstStep),
    seconds(result.secondsPerStep),
    result.error ?? `stopped at ${result.stoppedAt}, ended at ${STEPS}`,
  ]);
  const head = [
    "preset",
    "images",
    "device memory",
    "peak resident",
    "first step after, s",
    "a step, s",
    "outcome",
  ];
  return markdownTable(head, rows) + "\n";
}

async function earlierResults(file: string): Promise<StartResult[]> {
  try {
    return JSON.parse(await Deno.readTextFile(file));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** The report on some presets; on those without a good result where none is named. */
async function report(chosen: readonly string[], again: boolean): Promise<readonly StartResult[]> {
  const unknown = chosen.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new VapoError(`no preset "${unknown}" here; expected some of: ${names.join(", ")}`);
  }
  const file = join(RESULTS, "starts.json"),
    encode = (text: string) => new TextEncoder().encode(text);
  let all = await earlierResults(file);
  const done = again ? [] : all.filter(({ error }) => !error).map(({ preset }) => preset);
  const due = chosen.length > 0 ? chosen : names.filter((name) => !done.includes(name));
  using interruption = listenForInterruption(() => console.error("stopping"));
  const { signal } = interruption;
  const parent = await Deno.makeTempDir({ prefix: "vapo-starts-" });
  try {
    for (const preset of due) {
      console.error(preset);
      const data = await preparedSet(preset, parent, signal);
      const result = await startPreset(preset, data, parent, signal);
      all = [...all.filter((other) => other.preset !== preset), result]
        .sort((a, b) => names.indexOf(a.preset) - names.indexOf(b.preset));
      await writeWhole(file, encode(`${JSON.stringify(all, null, 2)}\n`));
      await writeWhole(join(RESULTS, "starts.md"), encode(startsTable(all)));
    }
  } catch (error) {
    if (!signal.aborted || error !== signal.reason) throw error;
    throw new VapoError("stopped; the same command goes on with the presets that are left");
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
  return all;
}

if (import.meta.main) {
  const command = new Command("bench:starts")
    .description("start, stop and resume the presets of image scale at a batch of two")
    .argument("[preset...]", "some of them (default: those without a good result)")
    .option("--again", "all of them, also those with a good result")
    .parse(Deno.args, { from: "user" });
  try {
    const results = await report(command.args, command.opts<{ again?: boolean }>().again ?? false);
    console.log(startsTable(results));
    if (results.some(({ error }) => error)) Deno.exitCode = 1;
  } catch (error) {
    if (!(error instanceof VapoError)) throw error;
    console.error(error.message);
    Deno.exitCode = 2;
  }
}
