import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { toyDistributions } from "../../../core/data/toy.ts";
import { ConfigError } from "../../../core/errors.ts";
import { drawSamples } from "../../../core/flow/sampler.ts";
import { scoreFromVelocity, velocityAt } from "../../../core/flow/velocity.ts";
import {
  type GaussianMixture,
  mixtureLogDensity,
  mixtureScore,
} from "../../../core/homotopy/gaussian_mixture.ts";
import { type GaussianPath, gaussianPath } from "../../../core/homotopy/gaussian_path.ts";
import { fractionWithinModes } from "../../../core/metrics/modes.ts";
import { mlpPotential } from "../../../core/potential/mlp.ts";
import type { Potential } from "../../../core/potential/potential.ts";
import { sumOfPotentials, sumParameters } from "../../../core/potential/sum.ts";
import { openDevice, randomKey, randomNormal, type Tensor, tf } from "../../../core/tensor/mod.ts";
import { hessianProductAt } from "../../../core/flow/velocity.ts";
import { mixturePotentialOn } from "../../exact_potentials.ts";
import { webgpuTest } from "../../webgpu.ts";
import { assertClose, derivative, seededNormals } from "../homotopy/numerics.ts";

const mlp = (timeExplicit: boolean, hidden: number[]) =>
  mlpPotential({
    dimension: 2,
    hidden,
    timeExplicit,
    timeFeatures: timeExplicit ? 2 : 0,
    weightNormalization: false,
  });

/** A time-implicit and a time-explicit potential, of other sizes, weighted 0.3 and −1.7. */
function twoTerms() {
  const potentials = [mlp(false, [6, 5]), mlp(true, [4])];
  const terms = potentials.map((potential, i) => ({
    parameters: potential.initialize(randomKey(i + 1)),
    weight: [0.3, -1.7][i],
  }));
  return { potentials, terms, sum: sumOfPotentials(potentials), joined: sumParameters(terms) };
}

async function assertDerivativesAreSums(tolerance: number): Promise<void> {
  const { potentials, terms, sum, joined } = twoTerms();
  const key = randomKey(9), x = randomNormal(key, [7, 2]), w = tf.add(x, 1);
  const u = tf.linspace(0, 0.9, 7);
  const functions: ((of: Potential, parameters: typeof joined) => Tensor)[] = [
    (of, parameters) => of.apply(parameters, x, u),
    (of, parameters) => velocityAt(of, parameters, x, u),
    (of, parameters) => hessianProductAt(of, parameters, x, w, u),
  ];
  for (const f of functions) {
    const parts = await Promise.all(
      potentials.map((each, i) => f(each, terms[i].parameters).data()),
    );
    const expected = parts[0].map((value, j) => 0.3 * value - 1.7 * parts[1][j]);
    assertClose(await f(sum, joined).data(), expected, tolerance);
  }
}

Deno.test("value, gradient and Hessian of a sum are the sums of the terms'", async () => {
  await openDevice("cpu");
  const { sum } = twoTerms();
  assertEquals([sum.sampleShape, sum.timeExplicit], [[2], true]);
  assertEquals(sumOfPotentials([mlp(false, [3])]).timeExplicit, false);
  await assertDerivativesAreSums(1e-6);
});

webgpuTest(
  "value, gradient and Hessian of a sum are the sums of the terms' on webgpu",
  async () => await assertDerivativesAreSums(1e-4),
);

Deno.test("a sum starts with equal weights, terms of their own and no tensor left over", async () => {
  await openDevice("cpu");
  const { potentials, sum } = twoTerms(), key = randomKey(3);
  const before = tf.memory().numTensors;
  const parameters = sum.initialize(key);
  assertEquals(parameters.weights.dataSync(), Float32Array.of(0.5, 0.5));
  assertEquals(Object.keys(parameters).filter((name) => name.startsWith("1/")).length, 4);
  tf.dispose(parameters);
  // A potential that comes twice does not start as twice the same.
  const twice = sumOfPotentials([potentials[0], potentials[0]]).initialize(key);
  assert(twice["0/dense0.kernel"].dataSync().join() !== twice["1/dense0.kernel"].dataSync().join());
  tf.dispose(twice);
  assertEquals(tf.memory().numTensors, before);
});

