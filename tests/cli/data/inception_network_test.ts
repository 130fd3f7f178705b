/** @file `vapo data inception` from the file of weights to the network's directory. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { dataDirectory } from "../../../cli/data_directory.ts";
import type { FeatureNetworkRequest } from "../../../cli/data/feature_networks.ts";
import { prepareInception } from "../../../cli/data/inception_network.ts";
import { fillNetworkDirectory, networkState } from "../../../cli/data/network_directory.ts";
import { FormatError, VapoError } from "../../../core/errors.ts";
import { fileOfBytes } from "../../../core/formats/random_access.ts";
import { encodeSafetensors } from "../../../core/formats/safetensors.ts";
import { sha256 } from "../../../core/formats/sha256.ts";
import { readTorchCheckpoint } from "../../../core/formats/torch_checkpoint.ts";
import { inceptionParameters } from "../../../core/metrics/inception_weights.ts";
import {
  encodePreparedNetwork,
  featureNetworkNamed,
  readPreparedNetwork,
} from "../../../core/metrics/prepared_features.ts";
import { randomInceptionWeights } from "../../reference/inception_weights.ts";
import { recordedFiles } from "../../core/formats/torch_files.ts";
import { filesBelow, inTemporaryDirectory } from "../program.ts";
import { writeFiles } from "./source_files.ts";

/** A request, and what it was told. */
function requestIn(cwd: string, changes: Partial<FeatureNetworkRequest> = {}) {
  const notices: string[] = [], progress: [number, number, string][] = [];
  const request: FeatureNetworkRequest = {
    directory: `${cwd}/net`,
    location: "net",
    unverified: true,
    signal: new AbortController().signal,
    onNotice: (message) => notices.push(message),
    onProgress: (...facts) => progress.push(facts),
    ...changes,
  };
  return { request, notices, progress };
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

Deno.test("from the file of weights: made, found, and made again where a part is lost", () =>
  inTemporaryDirectory(async (cwd) => {
    const arrays = randomInceptionWeights(1), source = `${cwd}/weights.safetensors`;
    const tensors = [...arrays].map(([name, array]) => [name, { dtype: "F32", ...array }] as const);
    await Deno.writeFile(source, encodeSafetensors(Object.fromEntries(tensors)));
    const { request, notices, progress } = requestIn(cwd, { source });

    // Not the official file: refused with both hashes, and nothing is left.
    const refused = await assertRejects(
      () => prepareInception({ ...request, unverified: false }),
      VapoError,
    );
    const checksum = await sha256(await Deno.readFile(source));
    assertStringIncludes(refused.message, checksum);
    assertStringIncludes(refused.message, "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03");
    assertStringIncludes(refused.message, "https://github.com/mseitzer/pytorch-fid/releases");
    assertEquals(await exists(request.directory), false);

    // The right names and shapes, and a type that no weights have.
    const bias = { dtype: "U8", shape: [1008], data: new Uint8Array(1008) } as const;
    const odd = encodeSafetensors({ ...Object.fromEntries(tensors), "fc.bias": bias });
    await Deno.writeFile(`${cwd}/odd.safetensors`, odd);
    const { message } = await assertRejects(
      () => prepareInception({ ...request, source: `${cwd}/odd.safetensors` }),
      FormatError,
    );
    assertStringIncludes(message, "odd.safetensors: fc.bias is of type U8; expected one of F64");
    assertEquals(message.split("odd.safetensors").length, 2);
    notices.length = 0;

    // Stopped: as if nothing had been.
    const stop = new AbortController();
    const stopped = { ...request, signal: stop.signal, onProgress: () => stop.abort() };
    assertEquals(await prepareInception(stopped), { kind: "stopped", facts: [] });
    assertEquals(await exists(request.directory), false);

    progress.length = 0;
    const made = await prepareInception(request);
    assertEquals(made.kind, "made");
    assertStringIncludes(
      made.facts[0],
      "2048 features; from weights.safetensors, not the official",
    );
    assertStringIncludes(notices.join(), "is taken as it is, with the SHA-256");
    assertEquals(progress.at(-1), [96, 96, "MB"]);
    const { index, parameters } = await readPreparedNetwork(dataDirectory(request.directory));
    assertEquals(index.made, {
      source: "weights.safetensors",
      sourceSha256: checksum,
      official: false,
    });
    const { "Conv2d_1a_3x3.kernel": { shape, data } } = inceptionParameters(arrays);
    assertEquals(parameters["Conv2d_1a_3x3.kernel"].shape, shape);
    assertEquals(parameters["Conv2d_1a_3x3.kernel"].data, data);

    // Once more, with the file and without it.
    const modified = async (name: string) =>
      (await Deno.stat(`${request.directory}/${name}`)).mtime;
    const before = await modified("weights.safetensors");
    const gone = { ...request, source: `${cwd}/gone.pth` };
    for (const each of [request, gone]) {
      assertEquals(await prepareInception(each), { kind: "there", facts: made.facts });
    }
    assertEquals(await modified("weights.safetensors"), before);
    await Deno.writeTextFile(`${cwd}/other.pth`, "other");
    await assertRejects(
      () => prepareInception({ ...request, source: `${cwd}/other.pth` }),
      VapoError,
      "choose another --out, or remove net",
    );

    // A lost file is seen; without the source it is an error, with it the network is made again.
    await Deno.remove(`${request.directory}/weights.safetensors`);
    const { source: _source, ...alone } = request;
    await assertRejects(() => prepareInception(alone), FormatError, "is missing: expected the");
    assertEquals((await prepareInception(request)).kind, "made");
    assertStringIncludes(notices.join(), "weights.safetensors is missing");
  }));

Deno.test("names are looked at before values are read", () =>
  inTemporaryDirectory(async (cwd) => {
    // Damaged where its first tensor's values are, which nobody gets to see.
    const bytes = Uint8Array.fromBase64(recordedFiles.checkpoints["network, zip"].file);
    const text = new TextDecoder("latin1").decode(bytes), name = text.indexOf("/data/0");
    const header = text.lastIndexOf("PK\x03\x04", name), view = new DataView(bytes.buffer, header);
    bytes[header + 30 + view.getUint16(26, true) + view.getUint16(28, true)] ^= 1;
    await Deno.writeFile(`${cwd}/other.pth`, bytes);
    const tensors = await readTorchCheckpoint(fileOfBytes(bytes, "other.pth"));
    await assertRejects(() => tensors.get("0.weight")!.read(), FormatError, "CRC-32");
    const { request } = requestIn(cwd, { source: `${cwd}/other.pth` });
    await assertRejects(() => prepareInception(request), FormatError, "0.weight is no array of");
  }));

Deno.test("files that are no weights are refused with what they are, and leave nothing", () =>
  inTemporaryDirectory(async (cwd) => {
    const file = (name: string) => Uint8Array.fromBase64(name);
    await writeFiles(cwd, {
      "hostile.pth": file(recordedFiles.refused["os.system, legacy"].file),
      "bare.pth": file(recordedFiles.refused["eval, bare, protocol 2"].file),
      "other.pth": file(recordedFiles.checkpoints["network, legacy"].file),
      "archive.pth": file(recordedFiles.checkpoints["network, zip"].file),
      "other.safetensors": encodeSafetensors({
        x: { dtype: "U8", shape: [1], data: Uint8Array.of(1) },
      }),
      "empty.pth": "",
      "folder/note.txt": "",
    });
    const cases: [name: string, words: string][] = [
      ["hostile.pth", "its pickle calls or names posix.system at byte"],
      ["bare.pth", "__builtin__.eval"],
      ["other.pth", "other.pth: 0.weight is no array of the FID Inception network"],
      ["archive.pth", "archive.pth: 0.weight is no array of the FID Inception network"],
      ["other.safetensors", "other.safetensors: x is no array of the FID Inception network"],
      ["empty.pth", "empty.pth is 0 bytes long"],
      ["folder", "it is a directory"],
      ["none.pth", "there is no such file"],
    ];
    for (const [name, words] of cases) {
      const { request } = requestIn(cwd, { source: `${cwd}/${name}` });
      const error = await assertRejects(() => prepareInception(request), VapoError);
      assertStringIncludes(error.message, words);
      assert(!error.message.includes("\n"), error.message);
      assertEquals(await exists(request.directory), false, name);
    }
    const { request } = requestIn(cwd);
    await assertRejects(
      () => prepareInception(request),
      VapoError,
      "inception needs --source FILE",
    );
  }));

Deno.test("what else is in the directory is never written over", () =>
  inTemporaryDirectory(async (cwd) => {
    const { request } = requestIn(cwd, { source: `${cwd}/x.pth` });
    const others: Record<string, string>[] = [
      { "net/note.txt": "mine" },
      { "net/weights.safetensors": "somebody's" },
      { "net/index.json": "{}" },
      { "net/index.json": '{"format":"vapo-images"}' },
    ];
    for (const files of others) {
      await writeFiles(cwd, files);
      const before = await filesBelow(cwd);
      await assertRejects(() => prepareInception(request), VapoError, "net");
      assertEquals(await filesBelow(cwd), before);
      await Deno.remove(`${cwd}/net`, { recursive: true });
    }
  }));

const small = featureNetworkNamed("mnist-classifier");

async function smallNetwork(seed: number): Promise<Record<string, Uint8Array>> {
  const parameters = Object.entries(small.parameterShapes).map(([name, shape]) => {
    const length = shape.reduce((product, size) => product * size, 1);
    return [name, { shape, data: new Float32Array(length).fill(seed) }];
  });
  const made = { seed };
  const { files } = await encodePreparedNetwork(
    "mnist-classifier",
    Object.fromEntries(parameters),
    made,
  );
  return files;
}

Deno.test("a directory is filled once, by one at a time", () =>
  inTemporaryDirectory(async (cwd) => {
    const target = { directory: `${cwd}/net`, location: "net" };
    const fill = (seed: number, during = () => Promise.resolve()) =>
      fillNetworkDirectory(target, "mnist-classifier", async () => {
        await during();
        return await smallNetwork(seed);
      });
    const first = await fill(1, async () => {
      await assertRejects(() => fill(2), VapoError, "net is in use by process");
    });
    assertEquals(first, "made");
    assertEquals(await fill(3), "there");
    const state = await networkState(target, "mnist-classifier");
    assertEquals(state.kind === "there" && state.index.made, { seed: 1 });
    await assertRejects(
      () => networkState(target, "fashion-mnist-classifier"),
      VapoError,
      "net holds another network: mnist-classifier",
    );
  }));

Deno.test("what a killed process leaves is cleared away, and the network made", () =>
  inTemporaryDirectory(async (cwd) => {
    await writeFiles(cwd, {
      "net/.lock": "1\n",
      "net/.tmp-01234567-weights.safetensors": "half",
      "net/weights.safetensors": "whole, without its index",
    });
    const target = { directory: `${cwd}/net`, location: "net" };
    assertEquals(await networkState(target, "mnist-classifier"), { kind: "empty" });
    const failing = fillNetworkDirectory(target, "mnist-classifier", () => {
      throw new VapoError("no luck");
    });
    await assertRejects(() => failing, VapoError, "no luck");
    const kind = await fillNetworkDirectory(target, "mnist-classifier", () => smallNetwork(1));
    assertEquals(kind, "made");
    assertEquals([...(await filesBelow(`${cwd}/net`)).keys()], [
      "index.json",
      "weights.safetensors",
    ]);
  }));
