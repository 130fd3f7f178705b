import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { VapoError } from "../../../core/errors.ts";
import { jit } from "../../../core/jit/mod.ts";
import {
  initialSpectralVectors,
  spectralRegularization,
} from "../../../core/loss/spectral_regularization.ts";
import { layerWeights } from "../../../core/potential/layers.ts";
import { wideResnetPotential } from "../../../core/potential/wide_resnet.ts";
import {
  fork,
  lossAndGradients,
  openDevice,
  randomKey,
  randomNormal,
  type Tensor,
  type TensorRecord,
  tf,
} from "../../../core/tensor/mod.ts";
import { webgpuTest } from "../../webgpu.ts";

/** Singular values, the largest first, of rows of a matrix, and the vectors of the largest. */
interface Svd {
  readonly values: readonly number[];
  /** One value a row. */
  readonly left: readonly number[];
  /** One value a column. */
  readonly right: readonly number[];
}

/** One-sided Jacobi rotations (Hestenes, 1958) in double precision: rows become orthogonal. */
function jacobiSvd(rows: readonly (readonly number[])[]): Svd {
  const a = rows.map((row) => [...row]);
  const basis = rows.map((_, i) => rows.map((_, j) => i === j ? 1 : 0));
  const dot = (x: readonly number[], y: readonly number[]) =>
    x.reduce((s, v, i) => s + v * y[i], 0);
  const rotate = (x: number[], y: number[], c: number, s: number) =>
    x.forEach((value, i) => [x[i], y[i]] = [c * value - s * y[i], s * value + c * y[i]]);
  for (let sweep = 0; sweep < 60; sweep++) {
    let rotated = false;
    for (let p = 0; p < a.length; p++) {
      for (let q = p + 1; q < a.length; q++) {
        const [pp, qq, pq] = [dot(a[p], a[p]), dot(a[q], a[q]), dot(a[p], a[q])];
        if (Math.abs(pq) <= 1e-15 * Math.sqrt(pp * qq)) continue;
        rotated = true;
        const zeta = (qq - pp) / (2 * pq);
        const t = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(1, zeta));
        const c = 1 / Math.hypot(1, t);
        rotate(a[p], a[q], c, c * t);
        rotate(basis[p], basis[q], c, c * t);
      }
    }
    if (!rotated) break;
  }
  const norms = a.map((row) => Math.sqrt(dot(row, row)));
  const order = norms.map((_, i) => i).sort((i, j) => norms[j] - norms[i]);
  const [first] = order;
  return {
    values: order.map((i) => norms[i]),
    left: basis[first],
    right: a[first].map((value) => value / norms[first]),
  };
}

/** The weights of a layer as rows, one an output channel. */
function rowsOf(weights: Tensor): number[][] {
  const outputs = weights.shape.at(-1)!, values = weights.dataSync();
  return Array.from(
    { length: outputs },
    (_, o) =>
      Array.from({ length: values.length / outputs }, (_, cell) => values[cell * outputs + o]),
  );
}

const newKey = () => randomKey(3);
const normal = (name: string, ...shape: number[]) => randomNormal(fork(newKey(), name), shape);

/** Plain and weight-normalised layers, some of a shape, and what is no convolution. */
function someParameters(): TensorRecord {
  return {
    "stem.kernel": normal("a", 3, 3, 2, 5),
    "stem.bias": normal("b", 5),
    "block.conv.v": normal("c", 3, 3, 5, 7),
    "block.conv.g": tf.add(tf.abs(normal("d", 7)), 0.5),
    "block.conv.bias": normal("e", 7),
    "other.kernel": normal("f", 3, 3, 2, 5),
    "pointwise.kernel": normal("g", 1, 1, 6, 4),
    "head.kernel": normal("h", 7, 1),
    "head.v": normal("i", 7, 1),
  };
}
const convolutions = ["block.conv", "other", "pointwise", "stem"];

/** After so many steps on the same weights. */
function converged(parameters: TensorRecord, steps = 100) {
  return tf.tidy(() => {
    let vectors = initialSpectralVectors(parameters, newKey());
    for (let i = 0; i < steps; i++) {
      vectors = tf.tidy(() => spectralRegularization(parameters, vectors).vectors);
    }
    return { ...spectralRegularization(parameters, vectors), vectors };
  }) as ReturnType<typeof spectralRegularization>;
}

