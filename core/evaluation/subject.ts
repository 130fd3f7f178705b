/**
 * @file What is evaluated: the averaged parameters of one checkpoint of a run.
 */
import { sha256 } from "../formats/sha256.ts";
import { type GaussianPath, gaussianPath } from "../homotopy/gaussian_path.ts";
import type { TensorSpec } from "../jit/mod.ts";
import { parameterShapes } from "../potential/description.ts";
import type { Potential } from "../potential/potential.ts";
import { type TensorRecord, tf } from "../tensor/mod.ts";
import type { RunConfig } from "../train/config.ts";
import type { CacheKey } from "./evaluation_store.ts";
import { configuredPotential } from "../train/configured_potential.ts";
import { type SampleSpace, sampleSpace } from "../train/data_sets.ts";

/** What is evaluated. */
export interface EvaluationSubject {
  /** The run's name, for people. */
  readonly name: string;
  readonly config: RunConfig;
  readonly space: SampleSpace;
  readonly path: GaussianPath;
  readonly potential: Potential;
  /** Averaged parameters of the checkpoint; they stay the caller's. */
  readonly parameters: TensorRecord;
  readonly step: number;
  /** The decay of that average. */
  readonly average: number;
  /** SHA-256 of the parameters: names, shapes and values. */
  readonly sha256: string;
}

/**
 * What rows that a model has computed are kept by: its parameters, what its configuration makes of them,
 * and the device, whose rounding is its own.
 */
export function modelKey({ sha256, config }: EvaluationSubject): CacheKey {
  const { path, potential } = config;
  return { rows: ROWS, parameters: sha256, path, potential, device: tf.getBackend() };
}

/** The version of how rows are computed: raised where the same key would give others. */
const ROWS = 1;

/** The names, shapes and types of the parameters that a configuration's potential has. */
export function parameterSpecs(config: RunConfig): Record<string, TensorSpec> {
  const shapes = parameterShapes(runPotential(config));
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [name, { shape, dtype: "float32" }]),
  );
}

function runPotential(config: RunConfig): Potential {
  return configuredPotential(config.potential, sampleSpace(config.data).sampleShape);
}

/**
 * A checkpoint's parameters with what its configuration makes of them.
 *
 * @param from the run's name and configuration, the averaged parameters, their step and decay
 * @example
 * ```ts
 * import { assertMatch } from "@std/assert";
 * import {
 *   assignConfig, configuredPotential, evaluationSubject, openDevice, presetConfig, randomKey,
 * } from "vapo";
 * await openDevice("cpu");
 * const config = assignConfig(presetConfig("rings"), ["potential.hidden=[4]"]);
 * const parameters = configuredPotential(config.potential, [2]).initialize(randomKey(1));
 * const from = { name: "rings", config, parameters, step: 0, average: 0.999 };
 * assertMatch((await evaluationSubject(from)).sha256, /^[0-9a-f]{64}$/);
 * ```
 */
export async function evaluationSubject(
  { name, config, parameters, step, average }: Pick<
    EvaluationSubject,
    "name" | "config" | "parameters" | "step" | "average"
  >,
): Promise<EvaluationSubject> {
  return {
    name,
    config,
    space: sampleSpace(config.data),
    path: gaussianPath(config.path),
    potential: runPotential(config),
    parameters,
    step,
    average,
    sha256: await parametersSha256(parameters),
  };
}

/** SHA-256 of parameters, hexadecimal: of each name and shape in order, and its values. */
async function parametersSha256(parameters: TensorRecord): Promise<string> {
  const digests: string[] = [];
  for (const name of Object.keys(parameters).sort()) {
    const tensor = parameters[name], { buffer, byteOffset, byteLength } = await tensor.data();
    const digest = await sha256(new Uint8Array(buffer, byteOffset, byteLength));
    digests.push(`${name} [${tensor.shape}] ${digest}`);
  }
  return await sha256(digests.join("\n"));
}
