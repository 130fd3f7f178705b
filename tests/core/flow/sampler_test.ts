import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { NonFiniteError, VapoError } from "../../../core/errors.ts";
import { logDensity, negativeLogLikelihood } from "../../../core/flow/likelihood.ts";
import { solveOde } from "../../../core/flow/ode/mod.ts";
import {
  drawSamples,
  openSampler,
  type SampleOptions,
  solverNames,
} from "../../../core/flow/sampler.ts";
import {
  exactLaplacian,
  hessianProduct,
  hutchinsonLaplacian,
  velocityField,
} from "../../../core/flow/velocity.ts";
import { mixtureLogDensity } from "../../../core/homotopy/gaussian_mixture.ts";
import { gaussianPath } from "../../../core/homotopy/gaussian_path.ts";
import { mlpPotential } from "../../../core/potential/mlp.ts";
import type { Potential } from "../../../core/potential/potential.ts";
import {
  fork,
  openDevice,
  randomKey,
  randomNormal,
  type Tensor,
  type TensorRecord,
  tf,
} from "../../../core/tensor/mod.ts";
import { gaussianPotential } from "../../gaussian_potential.ts";
import { webgpuTest } from "../../webgpu.ts";

const path = gaussianPath();
const mean = [1.5, -2], deviation = 0.5, until = 0.9;
const potential = gaussianPotential(path, mean, deviation);
const options: SampleOptions = {
  n: 40,
  seed: 3,
  solver: "rk45",
  steps: 100,
  rtol: 1e-4,
  atol: 1e-5,
  until,
};

/** Where the exact flow takes the prior draws: x ↦ αm + s x, s² = α²c² + β². */
async function exactSamples(n: number): Promise<number[]> {
  const { samples: prior } = await drawSamples(
    { ...potential, apply: (_p, x) => tf.mul(tf.sum(x, 1), 0) },
    {},
    path,
    { ...options, n, solver: "euler", steps: 1 },
  );
  const { alpha, beta } = path.at(until);
  const scale = Math.hypot(alpha * deviation, beta);
  return Array.from(prior, (value, i) => alpha * mean[i % 2] + scale * value);
}

/** How far a solver of low order may be off with 100 steps. */
const tolerance: Partial<Record<string, number>> = { "euler": 0.1, "backward-euler": 0.1 };

for (const solver of solverNames.filter((name) => !/maruyama|stochastic/.test(name))) {
  Deno.test(`${solver} carries prior draws where the exact flow does`, async () => {
    await openDevice("wasm");
    const before = tf.memory().numTensors;
    const { samples, shape } = await drawSamples(potential, {}, path, { ...options, solver });
    assertEquals(shape, [40, 2]);
    const exact = await exactSamples(40);
    samples.forEach((value, i) => {
      assertAlmostEquals(value, exact[i], tolerance[solver] ?? 0.005, `sample ${i}`);
    });
    assertEquals(tf.memory().numTensors, before);
  });
}

webgpuTest("an adaptive solver reads its norms back from a WebGPU device", async () => {
  await openDevice("webgpu");
  const { samples } = await drawSamples(potential, {}, path, { ...options, n: 6 });
  const exact = await exactSamples(6);
  samples.forEach((value, i) => assertAlmostEquals(value, exact[i], 0.005));
});

Deno.test("samples depend on the seed and their index, not on how they are batched", async () => {
  await openDevice("wasm");
  const fixed = { ...options, solver: "heun", steps: 10 } as const;
  const draw = async (more: Partial<SampleOptions>) =>
    (await drawSamples(potential, {}, path, { ...fixed, ...more })).samples;
  const all = await draw({});
  const halves = await draw({ batchSize: 7 });
  all.forEach((value, i) => assertAlmostEquals(value, halves[i], 1e-6));
  assertEquals((await draw({ n: 10 })).length, 20);
  (await draw({ n: 10 })).forEach((value, i) => assertAlmostEquals(value, all[i], 1e-6));
  assert((await draw({ seed: 4 }))[0] !== all[0]);
  const noisy = { solver: "euler-maruyama", refineSteps: 2 } as const;
  const together = await draw(noisy);
  (await draw({ ...noisy, batchSize: 7 })).forEach((value, i) =>
    assertAlmostEquals(value, together[i], 1e-6)
  );
  assert(together[0] !== all[0]);
});

