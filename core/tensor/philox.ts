/**
 * @file Philox 4×32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel
 * Random Numbers: As Easy as 1, 2, 3" (SC 2011), on the host. A draw is a pure function of a
 * 128-bit counter and a 64-bit key: no state, any order, the same integers on every device.
 */

const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;
const ROUNDS = 10;

/** The upper 32 bits of the 64-bit product of two unsigned 32-bit integers. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff, aHigh = a >>> 16, bLow = b & 0xffff, bHigh = b >>> 16;
  const low = aLow * bLow;
  const middle = aHigh * bLow + (low >>> 16);
  const cross = aLow * bHigh + (middle & 0xffff);
  // Neither sum exceeds (2¹⁶ − 1)² + 2¹⁶ − 1, which is below 2³².
  return aHigh * bHigh + (middle >>> 16) + (cross >>> 16);
}

/**
 * One block of Philox 4×32-10 into `out`: four unsigned 32-bit words for the counter
 * (c0, c1, c2, c3) under the key (k0, k1).
 */
export function philoxBlock(
  c0: number,
  c1: number,
  c2: number,
  c3: number,
  k0: number,
  k1: number,
  out: Uint32Array,
): void {
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, c0), low0 = Math.imul(MULTIPLIER_0, c0) >>> 0;
    const high1 = multiplyHigh(MULTIPLIER_1, c2), low1 = Math.imul(MULTIPLIER_1, c2) >>> 0;
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0;
    k0 = (k0 + WEYL_0) >>> 0;
    k1 = (k1 + WEYL_1) >>> 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/**
 * One block of Philox 4×32-10.
 *
 * Source: Salmon, Moraes, Dror and Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011.
 *
 * @param counter four unsigned 32-bit words (their number is not checked)
 * @param key two unsigned 32-bit words
 * @returns four unsigned 32-bit words
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { philox4x32 } from "vapo";
 * // The first known-answer vector of the authors' Random123 library.
 * const block = philox4x32(new Uint32Array(4), new Uint32Array(2));
 * assertEquals([...block], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
 * ```
 */
export function philox4x32(counter: Uint32Array, key: Uint32Array): Uint32Array {
  const out = new Uint32Array(4);
  philoxBlock(counter[0], counter[1], counter[2], counter[3], key[0], key[1], out);
  return out;
}

/** How the words of a block become numbers; see {@link fillPhilox}. */
export type PhiloxDistribution = "bits" | "uniform" | "normal" | "indices";

/** The type of a distribution's draws. */
export function typeOfDraws(distribution: PhiloxDistribution): "int32" | "float32" {
  return distribution === "bits" || distribution === "indices" ? "int32" : "float32";
}

/** A word as a float32 in the open interval (0, 1): 23 bits and a half, so 0 and 1 never occur. */
export function wordToUniform(word: number): number {
  return ((word >>> 9) + 0.5) * 2 ** -23;
}

/**
 * A word as one of 0 … count − 1: ⌊word·count/2³²⌋. A number comes up for ⌊2³²/count⌋ words or for one
 * more.
 *
 * @param count up to 2³¹ − 1, so that the index is an int32
 */
export function wordToIndex(word: number, count: number): number {
  return multiplyHigh(word, count);
}

/** What the draws of {@link fillPhilox} are a function of. */
export interface PhiloxSource {
  readonly seed: ArrayLike<number>;
  readonly step: number;
  readonly stream: number;
  /** The index of the first sample that is filled. Default 0. */
  readonly firstSample?: number;
  /** Of indices: how many there are to draw from. */
  readonly count?: number;
}

/**
 * Fills `samples` × `perSample` draws. Sample i takes the blocks with counters
 * (0, i, step, stream), (1, i, step, stream), …, four values a block, so that a draw depends on
 * (seed, step, stream, sample index) alone and never on the batch it is drawn in. Normal draws are
 * Box and Muller's (1958), a pair from each pair of words.
 */
export function fillPhilox(
  out: Int32Array | Float32Array,
  distribution: PhiloxDistribution,
  perSample: number,
  { seed, step, stream, firstSample = 0, count: indices = 0 }: PhiloxSource,
): void {
  const block = new Uint32Array(4), values = new Float64Array(4);
  const samples = perSample === 0 ? 0 : out.length / perSample;
  for (let sample = 0; sample < samples; sample++) {
    for (let offset = 0; offset < perSample; offset += 4) {
      philoxBlock(
        offset >>> 2,
        (firstSample + sample) >>> 0,
        step >>> 0,
        stream >>> 0,
        seed[0] >>> 0,
        seed[1] >>> 0,
        block,
      );
      if (distribution === "bits") {
        for (let i = 0; i < 4; i++) values[i] = block[i] | 0;
      } else if (distribution === "uniform") {
        for (let i = 0; i < 4; i++) values[i] = wordToUniform(block[i]);
      } else if (distribution === "indices") {
        for (let i = 0; i < 4; i++) values[i] = wordToIndex(block[i], indices);
      } else {
        for (let i = 0; i < 4; i += 2) {
          const radius = Math.sqrt(-2 * Math.log(wordToUniform(block[i])));
          const angle = 2 * Math.PI * wordToUniform(block[i + 1]);
          values[i] = radius * Math.cos(angle);
          values[i + 1] = radius * Math.sin(angle);
        }
      }
      const count = Math.min(4, perSample - offset), base = sample * perSample + offset;
      for (let i = 0; i < count; i++) out[base + i] = values[i];
    }
  }
}
