import { assert, assertEquals, assertThrows } from "@std/assert";
import recorded from "../../fixtures/classifier.json" with { type: "json" };
import type { ImageSize } from "../../../core/data/images.ts";
import { VapoError } from "../../../core/errors.ts";
import { jit } from "../../../core/jit/mod.ts";
import { atClassifierSize, classifierNetwork } from "../../../core/metrics/classifier_network.ts";
import { openDevice, type Tensor4D, type TensorRecord, tf } from "../../../core/tensor/mod.ts";
import {
  askClassifier,
  type ClassifierAnswer,
  classifierSizes,
  digitsAt,
  randomClassifierParameters,
} from "../../reference/classifier.ts";
import { findPyTorch } from "../../reference/pytorch.ts";
import { webgpuTest } from "../../webgpu.ts";

const network = classifierNetwork("mnist-classifier");
const python = await findPyTorch();
const sizes = Object.entries(classifierSizes);

/** What the network makes of the digits at a size, compiled for the open device. */
async function compiledAnswer(size: ImageSize): Promise<ClassifierAnswer> {
  const run = jit((parameters: TensorRecord, images: Tensor4D) => ({
    ...network.apply(parameters, images),
  }));
  const { features, logits } = await run(randomClassifierParameters(), await digitsAt(size));
  run.dispose();
  return { features: await features.data(), logits: await logits.data() };
}

async function eagerAnswer(size: ImageSize): Promise<ClassifierAnswer> {
  const images = await digitsAt(size);
  const { features, logits } = network.apply(randomClassifierParameters(), images);
  return { features: await features.data(), logits: await logits.data() };
}

/** Within 1e-4 of the largest value. */
function assertClose(found: ClassifierAnswer, expected: ClassifierAnswer): void {
  for (const name of ["features", "logits"] as const) {
    assertEquals(found[name].length, expected[name].length);
    const values = Array.from(expected[name]), scale = Math.max(...values.map(Math.abs));
    const error = Math.max(...values.map((value, i) => Math.abs(found[name][i] - value)));
    assert(error <= 1e-4 * scale, `${name} are off by ${error}, of ${scale}`);
  }
}

for (const [name, size] of sizes) {
  Deno.test(`features and logits of digits at ${name} are PyTorch's, as recorded`, async () => {
    const expected = recorded[name as keyof typeof recorded];
    await openDevice("wasm");
    assertClose(await compiledAnswer(size), expected);
    await openDevice("cpu");
    assertClose(await eagerAnswer(size), expected);
  });
}

Deno.test({
  name: "what is recorded is what PyTorch says",
  ignore: python === undefined,
  fn: async () => {
    await openDevice("cpu");
    const answers = await askClassifier(python!);
    assertEquals(Object.keys(recorded).sort(), Object.keys(answers).sort());
    for (const [name, answer] of Object.entries(answers)) {
      assertClose(recorded[name as keyof typeof recorded], answer);
    }
  },
});

webgpuTest("features and logits of digits are PyTorch's", async () => {
  for (const [name, size] of sizes) {
    assertClose(await compiledAnswer(size), recorded[name as keyof typeof recorded]);
  }
});

Deno.test("a size and the same padded with black are one to the network", async () => {
  await openDevice("cpu");
  for (const [padded, plain] of [["32×32", "28×28"], ["16×16", "14×14"]]) {
    const [a, b] = await Promise.all(
      [padded, plain].map((name) => digitsAt(classifierSizes[name])),
    );
    assertEquals(await atClassifierSize(a).data(), await atClassifierSize(b).data());
  }
});

Deno.test("pixels of 16×16 become squares of four, and every one of them counts", async () => {
  await openDevice("cpu");
  const images = tf.reshape(tf.range(0, 256), [1, 16, 16, 1]) as Tensor4D;
  const large = await atClassifierSize(images).data();
  for (let i = 0; i < 1024; i++) {
    const row = Math.floor(i / 32) >> 1, column = (i % 32) >> 1;
    assertEquals(large[i], 16 * row + column);
  }
});

Deno.test("images of other sizes or in colour are refused in one line", async () => {
  await openDevice("cpu");
  const parameters = randomClassifierParameters();
  for (const shape of [[1, 32, 32, 3], [1, 64, 64, 1], [1, 28, 32, 1]] as const) {
    const error = assertThrows(
      () => network.apply(parameters, tf.zeros([...shape])),
      VapoError,
      shape.slice(1).join("×"),
    );
    assert(!error.message.includes("\n"));
  }
});

Deno.test("both classifiers are one network under two names, neither of them called FID", () => {
  const other = classifierNetwork("fashion-mnist-classifier");
  assertEquals(other.parameterShapes, network.parameterShapes);
  assertEquals([network.size, network.classes], [128, 10]);
  for (const { label } of [network, other]) assert(/no FID/.test(label));
});
