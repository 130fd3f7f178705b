/** @file How many elements a shape read from a file stands for, without trusting the file. */

/**
 * The product of the sizes, or undefined where one is no count (negative, fractional) or the
 * product is past 2⁵³: a file that claims such a shape cannot back it.
 */
export function countElements(shape: readonly number[]): number | undefined {
  let product = 1;
  for (const size of shape) {
    product *= size;
    if (!(Number.isSafeInteger(size) && size >= 0 && Number.isSafeInteger(product))) {
      return undefined;
    }
  }
  return product;
}
