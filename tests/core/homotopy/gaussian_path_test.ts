import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { ConfigError, VapoError } from "../../../core/errors.ts";
import {
  conditionalSample,
  conditionalVelocity,
  gaussianPath,
  type GaussianPathOptions,
  hostConditionalVelocity,
  hostInnovation,
  innovation,
  type PathCoefficients,
} from "../../../core/homotopy/gaussian_path.ts";
import { openDevice, type Tensor, tf } from "../../../core/tensor/mod.ts";
import fixture from "../../fixtures/mixture.json" with { type: "json" };
import { assertClose, derivative, seededNormals } from "./numerics.ts";

const names = ["alpha", "beta", "alphaDot", "betaDot"] as const;
type TimeLaw = Required<GaussianPathOptions>["timeLaw"];

const everyPath: readonly GaussianPathOptions[] = [
  { path: "log-homotopy", timeLaw: "linear-std" },
  { path: "log-homotopy", timeLaw: "log-uniform" },
  { path: "optimal-transport", timeLaw: "linear-std", omega: 0.5 },
  { path: "optimal-transport", timeLaw: "log-uniform", omega: 2, sigma: 0.1, delta: 1e-3 },
];

Deno.test("log-homotopy coefficients are the closed forms computed with NumPy", () => {
  for (const expected of fixture.cases) {
    const c = gaussianPath({ timeLaw: expected.timeLaw as TimeLaw }).at(expected.u);
    // The reference takes β from 1 − α, which costs it four digits at u = 1.
    for (const name of names) assertClose([c[name]], [expected[name]], 5e-12);
  }
});

Deno.test("in the log-uniform law α and β are the product of prior and tempered likelihood", () => {
  const { omega, sigma, delta } = { omega: 1.5, sigma: 0.2, delta: 1e-4 };
  const path = gaussianPath({ timeLaw: "log-uniform", omega, sigma, delta });
  for (const u of [0, 0.37, 1]) {
    const t = delta ** (1 - u);
    const precision = 1 / omega ** 2 + t / sigma ** 2;
    const c = path.at(u);
    assertClose([c.beta ** 2, c.alpha], [1 / precision, t / sigma ** 2 / precision], 1e-13);
  }
});

Deno.test("the optimal-transport path is straight in the linear-std law", () => {
  const path = gaussianPath({ path: "optimal-transport", omega: 2, betaMin: 0.5 });
  assertEquals(path.at(0.25), { alpha: 0.25, beta: 1.5, alphaDot: 1, betaDot: -2 });
  assertEquals(path.uMax, 0.75);
});

Deno.test("every path starts at the prior, ends at the data and keeps α finite in between", () => {
  for (const options of everyPath) {
    const path = gaussianPath(options);
    const { omega } = path.options;
    const [start, end] = [path.at(0), path.at(1)];
    const linear = options.timeLaw === "linear-std";
    assertAlmostEquals(start.beta, omega, linear ? 0 : 0.3 * omega);
    assertAlmostEquals(end.beta, linear ? 0 : path.options.sigma, 2e-3);
    assert(start.alpha >= 0 && start.alpha < 0.5 && end.alpha > 0.9 && end.alpha <= 1);
  }
});

Deno.test("α̇ and β̇ are the derivatives of α and β in u", () => {
  for (const options of everyPath) {
    const path = gaussianPath(options);
    for (const u of [0.02, 0.3, 0.71, 0.98]) {
      const c = path.at(u);
      assertClose([c.alphaDot], [derivative((v) => path.at(v).alpha, u, 1e-3)], 1e-9);
      assertClose([c.betaDot], [derivative((v) => path.at(v).beta, u, 1e-3)], 1e-9);
    }
  }
});

Deno.test("tensorAt is as accurate as float32 allows, next to u = 0 and u = uMax too", async () => {
  await openDevice("cpu");
  // α is 1e-5 at the start of the last, where 1 − b would keep two digits of it.
  for (const options of [...everyPath, { timeLaw: "log-uniform", delta: 1e-9 } as const]) {
    const path = gaussianPath(options);
    const times = [0, 1e-7, 1e-4, 0.01, 0.25, 0.5, 0.75, 0.95, path.uMax - 1e-5, path.uMax];
    const rounded = Float32Array.from(times);
    const c = path.tensorAt(tf.tensor1d(rounded));
    for (const name of names) {
      const expected = Array.from(rounded, (u) => path.at(u)[name]);
      // A rounding of an exponent of up to 12 is 2⁻²¹ of the value.
      const tolerance = options.timeLaw === "log-uniform" ? 2e-6 : 2e-7;
      const actual = await c[name].data();
      expected.forEach((value, i) =>
        assert(
          Math.abs(actual[i] - value) <= tolerance * Math.abs(value),
          `${name} of ${JSON.stringify(options)} at u = ${rounded[i]}: ${actual[i]}, not ${value}`,
        )
      );
    }
  }
});

