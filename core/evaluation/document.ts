/**
 * @file What an evaluation has found: `eval.json`, which programs read, and from which the report for
 * people is made.
 */
import { z } from "zod";

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);

/** A measured number. */
const measurementSchema = z.strictObject({
  /** Its key, as in "fid": letters, digits, hyphens. */
  name: z.string().regex(/^[a-z0-9-]+$/),
  /** What it is called, as in "Fréchet inception distance". */
  label: z.string(),
  value: z.number(),
  /** The standard error, where it is known. */
  standardError: z.number().min(0).optional(),
  /** As in "bits/dimension". */
  unit: z.string().optional(),
  /** Which way is better, where there is one. */
  better: z.enum(["lower", "higher"]).optional(),
});

/** A table of an evaluation; cells are text or numbers. */
const tableSchema = z.strictObject({
  title: z.string(),
  columns: z.array(z.string()),
  rows: z.array(z.array(scalar)),
});

/** A picture of an evaluation, a file beside `eval.json`. */
const pictureSchema = z.strictObject({
  /** The name of the file: PNG or SVG. */
  file: z.string().regex(/^[\w.-]+\.(png|svg)$/),
  /** What is to be seen, for those who cannot. */
  alt: z.string(),
  /** What it shows, in a sentence or two. */
  caption: z.string(),
});

/** What one metric has found. */
export const metricResultSchema = z.strictObject({
  metric: z.string(),
  /** As in "Fréchet inception distance". */
  title: z.string(),
  /** What the numbers are a function of, beside the checkpoint: n, seed, device, version, features … */
  options: z.record(z.string(), scalar),
  /** How many there were in the end: of samples or images (n), of reference images … */
  counts: z.record(z.string(), z.number()).optional(),
  measurements: z.array(measurementSchema),
  tables: z.array(tableSchema),
  pictures: z.array(pictureSchema),
  /** What the numbers can and cannot be compared with, a sentence each. */
  notes: z.array(z.string()),
  /** How long it took, work that was found done left out. */
  seconds: z.number().min(0),
});

/** The schema of `eval.json`. */
export const evaluationSchema = z.strictObject({
  format: z.literal("vapo-evaluation"),
  version: z.literal(1),
  run: z.strictObject({ name: z.string(), preset: z.string(), data: z.string() }),
  checkpoint: z.strictObject({
    step: z.int().min(0),
    /** The decay of the moving average of the parameters that was evaluated. */
    average: z.number(),
    /** SHA-256 of those parameters, hexadecimal. */
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
  }),
  /** By metric. */
  results: z.array(metricResultSchema),
});

/** A measured number; see {@link EvaluationDocument}. */
export type Measurement = z.infer<typeof measurementSchema>;
/** A table of an evaluation. */
export type EvaluationTable = z.infer<typeof tableSchema>;
/** A picture of an evaluation. */
export type EvaluationPicture = z.infer<typeof pictureSchema>;
/** What one metric has found. */
export type MetricResult = z.infer<typeof metricResultSchema>;
/** What `eval.json` says. */
export type EvaluationDocument = z.infer<typeof evaluationSchema>;

/** How a note begins that says what could not be measured: it may be possible later. */
export const LEFT_OUT = "Left out";

/** A picture with its content: PNG bytes, or the text of an SVG file. */
export interface MadePicture {
  /** The file's name without its ending. */
  readonly name: string;
  readonly content: Uint8Array | string;
  readonly alt: string;
  readonly caption: string;
}

/** What a metric's own code gives: the rest of {@link MetricResult} is the caller's. */
export interface MetricReport {
  readonly measurements: readonly Measurement[];
  readonly tables: readonly EvaluationTable[];
  readonly pictures: readonly MadePicture[];
  readonly notes: readonly string[];
  /** See {@link MetricResult}. */
  readonly counts?: Readonly<Record<string, number>>;
}
