/**
 * @file The commands that compute an evaluation again.
 */
import { odeMethods } from "../flow/ode/mod.ts";
import { metricOfResult } from "./networks.ts";
import type { EvaluationDocument, MetricResult } from "./document.ts";

type Options = MetricResult["options"];

/** Options of the command by the options of a result that they set. */
const flagsOfOptions: Readonly<Record<string, string>> = {
  n: "--n",
  features: "--features",
  referenceImages: "--reference-n",
  seed: "--seed",
  solver: "--solver",
  until: "--until",
  noise: "--noise",
  batchSize: "--batch",
  device: "--device",
};

/**
 * The commands that compute an evaluation again, as a POSIX shell takes them: one for all metrics that
 * have the same options.
 *
 * @param document what was found
 * @param run the run's directory
 * @returns each as pieces that are read together: the program with what it is to do, then an option
 * with its value each
 */
export function reproducingCommands(
  { checkpoint: { step, average }, results }: EvaluationDocument,
  run: string,
): string[][] {
  const groups = new Map<string, { metrics: string[]; flags: string[] }>();
  for (const { metric: result, options } of results) {
    const metric = metricOfResult(result);
    const flags = flagsOf(options).map(([flag, value]) => `${flag} ${quoted(value)}`);
    const key = flags.join(" ");
    const group = groups.get(key) ?? groups.set(key, { metrics: [], flags }).get(key)!;
    if (!group.metrics.includes(metric)) group.metrics.push(metric);
  }
  return [...groups.values()].map(({ metrics, flags }) => [
    ["vapo", "eval", ...[run, ...metrics].map(quoted)].join(" "),
    `--checkpoint ${step}`,
    `--average ${average}`,
    ...flags,
  ]);
}

type Flag = readonly [flag: string, value: string];

function flagsOf(options: Options): Flag[] {
  const flags = Object.entries(flagsOfOptions).flatMap(([name, flag]) =>
    flagOf(flag, options[name])
  );
  return [...flags, ...stepFlags(options), ...referenceFlags(options), ...outsideFlags(options)];
}

function flagOf(flag: string, value: Options[string] | undefined): Flag[] {
  return typeof value === "number" || typeof value === "string" ? [[flag, String(value)]] : [];
}

/** Tolerances or steps: which of them say something depends on the solver. */
function stepFlags({ solver, equalSteps, steps, rtol, atol }: Options): Flag[] {
  // A likelihood has a solver of its own, whose tolerances are the user's.
  if (typeof solver !== "string") return [...flagOf("--rtol", rtol), ...flagOf("--atol", atol)];
  const method = Object.hasOwn(odeMethods, solver)
    ? odeMethods[solver as keyof typeof odeMethods]
    : undefined;
  return method?.adaptive && equalSteps !== true
    ? [...flagOf("--rtol", rtol), ...flagOf("--atol", atol)]
    : flagOf("--steps", steps);
}

function referenceFlags({ reference, statistics }: Options): Flag[] {
  return [...flagOf("--reference", reference), ...flagOf("--stats", statistics)];
}

function outsideFlags({ outside }: Options): Flag[] {
  if (typeof outside !== "string" || outside === "") return [];
  return outside.split(", ").map((name) => ["--against", name]);
}

/** A word as a POSIX shell takes it for one. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
