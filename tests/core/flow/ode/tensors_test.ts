import { assert, assertEquals, assertRejects } from "@std/assert";
import { NonFiniteError, VapoError } from "../../../../core/errors.ts";
import {
  odeMethodNames,
  odeMethods,
  type OdeOptions,
  solveOde,
} from "../../../../core/flow/ode/mod.ts";
import { openDevice, type Tensor, tf } from "../../../../core/tensor/mod.ts";
import { webgpuTest } from "../../../webgpu.ts";
import { distance } from "./problems.ts";

const onDevice = (_t: number, y: Tensor) => tf.tidy(() => tf.sub(tf.sin(y), tf.mul(y, 0.5)));
const onHost = (_t: number, y: Float64Array) => y.map((value) => Math.sin(value) - 0.5 * value);
const productOnDevice = (_t: number, y: Tensor, v: Tensor) =>
  tf.tidy(() => tf.mul(tf.sub(tf.cos(y), 0.5), v));

/** A small batch of small images. */
const shape = [2, 3, 2, 2];
const initial = Float64Array.from({ length: 24 }, (_, i) => 2 * Math.sin(1.7 * i));

/** Every method solves the same problem as on the host, and leaves nothing behind. */
async function compare(): Promise<void> {
  for (const method of odeMethodNames) {
    const { adaptive, implicit } = odeMethods[method];
    const control = adaptive ? { rtol: 1e-3, atol: 1e-5 } : { steps: 20 };
    const options = { method, ...control, frames: 3 };
    const expected = await solveOde(onHost, [0, 2], initial, options);
    const before = tf.memory().numTensors;
    const y0 = tf.tensor(Float32Array.from(initial), shape);
    const device: OdeOptions<Tensor> = implicit ? { ...options, jvp: productOnDevice } : options;
    const { y, trajectory } = await solveOde(onDevice, [0, 2], y0, device);
    assertEquals(y.shape, shape);
    // Near DOP853's tiny errors rounding chooses the steps, and between those there is a cubic;
    // implicit methods solve their equations no better than the tolerance asks.
    const tolerance = method === "dop853" ? 1e-2 : implicit ? 2e-4 : 2e-6;
    assert(distance(await y.data(), expected.y) < (method === "dop853" ? 1e-4 : tolerance), method);
    for (const [i, frame] of trajectory.entries()) {
      assert(distance(await frame.y.data(), expected.trajectory[i].y) < tolerance, method);
    }
    tf.dispose([y0, y, ...trajectory.map((frame) => frame.y)]);
    assertEquals(tf.memory().numTensors, before, method);
  }
}

for (const device of ["cpu", "wasm"] as const) {
  Deno.test(`tensors take the course of the host's vectors, without a leak [${device}]`, async () => {
    await openDevice(device);
    await compare();
  });
}

webgpuTest("tensors take the course of the host's vectors, without a leak", compare);

Deno.test("explicit steps in single precision are those of double precision", async () => {
  await openDevice("cpu");
  const y0 = tf.tensor(Float32Array.from(initial), shape);
  for (const method of ["bogacki-shampine", "rk45"] as const) {
    const host = await solveOde(onHost, [0, 5], initial, { method });
    const device = await solveOde(onDevice, [0, 5], y0, { method });
    assertEquals([device.nfev, device.accepted], [host.nfev, host.accepted]);
    assert(distance(device.t, host.t) < 1e-3);
    device.y.dispose();
  }
  y0.dispose();
});

Deno.test("an integration that fails or is ended frees what it held", async () => {
  await openDevice("cpu");
  const y0 = tf.ones([3]);
  const blowUp = (_t: number, y: Tensor) => tf.square(y) as Tensor;
  const before = tf.memory().numTensors;
  for (const method of odeMethodNames) {
    const control = odeMethods[method].adaptive ? {} : { steps: 300 };
    await assertRejects(
      () => solveOde(blowUp, [0, 20], y0, { method, ...control, frames: 50 }),
      NonFiniteError,
    );
    assertEquals(tf.memory().numTensors, before, method);
  }
  const abort = AbortSignal.abort();
  await assertRejects(() => solveOde(blowUp, [0, 1], y0, { signal: abort }), DOMException);
  const throwing = () => {
    throw new RangeError("not today");
  };
  await assertRejects(() => solveOde(blowUp, [0, 0.5], y0, { onStep: throwing }), RangeError);
  const kept = tf.zeros([3]);
  await assertRejects(() => solveOde(() => kept, [0, 1], y0), VapoError, "the same vector twice");
  kept.dispose();
  assertEquals(tf.memory().numTensors, before);
  assert(!y0.isDisposed);
  y0.dispose();
});

webgpuTest(
  "a device that answers late still reports the step at which the state broke down",
  async () => {
    const breaking = (t: number, y: Tensor) => tf.mul(y, t < 0.45 ? -1 : Infinity);
    const y0 = tf.ones([4]);
    await assertRejects(
      () => solveOde(breaking, [0, 1], y0, { method: "euler", steps: 10 }),
      NonFiniteError,
      "euler at t = 0.6 after 6 steps, the last of size 0.1: the state is not finite",
    );
    y0.dispose();
  },
);
