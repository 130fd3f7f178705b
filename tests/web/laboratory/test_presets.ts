/** @file Settings that a run of each distribution starts from, for tests without the core. */
import { toyLabels } from "../../../web/laboratory/choices.ts";
import type { Presets } from "../../../web/laboratory/address.ts";
import type { ToyName } from "../../../core/data/toy.ts";
import type { LaboratorySettings } from "../../../web/laboratory/settings.ts";

function settings(name: ToyName): LaboratorySettings {
  return {
    data: { name, noise: null, weights: null, points: null },
    seed: 0,
    device: "auto",
    estimator: "stein",
    timeWeight: "one",
    path: "log-homotopy",
    timeLaw: "linear-std",
    sigma: 0.01,
    timeExplicit: true,
    width: 128,
    depth: 3,
    optimizer: "adam",
    learningRate: 1e-2,
    batchSize: 512,
    spectralGap: 1e-4,
    steps: name === "25gaussians" ? 5000 : 3000,
    other: {},
  };
}

/** As the core's presets of the plane are. */
export const presets = Object.fromEntries(
  (Object.keys(toyLabels) as ToyName[]).map((name) => [name, settings(name)]),
) as Presets;
