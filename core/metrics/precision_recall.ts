/**
 * @file Precision and recall of samples by balls around points (T. Kynkäänniemi, T. Karras, S. Laine,
 * J. Lehtinen and T. Aila, "Improved Precision and Recall Metric for Assessing Generative Models",
 * 2019), and density and coverage (M. Naeem, S. Oh, Y. Uh, Y. Choi and J. Yoo, "Reliable Fidelity and
 * Diversity Metrics for Generative Models", 2020).
 */
import { VapoError } from "../errors.ts";
import { openRowProducts, type RowProducts } from "../linear_algebra/row_products.ts";
import { type Interruptible, pauses } from "../pauses.ts";
import { requireWhole } from "../whole_number.ts";
import { countSamples, type Samples } from "./samples.ts";

/** How {@link precisionRecall} measures. */
export interface PrecisionRecallOptions extends Interruptible {
  /** k: a point's ball reaches to its k-th nearest neighbour; 5 where left out. */
  readonly neighbours?: number;
  /** One a processor where it is left out; the numbers do not depend on it. */
  readonly threads?: number;
}

/** What {@link precisionRecall} finds. */
export interface PrecisionRecall {
  /** The fraction of samples in the ball of at least one data point. */
  readonly precision: number;
  /** The fraction of data points in the ball of at least one sample. */
  readonly recall: number;
  /** How many balls of data points a sample lies in, on average, divided by k: 1 is as data. */
  readonly density: number;
  /** The fraction of data points with at least one sample in their ball. */
  readonly coverage: number;
}

/**
 * Precision, recall, density and coverage of samples, in the features' Euclidean distance, as the
 * authors' `prdc` package defines them: the ball of a point reaches to the k-th nearest of the other
 * points of its own set and does not contain its surface, so that a sample which is exactly as far as
 * that neighbour is outside.
 *
 * Distances are float64, |x|² + |y|² − 2x·y, zero for equal points. Blocks of them are made one after
 * another, so memory is some 50 MB for 2,048 features; the work is (n²/2 + m²/2 + n·m)·d
 * multiplications and additions. All four depend on n and m: compare values of the same numbers of points only.
 *
 * Source: Kynkäänniemi et al. 2019, equations 1 and 2; Naeem et al. 2020, equations 4 and 5.
 *
 * @param real n·d features of data, row by row; n > k
 * @param fake m·d features of samples, row by row; m > k
 * @param dimension d
 * @param options neighbours, threads, an abort signal, and who is told of progress
 * @throws {ConfigError} where the number of neighbours is not a positive whole number.
 * @throws {VapoError} where features are not whole rows, or no more than there are neighbours.
 * @throws {NonFiniteError} where a feature is not finite.
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { precisionRecall } from "vapo";
 * // Balls of radius 1 around 0, 1, 2 and 3; balls of radius 10 around −0.5 and 9.5.
 * const real = Float32Array.of(0, 1, 2, 3), fake = Float32Array.of(-0.5, 9.5);
 * const measured = await precisionRecall(real, fake, 1, { neighbours: 1 });
 * assertEquals(measured, { precision: 0.5, recall: 1, density: 0.5, coverage: 0.25 });
 * ```
 */
export async function precisionRecall(
  real: Samples,
  fake: Samples,
  dimension: number,
  { neighbours = 5, threads, signal, onProgress }: PrecisionRecallOptions = {},
): Promise<PrecisionRecall> {
  requireWhole("neighbours", neighbours, 1);
  const n = countSamples(real, dimension), m = countSamples(fake, dimension);
  if (Math.min(n, m) <= neighbours) {
    throw new VapoError(
      `${Math.min(n, m)} samples given; expected more than the ${neighbours} neighbours: draw more`,
    );
  }
  const rows = Math.min(blockRows, Math.max(n, m));
  const products = await openRowProducts({ rows, columns: dimension, threads });
  const pairs = { n: pairCount(blockCount(n)), m: pairCount(blockCount(m)) };
  const total = pairs.n + pairs.m + blockCount(n) * blockCount(m);
  let done = 0;
  const pause = pauses(signal);
  const step = () => {
    onProgress?.(++done, total);
    return pause();
  };
  try {
    const distances = distancesOf(products, dimension);
    const realRadii = await squaredRadii(distances, real, n, neighbours, step);
    const fakeRadii = await squaredRadii(distances, fake, m, neighbours, step);
    const found = await countBalls(distances, { real, fake, realRadii, fakeRadii }, step);
    return {
      precision: found.inReal.reduce((sum, count) => sum + +(count > 0), 0) / m,
      recall: found.inFake.reduce((sum, inside) => sum + inside, 0) / n,
      density: found.inReal.reduce((sum, count) => sum + count, 0) / (neighbours * m),
      coverage: found.covered.reduce((sum, inside) => sum + inside, 0) / n,
    };
  } finally {
    products.dispose();
  }
}

