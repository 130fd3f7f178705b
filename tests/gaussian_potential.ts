/**
 * @file The exact potential of a single Gaussian N(m, c²I) under any Gaussian path, for tests: with
 * s² = α²c² + β² it is Φ = ½A|x − αm|² + α̇ m·x, A = (αα̇c² + ββ̇)/s², so every sample, score and
 * density along the flow is known in closed form.
 */
import type { GaussianPath } from "../core/homotopy/gaussian_path.ts";
import type { Potential } from "../core/potential/potential.ts";
import { tf } from "../core/tensor/mod.ts";

export function gaussianPotential(
  path: GaussianPath,
  mean: readonly number[],
  deviation: number,
): Potential {
  return {
    sampleShape: [mean.length],
    timeExplicit: true,
    initialize: () => ({}),
    apply(_parameters, x, u) {
      const c = path.tensorAt(u);
      const variance = tf.add(tf.mul(tf.square(c.alpha), deviation ** 2), tf.square(c.beta));
      const rate = tf.div(
        tf.add(tf.mul(tf.mul(c.alpha, c.alphaDot), deviation ** 2), tf.mul(c.beta, c.betaDot)),
        variance,
      );
      const m = tf.tensor2d([[...mean]]);
      const centred = tf.sub(x, tf.mul(tf.reshape(c.alpha, [-1, 1]), m));
      const curvature = tf.mul(tf.mul(rate, 0.5), tf.sum(tf.square(centred), 1));
      return tf.add(curvature, tf.mul(c.alphaDot, tf.sum(tf.mul(x, m), 1)));
    },
  };
}
