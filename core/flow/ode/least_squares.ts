/**
 * @file Small dense least-squares problems that grow: a QR factorisation by Householder reflections
 * (Golub & Van Loan, "Matrix Computations", section 5.2) to which columns are added, each possibly
 * longer than the ones before it, which count as zero below their ends. The Krylov solver's
 * projected problems grow in just this way, so that adding a direction costs O(n²), not O(n³).
 */

/** The minimiser of |b − A x| and what is left of b. */
export interface LeastSquaresFit {
  readonly solution: Float64Array;
  readonly residual: Float64Array;
}

/** A matrix A that grows by columns, factored as it grows. */
export interface GrowingLeastSquares {
  readonly columns: number;
  /** Adds a column; A must keep at least as many rows as columns. */
  add(column: ArrayLike<number>): void;
  /** Solves for a right-hand side that is at least as long as every column. */
  fit(right: ArrayLike<number>): LeastSquaresFit;
}

/** A problem with no columns yet. */
export function growingLeastSquares(): GrowingLeastSquares {
  /** Unit normals of the reflections; the one at index k acts on the rows from k on. */
  const normals: Float64Array[] = [];
  /** The columns of R, on and above the diagonal. */
  const triangle: Float64Array[] = [];

  function reflect(k: number, vector: Float64Array): void {
    const normal = normals[k];
    let dot = 0;
    for (let i = 0; i < normal.length; i++) dot += normal[i] * vector[k + i];
    for (let i = 0; i < normal.length; i++) vector[k + i] -= 2 * dot * normal[i];
  }

  return {
    get columns() {
      return triangle.length;
    },
    add(column) {
      const reflected = Float64Array.from(column);
      for (let k = 0; k < normals.length; k++) reflect(k, reflected);
      const k = triangle.length;
      const normal = reflected.slice(k);
      const length = Math.hypot(...normal);
      normal[0] += normal[0] < 0 ? -length : length;
      const scale = Math.hypot(...normal);
      if (scale > 0) normal.forEach((value, i) => normal[i] = value / scale);
      normals.push(normal);
      reflect(k, reflected);
      triangle.push(reflected.slice(0, k + 1));
    },
    fit(right) {
      const residual = Float64Array.from(right);
      for (let k = 0; k < normals.length; k++) reflect(k, residual);
      const solution = backSubstitute(triangle, residual);
      residual.fill(0, 0, triangle.length);
      for (let k = normals.length - 1; k >= 0; k--) reflect(k, residual);
      return { solution, residual };
    },
  };
}

/** Solves R x = b for the leading part of b; a zero on the diagonal gives its unknown the value 0. */
function backSubstitute(triangle: readonly Float64Array[], right: Float64Array): Float64Array {
  const solution = right.slice(0, triangle.length);
  for (let k = triangle.length - 1; k >= 0; k--) {
    const column = triangle[k];
    solution[k] = column[k] === 0 ? 0 : solution[k] / column[k];
    for (let i = 0; i < k; i++) solution[i] -= column[i] * solution[k];
  }
  return solution;
}
