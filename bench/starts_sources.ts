/**
 * @file Small source folders in the layouts in which CIFAR-10, CelebA and LSUN come, for reports that
 * train on prepared sets and do not look at the images: noise, smooth where it is photographs.
 */
import { join } from "@std/path";
import sharp from "sharp";
import type { DataSetName } from "../cli/data/data_sets.ts";

/** Random numbers in [0, 1) (Mulberry32 by Tommy Ettinger): sources are the same every time. */
function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), bits | 61)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

function noise(length: number, random: () => number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, () => Math.floor(256 * random()));
}

/** Writes a photograph of so many pixels: noise of 8×8, enlarged; the name says in what format. */
async function writePhotograph(
  file: string,
  width: number,
  height: number,
  random: () => number,
): Promise<void> {
  const raw = { width: 8, height: 8, channels: 3 } as const;
  await sharp(noise(192, random), { raw }).resize(width, height, { fit: "fill" }).toFile(file);
}

const IMAGES = 48;
const CIFAR_RECORD = 1 + 3 * 32 * 32;

async function writeCifar(folder: string): Promise<void> {
  const random = uniform(1), directory = join(folder, "cifar-10-batches-bin");
  await Deno.mkdir(directory, { recursive: true });
  const names = [1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`);
  for (const name of [...names, "test_batch.bin"]) {
    const records = noise(CIFAR_RECORD * IMAGES, random);
    for (let i = 0; i < IMAGES; i++) records[i * CIFAR_RECORD] %= 10;
    await Deno.writeFile(join(directory, name), records);
  }
}

/** Of ten images the first eight are to train on, then one each of the other splits. */
async function writeCeleba(folder: string): Promise<void> {
  const random = uniform(2), directory = join(folder, "img_align_celeba");
  await Deno.mkdir(directory, { recursive: true });
  const list: string[] = [];
  for (let i = 0; i < IMAGES; i++) {
    const name = `${String(i + 1).padStart(6, "0")}.jpg`;
    await writePhotograph(join(directory, name), 178, 218, random);
    list.push(`${name} ${Math.max(0, i % 10 - 7)}\n`);
  }
  await Deno.writeTextFile(join(folder, "list_eval_partition.txt"), list.join(""));
}

/** As LSUN's own tool exports a scene: WebP under directories by the letters of their names. */
async function writeLsun(folder: string, scene: string): Promise<void> {
  const random = uniform(3);
  for (const [split, images] of [["train", IMAGES], ["val", IMAGES / 8]] as const) {
    for (let i = 0; i < images; i++) {
      const name = [...noise(8, random)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      const directory = join(folder, `${scene}_${split}`, ...name.slice(0, 3));
      await Deno.mkdir(directory, { recursive: true });
      const long = 256 + Math.floor(128 * random());
      const [width, height] = random() < 0.5 ? [256, long] : [long, 256];
      const extension = random() < 0.5 ? "webp" : "jpg";
      await writePhotograph(join(directory, `${name}.${extension}`), width, height, random);
    }
  }
}

/** Writes the files that a set is prepared from into a folder that is not there yet. */
export async function writeSource(name: DataSetName, folder: string): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  if (name === "cifar10") return await writeCifar(folder);
  if (name === "celeba64") return await writeCeleba(folder);
  if (name.startsWith("lsun-church")) return await writeLsun(folder, "church_outdoor");
  if (name.startsWith("lsun-bedroom")) return await writeLsun(folder, "bedroom");
  throw new TypeError(`no source for ${name}: expected cifar10, celeba64 or a scene of LSUN`);
}
