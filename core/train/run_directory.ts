/**
 * @file A run's directory: `config.json`, `metrics.jsonl`, `checkpoints/`, `samples/`. Metrics are a
 * function of the configuration, so they hold no clock; on resuming, the lines that the run will
 * write again are taken back first. How fast a run goes is in a file of its own, `speed.jsonl`, and
 * evaluations are in `evaluations.jsonl`.
 */
import { FormatError, VapoError } from "../errors.ts";
import { checkpointSteps } from "./checkpoint.ts";
import { parseConfig, type RunConfig } from "./config.ts";
import type { RunStorage } from "./run_storage.ts";

const CONFIG = "config.json";
const METRICS = "metrics.jsonl";
const SPEED = "speed.jsonl";
const EVALUATIONS = "evaluations.jsonl";

const encoder = new TextEncoder(), decoder = new TextDecoder();

/**
 * One line of `metrics.jsonl`: the steps done, and numbers by name, those of {@link StepMetrics} and,
 * for data that is a Gaussian mixture, of {@link energyExcess}.
 */
export type MetricsLine = { step: number } & Record<string, number>;

/**
 * Writes a new run's configuration, `config.json`: the first thing in a run's directory.
 *
 * @param storage the run's directory
 * @param config the whole of it
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { memoryStorage, presetConfig, writeConfig } from "vapo";
 * const storage = memoryStorage();
 * await writeConfig(storage, presetConfig("rings"));
 * const text = new TextDecoder().decode(await storage.read("config.json") ?? undefined);
 * assertEquals(JSON.parse(text), presetConfig("rings"));
 * ```
 */
export async function writeConfig(storage: RunStorage, config: RunConfig): Promise<void> {
  await storage.write(CONFIG, encoder.encode(JSON.stringify(config, null, 2) + "\n"));
}

/**
 * The configuration of an existing run.
 *
 * @param storage the run's directory
 * @throws {VapoError} when the directory is not a run's
 * @throws {FormatError} when its `config.json` is not JSON
 * @throws {ConfigError} when its `config.json` is not a configuration
 * @example
 * ```ts
 * import { assertEquals, assertRejects } from "@std/assert";
 * import { memoryStorage, presetConfig, readConfig, VapoError, writeConfig } from "vapo";
 * const storage = memoryStorage("runs/rings");
 * await assertRejects(() => readConfig(storage), VapoError, "runs/rings is not a run");
 * await writeConfig(storage, presetConfig("rings"));
 * assertEquals(await readConfig(storage), presetConfig("rings"));
 * ```
 */
export async function readConfig(storage: RunStorage): Promise<RunConfig> {
  const bytes = await storage.read(CONFIG);
  const source = `${storage.location}/${CONFIG}`;
  if (!bytes) {
    throw new VapoError(
      `${storage.location} is not a run: it has no ${CONFIG}; start one with "vapo train"`,
    );
  }
  return parseConfig(parseJson(decoder.decode(bytes), source), source);
}

/** JSON whose {@link FormatError} names the file. */
export function parseJson(text: string, source: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = (error as Error).message.split("\n")[0];
    throw new FormatError(`${source} is not JSON: ${reason}; mend it or restore it from a copy`);
  }
}

/**
 * One line of `speed.jsonl`, on the steps since the line before it: samples a second (saving, drawing
 * and evaluating not counted), and how long a step waited for its data on the average.
 */
export interface SpeedLine {
  readonly step: number;
  readonly samplesPerSecond: number;
  readonly waitMilliseconds: number;
}

/** What a value is a function of beside a run's parameters: samples, solver, features … */
export type EvaluatedOf = Readonly<Record<string, string | number | boolean | null>>;

/** One line of `evaluations.jsonl`. */
export interface EvaluationLine {
  readonly step: number;
  readonly metric: string;
  readonly value: number;
  /** Only values of the same are compared. Runs of earlier versions have not noted it. */
  readonly of?: EvaluatedOf;
}

/** Adds a line to `metrics.jsonl`. */
export async function appendMetrics(storage: RunStorage, line: MetricsLine): Promise<void> {
  await appendLine(storage, METRICS, line);
}

