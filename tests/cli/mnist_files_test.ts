import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { mnistFileReader, packageFile } from "../../cli/mnist_files.ts";
import { encodeIdx } from "../../core/data/idx.ts";
import { readMnist } from "../../core/data/mnist.ts";
import { FormatError, VapoError } from "../../core/errors.ts";

const data = Uint8Array.from({ length: 2 * 28 * 28 }, (_, i) => i % 251);
const file = encodeIdx({ dtype: "uint8", shape: [2, 28, 28], data });

async function inDirectory(fn: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await fn(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("a directory's files are read plain, or compressed where only that is there", async () => {
  await inDirectory(async (directory) => {
    await Deno.writeFile(join(directory, "train-images-idx3-ubyte"), file);
    const gzip = new Blob([file]).stream().pipeThrough(new CompressionStream("gzip"));
    await Deno.writeFile(join(directory, "t10k-images-idx3-ubyte.gz"), gzip);
    const reader = mnistFileReader(directory);
    assertEquals((await readMnist(reader)).data, data);
    assertEquals((await readMnist(reader, "test")).data, data);
  });
});

Deno.test("a missing file is refused with the paths that were looked for", async () => {
  await inDirectory(async (directory) => {
    const path = join(directory, "train-images-idx3-ubyte");
    await assertRejects(
      () => readMnist(mnistFileReader(directory)),
      VapoError,
      `no MNIST file at ${path} or ${path}.gz`,
    );
  });
});

Deno.test("a file that cannot be read is refused with its path", async () => {
  await inDirectory(async (directory) => {
    const path = join(directory, "train-images-idx3-ubyte");
    await Deno.mkdir(path);
    await assertRejects(() => readMnist(mnistFileReader(directory)), VapoError, path);
  });
});

Deno.test("a name that the npm package does not have is refused with the path", async () => {
  await assertRejects(() => mnistFileReader()("no-such-file"), VapoError, "no-such-file");
});

Deno.test("a flipped bit in a file of the npm package is noticed", async () => {
  const path = "/somewhere/t10k-images-idx3-ubyte", name = "t10k-images-idx3-ubyte";
  const bytes = await mnistFileReader()(name) as Uint8Array<ArrayBuffer>;
  assertEquals(packageFile(bytes, name, path), bytes);
  const flipped = bytes.slice();
  flipped[5_000_000] ^= 1;
  assertThrows(() => packageFile(flipped, name, path), FormatError, `${path} is damaged`);
});
