/**
 * @file What the classifier of digits is tried on, and what `classifier.py` answers to it.
 */
import { fromFileUrl } from "@std/path";
import { mnistFileReader } from "../../cli/mnist_files.ts";
import { type ImageSize, imagesOfWords } from "../../core/data/images.ts";
import { readMnist } from "../../core/data/mnist.ts";
import {
  decodeSafetensors,
  encodeSafetensors,
  type SafetensorsTensor,
} from "../../core/formats/safetensors.ts";
import { classifierNetwork } from "../../core/metrics/classifier_network.ts";
import {
  fork,
  packBytes,
  randomKey,
  randomNormal,
  type Tensor,
  type Tensor4D,
  type TensorRecord,
  tf,
} from "../../core/tensor/mod.ts";

/** The sizes of images that it takes, and how they come about. */
export const classifierSizes: Readonly<Record<string, ImageSize>> = {
  "32×32": { padTo: 32 },
  "28×28": {},
  "16×16": { poolTo: 14, padTo: 16 },
  "14×14": { poolTo: 14 },
};

/** The first three digits of the test images at a size, on the open device. */
export async function digitsAt(size: ImageSize): Promise<Tensor4D> {
  const count = 3, bytes = 28 * 28;
  const { data } = await readMnist(mnistFileReader(), "test");
  const words = packBytes(data.subarray(0, count * bytes) as Uint8Array, bytes);
  const format = { ...size, stored: [28, 28, 1] } as const;
  return imagesOfWords(format, tf.tensor2d(words, [count, bytes / 4], "int32"));
}

/** Random parameters, on the open device. */
export function randomClassifierParameters(): TensorRecord {
  const key = randomKey(20), parameters: TensorRecord = {};
  const { parameterShapes } = classifierNetwork("mnist-classifier");
  for (const [name, shape] of Object.entries(parameterShapes)) {
    const inputs = shape.slice(0, -1).reduce((product, size) => product * size, 1);
    const scale = name.endsWith(".bias") ? 0.2 : 1.5 / Math.sqrt(inputs);
    parameters[name] = tf.mul(randomNormal(fork(key, name), [...shape]), scale);
  }
  return parameters;
}

/** Features [n, 128] and logits [n, 10], image after image. */
export interface ClassifierAnswer {
  readonly features: ArrayLike<number>;
  readonly logits: ArrayLike<number>;
}

/** What PyTorch makes of the digits at each size, in float64. */
export async function askClassifier(python: string): Promise<Record<string, ClassifierAnswer>> {
  const directory = await Deno.makeTempDir();
  try {
    const request = `${directory}/request.safetensors`;
    const response = `${directory}/response.safetensors`;
    await Deno.writeFile(request, await encodeRequest());
    const script = fromFileUrl(new URL("classifier.py", import.meta.url));
    const { success, stderr } = await new Deno.Command(python, {
      args: ["-B", script, request, response],
    }).output();
    if (!success) throw new Error(`classifier.py failed: ${new TextDecoder().decode(stderr)}`);
    const { tensors } = decodeSafetensors(await Deno.readFile(response));
    const values = (name: string) => tensors[name].data as Float64Array;
    return Object.fromEntries(
      Object.keys(classifierSizes).map((size) =>
        [size, { features: values(`features/${size}`), logits: values(`logits/${size}`) }] as const
      ),
    );
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function encodeRequest(): Promise<Uint8Array> {
  const tensors: Record<string, SafetensorsTensor> = {};
  const add = async (name: string, tensor: Tensor) => {
    const data = await tensor.data() as Float32Array;
    tensors[name] = { dtype: "F32", shape: tensor.shape, data };
  };
  for (const [name, size] of Object.entries(classifierSizes)) {
    await add(`images/${name}`, await digitsAt(size));
  }
  for (const [name, tensor] of Object.entries(randomClassifierParameters())) {
    await add(`parameters/${name}`, tensor);
  }
  return encodeSafetensors(tensors);
}
