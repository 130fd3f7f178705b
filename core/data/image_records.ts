/**
 * @file What a data set's own files hold, once they are read: images of bytes, all of one size, and
 * their labels.
 */

/** Images of one size, with or without labels. */
export interface ImageRecords {
  /** How many images there are. */
  readonly count: number;
  /** [height, width, channels] of every image. */
  readonly shape: readonly [number, number, number];
  /** [count, height, width, channels]: rows from the top, channels last. */
  readonly pixels: Uint8Array;
  /** [count, labelsPerImage]; empty where there are none. */
  readonly labels: Uint8Array;
  /** 0 without labels; CIFAR-100 has 2, the coarse one first. */
  readonly labelsPerImage: number;
}
