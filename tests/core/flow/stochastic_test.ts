import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { VapoError } from "../../../core/errors.ts";
import { sphericalInterpolation } from "../../../core/flow/interpolation.ts";
import { refineByLangevin } from "../../../core/flow/langevin.ts";
import { sdeMethodNames, solveSde } from "../../../core/flow/sde.ts";
import { scoreFromVelocity, velocityField } from "../../../core/flow/velocity.ts";
import { mixtureScore } from "../../../core/homotopy/gaussian_mixture.ts";
import { gaussianPath } from "../../../core/homotopy/gaussian_path.ts";
import {
  fork,
  openDevice,
  randomKey,
  randomNormal,
  type Tensor,
  tf,
} from "../../../core/tensor/mod.ts";
import { gaussianPotential } from "../../gaussian_potential.ts";

const path = gaussianPath();
const mean = [1.5, -2], deviation = 0.5;
const velocity = velocityField(gaussianPotential(path, mean, deviation), {});

/** Mean and standard deviation of each of two columns. */
function columns(x: Tensor): { mean: number[]; deviation: number[] } {
  const { mean, variance } = tf.moments(x, [0]);
  return { mean: [...mean.dataSync()], deviation: [...tf.sqrt(variance).dataSync()] };
}

Deno.test("the score implied by the exact velocity is the exact score", async () => {
  await openDevice("cpu");
  const mixture = { means: [mean], std: deviation };
  const points = [0.3, -1, 2, 0.5, -0.7, -3];
  for (const u of [0, 0.2, 0.6, 0.95]) {
    const c = path.at(u), x = tf.tensor2d(points, [3, 2]);
    const score = scoreFromVelocity(x, velocity(u, x), c).dataSync();
    const exact = mixtureScore(mixture, Float64Array.from(points), c);
    score.forEach((value, i) =>
      assertAlmostEquals(value, exact[i], 1e-3 * (1 + Math.abs(exact[i])))
    );
  }
});

for (const method of sdeMethodNames) {
  for (const noise of [0, 0.5, 1]) {
    Deno.test(`${method} with noise ${noise} ends at the path's marginal`, async () => {
      await openDevice("wasm");
      const n = 20_000, until = 0.9;
      const key = randomKey(2);
      const x0 = randomNormal(randomKey(9), [n, 2]);
      const { y, nfev } = await solveSde(velocity, path, x0, until, {
        method,
        steps: 100,
        key,
        noise,
      });
      assertEquals(nfev, method === "euler-maruyama" ? 100 : 200);
      const { alpha, beta } = path.at(until);
      const width = Math.hypot(alpha * deviation, beta);
      const found = columns(y);
      // Four standard errors, and the discretisation's own error of the first order.
      const tolerance = 4 * width / Math.sqrt(n) + 0.01;
      mean.forEach((m, i) => {
        assertAlmostEquals(found.mean[i], alpha * m, tolerance);
        assertAlmostEquals(found.deviation[i], width, tolerance);
      });
    });
  }
}

Deno.test("a step of each solver is as written, at the noise that it has by default", async () => {
  await openDevice("cpu");
  const u = 0.6, key = randomKey(3), x0 = tf.tensor2d([[0.4, -0.3]]);
  const dW = tf.mul(randomNormal(fork(key, "sde"), [1, 2]), Math.sqrt(u));
  const g = (u: number) => {
    const { beta, betaDot } = path.at(u);
    return Math.sqrt(2 * 0.5 * beta * Math.abs(betaDot));
  };
  const drift = (u: number, x: Tensor) => {
    const v = velocity(u, x), score = scoreFromVelocity(x, v, path.at(u));
    return tf.add(v, tf.mul(score, g(u) ** 2 / 2));
  };
  const along = (slope: Tensor, noise: number) =>
    tf.addN([x0, tf.mul(slope, u), tf.mul(dW, noise)]);
  const slope = drift(0, x0), euler = along(slope, g(0));
  const heun = along(tf.mul(tf.add(slope, drift(u, euler)), 0.5), (g(0) + g(u)) / 2);
  for (
    const [method, expected] of [["euler-maruyama", euler], ["stochastic-heun", heun]] as const
  ) {
    const { y } = await solveSde(velocity, path, x0, u, { method, steps: 1, key });
    const values = expected.dataSync();
    y.dataSync().forEach((value, i) => assertAlmostEquals(value, values[i], 1e-5, method));
  }
});

