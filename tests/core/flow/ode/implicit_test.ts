import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { NonFiniteError } from "../../../../core/errors.ts";
import { type OdeMethodName, solveOde } from "../../../../core/flow/ode/mod.ts";
import { distance, limitCycle, stiffCosine } from "./problems.ts";

/** Heat on a rod of n inner points, cold at both ends; its fastest mode decays at about 4(n + 1)². */
const heat = (n: number) => (_t: number, y: Float64Array) =>
  y.map((value, i) => (n + 1) ** 2 * ((y[i - 1] ?? 0) - 2 * value + (y[i + 1] ?? 0)));

/** The mode with k half waves, and its rate of decay. */
function heatMode(n: number, k: number) {
  const angle = Math.PI * k / (n + 1);
  return {
    shape: Float64Array.from({ length: n }, (_, i) => Math.sin(angle * (i + 1))),
    rate: (n + 1) ** 2 * (2 - 2 * Math.cos(angle)),
  };
}

Deno.test("backward Euler multiplies a mode of a linear problem by 1/(1 + h rate), exactly", async () => {
  for (const rate of [1, 1e3, 1e9]) {
    const { y } = await solveOde(
      (_t, y: Float64Array) => y.map((v) => -rate * v),
      [0, 1],
      Float64Array.of(1),
      {
        method: "backward-euler",
        steps: 4,
        rtol: 1e-10,
        atol: 1e-300,
      },
    );
    assertAlmostEquals(y[0] * (1 + rate / 4) ** 4, 1, 1e-6);
  }
});

Deno.test("Radau's stability function is the (2, 3) Padé approximation of the exponential", async () => {
  for (const z of [-0.5, -3, -1e4, 0.8]) {
    const { y } = await solveOde(
      (_t, y: Float64Array) => y.map((v) => z * v),
      [0, 1],
      Float64Array.of(1),
      {
        method: "radau",
        steps: 1,
        rtol: 1e-12,
        atol: 1e-14,
      },
    );
    const pade = (1 + 2 * z / 5 + z ** 2 / 20) /
      (1 - 3 * z / 5 + 3 * z ** 2 / 20 - z ** 3 / 60);
    assertAlmostEquals(y[0], pade, 1e-8 * Math.abs(pade) + 1e-10);
  }
});

Deno.test("a stiff problem takes steps as long as its solution allows", async () => {
  for (const rate of [1e2, 1e4, 1e6]) {
    const { f, exact } = stiffCosine(rate);
    const options = { method: "radau", rtol: 1e-5, atol: 1e-7 } as const;
    const { y, accepted } = await solveOde(f, [0, 10], Float64Array.of(1), options);
    assertAlmostEquals(y[0], exact(10)[0], 1e-5);
    assert(accepted < 80, `${accepted} steps at ${rate}`);
  }
});

Deno.test("heat is conducted in few steps with products far fewer than dimensions times steps", async () => {
  const n = 100;
  const [slow, fast] = [heatMode(n, 1), heatMode(n, n)];
  const y0 = slow.shape.map((value, i) => value + 0.1 * fast.shape[i]);
  const { y, accepted, nfev, jacobianProducts } = await solveOde(heat(n), [0, 0.1], y0, {
    method: "radau",
    rtol: 1e-6,
    atol: 1e-9,
  });
  const exact = slow.shape.map((value) => value * Math.exp(-slow.rate * 0.1));
  assert(distance(y, exact) < 1e-6);
  assert(accepted < 100 && jacobianProducts < nfev && nfev < 30 * accepted, `${accepted} ${nfev}`);
});

