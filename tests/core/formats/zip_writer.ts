/** @file ZIP archives as no program would write them, for tests of what is refused. */
import { crc32 } from "../../../core/formats/crc32.ts";

/** An entry and what is to be said of it, true or not. */
export interface WrittenEntry {
  readonly name: string | Uint8Array;
  readonly content?: Uint8Array;
  readonly method?: number;
  readonly flags?: number;
  /** Said in the directory. */
  readonly size?: number;
  readonly crc32?: number;
  readonly offset?: number;
  /** The name in the local header. */
  readonly localName?: string;
  readonly localExtra?: Uint8Array;
}

/** Writes entries with their content as it is, and the directory (APPNOTE.TXT, section 4.3). */
export function writeZip(entries: readonly WrittenEntry[]): Uint8Array<ArrayBuffer> {
  const locals: number[] = [];
  const records: number[] = [];
  for (const entry of entries) {
    const content = entry.content ?? new Uint8Array(0);
    const name = encoded(entry.name);
    const localName = encoded(entry.localName ?? entry.name);
    const extra = entry.localExtra ?? new Uint8Array(0);
    const sum = entry.crc32 ?? crc32(content);
    const common = [
      ...words(2, 20, entry.flags ?? 0, entry.method ?? 0, 0, 0x21),
      ...words(4, sum, content.length, entry.size ?? content.length),
    ];
    const offset = entry.offset ?? locals.length;
    append(locals, [0x50, 0x4b, 3, 4, ...common, ...words(2, localName.length, extra.length)]);
    append(locals, localName);
    append(locals, extra);
    append(locals, content);
    append(records, [0x50, 0x4b, 1, 2, ...words(2, 20), ...common]);
    append(records, [...words(2, name.length, 0, 0, 0, 0), ...words(4, 0, offset)]);
    append(records, name);
  }
  const count = entries.length % 0x10000;
  const end = [...words(2, 0, 0, count, count), ...words(4, records.length, locals.length), 0, 0];
  const bytes = new Uint8Array(locals.length + records.length + 22);
  bytes.set(locals);
  bytes.set(records, locals.length);
  bytes.set([0x50, 0x4b, 5, 6, ...end], locals.length + records.length);
  return bytes;
}

function append(target: number[], values: Iterable<number>): void {
  for (const value of values) target.push(value);
}

function encoded(name: string | Uint8Array): Uint8Array {
  return typeof name === "string" ? new TextEncoder().encode(name) : name;
}

/** Little-endian numbers of so many bytes each. */
function words(length: number, ...values: number[]): number[] {
  return values.flatMap((value) => Array.from({ length }, (_, i) => (value >>> (8 * i)) & 255));
}
