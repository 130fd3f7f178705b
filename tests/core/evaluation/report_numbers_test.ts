import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  formatColumn,
  formatCount,
  formatDuration,
  formatExact,
  formatMeasurement,
  formatNumber,
} from "../../../core/evaluation/report_numbers.ts";

/** A text of these functions as the number that it says. */
const read = (text: string) => Number(text.replaceAll(",", ""));

Deno.test("errors keep one or two digits by the rule of the Particle Data Group", () => {
  // The three examples of the Review of Particle Physics, section 5.3, and the rule's edges.
  const cases: [number, number, string][] = [
    [0.827, 0.119, "0.83 ± 0.12"],
    [0.827, 0.367, "0.8 ± 0.4"],
    [0.827, 0.967, "0.8 ± 1.0"],
    [16.6234, 0.41, "16.6 ± 0.4"],
    [16.6234, 0.354, "16.62 ± 0.35"],
    [16.6234, 0.355, "16.6 ± 0.4"],
    [16.6234, 0.949, "16.6 ± 0.9"],
    [16.6234, 0.95, "16.6 ± 1.0"],
    [12345.6, 1200, "12,300 ± 1,200"],
    [99.97, 9.6, "100 ± 10"],
    [123456, 5000, "123,000 ± 5,000"],
  ];
  for (const [value, error, text] of cases) assertEquals(formatMeasurement(value, error), text);
});

Deno.test("small and large measurements share a power of ten with their errors", () => {
  const cases: [number, number | undefined, string][] = [
    [3.58e-4, 1.2e-5, "(3.58 ± 0.12)e-4"],
    [-3.58e-4, 1.2e-5, "(-3.58 ± 0.12)e-4"],
    [9.996e-4, 4e-5, "0.00100 ± 0.00004"],
    [9.99e-4, 4e-6, "(9.99 ± 0.04)e-4"],
    [1e9, 3e6, "(1.0000 ± 0.0030)e9"],
    [1.5e-9, 2e-3, "0.0000 ± 0.0020"],
    [3.58e-4, undefined, "3.58e-4"],
    [3.58e-4, 0, "3.58e-4 ± 0"],
  ];
  for (const [value, error, text] of cases) assertEquals(formatMeasurement(value, error), text);
});

Deno.test("an error of zero, one below all digits, and one above the value are said as they are", () => {
  assertEquals(formatMeasurement(1, 0), "1 ± 0");
  assertEquals(formatMeasurement(0, 0), "0 ± 0");
  assertEquals(formatMeasurement(16.62341234, 4e-12), "16.62341234 ± 4e-12");
  assertEquals(formatMeasurement(0.01, 5.2), "0 ± 5");
  assertEquals(formatMeasurement(-0.01, 0.41), "0.0 ± 0.4");
  assertEquals(formatMeasurement(NaN, 1), "NaN ± 1");
  assertEquals(formatMeasurement(2, NaN), "2 ± NaN");
  assertEquals(formatMeasurement(-Infinity), "-∞");
});

Deno.test("a measurement is rounded by no more than its error allows", () => {
  const size = fc.double({ min: -15, max: 15, noNaN: true });
  fc.assert(
    fc.property(size, size, fc.boolean(), (exponent, errorExponent, negative) => {
      const value = (negative ? -1 : 1) * 10 ** exponent, error = 10 ** errorExponent;
      const text = formatMeasurement(value, error);
      const [whole, first, second, power = ""] =
        /^\(?(-?[\d.,]+(?:e-?\d+)?) ± ([\d.,]+(?:e-?\d+)?)\)?(?:(e-?\d+))?$/.exec(text) ?? [];
      assertEquals(whole, text);
      const shown = read(first + power), shownError = read(second + power);
      // Half a digit of the error's last: at most half of 1/10 (of 10 to 35) or of 1/4 (of 4 to 9).
      assert(Math.abs(shown - value) <= 0.15 * error + 1e-9 * Math.abs(value), text);
      assert(Math.abs(shownError / error - 1) < 0.5, text);
      assert(text.length < 36, text);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("numbers without an error have four digits, counts all of theirs", () => {
  const texts = [16.6234, 0.7, 0.000358, 74, 12345.678, -0.00001, 0, -0, 1e7, 1.5e300];
  assertEquals(
    texts.map((value) => formatNumber(value)),
    ["16.62", "0.7", "3.58e-4", "74", "12,346", "-1e-5", "0", "0", "1e7", "1.5e300"],
  );
  assertEquals([0, 999, 1000, 50000, 1234567.4].map(formatCount), [
    "0",
    "999",
    "1,000",
    "50,000",
    "1,234,567",
  ]);
  assertEquals([-1234, 2 ** 60].map(formatCount), ["-1,234", "1.153e18"]);
  assertEquals([1e-5, 0.99999, 1.25, 50000, -0].map(formatExact), [
    "0.00001",
    "0.99999",
    "1.25",
    "50,000",
    "0",
  ]);
  fc.assert(
    fc.property(fc.double({ min: -1e300, max: 1e300, noNaN: true }), (value) => {
      assertAlmostEquals(read(formatNumber(value)) / (value || 1), value === 0 ? 0 : 1, 6e-4);
    }),
  );
});

Deno.test("a column's numbers have as many decimals as tell them apart", () => {
  assertEquals(formatColumn([0.7812, 0.5, 0.6103]), ["0.7812", "0.5000", "0.6103"]);
  assertEquals(formatColumn([-41.2213, 1204.5, 30.7]), ["-41.2", "1,204.5", "30.7"]);
  assertEquals(formatColumn([1, 2, 50000]), ["1", "2", "50,000"]);
  assertEquals(formatColumn([0.5, 0, 0.25]), ["0.50", "0.00", "0.25"]);
  assertEquals(formatColumn([1e-5, 0.25]), ["1e-5", "0.25"]);
  assertEquals(formatColumn([NaN, 1.25]), ["NaN", "1.25"]);
  assertEquals(formatColumn([]), []);
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: -1e4, max: 1e4, noNaN: true }), { maxLength: 6 }),
      (values) => {
        formatColumn(values).forEach((text, i) => {
          const size = Math.max(...values.map(Math.abs));
          assertAlmostEquals(read(text), values[i], 6e-4 * size + 1e-12);
        });
      },
    ),
  );
});

Deno.test("durations are said in two units at most", () => {
  assertEquals(
    [0, 0.25, 0.949, 1.2, 59.4, 59.6, 200, 3599.7, 7300, 1e6].map(formatDuration),
    [
      "0.1 s",
      "0.3 s",
      "0.9 s",
      "1 s",
      "59 s",
      "1 min 0 s",
      "3 min 20 s",
      "1 h 0 min",
      "2 h 2 min",
      "277 h 47 min",
    ],
  );
});
