/** @file The data sets' own formats, each made small and prepared; and everything that may be wrong. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { dataSet } from "../../../cli/data/data_sets.ts";
import type { PrepareRequest } from "../../../cli/data/prepare.ts";
import { celebaCrop } from "../../../core/data/celeba.ts";
import { VapoError } from "../../../core/errors.ts";
import { writeZip } from "../../core/formats/zip_writer.ts";
import { filesBelow, inTemporaryDirectory } from "../program.ts";
import { resampledSquare } from "./lanczos.ts";
import {
  cifarRecords,
  gzipped,
  idxFiles,
  matFile,
  noise,
  picture,
  prepared,
  quietWork,
  smoothPixels,
  splitBytes,
  tarArchive,
  writeFiles,
} from "./source_files.ts";

/** A request for a set made of files that are not the official ones. */
function unofficial(
  cwd: string,
  name: PrepareRequest["name"],
  source: string,
): Omit<PrepareRequest, "location"> {
  return {
    name,
    source: `${cwd}/${source}`,
    directory: `${cwd}/out-${source.replaceAll(/\W/g, "-")}`,
    unverified: true,
  };
}

/** The images of each split. */
function counts(index: Awaited<ReturnType<typeof prepared>>["index"]): Record<string, number> {
  return Object.fromEntries(Object.entries(index.splits).map(([name, { count }]) => [name, count]));
}

Deno.test("MNIST's files, plain and gzipped, give the same bytes, with labels", () =>
  inTemporaryDirectory(async (cwd) => {
    const files = idxFiles(30, 20);
    for (const [name, bytes] of Object.entries(files)) {
      await writeFiles(cwd, {
        [`plain/${name}`]: bytes,
        [`packed/${name}.gz`]: await gzipped(bytes),
      });
    }
    for (const folder of ["plain", "packed"]) {
      const request = unofficial(cwd, "fashion-mnist", folder);
      const { index } = await prepared(request);
      assertEquals([index.shape, index.labelsPerImage], [[28, 28, 1], 1]);
      assertEquals(counts(index), { train: 30, test: 20 });
      const { pixels, labels } = await splitBytes(request.directory, index, "test");
      assertEquals(pixels, files["t10k-images-idx3-ubyte"].subarray(16));
      assertEquals(labels, files["t10k-labels-idx1-ubyte"].subarray(8));
      assert(String(index.made.stored).includes("28×28 as they are"));
    }
  }));

Deno.test("MNIST itself is in a package: official counts, the label of the first image", () =>
  inTemporaryDirectory(async (cwd) => {
    const { index } = await prepared({ name: "mnist", directory: `${cwd}/out` });
    assertEquals(counts(index), { train: 60_000, test: 10_000 });
    const { pixels, labels } = await splitBytes(`${cwd}/out`, index, "train");
    assertEquals(pixels.length, 60_000 * 784);
    assertEquals([...labels.subarray(0, 5)], [5, 0, 4, 1, 9]); // as is known of it
  }));

/** CIFAR-10's files with few records each. */
function cifar10Files(): Record<string, Uint8Array> {
  const names = [1, 2, 3, 4, 5].map((number) => `data_batch_${number}.bin`);
  return Object.fromEntries(
    [...names, "test_batch.bin"].map((name, i) => [name, cifarRecords(4 + i, 1, i + 1)]),
  );
}