const svdOf = (parameters: TensorRecord, name: string) =>
  jacobiSvd(rowsOf(layerWeights(parameters, name)));

function assertAll(found: ArrayLike<number>, expected: readonly number[], tolerance: number): void {
  assertEquals(found.length, expected.length);
  expected.forEach((value, i) => assertAlmostEquals(found[i], value, tolerance, `[${i}]`));
}

Deno.test("Jacobi rotations find the singular values of a matrix that is known", () => {
  // The singular values of [[3, 0], [4, 5]] are √45 and √5 (Strang, "Linear Algebra").
  const { values, left, right } = jacobiSvd([[3, 0], [4, 5]]);
  assertAll(values, [Math.sqrt(45), Math.sqrt(5)], 1e-12);
  assertAll(left.map(Math.abs), [1, 3].map((x) => x / Math.sqrt(10)), 1e-12);
  assertAll(right.map(Math.abs), [Math.SQRT1_2, Math.SQRT1_2], 1e-12);
});

Deno.test("the loss is the sum of the largest singular values, and finds the largest", async () => {
  await openDevice("cpu");
  const parameters = someParameters();
  const largest = convolutions.map((name) => svdOf(parameters, name).values[0]);
  const found = converged(parameters);
  const sum = largest.reduce((a, b) => a + b);
  assertAlmostEquals(found.loss.dataSync()[0], sum, 2e-6 * sum);
  assertAlmostEquals(found.largest.dataSync()[0], Math.max(...largest), 1e-5);
  assertEquals(
    Object.keys(found.vectors).sort(),
    convolutions.flatMap((name) => [`${name}.left`, `${name}.right`]),
  );
});

Deno.test("the vectors are the singular vectors, of length 1", async () => {
  await openDevice("cpu");
  const parameters = someParameters();
  const { vectors } = converged(parameters, 400);
  for (const name of convolutions) {
    const { left, right } = svdOf(parameters, name);
    const found = vectors[`${name}.left`].dataSync();
    const sign = Math.sign(left.reduce((sum, value, i) => sum + value * found[i], 0));
    assertAll(found, left.map((value) => sign * value), 1e-4);
    assertAll(vectors[`${name}.right`].dataSync(), right.map((value) => sign * value), 1e-4);
    assertAlmostEquals(tf.norm(vectors[`${name}.right`]).dataSync()[0], 1, 1e-6);
  }
});

Deno.test("an estimate is from below, and better with every iteration", async () => {
  await openDevice("cpu");
  const parameters = someParameters();
  const start = initialSpectralVectors(parameters, newKey());
  // Away from where they are, so that there is something to do.
  const vectors = Object.fromEntries(
    Object.entries(start).map(([name, { size }]) => [name, tf.fill([size], 1 / Math.sqrt(size))]),
  );
  const sum = convolutions.reduce((sum, name) => sum + svdOf(parameters, name).values[0], 0);
  const errors = [1, 2, 4, 8, 16].map((iterations) =>
    sum - spectralRegularization(parameters, vectors, { iterations }).loss.dataSync()[0]
  );
  errors.slice(1).forEach((error, i) => assert(error < errors[i], `${errors}`));
  assert(errors.at(-1)! > -1e-5 * sum);
});

Deno.test("steps and iterations are the same: two of four are one of eight", async () => {
  await openDevice("cpu");
  const parameters = someParameters(), start = initialSpectralVectors(parameters, newKey());
  const { vectors } = spectralRegularization(parameters, start);
  const twice = spectralRegularization(parameters, vectors);
  const once = spectralRegularization(parameters, start, { iterations: 8 });
  assertAlmostEquals(twice.loss.dataSync()[0], once.loss.dataSync()[0], 1e-5);
  for (const [name, vector] of Object.entries(once.vectors)) {
    assertAll(twice.vectors[name].dataSync(), [...vector.dataSync()], 1e-5);
  }
});

