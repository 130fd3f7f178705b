/**
 * @file Linear systems (σI − J) x = b with one Jacobian J, several shifts σ (real or complex) and
 * several right-hand sides, known only by products of J with vectors.
 *
 * A Krylov space of J is one of σI − J for every σ. So all the systems of an implicit step, those of
 * its later Newton iterations and that of its error estimate included, are solved in one space,
 * which only ever grows by the directions that it still lacks: each by the x in it with the smallest
 * residual, which is GMRES (Saad & Schultz, SIAM J. Sci. Stat. Comput. 7(3):856-869, 1986) for
 * several right-hand sides (Saad, "Iterative Methods for Sparse Linear Systems", section 6.12) and
 * shifts (Frommer & Glässner, SIAM J. Sci. Comput. 19(1):15-26, 1998). Norms are weighted by the
 * tolerances of the integration, as stiff systems need whose components differ in size (Brown &
 * Hindmarsh, Appl. Math. Comput. 31:40-91, 1989).
 *
 * The space is an orthonormal basis q₁ … qₖ. An explored basis vector has its image in the basis
 * too, J qⱼ = Σᵢ Hᵢⱼ qᵢ; so have all right-hand sides. With x a combination of explored vectors,
 * its residual is known by coordinates, without touching a long vector.
 */
import type { VectorSpace } from "../vector_space.ts";
import {
  type ProjectedSolution,
  type ProjectedSystem,
  projectedSystem,
  reciprocal,
} from "./projected_system.ts";

/**
 * One system (σI − J) x = b. A real one has one part in `shift` and `right`; a complex one has two,
 * the real and the imaginary.
 */
export interface ShiftedSystem<V> {
  readonly shift: readonly number[];
  readonly right: readonly V[];
}

/**
 * How well to solve. Where J damps (no eigenvalue right of 0), the error of x is at most |r| / |σ|
 * for a residual r; this is brought below `absolute`, in units of the scale, or below `relative`
 * times |x|.
 */
export interface LinearTolerance {
  readonly absolute: number;
  readonly relative: number;
}

/** A Krylov space of one J. */
export interface KrylovSpace<V> {
  /** Basis vectors so far. */
  readonly size: number;
  /**
   * Solves systems: the parts of each solution, in the order of the systems. Undefined where a
   * right-hand side or a product is not finite. After the last restart the best so far is returned.
   */
  solve(
    systems: readonly ShiftedSystem<V>[],
    tolerance: LinearTolerance,
  ): Promise<V[][] | undefined>;
  /** Frees the basis. */
  dispose(): void;
}

/** What limits a Krylov space. */
export interface KrylovOptions {
  /** Basis vectors to hold; when there are as many, the space is built anew from the residuals. */
  readonly dimension: number;
  /** How often that may happen in one solve (10). */
  readonly restarts?: number;
}

/**
 * The Krylov space of J.
 *
 * @param multiply J times a vector, a new one
 * @param scale the unit of each component; the caller keeps it for the life of the space
 */
