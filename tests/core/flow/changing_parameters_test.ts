/** @file Samplers and likelihoods whose parameters change: as if opened anew with each. */
import { assertEquals, assertThrows } from "@std/assert";
import { VapoError } from "../../../core/errors.ts";
import { openLikelihood } from "../../../core/flow/likelihood.ts";
import { drawSamples, openSampler, solverNames } from "../../../core/flow/sampler.ts";
import { gaussianPath } from "../../../core/homotopy/gaussian_path.ts";
import type { Turns } from "../../../core/pauses.ts";
import { mlpPotential } from "../../../core/potential/mlp.ts";
import { openDevice, randomKey } from "../../../core/tensor/mod.ts";

const potential = mlpPotential({ dimension: 2, hidden: [8], timeExplicit: true });
const path = gaussianPath();
const usual = { n: 6, seed: 0, steps: 4, rtol: 1e-3, atol: 1e-3, until: null, refineSteps: 2 };

for (const device of ["wasm", "cpu"] as const) {
  Deno.test(`bound parameters are those that every solver moves along on ${device}`, async () => {
    await openDevice(device, { threads: 1 });
    const all = [1, 2, 3].map((seed) => potential.initialize(randomKey(seed)));
    const sampler = openSampler(potential, all[0], path, 20, "changing");
    const likelihood = openLikelihood(potential, all[0], path, { use: "changing" });
    const points = Float64Array.of(0.5, 1, -2, 0);
    for (const parameters of [...all, all[0]]) {
      sampler.bind(parameters);
      for (const solver of solverNames) {
        const options = { ...usual, solver };
        const { samples, nfev, hessianProducts } = await sampler.draw(options);
        const fresh = await drawSamples(potential, parameters, path, options);
        assertEquals([nfev, hessianProducts], [fresh.nfev, fresh.hessianProducts], solver);
        assertEquals(samples, fresh.samples, solver);
      }
      likelihood.bind(parameters);
      const fresh = openLikelihood(potential, parameters, path);
      assertEquals(await likelihood.estimate(points), await fresh.estimate(points));
      fresh.dispose();
    }
    sampler.dispose();
    likelihood.dispose();
  });
}

Deno.test("fixed parameters are not replaced", async () => {
  await openDevice("cpu");
  const parameters = potential.initialize(randomKey(1));
  const fixed = "are fixed";
  assertThrows(() => openSampler(potential, parameters, path).bind(parameters), VapoError, fixed);
  assertThrows(
    () => openLikelihood(potential, parameters, path).bind(parameters),
    VapoError,
    fixed,
  );
});

Deno.test("turns are taken as often as asked for, and change nothing", async () => {
  await openDevice("wasm", { threads: 1 });
  const parameters = potential.initialize(randomKey(1));
  for (const solver of ["heun", "rk45", "euler-maruyama", "backward-euler"] as const) {
    let taken = 0;
    const turns: Turns = {
      every: 0,
      wait() {
        taken++;
        return Promise.resolve();
      },
    };
    const options = { ...usual, solver, steps: 9 };
    const { samples } = await drawSamples(potential, parameters, path, { ...options, turns });
    assertEquals(samples, (await drawSamples(potential, parameters, path, options)).samples);
    // Once a step, and once for each of the two of the refinement where it runs alone.
    assertEquals(taken >= (solver === "rk45" ? 2 : 9), true, `${solver}: ${taken}`);
  }
});
