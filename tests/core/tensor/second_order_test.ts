import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import {
  nearestUpsample2,
  openDevice,
  sigmoid,
  silu,
  softmax,
  standardizeGroups,
  type Tensor,
  type Tensor4D,
  tf,
} from "../../../core/tensor/mod.ts";
import { webgpuTest } from "../../webgpu.ts";

/** An operation on tensors, and what it is in plain double precision. */
interface Operation {
  readonly name: string;
  readonly shape: number[];
  readonly onTensors: (x: Tensor) => Tensor;
  readonly onNumbers: (x: readonly number[]) => number[];
}

const logistic = (x: number) => 1 / (1 + Math.exp(-x));
const sum = (x: readonly number[]) => x.reduce((total, value) => total + value, 0);
const mean = (x: readonly number[]) => sum(x) / x.length;

function softmaxOfRow(row: readonly number[]): number[] {
  const weights = row.map(Math.exp), total = sum(weights);
  return weights.map((weight) => weight / total);
}

/** Of [samples, pixels, channels] by the definition: group by group, cell by cell. */
function standardize(
  x: readonly number[],
  [n, pixels, channels]: number[],
  { groups, epsilon }: { groups: number; epsilon: number },
): number[] {
  const size = channels / groups, result = [...x];
  for (let sample = 0; sample < n; sample++) {
    for (let group = 0; group < groups; group++) {
      const cells = Array.from({ length: pixels * size }, (_, i) => {
        const channel = group * size + i % size;
        return (sample * pixels + Math.floor(i / size)) * channels + channel;
      });
      const centre = mean(cells.map((cell) => x[cell]));
      const variance = mean(cells.map((cell) => (x[cell] - centre) ** 2));
      for (const cell of cells) result[cell] = (x[cell] - centre) / Math.sqrt(variance + epsilon);
    }
  }
  return result;
}

function repeatPixels(x: readonly number[], [n, height, width, channels]: number[]): number[] {
  const result: number[] = [];
  for (let sample = 0; sample < n; sample++) {
    for (let row = 0; row < 2 * height; row++) {
      for (let column = 0; column < 2 * width; column++) {
        const pixel = (sample * height + (row >> 1)) * width + (column >> 1);
        result.push(...x.slice(pixel * channels, (pixel + 1) * channels));
      }
    }
  }
  return result;
}

const grouping = { groups: 3, epsilon: 0.1 };
const operations: Operation[] = [
  {
    name: "sigmoid",
    shape: [5],
    onTensors: sigmoid,
    onNumbers: (x) => x.map(logistic),
  },
  { name: "SiLU", shape: [5], onTensors: silu, onNumbers: (x) => x.map((v) => v * logistic(v)) },
  {
    name: "softmax",
    shape: [2, 4],
    onTensors: softmax,
    onNumbers: (x) => [...softmaxOfRow(x.slice(0, 4)), ...softmaxOfRow(x.slice(4))],
  },
  {
    name: "standardised groups",
    shape: [2, 3, 6],
    onTensors: (x) => standardizeGroups(x, grouping),
    onNumbers: (x) => standardize(x, [2, 3, 6], grouping),
  },
  {
    name: "nearest-neighbour up-sampling",
    shape: [2, 2, 3, 2],
    onTensors: (x) => nearestUpsample2(x as Tensor4D),
    onNumbers: (x) => repeatPixels(x, [2, 2, 3, 2]),
  },
];

/** Numbers in [−1, 1] without a pattern. */
const wave = (size: number, seed: number) =>
  Array.from({ length: size }, (_, i) => Math.sin(12.9898 * (i + 1) * seed + seed));

/** Σ w·y + ½ Σ y², so that linear operations too have a second derivative. */
const onNumbers = ({ onNumbers }: Operation) => (x: readonly number[]) => {
  const y = onNumbers(x), w = wave(y.length, 5);
  return sum(y.map((value, i) => w[i] * value + value * value / 2));
};
const onTensors = ({ onTensors, shape }: Operation) => (x: Tensor) => {
  const y = onTensors(tf.reshape(x, shape)), w = tf.tensor(wave(y.size, 5), y.shape);
  return tf.sum(tf.add(tf.mul(w, y), tf.mul(0.5, tf.square(y))));
};

/** The derivative of a function of numbers along each direction in turn, by central differences. */
function differences(
  f: (x: readonly number[]) => number,
  x: readonly number[],
  [direction, ...rest]: readonly number[][],
): number {
  if (!direction) return f(x);
  const h = 1e-2;
  const at = (step: number) => differences(f, x.map((v, i) => v + step * direction[i]), rest);
  // Of the fourth order in h.
  return (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
}

/** The same by differentiating the gradient again and again. */
function derivative(f: (x: Tensor) => Tensor, directions: readonly number[][]) {
  return directions.reduce(
    (g, direction) => (x: Tensor) => tf.sum(tf.mul(tf.grad(g)(x), tf.tensor1d(direction))),
    f,
  );
}

async function assertDerivatives(operation: Operation, tolerance: number): Promise<void> {
  const size = operation.shape.reduce((product, extent) => product * extent, 1);
  const x = wave(size, 1), directions = [2, 3, 4].map((seed) => wave(size, seed));
  for (let order = 0; order <= directions.length; order++) {
    const along = directions.slice(0, order);
    const expected = differences(onNumbers(operation), x, along);
    const found = await derivative(onTensors(operation), along)(tf.tensor1d(x)).data();
    const what = `derivative ${order} of ${operation.name}`;
    assertAlmostEquals(found[0], expected, tolerance * (1 + Math.abs(expected)), what);
    if (order < 3) assert(Math.abs(expected) > 1e-2, `${what} says something`);
  }
}

for (const device of ["cpu", "wasm"] as const) {
  for (const operation of operations) {
    Deno.test(`${operation.name}: derivatives up to the third, on ${device}`, async () => {
      await openDevice(device);
      await assertDerivatives(operation, 1e-5);
    });
  }
}

for (const operation of operations) {
  webgpuTest(`${operation.name}: derivatives up to the third`, async () => {
    await assertDerivatives(operation, 1e-4);
  });
}

Deno.test("standardised groups have zero mean and unit variance, and no other group matters", async () => {
  await openDevice("cpu");
  const [n, pixels, channels, groups] = [2, 5, 8, 2];
  const x = tf.tensor(wave(n * pixels * channels, 7), [n, pixels, channels]);
  const z = standardizeGroups(x, { groups, epsilon: 0 });
  const { mean, variance } = tf.moments(tf.reshape(z, [n, pixels, groups, -1]), [1, 3]);
  mean.dataSync().forEach((value) => assertAlmostEquals(value, 0, 1e-6));
  variance.dataSync().forEach((value) => assertAlmostEquals(value, 1, 1e-5));
  const first = tf.slice(x, [0, 0, 0], [1, pixels, channels / groups]);
  const alone = standardizeGroups(first, { groups: 1, epsilon: 0 }).dataSync();
  assertEquals(tf.slice(z, [0, 0, 0], first.shape as [number, number, number]).dataSync(), alone);
});

Deno.test("a group that does not vary is zero, not NaN", async () => {
  await openDevice("cpu");
  const f = (x: Tensor) => standardizeGroups(x, { groups: 1, epsilon: 1e-5 });
  const x = tf.fill([1, 4, 2], 3);
  assertEquals([...f(x).dataSync()], Array(8).fill(0));
  assertEquals([...tf.grad((x) => tf.sum(tf.square(f(x))))(x).dataSync()], Array(8).fill(0));
});
