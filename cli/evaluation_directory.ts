/**
 * @file Where an evaluation goes: a directory with `eval.json`, pictures and `report.html`. Results are
 * added one by one, under a lock, so that two programs at once lose nothing of each other's, and an
 * evaluation that is stopped keeps what it has.
 */
import { join } from "@std/path";
import manifest from "../deno.json" with { type: "json" };
import { FormatError, NonFiniteError, VapoError } from "../core/errors.ts";
import {
  type EvaluationDocument,
  evaluationSchema,
  LEFT_OUT,
  type MadePicture,
  type MetricReport,
  type MetricResult,
  metricResultSchema,
} from "../core/evaluation/document.ts";
import { type MetricName, metricNames } from "../core/evaluation/metrics.ts";
import { canonicalJson } from "../core/evaluation/evaluation_store.ts";
import { metricOfResult } from "../core/evaluation/networks.ts";
import { renderReport } from "../core/evaluation/report.ts";
import type { EvaluationSubject } from "../core/evaluation/subject.ts";
import { crc32 } from "../core/formats/crc32.ts";
import { parseJson } from "../core/train/run_directory.ts";
import type { RunStorage } from "../core/train/run_storage.ts";
import { schemaIssue } from "../core/schema_issue.ts";
import { withFileErrors } from "./file_errors.ts";
import { directoryStorage } from "./run_storage.ts";
import { standardError } from "./terminal.ts";

const DOCUMENT = "eval.json";
const REPORT = "report.html";

/** What a result is known again by: its metric and what it was asked for. */
export interface ResultKey {
  readonly metric: string;
  /** The result's options, all of them. */
  readonly asked: MetricResult["options"];
}

/** A metric's report with what the caller knows of it. */
export interface NewResult extends Pick<MetricResult, "metric" | "title" | "options" | "seconds"> {
  readonly report: MetricReport;
}

/** An evaluation's directory. */
export interface EvaluationDirectory {
  readonly location: string;
  /** How the report is called in messages. */
  readonly report: string;
  /** A result that is there already, or null. */
  find(key: ResultKey): Promise<MetricResult | null>;
  /** Writes the report anew; false where there is nothing to report. */
  render(): Promise<boolean>;
  /** Adds a result with its pictures, and writes the report anew. */
  add(result: NewResult): Promise<MetricResult>;
}

/**
 * Opens an evaluation's directory; it is made when the first result is added.
 *
 * @param directory where
 * @param location how it is called in messages
 * @param subject what is evaluated
 * @param run the run's directory, as a command takes it
 * @throws {VapoError} where it has an evaluation of something else
 * @throws {FormatError} where its `eval.json` is damaged
 */
export async function openEvaluationDirectory(
  directory: string,
  location: string,
  subject: EvaluationSubject,
  run: string,
): Promise<EvaluationDirectory> {
  const storage = directoryStorage(directory, location);
  const read = async () => requireSame(await readDocument(storage), subject, location);
  const writeReport = async (document: EvaluationDocument) =>
    await storage.write(REPORT, encoder.encode(await renderedReport(storage, document, run)));
  await read();
  return {
    location,
    report: `${location}/${REPORT}`,
    async find({ metric, asked }) {
      const document = await read();
      const found = document?.results.find((result) =>
        result.metric === metric && canonicalJson(result.options) === canonicalJson(asked)
      );
      // What was missing then may be there now.
      return found && !found.notes.some((note) => note.startsWith(LEFT_OUT)) ? found : null;
    },
    async render() {
      if (!await read()) return false;
      // Under the lock, or a result that is added meanwhile would be missing in the report.
      using _lock = await waitForLock(directory, location);
      await writeReport((await read())!);
      return true;
    },
    async add({ report, ...facts }) {
      await withFileErrors("make", location, () => Deno.mkdir(directory, { recursive: true }));
      using _lock = await waitForLock(directory, location);
      const { pictures, measurements, tables, notes, counts } = report;
      const suffix = optionsSuffix(facts.options);
      const files = pictures.map((picture) =>
        [fileName(facts.metric, picture, suffix), picture] as const
      );
      const result = checked({
        ...facts,
        ...(counts && { counts: { ...counts } }),
        measurements: [...measurements],
        tables: [...tables],
        notes: [...notes],
        pictures: files.map(([file, { alt, caption }]) => ({ file, alt, caption })),
      });
      for (const [file, { content }] of files) {
        await storage.write(file, typeof content === "string" ? encoder.encode(content) : content);
      }
      const document = withResult(await read() ?? emptyDocument(subject), result);
      await storage.write(DOCUMENT, encoder.encode(JSON.stringify(document, null, 2) + "\n"));
      await writeReport(document);
      return result;
    },
  };
}

