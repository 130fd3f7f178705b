/**
 * @file Radau IIA of order 5 for stiff problems: Hairer & Wanner, "Solving Ordinary Differential
 * Equations II", section IV.8 (the Fortran code RADAU5), in the form of SciPy's `Radau`, but with no
 * Jacobian matrix. The collocation equations for the three increments zᵢ = y(t + cᵢh) − y,
 *
 *     z = h (A ⊗ I) F(z),
 *
 * are solved by simplified Newton iteration in the variables w = T⁻¹z that diagonalise A⁻¹. There
 * each iteration is one real system with the shift μ₀/h and one complex with the shift μ₁/h, which
 * `shifted_krylov.ts` solves together.
 */
import type { FrozenJacobian } from "./frozen_jacobian.ts";
import {
  type Correction,
  correctionTolerance,
  newtonIteration,
  newtonTolerance,
} from "./newton.ts";
import type { Attempt, OdeProblem, OdeState, Stepper, Tolerances } from "./stepper.ts";

const root6 = Math.sqrt(6);
/** cᵢ: the collocation points, the zeros of d²/dx² (x²(x−1)³). */
const nodes = [(4 - root6) / 10, (4 + root6) / 10, 1];
/** The eigenvalues of A⁻¹: a real one and (one of) a complex pair, in parts. */
const realShift = [3 + 3 ** (2 / 3) - 3 ** (1 / 3)];
const complexShift = [
  3 + (3 ** (1 / 3) - 3 ** (2 / 3)) / 2,
  -(3 ** (5 / 6) + 3 ** (7 / 6)) / 2,
];
/** T: its columns are the real eigenvector, and the two parts of the complex one. */
const eigenvectors = [
  [0.09443876248897524, -0.14125529502095421, 0.03002919410514742],
  [0.25021312296533332, 0.20412935229379994, -0.38294211275726192],
  [1, 1, 0],
];
/** T⁻¹ */
const inverseEigenvectors = [
  [4.17871859155190428, 0.32768282076106237, 0.52337644549944951],
  [-4.17871859155190428, -0.32768282076106237, 0.47662355450055044],
  [0.50287263494578682, -2.57192694985560522, 0.59603920482822492],
];
/** Weights of z in the embedded error estimate (eq. IV.8.19). */
const errorWeights = [(-13 - 7 * root6) / 3, (-13 + 7 * root6) / 3, -1 / 3];
/** The collocation polynomial: y(t + xh) = y + Σᵢ zᵢ Σⱼ pᵢⱼ x^(j+1). */
const polynomial = [
  [13 / 3 + 7 * root6 / 3, -23 / 3 - 22 * root6 / 3, 10 / 3 + 5 * root6],
  [13 / 3 - 7 * root6 / 3, -23 / 3 + 22 * root6 / 3, 10 / 3 - 5 * root6],
  [1 / 3, -8 / 3, 10 / 3],
];
/** Weights of z in the collocation polynomial at a fraction x of the step. */
const polynomialWeights = (x: number) => polynomial.map(([a, b, c]) => x * (a + x * (b + x * c)));

/** Order of the solution, and of the error estimate. */
export const radauOrder = { solution: 5, error: 3 } as const;

/** Newton iterations before a smaller step is tried, or where steps are fixed, before giving up. */
const newtonLimits = { adaptive: 6, fixed: 20 };
/** The filtered error estimate need not be known better than this, in units of the tolerance. */
const errorTolerance = { absolute: 0.01, relative: 0.05 };

/** A step that has been computed. */
interface Step<V> {
  readonly begin: number;
  readonly end: OdeState<V>;
  readonly increments: readonly V[];
  /** Whether Newton's iteration was slow enough to make a new Jacobian worth its price. */
  readonly slow: boolean;
}

/**
 * A stepper for Radau IIA.
 *
 * @param estimateError whether to estimate the error of each step
 */
