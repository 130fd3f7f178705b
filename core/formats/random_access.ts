/**
 * @file Files that are read in parts, wherever they are: what an archive too large for the memory
 * is read through.
 */

import { FormatError } from "../errors.ts";

/** A file that can be read from any place. */
export interface RandomAccessFile {
  /** Its name, for error messages. */
  readonly source: string;
  /** Its length in bytes. */
  readonly size: number;
  /**
   * Reads `length` bytes from `offset` on, fewer only where the file ends before that. The bytes
   * are the caller's own: nothing else writes to them later.
   */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** A file that is in memory already. */
export function fileOfBytes(bytes: Uint8Array, source: string): RandomAccessFile {
  return {
    source,
    size: bytes.length,
    read: (offset, length) => Promise.resolve(bytes.slice(offset, offset + length)),
  };
}

/**
 * Reads exactly `length` bytes from `offset` on.
 *
 * @param what what is there, for the message: "its central directory"
 * @throws {FormatError} where the file does not reach that far.
 */
export async function readExactly(
  file: RandomAccessFile,
  offset: number,
  length: number,
  what: string,
): Promise<Uint8Array> {
  const fits = offset >= 0 && offset + length <= file.size;
  const bytes = fits ? await file.read(offset, length) : undefined;
  if (bytes?.length !== length) {
    throw new FormatError(
      `${file.source} ends at byte ${
        bytes ? offset + bytes.length : file.size
      }; expected ${length} bytes of ${what} from byte ${offset} on: it is cut short or damaged, download it again`,
    );
  }
  return bytes;
}
