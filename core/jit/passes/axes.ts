/** @file Arithmetic of axes: which axes of a reshaped array are which of the original. */

/** Axes of two shapes that hold the same cells: their extents have the same product. */
export interface AxisBlock {
  readonly from: readonly number[];
  readonly to: readonly number[];
}

/**
 * The finest division of two shapes of the same size into blocks of neighbouring axes such that a
 * reshape acts within blocks: [2, 3, 4, 5] → [6, 20] are {0, 1} → {0} and {2, 3} → {1}. Axes of
 * extent 1 belong to no block.
 */
export function alignAxes(from: readonly number[], to: readonly number[]): AxisBlock[] {
  const blocks: AxisBlock[] = [];
  let i = 0, j = 0;
  while (i < from.length || j < to.length) {
    const block = { from: [] as number[], to: [] as number[] };
    let left = 1, right = 1;
    do {
      // The side with the smaller product goes on; extents of 1 are passed over.
      if (left <= right && i < from.length) {
        if (from[i] !== 1) block.from.push(i);
        left *= from[i++];
      } else if (j < to.length) {
        if (to[j] !== 1) block.to.push(j);
        right *= to[j++];
      } else break;
    } while (left !== right);
    if (block.from.length || block.to.length) blocks.push(block);
  }
  return blocks;
}

/** A shape with ones before it, so that it has the given rank. */
export function padRank(shape: readonly number[], rank: number): number[] {
  return [...Array<number>(rank - shape.length).fill(1), ...shape];
}
