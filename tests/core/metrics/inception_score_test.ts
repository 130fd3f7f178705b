import { assertAlmostEquals, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import { ConfigError, NonFiniteError, VapoError } from "../../../core/errors.ts";
import { inceptionScore } from "../../../core/metrics/inception_score.ts";
import {
  askSciPy,
  recordedFeatureMetrics,
  referenceFeatures,
} from "../../reference/feature_metrics.ts";
import { assertClose } from "../homotopy/numerics.ts";

Deno.test("scores are NumPy's, of splits that do not divide the images too", async () => {
  const score = await askSciPy("score") ?? recordedFeatureMetrics.score;
  const even = inceptionScore(referenceFeatures(200, 10, 9).map((x) => 8 * x), 10);
  const uneven = inceptionScore(referenceFeatures(203, 12, 9).map((x) => 8 * x), 12, { splits: 7 });
  for (const [found, expected] of [[even, score.even], [uneven, score.uneven]] as const) {
    assertClose(found.values, expected.values, 1e-13);
    assertAlmostEquals(found.mean, expected.mean, 1e-12);
    assertAlmostEquals(found.standardDeviation, expected.std, 1e-12);
  }
});

Deno.test("by hand: as many as there are classes at most, one at least", () => {
  const classes = 5, certain = new Float32Array(classes * 20).fill(-1e4);
  for (let image = 0; image < 20; image++) certain[image * classes + image % classes] = 1e4;
  assertAlmostEquals(inceptionScore(certain, classes, { splits: 2 }).mean, 5, 1e-12);
  assertAlmostEquals(inceptionScore(new Float32Array(60).fill(3), 6).mean, 1, 1e-15);
  // Two images of (3/4, 1/4) and (1/4, 3/4): p(y) is even, KL = ¾ ln 3/2 + ¼ ln 1/2.
  const logits = Float64Array.of(Math.log(3), 0, 0, Math.log(3));
  const expected = Math.exp(0.75 * Math.log(1.5) + 0.25 * Math.log(0.5));
  assertAlmostEquals(inceptionScore(logits, 2, { splits: 1 }).mean, expected, 1e-15);
});

Deno.test("a number added to all logits of an image changes nothing", () => {
  const logit = fc.double({ min: -30, max: 30, noNaN: true });
  fc.assert(fc.property(
    fc.array(logit, { minLength: 24, maxLength: 24 }),
    fc.double({ min: -500, max: 500, noNaN: true }),
    (logits, shift) => {
      const plain = inceptionScore(Float64Array.from(logits), 4, { splits: 2 });
      const shifted = logits.map((x, i) => x + shift * (1 + Math.floor(i / 4)));
      const moved = inceptionScore(Float64Array.from(shifted), 4, { splits: 2 });
      assertClose(moved.values, plain.values, 1e-10);
    },
  ));
});

Deno.test("too few images, and what is no number of splits, are refused", () => {
  const logits = referenceFeatures(9, 4, 1);
  assertThrows(() => inceptionScore(logits, 4), VapoError, "9 samples given; expected at least 10");
  assertThrows(() => inceptionScore(logits, 5), VapoError, "not whole samples of dimension 5");
  assertThrows(() => inceptionScore(logits, 4, { splits: 0 }), ConfigError, "splits is 0");
  assertThrows(
    () => inceptionScore(logits.map(() => NaN), 4, { splits: 1 }),
    NonFiniteError,
    "sample 0 holds NaN",
  );
});
