/**
 * @file The numbers of Winograd's minimal filtering along one axis (S. Winograd, "Arithmetic
 * Complexity of Computations", 1980; for networks A. Lavin and S. Gray, "Fast Algorithms for
 * Convolutional Neural Networks", CVPR 2016): F(m, r) gives m neighbouring results of a filter g of r
 * taps on n = m + r − 1 values d as Aᵀ[(G g) ⊙ (Bᵀ d)], with n multiplications in place of m·r. It
 * evaluates two polynomials at n − 1 points and at infinity, and interpolates their product.
 *
 * Points are 0, pairs ±p, and ∞, so n is even: what a pair shares is computed once. They are not the
 * usual 0, ±1, ±2, ±1/2, …: errors in single precision depend on them (B. Barabasz, A. Anderson,
 * K. Soodhalter and D. Gregg, "Error Analysis and Improving the Accuracy of Winograd Convolution for
 * Deep Neural Networks", ACM Transactions on Mathematical Software 46(4), 2020). Those below are the
 * best of a search over multiples of 1/16, or near it and rounder. Errors along one axis, with sums
 * over 128 channels in parts of at most 64, relative to the results' root mean square:
 *
 * | n  | F(m, r)      | multiplications a result | root mean square | largest seen      |
 * | -- | ------------ | ------------------------ | ---------------- | ----------------- |
 * | 4  | F(3, 2)      | 1.33 for 2               | 2.1·10⁻⁷         | 0.9·10⁻⁶          |
 * | 6  | F(4, 3)      | 1.5 for 3                | 3.4·10⁻⁷         | 1.9·10⁻⁶          |
 * | 8  | F(6, 3)      | 1.33 for 3               | 7.5·10⁻⁷         | 4.0·10⁻⁶          |
 * | 8  | F(4, 5)      | 2 for 5                  | 7.6·10⁻⁷         | 4.5·10⁻⁶          |
 * | 10 | F(4, 7)      | 2.5 for 7                | 1.8·10⁻⁶         | 1.2·10⁻⁵          |
 * | 12 | F(6, 7)      | 2 for 7                  | 4.6·10⁻⁶         | 3.2·10⁻⁵          |
 *
 * In two dimensions the amplifications of both axes multiply, the rounding of the sums does not:
 * F(4×4, 3×3) has 0.8·10⁻⁶ from 128 to 512 channels, and 8·10⁻⁶ at most in a million results (with
 * the usual points 0, ±1, ±2: 2.2·10⁻⁶); F(6×6, 3×3) and F(4×4, 5×5) have 3.3·10⁻⁶, and 3·10⁻⁵ at
 * most in some thousands.
 */

/** p of the pairs ±p, by the number n of points. */
const pairs: Readonly<Record<number, readonly number[]>> = {
  4: [1],
  6: [5 / 8, 3 / 2],
  8: [1 / 2, 1, 2],
  10: [7 / 16, 13 / 16, 21 / 16, 21 / 8],
  12: [3 / 8, 11 / 16, 1, 25 / 16, 55 / 16],
};

/** The numbers of points that there are, the one at infinity included. */
export const pointCounts: readonly number[] = Object.keys(pairs).map(Number);

/** What the transforms of n points consist of. */
export interface PointPolynomials {
  /** p of the pairs ±p. */
  readonly points: readonly number[];
  /** ∏(x² − p²) over all pairs, as coefficients of x⁰, x², …; the last one is 1. */
  readonly whole: readonly number[];
  /** Of each pair the product over all others. */
  readonly others: readonly (readonly number[])[];
  /** What the value of g at 0 and at each pair is divided by. */
  readonly zeroDivisor: number;
  readonly divisors: readonly number[];
}

/** The polynomials of so many points. */
export function pointPolynomials(count: number): PointPolynomials {
  const points = pairs[count];
  if (!points) throw new Error(`no points of interpolation for a tile of ${count}`);
  const others = points.map((p) => product(points.filter((q) => q !== p)));
  return {
    points,
    others,
    whole: product(points),
    zeroDivisor: points.reduce((value, p) => value * -(p * p), 1),
    divisors: points.map((p) =>
      points.reduce((value, q) => q === p ? value : value * (p * p - q * q), 2 * p * p)
    ),
  };
}

/** ∏(x² − p²) as coefficients of x⁰, x², …. */
function product(points: readonly number[]): number[] {
  return points.reduce<number[]>(
    (factors, p) =>
      [0, ...factors].map((coefficient, i) => coefficient - p * p * (factors[i] ?? 0)),
    [1],
  );
}