Deno.test("evaluations are counted for one batch, refinement included", async () => {
  await openDevice("wasm");
  const fixed = { ...options, solver: "heun", steps: 10, batchSize: 7 } as const;
  const plain = await drawSamples(potential, {}, path, fixed);
  const refined = await drawSamples(potential, {}, path, { ...fixed, refineSteps: 3 });
  assertEquals([plain.nfev, refined.nfev], [20, 23]);
});

Deno.test("implicit solvers are given products with the Hessian, not left to differences", async () => {
  await openDevice("wasm");
  const few = { ...options, n: 4, solver: "backward-euler", steps: 3 } as const;
  const { nfev } = await drawSamples(potential, {}, path, few);
  const velocity = velocityField(potential, {}), jvp = hessianProduct(potential, {});
  const x0 = randomNormal(fork(randomKey(few.seed), "prior"), [4, 2]);
  const solve = (more: { jvp?: typeof jvp }) =>
    solveOde<Tensor>(velocity, [0, until], x0, {
      method: "backward-euler",
      steps: 3,
      rtol: few.rtol,
      atol: few.atol,
      ...more,
    });
  assertEquals(nfev, (await solve({ jvp })).nfev);
  assert(nfev < (await solve({})).nfev);
});

Deno.test("the prior is as wide as the path says", async () => {
  await openDevice("wasm");
  const still = { ...potential, apply: (_p: TensorRecord, x: Tensor) => tf.mul(tf.sum(x, 1), 0) };
  const wide = gaussianPath({ omega: 3 });
  const once = { ...options, n: 5000, solver: "euler", steps: 1 } as const;
  const { samples } = await drawSamples(still, {}, wide, once);
  const deviation = Math.sqrt(tf.moments(tf.tensor1d(samples)).variance.dataSync()[0]);
  assertAlmostEquals(deviation, 3, 4 * 3 / Math.sqrt(2 * samples.length));
});

Deno.test("options out of range are refused by name, and nothing is left on the device", async () => {
  await openDevice("wasm");
  const before = tf.memory().numTensors;
  const wrong: [Partial<SampleOptions>, string][] = [
    [{ n: 0 }, "n is 0"],
    [{ n: 2.5 }, "n is 2.5"],
    [{ batchSize: 0 }, "batchSize is 0"],
    [{ frames: -1 }, "frames is -1"],
    [{ refineSteps: 0.5 }, "refineSteps is 0.5"],
    [{ prior: new Float32Array(79) }, "prior holds 79 values: expected 80"],
    [{ solver: "euler-maruyama", noise: -1 }, "noise is -1"],
    [{ solver: "euler-maruyama", steps: 0 }, "steps is 0"],
    [{ solver: "heun", steps: 0 }, "steps = 0"],
    [{ maxSteps: 0 }, "maxSteps = 0"],
    [{ maxSteps: 1 }, "in 1 tries"],
  ];
  for (const [more, message] of wrong) {
    const draw = () => drawSamples(potential, {}, path, { ...options, ...more });
    await assertRejects(draw, VapoError, message);
    assertEquals(tf.memory().numTensors, before, message);
  }
});

Deno.test("samples that stop being finite are refused, and leave nothing on the device", async () => {
  await openDevice("wasm");
  // Its velocity is 0 up to the end, where refinement meets infinity.
  const ending: Potential = {
    sampleShape: [2],
    timeExplicit: false,
    initialize: () => ({}),
    apply: (_parameters, x, u) =>
      tf.mul(
        tf.sum(x, 1),
        tf.where(tf.less(u, until), tf.zerosLike(u), tf.fill(u.shape, Infinity)),
      ),
  };
  const before = tf.memory().numTensors;
  const fixed = { ...options, solver: "euler", steps: 3, refineSteps: 2 } as const;
  await assertRejects(
    () => drawSamples(ending, {}, path, fixed),
    NonFiniteError,
    "refinement by 2",
  );
  assertEquals(tf.memory().numTensors, before);
  const noisy = { ...fixed, solver: "stochastic-heun" } as const;
  await assertRejects(
    () => drawSamples(ending, {}, path, noisy),
    NonFiniteError,
    "stochastic-heun",
  );
  assertEquals(tf.memory().numTensors, before);
});

