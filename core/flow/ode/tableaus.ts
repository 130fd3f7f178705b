/**
 * @file Explicit Runge-Kutta methods as data. A method is its Butcher tableau,
 *
 *     kᵢ = f(t + cᵢ h, y + h Σⱼ<ᵢ aᵢⱼ kⱼ),    y(t + h) ≈ y + h Σᵢ bᵢ kᵢ,
 *
 * and, where the step size can be chosen by it, the weights of an error estimate. The names c, a, b
 * and the layout follow Hairer, Nørsett & Wanner, "Solving Ordinary Differential Equations I",
 * section II.1 (Springer 1993); one stepper (`explicit_runge_kutta.ts`) runs them all.
 */

/**
 * An estimate of the local error from the stages and the slope at the end of the step,
 * h Σᵢ eᵢ kᵢ, where the last weight belongs to that slope.
 */
export interface ErrorEstimate {
  /** Order q of the less accurate solution: the estimate is O(h^(q+1)), and steps scale with it. */
  readonly order: number;
  /** eᵢ: the weights of the solution minus those of the less accurate one. */
  readonly weights: readonly number[];
  /**
   * Weights of a second, cruder estimate that keeps the first from being too small by accident
   * (DOP853). With norms e of the first and d of this one, the error is e² / √(e² + 0.01 d²).
   */
  readonly crudeWeights?: readonly number[];
}

/** An explicit Runge-Kutta method. */
export interface Tableau {
  /** Order p of the solution that is carried on: its global error is O(h^p). */
  readonly order: number;
  /** cᵢ, where in the step a stage lies; c₁ = 0. */
  readonly nodes: readonly number[];
  /** aᵢⱼ: row i has the weights of the i earlier stages, so that the first row is empty. */
  readonly stages: readonly (readonly number[])[];
  /** bᵢ, the weights of the solution. */
  readonly weights: readonly number[];
  /** How to estimate the error of a step; a method without one takes fixed steps. */
  readonly error?: ErrorEstimate;
  /** Where the coefficients are from. */
  readonly citation: string;
}

/** Euler's method: one stage, order 1. */
export const euler: Tableau = {
  order: 1,
  nodes: [0],
  stages: [[]],
  weights: [1],
  citation: "L. Euler, Institutionum calculi integralis, vol. I, section 650 (1768)",
};

/** The explicit midpoint rule: two stages, order 2. */
export const midpoint: Tableau = {
  order: 2,
  nodes: [0, 1 / 2],
  stages: [[], [1 / 2]],
  weights: [0, 1],
  citation: "C. Runge, Math. Ann. 46:167-178 (1895)",
};

/** Heun's method (the explicit trapezoidal rule): two stages, order 2. */
export const heun: Tableau = {
  order: 2,
  nodes: [0, 1],
  stages: [[], [1]],
  weights: [1 / 2, 1 / 2],
  citation: "K. Heun, Z. Math. Phys. 45:23-38 (1900)",
};

/** The Bogacki-Shampine pair 3(2), SciPy's RK23: three stages and the slope at the end. */
export const bogackiShampine: Tableau = {
  order: 3,
  nodes: [0, 1 / 2, 3 / 4],
  stages: [[], [1 / 2], [0, 3 / 4]],
  weights: [2 / 9, 1 / 3, 4 / 9],
  error: { order: 2, weights: [5 / 72, -1 / 12, -1 / 9, 1 / 8] },
  citation: "P. Bogacki, L. F. Shampine, Appl. Math. Lett. 2(4):321-325 (1989)",
};

/** The classical Runge-Kutta method: four stages, order 4. */
export const rungeKutta4: Tableau = {
  order: 4,
  nodes: [0, 1 / 2, 1 / 2, 1],
  stages: [[], [1 / 2], [0, 1 / 2], [0, 0, 1]],
  weights: [1 / 6, 1 / 3, 1 / 3, 1 / 6],
  citation: "W. Kutta, Z. Math. Phys. 46:435-453 (1901)",
};