export function radau<V>(
  { space, derivative, slope }: OdeProblem<V>,
  jacobian: FrozenJacobian<V>,
  { rtol, atol }: Tolerances,
  estimateError: boolean,
): Stepper<V> {
  const tolerance = newtonTolerance(rtol, space.epsilon);
  const limit = estimateError ? newtonLimits.adaptive : newtonLimits.fixed;
  /** The last step that was kept, and one that has been computed since. */
  let last: Step<V> | undefined;
  let computed: Step<V> | undefined;

  /** Decides what becomes of the step computed last: it was kept if the next one starts there. */
  async function begin(start: OdeState<V>): Promise<void> {
    const kept = computed?.end === start;
    const unused = kept ? last : computed;
    if (unused) space.dispose(...unused.increments);
    if (kept) last = computed;
    if (kept && computed!.slow) await jacobian.freeze(start);
    else await jacobian.prepare(start);
    computed = undefined;
  }

  /** Increments that continue the polynomial of the last step, or none. */
  function predicted({ t, y }: OdeState<V>, h: number): V[] {
    if (!last) return nodes.map(() => space.combine([0], [y]));
    const { begin, increments } = last;
    return nodes.map((node) => {
      const [a, b, c] = polynomialWeights((t + node * h - begin) / (t - begin));
      return space.combine([a, b, c - 1], increments);
    });
  }

  /** Solves the collocation equations, starting from given increments, which are replaced. */
  async function collocate(
    { t, y }: OdeState<V>,
    h: number,
    increments: V[],
  ) {
    const scale = space.errorScale(y, y, rtol, atol);
    const [real, complex] = [realShift, complexShift].map((shift) => shift.map((s) => s / h));
    const transformed = inverseEigenvectors.map((row) => space.combine(row, increments));

    async function correct(): Promise<Correction | undefined> {
      const slopes: V[] = [];
      for (let i = 0; i < nodes.length; i++) {
        const inside = space.combine([1, 1], [y, increments[i]]);
        slopes.push(await derivative(t + nodes[i] * h, inside));
        space.dispose(inside);
      }
      // T⁻¹F − (μ/h) w, with the product of the complex numbers written out.
      const [[a], [b, c]] = [real, complex];
      const shifts = [[-a, 0, 0], [0, -b, c], [0, -c, -b]];
      const rights = inverseEigenvectors.map((row, i) =>
        space.combine([...row, ...shifts[i]], [...slopes, ...transformed])
      );
      space.dispose(...slopes);
      const solved = await jacobian.solve(
        [{ shift: real, right: [rights[0]] }, { shift: complex, right: rights.slice(1) }],
        correctionTolerance(tolerance),
      );
      space.dispose(...rights);
      if (!solved) return undefined;
      const corrections = solved.flat();
      const norms = await space.norms(corrections, scale);
      return {
        norm: Math.hypot(...norms) / Math.sqrt(norms.length),
        apply() {
          replace(transformed, (w, i) => space.combine([1, 1], [w, corrections[i]]));
          replace(increments, (_, i) => space.combine(eigenvectors[i], transformed));
          space.dispose(...corrections);
        },
        discard: () => space.dispose(...corrections),
      };
    }

    const outcome = await newtonIteration(correct, { tolerance, limit });
    space.dispose(scale, ...transformed);
    return outcome;
  }

  /** Overwrites vectors by new ones, freeing the old. */
  function replace(vectors: V[], by: (vector: V, i: number) => V): void {
    const old = vectors.splice(0, vectors.length, ...vectors.map(by));
    space.dispose(...old);
  }

  /**
   * The norm of (μ₀/h I − J)⁻¹ (f(t, y) + Σ eᵢzᵢ/h), which stays bounded for the stiffest
   * components; after a rejection f is taken at y plus the error just found (eq. IV.8.20).
   */
  async function estimate(
    start: OdeState<V>,
    h: number,
    end: V,
    increments: V[],
    retry: boolean,
  ): Promise<number> {
    const shift = realShift.map((s) => s / h);
    const scale = space.errorScale(start.y, end, rtol, atol);
    const weights = errorWeights.map((weight) => weight / h);

    async function filtered(from: V): Promise<{ error?: V; norm: number }> {
      const right = space.combine([1, ...weights], [from, ...increments]);
      const solved = await jacobian.solve([{ shift, right: [right] }], errorTolerance);
      space.dispose(right);
      if (!solved) return { norm: NaN };
      const [[error]] = solved;
      const [norm] = await space.norms([error], scale);
      return { error, norm };
    }

    let { error, norm } = await filtered(await slope(start));
    if (retry && error && norm > 1) {
      const moved = space.combine([1, 1], [start.y, error]);
      const slopeAtMoved = await derivative(start.t, moved);
      const second = await filtered(slopeAtMoved);
      space.dispose(moved, slopeAtMoved, error);
      ({ error, norm } = second);
    }
    if (error) space.dispose(error);
    space.dispose(scale);
    return norm;
  }

  async function attempt(
    start: OdeState<V>,
    endTime: number,
    retry: boolean,
  ): Promise<Attempt<V> | undefined> {
    const h = endTime - start.t;
    await begin(start);
    let increments = predicted(start, h);
    let outcome = await collocate(start, h, increments);
    if (!outcome.converged && !jacobian.isAt(start)) {
      await jacobian.freeze(start);
      space.dispose(...increments);
      increments = predicted(start, h);
      outcome = await collocate(start, h, increments);
    }
    const { converged, iterations, slow } = outcome;
    if (!converged) {
      space.dispose(...increments);
      return undefined;
    }
    const end: OdeState<V> = { t: endTime, y: space.combine([1, 1], [start.y, increments[2]]) };
    const errorNorm = estimateError ? await estimate(start, h, end.y, increments, retry) : 0;
    computed = { begin: start.t, end, increments, slow };
    return {
      end,
      errorNorm,
      newton: { iterations, limit },
      interpolate: (x) => space.combine([1, ...polynomialWeights(x)], [start.y, ...increments]),
    };
  }

  return { attempt, jacobianProducts: jacobian.products };
}
