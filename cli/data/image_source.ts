/**
 * @file What a data set is read from, as the preparation sees it: splits of images in a fixed order,
 * whatever files they come from.
 */

/** An image on its way into a prepared set. */
export interface SourceImage {
  /** How it is called in messages: the path of its file, or its number in an archive. */
  readonly name: string;
  /** [labelsPerImage]. */
  readonly labels: Uint8Array;
  /**
   * [height, width, channels], at the size of the prepared set.
   *
   * @throws {FormatError} where it is damaged
   */
  pixels(): Uint8Array | Promise<Uint8Array>;
}

/** The images of a split. */
export interface OpenSplit {
  readonly count: number;
  /** The images from one on, always in the same order. */
  images(first: number): AsyncIterable<SourceImage> | Iterable<SourceImage>;
}

/** A split that can be opened. */
export interface SourceSplit {
  /** train, test, validation or extra. */
  readonly name: string;
  /**
   * Finds its images; for sets that fit the memory it reads them.
   *
   * @throws {FormatError} where its files are damaged
   */
  open(): Promise<OpenSplit>;
}

/** What the work is told of and asked to stop by. */
export interface Work {
  /** Aborted when it is to stop. */
  readonly signal: AbortSignal;
  /** Says that something is under way: `done` of `total` units of `what`. */
  progress(what: string, done: number, total: number, unit: string): void;
  /** Tells the user something. */
  notice(text: string): void;
}

/** The files of a data set, found but not read. */
export interface ImageSource {
  /** How it is called in messages. */
  readonly location: string;
  /** [height, width, channels] of every image as it is stored. */
  readonly shape: readonly [number, number, number];
  readonly labelsPerImage: number;
  readonly splits: readonly SourceSplit[];
  /** What the prepared bytes are a function of; goes into the index. */
  readonly made: Readonly<Record<string, string | number | boolean>>;
  /** What the user should know of the files. */
  readonly notices: readonly string[];
  /**
   * Holds the files against what is published of them: sizes, checksums, counts.
   *
   * @throws {VapoError} where they are not the official ones
   */
  verify(work: Work): Promise<void>;
  /** Lets go of files that are open. */
  close(): void;
}
