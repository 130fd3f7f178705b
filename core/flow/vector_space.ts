/**
 * @file What a solver of differential equations needs of the vectors it moves, and nothing else:
 * linear combinations, weighted norms and inner products, and a way to free memory. The solvers in
 * `ode/` are written once against this interface and run on Float64Arrays on the host
 * (`float64Space`) and on tensors on a device (`tensorSpace`).
 *
 * The norm is the weighted root mean square of Hairer, Nørsett & Wanner, "Solving Ordinary
 * Differential Equations I", eq. (II.4.11): every component is measured in units of the error that
 * is allowed of it. A batch is one vector, hence one system with one norm.
 */
import { VapoError } from "../errors.ts";
import { type Tensor, tf } from "../tensor/mod.ts";

/**
 * The operations of a solver on vectors of type `V`. Every method that returns a vector returns a
 * new one, which the caller frees with {@link VectorSpace.dispose}; none changes its arguments.
 *
 * Norms and inner products are read back to the host. Where a device cannot be read synchronously
 * (WebGPU) they come as a promise, elsewhere as plain numbers, so that the host path never waits.
 * They come in groups for the same reason: one call is one transfer, however many numbers it brings.
 */
export interface VectorSpace<V> {
  /** Distance from 1 to the next number that the components can hold: 2⁻⁵² or 2⁻²³. */
  readonly epsilon: number;
  /** Whether vectors free themselves, so that `dispose` has nothing to do. */
  readonly garbageCollected: boolean;
  /** The extents of a vector, for error messages and for telling two spaces apart. */
  shape(vector: V): readonly number[];
  /** Σᵢ cᵢ vᵢ in one pass. Terms with a coefficient of 0 are not read; there must be one vector. */
  combine(coefficients: readonly number[], vectors: readonly V[]): V;
  /** A vector with the same components and a life of its own. */
  copy(vector: V): V;
  /** The error allowed of each component: atol + rtol·max(|a|, |b|). */
  errorScale(a: V, b: V, rtol: number, atol: number): V;
  /** √(mean((v / scale)²)) of each of the vectors. */
  norms(vectors: readonly V[], scale: V): number[] | Promise<number[]>;
  /** mean((l / scale)·(r / scale)) for every pair: row i belongs to `left[i]`. */
  innerProducts(
    left: readonly V[],
    right: readonly V[],
    scale: V,
  ): number[][] | Promise<number[][]>;
  /** Whether no component is infinite or not a number. */
  isFinite(vector: V): boolean | Promise<boolean>;
  /** Frees the vectors; they may not be used again. */
  dispose(...vectors: V[]): void;
}

/**
 * Vectors in double precision on the host.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { float64Space } from "vapo";
 * const x = Float64Array.of(1, 2);
 * const y = Float64Array.of(10, 20);
 * assertEquals(float64Space.combine([2, 0.5], [x, y]), Float64Array.of(7, 14));
 * ```
 */
export const float64Space: VectorSpace<Float64Array> = {
  epsilon: 2 ** -52,
  garbageCollected: true,
  shape: (vector) => [vector.length],
  combine(coefficients, vectors) {
    const sum = new Float64Array(vectors[0].length);
    for (let term = 0; term < vectors.length; term++) {
      const coefficient = coefficients[term];
      if (coefficient === 0) continue;
      const vector = vectors[term];
      for (let i = 0; i < sum.length; i++) sum[i] += coefficient * vector[i];
    }
    return sum;
  },
  copy: (vector) => vector.slice(),
  errorScale(a, b, rtol, atol) {
    const scale = new Float64Array(a.length);
    for (let i = 0; i < scale.length; i++) {
      scale[i] = atol + rtol * Math.max(Math.abs(a[i]), Math.abs(b[i]));
    }
    return scale;
  },
  norms: (vectors, scale) => vectors.map((v) => Math.sqrt(weightedProduct(v, v, scale))),
  innerProducts: (left, right, scale) =>
    left.map((l) => right.map((r) => weightedProduct(l, r, scale))),
  isFinite: (vector) => vector.every(Number.isFinite),
  dispose: () => {},
};

function weightedProduct(a: Float64Array, b: Float64Array, scale: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] / scale[i]) * (b[i] / scale[i]);
  return a.length === 0 ? 0 : sum / a.length;
}

/**
 * Tensors in single precision on the device that is open. All vectors of one solve have one shape;
 * any rank will do, `[batch, features]` or `[batch, height, width, channels]`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { openDevice, tensorSpace, tf } from "vapo";
 * await openDevice("cpu");
 * const sum = tensorSpace.combine([2, 0.5], [tf.tensor([1, 2]), tf.tensor([10, 20])]);
 * assertEquals([...sum.dataSync()], [7, 14]);
 * ```
 */
