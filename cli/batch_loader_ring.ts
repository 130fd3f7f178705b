/**
 * @file What a batch loader and its thread tell each other: by message the thread's start, its ring of
 * batches and its end, all else by two words of shared memory.
 */
import type { BatchStreamOptions } from "../core/data/batch_stream.ts";

/** What the thread is started with. */
export interface LoaderOptions extends BatchStreamOptions {
  /** The prepared set's directory. */
  readonly directory: string;
  /** How it is called in messages. */
  readonly location: string;
  readonly split: string;
  /** Batches in the ring. */
  readonly depth: number;
  /** The words of {@link loaderControl}. */
  readonly control: SharedArrayBuffer;
}

/** What the thread says: where the ring is, once, or why it ends. */
export type LoaderMessage =
  | { readonly kind: "ring"; readonly ring: SharedArrayBuffer }
  | { readonly kind: "failure"; readonly name: string; readonly message: string };

/** Indices of the words, as an Int32Array, that both threads wait on; each in a line of its own. */
export const loaderControl = {
  /** How many batches have been made... */
  filled: 0,
  /** ...and how many of them have been let go of. */
  released: 16,
  words: 32,
} as const;

/** Waits until a word is no longer what it was; other work goes on. */
export async function wordChanges(words: Int32Array, index: number, value: number): Promise<void> {
  const { async, value: change } = Atomics.waitAsync(words, index, value);
  if (async) await change;
}
