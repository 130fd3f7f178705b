import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { VapoError } from "../../../core/errors.ts";
import {
  bitsPerDimension,
  dequantizedImages,
  type LikelihoodReportOptions,
  negativeLogLikelihoodReport,
} from "../../../core/evaluation/bits_per_dimension.ts";
import type { MetricReport } from "../../../core/evaluation/document.ts";
import { mixtureLogDensity } from "../../../core/homotopy/gaussian_mixture.ts";
import { gaussianPath } from "../../../core/homotopy/gaussian_path.ts";
import {
  openDevice,
  randomKey,
  randomNormal,
  randomUniform,
  tf,
} from "../../../core/tensor/mod.ts";
import { memoryStorage } from "../../../core/train/run_storage.ts";
import { ellipsoidPotential, mixturePotentialOn } from "../../exact_potentials.ts";
import { gaussianPotential } from "../../gaussian_potential.ts";

const path = gaussianPath();

function measured({ measurements }: MetricReport, name: string) {
  const found = measurements.find((each) => each.name === name);
  assert(found !== undefined, `no measurement ${name}`);
  return found!;
}

Deno.test("dequantised levels lie evenly in their intervals, and depend on their number alone", async () => {
  await openDevice("cpu");
  const bytes = Uint8Array.from({ length: 6000 }, (_, i) => i % 256);
  const before = tf.memory().numTensors;
  const x = await dequantizedImages(bytes, 3, { seed: 5 });
  assertEquals(tf.memory().numTensors, before);
  const offsets = x.map((value, i) => (value + 1) * 127.5 - bytes[i]);
  assert(offsets.every((offset) => Math.abs(offset) < 0.5));
  const mean = offsets.reduce((a, b) => a + b) / offsets.length;
  const square = offsets.reduce((a, b) => a + b * b) / offsets.length;
  // A uniform draw of width 1 has the variance 1/12, and its square the variance 1/180.
  assertAlmostEquals(mean, 0, 4 / Math.sqrt(12 * offsets.length));
  assertAlmostEquals(square, 1 / 12, 4 / Math.sqrt(180 * offsets.length));
  const late = await dequantizedImages(bytes.subarray(3 * 700), 3, { seed: 5, firstSample: 700 });
  assertEquals(late, x.slice(3 * 700));
  assert((await dequantizedImages(bytes, 3, { seed: 6 }))[0] !== x[0]);
  await assertRejects(() => dequantizedImages(bytes, 7, { seed: 5 }), VapoError, "6000 bytes");
});

Deno.test("a density over all grey levels alike is 8 bits, one twice as narrow 7", () => {
  const uniform = Math.log(127.5 / 256);
  assertAlmostEquals(bitsPerDimension(10 * uniform, 10), 8, 1e-12);
  assertAlmostEquals(bitsPerDimension(10 * (uniform + Math.LN2), 10), 7, 1e-12);
});

Deno.test("points of an exact mixture flow have its entropy, and no divergence from it", async () => {
  await openDevice("wasm");
  const mixture = { means: [[-2, 0], [1.5, 1], [0, -2]], std: 0.3 };
  const time = 0.9, n = 2000, c = path.at(time);
  // Draws of the marginal α x̄ + β ε.
  const component = randomUniform(randomKey(1), [n]).dataSync();
  const noise = randomNormal(randomKey(2), [n, 2]).dataSync();
  const width = Math.hypot(c.alpha * mixture.std, c.beta);
  const points = Float64Array.from(noise, (value, i) => {
    const mean = mixture.means[Math.floor(3 * component[Math.floor(i / 2)])][i % 2];
    return c.alpha * mean + width * value;
  });
  const report = await negativeLogLikelihoodReport({
    potential: mixturePotentialOn(path, mixture),
    ...{ parameters: {}, path, points, name: "mixture", time, seed: 0, batchSize: 1000 },
    ...{ rtol: 1e-5, atol: 1e-5 },
    dataLogDensity: (x) => mixtureLogDensity(mixture, x, c),
  });
  // The entropy: that of a component plus that of the choice, which hardly overlap; on a fine grid.
  const nll = measured(report, "nll");
  assertAlmostEquals(nll.value, gridEntropy(mixture, c), 4 * nll.standardError!);
  assertEquals(nll.unit, "nats");
  assertAlmostEquals(measured(report, "nll-excess").value, 0, 1e-4);
  assertAlmostEquals(measured(report, "nll-data").value, nll.value, 1e-4);
  // −log p of a normal in the plane has the variance 1, and the mixture's is about that.
  assertAlmostEquals(nll.standardError!, 1 / Math.sqrt(n), 0.2 / Math.sqrt(n));
  assert(!report.measurements.some(({ name }) => name === "nll-probe-error"));
});

