/** @file Runs for tests of the pages of runs, whole but for what a test sets. */
import { presetConfig } from "../../../core/train/presets.ts";
import type { RunDetail, RunEvaluation, RunSummary } from "../../../web/runs/run_types.ts";

/** A finished run of images. */
export function runDetail(changes: Partial<RunDetail> = {}): RunDetail {
  const config = presetConfig("mnist16");
  return {
    name: "digits",
    status: "finished",
    problem: null,
    preset: "mnist16",
    data: "mnist16",
    sampleShape: [16, 16, 1],
    device: "wasm",
    step: config.training.steps,
    steps: config.training.steps,
    loss: -0.8318,
    modified: 1_700_000_000_000,
    config,
    checkpoints: [2400, 2500],
    bestStep: null,
    samples: [500, 1000, 2500],
    evaluation: null,
    ...changes,
  };
}

/** What there is in a list of a run. */
export function runSummary(changes: Partial<RunSummary> = {}): RunSummary {
  const { config: _, checkpoints: _c, bestStep: _b, samples: _s, evaluation: _e, ...summary } =
    runDetail();
  return { ...summary, ...changes };
}

/** A run of points in the plane, half done. */
export function planeDetail(changes: Partial<RunDetail> = {}): RunDetail {
  return runDetail({
    name: "ring",
    status: "paused",
    preset: "8gaussians",
    data: "8gaussians",
    sampleShape: [2],
    config: presetConfig("8gaussians"),
    step: 1500,
    steps: 3000,
    checkpoints: [1500],
    samples: [1000],
    ...changes,
  });
}

/** A run whose configuration cannot be read. */
export function damagedDetail(changes: Partial<RunDetail> = {}): RunDetail {
  return runDetail({
    name: "broken",
    status: "damaged",
    problem: "runs/broken/config.json is not JSON: mend it or restore it from a copy",
    ...{ preset: null, data: null, sampleShape: null, device: null, config: null, steps: null },
    ...{ step: 100, loss: null, checkpoints: [], samples: [] },
    ...changes,
  });
}

/** An evaluation with a report and two pictures. */
export const evaluation: RunEvaluation = {
  report: true,
  results: [
    {
      metric: "nll",
      title: "Negative log-likelihood",
      value: 2.5177,
      unit: "bits/dimension",
      step: 2500,
    },
    { metric: "fid", title: "Fréchet distance", value: null, unit: null, step: 2500 },
  ],
  energyHistogram: "energy-histograms-678496a3.svg",
  pictures: ["energy-histograms-678496a3.svg", "ood-roc-5f78ecba.svg"],
};
