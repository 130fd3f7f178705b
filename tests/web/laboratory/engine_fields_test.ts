import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { toyDistributions } from "../../../core/data/toy.ts";
import { VapoError } from "../../../core/errors.ts";
import { velocityField } from "../../../core/flow/velocity.ts";
import {
  mixtureLogDensity,
  mixturePotential,
  mixtureVelocity,
} from "../../../core/homotopy/gaussian_mixture.ts";
import { gaussianPath } from "../../../core/homotopy/gaussian_path.ts";
import { tf } from "../../../core/tensor/mod.ts";
import { gridPoints } from "../../../web/laboratory/engine_fields.ts";
import { exportedPotential, tinySettings, trainTo, withEngine } from "./tiny_engine.ts";

const learned = { kind: "learned" } as const, exact = { kind: "exact" } as const;

Deno.test("a grid has its points in the middle of its cells, rows from the top", () => {
  assertEquals(gridPoints({ size: 2, extent: 4 }), Float64Array.of(-2, 2, 2, 2, -2, -2, 2, -2));
});

Deno.test("a learned field is the potential and the velocity of the averaged parameters", () =>
  withEngine(async (engine, told) => {
    await engine.open(tinySettings);
    await trainTo(engine, told, 25);
    const { potential, parameters } = await exportedPotential(engine);
    const velocity = velocityField(potential, parameters);
    // The second size takes two pieces, the last of them not full.
    for (const [size, u] of [[9, 0.3], [70, 0.9], [9, 0]] as const) {
      const field = await engine.field({ subject: learned, u, size, extent: 5 });
      assertEquals([field.step, field.u, field.size, field.extent], [25, u, size, 5]);
      const x = tf.tensor2d(Float32Array.from(gridPoints({ size, extent: 5 })), [size * size, 2]);
      const phi = potential.apply(parameters, x, tf.fill([size * size], u)).dataSync();
      const gradient = velocity(u, x).dataSync();
      assertEquals([field.potential.length, field.velocity.length], [phi.length, gradient.length]);
      field.potential.forEach((value, i) => assertAlmostEquals(value, phi[i], 1e-4));
      field.velocity.forEach((value, i) => assertAlmostEquals(value, gradient[i], 1e-4));
    }
  }));

Deno.test("the exact field and density are the mixture's closed forms", () =>
  withEngine(async (engine) => {
    await engine.open({ ...tinySettings, path: "optimal-transport" });
    const mixture = toyDistributions["8gaussians"].mixture!;
    const path = gaussianPath({ path: "optimal-transport" });
    const points = gridPoints({ size: 16, extent: 5 });
    for (const u of [0, 0.4, 0.99, 1]) {
      const c = path.at(u);
      const field = await engine.field({ subject: exact, u, size: 16, extent: 5 });
      assertEquals(field.potential, Float32Array.from(mixturePotential(mixture, points, c)));
      assertEquals(field.velocity, Float32Array.from(mixtureVelocity(mixture, points, c)));
      const density = Float32Array.from(mixtureLogDensity(mixture, points, c), Math.exp);
      assertEquals(field.density, density);
      const own = await engine.field({
        subject: learned,
        u: Math.min(u, 0.99),
        size: 16,
        extent: 5,
      });
      assertEquals(own.density !== null, true);
    }
  }));

