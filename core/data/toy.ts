/**
 * @file Seven two-dimensional distributions, and points that somebody has drawn, each drawn from by a
 * pure function of a random key made of tensor operations alone: sample i is the same whatever the
 * number of samples, and a tracer can record the draw. The seven span about [−4, 4]². All can be had
 * with another noise and other weights of their components.
 * `toy_families.ts` has the shapes.
 */

import { ConfigError } from "../errors.ts";
import type { GaussianMixture } from "../homotopy/gaussian_mixture.ts";
import type { RandomKey, Tensor2D } from "../tensor/mod.ts";
import { drawnPoints, families, type Family } from "./toy_families.ts";
import { probabilities } from "./weighted_draws.ts";

/** A distribution that samples are drawn from, as a function of a key alone. */
export interface Distribution {
  /** How it is called in messages. */
  readonly name: string;
  /** d: how many numbers a sample has. */
  readonly dimension: number;
  /** Standard deviation of its isotropic noise, in data units; 0 for none. */
  readonly noise: number;
  /** What it is composed of, in words, in the order of weights; empty for what is one piece. */
  readonly components: readonly string[];
  /** The mixture of Gaussians that this is, where it is one. */
  readonly mixture?: GaussianMixture;
  /** The probability density at n points (n·d numbers, row by row), where it is a closed form. */
  density?(x: Float64Array): Float64Array;
  /**
   * Draws n samples, float32 [n, d]. Row i depends on the key and i alone; the tensor belongs to
   * the caller.
   */
  sample(n: number, key: RandomKey): Tensor2D;
}

/** What of a distribution is not its own, as a configuration's `data.distribution` says it. */
export interface DistributionOptions {
  /** Standard deviation of the isotropic noise in data units, at least 0; null is its own. */
  readonly noise: number | null;
  /** Of its components, at least 0, of any scale; null is its own, which are equal. */
  readonly weights: readonly number[] | null;
  /** Of "points", where they are; null for the others. */
  readonly points: readonly (readonly [number, number])[] | null;
}

/**
 * The names of the two-dimensional distributions.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { toyDistributions, toyNames } from "vapo";
 * const mixtures = toyNames.filter((name) => toyDistributions[name].mixture);
 * assertEquals(mixtures, ["8gaussians", "25gaussians"]);
 * ```
 */
export const toyNames = [
  "8gaussians",
  "25gaussians",
  "2moons",
  "pinwheel",
  "checkerboard",
  "swissroll",
  "rings",
] as const;

/** The name of a two-dimensional distribution. */
export type ToyName = typeof toyNames[number];

function distributionOf(
  { make, ...family }: Family,
  { noise, weights }: Omit<DistributionOptions, "points">,
): Distribution {
  const std = noise ?? family.noise;
  const shares = probabilities(weights, family.components.length, family.name);
  return { ...family, dimension: 2, noise: std, ...make({ noise: std, weights: shares }) };
}

/**
 * The seven two-dimensional distributions by name.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { openDevice, randomKey, toyDistributions } from "vapo";
 * await openDevice("cpu");
 * const samples = toyDistributions.checkerboard.sample(4, randomKey(7));
 * assertEquals(samples.shape, [4, 2]);
 * assertEquals(toyDistributions["8gaussians"].mixture?.means.length, 8);
 * ```
 */
export const toyDistributions: Readonly<Record<ToyName, Distribution>> = Object.fromEntries(
  toyNames.map((name) => [name, distributionOf(families[name], { noise: null, weights: null })]),
) as Record<ToyName, Distribution>;

/** How many points can be drawn. */
export const MOST_POINTS = 4096;
/** How far coordinates of drawn points, and noise, may go. */
export const FARTHEST = 100;

/**
 * A distribution of the plane as a configuration has it: with another noise, other weights of its
 * components, or made of points that somebody has drawn (a Gaussian about each, of standard deviation
 * 0.2 where nothing is said). A noise of 0 leaves shapes without a width, and with no `density` but
 * the checkerboard's; the exact answers of mixtures then hold before the end of a path.
 *
 * @param data its name and, where it is not as it is by itself, what differs: a configuration's
 * section `data`
 * @returns with nothing that differs, that of {@link toyDistributions}
 * @throws {ConfigError} for a noise below 0, weights that are not one a component, points for another
 * name than "points" or none for that
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { configuredDistribution } from "vapo";
 * const distribution = { noise: null, weights: [3, 1], points: null };
 * const moons = configuredDistribution({ name: "2moons", distribution });
 * assertEquals(moons.components, ["upper moon", "lower moon"]);
 * const drawn = { noise: 0.1, weights: null, points: [[0, 0], [1, 2]] as [number, number][] };
 * const points = configuredDistribution({ name: "points", distribution: drawn });
 * assertEquals(points.mixture, { means: [[0, 0], [1, 2]], std: 0.1 });
 * ```
 */
export function configuredDistribution(
  { name, distribution }: {
    readonly name: ToyName | "points";
    readonly distribution?: DistributionOptions | null;
  },
): Distribution {
  const { noise = null, weights = null, points = null } = distribution ?? {};
  checkNoise(noise);
  checkPoints(name, points);
  if (name === "points") return distributionOf(drawnPoints(points!), { noise, weights });
  if (noise === null && weights === null) return toyDistributions[name];
  return distributionOf(families[name], { noise, weights });
}

function checkNoise(noise: number | null): void {
  if (noise === null || (noise >= 0 && noise <= FARTHEST)) return;
  throw new ConfigError(
    `data.distribution.noise is ${noise}: expected a standard deviation from 0 to ${FARTHEST}, or ` +
      "null for the distribution's own",
  );
}

function checkPoints(name: string, points: DistributionOptions["points"]): void {
  const said = "data.distribution.points";
  if ((name === "points") !== (points !== null)) {
    throw new ConfigError(
      points === null
        ? `${said} is null for data "points": expected 1 to ${MOST_POINTS} points, as in ` +
          'data.distribution={"points":[[0,0],[1,2]]}'
        : `${said} has ${counted(points)} for data "${name}": expected null; to train on ` +
          'points, set data.name to "points"',
    );
  }
  if (points === null) return;
  if (points.length < 1 || points.length > MOST_POINTS) {
    throw new ConfigError(
      `${said} has ${counted(points)}: expected 1 to ${MOST_POINTS}; ` +
        (points.length === 0 ? "add one" : "leave some out"),
    );
  }
  const wrong = points.findIndex((point) =>
    point.length !== 2 || !point.every((value) => Math.abs(value) <= FARTHEST)
  );
  if (wrong < 0) return;
  throw new ConfigError(
    `${said} has ${JSON.stringify(points[wrong])} at place ${
      wrong + 1
    }: expected two coordinates ` +
      `from -${FARTHEST} to ${FARTHEST}`,
  );
}

function counted({ length }: readonly unknown[]): string {
  return length === 1 ? "1 point" : `${length} points`;
}
