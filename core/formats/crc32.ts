/**
 * @file CRC-32 as in Ethernet, gzip and PNG (IEEE 802.3: polynomial 0x04C11DB7, reflected), four
 * bytes at a step (slicing-by-4; Kounavis and Berry, "A Systematic Approach to Building High
 * Performance Software-based CRC Generators", 2005).
 */

const tables = makeTables();

/** tables[k][b]: the effect of byte b seen k bytes before the end of a step. */
function makeTables(): Uint32Array[] {
  const first = Uint32Array.from({ length: 256 }, (_, byte) => {
    let remainder = byte;
    for (let bit = 0; bit < 8; bit++) {
      remainder = remainder & 1 ? (remainder >>> 1) ^ 0xedb88320 : remainder >>> 1;
    }
    return remainder;
  });
  const result = [first];
  for (let k = 1; k < 4; k++) {
    result.push(result[k - 1].map((value) => (value >>> 8) ^ first[value & 255]));
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
  const [table0, table1, table2, table3] = tables;
  let crc = ~previous;
  let i = 0;
  for (; i + 4 <= bytes.length; i += 4) {
    crc ^= bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
    crc = table3[crc & 255] ^ table2[(crc >>> 8) & 255] ^ table1[(crc >>> 16) & 255] ^
      table0[crc >>> 24];
  }
  for (; i < bytes.length; i++) crc = (crc >>> 8) ^ table0[(crc ^ bytes[i]) & 255];
  return ~crc >>> 0;
}
