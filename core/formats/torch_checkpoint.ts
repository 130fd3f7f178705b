/**
 * @file Tensors that `torch.save` wrote, read without PyTorch and without running what the file
 * says: torch/serialization.py in both of its layouts.
 *
 * Since PyTorch 1.6 a ZIP archive, nothing in it compressed:
 *
 *     NAME/data.pkl        the object; storages are persistent ids
 *     NAME/data/KEY        the elements of a storage
 *     NAME/byteorder       "little" or "big", since 2.1
 *     NAME/version         "3"
 *
 * Before, and still with `_use_new_zipfile_serialization=False`, one after the other:
 *
 *     pickle               0x1950a86a20f9469cfc6c
 *     pickle               1001, the version
 *     pickle               {protocol_version, little_endian, type_sizes}
 *     pickle               the object
 *     pickle               [KEY, ...]
 *     for each KEY         its number of elements, int64, and the elements
 *
 * A storage's persistent id is ("storage", class, KEY, device, number of elements), in the older
 * layout followed by None or (KEY, offset, length) of a part that it is.
 */

import { FormatError } from "../errors.ts";
import { quoted } from "./archive_path.ts";
import {
  isTuple,
  orderedDictionary,
  type PickleContent,
  type PickleGlobal,
  pickleItems,
  type PickleOptions,
  readPickle,
  readPickleSoFar,
} from "./pickle.ts";
import { type RandomAccessFile, readExactly } from "./random_access.ts";
import {
  checkView,
  elementBytes,
  gatherView,
  storageClasses,
  type StridedView,
  type TorchDtype,
  viewExtent,
} from "./torch_storage.ts";
import { openZip, type ZipArchive, type ZipEntry } from "./zip.ts";

export type { TorchDtype } from "./torch_storage.ts";

/** A tensor of a checkpoint. */
export interface TorchTensor {
  /** The type of its elements in the file. */
  readonly dtype: TorchDtype;
  readonly shape: readonly number[];
  /**
   * Reads its elements, row-major, whatever their order in the file. What float32 cannot hold is
   * rounded; truth values are 0 and 1.
   *
   * @throws {FormatError} where they are damaged.
   */
  read(): Promise<Float32Array<ArrayBuffer>>;
}

/**
 * Reads the tensors of a file that `torch.save` wrote, by name. Of dictionaries in dictionaries the
 * names are joined by "."; where the outermost has an entry "state_dict", that one is read. Whatever
 * is no tensor is passed over. Nothing in the file is run: what names anything but tensors and
 * dictionaries is refused. The elements are read when a tensor is asked for them: check its shape
 * before, a small file can have large tensors of one repeated element.
 *
 * Source: torch/serialization.py and torch/_utils.py of PyTorch 1.0 to 2.7.
 *
 * @param file the checkpoint, of either layout, little-endian
 * @throws {FormatError} where it is another format, cut short, damaged, big-endian or compressed,
 * names anything that is not allowed, has a tensor that leaves its storage, names of more than 1,024
 * characters or 4 MiB in all, or no tensor at all.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { readTorchCheckpoint } from "vapo";
 * // torch.save({"x": torch.tensor([[0.5], [-1.0]])}, "x.pth",
 * //   _use_new_zipfile_serialization=False)
 * const bytes = Uint8Array.fromBase64(
 *   "gAKKCmz8nEb5IGqoUBkugAJN6QMugAJ9cQAoWBAAAABwcm90b2NvbF92ZXJzaW9ucQFN6QNYDQAAAGxpdHRs" +
 *   "ZV9lbmRpYW5xAohYCgAAAHR5cGVfc2l6ZXNxA31xBChYBQAAAHNob3J0cQVLAlgDAAAAaW50cQZLBFgEAAAA" +
 *   "bG9uZ3EHSwR1dS6AAn1xAFgBAAAAeHEBY3RvcmNoLl91dGlscwpfcmVidWlsZF90ZW5zb3JfdjIKcQIoKFgH" +
 *   "AAAAc3RvcmFnZXEDY3RvcmNoCkZsb2F0U3RvcmFnZQpxBFgJAAAAMTMwMzA1NDA4cQVYAwAAAGNwdXEGSwJO" +
 *   "dHEHUUsASwJLAYZxCEsBSwGGcQmJY2NvbGxlY3Rpb25zCk9yZGVyZWREaWN0CnEKKVJxC3RxDFJxDXMugAJd" +
 *   "cQBYCQAAADEzMDMwNTQwOHEBYS4CAAAAAAAAAAAAAD8AAIC/",
 * );
 * const tensors = await readTorchCheckpoint({
 *   source: "x.pth",
 *   size: bytes.length,
 *   read: (offset, length) => Promise.resolve(bytes.slice(offset, offset + length)),
 * });
 * assertEquals(tensors.get("x")!.shape, [2, 1]);
 * assertEquals(await tensors.get("x")!.read(), Float32Array.of(0.5, -1));
 * ```
 */
