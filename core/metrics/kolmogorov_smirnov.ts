/**
 * @file The two-sample test of Kolmogorov and Smirnov: the largest distance between two empirical
 * distribution functions, and how likely one as large is between samples of one distribution.
 */
import { countSamples, type Samples } from "./samples.ts";

/** How the p-value is computed; see {@link kolmogorovSmirnov}. */
export interface KolmogorovSmirnovOptions {
  /** "auto" where left out: exact where n·m is at most 10⁸. */
  readonly method?: "auto" | "exact" | "asymptotic";
}

/** What the test finds. */
export interface KolmogorovSmirnov {
  /** The largest distance between the two distribution functions: 0 to 1. */
  readonly statistic: number;
  /** The chance of one as large or larger between samples of one continuous distribution. */
  readonly pValue: number;
  /** How the p-value was computed. */
  readonly method: "exact" | "asymptotic";
}

/** Cells of a table that takes a few tenths of a second. */
const MOST_CELLS = 1e8;

/**
 * The two-sample test of Kolmogorov and Smirnov, two-sided: sup |F(t) − G(t)| over the two empirical
 * distribution functions, and its p-value under the hypothesis that both samples are of one
 * continuous distribution. With ties the p-value is an upper bound.
 *
 * The exact p-value is that of all C(n + m, n) equally likely orders: the share of lattice paths from
 * (0, 0) to (n, m) that leave the band |i/n − j/m| < D, by a recursion that only adds positive terms,
 * so that small ones are accurate too. It is the one that `scipy.stats.ks_2samp` gives for
 * method="exact". The asymptotic one is that of a single sample of ⌊nm/(n + m) + ½⌋ points against a
 * known distribution, as SciPy's for method="asymp": twice Smirnov's one-sided tail where n·D² ≥ 2.2,
 * the expansion of Pelz and Good (1976) below; it is good for hundreds of points and more.
 *
 * Source: N. V. Smirnov, "Table for Estimating the Goodness of Fit of Empirical Distributions", 1948;
 * the recursion: T. Viehmann, "Numerically more stable computation of the p-values for the two-sample
 * Kolmogorov-Smirnov test", arXiv 2102.08037; the asymptotic part: Simard and L'Ecuyer, "Computing the
 * Two-Sided Kolmogorov-Smirnov Distribution", Journal of Statistical Software 39, 2011.
 *
 * @param x n numbers, at least one
 * @param y m numbers, at least one
 * @param options how the p-value is computed
 * @throws {VapoError} where a sample is empty.
 * @throws {NonFiniteError} where a number is not finite.
 * @example
 * ```ts
 * import { assertAlmostEquals, assertEquals } from "@std/assert";
 * import { kolmogorovSmirnov } from "vapo";
 * const test = kolmogorovSmirnov(Float64Array.of(1, 2, 3), Float64Array.of(4, 5, 6));
 * assertEquals(test.statistic, 1);
 * assertAlmostEquals(test.pValue, 2 / 20); // two of the C(6, 3) = 20 orders are as far apart
 * ```
 */
export function kolmogorovSmirnov(
  x: Samples,
  y: Samples,
  { method = "auto" }: KolmogorovSmirnovOptions = {},
): KolmogorovSmirnov {
  const n = countSamples(x, 1), m = countSamples(y, 1);
  const shared = greatestCommonDivisor(n, m), columns = n / shared, rows = m / shared;
  const distance = largestDistance(x, y, columns, rows);
  const statistic = distance / (columns * m);
  const exact = method === "exact" || (method === "auto" && n * m <= MOST_CELLS);
  const pValue = exact
    ? pathsOutside(n, m, shared, distance)
    : oneSampleTail(Math.round(n * m / (n + m)), statistic);
  return {
    statistic,
    pValue: Math.min(1, Math.max(0, pValue)),
    method: exact ? "exact" : "asymptotic",
  };
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** max |i·rows − j·columns| over the steps of both distribution functions: D in units of 1/lcm. */
function largestDistance(x: Samples, y: Samples, columns: number, rows: number): number {
  const a = Float64Array.from(x).sort(), b = Float64Array.from(y).sort();
  let largest = 0;
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    const value = Math.min(a[i], b[j]);
    while (i < a.length && a[i] === value) i++;
    while (j < b.length && b[j] === value) j++;
    largest = Math.max(largest, Math.abs(i * rows - j * columns));
  }
  return largest;
}

