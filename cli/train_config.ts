/**
 * @file The configuration that a command line asks for: a preset, a file laid over it, then flags,
 * then `--set`.
 */
import { parse } from "@std/jsonc";
import { FormatError, VapoError } from "../core/errors.ts";
import { assignConfig, overlayConfig, type RunConfig } from "../core/train/config.ts";
import { presetConfig } from "../core/train/presets.ts";
import { isToy } from "../core/train/data_sets.ts";
import { withFileErrors } from "./file_errors.ts";
import { userPath } from "./user_paths.ts";

/** What of the command line goes into the configuration. */
export interface ConfigOptions {
  readonly config?: string;
  readonly steps?: number;
  readonly batch?: number;
  readonly microBatch?: number;
  readonly seed?: number;
  readonly device?: string;
  readonly data?: string;
  readonly set: readonly string[];
  readonly evalEvery?: number;
  readonly evalN?: number;
  readonly evalMetric?: string;
  readonly evalFeatures?: string;
}

/** The preset that a run starts from where none is named. */
export const defaultPreset = "8gaussians";

/**
 * The configuration of a new run, and the name of the preset that it starts from. Without a preset
 * on the command line the file's key `preset` names it.
 *
 * @throws {VapoError} for everything in it that is wrong
 */
export async function chosenConfig(
  preset: string | undefined,
  options: ConfigOptions,
): Promise<{ preset: string; config: RunConfig }> {
  const overlay = options.config === undefined ? {} : await readOverlay(options.config);
  const base = preset ?? presetOf(overlay) ?? defaultPreset;
  let config = overlayConfig(presetConfig(base), overlay, options.config ?? "preset");
  config = overlayConfig(config, flagsOverlay(config, options), "command line");
  config = assignConfig(config, options.set);
  requireEvaluation(config, options);
  return { preset: base, config: { ...config, data: checkedData(config) } };
}

async function readOverlay(file: string): Promise<unknown> {
  const text = await withFileErrors("read", file, () => Deno.readTextFile(userPath(file)));
  return parseJsonWithComments(text, file);
}

/** JSON as "presets show" prints it, with // and block comments. */
function parseJsonWithComments(text: string, file: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    const reason = (error as Error).message.split("\n")[0];
    throw new FormatError(`${file} is not JSON: ${reason}; mend it or restore it from a copy`);
  }
}

function presetOf(overlay: unknown): string | undefined {
  const { preset } = (overlay ?? {}) as { preset?: unknown };
  return typeof preset === "string" ? preset : undefined;
}

/** The flags as an overlay; a warm-up that would outlast the steps becomes a tenth of them. */
function flagsOverlay(config: RunConfig, options: ConfigOptions) {
  const { steps, batch, microBatch, seed, device, data } = options;
  const tooLong = steps !== undefined && config.optimizer.warmupSteps > steps;
  return {
    ...(seed !== undefined && { seed }),
    ...(device !== undefined && { device }),
    ...(data !== undefined && { data: { directory: data } }),
    training: {
      ...(steps !== undefined && { steps }),
      ...(batch !== undefined && { batchSize: batch }),
      ...(microBatch !== undefined && { microBatch }),
    },
    evaluation: evaluationOverlay(options),
    optimizer: tooLong ? { warmupSteps: Math.floor(steps / 10) } : {},
  };
}

/** What is measured on the way, as the flags say it; every 0 steps is never. */
export function evaluationOverlay(
  { evalEvery, evalN, evalMetric, evalFeatures }: Partial<ConfigOptions>,
): Record<string, unknown> {
  return {
    ...(evalEvery !== undefined && { every: evalEvery === 0 ? null : evalEvery }),
    ...(evalN !== undefined && { n: evalN }),
    ...(evalMetric !== undefined && { metric: evalMetric }),
    ...(evalFeatures !== undefined && { features: evalFeatures }),
  };
}

/**
 * Refuses flags that say how something is measured, where nothing is.
 *
 * @param config what the flags have come to
 * @throws {VapoError} with the flag that is missing
 */
export function requireEvaluation(
  { evaluation }: RunConfig,
  { evalN, evalMetric, evalFeatures }: Partial<ConfigOptions>,
): void {
  if (evaluation.every !== null) return;
  const flags = { "--eval-n": evalN, "--eval-metric": evalMetric, "--eval-features": evalFeatures };
  const given = Object.entries(flags).find(([, value]) => value !== undefined);
  if (!given) return;
  throw new VapoError(
    `${given.join(" ")} has no use: nothing is measured on the way; add --eval-every STEPS, or ` +
      "leave it out",
  );
}

/** The directory made absolute, so that the run can be resumed from anywhere. */
export function checkedData({ data }: RunConfig): RunConfig["data"] {
  if (data.directory === null) return data;
  if (isToy(data.name)) {
    throw new VapoError(
      `data directory ${data.directory} for data "${data.name}", which is drawn, not read: ` +
        "leave --data out, or choose a preset of images such as mnist16",
    );
  }
  return { ...data, directory: userPath(data.directory) };
}
