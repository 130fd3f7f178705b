/**
 * @file What `vapo train` prints: a progress bar and a few lines for people, or JSON objects.
 */
import type { DeviceInfo } from "../core/tensor/mod.ts";
import { byteSize } from "../core/formats/byte_size.ts";
import { deviceMemory } from "../core/tensor/device_memory.ts";
import type { RunConfig } from "../core/train/config.ts";
import type { DataSource } from "../core/train/data_source.ts";
import type { EvaluationLine, MetricsLine, SpeedLine } from "../core/train/run_directory.ts";
import type { RunStorage } from "../core/train/run_storage.ts";
import type { RunFacts, TrainOutcome } from "../core/train/trainer.ts";
import { describeDevice } from "./device.ts";
import { evaluationProgress } from "./evaluation_progress.ts";
import { describeFailure } from "./failures.ts";
import { clock, type ProgressBar, progressBar } from "./progress_bar.ts";
import { standardError, standardOutput } from "./terminal.ts";
import { commandLine } from "./user_paths.ts";

/** What a training run tells as it goes. */
export interface TrainReport {
  alreadyComplete(): void;
  started(device: DeviceInfo, data: DataSource): void;
  /** The first step is about to be done. */
  ready(facts: RunFacts): void;
  /** So many samples of a picture are drawn. */
  drawing(done: number, total: number): void;
  stepped(step: number, metrics: MetricsLine | null, speed: SpeedLine | null): void;
  /** So much of an evaluation is done, or of what all of them share. */
  evaluating(what: string, done: number, total: number): void;
  /** A measure was taken. */
  evaluated(line: EvaluationLine, isBest: boolean): void;
  /** Something went wrong that does not stop the run; by a bug, if it comes with what was thrown. */
  notice(message: string, bug?: unknown): void;
  /** The first Ctrl-C has come. */
  stopping(): void;
  /** No step will follow, whatever the reason. */
  closed(): void;
  ended(outcome: TrainOutcome): void;
}

/** Which run is told of. */
export interface ReportedRun {
  readonly json?: boolean;
  readonly config: RunConfig;
  readonly storage: RunStorage;
  /** The step that it starts from. */
  readonly step: number;
}

/** A report in text, or in JSON. */
export function trainReport(run: ReportedRun): TrainReport {
  return run.json ? jsonReport(run) : textReport(run);
}

function textReport({ config, storage: { location }, step: start }: ReportedRun): TrainReport {
  const total = config.training.steps;
  const print = standardOutput.line;
  const begin = performance.now();
  let bar: ProgressBar | null = null;
  const images = config.potential.kind !== "mlp";
  /** What is done before the first step has bars of its own. */
  const before = evaluationProgress(), silence = startSilence();
  const notice = (text: string) => bar ? bar.notice(text) : before.notice(text);
  const tellBug = bugTeller((line) => notice(line));
  return {
    alreadyComplete() {
      print(`run ${location} is complete: ${total} of ${total} steps are done`);
      print(`next: ${commandLine("sample", location)}`);
    },
    started(device, { images, placement }) {
      standardError.line(`run     ${location}${start > 0 ? `, from step ${start}` : ""}`);
      standardError.line(`device  ${describeDevice(device)}`);
      if (!images) return;
      const place = placement === "device" ? "on the device" : "streamed";
      const count = images.count.toLocaleString("en-US");
      standardError.line(`data    ${count} images, ${place}: ${images.files}`);
    },
    ready({ memoryBytes }) {
      before.closed();
      if (memoryBytes !== null) {
        const { limitBytes } = deviceMemory();
        standardError.line(`memory  ${byteSize(memoryBytes)} of ${byteSize(limitBytes)}`);
      }
      bar = progressBar(standardError, {
        label: config.preset,
        unit: "steps",
        total,
        start,
        ...(images && { samples: { name: "images", perUnit: config.training.batchSize } }),
      });
    },
    drawing: (done, total) => notice(`drawing samples: ${done} of ${total}`),
    stepped(step, metrics) {
      silence.broken();
      bar?.update(step, metrics?.loss);
    },
    evaluating(what, done, total) {
      if (!bar) before.update(what, done, total);
      else if (done < total && silence.isLong()) notice(`${what}: ${done} of ${total}`);
    },
    evaluated: ({ step, metric, value }, isBest) =>
      notice(
        `${metric} ${value.toPrecision(5)} at step ${step}${isBest ? ", the best so far" : ""}`,
      ),
    notice(message, bug) {
      notice(message);
      tellBug(bug);
    },
    stopping: () => notice("stopping after this step; Ctrl-C once more to stop at once"),
    closed() {
      before.closed();
      bar?.finish();
      bar = null;
    },
    ended({ step, finished }) {
      const time = clock((performance.now() - begin) / 1000);
      if (!finished) {
        print(`stopped and saved at step ${step} of ${total}`);
        print(`next: ${commandLine("train", "--resume", location)}`);
        return;
      }
      print(`trained ${step - start} steps in ${time}; in ${location}:`);
      print("  config.json, metrics.jsonl, speed.jsonl, checkpoints/, samples/");
      print(`next: ${commandLine("sample", location)}`);
    },
  };
}

function jsonReport({ config, storage: { location }, step: start }: ReportedRun): TrainReport {
  const total = config.training.steps;
  const print = (event: string, facts: Record<string, unknown>) =>
    standardOutput.line(JSON.stringify({ event, ...facts }));
  const begin = performance.now(), silence = startSilence();
  const tellBug = bugTeller(standardError.line);
  const seconds = () => Number(((performance.now() - begin) / 1000).toFixed(3));
  return {
    alreadyComplete: () => print("end", { directory: location, step: total, finished: true }),
    started: ({ name, reason }, { images, placement }) =>
      print("start", {
        ...{ directory: location, step: start, steps: total, device: name, reason },
        ...(images && { images: images.count, placement }),
      }),
    drawing: (done, samples) => print("drawing", { done, samples }),
    ready: ({ memoryBytes }) =>
      print("ready", { memoryBytes, memoryLimitBytes: deviceMemory().limitBytes }),
    stepped(_step, metrics, speed) {
      silence.broken();
      if (metrics) print("metrics", { ...metrics, ...speed, seconds: seconds() });
    },
    evaluating(what, done, total) {
      if (done < total && silence.isLong()) print("evaluating", { what, done, total });
    },
    evaluated: (line, best) => print("evaluation", { ...line, best }),
    notice(message, bug) {
      print("notice", { message });
      tellBug(bug);
    },
    stopping: () => print("stopping", {}),
    closed() {},
    ended: ({ step, finished }) =>
      print("end", { directory: location, step, finished, seconds: seconds() }),
  };
}

/** How long a run may be silent about what it does between two steps. */
const SILENCE_MILLISECONDS = 10_000;

/** Knows when nothing has been told for long. */
function startSilence() {
  let since = performance.now();
  const broken = () => void (since = performance.now());
  return {
    broken,
    /** Whether it is time to tell something; then it has been told. */
    isLong(): boolean {
      if (performance.now() - since < SILENCE_MILLISECONDS) return false;
      broken();
      return true;
    },
  };
}

/** Prints what is needed to report a bug that did not stop the run, the first time there is one. */
export function bugTeller(print: (line: string) => void): (bug: unknown) => void {
  let told = false;
  return (bug) => {
    if (bug === undefined || told) return;
    told = true;
    for (const line of describeFailure(bug).text.split("\n")) print(line);
  };
}
