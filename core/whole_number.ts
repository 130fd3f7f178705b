/**
 * @file Whole numbers that callers pass: counts, sizes and seeds.
 */
import { ConfigError } from "./errors.ts";

/**
 * Refuses what is no whole number, or too small.
 *
 * @param name of the option, for the message
 * @param value what was passed
 * @param least the smallest that is allowed
 * @throws {ConfigError} where it is another number
 */
export function requireWhole(name: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new ConfigError(`${name} is ${value}: expected a whole number from ${least} on`);
}