Deno.test("CIFAR-10 from its archive and from its folder: planes become pixels", () =>
  inTemporaryDirectory(async (cwd) => {
    const files = cifar10Files();
    const inside = Object.entries(files).map(([name, bytes]) =>
      [`cifar-10-batches-bin/${name}`, bytes] as const
    );
    // An archive has them in any order.
    const archive = await gzipped(tarArchive(Object.fromEntries(inside.toReversed())));
    await writeFiles(cwd, { "cifar-10-binary.tar.gz": archive, ...Object.fromEntries(inside) });
    const all: Uint8Array[] = [];
    for (const source of ["cifar-10-binary.tar.gz", "cifar-10-batches-bin", "."]) {
      const request = unofficial(cwd, "cifar10", source);
      const { index } = await prepared(request);
      assertEquals([index.shape, index.labelsPerImage], [[32, 32, 3], 1]);
      assertEquals(counts(index), { train: 4 + 5 + 6 + 7 + 8, test: 9 });
      const { pixels, labels } = await splitBytes(request.directory, index, "train");
      assertEquals([...labels.subarray(0, 6)], [0, 1, 2, 3, 0, 1]);
      const second = files["data_batch_2.bin"]; // its first record is the fifth image
      const at = (plane: number) => second[1 + 1024 * plane + 32 * 7 + 3];
      assertEquals(
        [...pixels.subarray(3072 * 4 + 3 * (32 * 7 + 3)).subarray(0, 3)],
        [at(0), at(1), at(2)],
      );
      all.push(pixels);
    }
    assertEquals(all[0], all[1]);
    assertEquals(all[0], all[2]);
  }));

Deno.test("CIFAR-100 keeps both labels, the coarse one first", () =>
  inTemporaryDirectory(async (cwd) => {
    await writeFiles(`${cwd}/set`, {
      "train.bin": cifarRecords(3, 2),
      "test.bin": cifarRecords(2, 2),
    });
    const request = unofficial(cwd, "cifar100", "set");
    const { index } = await prepared(request);
    const { labels } = await splitBytes(request.directory, index, "train");
    assertEquals([index.labelsPerImage, [...labels]], [2, [0, 1, 1, 2, 2, 3]]);
  }));

Deno.test("a part of CIFAR-10 is refused, and taken by --unverified with a word about it", () =>
  inTemporaryDirectory(async (cwd) => {
    const files = cifar10Files();
    await writeFiles(`${cwd}/set`, {
      "data_batch_1.bin": files["data_batch_1.bin"],
      "test_batch.bin": files["test_batch.bin"],
    });
    const request = unofficial(cwd, "cifar10", "set");
    await assertRejects(
      () => prepared({ ...request, unverified: false }),
      VapoError,
      `${cwd}/set has no data_batch_2.bin, data_batch_3.bin, data_batch_4.bin, data_batch_5.bin`,
    );
    const notices: string[] = [];
    const { index } = await prepared(request, quietWork(notices));
    assertEquals(counts(index), { train: 4, test: 9 });
    assert(
      notices.some((notice) => /set is taken as it is, for all of cifar10 or a part/.test(notice)),
    );
  }));

Deno.test("files of another size, sum or number of images are not taken for the official ones", () =>
  inTemporaryDirectory(async (cwd) => {
    const files = cifar10Files();
    await writeFiles(`${cwd}/folder`, files);
    await writeFiles(cwd, { "cifar-10-binary.tar.gz": await gzipped(tarArchive(files)) });
    const packed = Object.entries(idxFiles(30, 20)).map(async ([name, bytes]) =>
      [`${name}.gz`, await gzipped(bytes)] as const
    );
    await writeFiles(`${cwd}/packed`, Object.fromEntries(await Promise.all(packed)));
    await writeFiles(`${cwd}/plain`, idxFiles(30, 20));
    await writeFiles(`${cwd}/svhn`, svhnFiles());
    await writeFiles(`${cwd}/faces`, await celebaFiles());
    await writeFiles(`${cwd}/scenes`, { "a.png": await picture(smoothPixels(64, 64), 64) });
    const before = await filesBelow(cwd);
    const mistakes: [name: PrepareRequest["name"], source: string, message: RegExp][] = [
      ["cifar10", "folder", /30 images of split train; expected 50000: .*--unverified/],
      [
        "cifar10",
        "cifar-10-binary.tar.gz",
        /bytes long; expected 170052171: .* https:\/\/www\.cs\.toronto\.edu\/.*--unverified/,
      ],
      ["mnist", "packed", /train-images-idx3-ubyte\.gz is \d+ bytes long; expected 9912422: /],
      ["mnist", "plain", /train-images-idx3-ubyte has the MD5 sum \w{32}; expected 6bbc9ace/],
      [
        "fashion-mnist",
        "plain",
        /train-images-idx3-ubyte has the MD5 sum \w{32}; expected f4a8712d/,
      ],
      ["svhn", "svhn", /train_32x32\.mat is \d+ bytes long; expected 182040794: .*ufldl\.stanford/],
      ["celeba64", "faces", /list_eval_partition\.txt is \d+ bytes long; expected 2836386/],
      ["lsun-church64", "scenes", /1 images of split train; expected 126227/],
    ];
    for (const [name, source, message] of mistakes) {
      const request = { ...unofficial(cwd, name, source), unverified: false };
      const error = await assertRejects(() => prepared(request), VapoError);
      assert(message.test(error.message) && !error.message.includes("\n"), error.message);
      await Deno.remove(request.directory, { recursive: true }).catch(() => {});
    }
    assertEquals(await filesBelow(cwd), before);
  }));

