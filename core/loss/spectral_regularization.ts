/**
 * @file The spectral regularisation of NVAE (Vahdat and Kautz, "NVAE: A Deep Hierarchical Variational
 * Autoencoder", 2020, section 3.2 and its published code): the sum over all convolutions of the
 * largest singular value of the layer's weights. Its singular vectors come from power iteration (von
 * Mises; Yoshida and Miyato, "Spectral Norm Regularization", 2017), which goes on from step to step
 * with the vectors of the step before, while the weights move slowly.
 */
import { VapoError } from "../errors.ts";
import { layerWeights } from "../potential/layers.ts";
import {
  fork,
  type RandomKey,
  randomNormal,
  type Scalar,
  type Tensor,
  type TensorRecord,
  tf,
} from "../tensor/mod.ts";
import { requireWhole } from "../whole_number.ts";

/** How the singular values are found. */
export interface SpectralRegularizationOptions {
  /** Iterations a step, each two products with every layer's weights. Default 4, as NVAE has it. */
  readonly iterations?: number;
}

/** The regularisation of one step. */
export interface SpectralRegularization {
  /** Σ over convolutions of the largest singular value: a scalar, differentiable in the parameters. */
  readonly loss: Scalar;
  /** The singular vectors, to go on from in the next step; no gradient runs through them. */
  readonly vectors: TensorRecord;
  /** The largest singular value of any layer: a scalar, for reports. */
  readonly largest: Scalar;
}

/** NVAE's: iterations a step, and so many times as many for vectors that are drawn at random. */
const defaultIterations = 4, firstTimes = 10;

/**
 * Singular vectors to start a run with: `NAME.left` [outputs] and `NAME.right` [kh·kw·inputs] of each
 * convolution, unit vectors drawn at random and then moved by 40 iterations, as many as NVAE does.
 *
 * Source: Vahdat and Kautz, "NVAE: A Deep Hierarchical Variational Autoencoder", 2020, and its code.
 *
 * @param parameters a potential's; its convolutions are what has weights of four axes
 * @param key what the draws are a function of
 * @returns vectors that belong to the caller (or to the enclosing `tf.tidy`)
 * @example
 * ```ts
 * import { assertAlmostEquals, assertEquals } from "@std/assert";
 * import { initialSpectralVectors, openDevice, randomKey, tf } from "vapo";
 * await openDevice("cpu");
 * const parameters = { "stem.kernel": tf.ones([3, 3, 2, 4]) };
 * const vectors = initialSpectralVectors(parameters, randomKey(1));
 * assertEquals(vectors["stem.left"].shape, [4]);
 * assertEquals(vectors["stem.right"].shape, [18]);
 * assertAlmostEquals(Math.abs(vectors["stem.left"].dataSync()[0]), 0.5, 1e-6); // 1/√4
 * ```
 */
export function initialSpectralVectors(parameters: TensorRecord, key: RandomKey): TensorRecord {
  return tf.tidy(() => {
    const drawn: TensorRecord = {};
    for (const name of convolutionNames(parameters)) {
      const { size, shape } = weightsOf(parameters, name);
      const outputs = shape[3]!;
      const unit = (side: string, size: number) => {
        const draw = randomNormal(fork(key, `${name}.${side}`), [1, size]);
        return tf.reshape(tf.div(draw, tf.norm(draw)), [size]);
      };
      drawn[`${name}.left`] = unit("left", outputs);
      drawn[`${name}.right`] = unit("right", size / outputs);
    }
    const iterations = firstTimes * defaultIterations;
    return spectralRegularization(parameters, drawn, { iterations }).vectors;
  });
}

/**
 * The sum over all convolutions of the largest singular value σ of the layer's weights, g·v/|v| where
 * they are normalised, as a matrix [outputs, kh·kw·inputs]: differentiable in whatever the weights are
 * made of, with ∂σ/∂W = u vᵀ for its singular vectors u and v. Those are found by power iteration from
 * the vectors given; σ is that of the last iteration, and from below.
 *
 * A layer whose weights are zero has σ = 0, and its vectors stay what they were.
 *
 * Source: Vahdat and Kautz, "NVAE: A Deep Hierarchical Variational Autoencoder", 2020, section 3.2,
 * and its code.
 *
 * @param parameters a potential's; its convolutions are what has weights of four axes
 * @param vectors those of the step before, or of {@link initialSpectralVectors}
 * @param options how many iterations
 * @returns tensors that belong to the caller (or to the enclosing `tf.tidy`); the loss's derivatives
 * are of first order alone
 * @throws {VapoError} where a layer's vectors are missing, and for less than one iteration
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { initialSpectralVectors, openDevice, randomKey, spectralRegularization, tf } from "vapo";
 * await openDevice("cpu");
 * // One pixel, two channels: the matrix [[3, 0], [0, 4]].
 * const parameters = { "stem.kernel": tf.tensor4d([3, 0, 0, 4], [1, 1, 2, 2]) };
 * const vectors = initialSpectralVectors(parameters, randomKey(1));
 * const { loss } = spectralRegularization(parameters, vectors);
 * assertAlmostEquals(loss.dataSync()[0], 4, 1e-5);
 * ```
 */
