import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { FormatError } from "../../../core/errors.ts";
import { fileOfBytes } from "../../../core/formats/random_access.ts";
import { readTorchCheckpoint } from "../../../core/formats/torch_checkpoint.ts";
import { inceptionNetwork } from "../../../core/metrics/inception.ts";
import { inceptionProducts } from "../../../core/metrics/inception_architecture.ts";
import {
  inceptionParameters,
  requireInceptionArrays,
  type WeightArray,
} from "../../../core/metrics/inception_weights.ts";
import { findTorchvision, runInceptionReference } from "../../reference/inception.ts";
import { randomInceptionWeights } from "../../reference/inception_weights.ts";

const weights: ReadonlyMap<string, WeightArray> = randomInceptionWeights(1);
const parameters = inceptionParameters(weights);

/** The weights with some arrays exchanged, or taken out where undefined. */
function changed(changes: Record<string, WeightArray | undefined>): Map<string, WeightArray> {
  const copy = new Map(weights);
  for (const [name, array] of Object.entries(changes)) {
    if (array) copy.set(name, array);
    else copy.delete(name);
  }
  return copy;
}

Deno.test("as many parameters as the paper's network with TensorFlow's 1,008 classes", () => {
  const convolutions = inceptionProducts.flatMap(({ parts }) => parts);
  assertEquals(convolutions.length, 94);
  // 21,785,568 weights of convolutions and of batch normalisation (scale and shift), as torchvision's
  // model has them without its last layer and its auxiliary classifier.
  const own = [...weights].filter(([name]) => /(conv|bn)\.(weight|bias)$/.test(name));
  assertEquals(own.reduce((sum, [, { data }]) => sum + data.length, 0), 21_785_568);
});

Deno.test("parameters have the shapes that the network wants", () => {
  const shapes = Object.entries(parameters).map(([name, { shape }]) => [name, shape]);
  assertEquals(Object.fromEntries(shapes), inceptionNetwork.parameterShapes);
  for (const [name, { shape, data }] of Object.entries(parameters)) {
    assertEquals(data.length, shape.reduce((product, extent) => product * extent, 1), name);
  }
});

Deno.test("a filter is scaled and turned, a bias shifted, by batch normalisation's formula", () => {
  const of = (name: string) => weights.get(`Mixed_5c.branch5x5_2.${name}`)!.data;
  const kernel = parameters["Mixed_5c.branch5x5_2.kernel"].data;
  const bias = parameters["Mixed_5c.branch5x5_2.bias"].data;
  for (const [output, input, row, column] of [[0, 0, 0, 0], [63, 47, 4, 4], [17, 5, 1, 3]]) {
    const scale = of("bn.weight")[output] / Math.sqrt(of("bn.running_var")[output] + 0.001);
    const weight = of("conv.weight")[((output * 48 + input) * 5 + row) * 5 + column];
    const found = kernel[((row * 5 + column) * 48 + input) * 64 + output];
    assertEquals(found, Math.fround(scale * weight));
    const shift = of("bn.bias")[output] - scale * of("bn.running_mean")[output];
    assertEquals(bias[output], Math.fround(shift));
  }
});

Deno.test("branches that share a product lie beside each other", () => {
  const { shape, data } = parameters["Mixed_6b.entries.kernel"];
  assertEquals(shape, [1, 1, 768, 192 + 128 + 128 + 192]);
  const output = 5, input = 300, first = 192 + 128;
  const of = (name: string) => weights.get(`Mixed_6b.branch7x7dbl_1.${name}`)!.data;
  const scale = of("bn.weight")[output] / Math.sqrt(of("bn.running_var")[output] + 0.001);
  const weight = of("conv.weight")[output * 768 + input];
  assertAlmostEquals(data[input * 640 + first + output], scale * weight, 1e-7);
});

Deno.test("the last layer's weights are transposed, its bias is asked for and left out", () => {
  const [row, column] = [1000, 3];
  assertEquals(
    parameters["logits.kernel"].data[column * 1008 + row],
    weights.get("fc.weight")!.data[row * 2048 + column],
  );
  assert(!("logits.bias" in parameters));
  const error = assertThrows(() => inceptionParameters(changed({ "fc.bias": undefined })));
  assert(error instanceof FormatError);
  assert(error.message.startsWith("fc.bias is missing: expected an array [1008]"));
});