/** SVHN's two files, with three and two images. */
function svhnFiles(digits = [10, 1, 9]): Record<string, Uint8Array> {
  const file = (digits: readonly number[], seed: number) =>
    matFile({
      X: { dims: [32, 32, 3, digits.length], data: noise(3072 * digits.length, seed) },
      y: { dims: [digits.length, 1], data: Uint8Array.from(digits) },
    });
  return { "train_32x32.mat": file(digits, 1), "test_32x32.mat": file([2, 10], 2) };
}

Deno.test("SVHN: columns become rows, ten becomes zero, extra only when it is asked for", () =>
  inTemporaryDirectory(async (cwd) => {
    const files = svhnFiles();
    await writeFiles(`${cwd}/set`, { ...files, "extra_32x32.mat": files["test_32x32.mat"] });
    const request = unofficial(cwd, "svhn", "set");
    const { index } = await prepared(request);
    assertEquals([index.shape, index.labelsPerImage], [[32, 32, 3], 1]);
    assertEquals(counts(index), { train: 3, test: 2 });
    const { pixels, labels } = await splitBytes(request.directory, index, "train");
    assertEquals([...labels], [0, 1, 9]);
    // Row 5, column 7, blue of image 2: the row runs fastest in the file.
    const values = noise(3 * 3072, 1);
    assertEquals(
      pixels[3072 * 2 + 3 * (32 * 5 + 7) + 2],
      values[3072 * 2 + 2 * 1024 + 32 * 7 + 5],
    );
    const more = await prepared({ ...request, directory: `${cwd}/more`, extra: true });
    assertEquals(counts(more.index), { train: 3, test: 2, extra: 2 });
  }));

/** Six faces of 178×218 and the list that divides them. */
async function celebaFiles(): Promise<Record<string, Uint8Array | string>> {
  const files: Record<string, Uint8Array | string> = {};
  for (let i = 1; i <= 6; i++) {
    const name = `img_align_celeba/${String(i).padStart(6, "0")}.jpg`;
    files[name] = await picture(smoothPixels(178, 218, i), 178, "png"); // lossless, for comparing
  }
  const list = [0, 1, 0, 2, 0, 1].map((part, i) => `00000${i + 1}.jpg ${part}\n`).join("");
  return { ...files, "list_eval_partition.txt": list };
}