export const tensorSpace: VectorSpace<Tensor> = {
  epsilon: 2 ** -23,
  garbageCollected: false,
  shape: (vector) => vector.shape,
  combine(coefficients, vectors) {
    const terms = coefficients.flatMap((c, i) => c === 0 ? [] : [{ c, vector: vectors[i] }]);
    return tf.tidy(() => {
      if (terms.length === 0) return tf.zerosLike(vectors[0]);
      if (!fitsInOneProduct(vectors)) {
        return terms.map(({ c, vector }) => tf.mul(vector, c)).reduce((a, b) => tf.add(a, b));
      }
      const row = tf.tensor2d(terms.map(({ c }) => c), [1, terms.length]);
      return tf.matMul(row, asRows(terms.map(({ vector }) => vector))).reshape(vectors[0].shape);
    });
  },
  copy: (vector) => vector.clone(),
  errorScale: (a, b, rtol, atol) =>
    tf.tidy(() => tf.add(tf.mul(tf.maximum(tf.abs(a), tf.abs(b)), rtol), atol)),
  norms: (vectors, scale) =>
    read(
      () => tf.stack(vectors.map((v) => tf.sqrt(tf.mean(tf.square(tf.div(v, scale)))))),
      (values) => values,
    ),
  innerProducts(left, right, scale) {
    const size = Math.max(scale.size, 1);
    const scaled = (vectors: readonly Tensor[]) => vectors.map((v) => tf.div(v, scale));
    return read(
      () => {
        if (fitsInOneProduct(left)) {
          return tf.matMul(asRows(scaled(left)), asRows(scaled(right)), false, true);
        }
        const [l, r] = [scaled(left), scaled(right)];
        return tf.stack(l.flatMap((a) => r.map((b) => tf.sum(tf.mul(a, b)))));
      },
      (values) =>
        left.map((_, i) =>
          values.slice(i * right.length, (i + 1) * right.length).map((sum) => sum / size)
        ),
    );
  },
  // A shader compiler may take it that nothing is infinite, and fold tests for it; it cannot fold a
  // sum. That a finite tensor's magnitudes add up to more than 3e38 makes no difference here.
  isFinite: (vector) =>
    read(() => tf.sum(tf.abs(vector)).reshape([1]), ([sum]) => Number.isFinite(sum)),
  dispose: (...vectors) => tf.dispose(vectors),
};

/**
 * Below this many components a product with the stacked vectors costs two kernels instead of two a
 * term, which is what counts while kernels are short; above it the stack is only a large copy.
 */
const stackedComponents = 2 ** 16;

function fitsInOneProduct(vectors: readonly Tensor[]): boolean {
  return vectors[0].size <= stackedComponents;
}

/** The vectors as the rows of one matrix. */
function asRows(vectors: readonly Tensor[]): Tensor {
  return tf.concat(vectors.map((v) => v.reshape([1, v.size])), 0);
}

/** Computes a small tensor, reads it and frees everything: at once where the device allows it. */
function read<T>(
  compute: () => Tensor,
  use: (values: number[]) => T,
): T | Promise<T> {
  const tensor = tf.tidy(compute);
  if (tf.getBackend() === "webgpu") {
    return tensor.data().then((values) => use([...values])).finally(() => tensor.dispose());
  }
  try {
    return use([...tensor.dataSync()]);
  } finally {
    tensor.dispose();
  }
}

/**
 * The space that a vector belongs to.
 *
 * @throws {VapoError} for a vector that is neither a Float64Array nor a float32 tensor
 */
export function vectorSpaceOf<V>(vector: V): VectorSpace<V> {
  if (vector instanceof Float64Array) return float64Space as unknown as VectorSpace<V>;
  if (vector instanceof tf.Tensor && vector.dtype === "float32") {
    return tensorSpace as unknown as VectorSpace<V>;
  }
  const found = vector instanceof tf.Tensor
    ? `a tensor of ${vector.dtype}`
    : Object.prototype.toString.call(vector).slice(8, -1);
  throw new VapoError(
    `the state of an ODE is ${found}: expected a Float64Array or a float32 tensor; ` +
      "convert it, or pass its vector space as options.space",
  );
}

/**
 * A vector space that remembers every vector it gave out until that vector is freed or released,
 * so that a solver that ends early, by an error or an abort, leaves nothing on the device.
 */
export interface VectorScope<V> extends VectorSpace<V> {
  /** Takes charge of a vector made elsewhere. */
  adopt(vector: V): V;
  /** Gives a vector out of the scope's charge to somebody who outlives it. */
  release(vector: V): V;
  /** Frees whatever is still in the scope's charge. */
  close(): void;
}

/** Opens a scope on a space; see {@link VectorScope}. */
export function vectorScope<V>(space: VectorSpace<V>): VectorScope<V> {
  if (space.garbageCollected) {
    return { ...space, adopt: (v) => v, release: (v) => v, close: () => {} };
  }
  const owned = new Set<V>();
  const adopt = (vector: V) => {
    owned.add(vector);
    return vector;
  };
  const release = (vector: V) => {
    owned.delete(vector);
    return vector;
  };
  const dispose = (...vectors: V[]) => space.dispose(...vectors.map(release));
  return {
    ...space,
    combine: (coefficients, vectors) => adopt(space.combine(coefficients, vectors)),
    copy: (vector) => adopt(space.copy(vector)),
    errorScale: (a, b, rtol, atol) => adopt(space.errorScale(a, b, rtol, atol)),
    adopt,
    release,
    dispose,
    close: () => dispose(...owned),
  };
}
