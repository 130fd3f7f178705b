import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { krylovSpace, type ShiftedSystem } from "../../../../core/flow/ode/shifted_krylov.ts";
import { float64Space } from "../../../../core/flow/vector_space.ts";

/** The second difference on n points, −L: symmetric, with known eigenvalues in (−4, 0). */
function laplacian(y: Float64Array): Float64Array {
  return y.map((value, i) => (y[i - 1] ?? 0) - 2 * value + (y[i + 1] ?? 0));
}

/** Something not symmetric: the second difference and a drift. */
function drifting(y: Float64Array): Float64Array {
  return laplacian(y).map((value, i) => value + 0.7 * ((y[i + 1] ?? 0) - (y[i - 1] ?? 0)));
}

const wave = (n: number, k: number) =>
  Float64Array.from({ length: n }, (_, i) => Math.sin(k * i + k));

/** A space that counts the products with J. */
function counted(
  n: number,
  multiply: (y: Float64Array) => Float64Array,
  dimension: number,
  scale = new Float64Array(n).fill(1),
) {
  let products = 0;
  const krylov = krylovSpace(
    float64Space,
    (vector) => {
      products++;
      return Promise.resolve(multiply(vector));
    },
    scale,
    { dimension },
  );
  return { krylov, products: () => products };
}

/** (σI − J) x − b, part by part. */
function residuals(
  multiply: (y: Float64Array) => Float64Array,
  { shift, right }: ShiftedSystem<Float64Array>,
  x: readonly Float64Array[],
): Float64Array[] {
  const images = x.map(multiply);
  const [re, im = 0] = shift;
  return right.map((b, p) => {
    const other = x[1 - p] ?? b;
    const sign = p === 0 ? -1 : 1;
    return b.map((value, i) => re * x[p][i] + sign * im * other[i] - images[p][i] - value);
  });
}

const size = (vectors: readonly Float64Array[]) =>
  Math.hypot(...vectors.map((v) => float64Space.norms([v], v.map(() => 1)) as number[]).flat());

const systems = (n: number): ShiftedSystem<Float64Array>[] => [
  { shift: [0.3], right: [wave(n, 1)] },
  { shift: [0.2, -0.4], right: [wave(n, 2), wave(n, 3)] },
];

for (const [name, multiply] of Object.entries({ laplacian, drifting })) {
  Deno.test(`${name}: real and complex systems are solved together to the tolerance`, async () => {
    for (const dimension of [60, 24]) {
      const { krylov } = counted(40, multiply, dimension);
      const solved = (await krylov.solve(systems(40), { absolute: 1e-9, relative: 0 }))!;
      systems(40).forEach((system, i) => {
        const bound = 1e-9 * Math.hypot(...system.shift);
        assert(size(residuals(multiply, system, solved[i])) < 1.5 * bound);
      });
    }
  });
}

Deno.test("an eigenvector is solved for by a single product", async () => {
  const n = 20;
  const angle = Math.PI * 3 / (n + 1);
  const eigenvector = Float64Array.from({ length: n }, (_, i) => Math.sin(angle * (i + 1)));
  const eigenvalue = 2 * Math.cos(angle) - 2;
  const { krylov, products } = counted(n, laplacian, 30);
  const [[x]] = (await krylov.solve([{ shift: [0.5], right: [eigenvector] }], {
    absolute: 1e-12,
    relative: 0,
  }))!;
  assertEquals(products(), 1);
  x.forEach((value, i) => assertAlmostEquals(value, eigenvector[i] / (0.5 - eigenvalue), 1e-12));
});

Deno.test("n products are enough for everything in n dimensions, and later systems are free", async () => {
  const { krylov, products } = counted(6, drifting, 30);
  const tolerance = { absolute: 1e-13, relative: 0 };
  await krylov.solve(systems(6), tolerance);
  assert(products() <= 6, `${products()}`);
  const paid = products();
  const later: ShiftedSystem<Float64Array> = { shift: [5], right: [wave(6, 0.3)] };
  const [x] = (await krylov.solve([later], tolerance))!;
  assert(products() <= 6 && products() - paid <= 1);
  assert(size(residuals(drifting, later, x)) < 1e-11);
});

Deno.test("a looser tolerance, absolute or relative, takes fewer products", async () => {
  const cost = async (absolute: number, relative: number) => {
    const { krylov, products } = counted(60, laplacian, 100);
    await krylov.solve(systems(60), { absolute, relative });
    return products();
  };
  const costs = [await cost(1e-10, 0), await cost(1e-4, 0), await cost(1e-10, 0.1)];
  assert(costs[1] < costs[0] && costs[2] < costs[1] && costs[2] > 0, costs.join());
});

Deno.test("what is asked for is met in each component's own unit", async () => {
  const scale = Float64Array.from({ length: 8 }, (_, i) => 10 ** -i);
  const { krylov } = counted(8, (y) => y.map((v, i) => -(i + 1) * v), 3, scale);
  const right = scale.map((s) => 5 * s);
  const [[x]] = (await krylov.solve([{ shift: [1], right: [right] }], {
    absolute: 1e-6,
    relative: 0,
  }))!;
  x.forEach((value, i) => assertAlmostEquals(value / scale[i], 5 / (i + 2), 1e-5));
});

Deno.test("a right-hand side far below the tolerance still has its effect", async () => {
  const { krylov, products } = counted(4, () => new Float64Array(4), 10);
  const right = [wave(4, 1), wave(4, 2)].map((v) => v.map((value) => 1e-9 * value));
  const tolerance = { absolute: 1, relative: 0 };
  const [[real], [re, im]] = (await krylov.solve([
    { shift: [2], right: [right[0]] },
    { shift: [0, 1], right },
  ], tolerance))!;
  assertEquals(products(), 0);
  right[0].forEach((b, i) => {
    assertAlmostEquals(real[i], b / 2, 1e-22);
    // (b + ic) / i = c − ib
    assertAlmostEquals(re[i], right[1][i], 1e-22);
    assertAlmostEquals(im[i], -b, 1e-22);
  });
});

Deno.test("a product or a right-hand side that is not finite is reported, and forgotten", async () => {
  let sick = true;
  const { krylov } = counted(5, (y) => sick ? y.map(() => NaN) : laplacian(y), 10);
  const tolerance = { absolute: 1e-10, relative: 0 };
  const system = { shift: [1], right: [wave(5, 1)] };
  assertEquals(await krylov.solve([system], tolerance), undefined);
  assertEquals(
    await krylov.solve([{ shift: [1], right: [wave(5, 1).fill(Infinity)] }], tolerance),
    undefined,
  );
  sick = false;
  const [x] = (await krylov.solve([system], tolerance))!;
  assert(size(residuals(laplacian, system, x)) < 1e-9);
});

Deno.test("a zero right-hand side has a zero solution", async () => {
  const { krylov, products } = counted(3, laplacian, 5);
  const solved = await krylov.solve([{ shift: [1], right: [new Float64Array(3)] }], {
    absolute: 0,
    relative: 1e-3,
  });
  assertEquals([solved, products()], [[[new Float64Array(3)]], 0]);
});