const encoder = new TextEncoder(), decoder = new TextDecoder();

async function readDocument(storage: RunStorage): Promise<EvaluationDocument | null> {
  const bytes = await storage.read(DOCUMENT);
  if (!bytes) return null;
  const source = `${storage.location}/${DOCUMENT}`;
  const value = parseJson(decoder.decode(bytes), source);
  const result = evaluationSchema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  const { key, given, expected } = schemaIssue(result.error.issues[0], value);
  throw new FormatError(
    `${source} is damaged: ${
      key || "the value"
    } is ${given}, ${expected}; mend it, or move it away`,
  );
}

/** A result, once it is known to be one that can be read again: numbers are finite. */
function checked(result: MetricResult): MetricResult {
  const { error } = metricResultSchema.safeParse(result, { reportInput: true });
  if (!error) return result;
  const { key, given, expected } = schemaIssue(error.issues[0], result);
  throw new NonFiniteError(
    `${result.metric}: ${key} is ${given}, ${expected}; nothing was written`,
  );
}

function requireSame(
  document: EvaluationDocument | null,
  { sha256, step }: EvaluationSubject,
  location: string,
): EvaluationDocument | null {
  if (!document || document.checkpoint.sha256 === sha256) return document;
  throw new VapoError(
    `${location} has the evaluation of other parameters (step ${document.checkpoint.step}, run ` +
      `"${document.run.name}"): expected those of step ${step}; name another directory with --out`,
  );
}

function emptyDocument(
  { name, config, step, average, sha256 }: EvaluationSubject,
): EvaluationDocument {
  return {
    format: "vapo-evaluation",
    version: 1,
    run: { name, preset: config.preset, data: config.data.name },
    checkpoint: { step, average, sha256 },
    results: [],
  };
}

/** The document with a result, in place of the same one measured before; in the metrics' order. */
function withResult(document: EvaluationDocument, result: MetricResult): EvaluationDocument {
  const same = (other: MetricResult) =>
    other.metric === result.metric &&
    canonicalJson(other.options) === canonicalJson(result.options);
  const others = document.results.filter((other) => !same(other));
  const place = ({ metric }: MetricResult) =>
    metricNames.indexOf(metricOfResult(metric) as MetricName);
  // Sorting is stable: results of a metric stay in the order in which they came.
  return { ...document, results: [...others, result].sort((a, b) => place(a) - place(b)) };
}

/** Eight digits that stand for a result's options: two results of a metric have pictures of their own. */
function optionsSuffix(options: MetricResult["options"]): string {
  return crc32(encoder.encode(canonicalJson(options))).toString(16).padStart(8, "0");
}

function fileName(metric: string, { name, content }: MadePicture, suffix: string): string {
  const ending = typeof content === "string" ? "svg" : "png";
  const stem = name === metric || name.startsWith(`${metric}-`) ? name : `${metric}-${name}`;
  return `${stem}-${suffix}.${ending}`;
}

async function renderedReport(
  storage: RunStorage,
  document: EvaluationDocument,
  run: string,
): Promise<string> {
  const pictures = new Map<string, Uint8Array | string>();
  for (const { file } of document.results.flatMap(({ pictures }) => pictures)) {
    const bytes = await storage.read(file);
    if (bytes) pictures.set(file, file.endsWith(".svg") ? decoder.decode(bytes) : bytes);
  }
  return renderReport(document, pictures, { version: manifest.version, run });
}

/** The lock's file: another than a run's, which may be at work in the same directory. */
const LOCK = ".lock-evaluation";

/** Waits until no other program writes here, which takes it no longer than writing. */
async function waitForLock(directory: string, location: string): Promise<Disposable> {
  return await withFileErrors("lock", location, async () => {
    const file = await Deno.open(join(directory, LOCK), { write: true, create: true });
    try {
      if (!await file.tryLock(true)) {
        standardError.line(`${location} is being written by another program: waiting for it`);
        await file.lock(true);
      }
      return file;
    } catch (error) {
      file.close();
      throw error;
    }
  });
}
