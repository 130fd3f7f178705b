import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { toyDistributions } from "../../../core/data/toy.ts";
import { VapoError } from "../../../core/errors.ts";
import { odeMethodNames } from "../../../core/flow/ode/methods.ts";
import { solveOde } from "../../../core/flow/ode/solve_ode.ts";
import { drawSamples, priorSamples, solverNames } from "../../../core/flow/sampler.ts";
import { isSdeMethod, sdeMethodNames } from "../../../core/flow/sde.ts";
import { mixtureVelocity } from "../../../core/homotopy/gaussian_mixture.ts";
import { gaussianPath } from "../../../core/homotopy/gaussian_path.ts";
import { fractionWithinModes } from "../../../core/metrics/modes.ts";
import { planFrames, sampleOptions } from "../../../web/laboratory/engine_flows.ts";
import type { FlowRequest, SolvedFlow } from "../../../web/laboratory/engine_types.ts";
import { exportedPotential, tinySettings, trainTo, withEngine } from "./tiny_engine.ts";

const learned = { kind: "learned" } as const, exact = { kind: "exact" } as const;
const usual = { n: 20, seed: 3, steps: 12, tolerance: 1e-3, until: null, frames: 5 } as const;

/** The last frame. */
function endOf({ positions, times }: { positions: Float32Array; times: Float32Array }) {
  return positions.subarray(-positions.length / times.length);
}

Deno.test("by every solver a flow ends where drawSamples does, and costs what it says", () =>
  withEngine(async (engine, told) => {
    await engine.open(tinySettings);
    // Parameters are written anew between the flows, not compiled in.
    for (const step of [5, 30]) {
      await trainTo(engine, told, step);
      const { potential, parameters, path } = await exportedPotential(engine);
      for (const solver of solverNames) {
        const request = { ...usual, solver, subject: learned };
        const flow = await engine.flow(request);
        const options = { ...sampleOptions(request), until: null };
        const drawn = await drawSamples(potential, parameters, path, options);
        assertEquals(
          [flow.step, flow.n, flow.evaluations, flow.hessianProducts],
          [step, 20, drawn.nfev, drawn.hessianProducts],
          solver,
        );
        assertEquals(endOf(flow), drawn.samples, solver);
        const start = await priorSamples(potential, path, { n: 20, seed: 3 });
        assertEquals(flow.positions.subarray(0, 40), start);
        assertEquals(flow.times, Float32Array.from([0, 1, 2, 3, 4], (i) => path.uMax * i / 4));
      }
    }
  }));

Deno.test("frames of an adaptive solver are drawSamples's, refined ends are its samples", () =>
  withEngine(async (engine, told) => {
    await engine.open(tinySettings);
    await trainTo(engine, told, 5);
    const { potential, parameters, path } = await exportedPotential(engine);
    const request = { ...usual, solver: "rk45", until: 0.7, refineSteps: 3 } as const;
    const flow = await engine.flow({ ...request, subject: learned });
    const drawn = await drawSamples(potential, parameters, path, {
      ...sampleOptions(request),
      ...{ until: 0.7, refineSteps: 3, frames: 5 },
    });
    assertEquals(flow.evaluations, drawn.nfev);
    assertEquals(flow.positions.subarray(0, 4 * 40), drawn.trajectory!.subarray(0, 4 * 40));
    assertEquals(endOf(flow), drawn.samples);
  }));

Deno.test("frames between fixed steps lie on straight lines, and take no step of their own", () => {
  const plan = planFrames({ n: 1, frames: 5, solver: "euler", steps: 2 }, 1);
  assertEquals(plan.drawn, [0, 0.5, 1]);
  const { times, positions } = plan.finish(
    Float32Array.of(0, 0, 1, -2, 5, 2),
    Float32Array.of(5, 2.5),
  );
  assertEquals(times, Float32Array.of(0, 0.25, 0.5, 0.75, 1));
  assertEquals(positions, Float32Array.of(0, 0, 0.5, -1, 1, -2, 3, 0, 5, 2.5));
  // Of 12 steps 4 intervals are the fewest that hold 4 frames' and end on steps.
  assertEquals(planFrames({ n: 1, frames: 5, solver: "heun", steps: 12 }, 1).drawn.length, 5);
  assertEquals(planFrames({ n: 1, frames: 6, solver: "heun", steps: 12 }, 1).drawn.length, 7);
  assertEquals(planFrames({ n: 1, frames: 6, solver: "heun", steps: 13 }, 1).drawn.length, 14);
  assertEquals(
    planFrames({ n: 1, frames: 1, solver: "rk45", steps: 1 }, 0.5).finish(
      Float32Array.of(1, 1, 2, 2),
      Float32Array.of(2, 2),
    ).times,
    Float32Array.of(0.5),
  );
});

Deno.test("the exact flow ends where solve_ode does with the closed form", () =>
  withEngine(async (engine) => {
    await engine.open(tinySettings);
    const mixture = toyDistributions["8gaussians"].mixture!, path = gaussianPath();
    const start = await priorSamples({ sampleShape: [2] }, path, { n: 20, seed: 3 });
    const f = (u: number, x: Float64Array) =>
      mixtureVelocity(mixture, x, path.at(u)) as Float64Array<ArrayBuffer>;
    const { y } = await solveOde(f, [0, path.uMax], Float64Array.from(start), {
      ...{ method: "dop853", rtol: 1e-12, atol: 1e-12 },
    });
    for (const solver of odeMethodNames) {
      const request = { ...usual, solver, steps: 200, tolerance: 1e-6 };
      const flow = await engine.flow({ ...request, subject: exact });
      const tolerance = { "euler": 0.2, "backward-euler": 0.2 }[solver as string] ?? 2e-3;
      endOf(flow).forEach((value, i) => assertAlmostEquals(value, y[i], tolerance, solver));
      assertEquals(flow.positions.subarray(0, 40), start);
      assert(
        flow.evaluations > 0 && flow.hessianProducts > 0 === (solver === "radau" ||
              solver === "backward-euler"),
      );
    }
  }));

