/**
 * @file Matrices as panels and back; see panel_product.ts.
 */
import { depthStep, panelRows, type Tile, tilePanels } from "./panel_product.ts";

/** Panels that so many rows take. */
export function panelCount(rows: number): number {
  return Math.ceil(rows / panelRows);
}

/** So many steps of the depth, with the zeros at its end. */
export function paddedDepth(depth: number): number {
  return Math.ceil(depth / depthStep) * depthStep;
}

/** Cells that a matrix of so many rows takes as panels. */
export function panelCells(rows: number, depth: number): number {
  return panelCount(rows) * panelRows * paddedDepth(depth);
}

/** Rows of numbers, whatever they are rounded to. */
export type Numbers = Float32Array | Float64Array;

/**
 * Packs rows i of a matrix as the panels' rows, so that a product sums over columns.
 *
 * @param panels where they go: {@link panelCells} cells
 * @param matrix rows of `depth` numbers each
 * @param rows which rows
 */
export function packRows(
  panels: Float64Array,
  matrix: Numbers,
  rows: ArrayLike<number>,
  depth: number,
): void {
  const stride = panelRows * paddedDepth(depth);
  for (let panel = 0; panel < panelCount(rows.length); panel++) {
    const out = panels.subarray(panel * stride, (panel + 1) * stride);
    const count = Math.min(panelRows, rows.length - panel * panelRows);
    if (count < panelRows) out.fill(0);
    else out.fill(0, panelRows * depth);
    for (let i = 0; i < count; i++) {
      const start = rows[panel * panelRows + i] * depth;
      const row = matrix.subarray(start, start + depth);
      for (let k = 0, at = i; k < depth; k++, at += panelRows) out[at] = row[k];
    }
  }
}

/**
 * Packs columns of a matrix as the panels' rows, so that a product sums over its rows.
 *
 * @param panels where they go: {@link panelCells}(columns, `most`) cells
 * @param matrix `count` rows of `columns` numbers each
 * @param most the panels' depth: rows that are missing are zeros
 * @param shift is subtracted from each row, where it is given
 */
export function packColumns(
  panels: Float64Array,
  matrix: Numbers,
  count: number,
  columns: number,
  most: number,
  shift?: Float64Array,
): void {
  const stride = panelRows * paddedDepth(most);
  for (let panel = 0; panel < panelCount(columns); panel++) {
    const out = panels.subarray(panel * stride, (panel + 1) * stride);
    const first = panel * panelRows, width = Math.min(panelRows, columns - first);
    if (width < panelRows) out.fill(0);
    else out.fill(0, panelRows * count);
    for (let i = 0; i < width; i++) {
      const less = shift?.[first + i] ?? 0;
      for (let k = 0, at = i, from = first + i; k < count; k++) {
        out[at] = matrix[from] - less;
        at += panelRows;
        from += columns;
      }
    }
  }
}

/** Where the operands and the result of a product lie in a heap, and how large they are. */
export interface TiledProduct {
  readonly left: number;
  readonly leftRows: number;
  readonly right: number;
  readonly rightRows: number;
  /** The result: {@link panelCount}(leftRows)·12 rows. */
  readonly output: number;
  readonly outputStride: number;
  readonly panelStride: number;
  /** Only what is on the diagonal or below it: of a product of a matrix with itself. */
  readonly lower?: boolean;
}

/** The tiles of a product. */
export function tilesOf(product: TiledProduct): Tile[] {
  const { left, right, output, outputStride, panelStride, lower = false } = product;
  const leftPanels = panelCount(product.leftRows), rightPanels = panelCount(product.rightRows);
  const tiles: Tile[] = [];
  for (let i = 0; i < leftPanels; i += tilePanels) {
    for (let j = 0; j < (lower ? i + 1 : rightPanels); j += tilePanels) {
      tiles.push({
        left: left + i * panelStride,
        leftPanels: Math.min(tilePanels, leftPanels - i),
        right: right + j * panelStride,
        rightPanels: Math.min(tilePanels, rightPanels - j),
        output: output + panelRows * (i * outputStride + j),
      });
    }
  }
  return tiles;
}

/** How many tiles a product of so many rows by so many has at most. */
export function tileCount(leftRows: number, rightRows: number): number {
  return Math.ceil(panelCount(leftRows) / tilePanels) *
    Math.ceil(panelCount(rightRows) / tilePanels);
}
