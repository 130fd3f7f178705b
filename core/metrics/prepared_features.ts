/**
 * @file A prepared feature network: a directory with its weights and an index that says which network
 * they are of, and what their SHA-256 is. `vapo data inception` and its like write one, an evaluation
 * reads it. Files are read through an interface, so that this runs in a browser too.
 */
import { z } from "zod";
import type { DataFiles } from "../data/prepared_set.ts";
import { FormatError, VapoError } from "../errors.ts";
import {
  decodeSafetensors,
  encodeSafetensors,
  type SafetensorsTensor,
} from "../formats/safetensors.ts";
import { sha256 } from "../formats/sha256.ts";
import { schemaIssue } from "../schema_issue.ts";
import { classifierNetwork } from "./classifier_network.ts";
import type { FeatureNetwork, FeatureNetworkName } from "./feature_network.ts";
import { inceptionNetwork } from "./inception.ts";

/** The names of the files. */
export const NETWORK_INDEX = "index.json", NETWORK_WEIGHTS = "weights.safetensors";

/** The networks, the names that `vapo data` has for them, and what else it has to be told. */
const preparations: Readonly<Record<FeatureNetworkName, { name: string; words: string }>> = {
  "inception-v3-fid": { name: "inception", words: " --source FILE" },
  "mnist-classifier": { name: "mnist-features", words: "" },
  "fashion-mnist-classifier": { name: "fashion-mnist-features", words: "" },
};
const networkNames = Object.keys(preparations) as FeatureNetworkName[];

/** The schema of `index.json`. */
export const preparedNetworkSchema = z.strictObject({
  format: z.literal("vapo-features"),
  version: z.literal(1),
  network: z.enum(networkNames),
  /** Numbers that stand for an image. */
  size: z.int().min(1),
  /** Length of the logits. */
  classes: z.int().min(1),
  /** Of the weights, hexadecimal. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** What the weights are a function of. */
  made: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
});

/** What `index.json` of a prepared network says. */
export type PreparedNetworkIndex = z.infer<typeof preparedNetworkSchema>;

