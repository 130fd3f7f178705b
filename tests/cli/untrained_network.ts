/** @file A network for features that takes no training. */
import { encodePreparedNetwork } from "../../core/metrics/prepared_features.ts";
import { openDevice } from "../../core/tensor/mod.ts";
import { randomClassifierParameters } from "../reference/classifier.ts";

/** Prepares a classifier that has learnt nothing, where `vapo data mnist-features` would. */
export async function prepareUntrainedNetwork(cwd: string): Promise<void> {
  await openDevice("cpu");
  const parameters = Object.fromEntries(
    await Promise.all(
      Object.entries(randomClassifierParameters()).map(async ([name, tensor]) =>
        [name, { shape: tensor.shape, data: await tensor.data() as Float32Array }] as const
      ),
    ),
  );
  const { files } = await encodePreparedNetwork("mnist-classifier", parameters, {});
  await Deno.mkdir(`${cwd}/data/mnist-features`, { recursive: true });
  for (const [name, bytes] of Object.entries(files)) {
    await Deno.writeFile(`${cwd}/data/mnist-features/${name}`, bytes);
  }
}
