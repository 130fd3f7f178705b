import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type BatchLoader,
  type BatchLoaderOptions,
  openBatchLoader,
} from "../../cli/batch_loader.ts";
import { dataDirectory } from "../../cli/data_directory.ts";
import { openBatchStream } from "../../core/data/batch_stream.ts";
import { openPreparedSet } from "../../core/data/prepared_set.ts";
import { ConfigError, FormatError, VapoError } from "../../core/errors.ts";
import { type Contents, preparedContents, type SetOptions } from "../core/data/prepared_files.ts";
import { inTemporaryDirectory, root } from "./program.ts";

/** Runs with a set in a directory. */
async function withSet(
  options: SetOptions,
  run: (directory: string, contents: Contents) => Promise<void>,
): Promise<void> {
  await inTemporaryDirectory(async (directory) => {
    const contents = preparedContents(options);
    for (const [name, bytes] of Object.entries(contents)) {
      await Deno.writeFile(`${directory}/${name}`, bytes);
    }
    await run(directory, contents);
  });
}

const numbers = { split: "train", seed: 6, batchSize: 7, bufferImages: 8 };

async function withLoader(
  options: BatchLoaderOptions,
  run: (loader: BatchLoader) => Promise<void>,
): Promise<void> {
  const loader = await openBatchLoader(options);
  try {
    await run(loader);
  } finally {
    loader.close();
  }
}

Deno.test("a thread's batches are those of the stream, whatever the depth, from any start", () =>
  withSet({ shardCounts: [4, 3, 4, 4, 1, 4] }, async (directory) => {
    const set = await openPreparedSet(dataDirectory(directory), "train");
    for (const [depth, firstSample] of [[2, 0], [3, 13], [undefined, 1000]]) {
      const options = { ...numbers, firstSample };
      const stream = openBatchStream(set, options);
      await withLoader({ ...options, directory, depth }, async (loader) => {
        for (let i = 0; i < 20; i++) {
          const { words } = await loader.next();
          assertEquals(words.length, 7 * 2);
          assertEquals(words, new Int32Array((await stream.next()).buffer));
        }
      });
    }
  }));

Deno.test("a batch stays as it is until the next", () =>
  withSet(
    { shardCounts: [4, 4, 4] },
    (directory) =>
      withLoader({ ...numbers, directory, depth: 2 }, async (loader) => {
        let before: Int32Array | undefined;
        for (let i = 0; i < 5; i++) {
          const { words } = await loader.next();
          const copy = words.slice();
          assert(words !== before);
          await new Promise((resolve) => setTimeout(resolve, 10));
          assertEquals(words, copy);
          before = words;
        }
      }),
  ));

Deno.test("batches are made while the caller's thread is busy, and then cost no waiting", () =>
  withSet(
    { shardCounts: [4, 4, 4] },
    (directory) =>
      withLoader({ ...numbers, directory }, async (loader) => {
        const asleep = new Int32Array(new SharedArrayBuffer(4));
        let ready = 0;
        for (let i = 0; i < 200 && ready < 20; i++) {
          // Nothing of this thread's runs meanwhile, as in a training step.
          Atomics.wait(asleep, 0, 0, 20);
          const { waitMilliseconds } = await loader.next();
          assert(waitMilliseconds >= 0);
          if (waitMilliseconds === 0) ready++;
        }
        assertEquals(ready, 20);
      }),
  ));

Deno.test("what is wrong with a set or an option is said when the loader is opened", () =>
  withSet({ shardCounts: [4, 4, 4] }, async (directory) => {
    const open = (more: Partial<BatchLoaderOptions>) => () =>
      openBatchLoader({ ...numbers, directory, ...more });
    await assertRejects(
      open({ directory: `${directory}/none`, location: "none" }),
      VapoError,
      "there is no none/index.json",
    );
    await assertRejects(open({ split: "test" }), ConfigError, 'no images of split "test"');
    await assertRejects(open({ batchSize: 0 }), ConfigError, "batchSize is 0");
    await assertRejects(open({ depth: 1 }), ConfigError, "depth is 1");
    await assertRejects(open({ memoryBytes: 40 }), ConfigError, "lower bufferImages to 4");
    await Deno.writeTextFile(`${directory}/index.json`, "{}");
    await assertRejects(open({ location: "here" }), FormatError, "here/index.json");
  }));

Deno.test("a damaged or missing shard gives the stream's error, after the batches before it", () =>
  withSet({ shardCounts: new Array(6).fill(4) }, async (directory, contents) => {
    const options = { ...numbers, bufferImages: 4, batchSize: 2, directory, location: "here" };
    const damage: [() => Promise<void>, string][] = [
      [() => Deno.writeFile(`${directory}/train-3.bin`, contents["train-3.bin"].slice(1)), "long"],
      [() => Deno.remove(`${directory}/train-3.bin`), "is missing"],
      [
        () => {
          const bytes = contents["train-3.bin"].map((byte) => byte + 1);
          return Deno.writeFile(`${directory}/train-3.bin`, bytes);
        },
        "is damaged",
      ],
      [async () => {
        await Deno.remove(`${directory}/train-3.bin`);
        await Deno.mkdir(`${directory}/train-3.bin`);
      }, "cannot read here/train-3.bin: it is a directory"],
    ];
    for (const [spoil, reason] of damage) {
      await spoil();
      const set = await openPreparedSet(dataDirectory(directory, "here"), "train");
      const stream = openBatchStream(set, options);
      await withLoader(options, async ({ next }) => {
        const untilError = async (step: () => Promise<unknown>) => {
          let batches = 0;
          const error = await assertRejects(
            async () => {
              for (;; batches++) await step();
            },
            VapoError,
            reason,
          );
          return { batches, message: error.message, kind: error.name };
        };
        const expected = await untilError(() => stream.next());
        assertEquals(await untilError(next), expected);
        await assertRejects(next, VapoError, expected.message);
      });
    }
  }));

Deno.test("a closed loader says so, to whoever waits too", () =>
  withSet({ shardCounts: [4] }, async (directory) => {
    const loader = await openBatchLoader({ ...numbers, directory });
    await loader.next();
    loader.close();
    loader.close();
    await assertRejects(() => loader.next(), VapoError, "has been closed");
    // More is asked for than a thread can have made by now.
    const slow = await openBatchLoader({ ...numbers, directory, batchSize: 2 ** 20, depth: 2 });
    const waiting = assertRejects(() => slow.next(), VapoError, "has been closed");
    slow.close();
    await waiting;
  }));

/** Runs a program that has the loader's options in OPTIONS; its output once it has ended. */
async function runProgram(directory: string, body: string): Promise<string> {
  const source = `
    import { openBatchLoader } from ${JSON.stringify(`file://${root}cli/batch_loader.ts`)};
    const loader = await openBatchLoader(${JSON.stringify({ ...numbers, directory })});
    ${body}
  `;
  const script = `${directory}/program.ts`;
  await Deno.writeTextFile(script, source);
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    // The permissions of the training task, less those that loading does not need.
    args: ["run", "--no-check", "--no-prompt", "--allow-read", `--config=${root}deno.json`]
      .concat("--no-lock", script),
    signal: AbortSignal.timeout(60_000),
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

Deno.test("a loader keeps no process alive, closed or not, in the middle or before a batch", () =>
  withSet({ shardCounts: [4, 4] }, async (directory) => {
    const bodies = [
      "",
      "loader.close();",
      "await loader.next();",
      "await loader.next(); loader.close();",
      "loader.next();",
    ];
    for (const body of bodies) {
      assertEquals(await runProgram(directory, `${body}\nconsole.log("end");`), "end\n");
    }
  }));
