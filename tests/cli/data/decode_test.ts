import { assert, assertEquals, assertRejects } from "@std/assert";
import sharp from "sharp";
import { squareDecoder } from "../../../cli/data/decode.ts";
import { FormatError } from "../../../core/errors.ts";
import { blockMeans, resampledSquare } from "./lanczos.ts";
import { concatenated, noise, picture, smoothPixels } from "./source_files.ts";

const decoder = await squareDecoder();

/** Three equal channels. */
const grey = (values: ArrayLike<number>) =>
  Uint8Array.from({ length: values.length * 3 }, (_, i) => values[Math.floor(i / 3)]);

/** The first channel of an image of three. */
const firstChannel = (pixels: Uint8Array) => pixels.filter((_, i) => i % 3 === 0);

/** The largest distance of bytes from what they should be, rounded and clipped. */
function distance(found: Uint8Array, expected: Float64Array): number {
  assertEquals(found.length, expected.length);
  return found.reduce(
    (most, value, i) =>
      Math.max(most, Math.abs(value - Math.min(255, Math.max(0, Math.round(expected[i]))))),
    0,
  );
}

const square = (side: number, value: (x: number, y: number) => number) =>
  Uint8Array.from({ length: side * side }, (_, i) => value(i % side, Math.floor(i / side)));

Deno.test("a constant image stays constant at every size and in every format", async () => {
  const colour = [13, 250, 77];
  for (const [width, height] of [[64, 64], [65, 71], [178, 218], [341, 256], [1000, 300]]) {
    const pixels = Uint8Array.from({ length: width * height * 3 }, (_, i) => colour[i % 3]);
    for (const format of ["png", "webp", "jpeg"] as const) {
      const bytes = await picture(pixels, width, format);
      const found = await decoder.square(bytes, "constant", { size: 64 });
      const tolerance = format === "jpeg" ? 2 : 0; // JPEG's own colours
      found.forEach((value, i) => assert(Math.abs(value - colour[i % 3]) <= tolerance, `${value}`));
    }
  }
});

Deno.test("the square in the middle is cut exactly, rounded up and to the left", async () => {
  for (const [width, height, left, top] of [[10, 6, 2, 0], [6, 11, 0, 2], [9, 6, 1, 0]]) {
    const pixels = noise(width * height * 3);
    const found = await decoder.square(await picture(pixels, width), "crop", { size: 6 });
    const rows = Array.from({ length: 6 }, (_, y) => {
      const start = ((top + y) * width + left) * 3;
      return pixels.subarray(start, start + 18);
    });
    assertEquals(found, concatenated(...rows));
  }
});

Deno.test("edges agree with Lanczos' formula within one grey level, smooth images within two", async () => {
  const sizes = [[178, 64], [200, 64], [255, 64], [256, 128], [300, 128], [70, 64]];
  for (const [side, size] of sizes) {
    const images = {
      "vertical edge": square(side, (x) => x < side * 0.43 ? 30 : 220),
      "horizontal edge": square(side, (_, y) => y < side * 0.61 ? 200 : 10),
      "smooth": square(side, (x, y) => 128 + 60 * Math.sin(x / 9) + 60 * Math.cos(y / 11)),
    };
    for (const [name, values] of Object.entries(images)) {
      const bytes = await picture(grey(values), side);
      const found = firstChannel(await decoder.square(bytes, name, { size }));
      const most = distance(found, resampledSquare(values, side, size));
      // Rounded once a direction, and libvips has its weights in fixed point.
      assert(most <= (name === "smooth" ? 2 : 1), `${name}, ${side} to ${size}: ${most}`);
    }
  }
});

Deno.test("from a reduction by four on, blocks are averaged first, as documented", async () => {
  for (const [side, size, block] of [[256, 64, 2], [512, 64, 4]]) {
    const values = square(side, (x) => x < side * 0.43 ? 30 : 220);
    const bytes = await picture(grey(values), side);
    const found = firstChannel(await decoder.square(bytes, "edge", { size }));
    const averaged = blockMeans(values, side, block).map(Math.round);
    const most = distance(found, resampledSquare(averaged, side / block, size));
    assert(most <= 1, `${side} to ${size}: ${most}`);
  }
});

Deno.test("nothing aliases: stripes too fine for the new size become their mean", async () => {
  const values = square(256, (x) => x % 2 === 0 ? 0 : 200);
  const bytes = await picture(grey(values), 256);
  for (const size of [64, 100]) {
    const found = await decoder.square(bytes, "stripes", { size });
    const inner = firstChannel(found).filter((_, i) => i % size > 4 && i % size < size - 5);
    assert(inner.every((value) => Math.abs(value - 100) <= 2), `${Math.max(...inner)}`);
  }
});

Deno.test("EXIF orientation is respected before the square is cut", async () => {
  // Left to right dark to bright, 12×6; orientation 6 is shown turned clockwise: 6×12.
  const pixels = grey(Array.from({ length: 72 }, (_, i) => 20 * (i % 12)));
  const raw = { width: 12, height: 6, channels: 3 } as const;
  const bytes = await sharp(pixels, { raw }).withMetadata({ orientation: 6 }).png().toBuffer();
  const found = firstChannel(await decoder.square(bytes, "turned", { size: 6 }));
  // What was the column x is the row x; the middle six rows are taken.
  assertEquals(found, square(6, (_, y) => 20 * (y + 3)));
});