Deno.test("stochastic draws depend on the key alone", async () => {
  await openDevice("cpu");
  const run = async (seed: number) => {
    const x0 = tf.zeros([3, 2]);
    const options = { method: "euler-maruyama", steps: 5, key: randomKey(seed) } as const;
    return [...(await solveSde(velocity, path, x0, 0.5, options)).y.dataSync()];
  };
  assertEquals(await run(1), await run(1));
  assert((await run(1))[0] !== (await run(2))[0]);
});

Deno.test("a stochastic solver goes no further than the score is known", async () => {
  await openDevice("cpu");
  for (const until of [1.5, 0.995, 0, NaN]) {
    await assertRejects(
      () =>
        solveSde(velocity, path, tf.zeros([1, 2]), until, {
          method: "euler-maruyama",
          steps: 5,
          key: randomKey(1),
        }),
      VapoError,
      `cannot go to u = ${until}`,
    );
  }
});

Deno.test("Langevin refinement carries a wrong sample towards the marginal", async () => {
  await openDevice("wasm");
  const time = 0.5, n = 20_000;
  const { alpha, beta } = path.at(time);
  const width = Math.hypot(alpha * deviation, beta);
  const wrong = tf.mul(randomNormal(randomKey(3), [n, 2]), 2 * width);
  const key = randomKey(4);
  const refined = refineByLangevin(velocity, path, wrong, {
    steps: 400,
    key,
    time,
    stepSize: 0.05,
  });
  const found = columns(refined);
  mean.forEach((m, i) => {
    assertAlmostEquals(found.mean[i], alpha * m, 0.03);
    assertAlmostEquals(found.deviation[i], width, 0.03);
  });
  const few = (time?: number) =>
    refineByLangevin(velocity, path, wrong, { steps: 1, key, time }).dataSync();
  assertEquals(few(), few(path.uMax));
});

Deno.test("no tensor is left behind by a stochastic solver or a refinement", async () => {
  await openDevice("wasm");
  const key = randomKey(1), x0 = tf.zeros([4, 2]);
  const before = tf.memory().numTensors;
  const { y } = await solveSde(velocity, path, x0, 0.5, {
    method: "stochastic-heun",
    steps: 7,
    key,
  });
  refineByLangevin(velocity, path, y, { steps: 3, key }).dispose();
  y.dispose();
  assertEquals(tf.memory().numTensors, before);
});

Deno.test("spherical interpolation: ends, equal norms, angle in proportion, parallel vectors", () => {
  const a = [3, 0, 0], b = [0, 0, 3];
  assertEquals([...sphericalInterpolation(a, b, 0)].map((x) => x + 0), a);
  sphericalInterpolation(a, b, 1).forEach((value, i) => assertAlmostEquals(value, b[i], 1e-12));
  const third = sphericalInterpolation(a, b, 1 / 3);
  assertAlmostEquals(Math.hypot(...third), 3, 1e-12);
  assertAlmostEquals(Math.atan2(third[2], third[0]), Math.PI / 6, 1e-12);
  assertEquals([...sphericalInterpolation([1, 1], [2, 2], 0.5)], [1.5, 1.5]);
  // An angle of 0.01 is an angle still: a straight line would shorten the middle by 1e-5 of it.
  const close = sphericalInterpolation([1, 0], [Math.cos(0.01), Math.sin(0.01)], 0.5);
  assertAlmostEquals(Math.hypot(...close), 1, 1e-9);
  assertThrows(() => sphericalInterpolation([1], [1, 2], 0.5), VapoError, "1 and 2 values");
});
