/**
 * @file Singular values of dense matrices in double precision: bidiagonalisation, and then the
 * implicit QR iteration of J. Demmel and W. Kahan, "Accurate Singular Values of Bidiagonal Matrices"
 * (SIAM J. Sci. Stat. Comput. 11(5), 1990), as LAPACK's dbdsqr has it. They come from the matrix
 * itself, never from its product with its transpose, whose eigenvalues know small singular values to
 * half the digits only.
 */
import { VapoError } from "../errors.ts";
import type { Interruptible } from "../pauses.ts";
import { type Bidiagonal, bidiagonalise } from "./bidiagonalisation.ts";

/** Half a unit in the last place of 1. */
const unitRoundoff = 2 ** -53;
/** dbdsqr's measure of what is negligible, relative to its neighbours. */
const tolerance = 90 * unitRoundoff;
/** Sweeps for each value, on average; two or three are usual. */
const mostSweeps = 30;

/**
 * The singular values of a matrix, each within a few rounding errors of the largest.
 *
 * @param matrix rows·columns numbers, column by column
 * @param options.threads one a processor where it is left out
 * @returns min(rows, columns) numbers, the largest first
 */
export async function singularValues(
  matrix: Float64Array,
  rows: number,
  columns: number,
  options: Interruptible & { readonly threads?: number } = {},
): Promise<Float64Array> {
  if (rows === 0 || columns === 0) return new Float64Array(0);
  const bidiagonal = rows >= columns
    ? await bidiagonalise(matrix, rows, columns, options)
    : await bidiagonalise(transposed(matrix, rows, columns), columns, rows, options);
  return bidiagonalSingularValues(bidiagonal);
}

function transposed(matrix: Float64Array, rows: number, columns: number): Float64Array {
  const result = new Float64Array(matrix.length);
  for (let j = 0; j < columns; j++) {
    for (let i = 0; i < rows; i++) result[i * columns + j] = matrix[j * rows + i];
  }
  return result;
}

/**
 * The singular values of an upper bidiagonal matrix.
 *
 * @returns the largest first
 * @throws {VapoError} where the iteration does not converge, which has not been seen
 */
export function bidiagonalSingularValues({ diagonal, above }: Bidiagonal): Float64Array {
  const d = diagonal.slice(), e = above.slice();
  const negligible = negligibleOf(d, e);
  let sweeps = mostSweeps * d.length;
  for (let last = d.length - 1; last > 0;) {
    let first = last;
    while (first > 0 && Math.abs(e[first - 1]) > negligible) first--;
    if (first < last) {
      // Large values first: the iteration then finds small ones at the end.
      if (Math.abs(d[first]) < Math.abs(d[last])) reverse(d, e, first, last);
      const cut = smallestBound(d, e, first, last);
      if (!("smallest" in cut)) {
        e[cut.at] = 0;
        continue;
      }
      if (sweeps-- === 0) {
        throw new VapoError(
          "the singular values of a matrix do not converge: expected finite numbers",
        );
      }
      sweep(d, e, first, last, cut.smallest);
      if (Math.abs(e[last - 1]) <= negligible) e[last - 1] = 0;
    } else {
      if (first > 0) e[first - 1] = 0;
      last--;
    }
  }
  return d.map(Math.abs).sort().reverse();
}

/** Below this a number is nothing against the smallest singular value (dbdsqr's thresh). */
function negligibleOf(d: Float64Array, e: Float64Array): number {
  let bound = Math.abs(d[0]), least = bound;
  for (let i = 1; i < d.length && least > 0; i++) {
    bound = Math.abs(d[i]) * (bound / (bound + Math.abs(e[i - 1])));
    least = Math.min(least, bound);
  }
  return Math.max(tolerance * least / Math.sqrt(d.length), Number.MIN_VALUE * 2 ** 52);
}

/** The same singular values: both ends exchanged, of the transpose. */
function reverse(d: Float64Array, e: Float64Array, first: number, last: number): void {
  d.subarray(first, last + 1).reverse();
  e.subarray(first, last).reverse();
}

/**
 * Demmel and Kahan's convergence criteria: a cell above the diagonal that may be dropped, or a lower
 * bound of the block's smallest singular value.
 */
function smallestBound(
  d: Float64Array,
  e: Float64Array,
  first: number,
  last: number,
): { readonly at: number } | { readonly smallest: number } {
  if (Math.abs(e[last - 1]) <= tolerance * Math.abs(d[last])) return { at: last - 1 };
  let bound = Math.abs(d[first]), smallest = bound;
  for (let i = first; i < last; i++) {
    if (Math.abs(e[i]) <= tolerance * bound) return { at: i };
    bound = Math.abs(d[i + 1]) * (bound / (bound + Math.abs(e[i])));
    smallest = Math.min(smallest, bound);
  }
  return { smallest };
}