/** The score that a sum's velocity has at points at one time. */
function scoreOfSum(
  path: GaussianPath,
  mixtures: readonly GaussianMixture[],
  weights: readonly number[],
  points: Float64Array,
  u: number,
): Float32Array {
  const sum = sumOfPotentials(mixtures.map((mixture) => mixturePotentialOn(path, mixture)));
  const parameters = sumParameters(weights.map((weight) => ({ parameters: {}, weight })));
  return tf.tidy(() => {
    const x = tf.tensor2d(Float32Array.from(points), [points.length / 2, 2]);
    const time = tf.fill([x.shape[0]], u);
    return scoreFromVelocity(x, velocityAt(sum, parameters, x, time), path.at(u))
      .dataSync<"float32">();
  });
}

const paths = [gaussianPath({ path: "log-homotopy" }), gaussianPath({ path: "optimal-transport" })];

Deno.test("weights that sum to 1: the score is that of the product of two Gaussians' powers", async () => {
  await openDevice("cpu");
  const first = { means: [[1, -2]], std: 0.3 }, second = { means: [[-2, 1]], std: 0.8 };
  const points = seededNormals(20, 4);
  for (const path of paths) {
    for (const u of [0.1, 0.5, 0.9]) {
      const { alpha, beta } = path.at(u);
      const precision = (std: number) => 1 / (alpha ** 2 * std ** 2 + beta ** 2);
      const p = 0.25 * precision(0.3), q = 0.75 * precision(0.8);
      // N(m, I/(p + q)) with the precisions' mean of the means.
      const mean = [0, 1].map((i) =>
        alpha * (p * first.means[0][i] + q * second.means[0][i]) / (p + q)
      );
      const expected = points.map((x, i) => -(p + q) * (x - mean[i % 2]));
      assertClose(scoreOfSum(path, [first, second], [0.25, 0.75], points, u), expected, 1e-4);
    }
  }
});

const ring = toyDistributions["8gaussians"].mixture!;
/** Two of the ring's modes, and one in its middle. */
const three = { means: [ring.means[0], ring.means[2], [0, 0]], std: ring.std };

Deno.test("weights that sum to 1: the score is that of the geometric mean of two mixtures", async () => {
  await openDevice("cpu");
  const points = seededNormals(20, 5).map((value) => 2 * value), path = paths[0];
  for (const u of [0.2, 0.6, 0.95]) {
    const c = path.at(u);
    const logMean = (x: Float64Array) =>
      0.3 * mixtureLogDensity(ring, x, c)[0] + 0.7 * mixtureLogDensity(three, x, c)[0];
    const scores = [ring, three].map((mixture) => mixtureScore(mixture, points, c));
    const expected = scores[0].map((score, i) => 0.3 * score + 0.7 * scores[1][i]);
    const [x, y] = points;
    assertAlmostEquals(
      derivative((x) => logMean(Float64Array.of(x, y)), x, 1e-3),
      expected[0],
      1e-6 * Math.max(1, Math.abs(expected[0])),
    );
    assertClose(scoreOfSum(path, [ring, three], [0.3, 0.7], points, u), expected, 1e-3);
  }
});

Deno.test("other weights: the score has (W − 1)(α̇/αc)x besides", async () => {
  await openDevice("cpu");
  const points = seededNormals(20, 6);
  for (const path of paths) {
    const c = path.at(0.6), { alpha, beta, alphaDot, betaDot } = c;
    const scores = [ring, three].map((mixture) => mixtureScore(mixture, points, c));
    const factor = alphaDot * beta ** 2 / alpha - beta * betaDot;
    const expected = points.map((x, i) =>
      scores[0][i] + scores[1][i] + alphaDot / (alpha * factor) * x
    );
    assertClose(scoreOfSum(path, [ring, three], [1, 1], points, 0.6), expected, 1e-3);
  }
});

const sampling = { seed: 1, steps: 100, rtol: 1e-5, atol: 1e-5, until: null } as const;