Deno.test("a drawing that is refused leaves the compiled programs as they are", async () => {
  await openDevice("wasm");
  let traced = 0;
  const counted: Potential = {
    ...potential,
    apply: (...inputs) => (traced++, potential.apply(...inputs)),
  };
  const sampler = openSampler(counted, {}, path);
  try {
    const { samples } = await sampler.draw(options);
    const once = traced;
    assert(once > 0);
    // In the middle of its steps, and before the first.
    for (const solver of ["dop853", "heun"] as const) {
      await assertRejects(
        () => sampler.draw({ ...options, solver, maxEvaluations: 20 }),
        VapoError,
        "more evaluations than maxEvaluations = 20",
      );
    }
    assertEquals((await sampler.draw(options)).samples, samples);
    assertEquals(traced, once);
    // What fails otherwise may leave anything.
    const signal = AbortSignal.abort(new Error("enough"));
    await assertRejects(() => sampler.draw({ ...options, signal }), Error, "enough");
    assertEquals((await sampler.draw(options)).samples, samples);
    assertEquals(traced, 2 * once);
  } finally {
    sampler.dispose();
  }
});

Deno.test("an abort ends a drawing and leaves nothing on the device", async () => {
  await openDevice("wasm");
  const before = tf.memory().numTensors;
  for (const solver of ["euler-maruyama", "heun"] as const) {
    const abort = new AbortController();
    setTimeout(() => abort.abort(new Error("enough")), 50);
    const endless = { ...options, solver, steps: 1_000_000, signal: abort.signal };
    await assertRejects(() => drawSamples(potential, {}, path, endless), Error, "enough");
    assertEquals(tf.memory().numTensors, before, solver);
  }
});

for (const solver of ["rk45", "rk4", "euler-maruyama"] as const) {
  Deno.test(`${solver}: a trajectory starts at the prior and ends at the samples`, async () => {
    await openDevice("wasm");
    const n = 5, frames = 4;
    const { samples, trajectory, times } = await drawSamples(potential, {}, path, {
      ...options,
      solver,
      n,
      frames,
      batchSize: 3,
    });
    // A stochastic trajectory is known at the ends of its hundred steps.
    const thirds = solver === "euler-maruyama" ? [0.297, 0.603] : [0.3, 0.6];
    assertEquals(times?.map((time) => +time.toFixed(6)), [0, ...thirds, 0.9]);
    assertEquals(trajectory?.length, frames * n * 2);
    const frame = (i: number) => [...trajectory!.subarray(i * n * 2, (i + 1) * n * 2)];
    frame(3).forEach((value, i) => assertAlmostEquals(value, samples[i], 1e-6));
    const [prior] = [
      await drawSamples(potential, {}, path, {
        ...options,
        solver,
        n,
        prior: Float32Array.from(frame(0)),
        batchSize: 3,
      }),
    ];
    prior.samples.forEach((value, i) => assertAlmostEquals(value, samples[i], 1e-6));
    if (solver !== "euler-maruyama") {
      const { alpha, beta } = path.at(times![1]);
      const scale = Math.hypot(alpha * deviation, beta);
      frame(1).forEach((value, i) =>
        assertAlmostEquals(value, alpha * mean[i % 2] + scale * frame(0)[i], 0.01)
      );
    }
  });
}

