import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { NonFiniteError, VapoError } from "../../../../core/errors.ts";
import {
  type OdeMethodName,
  odeMethodNames,
  odeMethods,
  type OdeOptions,
  solveOde,
} from "../../../../core/flow/ode/mod.ts";
import {
  type ClosedForm,
  distance,
  growingThenShrinking,
  harmonic,
  kepler,
  limitCycle,
} from "./problems.ts";

const decay = (_t: number, y: Float64Array) => y.map((value) => -value);
const one = Float64Array.of(1);

/** A method with options that make it precise enough for most tests. */
function precise(method: OdeMethodName): OdeOptions<Float64Array> {
  return odeMethods[method].adaptive ? { method, rtol: 1e-8, atol: 1e-10 } : { method, steps: 200 };
}

async function errorAt(
  { f, exact }: ClosedForm,
  end: number,
  options: OdeOptions<Float64Array>,
): Promise<number> {
  const { y } = await solveOde(f, [0, end], Float64Array.from(exact(0)), options);
  return distance(y, exact(end));
}

/**
 * A problem, and a number of steps at which the error is that of the method's order: neither so few
 * that higher orders show, nor so many that rounding does.
 */
const orderTests: Readonly<Record<OdeMethodName, [ClosedForm, number, number]>> = {
  "euler": [limitCycle, 6, 2000],
  "midpoint": [limitCycle, 6, 500],
  "heun": [limitCycle, 6, 500],
  "bogacki-shampine": [limitCycle, 6, 250],
  "rk4": [limitCycle, 6, 250],
  // On the limit cycle its leading error is so small that it looks like order 6.
  "rk45": [kepler, 2 * Math.PI, 256],
  "dop853": [limitCycle, 6, 32],
  "backward-euler": [limitCycle, 6, 2000],
  "radau": [limitCycle, 6, 64],
};

for (const method of odeMethodNames) {
  const { order, implicit, adaptive } = odeMethods[method];

  Deno.test(`${method}: halving fixed steps divides the error by 2^${order}`, async () => {
    const [problem, end, steps] = orderTests[method];
    const newton = { rtol: 1e-13, atol: 1e-13 };
    const coarse = await errorAt(problem, end, { method, steps, ...newton });
    const fine = await errorAt(problem, end, { method, steps: 2 * steps, ...newton });
    assertAlmostEquals(Math.log2(coarse / fine), order, 0.1);
  });

  Deno.test(`${method}: backwards is forwards undone`, async () => {
    const start = limitCycle.exact(0);
    const options = precise(method);
    const there = await solveOde(limitCycle.f, [0, 2], Float64Array.from(start), options);
    const back = await solveOde(limitCycle.f, [2, 0], there.y, options);
    assertEquals([back.t[0], back.t.at(-1)], [2, 0]);
    assert(back.t.every((t, i) => i === 0 || t < back.t[i - 1]));
    // A method of order 1 with 200 steps errs by about 1 %, and twice as much on both ways.
    assert(distance(back.y, start) < (order === 1 ? 0.1 : order === 2 ? 1e-3 : 1e-6));
  });

  Deno.test(`${method}: time is where the derivative is told it is`, async () => {
    const error = await errorAt(growingThenShrinking, 3, precise(method));
    assert(error < (order === 1 ? 0.05 : order === 2 ? 1e-3 : 1e-6), `${error}`);
  });

  Deno.test(`${method}: states in between are as good as the interpolation`, async () => {
    const { f, exact } = harmonic;
    const y0 = Float64Array.from(exact(0));
    const options = precise(method);
    const plain = await solveOde(f, [0, 4], y0, options);
    const saveAt = [0, 0.3, 1, 1 + 1e-9, 2.71, 4];
    const { trajectory, ...kept } = await solveOde(f, [0, 4], y0, { ...options, saveAt });
    assertEquals(trajectory.map(({ t }) => t), saveAt);
    if (adaptive) {
      assertEquals({ ...kept }, (({ trajectory: _, ...rest }) => rest)(plain));
    } else {
      assertEquals(saveAt.every((t) => kept.t.includes(t)), true);
    }
    // Across the long steps of DOP853 a cubic is poor.
    const tolerance = order === 1 ? 0.05 : order === 2 ? 1e-3 : method === "dop853" ? 2e-3 : 1e-4;
    for (const { t, y } of trajectory) assert(distance(y, exact(t)) < tolerance, `at ${t}`);
    assertEquals(trajectory.at(-1)!.y, kept.y);
  });

  Deno.test(`${method}: fixed steps cost what its stages cost`, async () => {
    const { nfev, accepted, rejected, t, jacobianProducts } = await solveOde(
      limitCycle.f,
      [0, 1],
      Float64Array.of(0.5, 0),
      { method, steps: 10 },
    );
    assertEquals([accepted, rejected, t.length], [10, 0, 11]);
    t.forEach((time, i) => assertAlmostEquals(time, i / 10, 1e-15));
    const stages = { "bogacki-shampine": 3, "rk45": 6, "dop853": 12 } as Record<string, number>;
    if (!implicit) assertEquals([nfev, jacobianProducts], [10 * (stages[method] ?? order), 0]);
    else assert(jacobianProducts > 0 && nfev > jacobianProducts);
  });

  Deno.test(`${method}: a span of no length is no work`, async () => {
    const solution = await solveOde(decay, [2, 2], one, { ...precise(method), saveAt: [2] });
    assertEquals(solution, {
      t: [2],
      y: one,
      trajectory: [{ t: 2, y: one }],
      nfev: 0,
      accepted: 0,
      rejected: 0,
      jacobianProducts: 0,
    });
    assert(solution.y !== one && solution.trajectory[0].y !== one);
  });
}