Deno.test("exact products of the Jacobian give what differences give, for fewer evaluations", async () => {
  for (const method of ["radau", "backward-euler"] as const) {
    const options = method === "radau" ? { method, rtol: 1e-6, atol: 1e-8 } : { method, steps: 50 };
    const jvp = (_t: number, [x, y]: Float64Array, [u, v]: Float64Array) =>
      Float64Array.of(
        (1 - 3 * x * x - y * y) * u - (1 + 2 * x * y) * v,
        (1 - 2 * x * y) * u + (1 - x * x - 3 * y * y) * v,
      );
    const y0 = Float64Array.of(0.5, 0);
    const byDifferences = await solveOde(limitCycle.f, [0, 3], y0, options);
    const exact = await solveOde(limitCycle.f, [0, 3], y0, { ...options, jvp });
    assert(distance(exact.y, byDifferences.y) < 1e-5);
    assert(exact.jacobianProducts > 0 && exact.nfev < byDifferences.nfev, method);
    // A Jacobian that is wrong slows Newton's iteration down, but does not change its limit.
    const wrong = await solveOde(limitCycle.f, [0, 3], y0, { ...options, jvp: (_t, _y, v) => v });
    assert(distance(wrong.y, byDifferences.y) < 1e-3 && wrong.nfev > exact.nfev);
  }
});

Deno.test("components that differ by orders of magnitude are all solved for", async () => {
  // Robertson's three concentrations differ by 1e5 while two of them obey fast reactions.
  const f = (_t: number, [a, b, c]: Float64Array) => {
    const [slow, fast, back] = [0.04 * a, 3e7 * b * b, 1e4 * b * c];
    return Float64Array.of(-slow + back, slow - back - fast, fast);
  };
  const reference = [0.7158270687194148, 9.185534764558218e-6, 0.28416374574582];
  for (const method of ["radau", "backward-euler"] as const) {
    const options = method === "radau"
      ? { rtol: 1e-6, atol: 1e-10 }
      : { steps: 400, rtol: 1e-6, atol: 1e-10 };
    const { y } = await solveOde(f, [0, 40], Float64Array.of(1, 0, 0), { method, ...options });
    const tolerance = method === "radau" ? 1e-6 : 1e-2;
    reference.forEach((r, i) => assertAlmostEquals(y[i] / r, 1, tolerance));
    // No reaction makes or takes mass.
    assertAlmostEquals(y[0] + y[1] + y[2], 1, 1e-7);
  }
});

Deno.test("a small Krylov space is restarted, for the same solution", async () => {
  const n = 60;
  const y0 = Float64Array.from({ length: n }, (_, i) => Math.sin(i) ** 2);
  const options = { method: "radau", rtol: 1e-5, atol: 1e-8 } as const;
  const large = await solveOde(heat(n), [0, 0.02], y0, { ...options, krylovDimension: 60 });
  const small = await solveOde(heat(n), [0, 0.02], y0, { ...options, krylovDimension: 8 });
  assert(distance(large.y, small.y) < 1e-5);
  assert(small.jacobianProducts > large.jacobianProducts);
});

Deno.test("a state that creeps by less than the tolerance in each step does not stand still", async () => {
  for (const method of ["radau", "backward-euler"] satisfies OdeMethodName[]) {
    const { y } = await solveOde(() => Float64Array.of(1e-6), [0, 1], Float64Array.of(1), {
      method,
      steps: 1000,
    });
    assertAlmostEquals(y[0] - 1, 1e-6, 1e-12);
  }
});

Deno.test("Newton's iteration renews its Jacobian before it gives up, and then says so", async () => {
  const f = (_t: number, y: Float64Array) => y.map((v) => -10 * (v ** 3 - v));
  const { y } = await solveOde(f, [0, 4], Float64Array.of(3), {
    method: "backward-euler",
    steps: 16,
  });
  assertAlmostEquals(y[0], 1, 1e-4);
  // y = y₀ + h y² has no real solution once 4 h y₀ > 1.
  const error = await assertRejects(
    () =>
      solveOde((_t, y: Float64Array) => y.map((v) => v * v), [0, 2], Float64Array.of(1), {
        method: "radau",
        steps: 2,
      }),
    NonFiniteError,
    "radau at t = 0 after 0 steps: Newton's iteration found no finite step of size 1; take more",
  );
  assertEquals(error.message.includes("\n"), false);
});
