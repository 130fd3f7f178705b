/**
 * @file A factor of a covariance that may be singular: Cholesky's with pivoting, which ends where
 * nothing but rounding is left (N. Higham, "Analysis of the Cholesky Decomposition of a Semi-definite
 * Matrix", 1990; C. Lucas, "LAPACK-Style Codes for Level 2 and 3 Pivoted Cholesky Factorizations",
 * 2004). It takes a fraction of the operations of an eigendecomposition, and its error is relative to
 * each variance by itself; pivots are chosen so too, so that columns of different scales do no harm.
 */
import { VapoError } from "../errors.ts";
import { type Interruptible, pauses } from "../pauses.ts";
import { openPanelProducts, panelRows } from "./panel_product.ts";
import { packColumns, panelCells, panelCount, tileCount, tilesOf } from "./panels.ts";

/** L with L·Lᵀ = the matrix: a column for each pivot, rows in the matrix' own order. */
export interface Factor {
  /** [rank, n]: L, column by column. */
  readonly columns: Float64Array;
  readonly rank: number;
}

/** Pivots between two updates of the whole matrix. */
const block = 96;
const epsilon = 2 ** -52;

/**
 * Factors a symmetric positive semidefinite matrix. A variable of whose variance the pivots so far leave
 * no more than 128 + n/8 roundings is a combination of them (60 to 90 are left of dependent ones, for
 * n from 200 to 2,048); and where rounding has left negative numbers, as of a matrix that was rounded to
 * float32, what is as small as they are is rounding too.
 *
 * @param matrix [n, n]; the half below the diagonal is read
 * @param n the number of rows
 * @param options.threads one a processor where it is left out; the factor does not depend on it
 * @throws {VapoError} where a number of the diagonal is negative
 */
export async function pivotedCholesky(
  matrix: Float64Array,
  n: number,
  { threads, signal, onProgress }: Interruptible & { readonly threads?: number } = {},
): Promise<Factor> {
  const negative = Array.from({ length: n }, (_, i) => matrix[i * n + i]).findIndex((x) => x < 0);
  if (negative >= 0) {
    const value = matrix[negative * n + negative];
    throw new VapoError(
      `variance ${negative} is ${value}; expected none below 0: this is no covariance matrix`,
    );
  }
  const stride = panelRows * panelCount(n), cells = panelCells(n, block);
  const products = await openPanelProducts({
    cells: cells + stride ** 2,
    tiles: tileCount(n, n),
    threads,
  });
  try {
    const panels = products.heap.subarray(0, cells), rest = products.heap.subarray(cells);
    // What is left of the matrix, negative: updates then are additions.
    for (let i = 0; i < n; i++) {
      for (let j = 0; j <= i; j++) rest[i * stride + j] = -matrix[i * n + j];
    }
    const pause = pauses(signal);
    const pivots = pivotSearch(matrix, n);
    const columns: Float64Array[] = [];
    for (;;) {
      const made = factorBlock(rest, stride, pivots, n);
      columns.push(...made);
      onProgress?.(columns.length, n);
      if (made.length < block) break;
      packFactor(panels, made, n);
      const panelStride = panelRows * block;
      products.run(
        tilesOf({
          left: 0,
          leftRows: n,
          right: 0,
          rightRows: n,
          output: cells,
          outputStride: stride,
          panelStride,
          lower: true,
        }),
        { depth: block, panelStride, outputStride: stride, accumulate: true },
      );
      await pause();
    }
    const all = new Float64Array(columns.length * n);
    columns.forEach((column, j) => all.set(column, j * n));
    return { columns: all, rank: columns.length };
  } finally {
    products.dispose();
  }
}

/** Rows of columns made so far as panels. */
function packFactor(panels: Float64Array, made: readonly Float64Array[], n: number): void {
  const rows = new Float64Array(block * n);
  made.forEach((column, k) => rows.set(column, k * n));
  packColumns(panels, rows, made.length, n, block);
}

/** Which variable comes next. */
interface PivotSearch {
  /** Variances given the pivots so far. */
  readonly left: Float64Array;
  /** The variable with the largest part of its own left, or none where that is rounding. */
  next(): number | undefined;
  /** Takes a column of L into account, and rounding out of it. */
  take(column: Float64Array, pivot: number): void;
}

function pivotSearch(matrix: Float64Array, n: number): PivotSearch {
  const variances = Float64Array.from({ length: n }, (_, i) => matrix[i * n + i]);
  const left = variances.slice(), used = new Uint8Array(n);
  const tolerance = (128 + n / 8) * epsilon;
  let noise = 0;
  return {
    left,
    next() {
      let best: number | undefined, most = tolerance;
      for (let i = 0; i < n; i++) {
        if (used[i] || variances[i] === 0) continue;
        const part = left[i] / variances[i];
        noise = Math.max(noise, -part);
        if (part > most) {
          most = part;
          best = i;
        }
      }
      return most > 2 * noise ? best : undefined;
    },
    take(column, pivot) {
      for (let i = 0; i < n; i++) {
        if (used[i]) column[i] = 0;
        else left[i] -= column[i] * column[i];
      }
      left[pivot] = 0;
      used[pivot] = 1;
    },
  };
}

/** Up to a block of columns of L; fewer where nothing is left. */
function factorBlock(
  rest: Float64Array,
  stride: number,
  pivots: PivotSearch,
  n: number,
): Float64Array[] {
  const made: Float64Array[] = [];
  while (made.length < block) {
    const pivot = pivots.next();
    if (pivot === undefined) break;
    const column = new Float64Array(n);
    for (let j = 0; j <= pivot; j++) column[j] = -rest[pivot * stride + j];
    for (let i = pivot + 1; i < n; i++) column[i] = -rest[i * stride + pivot];
    for (const earlier of made) {
      const factor = earlier[pivot];
      if (factor === 0) continue;
      for (let i = 0; i < n; i++) column[i] -= factor * earlier[i];
    }
    const root = Math.sqrt(pivots.left[pivot]);
    for (let i = 0; i < n; i++) column[i] /= root;
    column[pivot] = root;
    pivots.take(column, pivot);
    made.push(column);
  }
  return made;
}