Deno.test("refinement leaves the samples' spread at the path's marginal", async () => {
  await openDevice("wasm");
  const { samples } = await drawSamples(potential, {}, path, {
    ...options,
    n: 8000,
    refineSteps: 50,
  });
  const { alpha, beta } = path.at(until);
  const scale = Math.hypot(alpha * deviation, beta);
  const { mean: centre, variance } = tf.moments(tf.tensor2d(samples, [8000, 2]), 0);
  centre.dataSync().forEach((m, i) => assertAlmostEquals(m, alpha * mean[i], 0.02));
  variance.dataSync().forEach((v) => assertAlmostEquals(Math.sqrt(v), scale, 0.02));
});

Deno.test("refinement at the end's own time mends what a coarse solver left", async () => {
  await openDevice("wasm");
  const coarse = { ...options, n: 4000, until: 0.5, solver: "euler", steps: 1 } as const;
  const spread = async (refineSteps: number) => {
    const { samples } = await drawSamples(potential, {}, path, { ...coarse, refineSteps });
    const { variance } = tf.moments(tf.tensor2d(samples, [4000, 2]), 0);
    return Math.sqrt(tf.mean(variance).dataSync()[0]);
  };
  const { alpha, beta } = path.at(0.5);
  const exact = Math.hypot(alpha * deviation, beta);
  assert(Math.abs(await spread(0) - exact) > 0.1);
  assertAlmostEquals(await spread(100), exact, 0.05);
});

Deno.test("a time that the potential does not know is refused", async () => {
  await openDevice("cpu");
  for (const [wrong, message] of [[1.5, "known up to 0.99"], [-1, "above 0"]] as const) {
    await assertRejects(
      () => drawSamples(potential, {}, path, { ...options, until: wrong }),
      VapoError,
      message,
    );
  }
});

Deno.test("a time-implicit potential is integrated past the path's end", async () => {
  await openDevice("cpu");
  const implicit = mlpPotential({ dimension: 2, hidden: [4], timeExplicit: false });
  const parameters = implicit.initialize(randomKey(1));
  const { samples } = await drawSamples(implicit, parameters, path, { ...options, until: 1.5 });
  assert(samples.every(Number.isFinite));
});

Deno.test("the Laplacian of images is that of their values", async () => {
  await openDevice("cpu");
  // Φ = Σ cᵢxᵢ³ has ΔΦ = 6 Σ cᵢxᵢ.
  const c = tf.tensor4d([1, 2, 3, 4, 5, 6], [1, 3, 2, 1]);
  const cubic: Potential = {
    sampleShape: [3, 2, 1],
    timeExplicit: false,
    initialize: () => ({}),
    apply: (_parameters, x) => tf.sum(tf.mul(c, tf.pow(x, 3)), [1, 2, 3]),
  };
  const x = tf.tensor4d([1, 0, 0, 1, 0, 0, 0, 2, 1, 0, 0, 1], [2, 3, 2, 1]);
  const found = exactLaplacian(cubic, {})(0, x).dataSync();
  [6 * (1 + 4), 6 * (2 * 2 + 3 + 6)].forEach((value, i) =>
    assertAlmostEquals(found[i], value, 1e-3)
  );
});

Deno.test("the density of a prior that is not of unit width is the closed form", async () => {
  await openDevice("wasm");
  const wide = gaussianPath({ omega: 2 });
  const points = [1.5, -2, 1, -1, 2.2, -2.5, 0, 0];
  const exactPotential = gaussianPotential(wide, mean, deviation);
  const x = tf.tensor2d(points, [4, 2]);
  const found = await logDensity(exactPotential, {}, wide, x, { time: until });
  const exact = mixtureLogDensity(
    { means: [mean], std: deviation },
    Float64Array.from(points),
    wide.at(until),
  );
  found.forEach((value, i) => assertAlmostEquals(value, exact[i], 5e-3));
  const atEnd = await logDensity(exactPotential, {}, wide, x);
  assertEquals(atEnd, await logDensity(exactPotential, {}, wide, x, { time: wide.uMax }));
});

const net = mlpPotential({ dimension: 2, hidden: [12, 12], timeExplicit: true });

