/**
 * @file Where Winograd's method is faster than a product of gathered pixels.
 */
import type { ConvolutionGeometry } from "../kernels.ts";
import { outputTile, planes } from "./winograd_transform.ts";

/** Fewest channels that the transforms of tiles can do. */
const fewestChannels = 4;

/**
 * Whether a convolution (or its filter's gradient) should go by Winograd's method: filters of 3×3
 * pixels, no strides, and tiles that are full enough. Times are counted in multiply-adds; those of
 * transforms, a few dozen operations a cell that wait for memory too, are measured.
 */
export function winogradPays(geometry: ConvolutionGeometry): boolean {
  const { inputChannels: c, outputChannels: o } = geometry;
  const { filterHeight, filterWidth, strideHeight, strideWidth } = geometry;
  const plain = filterHeight === 3 && filterWidth === 3 && strideHeight === 1 && strideWidth === 1;
  if (!plain || c < fewestChannels || o < fewestChannels) return false;
  const { batch, outputHeight, outputWidth } = geometry;
  const tiles = batch * Math.ceil(outputHeight / outputTile) * Math.ceil(outputWidth / outputTile);
  const direct = batch * outputHeight * outputWidth * 9 * (c * o + c + o);
  const transformed = planes * (tiles * (c * o + 10 * (c + o)) + 3 * c * o);
  return transformed < direct;
}
