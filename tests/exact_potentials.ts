/**
 * @file Exact potentials of distributions whose densities along a Gaussian path are closed forms, as
 * TensorFlow.js functions, for tests.
 */
import type { GaussianMixture } from "../core/homotopy/gaussian_mixture.ts";
import type { GaussianPath, PathCoefficients } from "../core/homotopy/gaussian_path.ts";
import type { Potential } from "../core/potential/potential.ts";
import { softmax, type Tensor, tf } from "../core/tensor/mod.ts";
import { fillPhilox } from "../core/tensor/philox.ts";

/**
 * The exact potential of an isotropic mixture: with L = log Σ_k w_k exp((α x·m_k − ½α²|m_k|²)/s²) it is
 * ½((α̇ατ² + β̇β)/s²)|x|² + (α̇β²/α − ββ̇) L, for times above 0 (at 0 within rounding).
 */
export function mixturePotentialOn(path: GaussianPath, mixture: GaussianMixture): Potential {
  const { means, std, weights = means.map(() => 1 / means.length) } = mixture;
  return {
    sampleShape: [means[0].length],
    timeExplicit: true,
    initialize: () => ({}),
    apply(_parameters, x, time) {
      const c = path.tensorAt(tf.maximum(time, 1e-3));
      const [alpha, beta, alphaDot, betaDot] = [c.alpha, c.beta, c.alphaDot, c.betaDot]
        .map((each) => tf.reshape(each, [-1, 1]));
      const variance = tf.add(tf.mul(tf.square(alpha), std ** 2), tf.square(beta));
      const drift = tf.add(tf.mul(tf.mul(alphaDot, alpha), std ** 2), tf.mul(betaDot, beta));
      const m = tf.tensor2d(means.map((mean) => [...mean]));
      const squares = tf.tensor2d([means.map((mean) => mean.reduce((s, v) => s + v * v, 0))]);
      const logits = tf.add(
        tf.div(
          tf.sub(
            tf.mul(alpha, tf.matMul(x as tf.Tensor2D, m, false, true)),
            tf.mul(tf.mul(tf.square(alpha), 0.5), squares),
          ),
          variance,
        ),
        tf.tensor2d([weights.map(Math.log)]),
      );
      const tilt = tf.reshape(logSumExp(logits), [-1, 1]);
      const radial = tf.mul(
        tf.div(tf.mul(drift, 0.5), variance),
        tf.sum(tf.square(x), 1, true),
      );
      const factor = tf.sub(
        tf.div(tf.mul(alphaDot, tf.square(beta)), alpha),
        tf.mul(beta, betaDot),
      );
      return tf.reshape(tf.add(radial, tf.mul(factor, tilt)), [-1]);
    },
  };
}

/** log Σ exp of each row, [n, 1], with derivatives of every order. */
function logSumExp(rows: Tensor): Tensor {
  const f = tf.customGrad((rows, save) => {
    (save as (tensors: Tensor[]) => void)([rows as Tensor]);
    return {
      value: tf.logSumExp(rows as Tensor, 1, true),
      gradFunc: (dy: Tensor, [rows]: Tensor[]) => tf.mul(dy, softmax(rows)),
    };
  });
  return f(rows);
}

/** A Gaussian with no diagonal covariance, under a path. */
export interface EllipsoidFlow {
  readonly potential: Potential;
  /** Its log density at points, under the path's coefficients at one time. */
  logDensity(points: Float64Array, c: PathCoefficients<number>): Float64Array;
  /** Draws of the marginal there. */
  sample(n: number, c: PathCoefficients<number>): Float64Array;
}

/**
 * The exact flow to a Gaussian of mean 0.3 in each of d coordinates, whose axes are those of a
 * reflection I − 2vvᵀ and have deviations from 0.2 to 1.2: along an axis of deviation c the potential
 * has the curvature (αα̇c² + ββ̇)/(α²c² + β²), and Hutchinson's probes meet a full matrix.
 */
export function ellipsoidPotential(path: GaussianPath, d: number): EllipsoidFlow {
  const deviations = Float64Array.from({ length: d }, (_, i) => 0.2 + i / Math.max(1, d - 1));
  const normal = Float64Array.from({ length: d }, (_, i) => Math.sin(1 + i));
  const length = Math.hypot(...normal);
  const mirrored = (point: ArrayLike<number>) => {
    const along = 2 * normal.reduce((s, v, i) => s + v * point[i], 0) / length ** 2;
    return Float64Array.from(normal, (v, i) => point[i] - along * v);
  };
  const mean = 0.3;
  const reflection = Array.from({ length: d }, (_, i) => [
    ...mirrored(Float64Array.from({ length: d }, (_, j) => i === j ? 1 : 0)),
  ]);
  const width = (axis: number, { alpha, beta }: PathCoefficients<number>) =>
    Math.hypot(alpha * deviations[axis], beta);
  const rows = (points: Float64Array) =>
    Array.from({ length: points.length / d }, (_, i) => points.subarray(i * d, (i + 1) * d));
  return {
    potential: {
      sampleShape: [d],
      timeExplicit: true,
      initialize: () => ({}),
      apply(_parameters, x, time) {
        const c = path.tensorAt(time);
        const [alpha, beta, alphaDot, betaDot] = [c.alpha, c.beta, c.alphaDot, c.betaDot]
          .map((each) => tf.reshape(each, [-1, 1]));
        const squares = tf.tensor2d([[...deviations.map((each) => each * each)]]);
        const curvature = tf.div(
          tf.add(tf.mul(tf.mul(alpha, alphaDot), squares), tf.mul(beta, betaDot)),
          tf.add(tf.mul(tf.square(alpha), squares), tf.square(beta)),
        );
        const centred = tf.sub(x, tf.mul(alpha, mean));
        const axes = tf.matMul(centred as tf.Tensor2D, tf.tensor2d(reflection));
        const quadratic = tf.mul(tf.sum(tf.mul(curvature, tf.square(axes)), 1), 0.5);
        return tf.add(quadratic, tf.mul(tf.mul(c.alphaDot, mean), tf.sum(x, 1)));
      },
    },
    logDensity: (points, c) =>
      Float64Array.from(rows(points), (point) => {
        const axes = mirrored(point.map((value) => value - c.alpha * mean));
        return axes.reduce((sum, value, i) => {
          const s = width(i, c);
          return sum - Math.log(s * Math.sqrt(2 * Math.PI)) - (value / s) ** 2 / 2;
        }, 0);
      }),
    sample(n, c) {
      const noise = new Float32Array(n * d);
      fillPhilox(noise, "normal", d, { seed: [12, 0], step: 0, stream: 0 });
      const points = rows(Float64Array.from(noise)).map((point) =>
        mirrored(point.map((value, i) => value * width(i, c))).map((value) =>
          value + c.alpha * mean
        )
      );
      return Float64Array.from(points.flatMap((point) => [...point]));
    },
  };
}
