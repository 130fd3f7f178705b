/**
 * @file What can be said of runs from their directories. Nothing here fails for what a directory
 * holds: what cannot be read is told in a line, and the rest is read all the same. Files are looked at
 * again only when they have changed, of long ones no more than the end is read, and so a list of a
 * thousand runs is little work.
 */
import { fileError } from "../../cli/file_errors.ts";
import { LOCK_FILE } from "../../cli/run_lock.ts";
import { sampleSpace } from "../../core/train/data_sets.ts";
import type { RunDetail, RunStatus, RunSummary } from "../runs/run_types.ts";
import type { LockWatch } from "./held_lock.ts";
import { findRun, isMissing, isRunName, type RunPlace } from "./run_paths.ts";
import {
  bestPiece,
  checkpointProblem,
  configPiece,
  evaluationPiece,
  metricsPiece,
  type PieceReader,
  pieceReader,
  problemOf,
  stepsPiece,
} from "./run_pieces.ts";

/** What is known of a run's training beside its directory. */
export interface TrainingFacts {
  /** Its process was started and has not come to the run yet. */
  readonly isStarting: boolean;
  /** Why its last process failed, in a line. */
  readonly problem: string | null;
}

/** Reads runs. */
export interface RunReader {
  /** All runs, those that changed last first; none where there is no runs directory. */
  list(): Promise<RunSummary[]>;
  /**
   * A run in full, or null where there is none of that name.
   *
   * @throws {Refusal} 403 where its name is a link that leads out
   */
  detail(name: string): Promise<RunDetail | null>;
  /** Where the files of the evaluation are that a detail tells of: a path in the run; null for none. */
  evaluation(place: RunPlace): Promise<string | null>;
}

/** What a reader needs. */
export interface RunReaderOptions {
  readonly runs: string;
  readonly locks: LockWatch;
  /** What is known of trainings, by the run's name. */
  readonly training: (place: RunPlace) => Promise<TrainingFacts>;
}

/** How many runs are read at a time. */
const AT_ONCE = 32;

/** Makes a reader, which remembers what it has read. */
export function runReader({ runs, locks, training }: RunReaderOptions): RunReader {
  const pieces = pieceReader();
  const detail = async (name: string) => {
    const place = await findRun(runs, name);
    if (!place) return null;
    const [facts, holder] = await Promise.all([
      training(place),
      locks.holder(place.directory, LOCK_FILE).catch(() => null),
    ]);
    return await readRun(pieces, place, facts, holder !== null || facts.isStarting);
  };
  let listing: Promise<RunSummary[]> | null = null;
  return {
    list() {
      // Who asks meanwhile is given the same list.
      listing ??= listRuns(runs, detail).finally(() => listing = null);
      return listing;
    },
    detail,
    evaluation: async (place) => (await evaluationPiece(pieces, place)).directory,
  };
}

async function readRun(
  read: PieceReader,
  place: RunPlace,
  training: TrainingFacts,
  isRunning: boolean,
): Promise<RunDetail> {
  const [config, metrics, checkpoints, best, samples, evaluation] = await Promise.all([
    configPiece(read, place),
    metricsPiece(read, place),
    stepsPiece(read, place, "checkpoints"),
    bestPiece(read, place),
    stepsPiece(read, place, "samples"),
    evaluationPiece(read, place),
  ]);
  const newest = checkpoints.value.at(-1), steps = config.value?.training.steps ?? null;
  const damage = [
    config.problem,
    // A training that has just been started writes it first.
    config.value || isRunning ? null : training.problem ?? noConfig(place.name),
    ...[metrics, checkpoints, best, samples, evaluation].map(({ problem }) => problem),
    await checkpointProblem(place, newest),
  ].find((problem) => problem !== null) ?? null;
  const isComplete = steps !== null && newest !== undefined && newest >= steps &&
    samples.value.includes(steps);
  const status: RunStatus = isRunning
    ? "running"
    : damage
    ? "damaged"
    : isComplete
    ? "finished"
    : "paused";
  return {
    name: place.name,
    status,
    problem: damage ?? (status === "paused" ? training.problem : null),
    preset: config.value?.preset ?? null,
    data: config.value?.data.name ?? null,
    sampleShape: config.value && sampleSpace(config.value.data).sampleShape,
    device: config.value?.device ?? null,
    step: Math.max(metrics.value.step ?? 0, newest ?? 0),
    steps,
    loss: metrics.value.loss,
    modified: metrics.value.modified ?? await timeOf(place.directory),
    newestSample: samples.value.at(-1) ?? null,
    config: config.value,
    checkpoints: checkpoints.value,
    bestStep: best.value,
    samples: samples.value,
    evaluation: evaluation.value,
  };
}

async function listRuns(
  runs: string,
  detail: (name: string) => Promise<RunDetail | null>,
): Promise<RunSummary[]> {
  const names: string[] = [];
  try {
    for await (const { name, isFile } of Deno.readDir(runs)) {
      if (!isFile && isRunName(name)) names.push(name);
    }
  } catch (error) {
    if (isMissing(error)) return [];
    throw fileError("list", runs, error);
  }
  const found: RunSummary[] = [];
  const readOn = async () => {
    for (let name = names.pop(); name !== undefined; name = names.pop()) {
      const run = await detail(name).catch((error) => unreadable(name!, error));
      if (run) found.push(summaryOf(run));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, readOn));
  return found.sort((a, b) => b.modified - a.modified || (a.name < b.name ? -1 : 1));
}

function summaryOf(detail: RunDetail): RunSummary {
  const { config: _c, checkpoints: _p, bestStep: _b, samples: _s, evaluation: _e, ...rest } =
    detail;
  return rest;
}

function unreadable(name: string, error: unknown): RunDetail {
  return {
    name,
    status: "damaged",
    problem: problemOf(name, error),
    ...{ preset: null, data: null, sampleShape: null, device: null },
    ...{ step: 0, steps: null, loss: null, modified: 0, newestSample: null },
    ...{ config: null, checkpoints: [], bestStep: null, samples: [], evaluation: null },
  };
}

function noConfig(name: string): string {
  return `${name} is not a run: it has no config.json; a training that never started may have left it`;
}

async function timeOf(path: string): Promise<number> {
  const info = await Deno.stat(path).catch(() => null);
  return info?.mtime?.getTime() ?? 0;
}
