/**
 * @file One linear system (σI − J) x = b within a basis q₁ … qₖ: all that is long has been replaced
 * by coordinates, and x is the combination of some of the basis vectors whose residual is smallest.
 *
 * Complex coordinates are stored with their two parts interleaved, so that a complex problem of
 * size n is a real one of size 2n: σ = a + ib acts on each pair as the matrix [a −b; b a].
 */
import { type GrowingLeastSquares, growingLeastSquares } from "./least_squares.ts";

/** The best x in a basis, in coordinates. */
export interface ProjectedSolution {
  /** Of x; 0 for the vectors that do not take part. */
  readonly solution: Float64Array;
  /** Of b − (σI − J) x. */
  readonly residual: Float64Array;
  /** Of b. */
  readonly right: Float64Array;
}

/** The system for one shift, in a basis that grows. */
export interface ProjectedSystem {
  /** Basis vectors that take part in x so far. */
  readonly size: number;
  /** Lets basis vector j take part, whose image J qⱼ has the given coordinates. */
  explore(j: number, image: Float64Array): void;
  /** Solves for the parts of b, each with a coordinate for (at most) every basis vector. */
  solve(right: readonly Float64Array[], basisSize: number): ProjectedSolution;
}

/** A system in which no vector takes part yet; σ is given by one part or by two. */
export function projectedSystem(shift: readonly number[]): ProjectedSystem {
  const parts = shift.length;
  const problem: GrowingLeastSquares = growingLeastSquares();
  const explored: number[] = [];
  return {
    get size() {
      return explored.length;
    },
    explore(j, image) {
      explored.push(j);
      for (const column of shiftedColumns(shift, j, image)) problem.add(column);
    },
    solve(right, basisSize) {
      const interleaved = new Float64Array(parts * basisSize);
      right.forEach((part, p) => part.forEach((b, i) => interleaved[i * parts + p] = b));
      const { solution: weights, residual } = problem.fit(interleaved);
      const solution = new Float64Array(parts * basisSize);
      explored.forEach((j, column) => {
        for (let p = 0; p < parts; p++) solution[j * parts + p] = weights[column * parts + p];
      });
      return { solution, residual, right: interleaved };
    },
  };
}

/** Column j of σI − J; for a complex σ the two columns that belong to the unknowns 1 and i. */
function shiftedColumns(
  [re, im]: readonly number[],
  j: number,
  image: Float64Array,
): Float64Array[] {
  if (im === undefined) {
    const column = image.map((h) => -h);
    column[j] += re;
    return [column];
  }
  const [ofOne, ofI] = [0, 1].map(() => new Float64Array(2 * image.length));
  image.forEach((h, i) => ofOne[2 * i] = ofI[2 * i + 1] = -h);
  ofOne[2 * j] += re;
  ofOne[2 * j + 1] += im;
  ofI[2 * j] -= im;
  ofI[2 * j + 1] += re;
  return [ofOne, ofI];
}

/** The matrix by which 1/σ acts on the parts of a number. */
export function reciprocal([re, im]: readonly number[]): number[][] {
  if (im === undefined) return [[1 / re]];
  const square = re * re + im * im;
  return [[re / square, im / square], [-im / square, re / square]];
}
