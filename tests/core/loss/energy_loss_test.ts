import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import mlpFixture from "../../fixtures/energy_loss_mlp.json" with { type: "json" };
import wideResnetFixture from "../../fixtures/energy_loss_wrn.json" with { type: "json" };
import { toyDistributions } from "../../../core/data/toy.ts";
import { conditionalSample, gaussianPath } from "../../../core/homotopy/gaussian_path.ts";
import { energyExcess, energyLoss } from "../../../core/loss/energy_loss.ts";
import { mlpPotential } from "../../../core/potential/mlp.ts";
import type { Potential } from "../../../core/potential/potential.ts";
import { wideResnetPotential } from "../../../core/potential/wide_resnet.ts";
import {
  batchValueAndGradient,
  fork,
  lossAndGradients,
  openDevice,
  randomKey,
  randomNormal,
  randomUniform,
  type Tensor,
  type TensorRecord,
  tf,
} from "../../../core/tensor/mod.ts";
import { gaussianPotential } from "../../gaussian_potential.ts";
import { webgpuTest } from "../../webgpu.ts";

type Nested = number[] | Nested[];
interface Fixture {
  params: Record<string, Nested>;
  xbar: Nested;
  eps: Nested;
  u: number[];
  x: Nested;
  phi: number[];
  gradPhi: Nested;
  innovation: number[];
  eta: number;
  covariance: { loss: number; grads: Record<string, Nested | null> };
  stein: { loss: number; grads: Record<string, Nested | null> };
}

const flatten = (values: Nested): number[] => (values as number[]).flat(Infinity) as number[];
const tensor = (values: Nested) => tf.tensor(values as number[]);

/** The largest difference, relative to the largest magnitude of what is expected. */
async function relativeError(actual: Tensor, expected: Nested | null): Promise<number> {
  const values = await actual.data(), wanted = expected ? flatten(expected) : null;
  if (wanted) assertEquals(values.length, wanted.length);
  const scale = wanted ? Math.max(...wanted.map(Math.abs)) : 1;
  return Math.max(...Array.from(values, (v, i) => Math.abs(v - (wanted?.[i] ?? 0)))) / scale;
}

const path = gaussianPath({ path: "log-homotopy", timeLaw: "linear-std" });

async function agreesWithPyTorch(potential: Potential, fixture: Fixture): Promise<void> {
  const parameters: TensorRecord = {};
  for (const [name, values] of Object.entries(fixture.params)) parameters[name] = tensor(values);
  const batch = {
    data: tensor(fixture.xbar),
    noise: tensor(fixture.eps),
    time: tf.tensor1d(fixture.u),
  };
  const fresh = potential.initialize(randomKey(0));
  assertEquals(Object.keys(fresh).sort(), Object.keys(parameters).sort());
  for (const name of Object.keys(fresh)) assertEquals(fresh[name].shape, parameters[name].shape);

  const x = conditionalSample(batch.data, batch.noise, path.tensorAt(batch.time));
  assert(await relativeError(x, fixture.x) < 1e-6);
  const { value, gradient } = batchValueAndGradient(
    (x) => potential.apply(parameters, x, batch.time),
    x,
  );
  assert(await relativeError(value, fixture.phi) < 1e-4);
  assert(await relativeError(gradient, fixture.gradPhi) < 1e-4);

  for (const estimator of ["stein", "covariance"] as const) {
    const { loss, report, gradients } = lossAndGradients(() => {
      const { loss, ...report } = energyLoss(potential, parameters, batch, path, {
        estimator,
        timeWeight: "one",
        spectralGap: fixture.eta,
        perDimension: false,
      });
      return { loss, report };
    }, parameters);
    const expected = fixture[estimator];
    const [total] = await loss.data();
    assertAlmostEquals(total / expected.loss, 1, 1e-4);
    let sum = 0;
    for (const part of Object.values(report)) sum += (await part.data())[0];
    assertAlmostEquals(sum, total, 1e-5 * Math.abs(total) + 1e-5);
    for (const [name, gradient] of Object.entries(gradients)) {
      const error = await relativeError(gradient, expected.grads[name]);
      assert(error < 1e-4, `${estimator}: gradient of ${name} is off by ${error}`);
    }
  }
}

const mlp = () => mlpPotential({ dimension: 2, hidden: [8, 8], timeExplicit: false });
const wideResnet = () =>
  wideResnetPotential({
    imageShape: [8, 8, 3],
    channels: 4,
    multipliers: [1, 2],
    blocksPerLevel: 1,
    timeExplicit: false,
  });

for (const device of ["cpu", "wasm"] as const) {
  Deno.test(`energy loss of the MLP agrees with PyTorch on ${device}`, async () => {
    await openDevice(device);
    await agreesWithPyTorch(mlp(), mlpFixture as Fixture);
  });
  Deno.test(`energy loss of the wide ResNet agrees with PyTorch on ${device}`, async () => {
    await openDevice(device);
    await agreesWithPyTorch(wideResnet(), wideResnetFixture as Fixture);
  });
}