function gridEntropy(
  mixture: Parameters<typeof mixtureLogDensity>[0],
  c: Parameters<typeof mixtureLogDensity>[2],
): number {
  const h = 0.04, half = 110, side = 2 * half + 1;
  const grid = new Float64Array(2 * side * side);
  for (let i = 0; i < side * side; i++) {
    grid[2 * i] = (i % side - half) * h;
    grid[2 * i + 1] = (Math.floor(i / side) - half) * h;
  }
  const logDensity = mixtureLogDensity(mixture, grid, c);
  return -logDensity.reduce((sum, value) => sum + Math.exp(value) * value, 0) * h * h;
}

Deno.test("in 64 dimensions Hutchinson's mean is the closed form, and its error is known", async () => {
  await openDevice("wasm");
  const d = 64, n = 300, time = 0.8, c = path.at(time);
  const { potential, logDensity, sample } = ellipsoidPotential(path, d);
  const points = sample(n, c);
  const exact = logDensity(points, c);
  const differences: number[] = [];
  for (const probes of [1, 3]) {
    const report = await negativeLogLikelihoodReport({
      ...{ potential, parameters: {}, path, points, name: "ellipsoid", time, seed: 1, probes },
      dataLogDensity: () => exact,
    });
    const excess = measured(report, "nll-excess"), probe = measured(report, "nll-probe-error");
    // What is left between the two is the probes' noise, and nothing else.
    assertAlmostEquals(excess.value, 0, 4 * excess.standardError! + 0.005);
    assertAlmostEquals(probe.value, excess.standardError!, 0.25 * excess.standardError!);
    assert(measured(report, "nll").standardError! > probe.value);
    differences.push(probe.value);
  }
  assertAlmostEquals(differences[0] / differences[1], Math.sqrt(3), 0.5);
});

Deno.test("dequantised bytes cost their cross-entropy, which is at least the discrete entropy", async () => {
  await openDevice("wasm");
  // A normal density of about two grey levels, discretised: byte k has the mass of its interval.
  const time = path.uMax, c = path.at(time), mean = [-0.2, 0.4], deviation = 0.012;
  const width = Math.hypot(c.alpha * deviation, c.beta);
  const masses = mean.map((m) => levelMasses(c.alpha * m, width));
  const entropy = masses.reduce((sum, p) => sum - p.reduce((s, q) => s + plog2(q), 0), 0) / 2;
  const expected = masses.reduce(
    (sum, p, j) => sum + p.reduce((s, q, k) => s + q * levelCost(k, c.alpha * mean[j], width), 0),
    0,
  ) / 2;
  assert(expected > entropy + 1e-3, `the bound ${expected} is no more than ${entropy}`);
  const n = 3000, uniform = randomUniform(randomKey(8), [n, 2]).dataSync();
  const images = Uint8Array.from(uniform, (u, i) => quantile(masses[i % 2], u));
  const report = await negativeLogLikelihoodReport({
    potential: gaussianPotential(path, mean, deviation),
    ...{ parameters: {}, path, images, name: "two pixels", seed: 2, rtol: 1e-5, atol: 1e-5 },
  });
  const nll = measured(report, "nll");
  assertEquals(nll.unit, "bits/dimension");
  assertAlmostEquals(nll.value, expected, 4 * nll.standardError! + 1e-3);
  const nats = measured(report, "nll-nats");
  assertAlmostEquals(nats.value, nll.value * 2 * Math.LN2, 1e-9);
});

const plog2 = (p: number) => p > 0 ? p * Math.log2(p) : 0;