/** Adds a line to `speed.jsonl`. */
export async function appendSpeed(storage: RunStorage, line: SpeedLine): Promise<void> {
  await appendLine(storage, SPEED, line);
}

/** Adds a line to `evaluations.jsonl`. */
export async function appendEvaluation(storage: RunStorage, line: EvaluationLine): Promise<void> {
  await appendLine(storage, EVALUATIONS, line);
}

async function appendLine(storage: RunStorage, file: string, line: object): Promise<void> {
  await storage.append(file, encoder.encode(JSON.stringify(line) + "\n"));
}

/**
 * The metrics of a run, oldest first; a last line that was cut off is left out, and a run without
 * metrics has none.
 *
 * @param storage the run's directory
 * @throws {FormatError} when a line is not JSON
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { memoryStorage, readMetrics } from "vapo";
 * const storage = memoryStorage();
 * const lines = '{"step":50,"loss":-1.5}\n{"step":100,"lo'; // the power failed here
 * await storage.write("metrics.jsonl", new TextEncoder().encode(lines));
 * assertEquals(await readMetrics(storage), [{ step: 50, loss: -1.5 }]);
 * ```
 */
export async function readMetrics(storage: RunStorage): Promise<MetricsLine[]> {
  return await readLines(storage, METRICS) as MetricsLine[];
}

/**
 * The evaluations of a run, oldest first; see {@link readMetrics}.
 *
 * @param storage the run's directory
 * @throws {FormatError} when a line is not JSON
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { memoryStorage, readEvaluations } from "vapo";
 * const storage = memoryStorage();
 * const line = '{"step":100,"metric":"fid","value":16.6}\n';
 * await storage.write("evaluations.jsonl", new TextEncoder().encode(line));
 * assertEquals(await readEvaluations(storage), [{ step: 100, metric: "fid", value: 16.6 }]);
 * ```
 */
export async function readEvaluations(storage: RunStorage): Promise<EvaluationLine[]> {
  return await readLines(storage, EVALUATIONS) as unknown as EvaluationLine[];
}

async function readLines(storage: RunStorage, file: string): Promise<{ step: number }[]> {
  const bytes = await storage.read(file);
  if (!bytes) return [];
  const complete = decoder.decode(bytes).split("\n").slice(0, -1);
  return complete.map((line, index) =>
    parseJson(line, `${storage.location}/${file}, line ${index + 1}`) as { step: number }
  );
}

/**
 * Takes back the metrics after a step, which a run resumed there writes again.
 *
 * @returns the step of the last line that is left, 0 where there is none
 */
export async function rewindMetrics(storage: RunStorage, step: number): Promise<number> {
  return await rewindLines(storage, METRICS, step);
}

/**
 * Takes back what else was noted after a step, evaluations and speeds. Speeds are no result: of them,
 * what cannot be read is left out.
 */
export async function rewindNotes(storage: RunStorage, step: number): Promise<void> {
  if (await storage.read(EVALUATIONS) !== null) await rewindLines(storage, EVALUATIONS, step);
  const speeds = await storage.read(SPEED);
  if (speeds === null) return;
  const kept = decoder.decode(speeds).split("\n").filter((line) => stepOfLine(line) <= step);
  await storage.write(SPEED, encoder.encode(kept.map((line) => line + "\n").join("")));
}

/** The step of a line of JSON; infinite where it cannot be read. */
function stepOfLine(line: string): number {
  try {
    return JSON.parse(line).step;
  } catch {
    return Infinity;
  }
}

async function rewindLines(storage: RunStorage, file: string, step: number): Promise<number> {
  const kept = (await readLines(storage, file)).filter((line) => line.step <= step);
  const text = kept.map((line) => JSON.stringify(line) + "\n").join("");
  await storage.write(file, encoder.encode(text));
  return kept.at(-1)?.step ?? 0;
}

/** The newest checkpoint's step, or null where a run has none yet. */
export async function newestCheckpoint(storage: RunStorage): Promise<number | null> {
  return (await checkpointSteps(storage)).at(-1) ?? null;
}
