import { assert, assertEquals } from "@std/assert";
import { celebaCounts, celebaFiles } from "../../../core/data/celeba.ts";
import { officialDatasets, type OfficialFile } from "../../../core/data/official_files.ts";
import { svhnFiles } from "../../../core/data/svhn.ts";

const datasets = Object.entries(officialDatasets);
const filesOf = (name: string) =>
  datasets.filter(([other]) => other === name).flatMap(([, { files }]) =>
    Object.values(files).flat()
  );

Deno.test("official files: every split has files and a count", () => {
  for (const [name, { counts, files }] of datasets) {
    assertEquals(Object.keys(files), Object.keys(counts), name);
    assert(Object.values(files).every((list) => list.length > 0), name);
  }
});

Deno.test("official files: addresses and sums are well formed, no sum is of two files", () => {
  const names = new Map<string, OfficialFile>();
  for (const file of datasets.flatMap(([name]) => filesOf(name))) {
    assert(URL.canParse(file.url), file.url);
    assert(/^[\w.-]+$/.test(file.name), file.name);
    assert(/^[0-9a-f]{32}$/.test(file.md5 ?? ""), file.name);
    assert(Number.isInteger(file.bytes) && file.bytes! > 0, file.name);
    assert((names.get(file.md5!) ?? file) === file, file.name);
    names.set(file.md5!, file);
  }
  assertEquals(names.size, 4 + 4 + 1 + 1 + 3 + 2);
});

Deno.test("official files: sizes that follow from the formats", () => {
  // Each of CelebA's 202,599 lines has 14 bytes: "000001.jpg 0", a space and a new line.
  const total = Object.values(celebaCounts).reduce((sum, count) => sum + count, 0);
  const partition = filesOf("celeba64").find(({ name }) => name === celebaFiles.partition);
  assertEquals(partition?.bytes, 14 * total);
  assertEquals(officialDatasets.celeba64.counts, { ...celebaCounts });
  assertEquals(filesOf("svhn").map(({ name }) => name), Object.values(svhnFiles));
});