/** The mass of each grey level's interval under N(centre, width²), by a fine sum. */
function levelMasses(centre: number, width: number): number[] {
  return Array.from({ length: 256 }, (_, k) => {
    let mass = 0;
    for (let i = 0; i < 64; i++) {
      mass += Math.exp(logNormal((k + (i + 0.5) / 64 - 0.5) / 127.5 - 1, centre, width)) / 64;
    }
    return mass / 127.5;
  });
}

/** E over v of the bits of level k. */
function levelCost(k: number, centre: number, width: number): number {
  let cost = 0;
  for (let i = 0; i < 64; i++) {
    cost -= logNormal((k + (i + 0.5) / 64 - 0.5) / 127.5 - 1, centre, width) / Math.LN2 / 64;
  }
  return cost + Math.log2(127.5);
}

function logNormal(x: number, centre: number, width: number): number {
  return -(((x - centre) / width) ** 2) / 2 - Math.log(width * Math.sqrt(2 * Math.PI));
}

function quantile(masses: readonly number[], u: number): number {
  let sum = 0;
  return masses.findIndex((mass) => (sum += mass) >= u);
}

const { potential, sample } = ellipsoidPotential(path, 12);
const small: LikelihoodReportOptions = {
  ...{ potential, parameters: {}, path, points: sample(7, path.at(0.5)), name: "few" },
  ...{ time: 0.5, seed: 4, batchSize: 3 },
};

Deno.test("what was interrupted goes on where it was, to the same numbers", async () => {
  await openDevice("wasm");
  const before = tf.memory().numTensors;
  const whole = await negativeLogLikelihoodReport(small);
  const cache = { files: memoryStorage(), key: { parameters: "abc" } };
  const abort = new AbortController(), seen: number[] = [];
  await assertRejects(
    () =>
      negativeLogLikelihoodReport({
        ...small,
        cache,
        signal: abort.signal,
        onProgress(done) {
          seen.push(done);
          if (done === 6) abort.abort(new Error("enough"));
        },
      }),
    Error,
    "enough",
  );
  assertEquals(seen, [3, 6]);
  const broken = {
    ...potential,
    apply: (): tf.Tensor => {
      throw new Error("computed");
    },
  };
  const withBroken = () => negativeLogLikelihoodReport({ ...small, cache, potential: broken });
  await assertRejects(withBroken, Error, "computed");
  const resumed = await negativeLogLikelihoodReport({ ...small, cache });
  // What is kept is not computed again.
  const again = await withBroken();
  assertEquals(resumed, whole);
  assertEquals(again, whole);
  assertEquals(tf.memory().numTensors, before);
});

Deno.test("the notes say what is compared", async () => {
  await openDevice("wasm");
  const notes = async (more: Partial<LikelihoodReportOptions>) =>
    (await negativeLogLikelihoodReport({ ...small, ...more })).notes.join("\n");
  assert((await notes({})).includes("one probe for each point"));
  const images = { points: undefined, images: new Uint8Array(24).fill(140) };
  const format = { stored: [28, 28, 1], poolTo: 14, padTo: 16 } as const;
  const text = await notes({ ...images, format });
  for (const part of ["Padded pixels", "averaged over blocks", "d = 12", "upper bound"]) {
    assert(text.includes(part), part);
  }
  assert(!(await notes(images)).includes("Padded"));
});

Deno.test("wrong data are refused by name", async () => {
  await openDevice("cpu");
  const wrong: [Partial<LikelihoodReportOptions>, string][] = [
    [{ images: new Uint8Array(24) }, "images and points"],
    [{ points: undefined }, "neither images nor points"],
    [{ points: new Float32Array(13) }, "13 values of few"],
    [{ points: new Float32Array(12) }, "two or more"],
    [{ batchSize: 0 }, "batchSize is 0"],
    [{ probes: 0 }, "probes is 0"],
    [{ time: 3 }, "time is 3"],
  ];
  for (const [more, message] of wrong) {
    const report = () => negativeLogLikelihoodReport({ ...small, ...more });
    await assertRejects(report, VapoError, message);
  }
});
