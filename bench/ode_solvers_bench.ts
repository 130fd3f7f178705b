/**
 * @file `deno bench bench/ode_solvers_bench.ts`: what the solvers themselves cost. On a flow, the
 * time of whole solves at settings of about the same accuracy; on the smallest of problems, where f
 * is next to nothing, the solvers' own work.
 */
import { odeMethodNames, odeMethods, solveOde } from "../core/flow/ode/mod.ts";
import { exactRingFlow, learnedRingFlow } from "./ode_flows.ts";

const flows = [
  await exactRingFlow("exact flow to 8 Gaussians, 256 points", {}, 256),
  await learnedRingFlow("learned flow to 8 Gaussians, 256 points", 256),
];
const ownWork = "harmonic oscillator, 2 components";

for (const method of odeMethodNames) {
  const { adaptive, order } = odeMethods[method];
  const control = adaptive
    ? { rtol: 1e-3, atol: 1e-3 }
    : { steps: order === 1 ? 200 : 50, rtol: 1e-4, atol: 1e-4 };
  flows.forEach((flow, i) =>
    Deno.bench({
      // Names have to differ from group to group.
      name: method + " ".repeat(i),
      group: flow.name,
      baseline: method === "rk45",
      fn: async () => {
        const { f, jvp, span, y0 } = flow;
        await solveOde(f, span, y0, { method, jvp, ...control });
      },
    })
  );
  Deno.bench({
    name: method + " ".repeat(flows.length),
    group: ownWork,
    baseline: method === "rk45",
    fn: async () => {
      const oscillator = (_t: number, [x, v]: Float64Array) => Float64Array.of(v, -x);
      await solveOde(oscillator, [0, 10], Float64Array.of(1, 0), { method, steps: 100 });
    },
  });
}
