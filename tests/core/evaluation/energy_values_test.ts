import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { ConfigError, NonFiniteError, VapoError } from "../../../core/errors.ts";
import { potentialValues } from "../../../core/evaluation/energy_values.ts";
import { mlpPotential } from "../../../core/potential/mlp.ts";
import type { Potential } from "../../../core/potential/potential.ts";
import { wideResnetPotential } from "../../../core/potential/wide_resnet.ts";
import { openDevice, randomKey, tf } from "../../../core/tensor/mod.ts";
import { seededNormals } from "../homotopy/numerics.ts";

/** Φ = p Σx + u over images of 2×1×1. */
const sum: Potential = {
  sampleShape: [2, 1, 1],
  timeExplicit: true,
  initialize: () => ({}),
  apply: ({ p }, x, u) => tf.add(tf.mul(p, tf.sum(x, [1, 2, 3])), u),
};

Deno.test("bytes are x = byte/127.5 − 1, in batches of any size, on either device", async () => {
  for (const device of ["wasm", "cpu"] as const) {
    await openDevice(device);
    const before = tf.memory().numTensors;
    const parameters = { p: tf.scalar(3) };
    const bytes = Uint8Array.of(0, 0, 255, 255, 51, 204, 0, 255, 17, 3);
    const expected = Array.from(
      { length: 5 },
      (_, i) => 3 * ((bytes[2 * i] + bytes[2 * i + 1]) / 127.5 - 2) + 0.25,
    );
    for (const batchSize of [1, 2, 3, 5, 100, undefined]) {
      const told: number[][] = [];
      const values = await potentialValues(sum, parameters, bytes, [5, 2, 1, 1], {
        ...{ time: 0.25, batchSize, onProgress: (...progress) => told.push(progress) },
      });
      values.forEach((value, i) => assertAlmostEquals(value, expected[i], 2e-6));
      assertEquals(told.at(-1), [5, 5]);
      assertEquals(told.length, Math.ceil(5 / (batchSize ?? 5)));
    }
    parameters.p.dispose();
    assertEquals(tf.memory().numTensors, before);
  }
});

Deno.test("compiled values of nets are eager ones, for points and for images", async () => {
  await openDevice("wasm");
  const mlp = mlpPotential({ dimension: 3, hidden: [16, 16], timeExplicit: false });
  const points = Float32Array.from(seededNormals(30, 1));
  const image = wideResnetPotential({
    imageShape: [8, 8, 1],
    channels: 8,
    multipliers: [1, 2],
    blocksPerLevel: 1,
    timeExplicit: false,
  });
  const bytes = Uint8Array.from({ length: 7 * 64 }, (_, i) => (i * i * 31) % 251);
  for (const [potential, samples, n] of [[mlp, points, 10], [image, bytes, 7]] as const) {
    const parameters = potential.initialize(randomKey(1));
    const shape = [n, ...potential.sampleShape];
    const found = await potentialValues(potential, parameters, samples, shape, { batchSize: 4 });
    const expected = tf.tidy(() => {
      const x = samples instanceof Uint8Array
        ? tf.sub(tf.div(tf.tensor(Float32Array.from(samples), shape), 127.5), 1)
        : tf.tensor(samples, shape);
      return potential.apply(parameters, x, tf.zeros([n])).dataSync();
    });
    found.forEach((value, i) =>
      assertAlmostEquals(value, expected[i], 1e-4 * Math.max(1, Math.abs(expected[i])))
    );
    assert(new Set(found).size > n / 2);
    tf.dispose(parameters);
  }
});

Deno.test("what does not fit is refused; a value that is not finite is named; an abort ends it", async () => {
  await openDevice("cpu");
  const parameters = { p: tf.scalar(1) }, bytes = new Uint8Array(10);
  const time = 0;
  const values = (shape: number[], options: Parameters<typeof potentialValues>[4] = { time }) =>
    potentialValues(sum, parameters, bytes, shape, options);
  await assertRejects(() => values([5, 2, 1]), VapoError, "expected [n, 2, 1, 1]");
  await assertRejects(() => values([4, 2, 1, 1]), VapoError, "10 values of shape [4, 2, 1, 1]");
  await assertRejects(() => values([5, 2, 1, 1], {}), ConfigError, "time is undefined");
  await assertRejects(() => values([5, 2, 1, 1], { time, batchSize: 0 }), ConfigError, "batchSize");
  const signal = AbortSignal.abort(new Error("enough"));
  await assertRejects(() => values([5, 2, 1, 1], { time, signal }), Error, "enough");
  const diverged = { p: tf.scalar(NaN) };
  await assertRejects(
    () => potentialValues(sum, diverged, bytes, [5, 2, 1, 1], { time }),
    NonFiniteError,
    "sample 0 is NaN",
  );
  const plane = { ...sum, sampleShape: [2] };
  await assertRejects(
    () => potentialValues(plane, {}, bytes, [5, 2], { time }),
    VapoError,
    "float32",
  );
  tf.dispose([parameters, diverged]);
});
