/**
 * @file What the server says of runs, as JSON: types alone, for the pages and the server.
 *
 * ```
 * GET  /api/runs                                 RunSummary[], newest first
 * GET  /api/runs/NAME                            RunDetail
 * GET  /api/runs/NAME/events                     server-sent events, see RunEvents
 * GET  /api/runs/NAME/events?after=ID            the same, as if ID had come as Last-Event-ID
 * GET  /api/runs/NAME/samples/step-00000500.png  the picture
 * GET  /api/runs/NAME/evaluation/FILE            report.html and its pictures
 * GET  /api/runs/NAME/files?step=N               RunFilesAnswer: a 2-D run for the laboratory
 * GET  /api/runs/NAME/state?step=N               state.safetensors of that checkpoint, 2-D runs only
 * GET  /api/runs/NAME/metrics                    metrics.jsonl as it is
 * POST /api/runs/NAME/flow      FlowQuestion     .npy [frames, n, …sampleShape]; x-vapo-times: JSON
 * POST /api/trainings           TrainingQuestion 202 {name}
 * POST /api/runs/NAME/pause                      202; the run is saved and its process ends
 * POST /api/runs/NAME/resume                     202
 * GET  /api/session                              {token}; POSTs carry it as x-vapo-token
 * ```
 *
 * What fails answers {error: one line} with 400, 403, 404, 405, 409 (another training or flow is under
 * way), 413, 414, 415, 500 or 503 (too many connections). Events of a run that is not there yet wait for
 * it.
 */
import type { EvaluationLine, MetricsLine, SpeedLine } from "../../core/train/run_directory.ts";
import type { RunConfig } from "../../core/train/config.ts";

/**
 * What a run is at: "running" while a process holds its lock, "finished" with its last checkpoint and
 * picture, "paused" before that; "damaged" where its files cannot be read, and `problem` says why.
 */
export type RunStatus = "running" | "paused" | "finished" | "damaged";

/** A run in a list. */
export interface RunSummary {
  /** The directory's name in the runs directory. */
  readonly name: string;
  readonly status: RunStatus;
  /** Of a damaged run, or of a training that failed: one line. */
  readonly problem: string | null;
  /** null where the configuration cannot be read. */
  readonly preset: string | null;
  readonly data: string | null;
  /** [2], or [height, width, channels]. */
  readonly sampleShape: readonly number[] | null;
  readonly device: string | null;
  /** The step of the newest line of metrics or checkpoint. */
  readonly step: number;
  readonly steps: number | null;
  readonly loss: number | null;
  /** When its metrics last grew: milliseconds since 1970. */
  readonly modified: number;
  /** The step of the newest picture of samples; null, or left out, where there is none. */
  readonly newestSample?: number | null;
}

/** A run in full. */
export interface RunDetail extends RunSummary {
  readonly config: RunConfig | null;
  /** Steps with a checkpoint, ascending. */
  readonly checkpoints: readonly number[];
  readonly bestStep: number | null;
  /** Steps with a picture of samples, ascending. */
  readonly samples: readonly number[];
  readonly evaluation: RunEvaluation | null;
}

/** What `vapo eval` has left in a run's directory. */
export interface RunEvaluation {
  /** report.html is there. */
  readonly report: boolean;
  /** From eval.json: results with one number each. */
  readonly results: readonly {
    readonly metric: string;
    readonly title: string;
    readonly value: number | null;
    readonly unit: string | null;
    readonly step: number | null;
    /** What the number is, as in "mean of Φ on training data". */
    readonly label?: string;
    /** Its standard error, where it is known. */
    readonly standardError?: number;
    /** Which way is better, where there is one. */
    readonly better?: "lower" | "higher";
    /** What it is a function of, by which results of one metric are told apart. */
    readonly options?: Readonly<Record<string, string | number | boolean | null>>;
  }[];
  /** The histogram of the potential's values, a file of the evaluation directory, where there is one. */
  readonly energyHistogram: string | null;
  /** Other pictures, files of the evaluation directory. */
  readonly pictures: readonly string[];
  /** What the pictures show, by file, from eval.json; left out where it is not known. */
  readonly texts?: Readonly<Record<string, { readonly alt: string; readonly caption: string }>>;
}

/**
 * Server-sent events of a run, each with an `id` that says how far the files have been read: a
 * connection that comes back with Last-Event-ID, or `?after=ID`, gets what it has missed and nothing
 * twice. An id that the files no longer bear out (the run was begun anew) is answered by a rewind to
 * step −1, which leaves no line, and everything from the start.
 */
export interface RunEvents {
  /** Lines of metrics.jsonl, at most 1,000 an event. */
  readonly metrics: readonly MetricsLine[];
  readonly speed: readonly SpeedLine[];
  readonly evaluations: readonly EvaluationLine[];
  /** The run went on from an earlier step: lines after it are void. */
  readonly rewind: { readonly step: number };
  /**
   * Whenever something of it has changed, `samples` and `checkpoints` included; where that is no more
   * than `step`, `loss` and `modified`, which the lines tell too, at most every five seconds.
   */
  readonly detail: RunDetail;
}

/** The flow of some samples from noise, frame by frame. */
export interface FlowQuestion {
  readonly n: number;
  readonly seed: number;
  readonly frames: number;
  /** Where it ends; null is as the run is configured. */
  readonly until: number | null;
}

/** A training to be started. */
export interface TrainingQuestion {
  readonly preset: string;
  /** The run's name; null takes the preset's with a number. */
  readonly name: string | null;
  readonly seed: number | null;
  readonly steps: number | null;
}

/** What the laboratory needs of a run; the state itself is at /state. */
export interface RunFilesAnswer {
  readonly name: string;
  readonly config: string;
  readonly step: number;
  readonly metrics: string;
}