webgpuTest("energy loss of both potentials agrees with PyTorch on webgpu", async () => {
  await openDevice("webgpu");
  await agreesWithPyTorch(mlp(), mlpFixture as Fixture);
  await agreesWithPyTorch(wideResnet(), wideResnetFixture as Fixture);
});

/** A batch of the ring of Gaussians, with u kept away from 1, where the covariance estimator's variance has no bound. */
function ringBatch(n: number, uMax: number) {
  const key = randomKey(11);
  return {
    data: toyDistributions["8gaussians"].sample(n, fork(key, "data")),
    noise: randomNormal(fork(key, "noise"), [n, 2]),
    time: tf.mul(randomUniform(fork(key, "time"), [n]), uMax),
  };
}

Deno.test("the two estimators agree in mean, within four standard errors", async () => {
  await openDevice("wasm");
  const potential = mlp();
  const parameters = potential.initialize(randomKey(3));
  const batches = 40, size = 10_000, differences: number[] = [];
  const whole = ringBatch(batches * size, 0.5);
  let transport = 0;
  for (let i = 0; i < batches; i++) {
    const rows = <T extends Tensor>(t: T) => tf.slice(t, i * size, size);
    const batch = { data: rows(whole.data), noise: rows(whole.noise), time: rows(whole.time) };
    const [stein, covariance] = (["stein", "covariance"] as const).map((estimator) =>
      energyLoss(potential, parameters, batch, path, {
        estimator,
        timeWeight: "one",
        spectralGap: 0,
        perDimension: false,
      }).transport.dataSync()[0]
    );
    differences.push(covariance - stein);
    transport += stein / batches;
  }
  const mean = differences.reduce((a, b) => a + b) / batches;
  const variance = differences.reduce((a, b) => a + (b - mean) ** 2, 0) / (batches - 1);
  const standardError = Math.sqrt(variance / batches);
  assert(Math.abs(mean) < 4 * standardError, `differ by ${mean} ± ${standardError}`);
  // And the test could tell: an estimator off by a tenth of the transport term would be seen.
  assert(4 * standardError < 0.1 * Math.abs(transport), `${standardError} beside ${transport}`);
});

Deno.test("loss less minimum equals the excess, in mean", async () => {
  await openDevice("wasm");
  const potential = mlp();
  const parameters = potential.initialize(randomKey(3));
  const batch = ringBatch(60_000, 0.9);
  const options = {
    estimator: "stein",
    timeWeight: "one",
    spectralGap: 0,
    perDimension: false,
  } as const;
  const { mixture } = toyDistributions["8gaussians"];
  const loss = energyLoss(potential, parameters, batch, path, options).loss.dataSync()[0];
  const { excess, minimum } = energyExcess(potential, parameters, batch, path, mixture!, options);
  const [above, least] = [excess.dataSync()[0], minimum.dataSync()[0]];
  assert(above > 0 && least < 0);
  assertAlmostEquals((loss - least) / above, 1, 0.02);
});

Deno.test("the exact potential, read at each sample's own time, has no excess", async () => {
  await openDevice("wasm");
  const mean = [1.5, -2], deviation = 0.5;
  const potential = gaussianPotential(path, mean, deviation);
  const { data: unit, noise, time } = ringBatch(500, 0.9);
  const batch = { data: tf.add(tf.mul(unit, deviation), [mean]), noise, time };
  const options = {
    estimator: "stein",
    timeWeight: "beta",
    spectralGap: 0,
    perDimension: false,
  } as const;
  const mixture = { means: [mean], std: deviation };
  const { excess, minimum } = energyExcess(potential, {}, batch, path, mixture, options);
  const least = minimum.dataSync()[0];
  assert(least < -0.5, `${least}`);
  assertAlmostEquals(excess.dataSync()[0] / least, 0, 1e-9);
  // ½E|∇Φ|² is then −minimum, on every batch.
  const { kinetic } = energyLoss(potential, {}, batch, path, options);
  assertAlmostEquals(kinetic.dataSync()[0] / least, -1, 1e-5);
});

Deno.test("weight beta and division by the dimension scale the parts as they say", async () => {
  await openDevice("cpu");
  const potential = mlp();
  const parameters = potential.initialize(randomKey(3));
  const batch = { ...ringBatch(16, 0.9), time: tf.fill([16], 0.75) };
  const parts = (timeWeight: "one" | "beta", perDimension: boolean) =>
    energyLoss(potential, parameters, batch, path, {
      estimator: "stein",
      timeWeight,
      spectralGap: 0.5,
      perDimension,
    });
  const plain = parts("one", false), weighted = parts("beta", true);
  for (const name of ["transport", "kinetic", "gap", "loss"] as const) {
    const ratio = weighted[name].dataSync()[0] / plain[name].dataSync()[0];
    assertAlmostEquals(ratio, 0.25 / 2, 1e-5);
  }
});