/** One sweep from the top of a block to its bottom. */
function sweep(
  d: Float64Array,
  e: Float64Array,
  first: number,
  last: number,
  smallest: number,
): void {
  let largest = Math.abs(d[last]);
  for (let i = first; i < last; i++) {
    largest = Math.max(largest, Math.abs(d[i]), Math.abs(e[i]));
  }
  const fine = d.length * tolerance * (smallest / largest) <=
    Math.max(2 * unitRoundoff, 0.01 * tolerance);
  const shift = fine ? 0 : smallestOfTwo(d[last - 1], e[last - 1], d[last]);
  const lead = Math.abs(d[first]);
  // A shift that is lost in the first cell would only cost digits.
  if (lead > 0 && (shift / lead) ** 2 > 2 * unitRoundoff) shiftedSweep(d, e, first, last, shift);
  else zeroShiftSweep(d, e, first, last);
}

/** The smaller singular value of [[f, g], [0, h]]: LAPACK's dlas2. */
function smallestOfTwo(f: number, g: number, h: number): number {
  const a = Math.abs(f), b = Math.abs(g), c = Math.abs(h);
  const low = Math.min(a, c), high = Math.max(a, c);
  if (low === 0) return 0;
  const sum = 1 + low / high, difference = (high - low) / high;
  if (b < high) {
    const off = (b / high) ** 2;
    return 2 * low / (Math.sqrt(sum * sum + off) + Math.sqrt(difference * difference + off));
  }
  const ratio = high / b;
  if (ratio === 0) return low * high / b;
  const s = (sum * ratio) ** 2, t = (difference * ratio) ** 2;
  return 2 * (low / (Math.sqrt(1 + s) + Math.sqrt(1 + t))) * ratio;
}

/** The rotation that takes (f, g) to (r, 0). Its fields are overwritten by each call. */
const rotation = { cosine: 1, sine: 0, r: 0 };

function rotate(f: number, g: number): void {
  if (g === 0) {
    rotation.cosine = 1;
    rotation.sine = 0;
    rotation.r = f;
  } else if (Math.abs(f) > Math.abs(g)) {
    const ratio = g / f, length = Math.sqrt(1 + ratio * ratio);
    rotation.cosine = 1 / length;
    rotation.sine = ratio / length;
    rotation.r = f * length;
  } else {
    const ratio = f / g, length = Math.sqrt(1 + ratio * ratio);
    rotation.sine = 1 / length;
    rotation.cosine = ratio / length;
    rotation.r = g * length;
  }
}

/** The sweep that keeps the relative accuracy of small singular values. */
function zeroShiftSweep(d: Float64Array, e: Float64Array, first: number, last: number): void {
  let cosine = 1, oldCosine = 1, oldSine = 0;
  for (let i = first; i < last; i++) {
    rotate(d[i] * cosine, e[i]);
    cosine = rotation.cosine;
    const { sine, r } = rotation;
    if (i > first) e[i - 1] = oldSine * r;
    rotate(oldCosine * r, d[i + 1] * sine);
    oldCosine = rotation.cosine;
    oldSine = rotation.sine;
    d[i] = rotation.r;
  }
  const end = d[last] * cosine;
  d[last] = end * oldCosine;
  e[last - 1] = end * oldSine;
}

/** Golub and Kahan's sweep, whose shift makes it converge. */
function shiftedSweep(
  d: Float64Array,
  e: Float64Array,
  first: number,
  last: number,
  shift: number,
): void {
  let f = (Math.abs(d[first]) - shift) * (Math.sign(d[first]) + shift / d[first]), g = e[first];
  for (let i = first; i < last; i++) {
    rotate(f, g);
    let { cosine, sine } = rotation;
    if (i > first) e[i - 1] = rotation.r;
    f = cosine * d[i] + sine * e[i];
    e[i] = cosine * e[i] - sine * d[i];
    g = sine * d[i + 1];
    d[i + 1] *= cosine;
    rotate(f, g);
    ({ cosine, sine } = rotation);
    d[i] = rotation.r;
    f = cosine * e[i] + sine * d[i + 1];
    d[i + 1] = cosine * d[i + 1] - sine * e[i];
    if (i + 1 < last) {
      g = sine * e[i + 1];
      e[i + 1] *= cosine;
    }
  }
  e[last - 1] = f;
}
