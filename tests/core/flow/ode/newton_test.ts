import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { newtonIteration, newtonTolerance } from "../../../../core/flow/ode/newton.ts";

/** Newton's iteration for cos x = x with a slope kept from elsewhere. */
function cosine(slope: number) {
  const state = { x: 0.5, discarded: 0 };
  const correct = () => {
    const correction = (Math.cos(state.x) - state.x) / slope;
    return Promise.resolve({
      norm: Math.abs(correction),
      apply: () => void (state.x += correction),
      discard: () => void state.discarded++,
    });
  };
  return { state, correct };
}

/** The fixed point of the cosine. */
const fixedPoint = 0.7390851332151607;

Deno.test("the iteration ends with an error about as small as was asked for", async () => {
  const { state, correct } = cosine(1 + Math.sin(0.5));
  const outcome = await newtonIteration(correct, { tolerance: 1e-6, limit: 20 });
  assert(outcome.converged && outcome.iterations < 20);
  assertAlmostEquals(state.x, fixedPoint, 1e-6);
});

Deno.test("a slope that is far off makes it slow, and then hopeless", async () => {
  const slow = await newtonIteration(cosine(2.2).correct, { tolerance: 1e-3, limit: 20 });
  assertEquals([slow.converged, slow.slow], [true, true]);
  const { state, correct } = cosine(2.2);
  const hopeless = await newtonIteration(correct, { tolerance: 1e-12, limit: 5 });
  assert(!hopeless.converged && hopeless.iterations < 5);
  assertEquals(state.discarded, 1);
});

Deno.test("with a Jacobian at every iterate a slow beginning is no reason to give up", async () => {
  // Newton's iteration for x² = 2 from far away halves x many times before it converges fast.
  const from = (x: number, renewing: boolean) =>
    newtonIteration(
      () => {
        const correction = (2 - x * x) / (2 * x);
        const apply = () => void (x += correction);
        return Promise.resolve({ norm: Math.abs(correction), apply, discard() {} });
      },
      { tolerance: 1e-9, limit: 30, renewing },
    );
  assertEquals((await from(1e5, true)).converged, true);
  assertEquals((await from(1e5, false)).converged, false);
});

Deno.test("divergence is noticed at the second correction", async () => {
  const outcome = await newtonIteration(cosine(0.3).correct, { tolerance: 1e-3, limit: 50 });
  assertEquals([outcome.converged, outcome.iterations], [false, 2]);
});

Deno.test("nothing to correct is convergence at once, and slow is never said of two", async () => {
  const nothing = { norm: 0, apply() {}, discard() {} };
  assertEquals(
    await newtonIteration(() => Promise.resolve(nothing), { tolerance: 1e-9, limit: 3 }),
    { converged: true, iterations: 1, slow: false },
  );
  const norms = [1, 0.1];
  const outcome = await newtonIteration(
    () => Promise.resolve({ norm: norms.shift()!, apply() {}, discard() {} }),
    { tolerance: 0.02, limit: 3 },
  );
  assertEquals(outcome, { converged: true, iterations: 2, slow: false });
});

Deno.test("a correction that is not finite ends the iteration", async () => {
  const nan = { norm: NaN, apply() {}, discard() {} };
  const results = [{ ...nan, norm: 1 }, nan];
  const options = { tolerance: 1, limit: 9 };
  const outcome = await newtonIteration(() => Promise.resolve(results.shift()), options);
  assertEquals([outcome.converged, outcome.iterations], [false, 2]);
  const missing = await newtonIteration(() => Promise.resolve(undefined), options);
  assertEquals([missing.converged, missing.iterations], [false, 1]);
});

Deno.test("the tolerance of the iteration is SciPy's", () => {
  assertEquals(newtonTolerance(1e-3, 2 ** -52), 0.03);
  assertEquals(newtonTolerance(1e-6, 2 ** -52), 1e-3);
  assertAlmostEquals(newtonTolerance(1e-13, 2 ** -52), 0.0222, 1e-4);
});