Deno.test("CelebA from a folder and from its archive, the list inside or beside: official splits", () =>
  inTemporaryDirectory(async (cwd) => {
    const { "list_eval_partition.txt": list, ...images } = await celebaFiles();
    const entries = Object.entries(images).map(([name, content]) => ({
      name,
      content: content as Uint8Array,
    }));
    const inside = {
      name: "x/list_eval_partition.txt",
      content: new TextEncoder().encode(String(list)),
    };
    await writeFiles(cwd, {
      ...Object.fromEntries(
        Object.entries(images).flatMap(([name, bytes]) => [[`both/${name}`, bytes], [name, bytes]]),
      ),
      "both/list_eval_partition.txt": list,
      "list_eval_partition.txt": list,
      "packed/img_align_celeba.zip": writeZip(entries),
      "packed/list_eval_partition.txt": list,
      "inside/faces.zip": writeZip([...entries.toReversed(), inside]),
    });
    const all: Uint8Array[] = [];
    const sources = [
      "both",
      "img_align_celeba",
      "packed",
      "packed/img_align_celeba.zip",
      "inside/faces.zip",
    ];
    for (const source of sources) {
      const request = unofficial(cwd, "celeba64", source);
      const { index } = await prepared(request);
      assertEquals([index.shape, index.labelsPerImage], [[64, 64, 3], 0]);
      assertEquals(counts(index), { train: 3, validation: 2, test: 1 });
      all.push((await splitBytes(request.directory, index, "train")).pixels);
    }
    for (const pixels of all) assertEquals(pixels, all[0]);

    // The second training image is 000003, its square of 178 from row 20 on, by Lanczos' formula.
    const whole = smoothPixels(178, 218, 3);
    const { top, width } = celebaCrop;
    const red = Float64Array.from(
      { length: width * width },
      (_, i) => whole[3 * (top * width + i)],
    );
    const expected = resampledSquare(red, width, 64);
    expected.forEach((value, i) => {
      assert(Math.abs(all[0][64 * 64 * 3 + 3 * i] - value) <= 2, `pixel ${i}`);
    });
  }));

Deno.test("what may be wrong with the files is one line that names it", () =>
  inTemporaryDirectory(async (cwd) => {
    const cifar = cifar10Files(), idx = idxFiles(30, 20), faces = await celebaFiles();
    const { "list_eval_partition.txt": list, ...images } = faces;
    const tar = tarArchive(cifar);
    const broken = cifar["data_batch_1.bin"].slice();
    broken[3073 * 2] = 10;
    const flippedTar = tar.slice();
    flippedTar[3] ^= 1;
    const wrongMagic = idx["train-images-idx3-ubyte"].slice();
    wrongMagic[1] = 8;
    const face = faces["img_align_celeba/000003.jpg"] as Uint8Array;
    await writeFiles(cwd, {
      "cut.tar": tar.subarray(0, 9000),
      "cut.tar.gz": (await gzipped(tar)).subarray(0, 9000),
      "flipped.tar": flippedTar,
      "other.tar": tarArchive({ "a/b.bin": noise(10) }),
      "climbs.tar": tarArchive({ "../data_batch_1.bin": noise(10) }),
      "label/data_batch_1.bin": broken,
      "length/data_batch_1.bin": broken.subarray(1),
      "nothing/note.txt": "",
      "labels/train-images-idx3-ubyte": idx["train-images-idx3-ubyte"],
      "labels/train-labels-idx1-ubyte": idx["t10k-labels-idx1-ubyte"],
      "magic/train-images-idx3-ubyte": wrongMagic,
      "magic/train-labels-idx1-ubyte": idx["train-labels-idx1-ubyte"],
      "svhn/train_32x32.mat": svhnFiles([3, 11, 4])["train_32x32.mat"],
      "svhn-cut/train_32x32.mat": svhnFiles()["train_32x32.mat"].subarray(0, 5000),
      "unlisted/img_align_celeba/000001.jpg": face,
      ...Object.fromEntries(Object.entries(images).map(([name, bytes]) => [`list/${name}`, bytes])),
      "list/list_eval_partition.txt": `${list}000007.jpg 3\n`,
      "twice/a/000001.jpg": face,
      "twice/b/000001.jpg": face,
      "twice/list_eval_partition.txt": list,
      "small/000001.jpg": await picture(smoothPixels(178, 178), 178),
      "small/list_eval_partition.txt": list,
      "none/x.png": face,
      "none/list_eval_partition.txt": list,
      "climbs.zip": writeZip([{ name: "../000001.jpg", content: face }]),
      "scenes/church_outdoor_val/a.png": face,
    });
    const mistakes: [name: PrepareRequest["name"], source: string, message: RegExp][] = [
      ["cifar10", "cut.tar", /cut\.tar: entry "data_batch_1\.bin" .*cut short/],
      ["cifar10", "cut.tar.gz", /cut\.tar\.gz.* cut short/],
      ["cifar10", "flipped.tar", /flipped\.tar .*checksum/],
      ["cifar10", "other.tar", /other\.tar has no data_batch_1\.bin/],
      ["cifar10", "climbs.tar", /climbs out of its directory/],
      [
        "cifar10",
        "label",
        /data_batch_1\.bin has the label 10 in record 2, at byte 6146; expected 0 to 9/,
      ],
      ["cifar10", "length", /data_batch_1\.bin is \d+ bytes long, and its last record/],
      ["cifar10", "nothing", /nothing has neither cifar-10-binary\.tar\.gz nor data_batch_1\.bin/],
      ["cifar10", "nowhere", /cannot open .*nowhere: there is no such file/],
      ["mnist", "nothing", /nothing has no train-images-idx3-ubyte or train-images-idx3-ubyte\.gz/],
      ["mnist", "labels", /train-labels-idx1-ubyte holds uint8 of shape \[20\]; expected .*\[30\]/],
      ["mnist", "magic", /train-images-idx3-ubyte starts with bytes 0 8/],
      ["mnist", "cut.tar", /cut\.tar is a file: expected a folder/],
      ["svhn", "nothing", /nothing has no train_32x32\.mat: .*http:\/\/ufldl\.stanford\.edu/],
      ["svhn", "svhn", /train_32x32\.mat has the digit 11 in y at index 1; expected 1 to 10/],
      ["svhn", "svhn-cut", /train_32x32\.mat/],
      ["celeba64", "unlisted", /no list_eval_partition\.txt in .*unlisted or beside/],
      ["celeba64", "list", /list_eval_partition\.txt has on line 7, .*"000007\.jpg 3"/],
      ["celeba64", "twice", /twice has 000001\.jpg twice, a\/000001\.jpg and b\/000001\.jpg/],
      ["celeba64", "small", /small\/000001\.jpg cannot be taken: it is 178×178, not 178×218/],
      ["celeba64", "none", /none has none of the images in its list/],
      ["celeba64", "climbs.zip", /climbs out of its directory/],
      ["lsun-church64", "scenes", /scenes has no images to train on: .*ends with _train/],
      ["lsun-church64", "nothing", /nothing has no image/],
    ];
    for (const [name, source, message] of mistakes) {
      const error = await assertRejects(() => prepared(unofficial(cwd, name, source)), VapoError);
      assert(message.test(error.message) && !error.message.includes("\n"), error.message);
    }
  }));