export function spectralRegularization(
  parameters: TensorRecord,
  vectors: TensorRecord,
  { iterations = defaultIterations }: SpectralRegularizationOptions = {},
): SpectralRegularization {
  requireWhole("iterations", iterations, 1);
  const groups = Map.groupBy(
    convolutionNames(parameters),
    (name) => String(weightsOf(parameters, name).shape),
  );
  const advanced: TensorRecord = {};
  const values = [...groups.values()].map((names) => {
    const found = largestSingularValues(
      names.map((name) => asMatrix(layerWeights(parameters, name))),
      names.map((name) => vectorOf(vectors, `${name}.left`)),
      names.map((name) => vectorOf(vectors, `${name}.right`)),
      iterations,
    );
    names.forEach((name, i) => {
      advanced[`${name}.left`] = found.left[i];
      advanced[`${name}.right`] = found.right[i];
    });
    return found.values;
  });
  if (values.length === 0) return { loss: tf.scalar(0), vectors: {}, largest: tf.scalar(0) };
  const all = tf.concat(values);
  return { loss: tf.sum(all) as Scalar, vectors: advanced, largest: tf.max(all) as Scalar };
}

/** The layers with weights of four axes, in the order of their names. */
function convolutionNames(parameters: TensorRecord): string[] {
  const names = Object.entries(parameters).flatMap(([name, { rank }]) => {
    const [layer] = name.split(/\.(?:v|kernel)$/);
    return rank === 4 && layer !== name ? [layer] : [];
  });
  return names.sort();
}

/** What is of the shape of a layer's weights. */
function weightsOf(parameters: TensorRecord, name: string): Tensor {
  return parameters[`${name}.kernel`] ?? parameters[`${name}.v`];
}

/** [kh, kw, inputs, outputs] → [kh·kw·inputs, outputs], the transpose of NVAE's matrix. */
function asMatrix(weights: Tensor): Tensor {
  return tf.reshape(weights, [-1, weights.shape[3]!]);
}

function vectorOf(vectors: TensorRecord, name: string): Tensor {
  const vector = vectors[name];
  if (vector) return vector;
  throw new VapoError(
    `there is no singular vector ${name}: expected one for each convolution; make them by ` +
      "initialSpectralVectors",
  );
}

/** What power iteration finds, of matrices of one shape. */
interface SingularTriples {
  /** [matrices]. */
  readonly values: Tensor;
  /** [outputs] of each. */
  readonly left: readonly Tensor[];
  /** [cells] of each. */
  readonly right: readonly Tensor[];
}

/**
 * The largest singular values of matrices [cells, outputs], with the derivatives that they have where
 * the vectors are exact, right·leftᵀ. The iteration itself is hidden from differentiation: values and
 * vectors leave it as one tensor. All matrices are iterated at once, as NVAE does: many small kernels
 * become a few large ones, for the price of a copy.
 */
function largestSingularValues(
  matrices: readonly Tensor[],
  left: readonly Tensor[],
  right: readonly Tensor[],
  iterations: number,
): SingularTriples {
  const [cells, outputs] = matrices[0].shape, count = matrices.length;
  const iterate = tf.customGrad((...inputs) => {
    const save = inputs.pop() as (tensors: Tensor[]) => void;
    const found = iterated(
      tf.stack(inputs as Tensor[]),
      tf.reshape(tf.stack([...left]), [count, outputs, 1]),
      tf.reshape(tf.stack([...right]), [count, cells, 1]),
      iterations,
    );
    const rows = [found.values, found.u, found.v].map((part) => tf.reshape(part, [count, -1]));
    const packed = tf.concat(rows, 1);
    save([packed]);
    return {
      value: packed,
      gradFunc: (dy: Tensor, [packed]: Tensor[]) =>
        inputs.map((_, i) => {
          const v = tf.mul(part(dy, i, 0, 1), part(packed, i, 1 + outputs, cells));
          return tf.mul(tf.reshape(v, [cells, 1]), part(packed, i, 1, outputs));
        }),
    };
  });
  const packed = iterate(...matrices);
  return {
    values: tf.reshape(tf.slice(packed, [0, 0], [count, 1]), [count]),
    left: matrices.map((_, i) => part(packed, i, 1, outputs)),
    right: matrices.map((_, i) => part(packed, i, 1 + outputs, cells)),
  };
}

/** A piece of one row of a matrix, as a vector. */
function part(rows: Tensor, row: number, begin: number, size: number): Tensor {
  return tf.reshape(tf.slice(rows, [row, begin], [1, size]), [size]);
}

/** Power iteration on matrices [n, cells, outputs] from vectors u [n, outputs, 1], v [n, cells, 1]. */
function iterated(matrices: Tensor, u: Tensor, v: Tensor, iterations: number) {
  const times = (x: Tensor) => tf.matMul(matrices, x);
  const timesTransposed = (x: Tensor) => tf.matMul(matrices, x, true);
  // Only directions matter on the way: |W'u| is about σ and drops out of what follows.
  for (let i = 1; i < iterations; i++) {
    const product = timesTransposed(times(u));
    u = scaled(product, norms(product), u);
  }
  const forward = times(u);
  v = scaled(forward, norms(forward), v);
  const back = timesTransposed(v), values = norms(back);
  return { values, u: scaled(back, values, u), v };
}

/** Of each of n vectors [n, …]: [n, 1, 1]. */
function norms(x: Tensor): Tensor {
  return tf.sqrt(tf.sum(tf.square(x), [1, 2], true));
}

/** Vectors over their lengths; in place of nothing, what is given for it. */
function scaled(x: Tensor, lengths: Tensor, otherwise: Tensor): Tensor {
  const positive = tf.greater(lengths, 0);
  // The branch that is not taken must not divide by zero either.
  const safe = tf.where(positive, lengths, tf.onesLike(lengths));
  return tf.where(tf.logicalAnd(positive, tf.onesLike(x).cast("bool")), tf.div(x, safe), otherwise);
}