Deno.test("grey, 16 bit, palette and transparent images become three bytes a pixel", async () => {
  const one = { width: 2, height: 2, channels: 1 } as const;
  const greyPng = await sharp(Uint8Array.of(0, 50, 100, 255), { raw: one })
    .toColourspace("b-w").png().toBuffer();
  assertEquals((await sharp(greyPng).metadata()).channels, 1);
  assertEquals(
    await decoder.square(greyPng, "grey", { size: 2 }),
    grey([0, 50, 100, 255]),
  );

  const deep = Uint16Array.from([0, 257, 25700, 65535, 32896, 514, 65278, 1, 40000, 9, 8, 7]);
  const deepPng = await sharp(deep, { raw: { width: 2, height: 2, channels: 3 } })
    .toColourspace("rgb16").png().toBuffer();
  assertEquals((await sharp(deepPng).metadata()).depth, "ushort");
  assertEquals(
    await decoder.square(deepPng, "deep", { size: 2 }),
    Uint8Array.from(deep, (value) => value >> 8),
  );

  const deepGrey = await sharp(Uint16Array.of(0, 257, 25700, 65535), { raw: one })
    .toColourspace("grey16").png().toBuffer();
  assertEquals((await sharp(deepGrey).metadata()).depth, "ushort");
  assertEquals(await decoder.square(deepGrey, "deep grey", { size: 2 }), grey([0, 1, 100, 255]));

  const four = { width: 2, height: 1, channels: 4 } as const;
  const clear = Uint8Array.of(200, 100, 50, 255, 200, 100, 50, 0);
  const clearPng = await sharp(clear, { raw: four }).png().toBuffer();
  const found = await decoder.square(clearPng, "clear", { size: 1 });
  assertEquals(found, Uint8Array.of(200, 100, 50)); // of two pixels the left one
  const square4 = concatenated(clear, clear);
  const squarePng = await sharp(square4, { raw: { ...four, height: 2 } }).png().toBuffer();
  assertEquals(
    await decoder.square(squarePng, "clear", { size: 2 }),
    Uint8Array.of(200, 100, 50, 0, 0, 0, 200, 100, 50, 0, 0, 0),
  );

  const palette = await sharp(grey([0, 255, 255, 0]), { raw: { ...one, channels: 3 } })
    .png({ palette: true, colours: 2 }).toBuffer();
  assertEquals(await decoder.square(palette, "palette", { size: 2 }), grey([0, 255, 255, 0]));
});

Deno.test("a colour profile changes nothing", async () => {
  const pixels = smoothPixels(16, 16), raw = { width: 16, height: 16, channels: 3 } as const;
  const plain = await sharp(pixels, { raw }).png().toBuffer();
  const tagged = await sharp(pixels, { raw }).withIccProfile("p3", { attach: true })
    .png().toBuffer();
  const values = await sharp(tagged, { ignoreIcc: true }).raw().toBuffer();
  assert((await sharp(tagged).metadata()).icc !== undefined);
  assertEquals(
    await decoder.square(tagged, "tagged", { size: 16 }),
    new Uint8Array(values), // as they are in the file
  );
  assertEquals(await decoder.square(plain, "plain", { size: 16 }), pixels);
});

Deno.test("what is cut, damaged, too small or no image is refused by name", async () => {
  const jpeg = await picture(smoothPixels(64, 64), 64, "jpeg");
  const png = await picture(noise(64 * 64 * 3), 64);
  const webp = await picture(noise(64 * 64 * 3), 64, "webp");
  const flipped = png.slice();
  flipped[flipped.length >> 1] ^= 16;
  const svg = new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg"/>');
  const mistakes: [bytes: Uint8Array, message: RegExp][] = [
    [jpeg.subarray(0, jpeg.length >> 1), /^image a\/b\.jpg cannot be taken: .*premature end/],
    [jpeg.subarray(0, jpeg.length - 2), /premature end/],
    [jpeg.subarray(0, 100), /^image a\/b\.jpg cannot be taken: /],
    [png.subarray(0, png.length >> 1), /^image a\/b\.jpg cannot be taken: /],
    [flipped, /^image a\/b\.jpg cannot be taken: /],
    [webp.subarray(0, webp.length >> 1), /^image a\/b\.jpg cannot be taken: /],
    [new Uint8Array(), /the file is empty/],
    [svg, /it begins with bytes 60 115 118 103 .*unlike any PNG, JPEG or WebP/],
    [await picture(noise(31 * 40 * 3), 31), /it is 31×40, smaller than 32×32/],
  ];
  for (const [bytes, message] of mistakes) {
    const error = await assertRejects(
      () => decoder.square(bytes, "a/b.jpg", { size: 32 }),
      FormatError,
    );
    assert(message.test(error.message) && !error.message.includes("\n"), error.message);
  }
  await assertRejects(
    () => decoder.square(png, "face", { size: 32, dimensions: { width: 178, height: 218 } }),
    FormatError,
    "image face cannot be taken: it is 64×64, not 178×218",
  );
});

Deno.test("of many at once, each is judged by itself and each reason is its own", async () => {
  const good = await picture(smoothPixels(64, 64), 64, "jpeg");
  const expected = await decoder.square(good, "good", { size: 32 });
  const ended = good.slice();
  ended.set([0xff, 0xd9], good.length >> 1); // the mark of an end, in the middle
  const reasons = ["", "premature end of JPEG image", "premature end of data segment"];
  const images = [good, good.subarray(0, good.length >> 1), ended];
  await Promise.all(Array.from({ length: 60 }, async (_, i) => {
    const kind = i % 4 % 3, name = `${i}.jpg`;
    const result = decoder.square(images[kind], name, { size: 32 });
    if (kind === 0) return assertEquals(await result, expected);
    const { message } = await assertRejects(() => result, FormatError);
    assert(message.includes(name) && message.includes(reasons[kind]), message);
  }));
});