/** The Dormand-Prince pair 5(4), SciPy's RK45: six stages and the slope at the end. */
export const dormandPrince: Tableau = {
  order: 5,
  nodes: [0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1],
  stages: [
    [],
    [1 / 5],
    [3 / 40, 9 / 40],
    [44 / 45, -56 / 15, 32 / 9],
    [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729],
    [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656],
  ],
  weights: [35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84],
  error: {
    order: 4,
    weights: [-71 / 57600, 0, 71 / 16695, -71 / 1920, 17253 / 339200, -22 / 525, 1 / 40],
  },
  citation: "J. R. Dormand, P. J. Prince, J. Comput. Appl. Math. 6(1):19-26 (1980)",
};

const dop853Weights = [
  0.054293734116568765,
  0,
  0,
  0,
  0,
  4.450312892752409,
  1.8915178993145003,
  -5.801203960010585,
  0.3111643669578199,
  -0.1521609496625161,
  0.20136540080403034,
  0.04471061572777259,
];

/** Weights of the third-order solution that DOP853's cruder estimate is measured against. */
const dop853ThirdOrder = [
  0.2440944881889764,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0.7338466882816118,
  0,
  0,
  0.022058823529411766,
];

/**
 * Dormand & Prince's method of order 8 with Hairer's error estimate of orders 5 and 3, the DOP853
 * of Fortran and of SciPy: twelve stages and the slope at the end.
 */
export const dop853: Tableau = {
  order: 8,
  nodes: [
    0,
    0.05260015195876773,
    0.0789002279381516,
    0.1183503419072274,
    0.2816496580927726,
    1 / 3,
    1 / 4,
    4 / 13,
    0.6512820512820513,
    3 / 5,
    6 / 7,
    1,
  ],
  // deno-fmt-ignore
  stages: [
    [],
    [0.05260015195876773],
    [0.0197250569845379, 0.0591751709536137],
    [0.02958758547680685, 0, 0.08876275643042054],
    [0.2413651341592667, 0, -0.8845494793282861, 0.924834003261792],
    [0.037037037037037035, 0, 0, 0.17082860872947386, 0.12546768756682242],
    [0.037109375, 0, 0, 0.17025221101954405, 0.06021653898045596, -0.017578125],
    [0.03709200011850479, 0, 0, 0.17038392571223998, 0.10726203044637328, -0.015319437748624402,
      0.008273789163814023],
    [0.6241109587160757, 0, 0, -3.3608926294469414, -0.868219346841726, 27.59209969944671,
      20.154067550477894, -43.48988418106996],
    [0.47766253643826434, 0, 0, -2.4881146199716677, -0.590290826836843, 21.230051448181193,
      15.279233632882423, -33.28821096898486, -0.020331201708508627],
    [-0.9371424300859873, 0, 0, 5.186372428844064, 1.0914373489967295, -8.149787010746927,
      -18.52006565999696, 22.739487099350505, 2.4936055526796523, -3.0467644718982196],
    [2.273310147516538, 0, 0, -10.53449546673725, -2.0008720582248625, -17.9589318631188,
      27.94888452941996, -2.8589982771350235, -8.87285693353063, 12.360567175794303,
      0.6433927460157636],
  ],
  weights: dop853Weights,
  error: {
    order: 7,
    // deno-fmt-ignore
    weights: [0.01312004499419488, 0, 0, 0, 0, -1.2251564463762044, -0.4957589496572502,
      1.6643771824549864, -0.35032884874997366, 0.3341791187130175, 0.08192320648511571,
      -0.022355307863886294, 0],
    crudeWeights: [...dop853Weights.map((weight, i) => weight - dop853ThirdOrder[i]), 0],
  },
  citation: "E. Hairer, S. P. Nørsett, G. Wanner, Solving Ordinary Differential Equations I, " +
    "section II.10 (1993); coefficients from the Fortran code dop853.f",
};