/** An array of a network's parameters: row-major, as many values as its shape says. */
export interface NetworkParameter {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** A network's parameters and what is known of them. */
export interface PreparedNetwork {
  readonly index: PreparedNetworkIndex;
  /** By name, with the shapes of the network's `parameterShapes`. */
  readonly parameters: Readonly<Record<string, NetworkParameter>>;
}

/** The network of a name, without its parameters. */
export function featureNetworkNamed(name: FeatureNetworkName): FeatureNetwork {
  return name === "inception-v3-fid" ? inceptionNetwork : classifierNetwork(name);
}

/**
 * Reads what the index of a prepared network says.
 *
 * @param files the network's directory
 * @throws {VapoError} where there is none, with the command that makes it
 * @throws {FormatError} where it is damaged or of another kind
 * @example
 * ```ts
 * import { assertRejects } from "@std/assert";
 * import { readNetworkIndex, VapoError } from "vapo";
 * const files = { location: "data/inception", read: () => Promise.resolve(null) };
 * await assertRejects(() => readNetworkIndex(files), VapoError, "vapo data inception --source FILE");
 * ```
 */
export async function readNetworkIndex(files: DataFiles): Promise<PreparedNetworkIndex> {
  const source = `${files.location}/${NETWORK_INDEX}`;
  const bytes = await files.read(NETWORK_INDEX);
  if (!bytes) {
    throw new VapoError(
      `there is no ${source}: expected a prepared feature network; make it by ${
        commands(files.location)
      }`,
    );
  }
  const value = parseJson(bytes, source, files.location);
  const result = preparedNetworkSchema.safeParse(value);
  if (!result.success) {
    const { key, given, expected } = schemaIssue(result.error.issues[0], value);
    const subject = key === "" ? "it is" : `"${key}" is`;
    throw new FormatError(
      `${source}: ${subject} ${given ?? "missing"}; ${expected}; ${remedy(files.location)}`,
    );
  }
  return result.data;
}

/**
 * Reads a prepared network: its index, and its parameters once their SHA-256 is the index's and their
 * names and shapes are the network's.
 *
 * @param files the network's directory
 * @throws {VapoError} where there is none, with the command that makes it
 * @throws {FormatError} where a file is missing, damaged, or of another network
 * @example
 * ```ts
 * import { assertRejects } from "@std/assert";
 * import { readPreparedNetwork, VapoError } from "vapo";
 * const files = { location: "data/mnist-features", read: () => Promise.resolve(null) };
 * await assertRejects(() => readPreparedNetwork(files), VapoError, "vapo data mnist-features");
 * ```
 */
export async function readPreparedNetwork(files: DataFiles): Promise<PreparedNetwork> {
  const index = await readNetworkIndex(files);
  const source = `${files.location}/${NETWORK_WEIGHTS}`;
  const wrong = (what: string) => new FormatError(`${source} ${what}; ${remedy(files.location)}`);
  const bytes = await files.read(NETWORK_WEIGHTS);
  if (!bytes) throw wrong(`is missing: expected the weights of ${index.network}`);
  const found = await sha256(bytes);
  if (found !== index.sha256) {
    throw wrong(`is damaged: SHA-256 ${found}, expected ${index.sha256}`);
  }
  const { tensors } = decodeSafetensors(bytes, source);
  const network = featureNetworkNamed(index.network);
  for (const [key, value] of [["size", network.size], ["classes", network.classes]] as const) {
    if (index[key] !== value) {
      throw new FormatError(
        `${files.location}/${NETWORK_INDEX}: "${key}" is ${
          index[key]
        }; expected ${value} of ${index.network}; ${remedy(files.location)}`,
      );
    }
  }
  const problem = parameterProblem(network, tensors);
  if (problem) throw wrong(problem);
  return { index, parameters: tensors as Record<string, NetworkParameter> };
}

/**
 * The files of a prepared network, which {@link readPreparedNetwork} reads. The same parameters give
 * the same bytes.
 *
 * @param name which network
 * @param parameters its parameters by name
 * @param made what they are a function of, for the index
 * @throws {VapoError} where names or shapes are not the network's
 * @example
 * ```ts
 * import { assertRejects } from "@std/assert";
 * import { encodePreparedNetwork, VapoError } from "vapo";
 * const none = encodePreparedNetwork("mnist-classifier", {}, {});
 * await assertRejects(() => none, VapoError, "expected");
 * ```
 */
export async function encodePreparedNetwork(
  name: FeatureNetworkName,
  parameters: Readonly<Record<string, NetworkParameter>>,
  made: PreparedNetworkIndex["made"],
): Promise<{ index: PreparedNetworkIndex; files: Record<string, Uint8Array> }> {
  const network = featureNetworkNamed(name);
  const tensors = Object.fromEntries(
    Object.entries(parameters).map(([name, { shape, data }]): [string, SafetensorsTensor] => [
      name,
      { dtype: "F32", shape, data },
    ]),
  );
  const problem = parameterProblem(network, tensors);
  if (problem) throw new VapoError(`the network ${name} ${problem}: hand in its own parameters`);
  const weights = encodeSafetensors(tensors, { network: name });
  const index: PreparedNetworkIndex = {
    format: "vapo-features",
    version: 1,
    network: name,
    size: network.size,
    classes: network.classes,
    sha256: await sha256(weights),
    made,
  };
  const text = `${JSON.stringify(index, null, 2)}\n`;
  return {
    index,
    files: { [NETWORK_WEIGHTS]: weights, [NETWORK_INDEX]: new TextEncoder().encode(text) },
  };
}

/** What keeps arrays from being a network's parameters, in words. */
function parameterProblem(
  { parameterShapes, name }: FeatureNetwork,
  tensors: Readonly<Record<string, SafetensorsTensor>>,
): string | undefined {
  for (const [key, shape] of Object.entries(parameterShapes)) {
    const tensor = Object.hasOwn(tensors, key) ? tensors[key] : undefined;
    if (tensor?.dtype === "F32" && String(tensor.shape) === String(shape)) continue;
    const there = tensor ? `${tensor.dtype} [${tensor.shape.join(", ")}] for` : "no";
    return `has ${there} ${key}; expected F32 [${shape.join(", ")}], as ${name} has it`;
  }
  const extra = Object.keys(tensors).find((key) => !Object.hasOwn(parameterShapes, key));
  if (extra !== undefined) {
    return `has ${JSON.stringify(extra.slice(0, 60))}; expected nothing that ${name} has not`;
  }
}

function parseJson(bytes: Uint8Array, source: string, location: string): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new FormatError(
      `${source} is no JSON: expected the index of a prepared feature network; ${remedy(location)}`,
    );
  }
}

/** The commands that could make what belongs in a directory: one, where its name says which. */
function commands(location: string): string {
  const all = Object.values(preparations);
  const last = location.split(/[/\\]/).at(-1);
  const meant = all.filter(({ name }) => name === last);
  return (meant.length > 0 ? meant : all).map(({ name, words }) => {
    const out = location === `data/${name}` ? "" : ` --out ${location}`;
    return `"vapo data ${name}${words}${out}"`;
  }).join(" or ");
}

function remedy(location: string): string {
  return `remove ${location} and make it again by ${commands(location)}`;
}
