/**
 * @file Inner products of rows, A·Bᵀ, block by block: what kernels and distances between points are
 * made of.
 */
import { openPanelProducts, panelRows } from "./panel_product.ts";
import {
  type Numbers,
  packRows,
  paddedDepth,
  panelCells,
  panelCount,
  tileCount,
  tilesOf,
} from "./panels.ts";

/** Two sets of rows, and the inner products between them. */
export interface RowProducts {
  /** Takes rows of a matrix as a side. */
  pack(side: "left" | "right", matrix: Numbers, rows: ArrayLike<number>): void;
  /**
   * The inner products of all rows of the left side with all of the right; or of one side with itself,
   * of which only what is on the diagonal or below it is there.
   *
   * @returns rows of {@link stride} numbers, overwritten by the next call
   */
  multiply(which?: "left" | "right"): Float64Array;
  /**
   * The inner products of a side's rows with themselves, with the very rounding of {@link multiply}, so
   * that equal rows have a distance of zero.
   */
  squares(side: "left" | "right"): Float64Array;
  readonly stride: number;
  dispose(): void;
}

/**
 * Opens memory for two sides.
 *
 * @param options.rows of each side, at most
 * @param options.columns length of a row
 * @param options.threads one a processor where it is left out; results do not depend on it
 * @throws {DeviceMemoryError} (by the promise) where there is not enough memory
 */
export async function openRowProducts(
  { rows: most, columns, threads }: {
    readonly rows: number;
    readonly columns: number;
    readonly threads?: number;
  },
): Promise<RowProducts> {
  const stride = panelRows * panelCount(most), cells = panelCells(most, columns);
  const products = await openPanelProducts({
    cells: 2 * cells + stride ** 2,
    tiles: Math.max(tileCount(most, most), panelCount(most)),
    threads,
  });
  const { heap } = products;
  const output = 2 * cells, depth = paddedDepth(columns), panelStride = panelRows * depth;
  const start = { left: 0, right: cells }, counts = { left: 0, right: 0 };
  const shape = { depth, panelStride, outputStride: stride };
  const result = heap.subarray(output);
  return {
    stride,
    pack(side, matrix, rows) {
      counts[side] = rows.length;
      packRows(heap.subarray(start[side], start[side] + cells), matrix, rows, columns);
    },
    multiply(which) {
      const left = which ?? "left", right = which ?? "right";
      const tiles = tilesOf({
        left: start[left],
        leftRows: counts[left],
        right: start[right],
        rightRows: counts[right],
        output,
        outputStride: stride,
        panelStride,
        lower: which !== undefined,
      });
      products.run(tiles, shape);
      return result;
    },
    squares(side) {
      // A panel with itself, one beside the other: the twelve cells of its diagonal are what is asked.
      const panels = Array.from({ length: panelCount(counts[side]) }, (_, panel) => {
        const at = start[side] + panel * panelStride;
        const where = output + panelRows * panel;
        return { left: at, leftPanels: 1, right: at, rightPanels: 1, output: where };
      });
      products.run(panels, shape);
      return Float64Array.from({ length: counts[side] }, (_, i) => {
        return result[(i % panelRows) * stride + i];
      });
    },
    dispose: () => products.dispose(),
  };
}
