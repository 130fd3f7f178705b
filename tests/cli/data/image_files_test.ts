import { assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { byCodePoints, openFileTree } from "../../../cli/data/image_files.ts";
import { photographSource } from "../../../cli/data/sources_photographs.ts";
import { FormatError, VapoError } from "../../../core/errors.ts";
import { writeZip } from "../../core/formats/zip_writer.ts";
import { inTemporaryDirectory } from "../program.ts";
import { writeFiles } from "./source_files.ts";

Deno.test("paths are sorted as their UTF-8 bytes are", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const compareBytes = (a: Uint8Array, b: Uint8Array) => {
    const at = a.findIndex((byte, i) => byte !== b[i]);
    return at < 0 ? a.length - b.length : b.length === at ? 1 : a[at] - b[at];
  };
  const text = fc.string({ unit: "binary", maxLength: 6 });
  fc.assert(fc.property(text, text, (a, b) => {
    assertEquals(Math.sign(byCodePoints(a, b)), Math.sign(compareBytes(bytes(a), bytes(b))));
  }));
  // Beyond 16 bits, where JavaScript's own order is another.
  assertEquals(["\u{1f600}", "\uff5e"].sort(byCodePoints), ["\uff5e", "\u{1f600}"]);
});

Deno.test("a folder and an archive of the same files list the same; hidden files are not there", () =>
  inTemporaryDirectory(async (cwd) => {
    const files = {
      "b/2.png": "2",
      "b/10.png": "10",
      "a.jpg": "a",
      "b-1.png": "-",
      "z/y/x.webp": "x",
    };
    await writeFiles(`${cwd}/folder`, {
      ...files,
      ".hidden/a.png": "",
      "b/.DS_Store": "",
      "b/._2.png": "",
    });
    await Deno.symlink(`${cwd}/folder/a.jpg`, `${cwd}/folder/link.jpg`);
    await Deno.symlink(`${cwd}/folder`, `${cwd}/folder/circle`);
    await Deno.symlink(`${cwd}/nothing`, `${cwd}/folder/dangling.png`);
    const content = (text: string) => new TextEncoder().encode(text);
    const entries = Object.entries(files).map(([name, text]) => ({ name, content: content(text) }));
    const zip = writeZip([...entries.reverse(), { name: "__MACOSX/a.jpg" }, { name: "b/.x.png" }]);
    await Deno.writeFile(`${cwd}/folder.zip`, zip);
    const folder = await openFileTree(`${cwd}/folder`);
    const archive = await openFileTree(`${cwd}/folder.zip`);
    const sorted = ["a.jpg", "b-1.png", "b/10.png", "b/2.png", "z/y/x.webp"];
    assertEquals(archive.paths, sorted);
    assertEquals(folder.paths, sorted.toSpliced(4, 0, "link.jpg"));
    for (const path of sorted) {
      assertEquals(await folder.read(path), await archive.read(path));
    }
    archive.close();
    folder.close();
  }));

Deno.test("an archive whose path climbs out, or that is none, is refused", () =>
  inTemporaryDirectory(async (cwd) => {
    await writeFiles(cwd, { "climbs.zip": writeZip([{ name: "../a.png" }]), "none.zip": "none" });
    await assertRejects(
      () => openFileTree(`${cwd}/climbs.zip`),
      FormatError,
      "climbs out of its directory",
    );
    await assertRejects(() => openFileTree(`${cwd}/none.zip`), FormatError, "none.zip");
  }));

/** The splits of a folder with these files, with how many images each has. */
async function splitsOf(files: readonly string[]): Promise<Record<string, number>> {
  let splits: Record<string, number> = {};
  await inTemporaryDirectory(async (cwd) => {
    await writeFiles(cwd, Object.fromEntries(files.map((file) => [file, ""])));
    const source = await photographSource({ path: cwd, size: 8 });
    const opened = await Promise.all(source.splits.map(async ({ name, open }) => {
      return [name, (await open()).count] as const;
    }));
    splits = Object.fromEntries(opened);
    source.close();
  });
  return splits;
}

Deno.test("directories called train, test and val are splits where there is nothing else", async () => {
  assertEquals(await splitsOf(["train/a.png", "train/x/b.png", "val/c.png", "test/d.png"]), {
    train: 2,
    validation: 1,
    test: 1,
  });
  assertEquals(
    await splitsOf(["church_outdoor_train_lmdb/a.webp", "church_outdoor_val_lmdb/b.webp"]),
    { train: 1, validation: 1 },
  );
  // A train among buses is a train.
  assertEquals(await splitsOf(["train/a.png", "bus/b.png"]), { train: 2 });
  assertEquals(await splitsOf(["train/a.png", "b.png"]), { train: 2 });
  assertEquals(await splitsOf(["a.png", "notes.txt"]), { train: 1 });
});

Deno.test("other files are passed over and told of; a folder without images is refused", () =>
  inTemporaryDirectory(async (cwd) => {
    await writeFiles(cwd, {
      "some/a.PNG": "",
      "some/b.gif": "",
      "some/c/d.txt": "",
      "none/x.txt": "",
    });
    const source = await photographSource({ path: `${cwd}/some`, size: 8 });
    assertEquals(source.notices, [`${cwd}/some: 2 other files (b.gif, d.txt) passed over`]);
    for (const folder of ["none", "some/c"]) {
      await assertRejects(
        () => photographSource({ path: `${cwd}/${folder}`, size: 8 }),
        VapoError,
        `${folder} has no image: expected files that end with .png`,
      );
    }
    await assertRejects(
      () => photographSource({ path: `${cwd}/nowhere`, size: 8 }),
      VapoError,
      "cannot open",
    );
  }));