Deno.test("the gradient in plain weights is the outer product of the singular vectors", async () => {
  await openDevice("cpu");
  const parameters = someParameters();
  const { vectors } = converged(parameters, 400);
  const { gradients } = lossAndGradients(
    () => ({ loss: spectralRegularization(parameters, vectors).loss, report: {} }),
    parameters,
  );
  for (const name of ["stem", "other", "pointwise"]) {
    const { left, right } = svdOf(parameters, name);
    const expected = right.flatMap((v) => left.map((u) => u * v));
    assertAll(gradients[`${name}.kernel`].dataSync(), expected, 1e-4);
  }
  for (const name of ["stem.bias", "head.kernel", "head.v"]) {
    assert(gradients[name].dataSync().every((value) => value === 0), name);
  }
});

Deno.test("the gradient in normalised weights is that of the singular value", async () => {
  await openDevice("cpu");
  const parameters = someParameters();
  const { vectors } = converged(parameters, 400);
  const { gradients } = lossAndGradients(
    () => ({ loss: spectralRegularization(parameters, vectors).loss, report: {} }),
    parameters,
  );
  // Central differences of the exact singular value, in double precision.
  const v = rowsOf(parameters["block.conv.v"]), g = [...parameters["block.conv.g"].dataSync()];
  const value = () => {
    const rows = v.map((row, o) => row.map((x) => g[o] * x / Math.hypot(...row)));
    return jacobiSvd(rows).values[0];
  };
  const slope = (list: number[], i: number) => {
    const at = list[i], h = 1e-5;
    list[i] = at + h;
    const up = value();
    list[i] = at - h;
    const down = value();
    list[i] = at;
    return (up - down) / (2 * h);
  };
  const [inV, inG] = ["v", "g"].map((part) => gradients[`block.conv.${part}`].dataSync());
  for (const o of [0, 3, 6]) {
    assertAlmostEquals(inG[o], slope(g, o), 1e-4);
    for (const cell of [0, 17, 44]) {
      assertAlmostEquals(inV[cell * 7 + o], slope(v[o], cell), 1e-4);
    }
  }
});

Deno.test("no gradient runs through the vectors", async () => {
  await openDevice("cpu");
  const parameters = someParameters(), vectors = initialSpectralVectors(parameters, newKey());
  const { gradients } = lossAndGradients(() => {
    const found = spectralRegularization({ ...parameters }, vectors);
    const parts = Object.values(found.vectors).map((vector) => tf.sum(vector));
    return { loss: tf.addN(parts) as tf.Scalar, report: {} };
  }, parameters);
  for (const [name, gradient] of Object.entries(gradients)) {
    const values = gradient.dataSync();
    assert(values.every((value) => value === 0), name);
  }
  const inVectors = lossAndGradients(
    () => ({ loss: spectralRegularization(parameters, vectors).loss, report: {} }),
    vectors,
  ).gradients;
  for (const [name, gradient] of Object.entries(inVectors)) {
    assert(gradient.dataSync().every((value) => value === 0), name);
  }
});

Deno.test("the order of names makes no difference, to the bit", async () => {
  await openDevice("cpu");
  const parameters = someParameters(), vectors = initialSpectralVectors(parameters, newKey());
  const turned = Object.fromEntries(Object.entries(parameters).reverse());
  const [a, b] = [parameters, turned].map((p) => spectralRegularization(p, vectors));
  assertEquals(b.loss.dataSync(), a.loss.dataSync());
  for (const name in a.vectors) {
    assertEquals(b.vectors[name].dataSync(), a.vectors[name].dataSync());
  }
  const again = spectralRegularization(parameters, vectors);
  assertEquals(again.loss.dataSync(), a.loss.dataSync());
});

Deno.test("it follows weights that move", async () => {
  await openDevice("cpu");
  const start = someParameters();
  let vectors = initialSpectralVectors(start, newKey()), parameters = start;
  for (let step = 1; step <= 60; step++) {
    parameters = tf.tidy(() =>
      Object.fromEntries(
        Object.entries(start).map(([name, tensor]) => {
          const towards = normal(`to ${name}`, ...tensor.shape);
          return [name, tf.add(tensor, tf.mul(towards, Math.min(step, 50) / 50))];
        }),
      )
    );
    vectors = tf.tidy(() => spectralRegularization(parameters, vectors).vectors);
  }
  const { loss } = spectralRegularization(parameters, vectors);
  const sum = convolutions.reduce((sum, name) => sum + svdOf(parameters, name).values[0], 0);
  assertAlmostEquals(loss.dataSync()[0], sum, 2e-3 * sum);
});

