/**
 * @file The weights of the FID Inception network: from the state dictionary of its port to PyTorch to
 * the parameters of `inception.ts`. Batch normalisation with the statistics of training is an affine
 * map of each channel, which becomes part of the convolution before it.
 */
import { FormatError } from "../errors.ts";
import {
  inceptionClasses as classes,
  type InceptionConvolution,
  inceptionFeatures as features,
  type InceptionProduct,
  inceptionProducts,
} from "./inception_architecture.ts";

/** An array of a state dictionary. */
export interface WeightArray {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** What is added to the variance: 0.001 in TensorFlow's graph as in the port. */
const epsilon = 1e-3;

/**
 * The parameters of {@link inceptionNetwork} from the state dictionary of the FID Inception network,
 * as `pt_inception-2015-12-05-6726825d.pth` holds it.
 *
 * Batch normalisation is folded into weights and bias in double precision: with s = γ/√(σ² + 0.001)
 * the filter is sW and the bias β − sμ. Filters become [height, width, inputs, outputs], those of
 * one pixel that a block's branches share lie beside each other. `fc.bias` has to be there and is not
 * used; `num_batches_tracked` and the auxiliary classifier (`AuxLogits`) are passed over.
 *
 * @param tensors by PyTorch's names, as in "Mixed_5b.branch1x1.conv.weight"
 * @returns parameters by name, with the shapes of `inceptionNetwork.parameterShapes`
 * @throws {FormatError} for a name that is missing or not known, for another shape, and for a
 * variance that is not positive
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 * import { FormatError, inceptionParameters } from "vapo";
 * assertThrows(
 *   () => inceptionParameters(new Map()),
 *   FormatError,
 *   "Conv2d_1a_3x3.conv.weight is missing",
 * );
 * ```
 */
export function inceptionParameters(
  tensors: ReadonlyMap<string, WeightArray>,
): Record<string, { shape: number[]; data: Float32Array }> {
  const take = requireArrays(tensors);
  const parameters: Record<string, { shape: number[]; data: Float32Array }> = {};
  for (const product of inceptionProducts) {
    const { size: [height, width], inputs, parts } = product;
    const outputs = parts.reduce((sum, part) => sum + part.outputs, 0);
    const kernel = new Float32Array(height * width * inputs * outputs);
    const bias = new Float32Array(outputs);
    let first = 0;
    for (const part of parts) {
      foldInto({ kernel, bias, first, outputs }, product, part, take);
      first += part.outputs;
    }
    parameters[`${product.name}.kernel`] = {
      shape: [height, width, inputs, outputs],
      data: kernel,
    };
    parameters[`${product.name}.bias`] = { shape: [outputs], data: bias };
  }
  parameters["logits.kernel"] = {
    shape: [features, classes],
    data: transpose(take("fc.weight", [classes, features]), classes, features),
  };
  take("fc.bias", [classes]);
  return parameters;
}

/** The values of an array whose shape is known. */
type Take = (name: string, shape: readonly number[]) => Float32Array;

/** Takes arrays by name, once no array is there that the network has not. */
function requireArrays(tensors: ReadonlyMap<string, WeightArray>): Take {
  const known = new Set(["fc.weight", "fc.bias", ...inceptionProducts.flatMap(arrayNames)]);
  for (const name of tensors.keys()) {
    if (known.has(name) || isPassedOver(name)) continue;
    throw new FormatError(
      `${name} is no array of the FID Inception network: expected the state dictionary of ` +
        "pytorch-fid's weights; pass that file",
    );
  }
  return (name, shape) => {
    const found = tensors.get(name), wanted = `[${shape.join(", ")}]`;
    if (!found) {
      throw new FormatError(
        `${name} is missing: expected an array ${wanted} of the FID Inception network by PyTorch's ` +
          "name; pass pytorch-fid's weights",
      );
    }
    if (String(found.shape) !== String(shape)) {
      throw new FormatError(
        `${name} has the shape [${found.shape.join(", ")}]: expected ${wanted}, as in the FID ` +
          "Inception network; pass pytorch-fid's weights",
      );
    }
    const values = shape.reduce((product, extent) => product * extent, 1);
    if (found.data.length !== values) {
      throw new FormatError(
        `${name} holds ${found.data.length} values: expected ${values}, as its shape says; pass ` +
          "pytorch-fid's weights whole",
      );
    }
    return found.data;
  };
}

function isPassedOver(name: string): boolean {
  return name.endsWith(".num_batches_tracked") || name.startsWith("AuxLogits.");
}

function arrayNames({ parts }: InceptionProduct): string[] {
  const ofPart = ["conv.weight", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"];
  return parts.flatMap(({ name }) => ofPart.map((array) => `${name}.${array}`));
}

/** Where a part's filters go: outputs from `first` on of so many. */
interface FoldTarget {
  readonly kernel: Float32Array;
  readonly bias: Float32Array;
  readonly first: number;
  readonly outputs: number;
}

/** [outputs, inputs, height, width] and its batch normalisation into [height, width, inputs, outputs]. */
function foldInto(
  { kernel, bias, first, outputs }: FoldTarget,
  { size: [height, width], inputs }: InceptionProduct,
  part: InceptionConvolution,
  take: Take,
): void {
  const normalization = (array: string) => take(`${part.name}.bn.${array}`, [part.outputs]);
  const weight = take(`${part.name}.conv.weight`, [part.outputs, inputs, height, width]);
  const [gain, shift] = [normalization("weight"), normalization("bias")];
  const [mean, variance] = [normalization("running_mean"), normalization("running_var")];
  const taps = height * width;
  for (let output = 0; output < part.outputs; output++) {
    const squared = variance[output] + epsilon;
    if (!(squared > 0 && squared < Infinity)) {
      throw new FormatError(
        `${part.name}.bn.running_var has the value ${variance[output]} at ${output}: expected a ` +
          "variance; pass pytorch-fid's weights",
      );
    }
    const scale = gain[output] / Math.sqrt(squared);
    bias[first + output] = shift[output] - scale * mean[output];
    for (let input = 0; input < inputs; input++) {
      const from = (output * inputs + input) * taps;
      for (let tap = 0; tap < taps; tap++) {
        kernel[(tap * inputs + input) * outputs + first + output] = scale * weight[from + tap];
      }
    }
  }
}

/** [rows, columns] → [columns, rows]. */
function transpose(values: Float32Array, rows: number, columns: number): Float32Array {
  const transposed = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      transposed[column * rows + row] = values[row * columns + column];
    }
  }
  return transposed;
}
