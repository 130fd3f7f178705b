/**
 * @file The shapes of the two-dimensional distributions, each a family over its noise and the weights
 * of its components, and drawn from by tensor operations alone.
 *
 * The shapes are those that the field draws: the ring and the grid of Gaussians of "Unrolled
 * Generative Adversarial Networks" (Metz et al. 2017) and "PacGAN" (Lin et al. 2018), the moons and
 * the swiss roll of scikit-learn (`make_moons`, `make_swiss_roll`), the pinwheel of "Composing
 * Graphical Models with Neural Networks" (Johnson et al. 2016), the checkerboard and the rings of
 * FFJORD's toy data (Grathwohl et al. 2019).
 */
import { type GaussianMixture, mixtureLogDensity } from "../homotopy/gaussian_mixture.ts";
import {
  fork,
  randomIndices,
  type RandomKey,
  randomNormal,
  randomUniform,
  type Tensor,
  type Tensor2D,
  tf,
} from "../tensor/mod.ts";
import { blurredInterval, noisyCircleDensity } from "./closed_densities.ts";
import type { Distribution, ToyName } from "./toy.ts";
import { upperEnds, weightedIndices } from "./weighted_draws.ts";

/** What a distribution is made with: probabilities of components, null for equal ones. */
export interface Changes {
  readonly noise: number;
  readonly weights: readonly number[] | null;
}

/** A family of distributions that differ by their noise and by the weights of their components. */
export interface Family {
  readonly name: string;
  /** The noise that is its own. */
  readonly noise: number;
  readonly components: readonly string[];
  make(changes: Changes): Pick<Distribution, "mixture" | "density" | "sample">;
}

/** A column of uniform draws in (0, 1): [n, 1]. */
function uniform(key: RandomKey, label: string, n: number): Tensor {
  return randomUniform(fork(key, label), [n, 1]);
}

/** A column of integers 0 … count − 1 in float32, of the weights given: [n, 1]. */
function integer(
  key: RandomKey,
  label: string,
  n: number,
  count: number,
  weights: Changes["weights"],
): Tensor {
  const draws = uniform(key, label, n);
  if (!weights) return tf.floor(tf.mul(draws, count));
  return tf.reshape(tf.cast(weightedIndices(draws, weights), "float32"), [n, 1]);
}

/** Isotropic noise: [n, 2]. */
function noise(key: RandomKey, n: number, std: number): Tensor {
  return tf.mul(randomNormal(fork(key, "noise"), [n, 2]), std);
}

/**
 * Whether noise gives points and lines a density: less than this is lost where float32 coordinates are
 * rounded.
 */
function hasWidth(std: number): boolean {
  return std > 1e-6;
}

/** Points that have no noise of their own, with noise: [n, 2]. */
function blurred(points: Tensor, key: RandomKey, n: number, std: number): Tensor2D {
  return (std === 0 ? points : tf.add(points, noise(key, n, std))) as Tensor2D;
}

/** Points (radius cos angle, radius sin angle) from columns: [n, 2]. */
function fromPolar(radius: Tensor | number, angle: Tensor): Tensor {
  return tf.mul(radius, tf.concat([tf.cos(angle), tf.sin(angle)], 1));
}

/** A place in words, as in "(2.55, -3.6)". */
function place([x, y]: readonly number[]): string {
  // − 0 is 0.
  const shown = (value: number) => `${Number(value.toFixed(2)) + 0}`;
  return `(${shown(x)}, ${shown(y)})`;
}

/** Whole numbers 0 … count − 1 in words. */
function numbered(count: number, words: (k: number) => string): string[] {
  return Array.from({ length: count }, (_, k) => words(k));
}

function mixtureFamily(
  name: string,
  means: readonly (readonly number[])[],
  noiseOfItsOwn: number,
  components: readonly string[],
): Family {
  return {
    name,
    noise: noiseOfItsOwn,
    components,
    make({ noise: std, weights }) {
      const mixture: GaussianMixture = { means, std, ...(weights && { weights }) };
      const end = { alpha: 1, beta: 0, alphaDot: 0, betaDot: 0 };
      return {
        mixture,
        ...(hasWidth(std) && {
          density: (x: Float64Array) => mixtureLogDensity(mixture, x, end).map(Math.exp),
        }),
        sample: (n, key) =>
          tf.tidy(() => {
            const component = weights
              ? weightedIndices(uniform(key, "component", n), weights)
              : randomIndices(fork(key, "component"), [n], means.length);
            const centres = tf.tensor2d(means.map((mean) => [...mean]));
            return tf.add(tf.gather(centres, component), noise(key, n, std)) as Tensor2D;
          }),
      };
    },
  };
}

