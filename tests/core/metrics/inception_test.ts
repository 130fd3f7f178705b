import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import recorded from "../../fixtures/inception.json" with { type: "json" };
import { jit } from "../../../core/jit/mod.ts";
import { inceptionNetwork } from "../../../core/metrics/inception.ts";
import { openDevice, type Tensor4D, type TensorRecord, tf } from "../../../core/tensor/mod.ts";
import {
  askInception,
  digitImages,
  excerpt,
  findTorchvision,
  type InceptionAnswer,
  type InceptionImages,
  randomInceptionParameters,
} from "../../reference/inception.ts";
import { webgpuTest } from "../../webgpu.ts";

/** What the compiled network makes of images on the open device. */
async function answer({ shape, data }: InceptionImages): Promise<InceptionAnswer> {
  const parameters = randomInceptionParameters();
  const images = tf.tensor4d(data, shape);
  const network = jit(
    (images: Tensor4D, parameters: TensorRecord) => ({
      ...inceptionNetwork.apply(parameters, images),
    }),
    { static: [1] },
  );
  const session = await network.load(images, parameters);
  try {
    session.run();
    return await session.read() as unknown as InceptionAnswer;
  } finally {
    session.dispose();
    tf.dispose([images, parameters]);
  }
}

/** Each value within a tolerance, of the root mean square of all. */
function assertClose(
  found: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
): void {
  assertEquals(found.length, expected.length);
  const values = Array.from(expected);
  const scale = Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length);
  const error = Math.max(...values.map((value, i) => Math.abs(found[i] - value)));
  assert(error <= tolerance * scale, `off by ${error}, of ${scale}`);
}

const of = ({ shape: [, ...size], data }: InceptionImages, image: number): InceptionImages => {
  const cells = data.length / 3;
  return { shape: [1, ...size], data: data.slice(image * cells, (image + 1) * cells) };
};

Deno.test("features and logits of digits, as recorded from PyTorch", async () => {
  await openDevice("wasm");
  const { features, logits } = await answer(await digitImages());
  assertClose(excerpt(features), recorded.features, 2e-5);
  assertClose(excerpt(logits), recorded.logits, 2e-5);
});

Deno.test("a grey image is one of three equal channels, to the bit", async () => {
  await openDevice("wasm");
  const coloured = of(await digitImages(), 0);
  const grey: InceptionImages = {
    shape: [1, 32, 32, 1],
    data: coloured.data.filter((_, i) => i % 3 === 0),
  };
  assertEquals(await answer(grey), await answer(coloured));
});

webgpuTest("features and logits of a digit, as recorded from PyTorch", async () => {
  const { features, logits } = await answer(of(await digitImages(), 1));
  const [, second] = [0, 1].map((i) => recorded.features.slice(256 * i, 256 * (i + 1)));
  assertClose(excerpt(features), second, 1e-4);
  assertClose(excerpt(logits), recorded.logits.slice(126, 252), 1e-4);
});

// Where it is not there, the recorded values stand in for it, above.
const python = await findTorchvision();
if (python) {
  Deno.test("features and logits of digits, every value as PyTorch computes it now", async () => {
    await openDevice("wasm");
    const images = await digitImages();
    const expected = await askInception(python, images);
    const found = await answer(images);
    assertClose(found.features, expected.features, 2e-5);
    assertClose(found.logits, expected.logits, 2e-5);
    // And the recording is of these very images.
    for (const name of ["features", "logits"] as const) {
      excerpt(expected[name]).forEach((value, i) =>
        assertAlmostEquals(recorded[name][i], value, 1e-5)
      );
    }
  });
}
