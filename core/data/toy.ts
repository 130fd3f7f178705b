/**
 * @file Seven two-dimensional distributions, each drawn by a pure function of a random key made of
 * tensor operations alone: sample i is the same whatever the number of samples, and a tracer can
 * record the draw. All span about [−4, 4]².
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

/** A distribution that samples are drawn from, as a function of a key alone. */
export interface Distribution {
  /** How it is called in messages. */
  readonly name: string;
  /** d: how many numbers a sample has. */
  readonly dimension: number;
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

/** A column of uniform draws in (0, 1): [n, 1]. */
function uniform(key: RandomKey, label: string, n: number): Tensor {
  return randomUniform(fork(key, label), [n, 1]);
}

/** A column of integers 0 … count − 1 in float32: [n, 1]. */
function integer(key: RandomKey, label: string, n: number, count: number): Tensor {
  return tf.floor(tf.mul(uniform(key, label, n), count));
}

/** Isotropic noise: [n, 2]. */
function noise(key: RandomKey, n: number, std: number): Tensor {
  return tf.mul(randomNormal(fork(key, "noise"), [n, 2]), std);
}

/** Points (radius cos angle, radius sin angle) from columns: [n, 2]. */
function fromPolar(radius: Tensor | number, angle: Tensor): Tensor {
  return tf.mul(radius, tf.concat([tf.cos(angle), tf.sin(angle)], 1));
}

function mixtureDistribution(name: string, mixture: GaussianMixture): Distribution {
  return {
    name,
    dimension: 2,
    mixture,
    density: (x) =>
      mixtureLogDensity(mixture, x, { alpha: 1, beta: 0, alphaDot: 0, betaDot: 0 }).map(Math.exp),
    sample: (n, key) =>
      tf.tidy(() => {
        const component = randomIndices(fork(key, "component"), [n], mixture.means.length);
        const means = tf.tensor2d(mixture.means.map((mean) => [...mean]));
        return tf.add(tf.gather(means, component), noise(key, n, mixture.std)) as Tensor2D;
      }),
  };
}

/** Eight Gaussians of standard deviation 0.24 on a circle of radius 3.6. */
const eightGaussians = mixtureDistribution("8gaussians", {
  means: Array.from({ length: 8 }, (_, k) => {
    const angle = 2 * Math.PI * k / 8;
    return [3.6 * Math.cos(angle), 3.6 * Math.sin(angle)];
  }),
  std: 0.24,
});

/** Twenty-five Gaussians of standard deviation 0.12 on a square grid of spacing 1.8. */
const twentyFiveGaussians = mixtureDistribution("25gaussians", {
  means: Array.from({ length: 25 }, (_, k) => [
    1.8 * (Math.floor(k / 5) - 2),
    1.8 * (k % 5 - 2),
  ]),
  std: 0.12,
});

/** Two half circles that hold each other, of scikit-learn's `make_moons`, centred at the origin. */
const twoMoons: Distribution = {
  name: "2moons",
  dimension: 2,
  sample: (n, key) =>
    tf.tidy(() => {
      const upper = fromPolar(1, tf.mul(uniform(key, "angle", n), Math.PI));
      // (cos t, sin t) about its moon's centre; the other moon is the same turned by 180° about
      // the point (1/2, 1/4) that lies between the two.
      const centred = tf.sub(upper, tf.tensor2d([[0.5, 0.25]]));
      const sign = tf.sub(1, tf.mul(integer(key, "moon", n, 2), 2));
      return tf.mul(tf.add(tf.mul(centred, sign), noise(key, n, 0.08)), 2.4) as Tensor2D;
    }),
};

/** Five arms, each a Gaussian that is longer than wide and bent as it goes out. */
const pinwheel: Distribution = {
  name: "pinwheel",
  dimension: 2,
  sample: (n, key) =>
    tf.tidy(() => {
      const along = tf.add(tf.mul(randomNormal(fork(key, "radial"), [n, 1]), 0.3), 1);
      const across = tf.mul(randomNormal(fork(key, "tangential"), [n, 1]), 0.1);
      const arm = tf.mul(integer(key, "arm", n, 5), 2 * Math.PI / 5);
      const angle = tf.add(arm, tf.mul(tf.exp(along), 0.25));
      const cos = tf.cos(angle), sin = tf.sin(angle);
      // The row vector (along, across) times [[cos, −sin], [sin, cos]], as in the source.
      const x = tf.add(tf.mul(along, cos), tf.mul(across, sin));
      const y = tf.sub(tf.mul(across, cos), tf.mul(along, sin));
      return tf.mul(tf.concat([x, y], 1), 2.8) as Tensor2D;
    }),
};

/** Eight of the sixteen squares of side 2 that tile [−4, 4]², those of one colour. */
const checkerboard: Distribution = {
  name: "checkerboard",
  dimension: 2,
  density: (x) =>
    Float64Array.from({ length: x.length / 2 }, (_, i) => {
      const column = Math.floor(x[2 * i] / 2), row = Math.floor(x[2 * i + 1] / 2);
      const inside = Math.abs(column + 0.5) < 2 && Math.abs(row + 0.5) < 2;
      return inside && (column + row) % 2 === 0 ? 1 / 32 : 0;
    }),
  sample: (n, key) =>
    tf.tidy(() => {
      const across = tf.mul(uniform(key, "x", n), 4);
      const column = tf.floor(across);
      const odd = tf.sub(column, tf.mul(tf.floor(tf.mul(column, 0.5)), 2));
      const row = tf.sub(odd, tf.mul(integer(key, "row", n, 2), 2));
      const x = tf.sub(across, 2), y = tf.add(row, uniform(key, "y", n));
      return tf.mul(tf.concat([x, y], 1), 2) as Tensor2D;
    }),
};

/** The spiral (t cos t, t sin t), t in [1.5π, 4.5π], scaled, with noise. */
const swissroll: Distribution = {
  name: "swissroll",
  dimension: 2,
  sample: (n, key) =>
    tf.tidy(() => {
      const t = tf.mul(tf.add(tf.mul(uniform(key, "angle", n), 2), 1), 1.5 * Math.PI);
      return tf.add(fromPolar(tf.div(t, 3.5), t), noise(key, n, 0.15)) as Tensor2D;
    }),
};

const RING_SPACING = 0.9, RING_STD = 0.096;

/** Four circles about the origin, of radii 0.9, 1.8, 2.7 and 3.6, equally likely, with noise. */
const rings: Distribution = {
  name: "rings",
  dimension: 2,
  density: (x) =>
    Float64Array.from({ length: x.length / 2 }, (_, i) => {
      const radius = Math.hypot(x[2 * i], x[2 * i + 1]);
      let sum = 0;
      for (let k = 1; k <= 4; k++) sum += noisyCircleDensity(radius, k * RING_SPACING, RING_STD);
      return sum / 4;
    }),
  sample: (n, key) =>
    tf.tidy(() => {
      const radius = tf.mul(tf.add(integer(key, "ring", n, 4), 1), RING_SPACING);
      const angle = tf.mul(uniform(key, "angle", n), 2 * Math.PI);
      return tf.add(fromPolar(radius, angle), noise(key, n, RING_STD)) as Tensor2D;
    }),
};

/**
 * The density in the plane, at distance r from the centre, of a circle of radius R blurred by
 * isotropic noise: exp(−(r² + R²)/2σ²) I₀(rR/σ²)/(2πσ²), in the form that does not overflow.
 */
function noisyCircleDensity(r: number, circle: number, std: number): number {
  const variance = std * std;
  const scaled = scaledBesselI0(r * circle / variance);
  return Math.exp(-((r - circle) ** 2) / (2 * variance)) * scaled / (2 * Math.PI * variance);
}

const I0_SMALL = [1, 3.5156229, 3.0899424, 1.2067492, 0.2659732, 0.0360768, 0.0045813];
const I0_LARGE = [
  ...[0.39894228, 0.01328592, 0.00225319, -0.00157565, 0.00916281],
  ...[-0.02057706, 0.02635537, -0.01647633, 0.00392377],
];

/** exp(−z) I₀(z) for z ≥ 0, to 5e-7 of it (Abramowitz and Stegun 9.8.1 and 9.8.2). */
function scaledBesselI0(z: number): number {
  const polynomial = (coefficients: number[], t: number) =>
    coefficients.reduceRight((sum, coefficient) => sum * t + coefficient, 0);
  return z < 3.75
    ? Math.exp(-z) * polynomial(I0_SMALL, (z / 3.75) ** 2)
    : polynomial(I0_LARGE, 3.75 / z) / Math.sqrt(z);
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
export const toyDistributions: Readonly<Record<ToyName, Distribution>> = {
  "8gaussians": eightGaussians,
  "25gaussians": twentyFiveGaussians,
  "2moons": twoMoons,
  pinwheel,
  checkerboard,
  swissroll,
  rings,
};
