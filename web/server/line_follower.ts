/**
 * @file Follows one .jsonl file as it grows, and knows when it goes on from an earlier place. Where a
 * reader is, is an offset together with the CRC-32 of all bytes before it: a file bears that out or it
 * does not, whichever program asks, so that a reader can come back to another server. A file that is
 * replaced (a run that is resumed writes its metrics anew) is held against what was read before: as far
 * as both are the same, readers go on as if nothing had been.
 *
 * What is remembered of a file is a few thousand marks, places where the step rises; those of a long
 * file are thinned, so that the memory it takes does not grow with it.
 */
import { crc32 } from "../../core/formats/crc32.ts";
import { lineFiles, type LineKind, parseLine, readAt, type RunLine } from "./json_lines.ts";
import { findFile } from "./run_paths.ts";

/** How far a file has been read. */
export interface Position {
  /** Bytes before it, all of them whole lines. */
  readonly offset: number;
  /** Their CRC-32. */
  readonly crc: number;
}

/** A file's start. */
export const fileStart: Position = { offset: 0, crc: 0 };

/** A place where the step rises: all lines before it have at most `step`, the one after it more. */
interface Mark extends Position {
  readonly step: number;
}

/** Some lines of a file. */
export interface LineChunk {
  readonly lines: readonly RunLine[];
  /** Where the reader is after them. */
  readonly end: Position;
}

/** What a look at a file has found; readers see it once it is taken over. */
export interface Look {
  /** Where lines that were read are void: those that are not, and their end. */
  readonly rewind: Rewind | null;
  /** The place after all lines of at most a step; the start where lines are out of order. */
  positionAfter(step: number): Promise<Position>;
  /** Takes over what was found, at once. */
  commit(): void;
}

/** Lines that stay when others are void. */
export interface Rewind {
  /** They have at most this step, and those that are void more; −1 leaves none. */
  readonly step: number;
  readonly end: Position;
}

/** Follows a file. */
export interface LineFollower {
  /** The end of the last whole line, as of the last look. */
  readonly end: Position;
  /** Looks at the file, and reads what is new. */
  look(): Promise<Look>;
  /** Whether the file bears a position out: it is the end of a line, and what is before it is the same. */
  bears(position: Position): Promise<boolean>;
  /**
   * The lines from a position on, at most a thousand.
   *
   * @throws {ChangedFile} where the file is no longer what it was at the last look
   */
  read(position: Position): Promise<LineChunk>;
}

/** Thrown where a file has changed behind its follower's back: look again. */
export class ChangedFile extends Error {
  /** The name of the class. */
  override name = "ChangedFile";
}

const LINE_BREAK = 10;
/** How much of a file is in memory at a time; a line that is longer is read as several, none of them one. */
const CHUNK_BYTES = 2 ** 18;
/** The most lines of an event. */
const LINES_AT_ONCE = 1000;
/** Marks of a file; when there are twice as many, every other one is dropped. */
const MARKS = 2048;
/** Bytes before the end that are compared when a file has grown. */
const TAIL_BYTES = 256;

/** What is known of a file's content. */
interface Content {
  end: Position;
  /** The largest step of all lines. */
  step: number;
  /** Whether no line has a smaller step than one before it. */
  ordered: boolean;
  marks: Mark[];
  /** Rises of the step between two marks. */
  stride: number;
  /** Rises since the last mark. */
  rises: number;
  /** The last bytes before the end. */
  tail: Uint8Array;
}

function emptyContent(): Content {
  return {
    end: fileStart,
    step: -1,
    ordered: true,
    marks: [],
    stride: 1,
    rises: 0,
    tail: new Uint8Array(),
  };
}

/**
 * Makes a follower of a file in a directory, which need not be there yet.
 *
 * @param directory finds the real path of the run's directory; null where there is none
 */
