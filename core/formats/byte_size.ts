/**
 * @file Sizes in bytes as people read them.
 */

/**
 * A size in words, in binary units with at most two digits after the point: 512 B, 47.1 MiB, 3.98 GiB.
 *
 * @param bytes at least 0
 */
export function byteSize(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (bytes >= 1023.5 && unit < units.length - 1) {
    bytes /= 1024;
    unit++;
  }
  const text = unit === 0 ? bytes.toFixed(0) : bytes.toPrecision(bytes >= 999.5 ? 4 : 3);
  return `${Number(text)} ${units[unit]}`;
}
