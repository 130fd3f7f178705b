/** @file Small data sets in the formats that their authors hand them out in, made for a test. */
import { dirname } from "@std/path";
import sharp from "sharp";
import { encodeIdx } from "../../../core/data/idx.ts";
import type { PreparedIndex } from "../../../core/data/prepared_index.ts";
import { prepare, type PrepareOutcome, type PrepareRequest } from "../../../cli/data/prepare.ts";
import type { Work } from "../../../cli/data/image_source.ts";

/** Work that nobody watches but who keeps the notices. */
export function quietWork(notices: string[] = []): Work {
  return {
    signal: new AbortController().signal,
    progress() {},
    notice: (text) => notices.push(text),
  };
}

/** Prepares a set in this process. */
export async function prepared(
  request: Omit<PrepareRequest, "location"> & { readonly location?: string },
  work: Work = quietWork(),
): Promise<PrepareOutcome> {
  return await prepare({ location: request.directory, ...request }, work);
}

/** Writes files by path; directories are made. */
export async function writeFiles(
  directory: string,
  files: Readonly<Record<string, Uint8Array | string>>,
): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await Deno.mkdir(dirname(`${directory}/${name}`), { recursive: true });
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    await Deno.writeFile(`${directory}/${name}`, bytes);
  }
}

/** What a picture of a test is encoded as. */
export type PictureFormat = "png" | "jpeg" | "webp";

/** Pixels [height, width, 3] as a file; PNG and WebP are lossless. */
export async function picture(
  pixels: Uint8Array,
  width: number,
  format: PictureFormat = "png",
): Promise<Uint8Array> {
  const raw = { width, height: pixels.length / width / 3, channels: 3 } as const;
  // For PNG, a quality would mean a palette.
  const options = { png: {}, jpeg: { quality: 95 }, webp: { lossless: true } };
  return new Uint8Array(
    await sharp(pixels, { raw }).toFormat(format, options[format]).toBuffer(),
  );
}

/** Pixels of a smooth coloured picture, another for every number. */
export function smoothPixels(width: number, height: number, number = 0): Uint8Array {
  return Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const x = Math.floor(i / 3) % width, y = Math.floor(i / 3 / width), channel = i % 3;
    const phase = number + 2 * channel;
    return Math.round(128 + 60 * Math.sin(x / 13 + phase) + 60 * Math.cos(y / 17 - phase));
  });
}

/** A folder of small pictures of all three formats, in folders. */
export async function writePictures(directory: string, count: number): Promise<void> {
  const formats: readonly PictureFormat[] = ["png", "jpeg", "webp"];
  for (let i = 0; i < count; i++) {
    const format = formats[i % 3];
    const bytes = await picture(smoothPixels(20 + i % 5, 18, i), 20 + i % 5, format);
    await writeFiles(directory, {
      [`kind-${i % 2}/${String(i).padStart(3, "0")}.${format}`]: bytes,
    });
  }
}

/** A ustar archive (POSIX.1-2017). */
export function tarArchive(files: Readonly<Record<string, Uint8Array>>): Uint8Array<ArrayBuffer> {
  const blocks: Uint8Array[] = [];
  for (const [path, content] of Object.entries(files)) {
    const header = new Uint8Array(512);
    const put = (text: string, at: number) => header.set(new TextEncoder().encode(text), at);
    put(path, 0);
    put("0000644\0", 100);
    put(`${content.length.toString(8).padStart(11, "0")}\0`, 124);
    put("        0", 148); // the checksum counts as spaces
    put("ustar\x0000", 257);
    const sum = header.reduce((sum, byte) => sum + byte, 0);
    put(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    blocks.push(header, content, new Uint8Array(-content.length & 511));
  }
  return concatenated(...blocks, new Uint8Array(1024));
}

/** Bytes compressed with gzip. */
export async function gzipped(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return await new Response(stream).bytes();
}

/** A MAT-file of version 5 with arrays of bytes, uncompressed. */
export function matFile(
  arrays: Readonly<Record<string, { readonly dims: number[]; readonly data: Uint8Array }>>,
): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(128).fill(32);
  header.set([0, 1, 0x49, 0x4d], 124);
  const element = (type: number, data: Uint8Array) =>
    concatenated(
      new Uint8Array(Uint32Array.of(type, data.length).buffer),
      data,
      new Uint8Array(-data.length & 7),
    );
  const int32 = (...values: number[]) => new Uint8Array(Int32Array.from(values).buffer);
  const variables = Object.entries(arrays).map(([name, { dims, data }]) =>
    element(
      14,
      concatenated(
        element(6, int32(9, 0)),
        element(5, int32(...dims)),
        element(1, new TextEncoder().encode(name)),
        element(2, data),
      ),
    )
  );
  return concatenated(header, ...variables);
}

/** Bytes that look like noise and are the same every time. */
export function noise(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return state >> 16;
  });
}

/** Records of CIFAR's binary version: labels below 10, then noise. */
export function cifarRecords(count: number, labels = 1, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = noise(count * (labels + 3072), seed);
  for (let i = 0; i < count; i++) {
    for (let label = 0; label < labels; label++) {
      bytes[i * (labels + 3072) + label] = (i + label) % 10;
    }
  }
  return bytes;
}

/** MNIST's four files with so many images. */
export function idxFiles(train: number, test: number): Record<string, Uint8Array<ArrayBuffer>> {
  const labels = (count: number) => Uint8Array.from({ length: count }, (_, i) => i % 10);
  const file = (shape: number[], data: Uint8Array<ArrayBuffer>) =>
    encodeIdx({ dtype: "uint8", shape, data });
  return {
    "train-images-idx3-ubyte": file([train, 28, 28], noise(train * 784)),
    "train-labels-idx1-ubyte": file([train], labels(train)),
    "t10k-images-idx3-ubyte": file([test, 28, 28], noise(test * 784, 2)),
    "t10k-labels-idx1-ubyte": file([test], labels(test)),
  };
}

/** All images of a split, as the index says where they are. */
export async function splitBytes(
  directory: string,
  { splits }: PreparedIndex,
  split: string,
): Promise<{ pixels: Uint8Array; labels: Uint8Array }> {
  const read = async (files: readonly string[]) =>
    concatenated(...await Promise.all(files.map((file) => Deno.readFile(`${directory}/${file}`))));
  const { shards } = splits[split];
  return {
    pixels: await read(shards.map(({ file }) => file)),
    labels: await read(shards.flatMap(({ labels }) => labels ? [labels.file] : [])),
  };
}

/** Arrays one after the other. */
export function concatenated(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}
