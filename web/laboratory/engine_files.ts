/**
 * @file A run as files: exported as the directory that the command line reads, in a ZIP archive, and
 * opened from such a directory's files.
 */
import { FormatError, VapoError } from "../../core/errors.ts";
import { encodeZip } from "../../core/formats/zip_writer.ts";
import { checkpointPath, restoreCheckpoint, saveCheckpoint } from "../../core/train/checkpoint.ts";
import { parseConfig, type RunConfig } from "../../core/train/config.ts";
import { parseJson, writeConfig } from "../../core/train/run_directory.ts";
import { memoryStorage, type RunStorage } from "../../core/train/run_storage.ts";
import type { TrainedRun } from "./engine_run.ts";
import type { RunFiles } from "./engine_types.ts";

const encoder = new TextEncoder();

/** The files of a run's directory that a checkpoint's directory is beside. */
const CONFIG = "config.json", METRICS = "metrics.jsonl";

/**
 * The run as `vapo` would have left it at the present step: `config.json`, `metrics.jsonl` and a
 * checkpoint, in a ZIP archive, below a directory of the name given.
 *
 * @throws {VapoError} for a name that is none of a directory
 */
export async function exportedRun(run: TrainedRun, name: string): Promise<Uint8Array> {
  if (!/^[A-Za-z0-9][A-Za-z0-9 _.-]{0,99}$/.test(name)) {
    throw new VapoError(
      `"${name.slice(0, 100)}" is no name for a directory: expected up to 100 letters, digits, ` +
        "spaces and . _ -, the first a letter or a digit",
    );
  }
  const storage = memoryStorage(name);
  await writeConfig(storage, run.config);
  const directory = await run.withState(async (state, step) => {
    const lines = run.metrics.filter((line) => line.step <= step);
    const text = lines.map((line) => JSON.stringify(line) + "\n").join("");
    await storage.write(METRICS, encoder.encode(text));
    await saveCheckpoint(storage, state, step, 1);
    return checkpointPath(step);
  });
  const paths = [CONFIG, METRICS];
  for (const file of await storage.list(directory)) paths.push(`${directory}/${file}`);
  const files = await Promise.all(paths.map(async (path) => ({
    path: `${name}/${path}`,
    content: (await storage.read(path))!,
  })));
  return encodeZip(files);
}

/** A directory in memory that is opened as a run's, and its configuration. */
export interface RunSource {
  readonly config: RunConfig;
  readonly storage: RunStorage;
  /** Whether it was trained elsewhere, maybe on another device. */
  readonly elsewhere: boolean;
}

/**
 * Makes a directory of a run's files.
 *
 * @throws {FormatError} for a configuration that is not JSON
 * @throws {ConfigError} for one that is none
 */
export async function sourceOfFiles(
  { name, config, state, step, metrics = "" }: RunFiles,
): Promise<RunSource> {
  const storage = memoryStorage(name);
  const source = `${name}/${CONFIG}`;
  const parsed = parseConfig(parseJson(config, source), source);
  if (!Number.isSafeInteger(step) || step < 0 || step > parsed.training.steps) {
    throw new FormatError(
      `${name} is at step ${step}: expected a whole number up to the ${parsed.training.steps} steps ` +
        `of its ${CONFIG}`,
    );
  }
  await storage.write(METRICS, encoder.encode(metrics));
  await restoreCheckpoint(storage, step, state);
  return { config: parsed, storage, elsewhere: true };
}
