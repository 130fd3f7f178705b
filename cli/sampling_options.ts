/**
 * @file How samples are drawn: the run's own settings, with those of the command line in their place.
 */
import { type Command, Option } from "commander";
import { VapoError } from "../core/errors.ts";
import { odeMethods } from "../core/flow/ode/mod.ts";
import { type SampleOptions, type SolverName, solverNames } from "../core/flow/sampler.ts";
import { sdeMethodNames } from "../core/flow/sde.ts";
import type { RunConfig } from "../core/train/config.ts";
import { runSampling } from "../core/train/run_sampling.ts";
import { positiveNumber, wholeNumber } from "./options.ts";

/** What of the command line says how samples are drawn. */
export interface SamplingFlags {
  readonly solver?: SolverName;
  readonly steps?: number;
  readonly rtol?: number;
  readonly atol?: number;
  readonly until?: number;
  readonly seed?: number;
  readonly batch?: number;
  readonly noise?: number;
}

/** The options of {@link SamplingFlags}. */
export function samplingFlags(command: Command): Command {
  return command
    .addOption(new Option("--solver <name>", "how the flow is integrated").choices(solverNames))
    .option("--steps <n>", "equal steps from 0 to the end", wholeNumber(1))
    .option("--rtol <x>", "relative tolerance of an adaptive solver", positiveNumber("not zero"))
    .option("--atol <x>", "absolute tolerance of an adaptive solver", positiveNumber("not zero"))
    .option("--until <u>", "the time at which the flow ends", positiveNumber("not zero"))
    .option("--seed <n>", "which samples", wholeNumber(0))
    .option("--batch <n>", "samples that are integrated together", wholeNumber(1))
    .option(
      "--noise <x>",
      "noise of a stochastic solver (default: 0.5)",
      positiveNumber("zero too"),
    );
}

/** How samples are drawn, but for how many. */
export type Sampling =
  & Pick<SampleOptions, "seed" | "solver" | "steps" | "rtol" | "atol" | "until">
  & Partial<Pick<SampleOptions, "equalSteps" | "batchSize" | "noise">>;

/**
 * The run's sampling options with those of the command line in their place.
 *
 * @throws {VapoError} for an option that the solver has no use for
 */
export function samplingOptions(config: RunConfig, flags: SamplingFlags): Sampling {
  const own = runSampling(config, flags.solver), { solver } = own;
  const stochastic = (sdeMethodNames as readonly string[]).includes(solver);
  const adaptive = !stochastic && odeMethods[solver as keyof typeof odeMethods].adaptive;
  requireUse(flags.noise, "--noise", stochastic, `solver ${solver} has no noise`, sdeMethodNames);
  requireUse(
    flags.rtol ?? flags.atol,
    flags.rtol === undefined ? "--atol" : "--rtol",
    adaptive && flags.steps === undefined,
    adaptive ? "--steps asks for equal steps" : `solver ${solver} takes equal steps`,
    Object.keys(odeMethods).filter((name) => odeMethods[name as keyof typeof odeMethods].adaptive),
  );
  return {
    seed: flags.seed ?? own.seed,
    solver,
    steps: flags.steps ?? own.steps,
    equalSteps: flags.steps !== undefined,
    rtol: flags.rtol ?? own.rtol,
    atol: flags.atol ?? own.atol,
    until: flags.until ?? own.until,
    batchSize: flags.batch ?? own.batchSize,
    ...(flags.noise !== undefined && { noise: flags.noise }),
  };
}

function requireUse(
  value: number | undefined,
  name: string,
  used: boolean,
  reason: string,
  users: readonly string[],
): void {
  if (value === undefined || used) return;
  throw new VapoError(
    `${name} ${value} has no use: ${reason}; leave it out, or choose ${users.join(", ")}`,
  );
}