Deno.test("a growing tolerance makes a growing error, within about its size", async () => {
  for (const method of odeMethodNames.filter((name) => odeMethods[name].adaptive)) {
    let last = 0;
    for (const rtol of [1e-10, 1e-8, 1e-6, 1e-4]) {
      const error = await errorAt(limitCycle, 6, { method, rtol, atol: rtol });
      assert(error > last && error < 50 * rtol, `${method} ${rtol}: ${error}`);
      last = error;
    }
  }
});

Deno.test("the energy of the harmonic oscillator is kept by a precise method", async () => {
  const { y } = await solveOde(harmonic.f, [0, 20 * Math.PI], Float64Array.of(1, 0), {
    method: "dop853",
    rtol: 1e-12,
    atol: 1e-12,
  });
  assertAlmostEquals(y[0] ** 2 + y[1] ** 2, 1, 1e-10);
  assertAlmostEquals(y[0], 1, 1e-10);
});

Deno.test("frames are equally spaced, both ends included", async () => {
  const { trajectory } = await solveOde(decay, [1, 0], one, { frames: 5 });
  assertEquals(trajectory.map(({ t }) => t), [1, 0.75, 0.5, 0.25, 0]);
  const fixed = await solveOde(decay, [0, 0.3], one, { method: "rk4", steps: 30, frames: 4 });
  // Every frame lies on a step, though 0.1·k and 0.3·k/30 differ by rounding.
  assertEquals([fixed.accepted, fixed.trajectory.length], [30, 4]);
});

Deno.test("the longest and the first step are heeded", async () => {
  const steps = async (options: OdeOptions<Float64Array>) => {
    const { t } = await solveOde(decay, [0, 5], one, options);
    return t.slice(1).map((time, i) => time - t[i]);
  };
  for (const method of ["rk45", "radau"] as const) {
    assert(Math.max(...await steps({ method, maxStep: 0.1 })) < 0.1 + 1e-12);
    assertAlmostEquals((await steps({ method, firstStep: 0.03 }))[0], 0.03, 1e-15);
  }
});

Deno.test("a tolerance below what numbers can hold counts as 100 times their precision", async () => {
  const solve = (rtol: number) => solveOde(harmonic.f, [0, 1], Float64Array.of(1, 0), { rtol });
  assertEquals(await solve(0), await solve(100 * 2 ** -52));
  assertEquals((await solve(1e-20)).t, (await solve(0)).t);
});

Deno.test("the initial state stays as it was, and a derivative may hand back the state", async () => {
  const y0 = Float64Array.of(1, 2);
  for (const method of odeMethodNames) {
    const { y } = await solveOde((_t, y: Float64Array) => y, [0, 1], y0, precise(method));
    assertEquals(y0, Float64Array.of(1, 2));
    assertAlmostEquals(y[1], 2 * Math.E, odeMethods[method].order === 1 ? 0.1 : 1e-3);
  }
});

Deno.test("a derivative that answers later gives the same solution", async () => {
  const options = { method: "rk45", frames: 3 } as const;
  const later = (t: number, y: Float64Array) =>
    new Promise<Float64Array>((resolve) => setTimeout(() => resolve(decay(t, y))));
  assertEquals(
    await solveOde(later, [0, 1], one, options),
    await solveOde(decay, [0, 1], one, options),
  );
});

Deno.test("each step is reported, and waited for", async () => {
  const seen: number[] = [];
  const { t } = await solveOde(decay, [0, 1], one, {
    onStep: async (time, y) => {
      await Promise.resolve();
      seen.push(time);
      assertAlmostEquals(y[0], Math.exp(-time), 1e-3);
    },
  });
  assertEquals(seen, t.slice(1));
});

