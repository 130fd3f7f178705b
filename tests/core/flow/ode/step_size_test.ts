import { assertAlmostEquals, assertEquals } from "@std/assert";
import * as fc from "fast-check";
import {
  elementaryController,
  firstStep,
  predictiveController,
  smallestStep,
} from "../../../../core/flow/ode/step_size.ts";
import { odeProblem } from "../../../../core/flow/ode/stepper.ts";
import { float64Space, vectorScope } from "../../../../core/flow/vector_space.ts";

const newton = { iterations: 2, limit: 6 };

Deno.test("the elementary controller grows, shrinks and holds steps as SciPy does", () => {
  const judge = elementaryController(4);
  const factor = (errorNorm: number, retry = false) => judge({ h: 1, errorNorm, retry }).factor;
  assertEquals(judge({ h: 1, errorNorm: 0.999, retry: false }).accepted, true);
  assertEquals(judge({ h: 1, errorNorm: 1, retry: false }).accepted, false);
  assertAlmostEquals(factor(2 ** -5), 1.8, 1e-14);
  assertAlmostEquals(factor(2 ** 5), 0.45, 1e-14);
  assertEquals([factor(0), factor(1e-9), factor(1e9)], [10, 10, 0.2]);
  assertEquals(factor(1e-9, true), 1);
  assertEquals(judge({ h: 1, errorNorm: NaN, retry: false }), { accepted: false, factor: 0.2 });
});

Deno.test("the predictive controller follows the trend of the error, downwards only", () => {
  const judge = predictiveController();
  const caution = 0.9 * 13 / 14;
  const step = (h: number, errorNorm: number) => judge({ h, errorNorm, retry: false, newton });
  assertEquals(step(1, 1 / 16).factor, 2 * caution);
  // The same error at the same step: no trend.
  assertAlmostEquals(step(1, 1 / 16).factor, 2 * caution, 1e-14);
  // 16 times the error at the same step: it is expected to double h^4 once more.
  assertAlmostEquals(step(1, 1).factor, caution / 2, 1e-14);
  assertAlmostEquals(step(1, 1 / 16).factor, 2 * caution, 1e-14);
  assertEquals(step(1, 1.01).accepted, false);
  assertEquals(step(1, 1e9).factor, 0.2);
  assertEquals(step(1, NaN), { accepted: false, factor: 0.2 });
});

Deno.test("an error of nothing does not make the predictive controller shrink the next step", () => {
  const judge = predictiveController();
  assertEquals(judge({ h: 1, errorNorm: 0, retry: false, newton }).factor, 10);
  const { factor } = judge({ h: 1, errorNorm: 1e-2, retry: false, newton });
  assertAlmostEquals(factor, 0.9 * 13 / 14 * 1e-2 ** (-1 / 4), 1e-12);
});

Deno.test("the smallest step is ten spacings of the numbers at t", () => {
  assertEquals(smallestStep(1, 1), 10 * 2 ** -52);
  // Below 1 the numbers lie twice as dense.
  assertEquals(smallestStep(1, -1), 10 * 2 ** -53);
  assertEquals(smallestStep(-1, -1), 10 * 2 ** -52);
  assertEquals(smallestStep(0, 1), 10 * Number.MIN_VALUE);
  fc.assert(
    fc.property(fc.double({ min: -1e6, max: 1e6, noNaN: true }), (t) => {
      for (const direction of [1, -1]) {
        const spacing = smallestStep(t, direction) / 10;
        return t + direction * spacing !== t && t + direction * spacing * 0.4 === t;
      }
    }),
    { seed: 3 },
  );
});

Deno.test("the first step is that of SciPy's select_initial_step", async () => {
  const space = vectorScope(float64Space);
  // dy/dt = −y from 1: |y| = |f| = 1 in units of the scale, and |f'| too.
  const problem = odeProblem<Float64Array>((_t, y) => y.map((value) => -value), space);
  const options = { order: 4, rtol: 1e-3, atol: 1e-6, direction: 1, span: 10 };
  const start = { t: 0, y: Float64Array.of(1) };
  const scaled = 1 / (1e-6 + 1e-3);
  const h = await firstStep(problem, start, { ...options, longest: 10 });
  assertAlmostEquals(h, (0.01 / scaled) ** (1 / 5), 1e-12);
  assertEquals(problem.evaluations(), 2);
  assertEquals(await firstStep(problem, start, { ...options, longest: 0.01 }), 0.01);
  const still = odeProblem<Float64Array>((_t, y) => y.map(() => 0), space);
  assertEquals(await firstStep(still, { t: 0, y: start.y }, { ...options, longest: 10 }), 1e-6);
});