Deno.test("the exact Laplacian and the Hessian product agree with central differences", async () => {
  await openDevice("cpu");
  const parameters = net.initialize(randomKey(2));
  const x = tf.tensor2d([[0.3, -0.4], [1, 0.2]]), u = 0.4, h = 1e-2;
  const velocity = velocityField(net, parameters);
  const along = (direction: number[]) => {
    const step = tf.mul(tf.tensor2d([direction]), h);
    const [ahead, behind] = [tf.add(x, step), tf.sub(x, step)].map((x) => velocity(u, x));
    return tf.div(tf.sub(ahead, behind), 2 * h).dataSync();
  };
  const [dx, dy] = [along([1, 0]), along([0, 1])];
  exactLaplacian(net, parameters)(u, x).dataSync().forEach((value, i) =>
    assertAlmostEquals(value, dx[2 * i] + dy[2 * i + 1], 2e-3)
  );
  const w = tf.tensor2d([[1, 2], [1, 2]]);
  hessianProduct(net, parameters)(u, x, w).dataSync().forEach((value, i) =>
    assertAlmostEquals(value, dx[i] + 2 * dy[i], 5e-3)
  );
});

Deno.test("Hutchinson's estimate has the exact Laplacian as its mean", async () => {
  await openDevice("cpu");
  const parameters = net.initialize(randomKey(2));
  const n = 4000, x = tf.mul(tf.ones([n, 2]), 0.3);
  const [exact] = exactLaplacian(net, parameters)(0.4, x).dataSync();
  const { mean, variance } = tf.moments(
    hutchinsonLaplacian(net, parameters, randomKey(7))(0.4, x),
  );
  const error = 4 * Math.sqrt(variance.dataSync()[0] / n);
  assertAlmostEquals(mean.dataSync()[0], exact, error + 1e-5);
});

for (const estimator of ["exact", "hutchinson"] as const) {
  Deno.test(`density along the flow is the closed form (${estimator} Laplacian)`, async () => {
    await openDevice("wasm");
    const points = [1.5, -2, 1, -1, 2.2, -2.5, 0, 0];
    const x = tf.tensor2d(points, [4, 2]);
    const before = tf.memory().numTensors;
    const key = randomKey(1);
    // The Hessian of this potential is a multiple of the identity: every probe is exact.
    const hutchinson = estimator === "hutchinson" ? key : undefined;
    const found = await logDensity(potential, {}, path, x, { time: until, hutchinson });
    const exact = mixtureLogDensity(
      { means: [mean], std: deviation },
      Float64Array.from(points),
      path.at(until),
    );
    found.forEach((value, i) => assertAlmostEquals(value, exact[i], 5e-3));
    tf.dispose([key.seed, key.step]);
    assertEquals(tf.memory().numTensors, before);
  });
}

Deno.test("negative log-likelihood of the data is its entropy where the model is exact", async () => {
  await openDevice("wasm");
  const { alpha, beta } = path.at(until);
  const scale = Math.hypot(alpha * deviation, beta);
  const n = 4000;
  const x = tf.add(tf.mul(randomNormal(randomKey(5), [n, 2]), scale), tf.mul([mean], alpha));
  const value = await negativeLogLikelihood(potential, {}, path, x, { time: until });
  const entropy = 1 + Math.log(2 * Math.PI) + 2 * Math.log(scale);
  // The variance of a normal's log density is d/2.
  assertAlmostEquals(value, entropy, 4 / Math.sqrt(n));
});

Deno.test("a density is asked for at a time that the potential knows", async () => {
  await openDevice("cpu");
  const x = tf.zeros([1, 2]);
  for (const [time, message] of [[1.5, "time is 1.5: this potential"], [0, "above 0"]] as const) {
    await assertRejects(() => logDensity(potential, {}, path, x, { time }), VapoError, message);
  }
});

Deno.test("a solver that is not there is refused with the nearest that is", async () => {
  await openDevice("cpu");
  const solver = "rk44" as SampleOptions["solver"];
  await assertRejects(
    () => drawSamples(potential, {}, path, { ...options, solver }),
    VapoError,
    'did you mean "rk4',
  );
});
