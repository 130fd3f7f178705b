import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { decode } from "fast-png";
import { ConfigError } from "../../../core/errors.ts";
import { nearestNeighbours } from "../../../core/evaluation/neighbour_grid.ts";
import { uniformNoise } from "../../../core/evaluation/out_of_distribution.ts";
import { nearestImages } from "../../../core/metrics/nearest_neighbours.ts";
import { openDevice } from "../../../core/tensor/mod.ts";
import { assertReport, measured } from "./reports.ts";

const shape = [4, 4, 1] as const, size = 16, k = 3;

/** Noise as a data set, and the report on samples beside it. */
async function reportOf(samples: Uint8Array) {
  await openDevice("wasm");
  const train = uniformNoise(500, shape, 1), heldOut = uniformNoise(200, shape, 2);
  return nearestNeighbours({
    samples,
    train,
    shape,
    pixel: {
      samples: await nearestImages(samples, train, shape, k),
      heldOut: await nearestImages(heldOut, train, shape, k),
    },
    rows: 5,
  });
}

Deno.test("fresh draws are as near as held-out images", async () => {
  const report = await reportOf(uniformNoise(300, shape, 3));
  assertReport(report);
  const chance = report.measurements.find(({ name }) => name === "nearer-pixels")!;
  assertAlmostEquals(chance.value, 0.5, 4 * chance.standardError!);
  assert(measured(report, "near-copies-pixels") < 0.12);
  assertEquals(measured(report, "copies-pixels"), 0);
  const ratio = measured(report, "nearest-pixels") / measured(report, "nearest-held-out-pixels");
  assertAlmostEquals(ratio, 1, 0.05);
});

Deno.test("copies are counted, near copies are near, and their ratio tells them", async () => {
  const samples = uniformNoise(40, shape, 4), train = uniformNoise(500, shape, 1);
  samples.set(train.subarray(0, 10 * size)); // ten copies, and ten that differ by a grey level
  for (let i = 10 * size; i < 20 * size; i++) samples[i] = train[i] ^ 1;
  const report = await reportOf(samples);
  assertReport(report);
  assertEquals(measured(report, "copies-pixels"), 10);
  assert(measured(report, "near-copies-pixels") >= 0.5);
  assert(measured(report, "nearer-pixels") > 0.6);
  const { columns, rows: [ofSamples, ofHeldOut] } = report.tables[0];
  const ratio = columns.findIndex((column) => column.includes("smallest") && column.includes("÷"));
  assertEquals(ofSamples[ratio], 0);
  assert(ofHeldOut[ratio] as number > 0.3);
});

Deno.test("the picture has a row a sample: itself, then its nearest", async () => {
  await openDevice("cpu");
  // Images of one grey level each.
  const grey = (levels: number[]) => Uint8Array.from(levels.flatMap((v) => Array(size).fill(v)));
  const train = grey([0, 100, 200, 250]), samples = grey([90, 240]);
  const samplesIn = await nearestImages(samples, train, shape, 4);
  const neighbours = { samples: samplesIn };
  const inputs = { samples, train, shape, pixel: neighbours };
  const report = nearestNeighbours({ ...inputs, features: { ...neighbours, label: "net" } });
  assertReport(report);
  assertEquals(report.pictures.map(({ name }) => name), [
    "neighbours-pixels",
    "neighbours-features",
  ]);
  const { width, height, data } = decode(report.pictures[0].content as Uint8Array);
  // Margins of 8, pictures of 64 with 2 between them.
  const at = (fromRight: number, fromBottom: number) =>
    data[((height - 8 - fromBottom) * width + width - 8 - fromRight) * 3];
  const line = (fromBottom: number) => [230, 164, 98, 32].map((x) => at(x, fromBottom));
  assertEquals(line(98), [100, 0, 200, 250]);
  assertEquals(line(32), [250, 200, 100, 0]);
  const row = Array.from({ length: width }, (_, x) => data[((height - 8 - 98) * width + x) * 3]);
  assert(row.includes(90) && !row.includes(240));
  assertEquals(report.measurements.map(({ name }) => name), [
    ...["nearest-pixels", "copies-pixels"],
    ...["nearest-features", "copies-features"],
  ]);
  assertThrows(
    () => nearestNeighbours({ ...inputs, train: train.subarray(0, size) }),
    ConfigError,
    "of 1 training images",
  );
  assertThrows(
    () => nearestNeighbours({ ...inputs, samples: grey([1, 2, 3]) }),
    ConfigError,
    "2 samples for 3 images",
  );
  assertThrows(() => nearestNeighbours({ ...inputs, rows: 0 }), ConfigError, "0 rows");
});
