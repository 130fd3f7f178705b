/**
 * @file What `vapo data` prints: a progress bar and a few lines for people, or JSON objects.
 */
import type { PreparedIndex } from "../core/data/prepared_index.ts";
import type { FeatureNetworkOutcome } from "./data/feature_networks.ts";
import type { Work } from "./data/image_source.ts";
import type { PrepareOutcome } from "./data/prepare.ts";
import { clock, type ProgressBar, progressBar } from "./progress_bar.ts";
import { standardError, standardOutput } from "./terminal.ts";
import { commandLine } from "./user_paths.ts";

/** What the preparation of a set tells as it goes. */
export interface DataReport extends Omit<Work, "signal"> {
  /** The first Ctrl-C has come. */
  stopping(): void;
  /** Nothing will follow but the end, whatever the reason. */
  closed(): void;
  /** It is over; `outcome` is left out where it was stopped before the first image. */
  ended(outcome?: PrepareOutcome): void;
  /** So is the preparation of a feature network. */
  networkEnded(outcome: FeatureNetworkOutcome): void;
}

/** Which set is told of. */
export interface ReportedSet {
  readonly json?: boolean;
  /** Where it goes, as the user would type it. */
  readonly location: string;
  /** Whether files that are there were read and compared. */
  readonly verify?: boolean;
  /** The words of the command line, to be typed again. */
  readonly words: readonly string[];
  /** Those to make use of it by: to train on a set, to compare in a network's features. */
  readonly use?: readonly string[];
  /** What is finished before the work stops. */
  readonly part?: string;
}

/** A report in text, or in JSON. */
export function dataReport(set: ReportedSet): DataReport {
  return set.json ? jsonReport(set) : textReport(set);
}

/** Of the images that were left out, so many are named in the end. */
const NAMED = 5;

/** Of such notices as there may be thousands of, so many are shown. */
const SHOWN_NOTICES = 20;

function textReport({ location, verify, words, use, part }: ReportedSet): DataReport {
  const print = standardOutput.line;
  const begin = performance.now();
  let bar: ProgressBar | null = null, label = "", notices = 0;
  const notice = (text: string) => {
    notices++;
    if (notices > SHOWN_NOTICES + 1) return;
    const line = notices > SHOWN_NOTICES ? "more of this is not shown" : text;
    if (bar) bar.notice(line);
    else standardError.line(line);
  };
  const closed = () => {
    bar?.finish();
    bar = null;
  };
  return {
    progress(what, done, total, unit) {
      if (!bar || what !== label) {
        closed();
        const counted = { label: what, unit, total, start: done, countsOnly: true };
        [bar, label] = [progressBar(standardError, counted), what];
      }
      bar.update(done);
    },
    notice,
    stopping: () =>
      notice(`stopping${part ? ` after ${part}` : ""}; Ctrl-C once more to stop at once`),
    closed,
    ended(outcome) {
      if (!outcome || outcome.kind === "stopped") {
        const done = outcome ? imageCount(outcome.index) : 0;
        print(`stopped; ${done} images are kept in ${location}`);
        print(`next: ${commandLine("data", ...words)}`);
        return;
      }
      const { kind, index, skipped } = outcome;
      const what = `${imageCount(index)} images of ${index.shape.join("×")}`;
      const time = clock((performance.now() - begin) / 1000);
      if (kind === "prepared") print(`prepared ${what} in ${time}; in ${location}:`);
      else print(`${location} is complete${verify ? ", every checksum right" : ""}: ${what}`);
      for (const line of splitLines(index)) print(line);
      if (skipped.length > 0) print(leftOut(skipped, index));
      if (use) print(`next: ${commandLine(...use)}`);
    },
    networkEnded({ kind, facts }) {
      if (kind === "stopped") {
        print(`stopped; ${location} is as it was`);
        print(`next: ${commandLine("data", ...words)}`);
        return;
      }
      const time = clock((performance.now() - begin) / 1000);
      if (kind === "made") print(`prepared ${words[0]} in ${time}; in ${location}:`);
      else print(`${location} is complete:`);
      for (const fact of facts) print(`  ${fact}`);
      if (use) print(`next: ${commandLine(...use)}`);
    },
  };
}

function splitLines({ splits }: PreparedIndex): string[] {
  const rows = Object.entries(splits);
  const wide = Math.max(...rows.map(([name]) => name.length));
  const digits = Math.max(...rows.map(([, { count }]) => String(count).length));
  return rows.map(([name, { count, shards }]) =>
    `  ${name.padEnd(wide)}  ${String(count).padStart(digits)} in ${shards.length} ${
      shards.length === 1 ? "shard" : "shards"
    }`
  );
}

function leftOut(names: readonly string[], index: PreparedIndex): string {
  const total = imageCount(index) + names.length;
  const few = names.slice(0, NAMED).join(", ");
  return `left out ${names.length} of ${total}: ${few}${names.length > NAMED ? ", …" : ""}`;
}

function imageCount({ splits }: PreparedIndex): number {
  return Object.values(splits).reduce((sum, { count }) => sum + count, 0);
}

/** Progress in JSON comes so often. */
const JSON_MILLISECONDS = 1000;

function jsonReport({ location }: ReportedSet): DataReport {
  const print = (event: string, facts: Record<string, unknown>) =>
    standardOutput.line(JSON.stringify({ event, ...facts }));
  const begin = performance.now();
  const seconds = () => Number(((performance.now() - begin) / 1000).toFixed(3));
  let label = "", last = 0;
  return {
    progress(what, done, total, unit) {
      const due = what !== label || done === total || performance.now() - last > JSON_MILLISECONDS;
      if (!due) return;
      [label, last] = [what, performance.now()];
      print("progress", { what, done, total, unit, seconds: seconds() });
    },
    notice: (message) => print("notice", { message }),
    stopping: () => print("stopping", {}),
    closed() {},
    ended(outcome) {
      const splits = Object.entries(outcome?.index.splits ?? {}).map((
        [name, { count, skipped, shards }],
      ) => [name, { count, skipped, shards: shards.length }]);
      print("end", {
        directory: location,
        finished: outcome !== undefined && outcome.kind !== "stopped",
        unchanged: outcome?.kind === "complete",
        ...(outcome && { shape: outcome.index.shape, splits: Object.fromEntries(splits) }),
        seconds: seconds(),
      });
    },
    networkEnded: ({ kind, facts }) =>
      print("end", {
        directory: location,
        finished: kind !== "stopped",
        unchanged: kind === "there",
        facts,
        seconds: seconds(),
      }),
  };
}