Deno.test("tensorAt keeps the shape of u and leaves nothing else behind", async () => {
  await openDevice("cpu");
  for (const options of everyPath) {
    const path = gaussianPath(options);
    const u = tf.fill([2, 3, 1], 0.5);
    const before = tf.memory().numTensors;
    const c = path.tensorAt(u);
    assertEquals(tf.memory().numTensors, before + 4);
    for (const name of names) assertEquals(c[name].shape, [2, 3, 1]);
    tf.dispose([c.alpha, c.beta, c.alphaDot, c.betaDot]);
    assertEquals(u.isDisposed, false);
    u.dispose();
  }
});

Deno.test("the innovation is the one computed with NumPy", () => {
  for (const expected of fixture.innovations) {
    const c = gaussianPath({ timeLaw: expected.timeLaw as TimeLaw }).at(expected.u);
    const [xbar, eps] = [Float64Array.from(expected.xbar), Float64Array.from(expected.eps)];
    assertClose(hostInnovation(xbar, eps, c, 4), expected.innovation, 1e-12);
  }
});

Deno.test("the innovation is −∂_u of the conditional log density at a fixed x", () => {
  const xbar = Float64Array.of(1.3, -0.4, 2.2);
  const eps = Float64Array.of(0.5, -1.7, 0.2);
  for (const options of everyPath) {
    const path = gaussianPath(options);
    for (const u of [0.1, 0.5, 0.9]) {
      const c = path.at(u);
      const x = xbar.map((value, j) => c.alpha * value + c.beta * eps[j]);
      const logDensity = (v: number) => {
        const { alpha, beta } = path.at(v);
        return x.reduce(
          (sum, value, j) => sum - 0.5 * ((value - alpha * xbar[j]) / beta) ** 2 - Math.log(beta),
          0,
        );
      };
      assertClose(hostInnovation(xbar, eps, c, 3), [-derivative(logDensity, u, 5e-4)], 1e-7);
    }
  }
});

Deno.test("for the log-homotopy the innovation is ½(γ − γ̄) dt/du, as in the paper", () => {
  const { sigma, delta } = { sigma: 0.3, delta: 1e-3 };
  const path = gaussianPath({ timeLaw: "log-uniform", sigma, delta });
  const xbar = Float64Array.of(1.3, -0.4, 2.2);
  const eps = Float64Array.of(0.5, -1.7, 0.2);
  for (const u of [0, 0.4, 0.8, 1]) {
    const c = path.at(u);
    let gamma = 0;
    let gammaBar = 0;
    xbar.forEach((value, j) => {
      gamma += ((value - c.alpha * value - c.beta * eps[j]) / sigma) ** 2;
      gammaBar += (((1 - c.alpha) * value) ** 2 + c.beta ** 2) / sigma ** 2;
    });
    const tDot = -Math.log(delta) * delta ** (1 - u);
    assertClose(hostInnovation(xbar, eps, c, 3), [0.5 * (gamma - gammaBar) * tDot], 1e-12);
  }
});

Deno.test("the innovation has mean 0 given x̄", () => {
  const n = 200_000;
  const eps = seededNormals(n * 3, 11);
  const xbar = Float64Array.from({ length: n * 3 }, (_, i) => [1.3, -0.4, 2.2][i % 3]);
  for (const options of everyPath) {
    const nu = hostInnovation(xbar, eps, gaussianPath(options).at(0.6), 3);
    const mean = nu.reduce((sum, value) => sum + value, 0) / n;
    const variance = nu.reduce((sum, value) => sum + (value - mean) ** 2, 0) / n;
    assert(
      Math.abs(mean) <= 4 * Math.sqrt(variance / n),
      `mean ${mean}, standard error ${Math.sqrt(variance / n)}`,
    );
  }
});