Deno.test("two Gaussians of one width flow to their product's powers: one between them", async () => {
  await openDevice("wasm");
  const path = paths[0], weights = [0.25, 0.75];
  const sum = sumOfPotentials(
    [[2, 0], [-2, 2]].map((mean) => mixturePotentialOn(path, { means: [mean], std: 0.5 })),
  );
  const parameters = sumParameters(weights.map((weight) => ({ parameters: {}, weight })));
  const n = 2000, options = { ...sampling, n, solver: "rk45" } as const;
  const { samples } = await drawSamples(sum, parameters, path, options);
  const { alpha, beta } = path.at(path.uMax), width = Math.hypot(alpha * 0.5, beta);
  [-1, 1.5].forEach((expected, axis) => {
    const values = samples.filter((_, i) => i % 2 === axis);
    const mean = values.reduce((sum, value) => sum + value, 0) / n;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / n;
    assertAlmostEquals(mean, alpha * expected, 4 * width / Math.sqrt(n));
    assertAlmostEquals(Math.sqrt(variance), width, 4 * width / Math.sqrt(2 * n));
  });
});

Deno.test("time-implicit potentials of weight W in all flow W times as fast", async () => {
  await openDevice("wasm");
  const potentials = [mlp(false, [6]), mlp(false, [5, 5])], sum = sumOfPotentials(potentials);
  const own = potentials.map((potential, i) => potential.initialize(randomKey(i + 7)));
  const flow = async (weights: number[], until: number) => {
    const parameters = sumParameters(weights.map((weight, i) => ({ parameters: own[i], weight })));
    const options = { ...sampling, n: 50, solver: "rk45", until } as const;
    return (await drawSamples(sum, parameters, paths[0], options)).samples;
  };
  const slow = await flow([0.25, 0.75], 1.5), fast = await flow([0.75, 2.25], 0.5);
  assertClose(fast, slow, 1e-4);
  // And further than where they started.
  assert((await flow([0.25, 0.75], 0.5)).some((value, i) => Math.abs(value - slow[i]) > 1e-2));
});

Deno.test("a potential that comes twice, with weights that sum to 1, flows as it does alone", async () => {
  await openDevice("wasm");
  const potential = mlp(true, [6]), own = potential.initialize(randomKey(8));
  const options = { ...sampling, n: 50, solver: "rk45" } as const;
  const alone = await drawSamples(potential, own, paths[0], options);
  const terms = [0.5, 0.5].map((weight) => ({ parameters: own, weight }));
  const sum = sumOfPotentials([potential, potential]);
  const twice = await drawSamples(sum, sumParameters(terms), paths[0], options);
  assertClose(twice.samples, alone.samples, 1e-4);
});

Deno.test("samples of a sum of two mixtures go where both agree; noise leads more of them there", async () => {
  await openDevice("wasm");
  const path = paths[0];
  const sum = sumOfPotentials([ring, three].map((mixture) => mixturePotentialOn(path, mixture)));
  const parameters = sumParameters([0.5, 0.5].map((weight) => ({ parameters: {}, weight })));
  const shared = { means: [ring.means[0], ring.means[2]], std: ring.std };
  const alone = {
    means: [...ring.means.filter((_, k) => k !== 0 && k !== 2), [0, 0]],
    std: ring.std,
  };
  const fractions = async (options: { solver: "rk45" | "euler-maruyama"; noise?: number }) => {
    const all = { ...sampling, n: 500, steps: 400, rtol: 1e-4, atol: 1e-4, ...options };
    const { samples } = await drawSamples(sum, parameters, path, all);
    return [shared, alone].map((mixture) => fractionWithinModes(samples, mixture));
  };
  const ordinary = await fractions({ solver: "rk45" });
  const stochastic = await fractions({ solver: "euler-maruyama", noise: 5 });
  assert(ordinary[0] > 0.4 && ordinary[1] < 0.02, `${ordinary}`);
  assert(stochastic[0] > 0.65 && stochastic[1] < 0.01, `${stochastic}`);
});

Deno.test("no terms, other shapes and weights that are no numbers are refused by name", () => {
  const flat = mlp(false, [3]);
  const cubic = mlpPotential({
    dimension: 3,
    hidden: [3],
    timeExplicit: false,
    timeFeatures: 0,
    weightNormalization: false,
  });
  assertThrows(() => sumOfPotentials([]), ConfigError, "expected one at least");
  assertThrows(() => sumParameters([]), ConfigError, "expected one at least");
  assertThrows(
    () => sumOfPotentials([flat, flat, cubic]),
    ConfigError,
    "term 2 of a sum of potentials is of samples of shape 3: expected 2",
  );
  assertThrows(
    () => sumParameters([{ parameters: {}, weight: NaN }]),
    ConfigError,
    "the weight of term 0 is NaN: expected a finite number",
  );
});
