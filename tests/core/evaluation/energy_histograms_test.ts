import { assert, assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert";
import { energyHistograms } from "../../../core/evaluation/energy_histograms.ts";
import { kolmogorovSmirnov } from "../../../core/metrics/kolmogorov_smirnov.ts";
import { seededNormals } from "../homotopy/numerics.ts";
import { assertReport, measured } from "./reports.ts";

Deno.test("values of one distribution pass the test, shifted ones do not; means have their errors", () => {
  const train = seededNormals(800, 1), test = seededNormals(500, 2);
  const samples = seededNormals(300, 3).map((value) => 2 + value);
  const report = energyHistograms({ train, test, samples });
  assertReport(report);
  assert(measured(report, "ks-train-test-p") > 0.05);
  assert(measured(report, "ks-samples-test-p") < 1e-50);
  assertEquals(measured(report, "ks-samples-test"), kolmogorovSmirnov(samples, test).statistic);
  const mean = report.measurements.find(({ name }) => name === "mean-samples")!;
  assertAlmostEquals(mean.standardError!, 1 / Math.sqrt(300), 0.01);
  assertAlmostEquals(mean.value, 2, 4 * mean.standardError!);
  const [, n, ...moments] = report.tables[0].rows[2];
  assertEquals(n, 300);
  // mean, standard deviation, 5 %, median and 95 % of N(2, 1)
  [2, 1, 2 - 1.645, 2, 2 + 1.645].forEach((value, i) =>
    assertAlmostEquals(moments[i] as number, value, 0.25)
  );
  const svg = report.pictures[0].content as string;
  for (const name of ["training data", "held-out data", "samples"]) assertStringIncludes(svg, name);
});

Deno.test("values without spread have a report too", () => {
  const constant = new Float64Array(5).fill(3);
  const report = energyHistograms({ train: constant, test: constant, samples: constant });
  assertReport(report);
  assertEquals(measured(report, "ks-train-test"), 0);
  assertEquals(measured(report, "ks-train-test-p"), 1);
});

Deno.test("the last column of the tests is what one pair in twenty exceeds", () => {
  const pairs = 300;
  let exceeding = 0;
  for (let i = 0; i < pairs; i++) {
    const train = seededNormals(200, 3 * i + 1), test = seededNormals(150, 3 * i + 2);
    const { tables: [, { rows: [[, d, , limit]] }] } = energyHistograms({
      train,
      test,
      samples: test,
    });
    if (d as number > (limit as number)) exceeding++;
  }
  assert(exceeding > 4 && exceeding < 30, `${exceeding} of ${pairs}`);
});
