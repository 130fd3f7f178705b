/**
 * @file Inception-v3 as the network that Fréchet inception distances are measured with (Heusel et
 * al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium", 2017): an
 * ordinary TensorFlow.js function of its parameters and images, which `jit` compiles. Its layers are
 * in `inception_architecture.ts`, its parameters are made in `inception_weights.ts`.
 */
import { type Tensor2D, type Tensor4D, type TensorRecord, tf } from "../tensor/mod.ts";
import { resizeBilinear } from "../tensor/resize.ts";
import type { FeatureNetwork } from "./feature_network.ts";
import {
  entryName,
  inceptionClasses as classes,
  inceptionFeatures as features,
  type InceptionLayers,
  inceptionMaps,
  inceptionProducts,
} from "./inception_architecture.ts";

/** Side of the images that the network was trained on. */
const side = 299;

/**
 * Inception-v3 as TensorFlow's graph of 2015-12-05, the network of Fréchet inception distances:
 * pool3 features [n, 2048], the means of the last feature maps, and logits [n, 1008].
 *
 * Images of any size in [−1, 1] are resized to 299×299, bilinearly and without antialiasing, as
 * pytorch-fid does it; grey ones become three equal channels. The logits are without bias, as the
 * inception score of Salimans et al. (2016) takes them: features times `fc.weight`ᵀ. Average poolings
 * count pixels inside the image alone, and the last block pools maxima, as in that graph.
 *
 * Parameters come from {@link inceptionParameters}.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { inceptionNetwork } from "vapo";
 * const { name, size, parameterShapes } = inceptionNetwork;
 * assertEquals([name, size], ["inception-v3-fid", 2048]);
 * assertEquals(parameterShapes["Conv2d_1a_3x3.kernel"], [3, 3, 3, 32]);
 * ```
 */
export const inceptionNetwork: FeatureNetwork = {
  name: "inception-v3-fid",
  label: "Inception-v3 (pool3, the FID network)",
  size: features,
  classes,
  parameterShapes: parameterShapes(),
  batchSize: 16,
  apply(parameters, images) {
    const resized = resizeBilinear(inColour(images), [side, side]);
    const maps = inceptionMaps(layersOf(parameters), resized);
    const pooled = tf.mean(maps, [1, 2]) as Tensor2D;
    return {
      features: pooled,
      logits: tf.matMul(pooled, parameters["logits.kernel"] as Tensor2D),
    };
  },
};

function parameterShapes(): Record<string, readonly number[]> {
  const shapes: Record<string, readonly number[]> = {};
  for (const { name, size, inputs, parts } of inceptionProducts) {
    const outputs = parts.reduce((sum, part) => sum + part.outputs, 0);
    shapes[`${name}.kernel`] = [...size, inputs, outputs];
    shapes[`${name}.bias`] = [outputs];
  }
  shapes["logits.kernel"] = [features, classes];
  return shapes;
}

function inColour(images: Tensor4D): Tensor4D {
  return images.shape[3] === 3 ? images : tf.tile(images, [1, 1, 1, 3]);
}

/** The layers with their parameters. */
function layersOf(parameters: TensorRecord): InceptionLayers<Tensor4D> {
  const convolve = (x: Tensor4D, name: string, stride: 1 | 2, padding: "same" | "valid") =>
    tf.add<Tensor4D>(
      tf.conv2d(x, parameters[`${name}.kernel`] as Tensor4D, stride, padding),
      parameters[`${name}.bias`],
    );
  return {
    convolution: (x, name, _outputs, { stride, padding }) =>
      tf.relu(convolve(x, name, stride, padding)),
    entries(x, block, branches, pooled) {
      const all = convolve(x, entryName(block), 1, "valid");
      const sizes = [...Object.values(branches), ...Object.values(pooled)];
      const parts = tf.split<Tensor4D>(all, sizes, 3);
      const count = Object.keys(branches).length;
      return parts.map((part, i) => i < count ? tf.relu(part) : part);
    },
    averagePool: (x) => tf.relu(tf.avgPool(x, 3, 1, "same")),
    maximumPool: (x, stride, padding) => tf.maxPool(x, 3, stride, padding),
    concatenate: (parts) => tf.concat([...parts], 3),
  };
}
