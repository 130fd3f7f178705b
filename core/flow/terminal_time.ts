/**
 * @file Where a flow ends: at the path's last time, unless another is asked for that the potential
 * knows.
 */
import { VapoError } from "../errors.ts";
import type { GaussianPath } from "../homotopy/gaussian_path.ts";
import type { Potential } from "../potential/potential.ts";

/**
 * The time at which an integration ends (or, run backwards, starts): the one asked for, or uMax.
 *
 * @param option what the caller calls it
 * @throws {VapoError} for a time that is not above 0, or that a time-explicit potential was never
 * trained at
 */
export function terminalTime(
  potential: Potential,
  path: GaussianPath,
  time: number | null,
  option: "until" | "time",
): number {
  if (time === null) return path.uMax;
  if (!(time > 0 && Number.isFinite(time))) {
    throw new VapoError(`${option} is ${time}: expected a time above 0, for instance ${path.uMax}`);
  }
  if (potential.timeExplicit && time > path.uMax + 1e-12) {
    throw new VapoError(
      `${option} is ${time}: this potential takes u as an input and is known up to ${path.uMax} ` +
        `only; use ${option === "until" ? "--until" : option} ${path.uMax} or less`,
    );
  }
  return time;
}
