/**
 * @file The Jacobian of f at one point, kept for as many steps as Newton's iteration converges with
 * it, and never formed: all that is known of it is a Krylov space (Knoll & Keyes, "Jacobian-free
 * Newton-Krylov methods", J. Comput. Phys. 193:357-397, 2004).
 */
import { type KrylovSpace, krylovSpace } from "./shifted_krylov.ts";
import type { LinearTolerance, ShiftedSystem } from "./shifted_krylov.ts";
import type { JacobianProduct, OdeProblem, OdeState } from "./stepper.ts";

/** How the Jacobian is applied, and how much is remembered of it. */
export interface FrozenJacobianOptions<V> {
  /** Exact products; without it they are differences of f. */
  readonly jvp?: JacobianProduct<V>;
  /** Basis vectors that the Krylov space may hold. */
  readonly krylovDimension: number;
  readonly rtol: number;
  readonly atol: number;
}

/** A Jacobian frozen at a state. */
export interface FrozenJacobian<V> {
  /** Freezes the Jacobian at a state; what was known of an earlier one is forgotten. */
  freeze(state: OdeState<V>): Promise<void>;
  /** Freezes at a state if nothing is frozen yet, or if the Krylov space is half full. */
  prepare(state: OdeState<V>): Promise<void>;
  /** Whether the Jacobian is frozen at this very state. */
  isAt(state: OdeState<V>): boolean;
  /** Solves (σI − J) x = b for several systems; see {@link KrylovSpace.solve}. */
  solve(
    systems: readonly ShiftedSystem<V>[],
    tolerance: LinearTolerance,
  ): Promise<V[][] | undefined>;
  /** Products with a vector so far. */
  products(): number;
}

/** A Jacobian that is not frozen anywhere yet. */
export function frozenJacobian<V>(
  { space, derivative, slope }: OdeProblem<V>,
  { jvp, krylovDimension, rtol, atol }: FrozenJacobianOptions<V>,
): FrozenJacobian<V> {
  let frozen: { t: number; krylov: KrylovSpace<V>; vectors: V[] } | undefined;
  let products = 0;

  /**
   * Directions come with the length 1 in units of the error scale, that is with components of about
   * rtol·|y|. Divided by rtol and times √ε they perturb y by √ε of itself, which balances the
   * truncation of the difference against its rounding.
   */
  const increment = Math.sqrt(space.epsilon) / rtol;

  async function difference(t: number, y: V, slopeAtY: V, direction: V): Promise<V> {
    const moved = space.combine([1, increment], [y, direction]);
    const slopeAtMoved = await derivative(t, moved);
    const product = space.combine([1 / increment, -1 / increment], [slopeAtMoved, slopeAtY]);
    space.dispose(moved, slopeAtMoved);
    return product;
  }

  async function freeze(state: OdeState<V>): Promise<void> {
    const { t } = state;
    const y = space.copy(state.y);
    const scale = space.errorScale(y, y, rtol, atol);
    // An exact product needs no slope.
    const slopes = jvp ? [] : [space.copy(await slope(state))];
    const krylov = krylovSpace(
      space,
      async (direction) => {
        products++;
        if (!jvp) return await difference(t, y, slopes[0], direction);
        const product = await jvp(t, y, direction);
        return product === direction ? space.copy(direction) : space.adopt(product);
      },
      scale,
      { dimension: krylovDimension },
    );
    forget();
    frozen = { t, krylov, vectors: [y, scale, ...slopes] };
  }

  function forget(): void {
    if (!frozen) return;
    frozen.krylov.dispose();
    space.dispose(...frozen.vectors);
    frozen = undefined;
  }

  return {
    freeze,
    prepare: async (state) => {
      if (!frozen || frozen.krylov.size > krylovDimension / 2) await freeze(state);
    },
    isAt: (state) => frozen?.t === state.t,
    solve: (systems, tolerance) => frozen!.krylov.solve(systems, tolerance),
    products: () => products,
  };
}
