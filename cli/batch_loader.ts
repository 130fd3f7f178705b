/**
 * @file Batches of a prepared data set from a thread of its own: the same as from
 * {@link openBatchStream}, but made while the caller's thread is busy.
 */
import { Worker } from "node:worker_threads";
import type { BatchStreamOptions } from "../core/data/batch_stream.ts";
import { ConfigError, FormatError, VapoError } from "../core/errors.ts";
import {
  loaderControl,
  type LoaderMessage,
  type LoaderOptions,
  wordChanges,
} from "./batch_loader_ring.ts";

/** Which batches of which set. */
export interface BatchLoaderOptions extends BatchStreamOptions {
  /** The prepared set's directory. */
  readonly directory: string;
  /** How it is called in messages; default as it is. */
  readonly location?: string;
  /** "train", "test" or "validation". */
  readonly split: string;
  /** Batches in the ring, the caller's included: at least 2, default 8. They come on top of `memoryBytes`. */
  readonly depth?: number;
}

/** A batch, as it lies in the ring. */
export interface LoadedBatch {
  /** [batchSize, ⌈height·width·channels / 4⌉] little-endian words of pixels; valid until the next. */
  readonly words: Int32Array;
  /** How long it had to be waited for; 0 where it was ready. */
  readonly waitMilliseconds: number;
}

/** A thread that makes batches. It does not keep the process alive. */
export interface BatchLoader {
  /**
   * The next batch; the one before is let go of. To be called once at a time.
   *
   * @throws {FormatError} where a shard is missing or damaged
   * @throws {VapoError} where the system does not let it be read, or the loader has been closed
   */
  next(): Promise<LoadedBatch>;
  /** Ends the thread at once. */
  close(): void;
}

const DEFAULT_DEPTH = 8;

/**
 * Starts a thread that makes batches.
 *
 * @throws {VapoError} where there is no prepared set
 * @throws {FormatError} where its index is damaged
 * @throws {ConfigError} for options out of range, and where two windows take more than `memoryBytes`
 */
export async function openBatchLoader(options: BatchLoaderOptions): Promise<BatchLoader> {
  const { directory, location = directory, depth = DEFAULT_DEPTH } = options;
  if (!Number.isSafeInteger(depth) || depth < 2) {
    throw new ConfigError(`depth is ${depth}: expected a whole number of batches, 2 or more`);
  }
  const words = new Int32Array(new SharedArrayBuffer(4 * loaderControl.words));
  const control = words.buffer as SharedArrayBuffer;
  const thread = startThread({ ...options, location, depth, control });
  const ring = await thread.whileAwake(() => thread.ring);
  const batches = Array.from({ length: depth }, (_, i) => {
    const length = ring.byteLength / 4 / depth;
    return new Int32Array(ring, 4 * length * i, length);
  });
  let taken = 0;

  const isReady = () => Atomics.load(words, loaderControl.filled) !== (taken | 0);
  async function ready(): Promise<void> {
    while (!isReady()) await wordChanges(words, loaderControl.filled, taken | 0);
  }

  return {
    async next() {
      thread.check();
      // The batch before this one.
      Atomics.store(words, loaderControl.released, taken);
      Atomics.notify(words, loaderControl.released);
      let waitMilliseconds = 0;
      if (!isReady()) {
        const start = performance.now();
        await thread.whileAwake(() => Promise.race([ready(), thread.failure]));
        waitMilliseconds = performance.now() - start;
      }
      return { words: batches[taken++ % depth], waitMilliseconds };
    },
    close: () => thread.end(),
  };
}

/** A thread, and what becomes of it. */
interface LoaderThread {
  readonly ring: Promise<SharedArrayBuffer>;
  /** Rejects when the thread can make no more batches. */
  readonly failure: Promise<never>;
  /** Keeps the process alive while something is awaited. */
  whileAwake<T>(wait: () => Promise<T>): Promise<T>;
  /** Throws once the thread has been ended. */
  check(): void;
  end(): void;
}

function startThread(options: LoaderOptions): LoaderThread {
  const worker = new Worker(new URL("./batch_loader_worker.ts", import.meta.url), {
    workerData: options,
  });
  worker.unref();
  const ring = Promise.withResolvers<SharedArrayBuffer>();
  const failure = Promise.withResolvers<never>();
  const fail = (error: Error) => {
    failure.reject(error);
    ring.reject(error);
  };
  // Nobody has to wait for them.
  ring.promise.catch(() => {});
  failure.promise.catch(() => {});
  worker.on("message", (message: LoaderMessage) => {
    if (message.kind === "ring") ring.resolve(message.ring);
    else fail(receivedError(message));
  });
  const died = (reason: string) =>
    fail(new VapoError(`the thread that loads data has ended (${reason}); go on with --resume`));
  worker.on("error", (error) => died(String(error).split("\n")[0]));
  worker.on("exit", (code) => died(`exit code ${code}`));
  let ended = false;
  const closed = () => new VapoError("the batch loader has been closed: open another");

  return {
    ring: ring.promise,
    failure: failure.promise,
    async whileAwake(wait) {
      worker.ref();
      try {
        return await wait();
      } finally {
        worker.unref();
      }
    },
    check() {
      if (ended) throw closed();
    },
    end() {
      if (ended) return;
      ended = true;
      fail(closed());
      worker.terminate();
    },
  };
}

/** An error as the thread threw it. */
function receivedError({ name, message }: { name: string; message: string }): Error {
  const known = [FormatError, ConfigError, VapoError].find((each) => each.name === name);
  return known ? new known(message) : new Error(`in the thread that loads data: ${message}`);
}
