import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ConfigError } from "../../../core/errors.ts";
import {
  imageAt,
  largestBuffer,
  type ShuffledOrder,
  shuffledOrder,
} from "../../../core/data/shuffled_order.ts";
import cases from "../../fixtures/shuffled_order.json" with { type: "json" };

/** The [shard, image] of each image of an epoch. */
function epochOrder(order: ShuffledOrder, epoch: number): [number, number][] {
  return Array.from({ length: order.windowsPerEpoch }, (_, window) => {
    const windowOrder = order.windowOrder(epoch, window);
    return Array.from(windowOrder.images, (_, index): [number, number] => {
      const { shard, image } = imageAt(windowOrder, index);
      return [shard, image];
    });
  }).flat();
}

/** The same, as numbers of the images in the set. */
function epochImages(order: ShuffledOrder, shardCounts: readonly number[], epoch: number) {
  const starts: number[] = [];
  let start = 0;
  for (const count of shardCounts) {
    starts.push(start);
    start += count;
  }
  return epochOrder(order, epoch).map(([shard, image]) => starts[shard] + image);
}

const layouts = fc.record({
  seed: fc.maxSafeNat(),
  shardCounts: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 12 }),
  bufferImages: fc.integer({ min: 1, max: 100 }),
});

Deno.test("the order is that of integers of any length (Python)", () => {
  for (const { seed, epoch, counts, buffer, order } of cases) {
    const ours = shuffledOrder({ seed, shardCounts: counts, bufferImages: buffer });
    assertEquals(epochOrder(ours, epoch), order as [number, number][]);
  }
});

Deno.test("each image comes exactly once an epoch", () => {
  fc.assert(fc.property(layouts, fc.nat(2 ** 31), (layout, epoch) => {
    const images = epochImages(shuffledOrder(layout), layout.shardCounts, epoch);
    assertEquals(images.sort((a, b) => a - b), images.map((_, i) => i));
  }));
});

Deno.test("each sample is where going through all windows before it leads", () => {
  fc.assert(fc.property(layouts, (layout) => {
    const order = shuffledOrder(layout);
    let sample = 0;
    for (let epoch = 0; epoch < 3; epoch++) {
      for (let window = 0; window < order.windowsPerEpoch; window++) {
        const { images } = order.windowOrder(epoch, window);
        for (let index = 0; index < images.length; index++) {
          assertEquals(order.positionOf(sample++), { epoch, window, index });
        }
      }
    }
    assertEquals(sample, 3 * order.imagesPerEpoch);
  }));
});

Deno.test("an order can be entered anywhere, in any order", () => {
  fc.assert(fc.property(layouts, fc.nat(1000), (layout, epoch) => {
    const wandering = shuffledOrder(layout);
    epochOrder(wandering, epoch + 1);
    assertEquals(epochOrder(wandering, epoch), epochOrder(shuffledOrder(layout), epoch));
  }));
  const order = shuffledOrder({ seed: 1, shardCounts: [100, 100, 50], bufferImages: 100 });
  assertEquals(order.positionOf(250 * 2 ** 40).epoch, 2 ** 40);
});

Deno.test("a window has the images that are asked for, or all that there are", () => {
  fc.assert(fc.property(fc.nat(20), fc.nat(8), fc.nat(200), (shards, count, buffer) => {
    const shardCounts = new Array(shards + 1).fill(count + 1), bufferImages = buffer + 1;
    const order = shuffledOrder({ seed: 5, shardCounts, bufferImages });
    for (let window = 0; window < order.windowsPerEpoch; window++) {
      const { images, shards } = order.windowOrder(0, window);
      assert(images.length >= Math.min(bufferImages, order.imagesPerEpoch));
      assert(shards.length <= order.windowShards);
    }
    // And less than twice as many.
    const enough = Math.ceil(bufferImages / (count + 1));
    assert(order.windowShards < Math.max(2 * enough, 2) || order.windowsPerEpoch === 1);
  }));
});

Deno.test("the largest buffer for so many shards is one, and the next is too large", () => {
  fc.assert(fc.property(layouts, fc.integer({ min: 1, max: 12 }), ({ shardCounts }, most) => {
    const shardsFor = (bufferImages: number) =>
      shuffledOrder({ seed: 0, shardCounts, bufferImages }).windowShards;
    const largest = largestBuffer(shardCounts, most);
    assert(shardsFor(largest) <= most);
    if (most < shardCounts.length) assert(shardsFor(largest + 1) > most);
  }));
});

