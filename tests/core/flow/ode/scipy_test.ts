import { assert, assertEquals } from "@std/assert";
import { type OdeMethodName, solveOde } from "../../../../core/flow/ode/mod.ts";
import { scipyProblems } from "./problems.ts";

/** One call of `scipy.integrate.solve_ivp`. */
interface Fixture {
  readonly problem: string;
  readonly method: string;
  readonly rtol: number;
  readonly atol: number;
  readonly span: [number, number];
  readonly y0: number[];
  readonly nfev: number;
  readonly accepted: number;
  readonly t: number[];
  readonly yEnd: number[];
}

const fixtures: Fixture[] = JSON.parse(
  await Deno.readTextFile(new URL("../../../fixtures/solve_ivp.json", import.meta.url)),
);

const methods: Readonly<Record<string, OdeMethodName>> = {
  RK45: "rk45",
  RK23: "bogacki-shampine",
  DOP853: "dop853",
  Radau: "radau",
};

/**
 * An error estimate is a difference of nearly equal numbers, and where the error is far below the
 * tolerance, mostly their rounding. There SciPy's own steps move by as much as this when the stages
 * are summed in another order, while everywhere else they agree to 1e-9.
 */
const roundingOfSteps: Readonly<Record<string, number>> = {
  "decay rk45 0.000001": 1e-7,
  "decay dop853 0.001": 1e-6,
  "decay dop853 0.000001": 1e-5,
  "van_der_pol_mu5 dop853 0.001": 1e-4,
  "van_der_pol_mu5 dop853 0.000001": 1e-7,
};

function relative(actual: number, expected: number): number {
  return actual === expected ? 0 : Math.abs(actual - expected) / Math.abs(expected);
}

function solve({ problem, method, rtol, atol, span, y0 }: Fixture) {
  return solveOde(scipyProblems[problem], span, Float64Array.from(y0), {
    method: methods[method],
    rtol,
    atol,
  });
}

for (const fixture of fixtures.filter(({ method }) => method !== "Radau")) {
  const name = `${fixture.problem} ${methods[fixture.method]} ${fixture.rtol}`;
  Deno.test(`${name}: the steps and the evaluations of SciPy`, async () => {
    const { t, y, nfev, accepted } = await solve(fixture);
    assertEquals({ nfev, accepted }, { nfev: fixture.nfev, accepted: fixture.accepted });
    const tolerance = roundingOfSteps[name] ?? 1e-9;
    t.forEach((time, i) => assert(relative(time, fixture.t[i]) <= tolerance, `t[${i}] = ${time}`));
    const endTolerance = Math.max(1e-9, tolerance / 100);
    y.forEach((value, i) =>
      assert(relative(value, fixture.yEnd[i]) <= endTolerance, `y[${i}] = ${value}`)
    );
  });
}

/** Solutions to all digits that matter here; SciPy's at tolerances far below the fixtures'. */
const references: Readonly<Record<string, number[]>> = {
  decay: [Math.exp(-5)],
  harmonic: [Math.cos(10), -Math.sin(10)],
  lotka_volterra: [7.407651785150431, 0.06008921631404371],
  van_der_pol_mu5: [1.956682520022729, -0.13718816774125114],
  robertson: [0.7158270687194148, 9.185534764558218e-6, 0.28416374574582],
};

for (const fixture of fixtures.filter(({ method }) => method === "Radau")) {
  const { problem, rtol, atol } = fixture;
  Deno.test(`${problem} radau ${rtol}: as accurate as SciPy's, at about its price`, async () => {
    const { y, nfev, accepted, jacobianProducts } = await solve(fixture);
    const reference = references[problem];
    const error = (values: ArrayLike<number>) =>
      Math.max(...reference.map((r, i) => Math.abs(values[i] - r) / (atol + rtol * Math.abs(r))));
    assert(
      error(y) < Math.max(0.05, 2 * error(fixture.yEnd)),
      `error ${error(y)} of the tolerance`,
    );
    assert(relative(accepted, fixture.accepted) < 0.2, `${accepted} steps`);
    // SciPy does not count the evaluations that make its Jacobians.
    assert(nfev - jacobianProducts < 1.1 * fixture.nfev, `${nfev} evaluations`);
  });
}
