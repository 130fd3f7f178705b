/**
 * @file `deno task bench:images [NAME…]`: trains the presets of images with `vapo train`, as a user
 * would, and writes how long that took as a table and JSON, with the picture that each run ends
 * with. Presets that are not trained now keep their rows.
 */
import { Command, InvalidArgumentError } from "commander";
import { join } from "@std/path";
import { cpus } from "node:os";
import { writeWhole } from "../cli/run_storage.ts";
import { userPath } from "../cli/user_paths.ts";
import { VapoError } from "../core/errors.ts";
import type { RunConfig } from "../core/train/config.ts";
import { markdownTable } from "./markdown_table.ts";
import { PROJECT, requireSuccess, runVapo, type VapoEvent } from "./vapo_process.ts";

/** Steps of each preset; null leaves them to the preset. */
const trainings: Readonly<Record<string, number | null>> = {
  "mnist": 5000,
  "cifar10-small": null,
};

interface Flags {
  readonly steps?: number;
  readonly data: Readonly<Record<string, string>>;
  readonly out?: string;
}

/** What training a preset took. */
export interface ImagesResult {
  readonly preset: string;
  readonly steps: number;
  readonly batchSize: number;
  /** From the start of the process to its end: compiling, checkpoints and pictures included. */
  readonly wallSeconds: number;
  /** Without the start of the process and the reading of the data. */
  readonly trainingSeconds: number;
  /** Training images a second, by the training seconds. */
  readonly imagesPerSecond: number;
  readonly device: string;
  readonly machine: Machine;
}

interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly deno: string;
}

function thisMachine(): Machine {
  const cpu = cpus()[0]?.model.trim() || "unknown";
  return { cpu, cores: navigator.hardwareConcurrency, deno: Deno.version.deno };
}

function dataDirectory(text: string, before: Record<string, string>): Record<string, string> {
  const [, name, directory] = text.match(/^([^=]+)=(.+)$/) ?? [];
  if (name) return { ...before, [name]: userPath(directory) };
  throw new InvalidArgumentError("expected PRESET=DIR");
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new InvalidArgumentError("expected a whole number from 1 on");
}

/** Trains a preset in a directory of its own, which is removed afterwards. */
async function trainPreset(
  preset: string,
  { steps = trainings[preset] ?? undefined, data }: Flags,
): Promise<{ result: ImagesResult; picture: Uint8Array<ArrayBuffer> }> {
  const parent = await Deno.makeTempDir({ prefix: "vapo-bench-" });
  const run = join(parent, preset);
  try {
    const begin = performance.now();
    const events = await runTrain([
      preset,
      "--out",
      run,
      ...(steps === undefined ? [] : ["--steps", String(steps)]),
      ...(data[preset] === undefined ? [] : ["--data", data[preset]]),
    ]);
    const wallSeconds = (performance.now() - begin) / 1000;
    const config: RunConfig = JSON.parse(await Deno.readTextFile(join(run, "config.json")));
    const start = events.find(({ event }) => event === "start");
    const end = events.find(({ event }) => event === "end");
    const { steps: done, batchSize } = config.training;
    const name = `step-${String(done).padStart(8, "0")}.png`;
    const trainingSeconds = Number(end?.seconds);
    return {
      result: {
        preset,
        steps: done,
        batchSize,
        wallSeconds,
        trainingSeconds,
        imagesPerSecond: done * batchSize / trainingSeconds,
        device: String(start?.device),
        machine: thisMachine(),
      },
      picture: await Deno.readFile(join(run, "samples", name)),
    };
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
}

/** Runs `vapo train` to its end; the events that it told, metrics left out. */
async function runTrain(args: readonly string[]): Promise<VapoEvent[]> {
  const words = ["train", ...args], events: VapoEvent[] = [];
  const end = await runVapo(words, {
    onEvent(event) {
      if (event.event !== "metrics") events.push(event);
      else if (Number(event.step) % 100 === 0) {
        console.error(`${args[0]}: ${JSON.stringify(event)}`);
      }
    },
  });
  requireSuccess(words, end);
  return events;
}

/** The table of all results. */
export function imagesTable(results: readonly ImagesResult[]): string {
  const rows = results.map((result) => [
    result.preset,
    result.steps,
    result.batchSize,
    minutes(result.wallSeconds),
    result.imagesPerSecond.toFixed(0),
    `${result.machine.cores} × ${result.machine.cpu}, ${result.device}`,
  ]);
  const head = ["preset", "steps", "batch", "wall time, min:s", "images a second", "machine"];
  return markdownTable(head, rows) + "\n";
}

function minutes(seconds: number): string {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

async function earlierResults(file: string): Promise<ImagesResult[]> {
  try {
    return JSON.parse(await Deno.readTextFile(file));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

async function report(names: readonly string[], flags: Flags): Promise<void> {
  const out = flags.out && userPath(flags.out);
  const results = out || join(PROJECT, "bench/results");
  const pictures = out || join(PROJECT, "docs/images");
  const unknown = names.find((name) => !Object.hasOwn(trainings, name));
  if (unknown !== undefined) {
    const known = Object.keys(trainings).join(", ");
    throw new VapoError(`no preset "${unknown}" in this report; expected some of: ${known}`);
  }
  const file = join(results, "images.json"), order = Object.keys(trainings);
  const encode = (text: string) => new TextEncoder().encode(text);
  let all = await earlierResults(file);
  for (const name of names.length > 0 ? names : order) {
    const { result, picture } = await trainPreset(name, flags);
    all = [...all.filter(({ preset }) => preset !== name), result]
      .sort((a, b) => order.indexOf(a.preset) - order.indexOf(b.preset));
    await writeWhole(join(pictures, `${name}.png`), picture);
    await writeWhole(file, encode(`${JSON.stringify(all, null, 2)}\n`));
    await writeWhole(join(results, "images.md"), encode(imagesTable(all)));
  }
  console.log(imagesTable(all));
}

if (import.meta.main) {
  const command = new Command("bench:images")
    .description("train the presets of images as a user would, and time it")
    .argument("[preset...]", `some of ${Object.keys(trainings).join(", ")} (default: all)`)
    .option("--steps <n>", "fewer or more steps than the report has", wholeNumber)
    .option("--data <preset=dir>", "where a preset's data is; may be repeated", dataDirectory, {})
    .option("--out <dir>", "write everything there, not into bench/results and docs/images")
    .parse(Deno.args, { from: "user" });
  try {
    await report(command.args, command.opts<Flags>());
  } catch (error) {
    if (!(error instanceof VapoError)) throw error;
    console.error(error.message);
    Deno.exitCode = 2;
  }
}