function gaussians(name: string, means: readonly (readonly number[])[], std: number): Family {
  return mixtureFamily(name, means, std, means.map((mean) => `Gaussian at ${place(mean)}`));
}

/** Eight Gaussians of standard deviation 0.24 on a circle of radius 3.6. */
const eightGaussians = gaussians(
  "8gaussians",
  Array.from({ length: 8 }, (_, k) => {
    const angle = 2 * Math.PI * k / 8;
    return [3.6 * Math.cos(angle), 3.6 * Math.sin(angle)];
  }),
  0.24,
);

/** Twenty-five Gaussians of standard deviation 0.12 on a square grid of spacing 1.8. */
const twentyFiveGaussians = gaussians(
  "25gaussians",
  Array.from({ length: 25 }, (_, k) => [
    1.8 * (Math.floor(k / 5) - 2),
    1.8 * (k % 5 - 2),
  ]),
  0.12,
);

/** The noise of drawn points where nothing is said: about the width of a stroke. */
const POINT_NOISE = 0.2;

/** Points that somebody has drawn: a mixture with a Gaussian about each. */
export function drawnPoints(points: readonly (readonly number[])[]): Family {
  const names = numbered(points.length, (k) => `point ${k + 1}`);
  return mixtureFamily("points", points, POINT_NOISE, names);
}

const MOON_SCALE = 2.4, MOON_STD = 0.08;

/** Two half circles that hold each other, of scikit-learn's `make_moons`, centred at the origin. */
const twoMoons: Family = {
  name: "2moons",
  noise: MOON_SCALE * MOON_STD,
  components: ["upper moon", "lower moon"],
  make: ({ noise: std, weights }) => ({
    sample: (n, key) =>
      tf.tidy(() => {
        const upper = fromPolar(1, tf.mul(uniform(key, "angle", n), Math.PI));
        // (cos t, sin t) about its moon's centre; the other moon is the same turned by 180° about
        // the point (1/2, 1/4) that lies between the two.
        const centred = tf.sub(upper, tf.tensor2d([[0.5, 0.25]]));
        const sign = tf.sub(1, tf.mul(integer(key, "moon", n, 2, weights), 2));
        const moved = tf.add(tf.mul(centred, sign), noise(key, n, std / MOON_SCALE));
        return tf.mul(moved, MOON_SCALE) as Tensor2D;
      }),
  }),
};

/** Five arms, each a Gaussian that is longer than wide and bent as it goes out. */
const pinwheel: Family = {
  name: "pinwheel",
  noise: 0,
  components: numbered(5, (k) => `arm ${k + 1}`),
  make: ({ noise: std, weights }) => ({
    sample: (n, key) =>
      tf.tidy(() => {
        const along = tf.add(tf.mul(randomNormal(fork(key, "radial"), [n, 1]), 0.3), 1);
        const across = tf.mul(randomNormal(fork(key, "tangential"), [n, 1]), 0.1);
        const arm = tf.mul(integer(key, "arm", n, 5, weights), 2 * Math.PI / 5);
        const angle = tf.add(arm, tf.mul(tf.exp(along), 0.25));
        const cos = tf.cos(angle), sin = tf.sin(angle);
        // The row vector (along, across) times [[cos, −sin], [sin, cos]], as in the source.
        const x = tf.add(tf.mul(along, cos), tf.mul(across, sin));
        const y = tf.sub(tf.mul(across, cos), tf.mul(along, sin));
        return blurred(tf.mul(tf.concat([x, y], 1), 2.8), key, n, std);
      }),
  }),
};

/** The lower left corners of the squares of side 2, column by column, from below in each. */
const squares = [-4, -2, 0, 2].flatMap((x, column) =>
  [0, 1].map((k) => [x, 4 * k - 4 + 2 * (column % 2)] as const)
);

/** Eight of the sixteen squares of side 2 that tile [−4, 4]², those of one colour. */
const checkerboard: Family = {
  name: "checkerboard",
  noise: 0,
  components: squares.map(([x, y]) => `square at ${place([x + 1, y + 1])}`),
  make: ({ noise: std, weights }) => ({
    density: checkerboardDensity(std, weights ?? squares.map(() => 1 / 8)),
    sample: (n, key) =>
      tf.tidy(() => {
        const { across, row } = weights ? weightedPlaces(key, n, weights) : equalPlaces(key, n);
        const x = tf.sub(across, 2), y = tf.add(row, uniform(key, "y", n));
        return blurred(tf.mul(tf.concat([x, y], 1), 2), key, n, std);
      }),
  }),
};

