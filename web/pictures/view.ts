/**
 * @file Where a point of the plane is on a canvas: a square of data, y upwards, in the middle of a
 * canvas of any size in device pixels. Every picture of the plane is drawn through one of these.
 */

/** The square [−extent, extent]² on a canvas. */
export interface PlaneView {
  /** Half the side of the square, in data units. */
  readonly extent: number;
  /** Device pixels. */
  readonly left: number;
  readonly top: number;
  /** Device pixels that the square's side takes. */
  readonly side: number;
  /** Device pixels a CSS pixel, for widths of lines and sizes of text. */
  readonly ratio: number;
}

/** The largest square in the middle of a canvas, all in device pixels. */
export function planeView(
  { width, height }: { readonly width: number; readonly height: number },
  extent: number,
  ratio = 1,
): PlaneView {
  const side = Math.min(width, height);
  return { extent, ratio, side, left: (width - side) / 2, top: (height - side) / 2 };
}

/** From data to canvas. */
export function toCanvas(
  { extent, left, top, side }: PlaneView,
  x: number,
  y: number,
): [number, number] {
  const scale = side / (2 * extent);
  return [left + (x + extent) * scale, top + (extent - y) * scale];
}

/** From canvas to data. */
export function toPlane(
  { extent, left, top, side }: PlaneView,
  px: number,
  py: number,
): [number, number] {
  const scale = (2 * extent) / side;
  return [(px - left) * scale - extent, extent - (py - top) * scale];
}

/**
 * From data to a picture of the square alone, in device pixels: half + scale · x from its left edge,
 * half − scale · y from its top.
 */
export function squarePlacement({ side, extent }: PlaneView): { scale: number; half: number } {
  return { scale: side / (2 * extent), half: side / 2 };
}

/** What is drawn on the fly in the colours of the page: CSS colours. */
export interface PictureTheme {
  readonly background: string;
  /** Axes and text. */
  readonly ink: string;
  /** Lines that are not to come forward. */
  readonly faint: string;
  /** The accent, for particles and the like. */
  readonly accent: string;
  /** A second colour beside the accent, told apart by the colour-blind. */
  readonly second: string;
  readonly dark: boolean;
}
