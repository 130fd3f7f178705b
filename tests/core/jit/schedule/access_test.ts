import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { evaluateOperation } from "../../../../core/jit/evaluate.ts";
import { infer, sizeOf } from "../../../../core/jit/graph.ts";
import {
  type Access,
  accessKey,
  composeAccess,
  cutsOf,
  extentsBetween,
  identityAccess,
  isIdentityAccess,
  normalize,
  refine,
  stridesAlong,
  stridesOfAxes,
  viewAccess,
  type ViewOperation,
} from "../../../../core/jit/schedule/access.ts";

/** The cells that an access visits, in the order of the points. */
function cellsOf({ offset, factors }: Access): number[] {
  return factors.reduce(
    (cells, { extent, stride }) =>
      cells.flatMap((cell) => Array.from({ length: extent }, (_, i) => cell + i * stride)),
    [offset],
  );
}

/** The cells as the operations' meaning has them: those of an array that holds its own indices. */
function movedIndices(shape: number[], operations: readonly ViewOperation[]): number[] {
  let type = { shape, type: "int32" as const };
  let values = Int32Array.from({ length: sizeOf(shape) }, (_, i) => i);
  for (const operation of operations) {
    const after = { ...infer(operation, [type]), type: "int32" as const, shape: [] as number[] };
    after.shape = [...infer(operation, [type]).shape];
    values = evaluateOperation(operation, [{ ...type, values }], after) as Int32Array<ArrayBuffer>;
    type = after;
  }
  return [...values];
}

const shapes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 });

/** A view of an array of a shape, from random numbers. */
function someView(shape: readonly number[], numbers: readonly number[]): ViewOperation {
  const number = (i: number, below: number) => numbers[i % numbers.length] % below;
  switch (number(0, 5)) {
    case 0: {
      const permutation = shape.map((_, axis) => axis)
        .sort((a, b) => numbers[a + 1] - numbers[b + 1] || a - b);
      return { kind: "transpose", permutation };
    }
    case 1:
      return { kind: "reverse", axes: shape.flatMap((_, i) => number(i + 1, 2) ? [i] : []) };
    case 2: {
      const begin = shape.map((extent, i) => number(i + 1, extent));
      const strides = shape.map((_, i) => 1 + number(i + 2, 2));
      const size = shape.map((extent, i) => Math.ceil((extent - begin[i]) / strides[i]));
      return { kind: "slice", begin, size, strides };
    }
    case 3:
      return {
        kind: "broadcast",
        shape: [2, ...shape.map((e, i) => e === 1 ? 1 + number(i, 3) : e)],
      };
    default: {
      const size = sizeOf(shape), divisors: number[] = [];
      for (let d = 1; d <= size; d++) if (size % d === 0) divisors.push(d);
      const inner = divisors[number(1, divisors.length)];
      return { kind: "reshape", shape: [size / inner, 1, inner] };
    }
  }
}

const randomNumbers = fc.array(fc.nat(999), { minLength: 6, maxLength: 6 });

Deno.test("views of views visit the cells that the operations mean", () => {
  let affine = 0, total = 0;
  fc.assert(
    fc.property(shapes, fc.array(randomNumbers, { maxLength: 5 }), (shape, choices) => {
      const operations: ViewOperation[] = [];
      let access: Access | null = identityAccess(sizeOf(shape)), current: readonly number[] = shape;
      for (const numbers of choices) {
        const operation = someView(current, numbers);
        access = viewAccess(operation, access!, current);
        total++;
        if (!access) return;
        affine++;
        operations.push(operation);
        current = infer(operation, [{ shape: current, type: "int32" }]).shape;
      }
      assertEquals(cellsOf(access!), movedIndices(shape, operations));
    }),
    { numRuns: 500, seed: 1 },
  );
  assert(affine > 0.9 * total, `only ${affine} of ${total} were affine`);
});

Deno.test("composition visits the cells of one access at those of another, or says that it cannot", () => {
  let composed = 0, total = 0;
  const chains = fc.tuple(shapes, randomNumbers, randomNumbers, randomNumbers, randomNumbers);
  fc.assert(
    fc.property(chains, ([shape, ...numbers]) => {
      const first = someView(shape, numbers[0]);
      const inner = viewAccess(first, identityAccess(sizeOf(shape)), shape)!;
      const { shape: middle } = infer(first, [{ shape, type: "int32" }]);
      const second = someView(middle, numbers[1]);
      const { shape: last } = infer(second, [{ shape: middle, type: "int32" }]);
      const outer = viewAccess(second, identityAccess(sizeOf(middle)), middle)!;
      const both = composeAccess(outer, inner, sizeOf(middle));
      total++;
      if (!both) return;
      composed++;
      const cells = cellsOf(inner);
      assertEquals(cellsOf(both), cellsOf(outer).map((cell) => cells[cell]));
      assertEquals(cellsOf(both).length, sizeOf(last));
    }),
    { numRuns: 1000, seed: 2 },
  );
  assert(composed > 0.9 * total, `only ${composed} of ${total} composed`);
});

Deno.test("digits that would carry are refused", () => {
  // Two neighbours that start in the middle of a row of a transposed [3, 2].
  const transposed = normalize(0, [{ extent: 2, stride: 1 }, { extent: 3, stride: 2 }]);
  const across = normalize(2, [{ extent: 2, stride: 1 }]);
  assertEquals(composeAccess(across, transposed, 6), null);
  const within = normalize(1, [{ extent: 2, stride: 1 }]);
  assertEquals(cellsOf(composeAccess(within, transposed, 6)!), [2, 4]);
});

Deno.test("an access has one normal form", () => {
  const split = normalize(3, [
    { extent: 2, stride: 12 },
    { extent: 1, stride: 77 },
    { extent: 3, stride: 4 },
    { extent: 2, stride: 1 },
  ]);
  assertEquals(accessKey(split), "3:6*4,2*1");
  assert(isIdentityAccess(normalize(0, [{ extent: 4, stride: 3 }, { extent: 3, stride: 1 }])));
  assert(!isIdentityAccess(normalize(1, [{ extent: 4, stride: 1 }])));
  assert(!isIdentityAccess(normalize(0, [{ extent: 4, stride: 2 }])));
});

Deno.test("cuts that divide one another make loops, along which accesses have strides", () => {
  const rows = normalize(0, [{ extent: 4, stride: 0 }, { extent: 6, stride: 1 }]);
  const blocks = normalize(0, [{ extent: 12, stride: 1 }, { extent: 2, stride: 12 }]);
  assertEquals([cutsOf(rows), cutsOf(blocks)], [[6], [2]]);
  const cuts = refine(24, cutsOf(rows), cutsOf(blocks))!;
  const extents = extentsBetween(24, cuts);
  assertEquals(extents, [4, 3, 2]);
  assertEquals(stridesAlong(rows, extents), [0, 2, 1]);
  assertEquals(stridesAlong(blocks, extents), [3, 1, 12]);
  assertEquals(refine(24, [4], [6]), null);
});

Deno.test("strides by axis exist where an axis is walked in one stride", () => {
  const transposed = viewAccess(
    { kind: "transpose", permutation: [2, 0, 1] },
    identityAccess(24),
    [2, 3, 4],
  )!;
  assertEquals(stridesOfAxes(transposed, [4, 2, 3]), [1, 12, 4]);
  assertEquals(stridesOfAxes(transposed, [4, 6]), [1, 4]);
  assertEquals(stridesOfAxes(transposed, [8, 3]), null);
});