Deno.test("drawn points have exact fields, other data have none", () =>
  withEngine(async (engine) => {
    const points = [[-1, 0], [1, 0.5]] as const;
    const data = { name: "points", noise: 0.5, weights: [1, 3], points } as const;
    const facts = await engine.open({ ...tinySettings, data });
    assertEquals([facts.exact, facts.noise], [true, 0.5]);
    const { velocity } = await engine.field({ subject: exact, u: 0.5, size: 4, extent: 2 });
    const mixture = { means: points, std: 0.5, weights: [0.25, 0.75] };
    const expected = mixtureVelocity(
      mixture,
      gridPoints({ size: 4, extent: 2 }),
      gaussianPath().at(0.5),
    );
    velocity.forEach((value, i) => assertAlmostEquals(value, expected[i], 1e-6));

    const rings = { name: "rings", noise: null, weights: null, points: null } as const;
    assertEquals((await engine.open({ ...tinySettings, data: rings })).exact, false);
    await assertRejects(
      () => engine.field({ subject: exact, u: 0.5, size: 4, extent: 2 }),
      VapoError,
      'no exact flow is known for data "rings"',
    );
    const field = await engine.field({ subject: learned, u: 0.5, size: 4, extent: 2 });
    assertEquals(field.density, null);
  }));

Deno.test("times and grids that make no sense are refused, and the engine goes on", () =>
  withEngine(async (engine) => {
    await assertRejects(
      () => engine.field({ subject: learned, u: 0, size: 4, extent: 1 }),
      VapoError,
      "no run is open",
    );
    await engine.open(tinySettings);
    for (
      const [request, message] of [
        [{ u: 1.2 }, "known up to 0.99"],
        [{ u: NaN }, "expected a time"],
        [{ size: 0 }, "expected a whole number"],
        [{ extent: -1 }, "above 0"],
      ] as const
    ) {
      const usual = { subject: learned, u: 0.5, size: 4, extent: 1 };
      await assertRejects(() => engine.field({ ...usual, ...request }), VapoError, message);
      assertEquals((await engine.field(usual)).potential.length, 16);
    }
    // What does not take u as an input is known beyond the end of the path.
    await engine.open({ ...tinySettings, timeExplicit: false });
    const late = await engine.field({ subject: learned, u: 1.7, size: 4, extent: 1 });
    const early = await engine.field({ subject: learned, u: 0.2, size: 4, extent: 1 });
    assertEquals(late.potential, early.potential);
  }));

Deno.test("a sum's field is the sum of the fields, and outlives the runs", () =>
  withEngine(async (engine, told) => {
    const request = { u: 0.6, size: 12, extent: 4 } as const;
    await engine.open(tinySettings);
    await trainTo(engine, told, 10);
    const first = await engine.keep("first");
    assertEquals([first.name, first.step, first.timeExplicit, first.uMax], [
      "first",
      10,
      true,
      0.99,
    ]);
    const a = await engine.field({ ...request, subject: learned });
    const rings = { name: "rings", noise: null, weights: null, points: null } as const;
    await engine.open({ ...tinySettings, data: rings, width: 8, timeExplicit: false, seed: 4 });
    await trainTo(engine, told, 7);
    const second = await engine.keep("second");
    const b = await engine.field({ ...request, subject: learned });
    for (const [v, w] of [[1, 1], [0.5, -2]]) {
      const terms = [{ id: first.id, weight: v }, { id: second.id, weight: w }];
      const sum = await engine.field({ ...request, subject: { kind: "sum", terms } });
      sum.potential.forEach((value, i) =>
        assertAlmostEquals(value, v * a.potential[i] + w * b.potential[i], 1e-4)
      );
      sum.velocity.forEach((value, i) =>
        assertAlmostEquals(value, v * a.velocity[i] + w * b.velocity[i], 1e-4)
      );
    }
    const sum = { kind: "sum", terms: [{ id: first.id, weight: 1 }] } as const;
    const flow = await engine.flow({
      ...{ subject: sum, n: 5, seed: 1, solver: "heun", steps: 4, tolerance: 1e-3 },
      ...{ until: null, frames: 3 },
    });
    assert(flow.positions.every(Number.isFinite));
    await engine.drop(first.id);
    await assertRejects(
      () => engine.field({ ...request, subject: sum }),
      VapoError,
      `no potential ${first.id} is kept: expected one of ${second.id}`,
    );
    await assertRejects(
      () => engine.field({ ...request, subject: { kind: "sum", terms: [] } }),
      VapoError,
      "no potentials",
    );
  }));
