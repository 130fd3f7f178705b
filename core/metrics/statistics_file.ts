/**
 * @file Statistics of features as the field shares them: .npz files with the mean `mu` and the
 * covariance `sigma` of a data set's features, as pytorch-fid (https://github.com/mseitzer/pytorch-fid)
 * and TTUR (Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", 2017,
 * https://github.com/bioinf-jku/TTUR) write them. Beside these, files of this program say which network
 * the features are of, in a third array that readers by name never see:
 *
 *     mu             [d] float64
 *     sigma          [d, d] float64
 *     vapo_network   [length] uint8: {"name":"inception-v3-fid","sha256":"…"} in UTF-8
 */

import { z } from "zod";
import { FormatError, VapoError } from "../errors.ts";
import { quoted } from "../formats/archive_path.ts";
import type { NpyArray } from "../formats/npy.ts";
import { encodeNpz, type NpzFile, openNpz } from "../formats/npz.ts";
import type { RandomAccessFile } from "../formats/random_access.ts";
import { mendedCovariance } from "./covariance.ts";

/** Mean and covariance of features of dimension d. */
export interface StatisticsContent {
  /** [d]. */
  readonly mean: Float64Array;
  /** [d·d], symmetric, row by row: with the divisor n − 1, as the field takes it. */
  readonly covariance: Float64Array;
  /** Which network made the features; other programs' files do not say. */
  readonly network?: StatisticsNetwork;
}

/** The network that features are of. */
export interface StatisticsNetwork {
  /** Its name, as in "inception-v3-fid"; up to 100 characters. */
  readonly name: string;
  /** Of its weights: 64 hexadecimal digits. */
  readonly sha256: string;
}

const networkArray = "vapo_network";
const networkSchema = z.strictObject({
  name: z.string().regex(/^[\x20-\x7e]{1,100}$/),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

/** Covariances of up to 5,700 features: three times as many as Inception has. */
const maxArrayBytes = 2 ** 28;

/**
 * Reads a file of statistics: arrays `mu` [d] and `sigma` [d, d], float32 or float64. Others, as some
 * files have them, are passed over. What rounding to float32 leaves is mended: entries of `sigma` that
 * mirror each other and differ by up to 1e-5 of the largest variance are both their mean, and a variance
 * that is negative by no more is 0, with its covariances.
 *
 * @param file the .npz file
 * @throws {FormatError} where it is damaged, an array is missing or of another shape, a number is not
 * finite, a variance is negative, `sigma` is not symmetric, or the network's name is damaged.
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
  const mean = finite(mu, "mu", file.source), given = finite(sigma, "sigma", file.source);
  const covariance = mendedCovariance(given, dimension, (found, expected) => {
    throw wrong(file.source, `${found} of sigma`, expected);
  });
  const network = await readNetwork(arrays, file.source);
  return { mean, covariance, ...(network && { network }) };
}

async function readNetwork(
  arrays: NpzFile,
  source: string,
): Promise<StatisticsNetwork | undefined> {
  if (!arrays.names.includes(networkArray)) return undefined;
  const { dtype, shape, data } = await arrays.read(networkArray);
  const isText = dtype === "uint8" && shape.length === 1 && data.length <= 1000;
  const text = isText ? new TextDecoder().decode(data) : "";
  try {
    return networkSchema.parse(JSON.parse(text));
  } catch {
    throw new FormatError(
      `${source} has ${
        isText ? quoted(text) : `[${shape.slice(0, 8)}] of ${dtype}`
      } for ${networkArray}; expected the name and the SHA-256 of a network: make the statistics again`,
    );
  }
}

/**
 * Writes statistics as a file that this program, pytorch-fid and `numpy.load` read.
 *
 * @param statistics the mean [d], the covariance [d·d] and, where it is known, the network
 * @throws {VapoError} where their lengths do not belong together, or the network is none.
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
  { mean, covariance, network }: StatisticsContent,
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
    ...(network && { [networkArray]: encodedNetwork(network) }),
  });
}

function encodedNetwork(network: StatisticsNetwork): NpyArray {
  const { success, data } = networkSchema.safeParse(network);
  if (!success) {
    throw new VapoError(
      `statistics are of the network ${quoted(network.name)} with the SHA-256 ${
        quoted(network.sha256)
      }; expected a name of up to 100 characters and 64 hexadecimal digits: pass those of its index`,
    );
  }
  const text = new TextEncoder().encode(JSON.stringify(data));
  return { dtype: "uint8", shape: [text.length], data: text };
}

function wrong(source: string, found: string, expected: string): FormatError {
  return new FormatError(
    `${source} has ${found}; expected ${expected}, as pytorch-fid writes it: choose another file of statistics`,
  );
}

function finite({ data, dtype }: NpyArray, name: string, source: string): Float64Array {
  if (dtype !== "float32" && dtype !== "float64") {
    throw wrong(source, `${name} of type ${dtype}`, "float32 or float64");
  }
  const bad = data.findIndex((value: number) => !Number.isFinite(value));
  if (bad >= 0) throw wrong(source, `${data[bad]} in ${name}, at index ${bad}`, "finite numbers");
  return data instanceof Float64Array ? data : Float64Array.from(data);
}