Deno.test("the functions on tensors agree with those on the host, image shapes included", async () => {
  await openDevice("cpu");
  const times = [0.1, 0.6, 0.95];
  const size = 2 * 2 * 3;
  const xbar = seededNormals(3 * size, 21).map(Math.fround);
  const eps = seededNormals(3 * size, 22).map(Math.fround);
  const shape: [number, number, number, number] = [3, 2, 2, 3];
  const tensors = [xbar, eps].map((values) => tf.tensor4d(Float32Array.from(values), shape));
  for (const options of everyPath) {
    const path = gaussianPath(options);
    const c = path.tensorAt(tf.tensor1d(times));
    const nu = innovation(tensors[0], tensors[1], c);
    const v = conditionalVelocity(tensors[0], tensors[1], c);
    const x = conditionalSample(tensors[0], tensors[1], c);
    assertEquals([nu.shape, v.shape, x.shape], [[3], shape, shape]);
    const [nuData, vData, xData] = await Promise.all([nu.data(), v.data(), x.data()]);
    times.forEach((u, i) => {
      const host: PathCoefficients<number> = path.at(Math.fround(u));
      const row = (values: ArrayLike<number>) =>
        Float64Array.from(values).slice(i * size, (i + 1) * size);
      const [xbarRow, epsRow] = [row(xbar), row(eps)];
      assertClose([nuData[i]], hostInnovation(xbarRow, epsRow, host, size), 2e-5);
      assertClose(row(vData), hostConditionalVelocity(xbarRow, epsRow, host), 1e-5);
      const sample = xbarRow.map((value, j) => host.alpha * value + host.beta * epsRow[j]);
      assertClose(row(xData), sample, 1e-5);
    });
  }
});

Deno.test("a scalar time is shared by all samples", async () => {
  await openDevice("cpu");
  const path = gaussianPath();
  const [xbar, eps] = [31, 32].map((seed) =>
    tf.tensor2d(Float32Array.from(seededNormals(8, seed)), [4, 2])
  );
  const one = path.tensorAt(tf.scalar(0.3));
  const many = path.tensorAt(tf.fill([4], 0.3));
  for (const f of [conditionalVelocity, innovation]) {
    const compute = f as (xbar: Tensor, eps: Tensor, c: PathCoefficients<Tensor>) => Tensor;
    assertEquals(
      await compute(xbar, eps, one).data(),
      await compute(xbar, eps, many).data(),
    );
  }
});

Deno.test("options out of range are errors that name the option", () => {
  const wrong: [GaussianPathOptions, RegExp][] = [
    [{ omega: 0 }, /omega is 0; expected a finite number above 0/],
    [{ omega: Infinity }, /omega is Infinity/],
    [{ sigma: -1 }, /sigma is -1/],
    [{ sigma: NaN }, /sigma is NaN/],
    [{ delta: 0 }, /delta is 0/],
    [{ delta: 1 }, /delta is 1; expected a number in \(0, 1\)/],
    [{ betaMin: 0 }, /betaMin is 0/],
    [{ omega: 0.01 }, /betaMin is 0\.01; expected less than omega \(0\.01\)/],
    [{ timeLaw: "log-uniform", omega: 1e16 }, /sigma is 0\.01; expected at least 1e-15/],
    [{ path: "geodesic" as "log-homotopy" }, /path is "geodesic"; expected one of: log-homotopy/],
    [{ timeLaw: "constructor" as "linear-std" }, /timeLaw is "constructor"; expected one of/],
  ];
  for (const [options, message] of wrong) {
    const error = assertThrows(() => gaussianPath(options), ConfigError);
    assert(message.test(error.message), error.message);
  }
  assertEquals(gaussianPath({ timeLaw: "log-uniform", omega: 0.005 }).uMax, 1);
});

Deno.test("a time outside [0, 1] and an innovation at β = 0 are errors", () => {
  const path = gaussianPath();
  for (const u of [-1e-9, 1.001, NaN]) assertThrows(() => path.at(u), VapoError, "in [0, 1]");
  const c = path.at(1);
  assertEquals(c.beta, 0);
  assert(Number.isFinite(c.alpha + c.alphaDot + c.betaDot));
  const [one, two] = [Float64Array.of(1), Float64Array.of(1, 2)];
  assertThrows(() => hostInnovation(one, one, c, 1), VapoError, "β = 0");
  assertThrows(() => hostInnovation(two, one, path.at(0.5), 1), VapoError, "eps has 1 values");
  assertThrows(() => hostInnovation(one, one, path.at(0.5), 2), VapoError, "dimension 2");
});
