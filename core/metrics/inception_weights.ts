/**
 * @file The weights of the FID Inception network: from the state dictionary of its port to PyTorch to
 * the parameters of `inception.ts`. Batch normalisation with the statistics of training is an affine
 * map of each channel, which becomes part of the convolution before it.
 */
import { FormatError } from "../errors.ts";
import { quoted } from "../formats/archive_path.ts";
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
  requireInceptionArrays(tensors);
  const take = (name: string) => wholeValues(tensors, name);
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
    data: transpose(take("fc.weight"), classes, features),
  };
  take("fc.bias");
  return parameters;
}

/**
 * Checks that names and shapes are those of the FID Inception network's state dictionary, before any
 * values are read: so nobody has to hold more of them than the network has, 24 million.
 *
 * @param tensors by PyTorch's names
 * @returns the names whose values {@link inceptionParameters} needs
 * @throws {FormatError} for a name that is missing or not known, and for another shape
 */
export function requireInceptionArrays(
  tensors: ReadonlyMap<string, Pick<WeightArray, "shape">>,
): string[] {
  const known = inceptionArrays();
  for (const name of tensors.keys()) {
    if (known.has(name) || isPassedOver(name)) continue;
    throw new FormatError(
      `${quoted(name).slice(1, -1)} is no array of the FID Inception network: expected the state ` +
        "dictionary of pytorch-fid's weights; pass that file",
    );
  }
  for (const [name, shape] of known) {
    const found = tensors.get(name)?.shape, wanted = `[${shape.join(", ")}]`;
    if (!found) {
      throw new FormatError(
        `${name} is missing: expected an array ${wanted} of the FID Inception network by PyTorch's ` +
          "name; pass pytorch-fid's weights",
      );
    }
    if (String(found) !== String(shape)) {
      throw new FormatError(
        `${name} has the shape [${found.join(", ")}]: expected ${wanted}, as in the FID ` +
          "Inception network; pass pytorch-fid's weights",
      );
    }
  }
  return [...known.keys()];
}

/** The shapes of the arrays that are needed, by PyTorch's names. */
function inceptionArrays(): ReadonlyMap<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>();
  for (const { size: [height, width], inputs, parts } of inceptionProducts) {
    for (const { name, outputs } of parts) {
      shapes.set(`${name}.conv.weight`, [outputs, inputs, height, width]);
      for (const array of ["weight", "bias", "running_mean", "running_var"]) {
        shapes.set(`${name}.bn.${array}`, [outputs]);
      }
    }
  }
  return shapes.set("fc.weight", [classes, features]).set("fc.bias", [classes]);
}

/** The values of an array that is there, as many as its shape says. */
function wholeValues(tensors: ReadonlyMap<string, WeightArray>, name: string): Float32Array {
  const { shape, data } = tensors.get(name)!;
  const values = shape.reduce((product, extent) => product * extent, 1);
  if (data.length === values) return data;
  throw new FormatError(
    `${name} holds ${data.length} values: expected ${values}, as its shape says; pass ` +
      "pytorch-fid's weights whole",
  );
}

function isPassedOver(name: string): boolean {
  return name.endsWith(".num_batches_tracked") || name.startsWith("AuxLogits.");
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
  take: (name: string) => Float32Array,
): void {
  const normalization = (array: string) => take(`${part.name}.bn.${array}`);
  const weight = take(`${part.name}.conv.weight`);
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