export async function readTorchCheckpoint(
  file: RandomAccessFile,
): Promise<ReadonlyMap<string, TorchTensor>> {
  const start = await file.read(0, Math.min(4, file.size));
  const isZip = start[0] === 0x50 && start[1] === 0x4b;
  const { object, readStorage } = isZip ? await readArchive(file) : await readLegacy(file);
  return namedTensors(object, file, readStorage);
}

// What pickles make

/** The elements that tensors share. */
interface Storage {
  readonly key: string;
  readonly dtype: TorchDtype;
  /** How many elements it has. */
  readonly length: number;
}

/** A storage, or a part of one. */
interface StorageView {
  readonly storage: Storage;
  /** Where the part begins, in elements. */
  readonly offset: number;
  readonly length: number;
}

/** A tensor that nothing has been checked of. */
interface PickledTensor {
  readonly kind: "tensor";
  readonly source: StorageView;
  readonly view: StridedView;
}

/** Reads elements `begin` to `end` of a storage; `shared` says that others will ask for it too. */
type ReadStorage = (
  storage: Storage,
  begin: number,
  end: number,
  shared: boolean,
) => Promise<{ bytes: Uint8Array; firstElement: number }>;

/** The object of a file, and how its storages are read. */
interface TorchFile {
  readonly object: unknown;
  readonly readStorage: ReadStorage;
}

const storageTypes = new Map<unknown, TorchDtype>();

/** `torch.FloatStorage`; `torch.cuda.FloatStorage` of a file that was written on a GPU. */
const storageGlobals = storageClasses.flatMap(({ dtype, name }) =>
  ["torch", "torch.cuda"].map((module): PickleGlobal => {
    const global = { name: `${module}.${name}` };
    storageTypes.set(global, dtype);
    return global;
  })
);

/** _rebuild_tensor(storage, offset, size, stride); version 2 has further arguments, for training. */
function rebuildTensor(name: string): PickleGlobal {
  return {
    name: `torch._utils.${name}`,
    takesState: true,
    call([source, offset, shape, strides]): PickledTensor {
      const sizes = pickleItems(shape), steps = pickleItems(strides);
      const numbers = [offset, ...sizes ?? [null], ...steps ?? [null]];
      if (!isStorageView(source) || !numbers.every((each) => typeof each === "number")) {
        throw new FormatError(`${name} is called with something else than a storage and its view`);
      }
      return {
        kind: "tensor",
        source,
        view: {
          offset: offset as number,
          shape: sizes as number[],
          strides: steps as number[],
        },
      };
    },
  };
}

/** _rebuild_parameter(tensor, requires_grad, backward_hooks): the tensor. */
function rebuildParameter(name: string): PickleGlobal {
  return {
    name: `torch._utils.${name}`,
    takesState: true,
    call([tensor]): PickledTensor {
      if (isTensor(tensor)) return tensor;
      throw new FormatError(`${name} is called with something else than a tensor`);
    },
  };
}

/** All that a checkpoint may name. */
const torchGlobals: readonly PickleGlobal[] = [
  rebuildTensor("_rebuild_tensor_v2"),
  rebuildParameter("_rebuild_parameter"),
  orderedDictionary,
  rebuildTensor("_rebuild_tensor"),
  rebuildParameter("_rebuild_parameter_with_state"),
  ...storageGlobals,
];

function isTensor(value: unknown): value is PickledTensor {
  return (value as { kind?: unknown } | null)?.kind === "tensor";
}

function isStorageView(value: unknown): value is StorageView {
  return typeof value === "object" && value !== null && "storage" in value;
}