Deno.test("a signal ends the integration, also of a derivative that never waits", async () => {
  for (const options of [{ rtol: 1e-12 }, { method: "euler", steps: 10 ** 6 }] as const) {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 30);
    const { signal } = controller;
    await assertRejects(
      () =>
        solveOde(harmonic.f, [0, 1e6], Float64Array.of(1, 0), {
          ...options,
          signal,
          maxSteps: 1e9,
        }),
      DOMException,
      "abort",
    );
  }
});

Deno.test("options that make no sense are refused with a line that names them", async () => {
  const refused: [Record<string, unknown>, string][] = [
    [{ method: "rk46" }, 'unknown ODE method "rk46"'],
    [{ method: "radua" }, 'did you mean "radau"?'],
    [{ method: "constructor" }, "unknown ODE method"],
    [{ method: "rk4" }, "rk4 takes fixed steps: give their number as steps"],
    [{ steps: 0 }, "steps = 0: expected a positive integer"],
    [{ steps: 2.5 }, "steps = 2.5: expected a positive integer"],
    [{ steps: NaN }, "steps = NaN: expected a positive integer"],
    [{ rtol: -1 }, "rtol = -1: expected a number from 0 on"],
    [{ atol: NaN }, "atol = NaN: expected a number from 0 on"],
    [{ maxStep: 0 }, "maxStep = 0: expected a positive number"],
    [{ firstStep: 2 }, "firstStep = 2: expected a positive number up to the length of the span, 1"],
    [{ maxSteps: 0 }, "maxSteps = 0"],
    [{ krylovDimension: -1 }, "krylovDimension = -1"],
    [{ frames: 1 }, "frames = 1: expected an integer from 2 on"],
    [{ frames: 3, saveAt: [0] }, "frames or saveAt, not both"],
    [{ saveAt: [0.5, 0.2] }, "saveAt = [0.5,0.2]: expected times from 0 to 1 in the order"],
    [{ saveAt: [0, 1.1] }, "saveAt = [0,1.1]"],
  ];
  for (const [options, message] of refused) {
    const error = await assertRejects(
      () => solveOde(decay, [0, 1], one, options),
      VapoError,
      message,
    );
    assertEquals(error.message.includes("\n"), false);
  }
  await assertRejects(
    () => solveOde(decay, [0, NaN], one),
    VapoError,
    "span = 0,NaN: expected two",
  );
  await assertRejects(() => solveOde((_t, y) => y, [0, 1], [1]), VapoError, "is Array: expected");
});

Deno.test("a derivative of another shape, or one that reuses its vector, is refused", async () => {
  const shape = () => solveOde(() => new Float64Array(2), [0, 1], one);
  await assertRejects(shape, VapoError, "the shape [2]: expected that of the state, [1]");
  const buffer = new Float64Array(1);
  await assertRejects(
    () => solveOde(() => buffer, [0, 1], one),
    VapoError,
    "the same vector twice",
  );
});

Deno.test("a solution that blows up ends in an error that says where", async () => {
  // y' = y², y(0) = 1 has the solution 1/(1 − t).
  const blowUp = (_t: number, y: Float64Array) => y.map((value) => value ** 2);
  for (const method of odeMethodNames) {
    const adaptive = odeMethods[method].adaptive;
    const options = adaptive ? { method } : { method, steps: 40 };
    const error = await assertRejects(
      () => solveOde(blowUp, [0, 2], one, options),
      NonFiniteError,
      `${method} at t = `,
    );
    const time = Number(/t = (\S+)/.exec(error.message)![1]);
    if (adaptive) assertAlmostEquals(time, 1, 1e-2);
    assertEquals(error.message.split("\n").length, 1);
  }
});

Deno.test("a derivative that is not a number is named as the cause", async () => {
  const until = (end: number) => (t: number, y: Float64Array) =>
    y.map((value) => t < end ? -value : NaN);
  for (const method of odeMethodNames.filter((name) => odeMethods[name].adaptive)) {
    await assertRejects(
      () => solveOde(until(0), [0, 1], one, { method }),
      NonFiniteError,
      `${method} at t = 0 after 0 steps: the derivative is not finite; end the span before that time`,
    );
    await assertRejects(
      () => solveOde(until(0.5), [0, 1], one, { method }),
      NonFiniteError,
      `${method} at t = 0.5`,
    );
  }
  const fixed = await assertRejects(
    () => solveOde(until(0.5), [0, 1], one, { method: "euler", steps: 10 }),
    NonFiniteError,
    "euler at t = 0.6 after 6 steps, the last of size 0.1: the state is not finite; take more steps",
  );
  assert(fixed instanceof VapoError);
});

Deno.test("too many steps are given up with a hint at stiffness", async () => {
  const stiff = (_t: number, y: Float64Array) => y.map((value) => -1e6 * value);
  await assertRejects(
    () => solveOde(stiff, [0, 1], one, { maxSteps: 500 }),
    VapoError,
    "raise maxSteps, rtol or atol, or choose radau if the problem is stiff",
  );
});
