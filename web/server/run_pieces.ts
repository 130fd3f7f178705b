/**
 * @file The pieces that a run's directory is known by: configuration, the end of its metrics,
 * checkpoints, samples, evaluations. Each is read on its own, and read again only when it has changed;
 * what cannot be read is told in a line.
 */
import { fileError } from "../../cli/file_errors.ts";
import { VapoError } from "../../core/errors.ts";
import { evaluationSchema } from "../../core/evaluation/document.ts";
import { parseConfig, type RunConfig } from "../../core/train/config.ts";
import { parseJson } from "../../core/train/run_directory.ts";
import type { RunEvaluation } from "../runs/run_types.ts";
import { lineFiles, readFileEnd } from "./json_lines.ts";
import { memoryCache } from "./memory_cache.ts";
import { oneLine } from "./refusal.ts";
import { findFile, findInside, type RunPlace } from "./run_paths.ts";

/** A piece of what is known of a run, or why it is not. */
export interface Piece<T> {
  readonly value: T;
  readonly problem: string | null;
}

/** Something in a run's directory that is about to be read. */
interface PieceFile {
  readonly path: string;
  readonly info: Deno.FileInfo;
  /** How it is called in messages. */
  readonly shown: string;
}

/**
 * Reads something of a run, or remembers it.
 *
 * @param path names joined by /
 * @param otherwise the value where there is nothing of that name, or where it cannot be read
 */
export type PieceReader = <T>(
  place: RunPlace,
  path: string,
  otherwise: T,
  read: (file: PieceFile) => Promise<T>,
) => Promise<Piece<T>>;

/** Configurations and evaluations are short; what is longer is not one. */
const LONGEST_DOCUMENT = 2 ** 23;
/** What was changed so short ago may change again without its time showing it: milliseconds. */
const UNSETTLED = 2000;
/** The pieces that are remembered: those of some thousand runs. */
const PIECES = 20_000;

/** Makes a reader of pieces, with a memory of its own. */
export function pieceReader(): PieceReader {
  const known = memoryCache<{ signature: string; piece: Piece<unknown> }>(PIECES);
  return async <T>(
    { name, directory }: RunPlace,
    path: string,
    otherwise: T,
    read: (file: PieceFile) => Promise<T>,
  ): Promise<Piece<T>> => {
    const shown = `${name}/${path}`, key = `${directory}\0${path}`;
    try {
      const found = await findInside(directory, path);
      if (!found) return { value: otherwise, problem: null };
      const signature = signatureOf(found.info), before = known.get(key);
      if (before?.signature === signature) return before.piece as Piece<T>;
      const piece = await explained(shown, otherwise, () => read({ ...found, shown }));
      const age = Date.now() - (found.info.mtime?.getTime() ?? Infinity);
      if (age > UNSETTLED) known.set(key, { signature, piece });
      return piece;
    } catch (error) {
      return { value: otherwise, problem: problemOf(shown, error) };
    }
  };
}

async function explained<T>(
  shown: string,
  otherwise: T,
  read: () => Promise<T>,
): Promise<Piece<T>> {
  try {
    return { value: await read(), problem: null };
  } catch (error) {
    return { value: otherwise, problem: problemOf(shown, error) };
  }
}

/** Why something could not be read, in a line. */
export function problemOf(shown: string, error: unknown): string {
  const told = fileError("read", shown, error);
  return oneLine(told instanceof Error ? told.message : String(told));
}

function signatureOf({ ino, size, mtime }: Deno.FileInfo): string {
  return `${ino} ${size} ${mtime?.getTime()}`;
}

/** The run's configuration. */
export function configPiece(read: PieceReader, place: RunPlace): Promise<Piece<RunConfig | null>> {
  return read<RunConfig | null>(place, "config.json", null, async (file) => {
    return parseConfig(parseJson(await documentText(file), file.shown), file.shown);
  });
}

/** What the end of the metrics says. */
export interface MetricsEnd {
  readonly step: number | null;
  readonly loss: number | null;
  /** When they last grew: milliseconds since 1970. */
  readonly modified: number | null;
}

/** The end of the run's metrics. */
export async function metricsPiece(
  read: PieceReader,
  place: RunPlace,
): Promise<Piece<MetricsEnd>> {
  const path = lineFiles.metrics, none = { step: null, loss: null, modified: null, damaged: false };
  const { value, problem } = await read<MetricsEnd & { damaged: boolean }>(
    place,
    path,
    none,
    async (file) => {
      requireFile(file);
      const { last, damaged } = await readFileEnd("metrics", file.path);
      const loss = last && "loss" in last ? last.loss : null;
      return { step: last?.step ?? null, loss, modified: file.info.mtime!.getTime(), damaged };
    },
  );
  const torn = value.damaged ? `${place.name}/${path} has lines that cannot be read` : null;
  return { value, problem: problem ?? torn };
}

/** Steps that names in a directory of the run stand for, ascending. */
export function stepsPiece(
  read: PieceReader,
  place: RunPlace,
  directory: "checkpoints" | "samples",
): Promise<Piece<readonly number[]>> {
  const pattern = directory === "samples" ? /^step-(\d{8,15})\.png$/ : /^step-(\d{8,15})$/;
  return read<readonly number[]>(place, directory, [], async (file) => {
    const steps = (await namesIn(file)).map((name) => pattern.exec(name)?.[1]);
    return steps.filter((step) => step !== undefined).map(Number).sort((a, b) => a - b);
  });
}