/**
 * The chance that a random path from (0, 0) to (n, m) has a point with |i·m − j·n|/shared ≥ distance.
 * Of paths to (i, j) the share i/(i + j) comes from (i − 1, j), and the rest from (i, j − 1).
 */
function pathsOutside(n: number, m: number, shared: number, distance: number): number {
  if (distance === 0) return 1;
  const columns = n / shared, rows = m / shared;
  // Of the present i: the chance for paths to (i, j); 1 beyond the band, which only moves upwards.
  const outside = new Float64Array(m + 1).fill(1);
  for (let i = 0; i <= n; i++) {
    const first = Math.max(0, Math.floor((i * rows - distance) / columns) + 1);
    const last = Math.min(m, Math.ceil((i * rows + distance) / columns) - 1);
    let before = first === 0 ? 0 : 1;
    for (let j = first; j <= last; j++) {
      before = i + j === 0 ? 0 : i === 0 ? before : (i * outside[j] + j * before) / (i + j);
      outside[j] = before;
    }
  }
  return distance > columns * m ? 0 : outside[m];
}

/** P(D ≥ d) of one sample of n points against a continuous distribution. */
function oneSampleTail(n: number, d: number): number {
  if (d <= 0) return 1;
  if (d >= 1) return 0;
  return n * d * d >= 2.2 ? 2 * oneSidedTail(n, d) : 1 - pelzGood(n, d);
}

/** P(D⁺ ≥ d) of n points, exactly (Birnbaum and Tingey, 1951): d Σ C(n, v) (d + v/n)^(v−1) (1 − d − v/n)^(n−v). */
function oneSidedTail(n: number, d: number): number {
  let sum = 0, logBinomial = 0;
  for (let v = 0; v <= n; v++) {
    const rest = 1 - d - v / n;
    if (rest <= 0) break;
    sum += Math.exp(logBinomial + (v - 1) * Math.log(d + v / n) + (n - v) * Math.log(rest));
    logBinomial += Math.log((n - v) / (v + 1));
  }
  return d * sum;
}

/** P(D ≤ d) of n points to the order n^(−3/2) (Pelz and Good, 1976), in Simard and L'Ecuyer's form. */
function pelzGood(n: number, d: number): number {
  const z = Math.sqrt(n) * d, z2 = z * z, z4 = z2 * z2, z6 = z4 * z2;
  const pi2 = Math.PI ** 2, pi4 = pi2 * pi2, pi6 = pi4 * pi2;
  const terms = Math.ceil(16 * z / Math.PI), sums = [0, 0, 0, 0];
  for (let k = terms; k >= 1; k--) {
    const odd2 = (2 * k - 1) ** 2, odd4 = odd2 * odd2, odd6 = odd4 * odd2;
    const weight = Math.exp(-pi2 * odd2 / (8 * z2));
    sums[0] += weight;
    sums[1] += weight * (pi2 / 4 * odd2 - z2);
    sums[2] += weight * (6 * z6 + 2 * z4 + (2 * z4 - 5 * z2) * pi2 / 4 * odd2 +
      pi4 * (1 - 2 * z2) / 16 * odd4);
    sums[3] += weight * (-30 * z6 - 90 * z6 * z2 + pi2 * (135 * z4 - 96 * z6) / 4 * odd2 +
      pi4 * (212 * z4 - 60 * z2) / 16 * odd4 + pi6 * (5 - 30 * z2) / 64 * odd6);
  }
  const root = Math.sqrt(2 * Math.PI);
  const orders = [1 / z, 1 / (6 * z4), 1 / (72 * z6 * z), 1 / (6480 * z6 * z4)]
    .map((factor, order) => root * factor * sums[order]);
  for (let k = 1; k <= terms; k++) {
    const even = pi2 * k * k, weight = root * even * Math.exp(-even / (2 * z2));
    orders[2] -= weight / (36 * z2 * z);
    orders[3] += weight * (3 * z2 - even) / (216 * z6);
  }
  return orders.reduce((sum, value, order) => sum + value / n ** (order / 2), 0);
}
