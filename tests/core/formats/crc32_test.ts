import { assertEquals } from "@std/assert";
import { crc32 } from "../../../core/formats/crc32.ts";

const text = (value: string) => new TextEncoder().encode(value);

Deno.test("CRC-32 of published vectors", () => {
  assertEquals(crc32(text("")), 0);
  assertEquals(crc32(text("123456789")), 0xcbf43926); // the check value of CRC-32/ISO-HDLC
  assertEquals(crc32(text("The quick brown fox jumps over the lazy dog")), 0x414fa339);
  assertEquals(crc32(new Uint8Array(32)), 0x190a55ad); // zlib.crc32(bytes(32))
  assertEquals(crc32(new Uint8Array(32).fill(255)), 0xff6cab0b); // zlib.crc32(b"\xff" * 32)
});

Deno.test("CRC-32 piece by piece is that of the whole, wherever it is cut", () => {
  const bytes = Uint8Array.from({ length: 41 }, (_, i) => i * 89 + (i >> 1));
  for (let cut = 0; cut <= bytes.length; cut++) {
    assertEquals(crc32(bytes.subarray(cut), crc32(bytes.subarray(0, cut))), crc32(bytes));
  }
});

Deno.test("CRC-32 changes with every single bit", () => {
  const bytes = new Uint8Array(37);
  const seen = new Set([crc32(bytes)]);
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    bytes[bit >> 3] ^= 1 << (bit & 7);
    seen.add(crc32(bytes));
    bytes[bit >> 3] ^= 1 << (bit & 7);
  }
  assertEquals(seen.size, 8 * bytes.length + 1);
});
