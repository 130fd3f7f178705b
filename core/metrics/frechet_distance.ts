/**
 * @file The Fréchet distance of two Gaussians (D. Dowson and B. Landau, "The Fréchet Distance between
 * Multivariate Normal Distributions", Journal of Multivariate Analysis 12, 1982), with which M. Heusel,
 * H. Ramsauer, T. Unterthiner, B. Nessler and S. Hochreiter compare sets of images ("GANs Trained by a
 * Two Time-Scale Update Rule Converge to a Local Nash Equilibrium", 2017).
 */
import { NonFiniteError, VapoError } from "../errors.ts";
import { type Factor, pivotedCholesky } from "../linear_algebra/pivoted_cholesky.ts";
import type { Interruptible } from "../pauses.ts";
import { openRowProducts } from "../linear_algebra/row_products.ts";
import { singularValues } from "../linear_algebra/singular_values.ts";
import { mendedCovariance } from "./covariance.ts";
import type { FeatureStatistics } from "./feature_statistics.ts";

/** A Gaussian: mean [d] and covariance [d, d]. */
export type GaussianStatistics = Pick<FeatureStatistics, "mean" | "covariance">;

/** How the distance is computed; see {@link frechetDistance}. */
export interface FrechetDistanceOptions extends Interruptible {
  /** One a processor where it is left out; the distance does not depend on it. */
  readonly threads?: number;
}

/**
 * The squared Fréchet (2-Wasserstein) distance of two Gaussians,
 * |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½): of Inception features it is the FID. Its unit is that of the
 * features, squared.
 *
 * The trace of the root is the sum of the singular values of L₁ᵀL₂, Σ = LLᵀ: Σ₁Σ₂ has the eigenvalues
 * of (L₁ᵀL₂)(L₁ᵀL₂)ᵀ. Factors end at the covariances' numerical ranks, so singular ones (fewer samples
 * than features, features that depend on each other) need no number added to their diagonals, and
 * singular values are taken of the product itself. Other implementations take the root of Σ₁Σ₂
 * (`scipy.linalg.sqrtm`) or the roots of its eigenvalues: there an eigenvalue that is 0 but for
 * rounding comes as 1e-16 of the largest, and its root as 1e-8. So where covariances are singular
 * those differ from the singular values of the centred features themselves by some 1e-7 of the
 * distance, and by more where it is small; this function by 1e-13. (`pytorch-fid` also adds 1e-6 to
 * the diagonals where that root is not finite.) Rounding may leave ±1e-13 of the traces where the
 * distance is 0.
 *
 * The estimate is biased: it falls with n, so compare values of the same n only (M. Chong and
 * D. Forsyth, "Effectively Unbiased FID and Inception Score and where to find them", 2020).
 *
 * What rounding leaves of covariances is mended as {@link readStatistics} does it.
 *
 * @param a statistics of one set, as {@link featureStatistics} or a file gives them
 * @param b statistics of the other
 * @param options threads, an abort signal, and who is told of progress
 * @throws {VapoError} where sizes do not fit, or a matrix is no covariance.
 * @throws {NonFiniteError} where a number is not finite.
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import { frechetDistance } from "vapo";
 * // N(0, 1) and N(3, 4): 3² + (2 − 1)².
 * const a = { mean: Float64Array.of(0), covariance: Float64Array.of(1) };
 * const b = { mean: Float64Array.of(3), covariance: Float64Array.of(4) };
 * assertAlmostEquals(await frechetDistance(a, b), 10);
 * ```
 */
export async function frechetDistance(
  a: GaussianStatistics,
  b: GaussianStatistics,
  { threads, signal, onProgress }: FrechetDistanceOptions = {},
): Promise<number> {
  const d = a.mean.length, first = requireCovariance(a, "the first");
  const second = requireCovariance(b, "the second");
  if (b.mean.length !== d) {
    throw new VapoError(
      `statistics are of ${d} and ${b.mean.length} features; expected as many of both: compare ` +
        "features of one network",
    );
  }
  // By operations, a factor is 1 of 10 parts and the singular values are 8.
  const share = (from: number, parts: number) => (done: number, total: number) =>
    onProgress?.(d * (from + parts * done / total), 10 * d);
  const left = await pivotedCholesky(first, d, {
    threads,
    signal,
    onProgress: share(0, 1),
  });
  const right = await pivotedCholesky(second, d, {
    threads,
    signal,
    onProgress: share(1, 1),
  });
  const root = await nuclearNorm(left, right, d, { threads, signal, onProgress: share(2, 8) });
  onProgress?.(10 * d, 10 * d);
  let distance = 0;
  for (let i = 0; i < d; i++) {
    distance += (a.mean[i] - b.mean[i]) ** 2 + first[i * d + i] + second[i * d + i];
  }
  return distance - 2 * root;
}

/** The sum of the singular values of L₁ᵀL₂. */
async function nuclearNorm(
  left: Factor,
  right: Factor,
  d: number,
  options: FrechetDistanceOptions,
): Promise<number> {
  if (left.rank === 0 || right.rank === 0) return 0;
  const product = await factorProduct(left, right, d, options.threads);
  // Row by row is the transpose column by column, which has the same singular values.
  const values = await singularValues(product, right.rank, left.rank, options);
  return values.reduce((sum, value) => sum + value, 0);
}

/** L₁ᵀL₂, row by row. */
async function factorProduct(
  left: Factor,
  right: Factor,
  d: number,
  threads: number | undefined,
): Promise<Float64Array> {
  const rows = Math.max(left.rank, right.rank);
  const products = await openRowProducts({ rows, columns: d, threads });
  try {
    products.pack("left", left.columns, Array.from({ length: left.rank }, (_, i) => i));
    products.pack("right", right.columns, Array.from({ length: right.rank }, (_, i) => i));
    const padded = products.multiply();
    const result = new Float64Array(left.rank * right.rank);
    for (let i = 0; i < left.rank; i++) {
      const row = padded.subarray(i * products.stride, i * products.stride + right.rank);
      result.set(row, i * right.rank);
    }
    return result;
  } finally {
    products.dispose();
  }
}

/** The covariance, once the statistics are known to be such. */
function requireCovariance(
  { mean, covariance }: GaussianStatistics,
  which: string,
): Float64Array {
  const d = mean.length;
  if (d === 0 || covariance.length !== d * d) {
    throw new VapoError(
      `${which} statistics have ${d} means and a covariance of ${covariance.length} numbers; ` +
        "expected d and d²: read them again",
    );
  }
  for (const [name, values] of Object.entries({ mean, covariance })) {
    const index = values.findIndex((value) => !Number.isFinite(value));
    if (index >= 0) {
      throw new NonFiniteError(
        `${which} statistics hold ${
          values[index]
        } in their ${name}; expected finite numbers: the ` +
          "features they were made of have diverged",
      );
    }
  }
  return mendedCovariance(covariance, d, (found, expected) => {
    throw new VapoError(
      `${which} statistics have ${found} of their covariance; expected ${expected}: this is no ` +
        "covariance",
    );
  });
}
