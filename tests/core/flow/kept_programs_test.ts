import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { VapoError } from "../../../core/errors.ts";
import { keptPrograms } from "../../../core/flow/kept_programs.ts";
import {
  drawSamples,
  openSampler,
  priorSamples,
  type SampleOptions,
} from "../../../core/flow/sampler.ts";
import { gaussianPath } from "../../../core/homotopy/gaussian_path.ts";
import { mlpPotential } from "../../../core/potential/mlp.ts";
import { openDevice, randomKey, tf } from "../../../core/tensor/mod.ts";
import { gaussianPotential } from "../../gaussian_potential.ts";
import { perturbedPotential } from "../../perturbed_potential.ts";
import { webgpuTest } from "../../webgpu.ts";

Deno.test("as many programs are kept as is said, those used last", async () => {
  const disposed: string[] = [];
  let made = 0;
  const kept = keptPrograms(2);
  const get = (name: string) =>
    kept.get(name, () => {
      made++;
      return Promise.resolve({ name, dispose: () => disposed.push(name) });
    });
  await get("a");
  await get("b");
  await get("a");
  assertEquals([made, disposed], [2, []]);
  // b was unused for longest.
  assertEquals((await get("c")).name, "c");
  assertEquals([made, disposed], [3, ["b"]]);
  await get("a");
  await get("b");
  assertEquals([made, disposed], [4, ["b", "c"]]);
  await assertRejects(() => kept.get("d", () => Promise.reject(new Error("no"))));
  kept.dispose();
  assertEquals(disposed.toSorted(), ["a", "b", "b", "c"]);
  kept.dispose();
  assertEquals(disposed.length, 4);
});

const path = gaussianPath();
const potential = perturbedPotential(
  mlpPotential({ dimension: 2, hidden: [8, 8], timeExplicit: true }),
  0.3,
);
const base: SampleOptions = {
  ...{ n: 7, seed: 5, solver: "rk4", steps: 6, rtol: 1e-3, atol: 1e-3, until: null, batchSize: 3 },
};

Deno.test("a sampler that keeps its programs draws what fresh ones draw, to the bit", async () => {
  await openDevice("wasm");
  const parameters = potential.initialize(randomKey(2));
  const before = tf.memory().numTensors;
  const sampler = openSampler(potential, parameters, path);
  const drawings: Partial<SampleOptions>[] = [
    {},
    { steps: 3, frames: 2 },
    { steps: 200 },
    { seed: 6, firstSample: 11 },
    { solver: "rk45" },
    { solver: "euler-maruyama", until: 0.9 },
    { solver: "euler-maruyama", steps: 9, noise: 1 },
    { solver: "stochastic-heun", seed: 8, refineSteps: 2 },
    { solver: "radau", n: 3 },
    { until: 0.4, refineSteps: 3 },
    { refineSteps: 4 },
  ];
  for (const changes of drawings) {
    const options = { ...base, ...changes };
    const kept = await sampler.draw(options);
    assertEquals(kept, await drawSamples(potential, parameters, path, options));
  }
  sampler.dispose();
  assertEquals(tf.memory().numTensors, before);
  assert((await sampler.draw(base)).samples.every(Number.isFinite), "after disposing it");
  sampler.dispose();
  tf.dispose(parameters);
});

webgpuTest("programs start anew on a WebGPU device", async () => {
  const draw = async (device: "webgpu" | "wasm", options: SampleOptions) => {
    await openDevice(device);
    const parameters = potential.initialize(randomKey(2));
    const { samples } = await drawSamples(potential, parameters, path, options);
    tf.dispose(parameters);
    return samples;
  };
  for (const solver of ["heun", "euler-maruyama"] as const) {
    const options = { ...base, solver, until: 0.9 };
    const expected = await draw("wasm", options);
    (await draw("webgpu", options)).forEach((value, i) =>
      assertAlmostEquals(value, expected[i], 1e-3, `${solver}, value ${i}`)
    );
  }
});

Deno.test("a drawing that fails leaves a sampler that goes on", async () => {
  await openDevice("wasm");
  const exact = gaussianPotential(path, [1, 2], 0.5);
  const sampler = openSampler(exact, {}, path);
  const first = await sampler.draw(base);
  await assertRejects(() => sampler.draw({ ...base, solver: "rk45", maxSteps: 1 }), VapoError);
  assertEquals(await sampler.draw(base), first);
  sampler.dispose();
});

Deno.test("no solver takes more evaluations than it may", async () => {
  await openDevice("wasm");
  const exact = gaussianPotential(path, [1, 2], 0.5);
  const draw = (more: Partial<SampleOptions>) =>
    drawSamples(exact, {}, path, { ...base, until: 0.9, ...more });
  for (const solver of ["rk4", "rk45", "radau", "euler-maruyama", "stochastic-heun"] as const) {
    const { nfev, hessianProducts } = await draw({ solver });
    assertEquals(hessianProducts > 0, solver === "radau");
    const evaluations = nfev + hessianProducts;
    await draw({ solver, maxEvaluations: evaluations });
    await assertRejects(
      () => draw({ solver, maxEvaluations: evaluations - 1 }),
      VapoError,
      `${solver} takes more evaluations than maxEvaluations = ${evaluations - 1}`,
    );
  }
  await assertRejects(() => draw({ maxEvaluations: 0 }), VapoError, "maxEvaluations is 0");
});

Deno.test("positions in double precision follow tolerances below those of single", async () => {
  await openDevice("wasm");
  // x ↦ αm + (s/1) x, s² = α²c² + β².
  const mean = [1.5, -2], deviation = 0.5, until = 0.9, { alpha, beta } = path.at(until);
  const scale = Math.hypot(alpha * deviation, beta);
  const exact = gaussianPotential(path, mean, deviation);
  const options = { ...base, n: 40, until, batchSize: null, rtol: 1e-8, atol: 1e-8 } as const;
  const prior = await priorSamples(exact, path, { n: 40, seed: base.seed });
  for (const solver of ["dop853", "radau"] as const) {
    const { samples } = await drawSamples(exact, {}, path, {
      ...options,
      solver,
      doublePrecision: true,
    });
    samples.forEach((value, i) =>
      assertAlmostEquals(value, alpha * mean[i % 2] + scale * prior[i], 3e-6, solver)
    );
  }
  const { trajectory } = await drawSamples(exact, {}, path, {
    ...options,
    ...{ solver: "rk4", steps: 10, frames: 3, doublePrecision: true },
  });
  assertEquals([...trajectory!.subarray(0, 80)], [...prior]);
});
