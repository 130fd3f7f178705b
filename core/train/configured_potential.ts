/**
 * @file From the potential's section of a configuration to the potential.
 */
import { mlpPotential } from "../potential/mlp.ts";
import type { Potential } from "../potential/potential.ts";
import { unetPotential } from "../potential/unet.ts";
import { wideResnetPotential } from "../potential/wide_resnet.ts";
import type { RunConfig } from "./config.ts";

/**
 * The potential that a configuration describes.
 *
 * @param options the configuration's section
 * @param sampleShape [d] for an MLP, [height, width, channels] for the others
 * @throws {ConfigError} when an image side cannot be halved at every level
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { ConfigError, configuredPotential, presetConfig } from "vapo";
 * const { potential } = presetConfig("mnist16"); // three levels
 * assertEquals(configuredPotential(potential, [16, 16, 1]).timeExplicit, false);
 * assertThrows(() => configuredPotential(potential, [18, 18, 1]), ConfigError, "divisible by 4");
 * ```
 */
export function configuredPotential(
  options: RunConfig["potential"],
  sampleShape: readonly number[],
): Potential {
  if (options.kind === "mlp") return mlpPotential({ ...options, dimension: sampleShape[0] });
  const imageShape = sampleShape as [number, number, number];
  return options.kind === "unet"
    ? unetPotential({ ...options, imageShape })
    : wideResnetPotential({ ...options, imageShape });
}