export function lineFollower(
  directory: () => Promise<string | null>,
  kind: LineKind,
): LineFollower {
  let content = emptyContent(), seen: Deno.FileInfo | null = null;
  /** The file is no longer what it was, although it looks the same. */
  let distrusted = false;

  const find = async () => {
    const place = await directory();
    return place === null ? null : await findFile(place, lineFiles[kind]);
  };
  /** Opens the file if it is still a given one, and as long. */
  const open = async (known: Deno.FileInfo | null, { offset }: Position) => {
    const found = await find();
    if (!found) throw new ChangedFile();
    const file = await Deno.open(found.path, { read: true });
    const info = await file.stat();
    if (isSameFile(info, known) && info.size >= offset) return file;
    file.close();
    throw new ChangedFile();
  };
  const look = (next: Content, info: Deno.FileInfo | null, rewind: Rewind | null): Look => ({
    rewind,
    async positionAfter(step) {
      const mark = placeBefore(next, step);
      if (mark === null || mark.offset === next.end.offset) return mark ?? fileStart;
      using file = await open(info, next.end);
      return await endOfStep(file, mark, next.end, step);
    },
    commit() {
      [content, seen, distrusted] = [next, info, false];
    },
  });

  return {
    get end() {
      return content.end;
    },
    async look() {
      // What leads out of the run, or must not be read, is as if it were not there.
      const found = await find().catch(() => null);
      if (!found) {
        return look(emptyContent(), null, content.end.offset > 0 ? noLines : null);
      }
      if (!distrusted && isUnchanged(found.info, seen)) return look(content, seen, null);
      using file = await Deno.open(found.path, { read: true });
      const info = await file.stat();
      if (!distrusted && await hasGrown(file, info, seen, content)) {
        await scan(file, content, info.size);
        return look(content, info, null);
      }
      const common = commonPlace(content), next = emptyContent();
      await scan(file, next, info.size, common.pass);
      return look(next, info, common.rewind(next));
    },
    async bears({ offset, crc }) {
      if (offset === 0) return crc === 0;
      if (offset > content.end.offset) return false;
      const mark = content.marks.findLast((mark) => mark.offset <= offset) ?? fileStart;
      using file = await open(seen, content.end);
      let position: Position = mark;
      for await (const line of linesBetween(file, mark, content.end)) {
        if (position.offset >= offset) break;
        position = line.end;
      }
      return position.offset === offset && position.crc === crc;
    },
    async read(position) {
      using file = await open(seen, content.end);
      const lines: RunLine[] = [];
      let end = position, count = 0;
      const until = Math.min(content.end.offset, position.offset + CHUNK_BYTES);
      for await (const line of linesBetween(file, position, { offset: until })) {
        const value = parseLine(kind, line.text);
        if (value) lines.push(value);
        end = line.end;
        if (++count === LINES_AT_ONCE) break;
      }
      const isOther = end.offset === content.end.offset && end.crc !== content.end.crc;
      if (isOther || end.offset === position.offset) {
        distrusted = true;
        throw new ChangedFile();
      }
      return { lines, end };
    },
  };
}

const noLines: Rewind = { step: -1, end: fileStart };

function isSameFile(info: Deno.FileInfo, seen: Deno.FileInfo | null): boolean {
  return seen !== null && info.ino === seen.ino && info.dev === seen.dev &&
    info.birthtime?.getTime() === seen.birthtime?.getTime();
}

function isUnchanged(info: Deno.FileInfo, seen: Deno.FileInfo | null): boolean {
  return isSameFile(info, seen) && info.size === seen!.size &&
    info.mtime?.getTime() === seen!.mtime?.getTime();
}

/** Whether the file is the one that was read, with more at its end. */
async function hasGrown(
  file: Deno.FsFile,
  info: Deno.FileInfo,
  seen: Deno.FileInfo | null,
  { end: { offset }, tail }: Content,
): Promise<boolean> {
  if (!isSameFile(info, seen) || info.size < offset) return false;
  const now = await readAt(file, offset - tail.length, tail.length);
  return now.length === tail.length && now.every((byte, i) => byte === tail[i]);
}

/** The last place known before which all lines have at most a step; null where that is not known. */
function placeBefore({ end, step: largest, ordered, marks }: Content, step: number) {
  if (step >= largest) return end;
  return ordered ? marks.findLast((mark) => mark.step <= step) ?? null : null;
}

