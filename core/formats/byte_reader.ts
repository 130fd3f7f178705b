/** @file Reading from a stream of bytes as many at a time as a format asks for. */

/** A stream of bytes, read from its start to its end. */
export interface ByteReader {
  /** How many bytes have been read or skipped. */
  readonly offset: number;
  /** Fills `target` with the next bytes; returns how many, fewer than asked for only at the end. */
  fill(target: Uint8Array): Promise<number>;
  /** Passes over the next bytes; returns how many, fewer than asked for only at the end. */
  skip(length: number): Promise<number>;
  /** Lets go of the stream, which need not be at its end. */
  close(): Promise<void>;
}

/** Reads from pieces of any length, each taken once the one before it is used up. */
export function byteReader(pieces: AsyncIterator<Uint8Array>): ByteReader {
  let piece = new Uint8Array(0);
  let offset = 0;

  /** Hands the next `length` bytes to `take`, in parts. */
  async function advance(length: number, take?: (part: Uint8Array, at: number) => void) {
    let done = 0;
    while (done < length) {
      if (piece.length === 0) {
        const next = await pieces.next();
        if (next.done) break;
        piece = next.value as Uint8Array<ArrayBuffer>;
        continue;
      }
      const part = piece.subarray(0, length - done);
      take?.(part, done);
      piece = piece.subarray(part.length);
      done += part.length;
      offset += part.length;
    }
    return done;
  }

  return {
    get offset() {
      return offset;
    },
    fill: (target) => advance(target.length, (part, at) => target.set(part, at)),
    skip: (length) => advance(length),
    close: async () => {
      await pieces.return?.();
    },
  };
}

/**
 * The pieces of a stream. No generator: what returns from one waits for the piece that was asked
 * for last, which may never come.
 */
export function streamPieces(stream: ReadableStream<Uint8Array>): AsyncIterator<Uint8Array> {
  const reader = stream.getReader();
  return {
    next: () => reader.read() as Promise<IteratorResult<Uint8Array>>,
    async return() {
      await reader.cancel().catch(() => {}); // a stream that failed has nothing left to say
      return { done: true, value: undefined };
    },
  };
}

/** Pieces with one put back before them. */
export function startingWith(
  first: Uint8Array,
  rest: AsyncIterator<Uint8Array>,
): AsyncIterator<Uint8Array> {
  let waiting = true;
  return {
    next() {
      if (!waiting) return rest.next();
      waiting = false;
      return Promise.resolve({ done: false, value: first });
    },
    return: async (value) => await rest.return?.(value) ?? { done: true, value },
  };
}
