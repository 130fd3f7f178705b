/**
 * @file The thread of a batch loader: makes batches ahead of the training loop, into a ring in shared
 * memory.
 */
import { setImmediate } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { type BatchStream, openBatchStream } from "../core/data/batch_stream.ts";
import { openPreparedSet } from "../core/data/prepared_set.ts";
import {
  loaderControl,
  type LoaderMessage,
  type LoaderOptions,
  wordChanges,
} from "./batch_loader_ring.ts";
import { dataDirectory } from "./data_directory.ts";

async function serve(options: LoaderOptions): Promise<void> {
  const { directory, location, split, depth } = options;
  const set = await openPreparedSet(dataDirectory(directory, location), split);
  const stream = openBatchStream(set, options);
  const ring = new SharedArrayBuffer(depth * stream.batchBytes);
  send({ kind: "ring", ring });
  await fill(ring, stream, options);
}

async function fill(
  ring: SharedArrayBuffer,
  { batchBytes, next }: BatchStream,
  { depth, control }: LoaderOptions,
): Promise<void> {
  const words = new Int32Array(control);
  for (let filled = 0;; filled++) {
    for (;;) {
      const released = Atomics.load(words, loaderControl.released);
      if (((filled - released) | 0) < depth) break;
      await wordChanges(words, loaderControl.released, released);
    }
    await next(new Uint8Array(ring, (filled % depth) * batchBytes, batchBytes));
    Atomics.store(words, loaderControl.filled, filled + 1);
    Atomics.notify(words, loaderControl.filled);
    // Lets the next window's files come in.
    await setImmediate();
  }
}

function send(message: LoaderMessage): void {
  parentPort!.postMessage(message);
}

try {
  await serve(workerData);
} catch (error) {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  send({ kind: "failure", name, message });
}
