import { assertAlmostEquals, assertEquals } from "@std/assert";
import { compiledRungeKutta } from "../../../core/flow/compiled_flow.ts";
import { explicitTableau } from "../../../core/flow/ode/methods.ts";
import { drawSamples, type SampleOptions } from "../../../core/flow/sampler.ts";
import { gaussianPath } from "../../../core/homotopy/gaussian_path.ts";
import { mlpPotential } from "../../../core/potential/mlp.ts";
import type { Potential } from "../../../core/potential/potential.ts";
import { openDevice, randomKey, tf } from "../../../core/tensor/mod.ts";

/** Φ = −½|x|², whose flow is x(u) = e⁻ᵘ x(0). */
const contraction: Potential = {
  sampleShape: [2],
  timeExplicit: false,
  initialize: () => ({}),
  apply: (_parameters, x) => tf.mul(tf.sum(tf.square(x), 1), -0.5),
};

Deno.test("a compiled solver goes where the closed form does, in one run or in several", async () => {
  await openDevice("wasm");
  const before = tf.memory().numTensors;
  const grid = [0.1, 0.25, 0.5, 0.75, 1], x0 = tf.tensor2d([[1, -2], [0.5, 3]]);
  const open = () => compiledRungeKutta(contraction, {}, explicitTableau("rk4")!, grid, x0);
  const program = await open(), other = await open();
  program.run(grid.length);
  for (let i = 0; i < grid.length; i++) other.run(1);
  const position = program.position(), same = other.position();
  x0.dataSync().forEach((value, i) =>
    assertAlmostEquals(position.dataSync()[i], value * Math.exp(-1), 1e-3)
  );
  assertEquals(same.dataSync(), position.dataSync());
  assertEquals(await program.firstNonFinite(), null);
  program.dispose();
  other.dispose();
  tf.dispose([x0, position, same]);
  assertEquals(tf.memory().numTensors, before);
});

Deno.test("the first step that is not finite is told, whatever comes after", async () => {
  await openDevice("wasm");
  const explosion = { ...contraction, apply: (_: unknown, x: tf.Tensor) => tf.sum(tf.exp(x), 1) };
  const x0 = tf.tensor2d([[0, 0]]), grid = Array.from({ length: 9 }, (_, i) => 3 * (i + 1));
  const program = await compiledRungeKutta(explosion, {}, explicitTableau("euler")!, grid, x0);
  // 0, 3, 3 + 3e³ = 63, 63 + 3e⁶³ = 7·10²⁷, ∞.
  program.run(2);
  assertEquals(await program.firstNonFinite(), null);
  program.run(7);
  assertEquals(await program.firstNonFinite(), 4);
  program.dispose();
  x0.dispose();
});

const options: SampleOptions = {
  ...{ n: 7, seed: 5, solver: "rk4", steps: 6, rtol: 1e-3, atol: 1e-3, until: null },
  frames: 3,
};
const cases: Record<string, Partial<SampleOptions>> = {
  "a fixed-step solver": {},
  "an adaptive solver": { solver: "rk45" },
  "an implicit solver": { solver: "radau" },
  "Euler and Maruyama's solver": { solver: "euler-maruyama" },
  "the stochastic Heun solver": { solver: "stochastic-heun" },
  "refinement": { refineSteps: 3 },
  "batches": { solver: "euler-maruyama", batchSize: 3 },
};

for (const [name, changes] of Object.entries(cases)) {
  Deno.test(`compiled is as eager: ${name}`, async () => {
    const draw = async (device: "cpu" | "wasm") => {
      await openDevice(device);
      const potential = mlpPotential({ dimension: 2, hidden: [6, 5], timeExplicit: true });
      const parameters = potential.initialize(randomKey(1));
      const drawn = await drawSamples(potential, parameters, gaussianPath(), {
        ...options,
        ...changes,
      });
      tf.dispose(parameters);
      return drawn;
    };
    const eager = await draw("cpu"), compiled = await draw("wasm");
    assertEquals([compiled.nfev, compiled.times], [eager.nfev, eager.times]);
    const values = [...eager.samples, ...eager.trajectory!];
    [...compiled.samples, ...compiled.trajectory!].forEach((value, i) =>
      assertAlmostEquals(value, values[i], 2e-3 * Math.max(1, Math.abs(values[i])))
    );
  });
}