/** The place after the last line of at most a step, from one before it on. */
async function endOfStep(
  file: Deno.FsFile,
  from: Position,
  to: Position,
  step: number,
): Promise<Position> {
  let { offset, crc } = from;
  for await (const { text, end } of linesBetween(file, from, to)) {
    if ((stepOf(text) ?? -1) > step) break;
    ({ offset, crc } = end);
  }
  return { offset, crc };
}

/** A line with the place after it. */
interface PlacedLine {
  readonly text: string;
  readonly end: Position;
}

const decoder = new TextDecoder();

/** The whole lines between two places. */
async function* linesBetween(
  file: Deno.FsFile,
  from: Position,
  { offset: to }: { readonly offset: number },
): AsyncGenerator<PlacedLine> {
  let { offset, crc } = from;
  while (offset < to) {
    const bytes = await readAt(file, offset, Math.min(CHUNK_BYTES, to - offset));
    if (bytes.length === 0) return;
    let start = 0;
    for (let at = bytes.indexOf(LINE_BREAK); at >= 0; at = bytes.indexOf(LINE_BREAK, start)) {
      crc = crc32(bytes.subarray(start, at + 1), crc);
      const text = decoder.decode(bytes.subarray(start, at));
      start = at + 1;
      yield { text, end: { offset: offset + start, crc } };
    }
    if (start === 0) {
      // A line that is being written waits; one that is too long goes by in parts.
      if (bytes.length < CHUNK_BYTES) return;
      crc = crc32(bytes, crc);
      start = bytes.length;
      yield { text: "", end: { offset: offset + start, crc } };
    }
    offset += start;
  }
}

/** Reads on from the content's end; `pass` is shown each place, in order, with the content before it. */
async function scan(
  file: Deno.FsFile,
  content: Content,
  size: number,
  pass: (place: Position, content: Content) => void = () => {},
): Promise<void> {
  pass(content.end, content);
  for await (const { text, end } of linesBetween(file, content.end, { offset: size })) {
    const step = stepOf(text);
    if (step !== null) {
      if (step > content.step) addMark(content);
      else if (step < content.step) content.ordered = false;
      content.step = Math.max(content.step, step);
    }
    content.end = end;
    pass(end, content);
  }
  const length = Math.min(TAIL_BYTES, content.end.offset);
  content.tail = await readAt(file, content.end.offset - length, length);
}

/** Marks the place before a line whose step is larger than all before it. */
function addMark(content: Content): void {
  const { end, step, marks } = content;
  if (content.rises++ % content.stride !== 0) return;
  marks.push({ ...end, step });
  if (marks.length < 2 * MARKS) return;
  content.marks = marks.filter((_, i) => i % 2 === 0);
  content.stride *= 2;
}

/** Finds, while another content is read, as far as which place it is the one that was known. */
function commonPlace(known: Content) {
  let next = 0, isSame = true, common: Mark | null = null, reachedEnd = known.end.offset === 0;
  return {
    pass({ offset, crc }: Position): void {
      if (!isSame || reachedEnd) return;
      if (offset === known.end.offset) reachedEnd = crc === known.end.crc;
      const mark = known.marks[next];
      if (!mark || offset < mark.offset) return;
      if (offset === mark.offset && crc === mark.crc) {
        common = mark;
        next++;
      } else isSame = false;
    },
    /** What is left of what was known; null where all of it is still there. */
    rewind({ ordered }: Content): Rewind | null {
      if (reachedEnd) return null;
      if (!common || !known.ordered || !ordered) return noLines;
      const { step, offset, crc }: Mark = common;
      return { step, end: { offset, crc } };
    },
  };
}

/** The step of a line, where it has one. */
function stepOf(text: string): number | null {
  // Nearly every line begins so, and a long file is read faster without making objects of it.
  const quick = /^\{"step":(\d{1,15})[,}]/.exec(text);
  if (quick) return Number(quick[1]);
  try {
    const step = (JSON.parse(text) as { step?: unknown } | null)?.step;
    return Number.isSafeInteger(step) ? step as number : null;
  } catch {
    return null;
  }
}
