/**
 * @file A potential that starts elsewhere: for tests of networks whose last layers are zero at the
 * start, so that most of what is before them has no effect.
 */
import type { Potential } from "../core/potential/potential.ts";
import { fork, randomNormal, type TensorRecord, tf } from "../core/tensor/mod.ts";

/** The same potential with normal draws of the given deviation added to its fresh parameters. */
export function perturbedPotential(potential: Potential, deviation: number): Potential {
  return {
    ...potential,
    initialize(key) {
      const parameters: TensorRecord = {};
      for (const [name, start] of Object.entries(potential.initialize(key))) {
        const draw = randomNormal(fork(key, `perturbed ${name}`), start.shape);
        parameters[name] = tf.add(start, tf.mul(draw, deviation));
      }
      return parameters;
    },
  };
}