Deno.test("counters and the auxiliary classifier are passed over", () => {
  const none = { shape: [], data: Float32Array.of(0) };
  const more = changed({
    "Mixed_5b.branch1x1.bn.num_batches_tracked": none,
    "AuxLogits.conv0.conv.weight": none,
    "AuxLogits.fc.weight": none,
  });
  assertEquals(Object.keys(inceptionParameters(more)), Object.keys(parameters));
});

Deno.test("weights of another network are refused in a line", () => {
  const refused = (changes: Record<string, WeightArray | undefined>, message: string) => {
    const error = assertThrows(() => inceptionParameters(changed(changes)), FormatError, message);
    assert(!error.message.includes("\n"));
  };
  refused(
    { "Mixed_7c.branch_pool.bn.running_mean": undefined },
    "Mixed_7c.branch_pool.bn.running_mean is missing",
  );
  refused(
    { "fc.weight": { shape: [1000, 2048], data: new Float32Array(1000 * 2048) } },
    "fc.weight has the shape [1000, 2048]: expected [1008, 2048]",
  );
  // The same number of values.
  refused(
    { "Conv2d_1a_3x3.conv.weight": { shape: [3, 32, 3, 3], data: new Float32Array(864) } },
    "Conv2d_1a_3x3.conv.weight has the shape [3, 32, 3, 3]: expected [32, 3, 3, 3]",
  );
  refused(
    { "Conv2d_1a_3x3.conv.weight": { shape: [32, 3, 3, 3], data: new Float32Array(863) } },
    "Conv2d_1a_3x3.conv.weight holds 863 values: expected 864",
  );
  refused(
    { "layer1.0.conv1.weight": { shape: [1], data: new Float32Array(1) } },
    "layer1.0.conv1.weight is no array of the FID Inception network",
  );
  const variance = new Float32Array(32).fill(1);
  for (const value of [-1, NaN, Infinity]) {
    refused(
      { "Conv2d_1a_3x3.bn.running_var": { shape: [32], data: variance.with(9, value) } },
      `Conv2d_1a_3x3.bn.running_var has the value ${value} at 9`,
    );
  }
});

Deno.test("names and shapes are enough to refuse weights, and say which values are needed", () => {
  const shapes = new Map([...weights].map(([name, { shape }]) => [name, { shape }]));
  assertEquals(new Set(requireInceptionArrays(shapes)), new Set(weights.keys()));
  shapes.set("AuxLogits.fc.weight", { shape: [1000, 2 ** 40] });
  assert(!requireInceptionArrays(shapes).includes("AuxLogits.fc.weight"));
  shapes.set("fc.bias", { shape: [2 ** 40] });
  assertThrows(() => requireInceptionArrays(shapes), FormatError, "fc.bias has the shape [1099511");
  shapes.set("x".repeat(1000), { shape: [] });
  const error = assertThrows(() => requireInceptionArrays(shapes), FormatError, "is no array of");
  assert(error.message.length < 300);
});

const python = await findTorchvision();
if (python) {
  Deno.test("the state dictionary that PyTorch saves gives the same parameters", async () => {
    const file = await Deno.makeTempFile({ suffix: ".pth" });
    try {
      await runInceptionReference(python, "weights", "1", file);
      const saved = new Map<string, WeightArray>();
      const tensors = await readTorchCheckpoint(fileOfBytes(await Deno.readFile(file), file));
      assert(tensors.has("Mixed_7c.branch_pool.bn.num_batches_tracked"));
      for (const [name, tensor] of tensors) {
        saved.set(name, { shape: tensor.shape, data: await tensor.read() });
      }
      const found = inceptionParameters(saved);
      // Element by element `assertEquals` would take minutes.
      assertEquals(Object.keys(found), Object.keys(parameters));
      for (const [name, array] of Object.entries(parameters)) {
        assert(array.data.every((value, i) => value === found[name].data[i]), name);
      }
    } finally {
      await Deno.remove(file);
    }
  });
}