/** A table of storages by key, which persistent ids fill. */
function storageTable(storages: Map<string, Storage>): (id: unknown) => StorageView {
  return (id) => {
    const [kind, type, key, , length, part] = isTuple(id) ? id.tuple : [];
    const dtype = storageTypes.get(type);
    const isCount = Number.isSafeInteger(length) && length as number >= 0;
    if (kind !== "storage" || !dtype || typeof key !== "string" || !isCount) {
      throw new FormatError("it has the id of something else than a storage");
    }
    const known = storages.get(key);
    const storage = known ?? { key, dtype, length: length as number };
    if (storage.dtype !== dtype || storage.length !== length) {
      throw new FormatError(
        `it has a second storage ${
          quoted(key)
        }, of ${length} ${dtype} and not ${storage.length} ${storage.dtype}`,
      );
    }
    storages.set(key, storage);
    return partOf(storage, part);
  };
}

/** A part of a storage as versions before 0.4 save it, or the whole. */
function partOf(storage: Storage, part: unknown): StorageView {
  if (part === undefined || part === null) return { storage, offset: 0, length: storage.length };
  const [, offset, length] = isTuple(part) ? part.tuple : [];
  const isPart = Number.isSafeInteger(offset) && Number.isSafeInteger(length) &&
    offset as number >= 0 && length as number >= 0 &&
    (offset as number) + (length as number) <= storage.length;
  if (!isPart) throw new FormatError(`it has a part that leaves storage ${quoted(storage.key)}`);
  return { storage, offset: offset as number, length: length as number };
}

// From the object to tensors by name

/** How deep dictionaries may lie in dictionaries, and how many values they may have in all. */
const maxDepth = 32, maxValues = 1_000_000;
/**
 * Characters of a tensor's name, and of all names: those of large models have up to 200, and some
 * 10⁶ together. A name repeats the keys above it, so that a small file could have long ones.
 */
const maxNameLength = 1024, maxNameCharacters = 2 ** 22;

function namedTensors(
  object: unknown,
  file: RandomAccessFile,
  readStorage: ReadStorage,
): ReadonlyMap<string, TorchTensor> {
  const wrapped = object instanceof Map ? object.get("state_dict") : undefined;
  const found = new Map<string, PickledTensor>();
  collect(wrapped instanceof Map ? wrapped : object, file.source, found);
  if (found.size === 0) {
    throw new FormatError(
      `${file.source} has 0 tensors with names; expected a dictionary of them: write it with torch.save(model.state_dict(), …)`,
    );
  }
  const users = new Map<Storage, number>();
  for (const { source: { storage } } of found.values()) {
    users.set(storage, (users.get(storage) ?? 0) + 1);
  }
  return new Map(
    [...found].map(([name, tensor]) => {
      const where = `${file.source}: tensor ${quoted(name)}`;
      const shared = users.get(tensor.source.storage)! > 1;
      return [name, openTensor(tensor, file, where, shared, readStorage)];
    }),
  );
}

/** Gathers the tensors of a dictionary, and of those in it. */
function collect(object: unknown, source: string, found: Map<string, PickledTensor>): void {
  let values = 0, characters = 0;
  const visit = (value: unknown, name: string, depth: number): void => {
    // The same dictionary may come many times, or in itself: as often as there is patience for it.
    if (++values > maxValues || depth > maxDepth) {
      throw new FormatError(
        `${source} has more than ${maxValues} values or ${maxDepth} dictionaries in each other; expected a state dict: write it with torch.save(model.state_dict(), …)`,
      );
    }
    const isNamed = isTensor(value) && depth > 0;
    if (isNamed) characters += name.length;
    if ((isNamed || value instanceof Map) && name.length > maxNameLength) {
      throw new FormatError(
        `${source} has a name of ${name.length} characters, ${
          quoted(name)
        }; expected at most ${maxNameLength}: rename it and write the file again`,
      );
    }
    if (characters > maxNameCharacters) {
      throw new FormatError(
        `${source} has ${found.size} tensors whose names have more than ${maxNameCharacters} characters in all; expected a state dict: write it with torch.save(model.state_dict(), …)`,
      );
    }
    if (isNamed) {
      if (found.has(name)) {
        throw new FormatError(
          `${source} has 2 tensors ${
            quoted(name)
          }; expected every name once: rename one and write it again`,
        );
      }
      found.set(name, value);
    } else if (value instanceof Map) {
      for (const [key, inner] of value) {
        if (typeof key !== "string" && typeof key !== "number") continue;
        visit(inner, depth === 0 ? String(key) : `${name}.${key}`, depth + 1);
      }
    }
  };
  visit(object, "", 0);
}

