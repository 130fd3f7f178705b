import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { decadeLabel, linearTicks, logTicks, niceStep } from "../../../core/picture/ticks.ts";

Deno.test("linearTicks: steps of 1, 2 or 5, with as many decimals as they need", () => {
  assertEquals(linearTicks(-5.2, 5.2).labels, ["−4", "−2", "0", "2", "4"]);
  assertEquals(linearTicks(0, 1, 5).labels, ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
  assertEquals(linearTicks(0, 1, 5).values, [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assertEquals(linearTicks(0, 4000, 4).labels, ["0", "1000", "2000", "3000", "4000"]);
  assertEquals(linearTicks(0, 4e6, 4).labels, ["0", "1e6", "2e6", "3e6", "4e6"]);
  assertEquals(linearTicks(-2e-6, 2e-6, 4).labels, ["−2e−6", "−1e−6", "0", "1e−6", "2e−6"]);
  assertEquals(linearTicks(0, 1, 5).minor.slice(0, 3), [0, 0.05, 0.1]);
});

Deno.test("niceStep picks the nearest of 1, 2, 5, 10 on a log scale", () => {
  assertEquals([1.3, 1.5, 3, 3.3, 7, 8].map(niceStep), [1, 2, 2, 5, 5, 10]);
  assertEquals(niceStep(0.0149), 0.02);
});

Deno.test("logTicks: decades, with 2 to 9 as the minor ones", () => {
  const { values, labels, minor } = logTicks(0.5, 200);
  assertEquals(values, [1, 10, 100]);
  assertEquals(labels, ["10⁰", "10¹", "10²"]);
  assertEquals(minor.slice(0, 6), [0.5, 0.6, 0.7, 0.8, 0.9, 2]);
  assertEquals(minor.at(-1), 200);
});

Deno.test("logTicks: strides over many decades, 1-2-5 within one, linear ones within less", () => {
  assertEquals(logTicks(1e-30, 1e5, 8).values, [
    1e-30,
    1e-25,
    1e-20,
    1e-15,
    1e-10,
    1e-5,
    1,
    1e5,
  ]);
  assertEquals(logTicks(15, 640).labels, ["20", "50", "100", "200", "500"]);
  assertEquals(logTicks(0.03, 0.031, 5).labels[0], "0.0300");
  assertEquals(decadeLabel(-12), "10⁻¹²");
});

Deno.test("ticks lie within the axis, ascend and have labels of their own", () => {
  const axis = fc.tuple(
    fc.double({ min: -1e6, max: 1e6, noNaN: true }),
    fc.double({ min: 1e-2, max: 1e9, noNaN: true }),
    fc.integer({ min: 2, max: 12 }),
  );
  fc.assert(fc.property(axis, ([low, span, count]) => {
    const { values, labels } = linearTicks(low, low + span, count);
    assert(values.length >= 1 && values.length <= 2 * count + 1, `${values.length} ticks`);
    assertEquals(new Set(labels).size, labels.length);
    values.forEach((v, i) => {
      assert(v >= low - 1e-6 * span && v <= low + span * (1 + 1e-6));
      assert(i === 0 || v > values[i - 1]);
    });
  }));
});

Deno.test("logarithmic ticks lie within the axis, ascend and have labels of their own", () => {
  const axis = fc.tuple(
    fc.double({ min: -280, max: 280, noNaN: true }),
    fc.double({ min: 0.01, max: 20, noNaN: true }),
    fc.integer({ min: 2, max: 12 }),
  );
  fc.assert(fc.property(axis, ([exponent, span, count]) => {
    const [low, high] = [10 ** exponent, 10 ** (exponent + span)];
    const { values, labels, minor } = logTicks(low, high, count);
    assert(values.length >= 1 && values.length <= 3 * count + 1, `${values.length} ticks`);
    assertEquals(new Set(labels).size, labels.length);
    values.forEach((v, i) => {
      assert(v >= low * (1 - 1e-6) && v <= high * (1 + 1e-6));
      assert(i === 0 || v > values[i - 1]);
    });
    minor.forEach((v) => assert(v >= low * (1 - 1e-6) && v <= high * (1 + 1e-6)));
  }));
});
