import { assertEquals, assertThrows } from "@std/assert";
import { decode } from "fast-png";
import fc from "fast-check";
import { ConfigError } from "../../../core/errors.ts";
import { encodePng, pixelAt } from "../../../core/picture/rgb_image.ts";

Deno.test("encodePng writes the signature and header that ISO/IEC 15948 asks for", () => {
  const file = encodePng({ width: 3, height: 2, data: new Uint8Array(18) });
  assertEquals(Array.from(file.subarray(0, 8)), [137, 80, 78, 71, 13, 10, 26, 10]);
  const header = new DataView(file.buffer, file.byteOffset + 16);
  assertEquals([header.getUint32(0), header.getUint32(4)], [3, 2]);
  // Bit depth 8, colour type 2 (truecolour), deflate, adaptive filters, not interlaced.
  assertEquals(Array.from(file.subarray(24, 29)), [8, 2, 0, 0, 0]);
});

Deno.test("any picture comes back from its PNG as it went in", () => {
  const picture = fc.tuple(
    fc.integer({ min: 1, max: 9 }),
    fc.integer({ min: 1, max: 9 }),
    fc.boolean(),
  )
    .chain(([width, height, grey]) => {
      const length = width * height * (grey ? 1 : 3);
      return fc.uint8Array({ minLength: length, maxLength: length }).map((data) =>
        grey ? { width, height, data, channels: 1 as const } : { width, height, data }
      );
    });
  fc.assert(fc.property(picture, (image) => {
    const back = decode(encodePng(image));
    assertEquals([back.width, back.height, back.depth], [image.width, image.height, 8]);
    assertEquals(back.channels, "channels" in image ? 1 : 3);
    assertEquals(Array.from(back.data), Array.from(image.data));
  }));
});

Deno.test("encodePng refuses data of another length and sides that are not whole", () => {
  assertThrows(
    () => encodePng({ width: 2, height: 2, data: new Uint8Array(11) }),
    ConfigError,
    "11 values: give 12",
  );
  assertThrows(() => encodePng({ width: 0, height: 2, data: new Uint8Array(0) }), ConfigError);
  assertThrows(() => encodePng({ width: 1.5, height: 2, data: new Uint8Array(9) }), ConfigError);
});

Deno.test("pixelAt counts columns from the left and rows from the top", () => {
  const image = { width: 2, height: 2, data: Uint8Array.from({ length: 12 }, (_, i) => i) };
  assertEquals(pixelAt(image, 1, 0), [3, 4, 5]);
  assertEquals(pixelAt(image, 0, 1), [6, 7, 8]);
});