function openTensor(
  { source, view: { offset, shape, strides } }: PickledTensor,
  file: RandomAccessFile,
  where: string,
  shared: boolean,
  readStorage: ReadStorage,
): TorchTensor {
  const { storage } = source;
  checkView({ offset, shape, strides }, source.length, file.size, where);
  const view = { offset: source.offset + offset, shape, strides };
  const [begin, end] = viewExtent(view);
  return {
    dtype: storage.dtype,
    shape: [...shape],
    async read() {
      const { bytes, firstElement } = await readStorage(storage, begin, end, shared);
      return gatherView(bytes, storage.dtype, view, firstElement);
    },
  };
}

// The ZIP layout

/** No pickle of tensors is nearly as long. */
const maxPickleBytes = 2 ** 26;

async function readArchive(file: RandomAccessFile): Promise<TorchFile> {
  const archive = await openZip(file, { maxEntryBytes: file.size });
  const main = archive.entries.find(({ path }) => /^[^/]+\/data\.pkl$/.test(path));
  if (!main) {
    throw new FormatError(
      `${file.source} is a ZIP archive of ${archive.entries.length} files without data.pkl; expected one that torch.save wrote: choose another file`,
    );
  }
  const folder = main.path.slice(0, -"data.pkl".length);
  const entries = new Map(archive.entries.map((entry) => [entry.path, entry]));
  await requireLittleEndian(archive, entries.get(`${folder}byteorder`), file.source);
  const bytes = await readStored(archive, main, file.source, maxPickleBytes);
  const storages = new Map<string, Storage>();
  const { value } = readPickle(bytes, {
    source: file.source,
    globals: torchGlobals,
    persistentLoad: storageTable(storages),
  });
  for (const storage of storages.values()) {
    storageEntry(storage, entries.get(`${folder}data/${storage.key}`), file.source);
  }
  const kept = new Map<string, Promise<Uint8Array>>();
  return {
    object: value,
    // A whole storage at a time, for its checksum's sake.
    async readStorage(storage, _begin, _end, shared) {
      const entry = entries.get(`${folder}data/${storage.key}`)!;
      const reading = kept.get(storage.key) ??
        readStored(archive, entry, file.source, Infinity);
      if (shared) kept.set(storage.key, reading);
      return { bytes: await reading, firstElement: 0 };
    },
  };
}

async function requireLittleEndian(
  archive: ZipArchive,
  entry: ZipEntry | undefined,
  source: string,
): Promise<void> {
  if (!entry) return; // before 2.1 there was none, and no big-endian machine that mattered
  const bytes = await readStored(archive, entry, source, 16);
  const order = new TextDecoder("latin1").decode(bytes).trim();
  if (order !== "little") refuseBigEndian(source, `byteorder ${quoted(order)}`);
}

function refuseBigEndian(source: string, found: string): never {
  throw new FormatError(
    `${source} has ${found}; expected numbers in little-endian order, byte 0 first: load it and write it again on a little-endian machine`,
  );
}

/** Reads an entry, which `torch.save` never compresses: a small file cannot become a large one. */
async function readStored(
  archive: ZipArchive,
  entry: ZipEntry,
  source: string,
  maxBytes: number,
): Promise<Uint8Array> {
  const { path, size, method } = entry;
  if (method !== 0 || size > maxBytes) {
    throw new FormatError(
      `${source}: entry ${quoted(path)} is ${
        method === 0 ? `${size} bytes long` : `compressed by method ${method}`
      }; expected ${
        method === 0 ? `at most ${maxBytes}` : "0, none, as torch.save writes"
      }: do not trust this file, or write it again`,
    );
  }
  return await archive.read(entry);
}

function storageEntry(storage: Storage, entry: ZipEntry | undefined, source: string): void {
  const expected = storage.length * elementBytes(storage.dtype);
  if (entry?.size === expected) return;
  throw new FormatError(
    `${source}: storage ${quoted(storage.key)} ${
      entry ? `is ${entry.size} bytes long` : "is missing"
    }; expected ${expected} for ${storage.length} ${storage.dtype}: it is damaged, download it again`,
  );
}

// The layout before 1.6

const magicNumber = 0x1950a86a20f9469cfc6cn;
const legacyVersion = 1001;

