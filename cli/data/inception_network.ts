/**
 * @file What `vapo data inception` makes: the FID Inception network from the file of weights that the
 * field uses, pytorch-fid's port of TensorFlow's graph of 2015 (https://github.com/mseitzer/pytorch-fid),
 * read without Python and without running anything that the file says.
 */
import { basename } from "@std/path";
import { FormatError, VapoError } from "../../core/errors.ts";
import { byteSize } from "../../core/formats/byte_size.ts";
import { fileOfBytes } from "../../core/formats/random_access.ts";
import { decodeSafetensors, type SafetensorsTensor } from "../../core/formats/safetensors.ts";
import { sha256 } from "../../core/formats/sha256.ts";
import { readTorchCheckpoint } from "../../core/formats/torch_checkpoint.ts";
import { tensorValues } from "../../core/formats/torch_storage.ts";
import {
  inceptionParameters,
  requireInceptionArrays,
  type WeightArray,
} from "../../core/metrics/inception_weights.ts";
import {
  encodePreparedNetwork,
  type PreparedNetworkIndex,
} from "../../core/metrics/prepared_features.ts";
import { withFileErrors } from "../file_errors.ts";
import { isThere } from "../run_storage.ts";
import { shownPath } from "../user_paths.ts";
import type {
  FeatureNetworkOutcome,
  FeatureNetworkRequest,
  PrepareFeatureNetwork,
} from "./feature_networks.ts";
import { fillNetworkDirectory, networkState } from "./network_directory.ts";

const network = "inception-v3-fid";

/** The file of weights that everybody's distances are taken with. */
export const officialInception = {
  file: "pt_inception-2015-12-05-6726825d.pth",
  origin: "https://github.com/mseitzer/pytorch-fid/releases",
  bytes: 95_628_359,
  sha256: "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
} as const;

/** Ten times what the weights take: more is another file, and is not read. */
const maxBytes = 2 ** 30;

/** Read at a time. */
const pieceBytes = 2 ** 22;

/**
 * Makes the FID Inception network from the official file of weights; from another file of the same
 * arrays, as `torch.save` or safetensors store them, where the request says "unverified".
 */
export const prepareInception: PrepareFeatureNetwork = async (request) => {
  const state = await networkState(request, network);
  if (state.kind === "there") return await alreadyThere(request, state.index);
  if (request.source === undefined) {
    throw state.kind === "damaged" ? new FormatError(state.problem) : missingInception();
  }
  if (state.kind === "damaged") request.onNotice(`${state.problem}: made again`);
  let index: PreparedNetworkIndex | undefined;
  const kind = await fillNetworkDirectory(request, network, async () => {
    const made = await convert(request, request.source!);
    index = made?.index;
    return made?.files ?? null;
  });
  if (kind !== "there") return { kind, facts: index ? factLines(index) : [] };
  return await prepareInception(request); // another process has made it since
};

/** Says that there is no file to read, and where to get it. */
export function missingInception(): VapoError {
  const { file, origin, bytes } = officialInception;
  return new VapoError(
    `inception needs --source FILE: ${file}; get it from ${origin} (${Math.ceil(bytes / 1e6)} MB)`,
  );
}

/** The network is there; where the file is, too, it has to be the one that it was made from. */
async function alreadyThere(
  request: FeatureNetworkRequest,
  index: PreparedNetworkIndex,
): Promise<FeatureNetworkOutcome> {
  const { source, location } = request;
  if (source !== undefined && await isThere(source).catch(() => false)) {
    const bytes = await readSource(request, source);
    if (!bytes) return { kind: "stopped", facts: [] };
    const found = await sha256(bytes);
    if (found !== index.made.sourceSha256) {
      throw new VapoError(
        `${location} was made from a file with the SHA-256 ${index.made.sourceSha256}; ` +
          `${shownPath(source)} has ${found}: choose another --out, or remove ${location}`,
      );
    }
  }
  return { kind: "there", facts: factLines(index) };
}

function factLines({ size, sha256, made }: PreparedNetworkIndex): string[] {
  const origin = made.official
    ? "the field's own weights"
    : `${made.source}, not the official file`;
  return [`Inception-v3, ${size} features; from ${origin}`, `weights ${sha256}`];
}