Deno.test("every set says where its files come from; those that can be fetched have sums", () => {
  const fetched = ["mnist", "fashion-mnist", "cifar10", "cifar100", "svhn"] as const;
  for (const name of fetched) {
    const files = dataSet(name).downloads!(false);
    assert(files.every(({ bytes, md5 }) => bytes! > 0 && /^[0-9a-f]{32}$/.test(md5!)), name);
  }
  assertEquals(dataSet("svhn").downloads!(false).length, 2);
  assertEquals(dataSet("svhn").downloads!(true).length, 3);
  assertEquals(dataSet("cifar10").downloads!(false).length, 1);
  assertEquals(dataSet("celeba64").downloads, undefined);
});

Deno.test("a photograph of LSUN becomes its middle square at each size", () =>
  inTemporaryDirectory(async (cwd) => {
    const pixels = smoothPixels(160, 130);
    await writeFiles(cwd, {
      "set/church_outdoor_train/0/a.webp": await picture(pixels, 160, "webp"),
      "set/church_outdoor_val/b.png": await picture(pixels, 160),
    });
    for (const [name, size] of [["lsun-church64", 64], ["lsun-bedroom128", 128]] as const) {
      const request = { ...unofficial(cwd, name, "set"), directory: `${cwd}/${name}` };
      const { index } = await prepared(request);
      assertEquals(index.shape, [size, size, 3]);
      assertEquals(counts(index), { train: 1, validation: 1 });
      const green = Float64Array.from(
        { length: 130 * 130 },
        (_, i) => pixels[3 * (160 * Math.floor(i / 130) + 15 + i % 130) + 1],
      );
      const expected = resampledSquare(green, 130, size);
      const { pixels: found } = await splitBytes(request.directory, index, "validation");
      expected.forEach((value, i) => assert(Math.abs(found[3 * i + 1] - value) <= 2, `pixel ${i}`));
    }
  }));
