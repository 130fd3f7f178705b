import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  aligned,
  allPositive,
  DECIMATE_ABOVE,
  decimated,
  nearestPoint,
  positionRange,
  sampledRows,
  valueRange,
  visibleIndices,
} from "../../../web/components/curves/chart_data.ts";

/** Values with breaks, as a run that was not finite for a while has. */
const values = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }) },
    { weight: 1, arbitrary: fc.constant(NaN) },
  ),
  { minLength: 1, maxLength: 400 },
);
const positions = (n: number) => Array.from({ length: n }, (_, i) => i * 10);

Deno.test("thinning keeps both ends and each extreme, in order, and no more than five a pixel", () => {
  fc.assert(fc.property(values, fc.integer({ min: 1, max: 60 }), (y, buckets) => {
    const kept = visibleIndices(positions(y.length), y, buckets);
    assert(kept.every((index, i) => i === 0 || index > kept[i - 1]));
    assert(kept.length <= 5 * buckets);
    assertEquals(kept[0], 0);
    assertEquals(kept[kept.length - 1], y.length - 1);
    const finite = y.filter(Number.isFinite), seen = kept.map((i) => y[i]).filter(Number.isFinite);
    assertEquals(seen.length > 0, finite.length > 0);
    assertEquals(Math.min(...seen), Math.min(...finite));
    assertEquals(Math.max(...seen), Math.max(...finite));
  }));
});

Deno.test("thinning keeps the lowest and the highest of every pixel, and a break where there is one", () => {
  fc.assert(fc.property(values, fc.integer({ min: 1, max: 40 }), (y, buckets) => {
    const x = positions(y.length), kept = new Set(visibleIndices(x, y, buckets));
    const width = x[x.length - 1] / buckets || 1;
    const pixel = (i: number) => Math.min(buckets - 1, Math.floor(x[i] / width));
    for (let bucket = 0; bucket < buckets; bucket++) {
      const inside = y.map((_, i) => i).filter((i) => pixel(i) === bucket);
      const finite = (indices: number[]) => indices.map((i) => y[i]).filter(Number.isFinite);
      const all = finite(inside), seen = finite(inside.filter((i) => kept.has(i)));
      assertEquals([Math.min(...seen), Math.max(...seen)], [Math.min(...all), Math.max(...all)]);
      const broken = (indices: number[]) => indices.some((i) => Number.isNaN(y[i]));
      assertEquals(broken(inside.filter((i) => kept.has(i))), broken(inside));
    }
  }));
});

Deno.test("a curve of a few thousand points is drawn as it is, one of more is thinned", () => {
  const curve = (n: number) => ({ label: "c", x: positions(n), y: positions(n).map(Math.sin) });
  const few = curve(DECIMATE_ABOVE), many = curve(20 * DECIMATE_ABOVE);
  assert(decimated(few, 300) === few);
  const thin = decimated(many, 300);
  assert(thin.x.length <= 1500 && thin.x.length === thin.y.length);
});

Deno.test("curves over different steps share an axis; a break is told from a place without a point", () => {
  const { x, rows } = aligned([
    { label: "a", x: [0, 2, 4], y: [1, NaN, 3] },
    { label: "b", x: [1, 2], y: [5, 6] },
  ]);
  assertEquals(x, [0, 1, 2, 4]);
  assertEquals(rows, [[1, undefined, null, 3], [undefined, 5, 6, undefined]]);
});

Deno.test("the vertical axis has room around what is shown, and outliers of a faint curve may leave it", () => {
  const x = positions(1000), y = x.map((_, i) => i === 500 ? 1e6 : Math.sin(i));
  const [low, high] = valueRange([{ label: "raw", x, y, faint: true }], false);
  assert(low < -0.99 && low > -1.2 && high > 0.99 && high < 1.2);
  assert(valueRange([{ label: "raw", x, y }], false)[1] > 1e6);
  assertEquals(valueRange([], false), [0, 1]);
  assertEquals(valueRange([{ label: "nothing", x: [1], y: [NaN] }], true), [1, 10]);
});

Deno.test("a logarithmic axis has the same room in factors, and needs positive values", () => {
  const [low, high] = valueRange([{ label: "c", x: [0, 1], y: [1e-4, 1e2] }], true);
  assert(Math.abs(low * high / 1e-2 - 1) < 1e-12 && low < 1e-4 && low > 1e-5);
  assert(allPositive([[1, NaN, 1e-9]]));
  assert(!allPositive([[1, 0]]));
});

Deno.test("the horizontal axis ends where the curves end", () => {
  assertEquals(
    positionRange(
      [{ label: "a", x: [5, 7], y: [0, 0] }, { label: "b", x: [6, 9], y: [0, 0] }],
      false,
    ),
    [5, 9],
  );
});

Deno.test("the point under the pointer is the nearest finite one", () => {
  fc.assert(fc.property(values, fc.double({ min: -50, max: 5000, noNaN: true }), (y, position) => {
    const x = positions(y.length), found = nearestPoint({ label: "c", x, y }, position);
    const distances = x.map((at, i) => Number.isFinite(y[i]) ? Math.abs(at - position) : Infinity);
    const least = Math.min(...distances);
    if (least === Infinity) assertEquals(found, -1);
    else assertEquals(distances[found], least);
  }));
  assertEquals(nearestPoint({ label: "c", x: [1, 2, 3], y: [1, 2, NaN] }, Infinity), 1);
});

Deno.test("a table has at most so many rows, the first and the last among them", () => {
  const x = positions(1000), rows = sampledRows([{ label: "c", x, y: x }], 20);
  assertEquals(rows.length, 20);
  assertEquals([rows[0].x, rows[19].x], [0, 9990]);
  assertEquals(rows[19].values, [9990]);
  assertEquals(sampledRows([{ label: "c", x: [3], y: [NaN] }], 20), [{ x: 3, values: [NaN] }]);
  assertEquals(sampledRows([], 20), []);
});