Deno.test("seeds, epochs and windows have orders of their own", () => {
  const layout = { shardCounts: [40, 40, 40, 40], bufferImages: 80 };
  const order = shuffledOrder({ seed: 1, ...layout });
  const images = epochImages(order, layout.shardCounts, 0);
  assertNotEquals(images, epochImages(order, layout.shardCounts, 1));
  for (const seed of [2, 1 + 2 ** 32]) {
    assertNotEquals(images, epochImages(shuffledOrder({ seed, ...layout }), layout.shardCounts, 0));
  }
  assertNotEquals(order.windowOrder(0, 0).images, order.windowOrder(0, 1).images);
});

/** Σ (observed − expected)² / expected over cells of equal probability. */
function chiSquare(observed: readonly number[]): number {
  const expected = observed.reduce((sum, n) => sum + n, 0) / observed.length;
  return observed.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
}

/**
 * Above the quantile 1 − 10⁻⁶ of the distribution with so many degrees of freedom (Wilson and
 * Hilferty, 1931: the cube root of χ²/k is nearly normal; 4.75 of its deviations).
 */
function bound(degrees: number): number {
  const variance = 2 / (9 * degrees);
  return degrees * (1 - variance + 4.75 * Math.sqrt(variance)) ** 3;
}

Deno.test("every image comes to every place equally often: chi-square over epochs", () => {
  const shardCounts = [4, 4, 4, 4, 4, 4], places = 24, epochs = 4000;
  const order = shuffledOrder({ seed: 3, shardCounts, bufferImages: 8 });
  assertEquals(order.windowsPerEpoch, 3);
  const seen = Array.from({ length: places }, () => new Array(places).fill(0));
  for (let epoch = 0; epoch < epochs; epoch++) {
    epochImages(order, shardCounts, epoch).forEach((image, place) => seen[image][place]++);
  }
  for (const ofImage of seen) assert(chiSquare(ofImage) < bound(places - 1), `${ofImage}`);
});

Deno.test("where an image comes in an epoch says nothing of the next, nor of its neighbour", () => {
  const shardCounts = [2, 2, 2], places = 6, epochs = 8000;
  const order = shuffledOrder({ seed: 4, shardCounts, bufferImages: 6 });
  assertEquals(order.windowsPerEpoch, 1);
  const successive = new Array(places ** 2).fill(0);
  const neighbours = new Array(places * (places - 1)).fill(0);
  let before = 0;
  for (let epoch = 0; epoch < epochs; epoch++) {
    const images = epochImages(order, shardCounts, epoch);
    const place = images.indexOf(0), next = images.indexOf(1);
    if (epoch > 0) successive[before * places + place]++;
    neighbours[place * (places - 1) + (next > place ? next - 1 : next)]++;
    before = place;
  }
  assert(chiSquare(successive) < bound(places ** 2 - 1), `${successive}`);
  assert(chiSquare(neighbours) < bound(places * (places - 1) - 1), `${neighbours}`);
});

Deno.test("in a large set no image stays near its place, and neighbours part", () => {
  const shardCounts = new Array(60).fill(200), count = 12_000;
  const order = shuffledOrder({ seed: 5, shardCounts, bufferImages: 2_000 });
  assertEquals(order.windowsPerEpoch, 6);
  for (let epoch = 0; epoch < 3; epoch++) {
    const images = epochImages(order, shardCounts, epoch);
    const distance = images.reduce((sum, image, i) => sum + Math.abs(image - i), 0) / count;
    // A third of the set on average; 60 independent shards give or take 5 deviations.
    const deviation = count * Math.sqrt(1 / 18) / Math.sqrt(shardCounts.length);
    assert(Math.abs(distance - count / 3) < 5 * deviation, `${distance}`);
    // Of 11,940 pairs of neighbours in a shard one in 2,000 stays together: 6, as Poisson's law has it.
    const together = images.filter((image, i) => image + 1 === images[i + 1]).length;
    assert(together < 25, `${together}`);
  }
});

Deno.test("options out of range are errors that say so", () => {
  const good = { seed: 0, shardCounts: [1], bufferImages: 1 };
  assertThrows(() => shuffledOrder({ ...good, seed: -1 }), ConfigError, "seed is -1");
  assertThrows(() => shuffledOrder({ ...good, seed: 2 ** 53 }), ConfigError, "seed is");
  assertThrows(() => shuffledOrder({ ...good, bufferImages: 0 }), ConfigError, "bufferImages is 0");
  assertThrows(() => shuffledOrder({ ...good, bufferImages: 1.5 }), ConfigError, "is 1.5");
  assertThrows(() => shuffledOrder({ ...good, shardCounts: [] }), ConfigError, "no shards");
  assertThrows(() => shuffledOrder({ ...good, shardCounts: [3, 0] }), ConfigError, "shard: 0");
});
