/**
 * @file CIFAR-10 and CIFAR-100 in their binary version: the archive as it is handed out, or the files
 * that are in it.
 */
import { basename, join } from "@std/path";
import { cifarFiles, type CifarName, readCifar } from "../../core/data/cifar.ts";
import { type ImageRecords, joinedRecords } from "../../core/data/image_records.ts";
import { officialDatasets } from "../../core/data/official_files.ts";
import { VapoError } from "../../core/errors.ts";
import { readTar } from "../../core/formats/tar.ts";
import { withFileErrors } from "../file_errors.ts";
import { isThere } from "../run_storage.ts";
import { shownPath } from "../user_paths.ts";
import type { SourceRequest } from "./data_sets.ts";
import type { ImageSource } from "./image_source.ts";
import { describeFiles, splitOfRecords } from "./sources_records.ts";
import { verifyFiles } from "./verify.ts";

/** The directory in each archive. */
const directories: Readonly<Record<CifarName, string>> = {
  cifar10: "cifar-10-batches-bin",
  cifar100: "cifar-100-binary",
};

const splits = ["train", "test"] as const;
type Split = typeof splits[number];

/** Reads a file by name; null where there is none. */
type ReadFile = (name: string) => Promise<Uint8Array | null>;

/**
 * Finds the files.
 *
 * @throws {VapoError} where there are none, or not all and not `unverified`
 */
export async function cifarSource(
  name: CifarName,
  { path, unverified }: SourceRequest,
): Promise<ImageSource> {
  const archiveName = officialDatasets[name].files.train[0].name;
  const isFile = async (path: string) =>
    await isThere(path) && (await Deno.stat(path)).isFile ? path : null;
  const location = shownPath(path!);
  return await withFileErrors("open", location, async () => {
    if (!(await Deno.stat(path!)).isDirectory) return await archiveSource(name, path!, unverified);
    for (const folder of [path!, join(path!, directories[name])]) {
      const names = Object.values(cifarFiles[name]).flat();
      const found = (await Promise.all(names.map((name) => isFile(join(folder, name))))).some(
        Boolean,
      );
      if (found) return await folderSource(name, folder, unverified);
    }
    const archive = await isFile(join(path!, archiveName));
    if (archive) return await archiveSource(name, archive, unverified);
    throw new VapoError(
      `${location} has neither ${archiveName} nor ${cifarFiles[name].train[0]}: expected the ` +
        `binary version, from ${officialDatasets[name].homepage}`,
    );
  });
}

async function folderSource(
  name: CifarName,
  folder: string,
  unverified: boolean,
): Promise<ImageSource> {
  const location = shownPath(folder);
  const there = new Set<string>(), missing: string[] = [];
  for (const file of Object.values(cifarFiles[name]).flat()) {
    if (await isThere(join(folder, file))) there.add(file);
    else missing.push(file);
  }
  if (missing.length > 0 && !unverified) throw missingFiles(location, missing);
  const read: ReadFile = (file) =>
    there.has(file)
      ? withFileErrors(
        "read",
        shownPath(join(folder, file)),
        () => Deno.readFile(join(folder, file)),
      )
      : Promise.resolve(null);
  const found = splits.filter((split) => cifarFiles[name][split].some((file) => there.has(file)));
  return {
    ...await described(name, location, [...there].map((file) => join(folder, file)), found, read),
    notices: [],
    verify({ notice }) {
      notice(`${location}: of unpacked files no checksums are published; counts are checked`);
      return Promise.resolve();
    },
  };
}

async function archiveSource(
  name: CifarName,
  path: string,
  unverified: boolean,
): Promise<ImageSource> {
  const location = shownPath(path);
  let files: Promise<Map<string, Uint8Array>> | undefined;
  const read: ReadFile = async (file) => {
    files ??= readArchive(name, path, location);
    const all = await files, bytes = all.get(file) ?? null;
    all.delete(file); // it is read once
    if (bytes === null && !unverified) throw missingFiles(location, [file]);
    return bytes;
  };
  return {
    ...await described(name, location, [path], splits, read),
    notices: [],
    verify: (work) =>
      verifyFiles([{ path, official: officialDatasets[name].files.train[0] }], work),
  };
}

async function described(
  name: CifarName,
  location: string,
  paths: readonly string[],
  found: readonly Split[],
  read: ReadFile,
) {
  return {
    location,
    shape: [32, 32, 3],
    labelsPerImage: name === "cifar100" ? 2 : 1,
    splits: found.map((split) =>
      splitOfRecords(split, location, () => readSplit(name, split, location, read))
    ),
    made: { files: await describeFiles(paths) },
    close() {},
  } as const;
}

async function readSplit(
  name: CifarName,
  split: Split,
  location: string,
  read: ReadFile,
): Promise<ImageRecords> {
  const parts: ImageRecords[] = [];
  for (const file of cifarFiles[name][split]) {
    const bytes = await read(file);
    if (bytes) parts.push(readCifar(bytes, { name, source: `${location}/${file}` }));
  }
  if (parts.length === 0) throw missingFiles(location, cifarFiles[name][split]);
  return joinedRecords(parts);
}

/** The data set's files in an archive, all of them: it can only be read from its start. */
async function readArchive(
  name: CifarName,
  path: string,
  location: string,
): Promise<Map<string, Uint8Array>> {
  const wanted = new Set<string>(Object.values(cifarFiles[name]).flat());
  const found = new Map<string, Uint8Array>();
  const { readable } = await withFileErrors("read", location, () => Deno.open(path));
  for await (const entry of readTar(readable, location)) {
    const file = basename(entry.path);
    if (wanted.has(file)) found.set(file, await entry.bytes());
  }
  return found;
}

function missingFiles(location: string, names: readonly string[]): VapoError {
  return new VapoError(
    `${location} has no ${names.join(", ")}: expected all files of the binary version; or take ` +
      "what is there by --unverified",
  );
}