export function krylovSpace<V>(
  space: VectorSpace<V>,
  multiply: (vector: V) => Promise<V>,
  scale: V,
  { dimension, restarts = 10 }: KrylovOptions,
): KrylovSpace<V> {
  const basis: V[] = [];
  /** Column j of H, once qⱼ is explored. */
  const images: (Float64Array | undefined)[] = [];
  const explored: number[] = [];
  /** The systems of the latest shifts, by shift: as a rule a real and a complex one. */
  const projected = new Map<string, ProjectedSystem>();

  function clear(): void {
    space.dispose(...basis);
    basis.length = images.length = explored.length = 0;
    projected.clear();
  }

  /**
   * The coordinates of a vector. What it has outside the space extends the basis by one vector,
   * unless that is rounding error or at most `negligible`. Undefined if it is not finite.
   */
  async function coordinates(vector: V, negligible: number): Promise<Float64Array | undefined> {
    const found = new Float64Array(basis.length);
    let rest = space.copy(vector);
    let [whole, length] = [NaN, NaN];
    // Gram-Schmidt, repeated while it cancels digits; twice is enough (Parlett, "The Symmetric
    // Eigenvalue Problem", section 6.9).
    for (let again = true; again;) {
      const rows = await space.innerProducts([...basis, rest], [rest], scale);
      const before = rows.pop()![0];
      const weights = rows.map(([weight]) => weight);
      const reduced = space.combine([1, ...weights.map((weight) => -weight)], [rest, ...basis]);
      space.dispose(rest);
      rest = reduced;
      weights.forEach((weight, i) => found[i] += weight);
      const after = Math.max(0, before - weights.reduce((sum, weight) => sum + weight ** 2, 0));
      again = after < before / 2 && Number.isNaN(whole);
      if (Number.isNaN(whole)) whole = Math.sqrt(before);
      length = Math.sqrt(after);
    }
    const isNew = length > Math.max(negligible, 100 * space.epsilon * whole);
    if (isNew && Number.isFinite(length)) {
      basis.push(space.combine([1 / length], [rest]));
      images.push(undefined);
    }
    space.dispose(rest);
    if (!Number.isFinite(length)) return undefined;
    return isNew ? Float64Array.of(...found, length) : found;
  }

  /** Finds the image of qⱼ under J; false if it is not finite. */
  async function explore(j: number): Promise<boolean> {
    const image = await multiply(basis[j]);
    images[j] = await coordinates(image, 0);
    space.dispose(image);
    explored.push(j);
    return images[j] !== undefined;
  }

  /** The best x in the space for one system whose right-hand side is given by coordinates. */
  function fit(shift: readonly number[], right: readonly Float64Array[]): Fit {
    const key = shift.join();
    const system = projected.get(key) ?? projectedSystem(shift);
    projected.delete(key);
    projected.set(key, system);
    if (projected.size > 2) projected.delete(projected.keys().next().value!);
    for (const j of explored.slice(system.size)) system.explore(j, images[j]!);
    return { ...system.solve(right, basis.length), size: Math.hypot(...shift) };
  }

  /** The unexplored basis vector that the residuals are richest in. */
  function mostWanted(fits: readonly Fit[]): number | undefined {
    const wanted = basis.map(() => 0);
    for (const { residual, size } of fits) {
      const parts = residual.length / basis.length;
      residual.forEach((r, i) => wanted[Math.floor(i / parts)] += (r / size) ** 2);
    }
    const candidates = [...basis.keys()].filter((j) => !images[j]);
    return candidates.sort((a, b) => wanted[b] - wanted[a])[0];
  }

  /** Grows the space until all systems are solved in it, or until it is full. */
  async function grow(
    systems: readonly ShiftedSystem<V>[],
    { absolute, relative }: LinearTolerance,
  ): Promise<{ fits: Fit[]; solved: boolean } | undefined> {
    const rights: Float64Array[][] = [];
    for (const { shift, right } of systems) {
      const parts: Float64Array[] = [];
      for (const vector of right) {
        const part = await coordinates(vector, 0.1 * absolute * Math.hypot(...shift));
        if (!part) return undefined;
        parts.push(part);
      }
      rights.push(parts);
    }
    for (;;) {
      const fits = systems.map(({ shift }, i) => fit(shift, rights[i]));
      const unsolved = fits.filter(({ solution, residual, size }) =>
        norm(residual) / size > Math.max(absolute, relative * norm(solution))
      );
      const next = mostWanted(unsolved);
      // A space with nothing left to explore is invariant: its solutions are exact.
      if (unsolved.length === 0 || next === undefined) return { fits, solved: true };
      if (basis.length >= dimension) return { fits, solved: false };
      if (!await explore(next)) return undefined;
    }
  }

  /** The combination of basis vectors, part by part, with interleaved coordinates. */
  function vectors(interleaved: Float64Array, parts: number): V[] {
    return Array.from({ length: parts }, (_, p) => {
      const weights = basis.map((_, i) => interleaved[i * parts + p]);
      return space.combine([0, ...weights], [scale, ...basis]);
    });
  }

  /** The residual of a fit: b, less what the space has of b, plus what it has of the residual. */
  function residualVectors(fit: Fit, { right }: ShiftedSystem<V>): V[] {
    const rest = fit.residual.map((r, i) => r - fit.right[i]);
    return right.map((b, p) => {
      const weights = basis.map((_, i) => rest[i * right.length + p]);
      return space.combine([1, ...weights], [b, ...basis]);
    });
  }

  /**
   * A solution x to which r/σ is added for its residual r, as would be exact if J were 0. It is for
   * an x that the tolerance is larger than: left alone, such an x may well be 0, and a state that
   * creeps by less than the tolerance in each step would stand still.
   */
  function completed(x: V[], fit: Fit, system: ShiftedSystem<V>): V[] {
    const r = residualVectors(fit, system);
    const sums = reciprocal(system.shift)
      .map((row, p) => space.combine([1, ...row], [x[p], ...r]));
    space.dispose(...x, ...r);
    return sums;
  }

  /** Solves in the space, and for what is left when that is full, in another. */
  async function solve(
    systems: readonly ShiftedSystem<V>[],
    tolerance: LinearTolerance,
    restartsLeft: number,
  ): Promise<V[][] | undefined> {
    if (basis.length >= dimension) clear();
    const grown = await grow(systems, tolerance);
    if (!grown) {
      clear();
      return undefined;
    }
    const { fits, solved } = grown;
    const x = fits.map((fit, i) => vectors(fit.solution, systems[i].right.length));
    if (solved && restartsLeft === restarts) {
      return fits.map((fit, i) => {
        const isSmall = norm(fit.solution) <= norm(fit.residual) / fit.size;
        return isSmall ? completed(x[i], fit, systems[i]) : x[i];
      });
    }
    if (solved || restartsLeft === 0) return x;
    const rest = fits.map((fit, i) => ({
      shift: systems[i].shift,
      right: residualVectors(fit, systems[i]),
    }));
    clear();
    const absolute = Math.max(
      tolerance.absolute,
      tolerance.relative * Math.min(...fits.map(({ solution }) => norm(solution))),
    );
    const gain = await solve(rest, { ...tolerance, absolute }, restartsLeft - 1);
    const sums = gain?.map((parts, i) =>
      parts.map((part, p) => space.combine([1, 1], [x[i][p], part]))
    );
    space.dispose(...x.flat(), ...rest.flatMap(({ right }) => right), ...(gain ?? []).flat());
    return sums;
  }

  return {
    get size() {
      return basis.length;
    },
    solve: (systems, tolerance) => solve(systems, tolerance, restarts),
    dispose: clear,
  };
}

/** A solution within the space, and |σ|. */
interface Fit extends ProjectedSolution {
  readonly size: number;
}

const norm = (coordinates: Float64Array) => Math.hypot(...coordinates);