Deno.test("weights of zero have no singular value, and do not spoil the vectors", async () => {
  await openDevice("cpu");
  const parameters = { "out.kernel": tf.zeros([3, 3, 2, 3]) };
  const vectors = initialSpectralVectors(parameters, newKey());
  const { loss } = spectralRegularization(parameters, vectors);
  assertEquals(loss.dataSync()[0], 0);
  assertAlmostEquals(tf.norm(vectors["out.left"]).dataSync()[0], 1, 1e-6);
  const moved = { "out.kernel": normal("moved", 3, 3, 2, 3) };
  const after = spectralRegularization(moved, vectors, { iterations: 100 });
  assertAlmostEquals(after.loss.dataSync()[0], svdOf(moved, "out").values[0], 1e-4);
  const { gradients } = lossAndGradients(
    () => ({ loss: spectralRegularization(parameters, vectors).loss, report: {} }),
    parameters,
  );
  assert(gradients["out.kernel"].dataSync().every(Number.isFinite));
});

Deno.test("a potential without convolutions has nothing to regularise", async () => {
  await openDevice("cpu");
  const parameters = { "dense0.kernel": tf.ones([2, 3]), "dense0.bias": tf.ones([3]) };
  assertEquals(initialSpectralVectors(parameters, newKey()), {});
  const { loss, vectors, largest } = spectralRegularization(parameters, {});
  assertEquals([loss.dataSync()[0], largest.dataSync()[0], vectors], [0, 0, {}]);
});

Deno.test("missing vectors and no iterations are errors in words", async () => {
  await openDevice("cpu");
  const parameters = { "stem.kernel": tf.ones([3, 3, 1, 2]) };
  assertThrows(() => spectralRegularization(parameters, {}), VapoError, "stem.left");
  const vectors = initialSpectralVectors(parameters, newKey());
  for (const iterations of [0, -1, 1.5, NaN]) {
    assertThrows(() => spectralRegularization(parameters, vectors, { iterations }), VapoError);
  }
});

/** Steps of plain gradient descent on the loss alone: compiled with its state in place, and eager. */
async function assertCompiledIsEager(tolerance: number): Promise<void> {
  const potential = wideResnetPotential({
    imageShape: [8, 8, 3],
    channels: 6,
    multipliers: [1, 2],
    blocksPerLevel: 2,
    timeExplicit: false,
  });
  type State = { parameters: TensorRecord; vectors: TensorRecord };
  const step = ({ parameters, vectors }: State) => {
    const { loss, report: { largest, ...next }, gradients } = lossAndGradients(() => {
      const { loss, vectors: next, largest } = spectralRegularization(parameters, vectors);
      return { loss, report: { largest, ...next } };
    }, parameters);
    const moved = Object.fromEntries(
      Object.entries(parameters).map((
        [name, tensor],
      ) => [name, tf.sub(tensor, tf.mul(gradients[name], 0.05))]),
    );
    return { state: { parameters: moved, vectors: next }, loss, largest };
  };
  const parameters = tf.tidy(() => potential.initialize(randomKey(1)));
  const start = { parameters, vectors: initialSpectralVectors(parameters, randomKey(2)) };
  const session = await jit(step, { donate: true }).load(start);
  let state = start as State, eager = step(state);
  for (let i = 0; i < 5; i++) {
    eager = step(state);
    state = eager.state;
  }
  session.run(5);
  const { loss, largest } = await session.read() as unknown as Record<string, Float32Array>;
  const scale = (await eager.loss.data())[0];
  assertAlmostEquals(loss[0], scale, tolerance * scale);
  assertAlmostEquals(largest[0], (await eager.largest.data())[0], tolerance * scale);
  const after = session.state() as unknown as State;
  for (const name of ["stem.left", "level1.block0.conv1.right"]) {
    assertAll(
      await after.vectors[name].data(),
      [...await state.vectors[name].data()],
      10 * tolerance,
    );
  }
  session.dispose();
}

Deno.test("compiled is eager", async () => {
  await openDevice("wasm");
  await assertCompiledIsEager(1e-5);
});

webgpuTest("compiled is eager", () => assertCompiledIsEager(1e-4));
