/**
 * @file Runs as files that somebody hands in: an exported ZIP archive, or the files of a run's directory
 * as they are. Nothing here needs the core's tensors: the page calls it.
 */
import { FormatError } from "../../core/errors.ts";
import { fileOfBytes } from "../../core/formats/random_access.ts";
import { decodeSafetensors } from "../../core/formats/safetensors.ts";
import { openZip } from "../../core/formats/zip.ts";
import type { RunFiles } from "./engine_types.ts";

/** A file that is handed in, by its name or its path. */
export interface NamedFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Longer files are no run's of points in the plane. */
const MOST_BYTES = 2 ** 28;

const decoder = new TextDecoder();

/**
 * The run in a ZIP archive, such as the laboratory exports: `NAME/config.json`, `NAME/metrics.jsonl`
 * and `NAME/checkpoints/step-…/state.safetensors`, of several checkpoints the newest.
 *
 * @param bytes the archive
 * @param source how it is called in messages
 * @throws {FormatError} where it is no archive, damaged, or without a configuration or a checkpoint
 */
export async function readRunArchive(bytes: Uint8Array, source = "archive"): Promise<RunFiles> {
  const archive = await openZip(fileOfBytes(bytes, source), { maxEntryBytes: MOST_BYTES });
  const entries = archive.entries.filter(({ path }) => isRunFile(path));
  const checkpoint = newest(entries.map(({ path }) => path));
  const wanted = entries.filter(({ path }) => !path.endsWith(STATE) || path === checkpoint);
  const files: NamedFile[] = [];
  for (const entry of wanted) {
    files.push({ name: entry.path, bytes: await archive.read(entry) });
  }
  return readRunFiles(files, source);
}

/**
 * The run in files of its directory: `config.json` and `state.safetensors`, and `metrics.jsonl` where
 * it is there.
 *
 * @param files by name or path; of several checkpoints' the newest is taken
 * @param source how they are called in messages
 * @throws {FormatError} where one of the two is not there, or the state does not say its step
 */
export function readRunFiles(files: readonly NamedFile[], source = "run"): RunFiles {
  const find = (end: string) =>
    files.filter(({ name }) => lastPart(name) === end)
      .sort((a, b) => a.name.length - b.name.length)[0];
  const config = find(CONFIG), metrics = find(METRICS);
  const path = newest(files.map(({ name }) => name));
  const state = files.find(({ name }) => name === path);
  if (!config || !state) {
    throw new FormatError(
      `${source} has no ${
        config ? STATE : CONFIG
      }: expected a run's directory with config.json and ` +
        "checkpoints/step-…/state.safetensors, or these two files",
    );
  }
  return {
    name: nameOf(config.name, source),
    config: decoder.decode(config.bytes),
    state: state.bytes,
    step: stepOfPath(state.name) ?? stepOfState(state.bytes, `${source}: ${state.name}`),
    ...(metrics && { metrics: decoder.decode(metrics.bytes) }),
  };
}

const CONFIG = "config.json", METRICS = "metrics.jsonl", STATE = "state.safetensors";

function lastPart(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function isRunFile(path: string): boolean {
  return [CONFIG, METRICS, STATE].includes(lastPart(path));
}

/** The state of the newest checkpoint among paths; one that is in no checkpoint's directory will do. */
function newest(paths: readonly string[]): string | undefined {
  return paths.filter((path) => lastPart(path) === STATE)
    .sort((a, b) => (stepOfPath(b) ?? -1) - (stepOfPath(a) ?? -1))[0];
}

function stepOfPath(path: string): number | null {
  const match = /(?:^|\/)step-(\d{8,})\/[^/]*$/.exec(path);
  return match ? Number(match[1]) : null;
}

/** What the state itself says of its step. */
function stepOfState(bytes: Uint8Array, source: string): number {
  const { step } = decodeSafetensors(bytes, source).metadata;
  if (step !== undefined && /^\d{1,15}$/.test(step)) return Number(step);
  throw new FormatError(
    `${source} does not say which step it is of: expected the state of a checkpoint of vapo's`,
  );
}

/** The directory that config.json is in, else what the whole is called. */
function nameOf(config: string, source: string): string {
  const parts = config.split("/");
  return parts.at(-2) ?? lastPart(source).replace(/\.zip$/i, "");
}
