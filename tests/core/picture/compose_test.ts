import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ConfigError } from "../../../core/errors.ts";
import {
  picturesInColumn,
  picturesInRow,
  withCaption,
  withMargin,
} from "../../../core/picture/compose.ts";
import { pixelAt, type Rgb, type RgbImage } from "../../../core/picture/rgb_image.ts";

const WHITE: Rgb = [255, 255, 255], RED: Rgb = [255, 0, 0], BLUE: Rgb = [0, 0, 255];

/** A picture of one colour. */
function plain(width: number, height: number, color: Rgb): RgbImage {
  return {
    width,
    height,
    data: Uint8Array.from({ length: width * height * 3 }, (_, i) => color[i % 3]),
  };
}

/** Each pixel as a letter: r, b, · for white, ? for anything else. */
function drawing(image: RgbImage): string[] {
  const letters = new Map([[String(RED), "r"], [String(BLUE), "b"], [String(WHITE), "·"]]);
  return Array.from({ length: image.height }, (_, row) =>
    Array.from(
      { length: image.width },
      (_, column) => letters.get(String(pixelAt(image, column, row))) ?? "?",
    ).join(""));
}

Deno.test("a row has its pictures from left to right, with gaps, as they are aligned", () => {
  const images = [plain(1, 3, RED), plain(2, 1, BLUE)];
  assertEquals(drawing(picturesInRow(images, { gap: 1 })), ["r·bb", "r···", "r···"]);
  assertEquals(drawing(picturesInRow(images, { gap: 0, align: "middle" })), ["r··", "rbb", "r··"]);
  assertEquals(drawing(picturesInRow(images, { gap: 0, align: "end" })), ["r··", "r··", "rbb"]);
});

Deno.test("a column has its pictures from the top down, with gaps, as they are aligned", () => {
  const images = [plain(3, 1, RED), plain(1, 2, BLUE)];
  assertEquals(drawing(picturesInColumn(images, { gap: 1 })), ["rrr", "···", "b··", "b··"]);
  assertEquals(drawing(picturesInColumn(images, { gap: 0, align: "end" })), ["rrr", "··b", "··b"]);
});

Deno.test("a margin is on all sides, in the colour that is asked for", () => {
  assertEquals(drawing(withMargin(plain(1, 1, RED), 1)), ["···", "·r·", "···"]);
  assertEquals(drawing(withMargin(plain(1, 1, RED), 1, BLUE)), ["bbb", "brb", "bbb"]);
  assertEquals(withMargin(plain(2, 1, RED), 0), plain(2, 1, RED));
});

Deno.test("a caption stands above the picture, whole, and in its colour", () => {
  const captioned = withCaption(plain(4, 2, RED), ["a caption", "in two lines"], { color: BLUE });
  const rows = drawing(captioned);
  const picture = rows.slice(-2);
  assertEquals(picture.map((row) => row.replaceAll("·", "")), ["rrrr", "rrrr"]);
  assertEquals(picture[0].indexOf("r"), Math.floor((captioned.width - 4) / 2));
  const text = rows.slice(0, -2);
  // Ink in both lines, none of it cut off at a side.
  const inked = (row: string) => /[^·]/.test(row);
  const half = text.length / 2;
  assertEquals([text.slice(0, half).some(inked), text.slice(half).some(inked)], [true, true]);
  assertEquals(text.some((row) => row[0] !== "·" || row.at(-1) !== "·"), false);
});

Deno.test("every pixel of every picture is in a row and in a column of them", () => {
  const picture = fc.record({
    width: fc.integer({ min: 1, max: 5 }),
    height: fc.integer({ min: 1, max: 5 }),
  });
  const align = fc.constantFrom("start" as const, "middle" as const, "end" as const);
  fc.assert(
    fc.property(fc.array(picture, { minLength: 1, maxLength: 4 }), align, (sizes, align) => {
      const images = sizes.map(({ width, height }) => plain(width, height, RED));
      const area = sizes.reduce((sum, { width, height }) => sum + width * height, 0);
      for (const arrange of [picturesInRow, picturesInColumn]) {
        const red = drawing(arrange(images, { gap: 2, align })).join("").replaceAll("·", "");
        assertEquals(red, "r".repeat(area));
      }
    }),
  );
});

Deno.test("what cannot be arranged is refused", () => {
  assertThrows(() => picturesInRow([]), ConfigError, "no pictures");
  assertThrows(() => picturesInColumn([plain(1, 1, RED)], { gap: 0.5 }), ConfigError, "gap is 0.5");
  assertThrows(() => withMargin(plain(1, 1, RED), -1), ConfigError, "margin is -1");
  assertThrows(
    () => withCaption(plain(1, 1, RED), ["x"], { capitalHeight: NaN }),
    ConfigError,
    "capitals of NaN",
  );
});
