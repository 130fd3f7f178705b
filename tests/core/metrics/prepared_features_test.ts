import { assert, assertEquals, assertRejects } from "@std/assert";
import { FormatError, VapoError } from "../../../core/errors.ts";
import { encodeSafetensors } from "../../../core/formats/safetensors.ts";
import { sha256 } from "../../../core/formats/sha256.ts";
import {
  encodePreparedNetwork,
  featureNetworkNamed,
  NETWORK_INDEX,
  NETWORK_WEIGHTS,
  type NetworkParameter,
  readNetworkIndex,
  readPreparedNetwork,
} from "../../../core/metrics/prepared_features.ts";

const network = featureNetworkNamed("mnist-classifier");

const parameters: Record<string, NetworkParameter> = Object.fromEntries(
  Object.entries(network.parameterShapes).map(([name, shape], k) => {
    const length = shape.reduce((product, size) => product * size, 1);
    return [name, { shape, data: Float32Array.from({ length }, (_, i) => k + i / length) }];
  }),
);
const { files: contents, index } = await encodePreparedNetwork("mnist-classifier", parameters, {
  seed: 7,
});

/** Files in memory, some of them changed, or taken away where null. */
function filesOf(changes: Record<string, Uint8Array | string | null> = {}, location = "net") {
  const all: Record<string, Uint8Array | string | null> = { ...contents, ...changes };
  const read = (name: string) => {
    const content = all[name] ?? null;
    return Promise.resolve(typeof content === "string" ? encode(content) : content);
  };
  return { location, read };
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

const changedIndex = (changes: Record<string, unknown>) => ({
  [NETWORK_INDEX]: JSON.stringify({ ...index, ...changes }),
});

Deno.test("what is written is read back", async () => {
  const read = await readPreparedNetwork(filesOf());
  assertEquals(read.index, {
    format: "vapo-features",
    version: 1,
    network: "mnist-classifier",
    size: network.size,
    classes: network.classes,
    sha256: await sha256(contents[NETWORK_WEIGHTS]),
    made: { seed: 7 },
  });
  assertEquals(await readNetworkIndex(filesOf()), read.index);
  assertEquals(Object.keys(read.parameters).sort(), Object.keys(parameters).sort());
  for (const [name, { shape, data }] of Object.entries(parameters)) {
    assertEquals(read.parameters[name].shape, shape);
    assertEquals(read.parameters[name].data, data);
  }
});

const nothing: [location: string, command: string][] = [
  ["data/inception", 'make it by "vapo data inception --source FILE"'],
  ["data/mnist-features", 'make it by "vapo data mnist-features"'],
  ["/nets/fashion-mnist-features", '"vapo data fashion-mnist-features --out /nets/fashion'],
  ["net", '"vapo data inception --source FILE --out net" or "vapo data mnist-features --out net"'],
];

Deno.test("where there is nothing, the message has the command that makes it", async () => {
  for (const [location, command] of nothing) {
    const files = { location, read: () => Promise.resolve(null) };
    const { message } = await assertRejects(() => readPreparedNetwork(files), VapoError, command);
    assert(message.startsWith(`there is no ${location}/index.json: expected`), message);
  }
});

async function assertRefused(
  changes: Record<string, Uint8Array | string | null>,
  words: string,
): Promise<void> {
  const files = filesOf(changes);
  const { message } = await assertRejects(() => readPreparedNetwork(files), FormatError, words);
  assert(message.startsWith("net/") && !message.includes("\n"), message);
  assert(message.includes("; remove net and make it again by"), message);
}

Deno.test("a damaged index is an error that says what is wrong", async () => {
  await assertRefused({ [NETWORK_INDEX]: "{" }, "is no JSON");
  await assertRefused({ [NETWORK_INDEX]: "[]" }, "it is []");
  await assertRefused(changedIndex({ format: "vapo-images" }), '"format" is "vapo-images"');
  await assertRefused(changedIndex({ version: 2 }), '"version" is 2');
  await assertRefused(changedIndex({ network: "resnet" }), '"network" is "resnet"');
  await assertRefused(changedIndex({ sha256: "abc" }), '"sha256" is "abc"');
  await assertRefused(changedIndex({ size: 64 }), `"size" is 64; expected ${network.size}`);
  await assertRefused(changedIndex({ more: 1 }), "more");
});

/** Other weights, with an index that has their SHA-256. */
async function withWeights(arrays: Record<string, NetworkParameter>) {
  const bytes = encodeSafetensors(
    Object.fromEntries(
      Object.entries(arrays).map(([name, array]) => [name, { dtype: "F32", ...array }]),
    ),
  );
  return { [NETWORK_WEIGHTS]: bytes, ...changedIndex({ sha256: await sha256(bytes) }) };
}

Deno.test("weights that are not the index's or the network's are errors", async () => {
  await assertRefused({ [NETWORK_WEIGHTS]: null }, "is missing: expected the weights of mnist-");
  const flipped = contents[NETWORK_WEIGHTS].slice();
  flipped[flipped.length - 1] ^= 1;
  await assertRefused({ [NETWORK_WEIGHTS]: flipped }, "is damaged: SHA-256 ");
  const [name, array] = Object.entries(parameters)[0];
  const { [name]: _without, ...rest } = parameters;
  await assertRefused(await withWeights(rest), `has no ${name}; expected F32 [`);
  const flat = { shape: [array.data.length], data: array.data };
  await assertRefused(
    await withWeights({ ...parameters, [name]: flat }),
    `has F32 [${array.data.length}] for ${name}`,
  );
  await assertRefused(await withWeights({ ...parameters, extra: array }), 'has "extra"; expected');
  await assertRefused(
    changedIndex({ network: "inception-v3-fid", size: 2048, classes: 1008 }),
    "as inception-v3-fid has it",
  );
});

Deno.test("parameters of another network are not written", async () => {
  const made = encodePreparedNetwork("inception-v3-fid", parameters, {});
  await assertRejects(() => made, VapoError, "the network inception-v3-fid has no");
});
