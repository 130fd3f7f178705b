/**
 * @file Who does the works that are timed. A peer knows several ways to do a work (threads, memory
 * formats), of which the report takes the fastest; peers do nothing while another is timed.
 */
import type { Work } from "./works.ts";

/** One way of doing a work. */
export interface Variant {
  readonly threads?: number;
  readonly form?: string;
}

/** Somebody who can be timed. */
export interface Peer {
  readonly name: string;
  /** Versions, and whatever else a reader has to know. */
  describe(): Promise<Record<string, unknown>>;
  /** The ways it knows to do a work, at least one; or why it cannot. */
  variants(work: Work): Promise<readonly Variant[] | string>;
  /** Seconds a call, `repeats` times, after an uncounted one if `warmUp`. */
  measure(work: Work, variant: Variant, options: MeasureOptions): Promise<number[]>;
  /** Forgets what it has prepared. */
  release(): Promise<void>;
  /** Ends it. */
  close(): Promise<void>;
}

/** How often a work is done. */
export interface MeasureOptions {
  readonly repeats: number;
  readonly warmUp: boolean;
}

/** A work that is ready to be done. */
export interface Prepared {
  /** Does it so many times, and waits for the last to be done. */
  run(times: number): void | Promise<void>;
  dispose(): void;
}

/** What a peer in this process has to say of itself. */
export interface LocalPeer {
  readonly name: string;
  describe(): Promise<Record<string, unknown>>;
  variants(work: Work): readonly Variant[] | string;
  prepare(work: Work, variant: Variant): Promise<Prepared>;
}

/** A peer in this process. It keeps the works that it has prepared, one a variant. */
export function localPeer({ name, describe, variants, prepare }: LocalPeer): Peer {
  const prepared = new Map<string, Prepared>();
  const release = () => {
    for (const work of prepared.values()) work.dispose();
    prepared.clear();
    return Promise.resolve();
  };
  return {
    name,
    describe,
    variants: (work) => Promise.resolve(variants(work)),
    async measure(work, variant, { repeats, warmUp }) {
      const key = `${work.name} ${variantLabel(variant)}`;
      let ready = prepared.get(key);
      if (!ready) prepared.set(key, ready = await prepare(work, variant));
      if (warmUp) await ready.run(1);
      const seconds: number[] = [];
      for (let i = 0; i < repeats; i++) {
        const start = performance.now();
        await ready.run(work.inner);
        seconds.push((performance.now() - start) / 1000 / work.inner);
      }
      return seconds;
    },
    release,
    close: release,
  };
}

/** A variant in words: "2 threads, nchw". */
export function variantLabel({ threads, form }: Variant): string {
  const count = threads === undefined ? [] : [`${threads} ${threads === 1 ? "thread" : "threads"}`];
  return [...count, ...(form ? [form] : [])].join(", ");
}