Deno.test("stochastic solvers carry particles of the exact flow to the data", () =>
  withEngine(async (engine) => {
    await engine.open(tinySettings);
    const { mixture } = toyDistributions["8gaussians"];
    for (const solver of sdeMethodNames) {
      const request = { ...usual, n: 200, steps: 60, solver, refineSteps: 2 };
      const flow = await engine.flow({ ...request, subject: exact });
      assertEquals(flow.evaluations, 60 * (solver === "euler-maruyama" ? 1 : 2) + 2);
      assert(fractionWithinModes(endOf(flow), mixture!) > 0.9);
    }
  }));

Deno.test("flows that cannot be are refused with a reason", () =>
  withEngine(async (engine) => {
    await engine.open(tinySettings);
    for (
      const [wrong, message] of [
        [{ until: 1.5 }, "known up to 0.99"],
        [{ until: 1.5, subject: exact }, "expected a time in (0, 1]"],
        [{ n: 0 }, "n is 0"],
        [{ n: 2 ** 18 }, "particles"],
        [{ frames: 0 }, "frames is 0"],
        [{ solver: "heun", steps: 0 }, "steps is 0"],
        [{ solver: "heun", steps: 100_000 }, "more evaluations"],
        [{ tolerance: -1 }, "expected a number from 0"],
        [{ solver: "rk46" as "rk45" }, "expected one of euler, "],
      ] as const
    ) {
      const request = { ...usual, solver: "rk45", subject: learned, ...wrong } as const;
      await assertRejects(() => engine.flow(request), VapoError, message);
    }
  }));

Deno.test("compared with a tight solution, errors shrink with the tolerance", () =>
  withEngine(async (engine, told) => {
    await engine.open(tinySettings);
    await trainTo(engine, told, 20);
    const tolerances = [1e-1, 1e-3, 1e-5];
    for (const subject of [learned, exact]) {
      const { flows, reference } = await engine.compareSolvers({
        ...usual,
        subject,
        solvers: [
          ...tolerances.map((tolerance) => ({ solver: "rk45", steps: 1, tolerance } as const)),
          { solver: "euler-maruyama", steps: 20, tolerance: 1 },
          { solver: "heun", steps: 100_000, tolerance: 1 },
        ],
      });
      const solved = flows.slice(0, 4) as SolvedFlow[];
      const errors = solved.map(({ error }) => error!);
      assert(errors[0] > errors[1] && errors[1] > errors[2] && errors[0] > 10 * errors[2]);
      assert(errors[2] < 1e-3);
      solved.slice(0, 3).forEach(({ error, largestError }) => {
        assert(largestError! >= error! && largestError! <= error! * Math.sqrt(20) * 1.001);
      });
      assertEquals([solved[3].error, solved[3].largestError], [null, null]);
      assert("failure" in flows[4] && flows[4].failure.includes("more"));
      assert(reference.solver === "dop853" && reference.evaluations > solved[2].evaluations);
      // The same particles at the start, and as flow() carries them.
      for (const { positions } of solved) {
        assertEquals(positions.subarray(0, 40), solved[0].positions.subarray(0, 40));
      }
      const alone = await engine.flow({ ...usual, subject, solver: "rk45", tolerance: 1e-3 });
      assertEquals(alone.positions, solved[1].positions);
      assertEquals(alone.evaluations, solved[1].evaluations);
    }
  }));

Deno.test("an error is the root mean square distance of the ends", () =>
  withEngine(async (engine, told) => {
    await engine.open(tinySettings);
    await trainTo(engine, told, 10);
    const { potential, parameters, path } = await exportedPotential(engine);
    const request = { ...usual, n: 7, solver: "euler", steps: 6 } as const;
    const { flows } = await engine.compareSolvers({
      ...{ subject: learned, n: 7, seed: 3, until: null, frames: 2 },
      solvers: [request],
    });
    const [{ error, largestError }] = flows as SolvedFlow[];
    const draw = (options: Partial<FlowRequest>) =>
      drawSamples(potential, parameters, path, {
        ...sampleOptions({ ...request, ...options }),
        ...{ until: null },
      });
    const { samples } = await draw({});
    const tight = (await draw({ solver: "dop853", tolerance: 1e-8 })).samples;
    const distances = Array.from(
      { length: 7 },
      (_, i) => Math.hypot(samples[2 * i] - tight[2 * i], samples[2 * i + 1] - tight[2 * i + 1]),
    );
    const square = distances.reduce((sum, distance) => sum + distance ** 2, 0) / 7;
    assertAlmostEquals(error!, Math.sqrt(square), 1e-4);
    assertAlmostEquals(largestError!, Math.max(...distances), 1e-4);
  }));

Deno.test("a comparison is the same when it is asked for again", () =>
  withEngine(async (engine) => {
    await engine.open(tinySettings);
    const compare = (steps: number) =>
      engine.compareSolvers({
        ...{ subject: learned, n: 10, seed: 1, until: 0.5, frames: 3 },
        solvers: [
          { solver: "heun", steps, tolerance: 1e-3 },
          { solver: "rk45", steps: 1, tolerance: 1e-3 },
        ],
      });
    const first = await compare(4), again = await compare(4), other = await compare(5);
    assertEquals(again, first);
    assertEquals(other.flows[1], first.flows[1]);
    assert((other.flows[0] as SolvedFlow).evaluations === 10);
    assert(!isSdeMethod("heun"));
  }));