/** The step of the checkpoint that evaluations have chosen. */
export function bestPiece(read: PieceReader, place: RunPlace): Promise<Piece<number | null>> {
  return read<number | null>(place, "checkpoints/best/state.json", null, async (file) => {
    const { step } = parseJson(await documentText(file), file.shown) as { step?: unknown };
    if (Number.isSafeInteger(step)) return step as number;
    throw new VapoError(`${file.shown} is damaged: expected the step it is of`);
  });
}

/** A step's name in `checkpoints` and `samples`. */
export function stepName(step: number): string {
  return `step-${String(step).padStart(8, "0")}`;
}

/** Why a run cannot go on from its newest checkpoint, as far as is seen without reading that. */
export async function checkpointProblem(
  { name, directory }: RunPlace,
  step: number | undefined,
): Promise<string | null> {
  if (step === undefined) return null;
  const path = `checkpoints/${stepName(step)}`;
  try {
    for (const file of ["state.json", "state.safetensors"]) {
      const found = await findFile(directory, `${path}/${file}`);
      // A checkpoint that has just made room for newer ones is none.
      if (found?.info.size || !await findInside(directory, path)) continue;
      return `${name}/${path} is damaged: it has no ${file}; remove that directory`;
    }
    return null;
  } catch (error) {
    return problemOf(`${name}/${path}`, error);
  }
}

/** What evaluations of a run have found, and where the files of the newest one are. */
export interface EvaluationPiece extends Piece<RunEvaluation | null> {
  /** A path in the run; null where there is none. */
  readonly directory: string | null;
}

/** The evaluation of a step by the average that is sampled; others (`-average-0.99`) are not shown. */
const evaluationName = /^step-\d{8,15}$/;

/** What `vapo eval` has left, the newest step first. */
export async function evaluationPiece(
  read: PieceReader,
  place: RunPlace,
): Promise<EvaluationPiece> {
  const names = await read<readonly string[]>(place, "evaluation", [], async (file) => {
    return (await namesIn(file)).filter((name) => evaluationName.test(name)).sort().reverse();
  });
  const found: { directory: string; evaluation: EvaluationRead }[] = [];
  let { problem } = names;
  for (const name of names.value) {
    const directory = `evaluation/${name}`, path = `${directory}/eval.json`;
    const one = await read<EvaluationRead | null>(place, path, null, async (file) => {
      return readEvaluation(await documentText(file), file.shown);
    });
    problem ??= one.problem;
    if (one.value) found.push({ directory, evaluation: one.value });
  }
  if (found.length === 0) return { value: null, problem, directory: null };
  const [{ directory, evaluation: { pictures } }] = found;
  const report = await findFile(place.directory, `${directory}/report.html`).catch(() => null);
  const results = found.flatMap(({ evaluation }) => evaluation.results);
  return { value: { report: report !== null, results, ...shown(pictures) }, problem, directory };
}

/** What is used of an `eval.json`. */
interface EvaluationRead {
  readonly results: RunEvaluation["results"];
  readonly pictures: readonly { file: string; alt: string; caption: string }[];
}

function shown(pictures: EvaluationRead["pictures"]) {
  const isHistogram = (file: string) => file.startsWith("energy-histograms");
  const files = pictures.map(({ file }) => file);
  return {
    energyHistogram: files.find(isHistogram) ?? null,
    pictures: files.filter((file) => !isHistogram(file)),
    texts: Object.fromEntries(pictures.map(({ file, alt, caption }) => [file, { alt, caption }])),
  };
}

function readEvaluation(text: string, source: string): EvaluationRead {
  const { data } = evaluationSchema.safeParse(parseJson(text, source));
  if (!data) throw new VapoError(`${source} is damaged: expected an evaluation; move it away`);
  const results = data.results.map(({ metric, title, options, measurements: [first] }) => ({
    metric,
    title,
    value: first?.value ?? null,
    unit: first?.unit ?? null,
    step: data.checkpoint.step,
    label: first?.label,
    standardError: first?.standardError,
    better: first?.better,
    options,
  }));
  return { results, pictures: data.results.flatMap(({ pictures }) => pictures) };
}

function requireFile({ info, shown }: PieceFile): void {
  if (!info.isFile) throw new VapoError(`${shown} is not a file: expected one; move it away`);
}

async function namesIn({ path, info, shown }: PieceFile): Promise<string[]> {
  if (!info.isDirectory) {
    throw new VapoError(`${shown} is not a directory: expected one; move it away`);
  }
  return (await Array.fromAsync(Deno.readDir(path))).map(({ name }) => name);
}

async function documentText(file: PieceFile): Promise<string> {
  requireFile(file);
  const { path, info: { size }, shown } = file;
  if (size <= LONGEST_DOCUMENT) return await Deno.readTextFile(path);
  throw new VapoError(`${shown} has ${size} bytes: expected at most ${LONGEST_DOCUMENT}`);
}