/** Where in [0, 4] across, and in which row from −2 to 1, both [n, 1], every square equally likely. */
function equalPlaces(key: RandomKey, n: number) {
  const across = tf.mul(uniform(key, "x", n), 4);
  const column = tf.floor(across);
  const odd = tf.sub(column, tf.mul(tf.floor(tf.mul(column, 0.5)), 2));
  return { across, row: tf.sub(odd, tf.mul(integer(key, "row", n, 2, null), 2)) };
}

/**
 * The same with weights: each column has its share of the one draw, and of that the place across; each
 * square of a column has its share of the other.
 */
function weightedPlaces(key: RandomKey, n: number, weights: readonly number[]) {
  const columns = [0, 1, 2, 3];
  const shares = columns.map((c) => weights[2 * c] + weights[2 * c + 1]);
  const starts = [0, ...upperEnds(shares).slice(0, 3)];
  const draw = uniform(key, "x", n), column = weightedIndices(draw, shares);
  const of = (perColumn: readonly number[]) =>
    tf.reshape(tf.gather(tf.tensor1d([...perColumn]), column), [n, 1]);
  // Shares of 0 are never drawn; 1 in their place keeps numbers finite.
  const part = tf.div(tf.sub(draw, of(starts)), of(shares.map((share) => share || 1)));
  // Rounding does not lead into another column.
  const within = tf.clipByValue(part, 0, 1 - 2 ** -21);
  const upperShare = columns.map((c) => weights[2 * c + 1] / (shares[c] || 1));
  // As where all are equal, the lower part of the draws is the upper square.
  const lower = tf.cast(tf.greaterEqual(uniform(key, "row", n), of(upperShare)), "float32");
  const row = tf.sub(of([0, 1, 0, 1]), tf.mul(lower, 2));
  return { across: tf.add(of(columns), within), row };
}

function checkerboardDensity(std: number, weights: readonly number[]) {
  const at = hasWidth(std)
    ? (x: number, from: number) => blurredInterval(x, from, from + 2, std)
    : (x: number, from: number) => Math.floor(x / 2) === from / 2 ? 1 : 0;
  const sides = [-4, -2, 0, 2];
  return (points: Float64Array) =>
    Float64Array.from({ length: points.length / 2 }, (_, i) => {
      const across = sides.map((from) => at(points[2 * i], from));
      const up = sides.map((from) => at(points[2 * i + 1], from));
      return squares.reduce(
        (sum, [x, y], k) => sum + weights[k] / 4 * across[(x + 4) / 2] * up[(y + 4) / 2],
        0,
      );
    });
}

/** The spiral (t cos t, t sin t), t in [1.5π, 4.5π], scaled, with noise. */
const swissroll: Family = {
  name: "swissroll",
  noise: 0.15,
  components: [],
  make: ({ noise: std }) => ({
    sample: (n, key) =>
      tf.tidy(() => {
        const t = tf.mul(tf.add(tf.mul(uniform(key, "angle", n), 2), 1), 1.5 * Math.PI);
        return tf.add(fromPolar(tf.div(t, 3.5), t), noise(key, n, std)) as Tensor2D;
      }),
  }),
};

const RING_SPACING = 0.9;

/** Four circles about the origin, of radii 0.9, 1.8, 2.7 and 3.6, equally likely, with noise. */
const rings: Family = {
  name: "rings",
  noise: 0.096,
  components: numbered(4, (k) => `ring of radius ${Number((RING_SPACING * (k + 1)).toFixed(1))}`),
  make: ({ noise: std, weights }) => ({
    ...(hasWidth(std) && { density: ringsDensity(std, weights ?? [0.25, 0.25, 0.25, 0.25]) }),
    sample: (n, key) =>
      tf.tidy(() => {
        const radius = tf.mul(tf.add(integer(key, "ring", n, 4, weights), 1), RING_SPACING);
        const angle = tf.mul(uniform(key, "angle", n), 2 * Math.PI);
        return tf.add(fromPolar(radius, angle), noise(key, n, std)) as Tensor2D;
      }),
  }),
};

function ringsDensity(std: number, weights: readonly number[]) {
  return (x: Float64Array) =>
    Float64Array.from({ length: x.length / 2 }, (_, i) => {
      const radius = Math.hypot(x[2 * i], x[2 * i + 1]);
      return weights.reduce(
        (sum, weight, k) => sum + weight * noisyCircleDensity(radius, (k + 1) * RING_SPACING, std),
        0,
      );
    });
}

/** The families by name; each as it is by itself has its own noise and equal weights. */
export const families: Readonly<Record<ToyName, Family>> = {
  "8gaussians": eightGaussians,
  "25gaussians": twentyFiveGaussians,
  "2moons": twoMoons,
  pinwheel,
  checkerboard,
  swissroll,
  rings,
};
