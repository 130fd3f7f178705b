/**
 * @file CRC-32 as in Ethernet, gzip and PNG (IEEE 802.3: polynomial 0x04C11DB7, reflected), sixteen
 * bytes at a step (slicing-by-16, after Kounavis and Berry, "A Systematic Approach to Building High
 * Performance Software-based CRC Generators", 2005).
 */

const SLICES = 16;

const table = makeTable();

/** [256·k + b]: the effect of byte b seen k bytes before the end of a step; one array is fastest. */
function makeTable(): Int32Array {
  const result = new Int32Array(256 * SLICES);
  for (let byte = 0; byte < 256; byte++) {
    let remainder = byte;
    for (let bit = 0; bit < 8; bit++) {
      remainder = remainder & 1 ? (remainder >>> 1) ^ 0xedb88320 : remainder >>> 1;
    }
    result[byte] = remainder;
  }
  for (let i = 256; i < result.length; i++) {
    const before = result[i - 256];
    result[i] = (before >>> 8) ^ result[before & 255];
  }
  return result;
}

/**
 * The CRC-32 of bytes, as an unsigned 32-bit integer.
 *
 * @param bytes what to check
 * @param previous the CRC-32 of what came before, to check a file piece by piece; 0 at its start
 */
export function crc32(bytes: Uint8Array, previous = 0): number {
  let crc = ~previous;
  let i = 0;
  for (; i + SLICES <= bytes.length; i += SLICES) {
    crc ^= bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
    // Written out: a loop over the slices is several times slower.
    crc = table[3840 + (crc & 255)] ^ table[3584 + ((crc >>> 8) & 255)] ^
      table[3328 + ((crc >>> 16) & 255)] ^ table[3072 + (crc >>> 24)] ^
      table[2816 + bytes[i + 4]] ^ table[2560 + bytes[i + 5]] ^
      table[2304 + bytes[i + 6]] ^ table[2048 + bytes[i + 7]] ^
      table[1792 + bytes[i + 8]] ^ table[1536 + bytes[i + 9]] ^
      table[1280 + bytes[i + 10]] ^ table[1024 + bytes[i + 11]] ^
      table[768 + bytes[i + 12]] ^ table[512 + bytes[i + 13]] ^
      table[256 + bytes[i + 14]] ^ table[bytes[i + 15]];
  }
  for (; i < bytes.length; i++) crc = (crc >>> 8) ^ table[(crc ^ bytes[i]) & 255];
  return ~crc >>> 0;
}
