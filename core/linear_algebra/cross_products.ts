/**
 * @file Sums of products of columns, XᵀX, over rows that come in parts (a symmetric rank-k update).
 */
import { depthStep, openPanelProducts, panelRows } from "./panel_product.ts";
import { type Numbers, packColumns, panelCells, panelCount, tileCount, tilesOf } from "./panels.ts";

/** Rows that are multiplied at once: 25 ms of work for 2,048 columns. */
export const crossProductRows = 192;

/** A sum of products in the making. */
export interface CrossProducts {
  /** Adds (x − shift)(x − shift)ᵀ of each row: at most {@link crossProductRows}. */
  add(rows: Numbers, count: number, shift: Float64Array): void;
  /** [columns, columns], both halves. */
  sum(): Float64Array;
  dispose(): void;
}

/**
 * Starts a sum of zero.
 *
 * @param columns of the rows to come
 * @param options.threads one a processor where it is left out; the sum does not depend on it
 * @throws {DeviceMemoryError} (by the promise) where there is not enough memory
 */
export async function openCrossProducts(
  columns: number,
  { threads }: { readonly threads?: number } = {},
): Promise<CrossProducts> {
  const outputStride = panelRows * panelCount(columns);
  const cells = panelCells(columns, crossProductRows);
  const products = await openPanelProducts({
    cells: cells + outputStride ** 2,
    tiles: tileCount(columns, columns),
    threads,
  });
  const panels = products.heap.subarray(0, cells), result = products.heap.subarray(cells);
  return {
    add(rows, count, shift) {
      // Panels are as deep for a part of fewer rows, but no more of them takes part.
      const depth = Math.ceil(count / depthStep) * depthStep;
      packColumns(panels, rows, count, columns, crossProductRows, shift);
      const panelStride = panelRows * crossProductRows;
      const tiles = tilesOf({
        left: 0,
        leftRows: columns,
        right: 0,
        rightRows: columns,
        output: cells,
        outputStride,
        panelStride,
        lower: true,
      });
      products.run(tiles, { depth, panelStride, outputStride, accumulate: true });
    },
    sum() {
      const whole = new Float64Array(columns * columns);
      for (let i = 0; i < columns; i++) {
        for (let j = 0; j <= i; j++) {
          whole[i * columns + j] = whole[j * columns + i] = result[i * outputStride + j];
        }
      }
      return whole;
    },
    dispose: () => products.dispose(),
  };
}