async function readLegacy(file: RandomAccessFile): Promise<TorchFile> {
  const plain = { source: file.source, globals: [] };
  let position = 0;
  const next = async (options: PickleOptions): Promise<unknown> => {
    const { value, length } = await readPickleAt(file, position, options);
    position += length;
    return value;
  };
  await requirePickle(file);
  if (await next(plain) !== magicNumber) {
    throw new FormatError(
      `${file.source} begins with another pickle than 0x${
        magicNumber.toString(16)
      }; expected a file that torch.save wrote: choose another file`,
    );
  }
  const version = await next(plain);
  if (version !== legacyVersion) {
    throw new FormatError(
      `${file.source} is of version ${
        quoted(String(version))
      }; expected ${legacyVersion}: write it again with another version of PyTorch`,
    );
  }
  const system = await next(plain);
  const isLittle = system instanceof Map ? system.get("little_endian") : undefined;
  if (isLittle !== true) refuseBigEndian(file.source, `little_endian ${quoted(String(isLittle))}`);
  const storages = new Map<string, Storage>();
  const options = { source: file.source, globals: torchGlobals };
  // A pickle is begun again where it was not read whole, and fills the same table.
  const object = await next({ ...options, persistentLoad: storageTable(storages) });
  const keys = await next(plain);
  const places = await findStorages(file, position, keys, storages);
  return { object, readStorage: legacyReader(file, places) };
}

/** What begins neither as a ZIP archive nor as a pickle is something else altogether. */
async function requirePickle(file: RandomAccessFile): Promise<void> {
  const first = String.fromCharCode(...await file.read(0, Math.min(1, file.size)));
  // PROTO, or MARK, GLOBAL or a number, as which protocol 0 may begin.
  if (first !== "" && "\x80(cIL".includes(first)) return;
  throw new FormatError(
    `${file.source} is ${file.size} bytes long and begins neither as a ZIP archive nor as a pickle; expected a file that torch.save wrote: choose another file`,
  );
}

/** Reads a pickle whose length nothing tells: of more and more bytes, until it has its end. */
async function readPickleAt(
  file: RandomAccessFile,
  position: number,
  options: PickleOptions,
): Promise<PickleContent> {
  for (let length = 2 ** 16;; length *= 4) {
    const rest = Math.min(file.size - position, maxPickleBytes);
    const bytes = await file.read(position, Math.min(length, rest));
    if (length >= rest) return readPickle(bytes, options);
    const content = readPickleSoFar(bytes, options);
    if (content) return content;
  }
}

/** Where each storage's elements begin. */
async function findStorages(
  file: RandomAccessFile,
  start: number,
  keys: unknown,
  storages: ReadonlyMap<string, Storage>,
): Promise<ReadonlyMap<string, number>> {
  const fail = (found: string, expected: string): never => {
    throw new FormatError(
      `${file.source} ${found}; expected ${expected}: it is cut short or damaged, download it again`,
    );
  };
  const places = new Map<string, number>();
  let position = start;
  for (const key of Array.isArray(keys) ? keys : fail("has no list of storages", "one")) {
    const storage = storages.get(key);
    if (!storage || places.has(key)) return fail(`lists storage ${quoted(String(key))}`, "its own");
    const what = `storage ${quoted(storage.key)}`;
    const head = await readExactly(file, position, 8, `the length of ${what}`);
    const length = new DataView(head.buffer, head.byteOffset, 8).getBigInt64(0, true);
    if (length !== BigInt(storage.length)) {
      fail(`has ${length} elements in ${what} at byte ${position}`, `${storage.length}`);
    }
    position += 8;
    places.set(storage.key, position);
    position += storage.length * elementBytes(storage.dtype);
    if (position > file.size) {
      fail(`is ${file.size} bytes long`, `${what} to end at byte ${position}`);
    }
  }
  for (const { key } of storages.values()) {
    if (!places.has(key)) fail(`has no storage ${quoted(key)}`, `${storages.size} of them`);
  }
  return places;
}

function legacyReader(file: RandomAccessFile, places: ReadonlyMap<string, number>): ReadStorage {
  return async ({ key, dtype }, begin, end) => {
    const size = elementBytes(dtype);
    const place = places.get(key)! + begin * size;
    const bytes = await readExactly(file, place, (end - begin) * size, `storage ${quoted(key)}`);
    return { bytes, firstElement: begin };
  };
}
