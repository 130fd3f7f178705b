import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import recorded from "../../fixtures/potentials.json" with { type: "json" };
import { conditionalSample, gaussianPath } from "../../../core/homotopy/gaussian_path.ts";
import { energyLoss } from "../../../core/loss/energy_loss.ts";
import type { Potential } from "../../../core/potential/potential.ts";
import { batchValueAndGradient, lossAndGradients, openDevice } from "../../../core/tensor/mod.ts";
import { type Case, type CaseInputs, caseInputs, cases } from "../../reference/cases.ts";
import {
  type Answer,
  askPyTorch,
  type Digest,
  digest,
  findPyTorch,
} from "../../reference/pytorch.ts";
import { webgpuTest } from "../../webgpu.ts";

const tolerance = 1e-4;
const path = gaussianPath({ path: "log-homotopy", timeLaw: "linear-std" });

/** What this library makes of a case on the open device. */
async function answer({ potential }: Case, inputs: CaseInputs): Promise<Answer> {
  const { parameters, data, noise, time, dropout } = inputs;
  const dropping: Potential = {
    ...potential,
    apply: (parameters, x, u) => potential.apply(parameters, x, u, { dropout }),
  };
  const { loss, report, gradients } = lossAndGradients(() => {
    const { loss } = energyLoss(dropping, parameters, { data, noise, time }, path, {
      estimator: "stein",
      timeWeight: "one",
      spectralGap: 0,
      perDimension: false,
    });
    return { loss, report: {} };
  }, parameters);
  assertEquals(report, {});
  const x = conditionalSample(data, noise, path.tensorAt(time));
  const { value, gradient } = batchValueAndGradient((x) => dropping.apply(parameters, x, time), x);
  const answer: Answer = {
    phi: await value.data(),
    velocity: await gradient.data(),
    loss: await loss.data(),
  };
  for (const [name, tensor] of Object.entries(gradients)) {
    answer[`gradients/${name}`] = await tensor.data();
  }
  return answer;
}

/** Each value within the tolerance of its array's largest one. */
function assertClose(found: Answer, expected: Answer): void {
  assertEquals(Object.keys(found).sort(), Object.keys(expected).sort());
  for (const [name, values] of Object.entries(expected)) {
    assertEquals(found[name].length, values.length);
    const scale = Math.max(...Array.from(values, Math.abs));
    const error = Math.max(...Array.from(values, (value, i) => Math.abs(found[name][i] - value)));
    assert(error <= tolerance * scale, `${name} is off by ${error}, of ${scale}`);
  }
}

function assertCloseDigests(found: Answer, expected: Record<string, number[]>): void {
  assertEquals(Object.keys(found).sort(), Object.keys(expected).sort());
  for (const [name, [norm, projection]] of Object.entries(expected)) {
    const [foundNorm, foundProjection] = digest(found[name]);
    const error = Math.max(Math.abs(foundNorm - norm), Math.abs(foundProjection - projection));
    assert(error <= tolerance * norm, `${name} is off by ${error}, of ${norm}`);
  }
}

const known = recorded as unknown as Record<string, Record<string, number[]>>;

for (const device of ["cpu", "wasm"] as const) {
  for (const each of cases) {
    Deno.test(`${each.name}: as recorded from PyTorch, on ${device}`, async () => {
      await openDevice(device);
      assertCloseDigests(await answer(each, caseInputs(each)), known[each.name]);
    });
  }
}

for (const each of cases) {
  webgpuTest(`${each.name}: as recorded from PyTorch`, async () => {
    assertCloseDigests(await answer(each, caseInputs(each)), known[each.name]);
  });
}

// Where it is not there, the recorded digests of the same arrays stand in for it, above.
const python = await findPyTorch();
if (python) {
  for (const each of cases) {
    Deno.test(`${each.name}: every value as PyTorch computes it now`, async () => {
      await openDevice("wasm");
      const inputs = caseInputs(each);
      const expected = await askPyTorch(python, each, inputs);
      assertClose(await answer(each, inputs), expected);
      // And the recording is of these very cases.
      const digests = Object.entries(expected).map(([name, values]) => [name, digest(values)]);
      for (const [name, [norm, projection]] of digests as [string, Digest][]) {
        const [knownNorm, knownProjection] = known[each.name][name];
        assertAlmostEquals(norm, knownNorm, 1e-5 * norm);
        assertAlmostEquals(projection, knownProjection, 1e-5 * norm);
      }
    });
  }
}
