/**
 * @file Compiled programs that are kept for the next batch, as many as one says: a program holds the
 * parameters and all its temporaries, so more than a few would be memory wasted.
 */

/** What can be kept. */
interface Disposable {
  dispose(): void;
}

/** Programs by name. They are used one after the other, never two at a time. */
export interface KeptPrograms {
  /**
   * The program of a name, made where it is not there; the one unused for longest is freed before,
   * where there would be too many.
   */
  get<P extends Disposable>(name: string, make: () => Promise<P>): Promise<P>;
  /** Frees them all. */
  dispose(): void;
}

/** Keeps the `limit` programs that were used last. */
export function keptPrograms(limit: number): KeptPrograms {
  // A Map has its entries in the order in which they were set: the one unused for longest first.
  const programs = new Map<string, Disposable>();
  return {
    async get<P extends Disposable>(name: string, make: () => Promise<P>): Promise<P> {
      let program = programs.get(name) as P | undefined;
      programs.delete(name);
      if (!program) {
        for (const [oldest, unused] of programs) {
          if (programs.size < limit) break;
          programs.delete(oldest);
          unused.dispose();
        }
        program = await make();
      }
      programs.set(name, program);
      return program;
    },
    dispose() {
      for (const program of programs.values()) program.dispose();
      programs.clear();
    },
  };
}
