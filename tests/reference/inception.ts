/**
 * @file What the Inception network is tried on, beside the weights in `inception_weights.ts`, and
 * what `inception.py` answers to it.
 */
import { fromFileUrl } from "@std/path";
import { mnistFileReader } from "../../cli/mnist_files.ts";
import { readMnist } from "../../core/data/mnist.ts";
import { decodeSafetensors, encodeSafetensors } from "../../core/formats/safetensors.ts";
import { inceptionParameters } from "../../core/metrics/inception_weights.ts";
import { type TensorRecord, tf } from "../../core/tensor/mod.ts";
import { randomInceptionWeights } from "./inception_weights.ts";
import { findPython } from "./python.ts";

/** Of the weights. */
export const inceptionSeed = 7;

/** [n, h, w, channels] in [−1, 1]. */
export interface InceptionImages {
  readonly shape: [number, number, number, number];
  readonly data: Float32Array;
}

/**
 * Handwritten digits at 32×32, the first of the test images: one in grey as three channels, two in
 * colour (a digit each in red, green and blue).
 */
export async function digitImages(): Promise<InceptionImages> {
  const { data: digits } = await readMnist(mnistFileReader(), "test");
  const planes = [[0, 0, 0], [1, 2, 3], [4, 5, 6]];
  const data = new Float32Array(planes.length * 32 * 32 * 3).fill(-1);
  planes.forEach((channels, image) => {
    channels.forEach((digit, channel) => {
      for (let i = 0; i < 28 * 28; i++) {
        const row = Math.floor(i / 28) + 2, column = i % 28 + 2;
        const at = ((image * 32 + row) * 32 + column) * 3 + channel;
        data[at] = digits[digit * 28 * 28 + i] / 127.5 - 1;
      }
    });
  });
  return { shape: [planes.length, 32, 32, 3], data };
}

/** The network's parameters of random weights, on the open device. */
export function randomInceptionParameters(): TensorRecord {
  const parameters = inceptionParameters(randomInceptionWeights(inceptionSeed));
  return Object.fromEntries(
    Object.entries(parameters).map(([name, { shape, data }]) => [name, tf.tensor(data, shape)]),
  );
}

/** Features [n, 2048] and logits [n, 1008], image after image. */
export interface InceptionAnswer {
  readonly features: ArrayLike<number>;
  readonly logits: ArrayLike<number>;
}

/** A Python that has PyTorch and torchvision, if there is one. */
export function findTorchvision(): Promise<string | undefined> {
  return findPython("torchvision");
}

/** Runs `inception.py` with these arguments. */
export async function runInceptionReference(
  python: string,
  ...args: string[]
): Promise<void> {
  const script = fromFileUrl(new URL("./inception.py", import.meta.url));
  const { success, stderr } = await new Deno.Command(python, { args: ["-B", script, ...args] })
    .output();
  if (!success) throw new Error(`inception.py failed: ${new TextDecoder().decode(stderr)}`);
}

/** What PyTorch makes of images, in float64. */
export async function askInception(
  python: string,
  { shape, data }: InceptionImages,
): Promise<InceptionAnswer> {
  const directory = await Deno.makeTempDir();
  try {
    const request = `${directory}/request.safetensors`;
    const response = `${directory}/response.safetensors`;
    await Deno.writeFile(request, encodeSafetensors({ images: { dtype: "F32", shape, data } }));
    await runInceptionReference(python, "answer", String(inceptionSeed), request, response);
    const { features, logits } = decodeSafetensors(await Deno.readFile(response)).tensors;
    return {
      features: features.data as Float64Array,
      logits: logits.data as Float64Array,
    };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Every eighth value: few enough to be recorded. */
export function excerpt(values: ArrayLike<number>): number[] {
  return Array.from({ length: Math.ceil(values.length / 8) }, (_, i) => values[8 * i]);
}
