/**
 * @file A forward pass with convolutions of every shape that goes to the Winograd domain, compiled,
 * against TensorFlow.js and against the graph's own meaning.
 */
import { assert, assertEquals } from "@std/assert";
import { evaluate } from "../../../../core/jit/evaluate.ts";
import { jit } from "../../../../core/jit/mod.ts";
import { hostValues } from "../../../../core/jit/targets.ts";
import { trace } from "../../../../core/jit/trace/trace.ts";
import { flattenTree } from "../../../../core/jit/trace/tree.ts";
import { openDevice, type Tensor, type Tensor4D, tf } from "../../../../core/tensor/mod.ts";
import { relativeError, uniform, uniformCells } from "./emitted.ts";

type Layer = { readonly filter: Tensor4D; readonly bias: Tensor };
type Layers = { readonly [name: string]: Layer };

/** [height, width, inputs, outputs] of each filter. */
const filters = {
  first: [3, 3, 3, 24],
  whole: [3, 3, 24, 40],
  five: [5, 5, 40, 24],
  across: [1, 7, 40, 24],
  down: [7, 1, 24, 20],
  pooled: [1, 1, 40, 12],
  strided: [3, 3, 56, 48],
  left: [1, 3, 48, 40],
  up: [3, 1, 48, 40],
} as const;

/** Convolution, bias, ReLU in blocks as Inception-v3 has them. */
function forward(images: Tensor, layers: Layers): { features: Tensor } {
  const layer = (
    x: Tensor4D,
    name: keyof typeof filters,
    stride: 1 | 2 = 1,
    pad: "same" | "valid" = "same",
  ) => {
    const { filter, bias } = layers[name];
    return tf.relu(tf.add(tf.conv2d(x, filter, stride, pad), bias)) as Tensor4D;
  };
  const stem = layer(layer(images as Tensor4D, "first", 2, "valid"), "whole", 1, "valid");
  const block = tf.concat([
    layer(stem, "five"),
    layer(layer(stem, "across"), "down"),
    layer(tf.avgPool(stem, 3, 1, "same"), "pooled"),
  ], 3) as Tensor4D;
  const reduced = layer(block, "strided", 2, "valid");
  const last = tf.concat([layer(reduced, "left"), layer(reduced, "up")], 3) as Tensor4D;
  return { features: tf.maxPool(last, 3, 2, "valid") };
}

/** Images and layers of uniform numbers. */
function makeArguments(): [Tensor, Layers] {
  const random = uniform(5);
  const layers: Record<string, Layer> = {};
  for (const [name, shape] of Object.entries(filters)) {
    const [height, width, inputs, outputs] = shape;
    const filter = tf.tensor4d(
      uniformCells(height * width * inputs * outputs, random),
      [height, width, inputs, outputs],
    );
    const scale = Math.sqrt(6 / (height * width * inputs));
    const bias = tf.tensor1d(uniformCells(outputs, random));
    layers[name] = { filter: tf.mul(filter, scale), bias: tf.mul(bias, 0.1) };
  }
  return [tf.tensor4d(uniformCells(2 * 49 * 47 * 3, random), [2, 49, 47, 3]), layers];
}

Deno.test("a forward pass in tiles of many sizes", async () => {
  await openDevice("wasm");
  const [images, layers] = makeArguments();
  const eager = tf.tidy(() => forward(images, layers).features).dataSync();
  const { graph } = trace(forward as never, [images, layers]);
  const { leaves } = flattenTree<Tensor>([images, layers]);
  const [meant] = evaluate(graph, leaves.map(({ tensor }) => hostValues(tensor)));
  const results: Float32Array[] = [];
  for (const threads of [1, 2, 3]) {
    const session = await jit(forward, { static: [1], threads }).load(images, layers);
    const tiles = [...session.explain().matchAll(/tiles of (\d+×\d+)/g)].map(([, tile]) => tile);
    assertEquals(tiles, ["6×6", "4×4", "1×6", "6×1", "5×5", "1×10", "10×1"]);
    session.run();
    const { features } = await session.read() as { features: Float32Array };
    results.push(features);
    session.dispose();
  }
  for (const expected of [eager, meant]) {
    const error = relativeError(results[0], expected);
    assert(error < 2e-5, `${error}`);
  }
  for (const other of results.slice(1)) assertEquals(other, results[0]);
});
