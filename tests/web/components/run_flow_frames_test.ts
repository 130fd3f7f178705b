/**
 * @file From the server's frames to what is seen: pixels of known values, times between frames, and
 * answers that do not fit.
 */
import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { FormatError } from "../../../core/errors.ts";
import { encodeNpy } from "../../../core/formats/npy.ts";
import { imageGrid } from "../../../core/picture/image_grid.ts";
import {
  flowEnd,
  flowExtent,
  gridColumns,
  imagePixels,
  readFlow,
  samplesAt,
} from "../../../web/components/runs/flow_frames.ts";

function flowOf(shape: number[], values: number[], times: number[]) {
  const bytes = encodeNpy({ dtype: "float32", shape, data: Float32Array.from(values) });
  return readFlow(bytes, JSON.stringify(times));
}

Deno.test("grey values become pixels: −1 black, 1 white, beyond clamped, no number magenta", () => {
  const values = Float32Array.of(-1, 1, 0, -3, 3, NaN);
  const { width, height, data } = imagePixels(values, 1, [2, 3, 1]);
  assertEquals([width, height], [3, 2]);
  const pixels = Array.from({ length: 6 }, (_, i) => [...data.slice(4 * i, 4 * i + 4)]);
  assertEquals(pixels, [
    [0, 0, 0, 255],
    [255, 255, 255, 255],
    [128, 128, 128, 255],
    [0, 0, 0, 255],
    [255, 255, 255, 255],
    [255, 0, 255, 255],
  ]);
});

Deno.test("colours keep their channels, and images lie in a grid with a transparent gap", () => {
  // Three images of 1×1: red, green, blue.
  const values = Float32Array.of(1, -1, -1, -1, 1, -1, -1, -1, 1);
  const { width, height, data } = imagePixels(values, 3, [1, 1, 3]);
  assertEquals([gridColumns(3), width, height], [2, 3, 3]);
  const at = (x: number, y: number) => [...data.slice(4 * (3 * y + x), 4 * (3 * y + x) + 4)];
  assertEquals(at(0, 0), [255, 0, 0, 255]);
  assertEquals(at(2, 0), [0, 255, 0, 255]);
  assertEquals(at(0, 2), [0, 0, 255, 255]);
  assertEquals(at(1, 0), [0, 0, 0, 0]);
  assertEquals(at(2, 2), [0, 0, 0, 0]);
});

Deno.test("pixels are those that the command line draws", () => {
  fc.assert(fc.property(
    fc.constantFrom(1, 3),
    fc.integer({ min: 1, max: 5 }),
    fc.integer({ min: 1, max: 4 }),
    fc.infiniteStream(fc.double({ min: -1.5, max: 1.5, noNaN: true })),
    (c, n, side, stream) => {
      const values = Float32Array.from([...stream.take(n * side * side * c)]);
      const own = imagePixels(values, n, [side, side, c]);
      const columns = gridColumns(n);
      const grid = imageGrid({ images: values, n, h: side, w: side, c, columns, scale: 1, gap: 1 });
      assertEquals([own.width, own.height], [grid.width, grid.height]);
      for (let i = 0; i < own.width * own.height; i++) {
        if (own.data[4 * i + 3] === 0) continue; // a gap
        assertEquals([...own.data.slice(4 * i, 4 * i + 3)], [...grid.data.slice(3 * i, 3 * i + 3)]);
      }
    },
  ));
});

Deno.test("between two frames samples are in between, at frames they are the frame's", () => {
  const flow = flowOf([3, 1, 2], [0, 0, 1, -2, 3, 6], [0, 0.5, 1.25]);
  assertEquals(flowEnd(flow), 1.25);
  assertEquals([...samplesAt(flow, 0)], [0, 0]);
  assertEquals([...samplesAt(flow, 0.25)], [0.5, -1]);
  assertEquals([...samplesAt(flow, 0.5)], [1, -2]);
  const [x, y] = samplesAt(flow, 0.8);
  assertAlmostEquals(x, 1 + 2 * 0.4, 1e-6);
  assertAlmostEquals(y, -2 + 8 * 0.4, 1e-6);
  assertEquals([...samplesAt(flow, 1.25)], [3, 6]);
  assertEquals([...samplesAt(flow, 9)], [3, 6]);
  assertEquals([...samplesAt(flow, -1)], [0, 0]);
});

Deno.test("a flow of one frame stays where it is", () => {
  const flow = flowOf([1, 1, 2], [2, 3], [0]);
  for (const u of [0, 0.5, 2]) assertEquals([...samplesAt(flow, u)], [2, 3]);
});

Deno.test("the square of a flow holds its points, and not what flew far away alone", () => {
  const values = Array.from({ length: 4000 }, (_, i) => Math.sin(i));
  assertEquals(flowExtent(flowOf([1, 2000, 2], values, [0])), 1.5);
  assertEquals(flowExtent(flowOf([1, 2000, 2], [...values.slice(1), 1e9], [0])), 1.5);
  assertEquals(flowExtent(flowOf([1, 1, 2], [NaN, 4], [0])), 4.5);
});

Deno.test("answers that do not fit are refused in a line", () => {
  const bytes = encodeNpy({ dtype: "float32", shape: [2, 1, 2], data: new Float32Array(4) });
  for (const times of [null, "", "[0]", "[0, 0]", "[1, 0]", '["a", "b"]', "[0, null]", "{}"]) {
    const error = assertThrows(() => readFlow(bytes, times), FormatError);
    assertEquals(error.message.split("\n").length, 1);
  }
  assertThrows(() => flowOf([1, 1, 3], [0, 0, 0], [0]), FormatError, "expected float32");
  assertThrows(() => flowOf([1, 1, 1, 1, 2], [0, 0], [0]), FormatError, "expected float32");
  assertThrows(() => readFlow(new Uint8Array(200), "[0]"), FormatError, "The flow");
});
