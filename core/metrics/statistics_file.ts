/**
 * @file Statistics of features as the field shares them: .npz files with the mean `mu` and the
 * covariance `sigma` of a data set's features, as pytorch-fid (https://github.com/mseitzer/pytorch-fid)
 * and TTUR (Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", 2017,
 * https://github.com/bioinf-jku/TTUR) write them.
 */

import { FormatError, VapoError } from "../errors.ts";
import type { NpyArray } from "../formats/npy.ts";
import { encodeNpz, openNpz } from "../formats/npz.ts";
import type { RandomAccessFile } from "../formats/random_access.ts";

/** Mean and covariance of features of dimension d. */
export interface StatisticsContent {
  /** [d]. */
  readonly mean: Float64Array;
  /** [d·d], symmetric, row by row: with the divisor n − 1, as the field takes it. */
  readonly covariance: Float64Array;
}

/**
 * Entries that mirror each other differ by less than this, in units of the largest variance: what is
 * left of symmetry by sums in float32.
 */
const asymmetry = 1e-5;

/** Covariances of up to 5,700 features: three times as many as Inception has. */
const maxArrayBytes = 2 ** 28;

/**
 * Reads a file of statistics: arrays `mu` [d] and `sigma` [d, d], float32 or float64. Others, as some
 * files have them, are passed over.
 *
 * @param file the .npz file
 * @throws {FormatError} where it is damaged, an array is missing or of another shape, a number is not
 * finite, a variance is negative, or `sigma` is not symmetric.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { encodeStatistics, readStatistics } from "vapo";
 * const statistics = { mean: Float64Array.of(0, 1), covariance: Float64Array.of(2, 1, 1, 3) };
 * const bytes = encodeStatistics(statistics);
 * const read = await readStatistics({
 *   source: "stats.npz",
 *   size: bytes.length,
 *   read: (offset, length) => Promise.resolve(bytes.slice(offset, offset + length)),
 * });
 * assertEquals(read, statistics);
 * ```
 */
export async function readStatistics(file: RandomAccessFile): Promise<StatisticsContent> {
  const arrays = await openNpz(file, { maxArrayBytes });
  const mu = await arrays.read("mu");
  const [dimension] = mu.shape;
  if (mu.shape.length !== 1 || dimension === 0) {
    throw wrong(file.source, `mu of shape [${mu.shape}]`, "[d], d numbers");
  }
  const sigma = await arrays.read("sigma");
  if (sigma.shape.length !== 2 || sigma.shape.some((size) => size !== dimension)) {
    throw wrong(file.source, `sigma of shape [${sigma.shape}]`, `[${dimension}, ${dimension}]`);
  }
  const mean = finite(mu, "mu", file.source), covariance = finite(sigma, "sigma", file.source);
  requireCovariance(covariance, dimension, file.source);
  return { mean, covariance };
}

/**
 * Writes statistics as a file that this program, pytorch-fid and `numpy.load` read.
 *
 * @param statistics the mean [d] and the covariance [d·d]
 * @throws {VapoError} where their lengths do not belong together.
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 * import { encodeStatistics, VapoError } from "vapo";
 * const mean = Float64Array.of(0, 1);
 * assertThrows(() => encodeStatistics({ mean, covariance: mean }), VapoError, "expected 4");
 * ```
 */
export function encodeStatistics(
  { mean, covariance }: StatisticsContent,
): Uint8Array<ArrayBuffer> {
  const dimension = mean.length;
  if (dimension === 0 || covariance.length !== dimension ** 2) {
    throw new VapoError(
      `statistics have ${covariance.length} numbers in the covariance of ${dimension} features; expected ${
        dimension ** 2
      }, and one feature at least: pass d and d·d numbers`,
    );
  }
  return encodeNpz({
    mu: { dtype: "float64", shape: [dimension], data: mean },
    sigma: { dtype: "float64", shape: [dimension, dimension], data: covariance },
  });
}

function wrong(source: string, found: string, expected: string): FormatError {
  return new FormatError(
    `${source} has ${found}; expected ${expected}, as pytorch-fid writes it: choose another file of statistics`,
  );
}

function finite({ data, dtype }: NpyArray, name: string, source: string): Float64Array {
  if (dtype === "int32") throw wrong(source, `${name} of type int32`, "float32 or float64");
  const bad = data.findIndex((value: number) => !Number.isFinite(value));
  if (bad >= 0) throw wrong(source, `${data[bad]} in ${name}, at index ${bad}`, "finite numbers");
  return data instanceof Float64Array ? data : Float64Array.from(data);
}

function requireCovariance(covariance: Float64Array, dimension: number, source: string): void {
  let largest = 0;
  for (let i = 0; i < dimension; i++) {
    largest = Math.max(largest, Math.abs(covariance[i * (dimension + 1)]));
  }
  for (let i = 0; i < dimension; i++) {
    const variance = covariance[i * (dimension + 1)];
    if (variance < -asymmetry * largest) {
      throw wrong(source, `a variance of ${variance} in sigma, at [${i}, ${i}]`, "none below 0");
    }
    for (let j = 0; j < i; j++) {
      const lower = covariance[i * dimension + j], upper = covariance[j * dimension + i];
      if (Math.abs(lower - upper) > asymmetry * largest) {
        throw wrong(
          source,
          `${lower} at [${i}, ${j}] of sigma and ${upper} at [${j}, ${i}]`,
          "a symmetric matrix",
        );
      }
    }
  }
}
