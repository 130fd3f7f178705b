/**
 * @file The lines of a run's .jsonl files: which of them count, and the end of a file that may be long.
 */
import type { EvaluationLine, MetricsLine, SpeedLine } from "../../core/train/run_directory.ts";

/** A line of any of the files. */
export type RunLine = MetricsLine | SpeedLine | EvaluationLine;

/** What a run's events are called, each with its file. */
export const lineFiles = {
  metrics: "metrics.jsonl",
  speed: "speed.jsonl",
  evaluations: "evaluations.jsonl",
} as const;

/** The kind of a line. */
export type LineKind = keyof typeof lineFiles;

/** All kinds. */
export const lineKinds = Object.keys(lineFiles) as LineKind[];

/**
 * A line read, or null where it is none of its kind: cut off in the middle, or anything else.
 *
 * @param text without its line break
 */
export function parseLine(kind: LineKind, text: string): RunLine | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  return isLine(kind, value) ? value : null;
}

function isLine(kind: LineKind, value: unknown): value is RunLine {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const line = value as Record<string, unknown>;
  if (!Number.isSafeInteger(line.step) || (line.step as number) < 0) return false;
  switch (kind) {
    case "metrics":
      return Object.values(line).every((number) => typeof number === "number");
    case "speed":
      return typeof line.samplesPerSecond === "number" && typeof line.waitMilliseconds === "number";
    case "evaluations":
      return typeof line.metric === "string" && typeof line.value === "number";
  }
}

/** What the end of a file tells of it. */
export interface FileEnd {
  /** The last whole line of its kind, or null where the end has none. */
  readonly last: RunLine | null;
  /** Whether a whole line there is none of its kind. */
  readonly damaged: boolean;
}

/** How much of a file's end is read: some hundred lines. */
const END_BYTES = 2 ** 14;

/**
 * Reads the end of a file, however long it is. What comes after its last line break is a line that is
 * being written.
 *
 * @param path a real path
 */
export async function readFileEnd(kind: LineKind, path: string): Promise<FileEnd> {
  const text = await readTail(path, END_BYTES);
  const lines = text.slice(0, text.lastIndexOf("\n") + 1).split("\n").slice(0, -1);
  const read = lines.map((line) => parseLine(kind, line));
  return { last: read.findLast((line) => line !== null) ?? null, damaged: read.includes(null) };
}

/** The last bytes of a file as text; where it is longer, from the first line that begins in them. */
export async function readTail(path: string, bytes: number): Promise<string> {
  using file = await Deno.open(path, { read: true });
  const { size } = await file.stat();
  const start = Math.max(0, size - bytes);
  const text = new TextDecoder().decode(await readAt(file, start, size - start));
  return start === 0 ? text : text.slice(text.indexOf("\n") + 1);
}

/** Bytes of a file from a place on; fewer where it ends before. */
export async function readAt(
  file: Deno.FsFile,
  offset: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  await file.seek(offset, Deno.SeekMode.Start);
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const read = await file.read(bytes.subarray(done));
    if (read === null) break;
    done += read;
  }
  return bytes.subarray(0, done);
}