/** Points of a block: 0.2 seconds of work for two blocks of 2,048 features. */
const blockRows = 1008;

const blockCount = (count: number) => Math.ceil(count / blockRows);
/** Of blocks with each other and with themselves. */
const pairCount = (blocks: number) => blocks * (blocks + 1) / 2;

/** The points of a block. */
interface Block {
  readonly first: number;
  readonly count: number;
  /** |x|² of each. */
  readonly squares: Float64Array;
}

/** Squared distances between two blocks. */
interface Distances {
  take(side: "left" | "right", points: Samples, block: number): Block;
  /**
   * Between the points of both sides, or of the left side only.
   *
   * @param visit is told a row, its points' number in the left block, and the distances to points of
   * the right block (to those before it of the same block)
   */
  visit(left: Block, right: Block | undefined, visit: Visitor): void;
}

type Visitor = (row: number, squared: Float64Array, count: number) => void;

function distancesOf(products: RowProducts, dimension: number): Distances {
  const squared = new Float64Array(blockRows);
  return {
    take(side, points, block) {
      const first = block * blockRows;
      const count = Math.min(blockRows, points.length / dimension - first);
      products.pack(side, points, Int32Array.from({ length: count }, (_, i) => first + i));
      return { first, count, squares: products.squares(side) };
    },
    visit(left, right, visit) {
      const inner = products.multiply(right ? undefined : "left");
      const { squares } = right ?? left;
      for (let i = 0; i < left.count; i++) {
        const at = i * products.stride, own = left.squares[i], count = right ? right.count : i;
        for (let j = 0; j < count; j++) {
          squared[j] = Math.max(0, own + squares[j] - 2 * inner[at + j]);
        }
        visit(i, squared, count);
      }
    },
  };
}

/** Of each point the squared distance to its k-th nearest neighbour. */
async function squaredRadii(
  distances: Distances,
  points: Samples,
  count: number,
  k: number,
  step: () => Promise<void> | undefined,
): Promise<Float64Array> {
  const nearest = smallestLists(count, k);
  for (let i = 0; i < blockCount(count); i++) {
    const left = distances.take("left", points, i);
    for (let j = 0; j <= i; j++) {
      const right = j === i ? undefined : distances.take("right", points, j);
      const { first } = right ?? left;
      distances.visit(left, right, (row, squared, length) => {
        for (let column = 0; column < length; column++) {
          nearest.offer(left.first + row, squared[column]);
          nearest.offer(first + column, squared[column]);
        }
      });
      await step();
    }
  }
  return nearest.largest();
}

/** The k smallest of many numbers, for each of some points. */
function smallestLists(points: number, k: number) {
  const lists = new Float64Array(points * k).fill(Infinity);
  return {
    offer(point: number, value: number): void {
      let at = point * k + k - 1;
      if (!(value < lists[at])) return;
      for (const start = point * k; at > start && lists[at - 1] > value; at--) {
        lists[at] = lists[at - 1];
      }
      lists[at] = value;
    },
    largest: () => Float64Array.from({ length: points }, (_, point) => lists[point * k + k - 1]),
  };
}

/** Both sets with their balls. */
interface Balls {
  readonly real: Samples;
  readonly fake: Samples;
  /** Squared. */
  readonly realRadii: Float64Array;
  readonly fakeRadii: Float64Array;
}

/** Who lies in whose balls. */
async function countBalls(
  distances: Distances,
  { real, fake, realRadii, fakeRadii }: Balls,
  step: () => Promise<void> | undefined,
) {
  const n = realRadii.length, m = fakeRadii.length;
  /** Of each sample, how many balls of data it lies in. */
  const inReal = new Int32Array(m);
  /** Of each data point, whether a sample's ball has it, and whether its own has a sample. */
  const inFake = new Uint8Array(n), covered = new Uint8Array(n);
  for (let i = 0; i < blockCount(n); i++) {
    const left = distances.take("left", real, i);
    for (let j = 0; j < blockCount(m); j++) {
      const right = distances.take("right", fake, j);
      distances.visit(left, right, (row, squared, length) => {
        const point = left.first + row, radius = realRadii[point];
        for (let column = 0; column < length; column++) {
          const sample = right.first + column, distance = squared[column];
          if (distance < radius) {
            inReal[sample]++;
            covered[point] = 1;
          }
          if (distance < fakeRadii[sample]) inFake[point] = 1;
        }
      });
      await step();
    }
  }
  return { inReal, inFake, covered };
}
