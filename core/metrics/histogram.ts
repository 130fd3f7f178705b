/**
 * @file Histograms of several samples on the same edges, so that they can be laid over each other.
 */
import { ConfigError } from "../errors.ts";
import { countSamples, type Samples } from "./samples.ts";

/** How many bins; see {@link histogramEdges}. */
export interface HistogramEdgesOptions {
  /** Bins of equal width over the range of all; by Freedman and Diaconis' rule where left out. */
  readonly bins?: number;
  /** At most so many bins by that rule; 200 where left out. */
  readonly mostBins?: number;
}

/**
 * Edges of equal bins from the smallest to the largest of all values. Without a number of bins their
 * width is the smallest that Freedman and Diaconis' rule, 2·IQR/n^(1/3), gives for one of the sets
 * (for a single set these are the edges of `numpy.histogram_bin_edges(values, "fd")`): a set that
 * lies far from the others does not make theirs coarser.
 *
 * Source: D. Freedman and P. Diaconis, "On the histogram as a density estimator: L₂ theory",
 * Zeitschrift für Wahrscheinlichkeitstheorie 57, 1981.
 *
 * @param sets each at least one number
 * @param options how many bins
 * @returns one number more than there are bins, in increasing order; where all values are the same,
 * one bin of width 1 around it
 * @throws {ConfigError} where a number of bins is not a positive integer, or there are no sets.
 * @throws {VapoError} where a set is empty.
 * @throws {NonFiniteError} where a number is not finite.
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { histogramEdges } from "vapo";
 * const sets = [Float64Array.of(0, 1), Float64Array.of(4)];
 * assertEquals([...histogramEdges(sets, { bins: 4 })], [0, 1, 2, 3, 4]);
 * ```
 */
export function histogramEdges(
  sets: readonly Samples[],
  { bins, mostBins = 200 }: HistogramEdgesOptions = {},
): Float64Array {
  if (sets.length === 0) throw new ConfigError("no values to bin: expected at least one set");
  for (const count of [bins ?? 1, mostBins]) {
    if (!(Number.isInteger(count) && count > 0)) {
      throw new ConfigError(`a histogram of ${count} bins: expected a positive integer`);
    }
  }
  const ordered = sets.map((values) => {
    countSamples(values, 1);
    return Float64Array.from(values).sort();
  });
  let low = Math.min(...ordered.map((values) => values[0]));
  let high = Math.max(...ordered.map((values) => values[values.length - 1]));
  if (low === high) {
    low -= 0.5;
    high += 0.5;
  }
  const widths = ordered.map(freedmanDiaconisWidth).filter((width) => width > 0);
  const ruled = widths.length > 0 ? Math.ceil((high - low) / Math.min(...widths)) : 1;
  const count = bins ?? Math.min(mostBins, Math.max(1, ruled));
  return Float64Array.from(
    { length: count + 1 },
    (_, i) => i === count ? high : low + i * (high - low) / count,
  );
}

/** 2·IQR/n^(1/3) of values in increasing order. */
function freedmanDiaconisWidth(values: Float64Array): number {
  return 2 * (quantile(values, 0.75) - quantile(values, 0.25)) / Math.cbrt(values.length);
}

/** The quantile of values in increasing order, linear between them, as NumPy's. */
function quantile(values: Float64Array, share: number): number {
  const place = share * (values.length - 1), index = Math.floor(place);
  const next = values[Math.min(index + 1, values.length - 1)];
  return values[index] + (place - index) * (next - values[index]);
}

/** A histogram; see {@link histogram}. */
export interface Histogram {
  /** In increasing order, one more than there are bins. */
  readonly edges: Float64Array;
  /** Of each bin. */
  readonly counts: Float64Array;
  /** counts / (their sum · width): its integral is 1; all 0 where no value is within the edges. */
  readonly density: Float64Array;
  /** Values below the first edge or above the last, which no bin has. */
  readonly outside: number;
}

/**
 * Counts of values between edges. A bin has its lower edge and not its upper one, but for the last,
 * which has both, as in `numpy.histogram`.
 *
 * @param values at least one
 * @param edges in increasing order, at least two, as {@link histogramEdges} gives them
 * @throws {ConfigError} where edges are too few, not finite or not in increasing order.
 * @throws {VapoError} where there are no values.
 * @throws {NonFiniteError} where a value is not finite.
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { histogram } from "vapo";
 * const { counts, density, outside } = histogram(Float64Array.of(0, 1, 3, 9), [0, 1, 3]);
 * assertEquals([...counts], [1, 2]);
 * assertEquals([...density], [1 / 3, 2 / 3 / 2]);
 * assertEquals(outside, 1);
 * ```
 */
export function histogram(values: Samples, edges: ArrayLike<number>): Histogram {
  const total = countSamples(values, 1);
  const bounds = Float64Array.from(edges), bins = bounds.length - 1;
  const ordered = bounds.every((edge, i) => Number.isFinite(edge) && !(edge <= bounds[i - 1]));
  if (bins < 1 || !ordered) {
    throw new ConfigError(
      `histogram edges [${bounds.subarray(0, 6).join(", ")}${bins > 5 ? ", …" : ""}]: ` +
        "expected at least two finite numbers in increasing order",
    );
  }
  const counts = new Float64Array(bins);
  let outside = 0;
  for (const value of values) {
    if (value < bounds[0] || value > bounds[bins]) outside++;
    else counts[binOf(value, bounds)]++;
  }
  const inside = total - outside;
  const density = counts.map((count, i) =>
    inside === 0 ? 0 : count / inside / (bounds[i + 1] - bounds[i])
  );
  return { edges: bounds, counts, density, outside };
}

/** The last bin whose lower edge is not above the value, which is within the edges. */
function binOf(value: number, edges: Float64Array): number {
  let low = 0, high = edges.length - 2;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (edges[middle] <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}
