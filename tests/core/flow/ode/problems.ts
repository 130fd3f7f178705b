/** @file Initial value problems whose solutions are known, for the tests of the solvers. */

/** A problem with a solution in closed form. */
export interface ClosedForm {
  readonly f: (t: number, y: Float64Array) => Float64Array;
  readonly exact: (t: number) => number[];
}

/** The harmonic oscillator. */
export const harmonic: ClosedForm = {
  f: (_t, [x, v]) => Float64Array.of(v, -x),
  exact: (t) => [Math.cos(t), -Math.sin(t)],
};

/** A nonlinear oscillator that spirals out from radius 1/2 to its limit cycle of radius 1. */
export const limitCycle: ClosedForm = {
  f: (_t, [x, y]) => {
    const growth = 1 - x * x - y * y;
    return Float64Array.of(growth * x - y, growth * y + x);
  },
  exact: (t) => {
    const radius = 1 / Math.sqrt(1 + 3 * Math.exp(-2 * t));
    return [radius * Math.cos(t), radius * Math.sin(t)];
  },
};

/** A planet on an ellipse of eccentricity 0.1, back where it began at multiples of 2π. */
export const kepler: ClosedForm = {
  f: (_t, [x, y, vx, vy]) => {
    const cube = Math.hypot(x, y) ** 3;
    return Float64Array.of(vx, vy, -x / cube, -y / cube);
  },
  exact: () => [0.9, 0, 0, Math.sqrt(1.1 / 0.9)],
};

/** A problem in t and y both. */
export const growingThenShrinking: ClosedForm = {
  f: (t, y) => y.map((value) => value * Math.cos(t)),
  exact: (t) => [Math.exp(Math.sin(t))],
};

/** Prothero and Robinson's: stiff for large `rate`, and cos t nevertheless. */
export const stiffCosine = (rate: number): ClosedForm => ({
  f: (t, y) => y.map((value) => -rate * (value - Math.cos(t)) - Math.sin(t)),
  exact: (t) => [Math.cos(t)],
});

/** The right-hand sides behind `tests/fixtures/solve_ivp.json`. */
export const scipyProblems: Readonly<Record<string, ClosedForm["f"]>> = {
  decay: (_t, y) => y.map((value) => -value),
  harmonic: harmonic.f,
  lotka_volterra: (_t, [prey, predator]) =>
    Float64Array.of(
      1.5 * prey - prey * predator,
      -3 * predator + prey * predator,
    ),
  van_der_pol_mu5: (_t, [x, v]) => Float64Array.of(v, 5 * (1 - x ** 2) * v - x),
  robertson: (_t, [a, b, c]) =>
    Float64Array.of(
      -0.04 * a + 1e4 * b * c,
      0.04 * a - 1e4 * b * c - 3e7 * b ** 2,
      3e7 * b ** 2,
    ),
};

/** The largest difference of two vectors. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i])));
}
