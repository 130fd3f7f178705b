import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { ConfigError, VapoError } from "../../../core/errors.ts";
import {
  imageInterpolations,
  outOfDistribution,
  uniformNoise,
} from "../../../core/evaluation/out_of_distribution.ts";
import { auroc } from "../../../core/metrics/auroc.ts";
import { seededNormals } from "../homotopy/numerics.ts";
import { assertReport, measured } from "./reports.ts";

const values = (n: number, seed: number, mean: number) =>
  seededNormals(n, seed).map((value) => value + mean);

Deno.test("areas are those of the scores, Φ higher inside, with the published ones for CIFAR-10", () => {
  const inside = { name: "cifar10 held-out", values: values(400, 1, 1) };
  const outside = [
    { name: "interpolation", values: values(300, 2, 0) },
    { name: "cifar100 held-out", values: values(300, 3, 1) },
    { name: "svhn held-out", values: values(200, 4, 3) },
    { name: "noise", values: values(200, 5, -30) },
  ];
  const report = outOfDistribution({ inside, outside });
  assertReport(report);
  assertEquals(
    measured(report, "auroc-interpolation"),
    auroc(inside.values, outside[0].values).area,
  );
  // N(1, 1) above N(0, 1); the same; below N(3, 1); far above.
  const expected = [0.7602, 0.5, 0.0786, 1];
  report.measurements.forEach(({ value, standardError }, i) =>
    assertAlmostEquals(value, expected[i], 4 * standardError! + 1e-12)
  );
  assertEquals(report.tables[0].rows.map((row) => row.at(-1)), [0.78, 0.5, 0.61, null]);
  assert(report.notes.some((note) => note.includes("1.3 million")));
});

Deno.test("other data have no published figures, and another name than CIFAR-10 is not it", () => {
  const outside = [{ name: "svhn held-out", values: values(10, 1, 0) }];
  for (const name of ["cifar100 held-out", "mnist held-out", "cifar1000"]) {
    const report = outOfDistribution({ inside: { name, values: values(10, 2, 0) }, outside });
    assertReport(report);
    assertEquals(report.tables[0].columns.length, 4);
    assert(!report.notes.some((note) => note.includes("1.3 million")));
  }
  assertThrows(
    () => outOfDistribution({ inside: outside[0], outside: [] }),
    ConfigError,
    "at least one set",
  );
});

Deno.test("an interpolation is the mean of its image and another one, halves to even", () => {
  const n = 5, shape = [n, 2, 3, 1] as const;
  const images = Uint8Array.from({ length: 6 * n }, (_, i) => (i * i * 37 + 11) % 256);
  const halves = imageInterpolations(images, shape, 12, 3);
  const even = (x: number) => x % 1 === 0 ? x : 2 * Math.round(x / 2);
  const partners = new Set<number>();
  for (let i = 0; i < 12; i++) {
    const first = i % n;
    const partner = Array.from({ length: n }, (_, j) => j).filter((j) =>
      j !== first &&
      Array.from({ length: 6 }, (_, k) => k).every((k) =>
        halves[6 * i + k] === even((images[6 * first + k] + images[6 * j + k]) / 2)
      )
    );
    assertEquals(partner.length, 1, `interpolation ${i} is of ${partner}`);
    partners.add((partner[0] - first + n) % n);
  }
  assert(partners.size > 1);
  assertEquals(imageInterpolations(images, shape, 7, 3), halves.subarray(0, 42));
  assert(halves.join() !== imageInterpolations(images, shape, 12, 4).join());
  assertThrows(() => imageInterpolations(images, [1, 5, 6, 1], 1, 0), VapoError, "at least two");
  assertThrows(() => imageInterpolations(images, [4, 2, 3, 1], 1, 0), VapoError, "expected 24");
});

Deno.test("noise is uniform over all bytes, of any size, and a function of its seed", () => {
  const noise = uniformNoise(40, [8, 8, 3], 1);
  const counts = new Float64Array(256);
  for (const byte of noise) counts[byte]++;
  const expected = noise.length / 256;
  const chiSquared = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  // 255 degrees of freedom: 255 ± 4·√510.
  assert(Math.abs(chiSquared - 255) < 90, `χ² = ${chiSquared}`);
  assertEquals(uniformNoise(40, [8, 8, 3], 1), noise);
  assert(uniformNoise(1, [8, 8, 3], 2).join() !== noise.subarray(0, 192).join());
  const odd = uniformNoise(3, [1, 5, 1], 1);
  assertEquals(odd.length, 15);
  assert(odd.subarray(0, 5).join() !== odd.subarray(5, 10).join());
});