/** The files of the network; null where the work was stopped. */
async function convert(request: FeatureNetworkRequest, source: string) {
  const bytes = await readSource(request, source);
  if (!bytes) return null;
  const shown = shownPath(source), checksum = await sha256(bytes);
  const official = checksum === officialInception.sha256;
  if (!official && !request.unverified) throw notOfficial(shown, bytes.length, checksum);
  const parameters = await withSource(
    shown,
    async () => inceptionParameters(await readWeights(bytes, shown)),
  );
  if (request.signal.aborted) return null;
  if (!official) {
    request.onNotice(
      `${shown} is taken as it is, with the SHA-256 ${checksum}: distances compare with others' ` +
        "only where its numbers are those of the official file",
    );
  }
  const made = { source: basename(source), sourceSha256: checksum, official };
  return await encodePreparedNetwork(network, parameters, made);
}

/** Reads the whole file; null where the work was stopped. */
async function readSource(
  { signal, onProgress }: FeatureNetworkRequest,
  path: string,
): Promise<Uint8Array<ArrayBuffer> | null> {
  const shown = shownPath(path);
  return await withFileErrors("read", shown, async () => {
    using file = await Deno.open(path);
    const { size, isDirectory } = await file.stat();
    if (isDirectory) throw new VapoError(`cannot read ${shown}: it is a directory: name a file`);
    if (size > maxBytes) {
      throw new FormatError(
        `${shown} is ${byteSize(size)} long; expected the ${
          byteSize(officialInception.bytes)
        } of ${officialInception.file}, and no more than ${
          byteSize(maxBytes)
        }: choose another file`,
      );
    }
    const bytes = new Uint8Array(size);
    const megabytes = (count: number) => Math.ceil(count / 1e6);
    for (let done = 0; done < size;) {
      if (signal.aborted) return null;
      const count = await file.read(bytes.subarray(done, done + pieceBytes));
      if (count === null) return bytes.subarray(0, done); // it has become shorter
      done += count;
      if (size > pieceBytes) onProgress(megabytes(done), megabytes(size), "MB");
    }
    return signal.aborted ? null : bytes;
  });
}

function notOfficial(shown: string, length: number, found: string): VapoError {
  const { file, origin, bytes, sha256 } = officialInception;
  return new VapoError(
    `${shown} has ${length} bytes and the SHA-256 ${found}; expected ${bytes} and ${sha256}, as ` +
      `${file} from ${origin} has: fetch it again, or take this one as it is by --unverified`,
  );
}

/**
 * The network's arrays, of whichever format. Their values are read once names and shapes are known
 * to be the network's: whatever a file claims, no more are held than the network has.
 */
async function readWeights(
  bytes: Uint8Array,
  shown: string,
): Promise<ReadonlyMap<string, WeightArray>> {
  const arrays = await openArrays(bytes, shown), weights = new Map<string, WeightArray>();
  for (const name of requireInceptionArrays(arrays)) {
    const { shape, read } = arrays.get(name)!;
    weights.set(name, { shape, data: await read() });
  }
  return weights;
}

/** An array whose values have not been read. */
interface OpenArray extends Pick<WeightArray, "shape"> {
  read(): Float32Array | Promise<Float32Array>;
}

async function openArrays(
  bytes: Uint8Array,
  shown: string,
): Promise<ReadonlyMap<string, OpenArray>> {
  const isSafetensors = bytes[8] === 0x7b && bytes[0] !== 0x50; // "{" after a length; not "PK"
  if (!isSafetensors) return await readTorchCheckpoint(fileOfBytes(bytes, shown));
  const { tensors } = decodeSafetensors(bytes, shown);
  return new Map(
    Object.entries(tensors).map(([name, tensor]) => {
      const read = () => floats(tensor, `${shown}: ${name}`);
      return [name, { shape: tensor.shape, read }];
    }),
  );
}

/** The types of safetensors by PyTorch's names. */
const dtypes = {
  F64: "float64",
  F32: "float32",
  F16: "float16",
  BF16: "bfloat16",
  I64: "int64",
  I32: "int32",
} as const;

function floats({ dtype, data }: SafetensorsTensor, where: string): Float32Array {
  if (!(dtype in dtypes)) {
    throw new FormatError(
      `${where} is of type ${dtype}; expected one of ${Object.keys(dtypes).join(", ")}: convert it`,
    );
  }
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return tensorValues(bytes, dtypes[dtype as keyof typeof dtypes]);
}

/** Begins messages with the file, where they do not. */
async function withSource<T>(shown: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof FormatError) || error.message.startsWith(shown)) throw error;
    throw new FormatError(`${shown}: ${error.message}`);
  }
}
