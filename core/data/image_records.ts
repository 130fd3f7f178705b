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

/** The records of several files, one after the other. */
export function joinedRecords(parts: readonly ImageRecords[]): ImageRecords {
  if (parts.length === 1) return parts[0];
  const count = parts.reduce((sum, part) => sum + part.count, 0);
  const join = (arrays: readonly Uint8Array[]) => {
    const all = new Uint8Array(arrays.reduce((sum, { length }) => sum + length, 0));
    let offset = 0;
    for (const array of arrays) {
      all.set(array, offset);
      offset += array.length;
    }
    return all;
  };
  return {
    ...parts[0],
    count,
    pixels: join(parts.map(({ pixels }) => pixels)),
    labels: join(parts.map(({ labels }) => labels)),
  };
}
