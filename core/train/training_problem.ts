/**
 * @file A configuration made concrete: everything that a step needs and that does not change.
 */
import { type GaussianPath, gaussianPath } from "../homotopy/gaussian_path.ts";
import { adam } from "../optim/adam.ts";
import { lamb } from "../optim/lamb.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import type { Potential } from "../potential/potential.ts";
import type { RunConfig } from "./config.ts";
import { configuredPotential } from "./configured_potential.ts";
import type { DataSource } from "./data_source.ts";

/** A configuration made concrete: everything that a step needs and that does not change. */
export interface TrainingProblem {
  /** What it was made from. */
  readonly config: RunConfig;
  /** Where batches are drawn from. */
  readonly data: DataSource;
  /** The path that the flow is to follow. */
  readonly path: GaussianPath;
  /** Φ. */
  readonly potential: Potential;
  /** What turns gradients into new parameters. */
  readonly optimizer: Optimizer;
}

/**
 * Makes a configuration concrete.
 *
 * @param config a complete configuration
 * @param data the configuration's data set, open; it stays the caller's
 * @throws {ConfigError} where the path or the potential cannot be made as configured
 * @example
 * ```ts
 * import { assertAlmostEquals, assertEquals } from "@std/assert";
 * import { openDataSource, presetConfig, trainingProblem } from "vapo";
 * const problem = trainingProblem(presetConfig("rings"), await openDataSource("rings"));
 * assertEquals(problem.potential.sampleShape, [2]);
 * assertAlmostEquals(problem.path.uMax, 0.99);
 * ```
 */
export function trainingProblem(config: RunConfig, data: DataSource): TrainingProblem {
  const { kind, ...constants } = config.optimizer;
  return {
    config,
    data,
    path: gaussianPath(config.path),
    potential: configuredPotential(config.potential, data.sampleShape),
    optimizer: kind === "adam" ? adam(constants) : lamb(constants),
  };
}
