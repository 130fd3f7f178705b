/**
 * @file The features of `feature_metrics.py`, and what that program answers: now, where NumPy and SciPy
 * are installed, else as it is recorded.
 */
import { fromFileUrl } from "@std/path";
import { fillPhilox } from "../../core/tensor/philox.ts";
import recorded from "../fixtures/feature_metrics.json" with { type: "json" };
import { findPython } from "./python.ts";

/** The program's answers. */
export type FeatureMetrics = typeof recorded;

/** What is recorded. */
export const recordedFeatureMetrics: FeatureMetrics = recorded;

/**
 * Correlated features: the sum of two uniform draws less 1, scaled by one of seven numbers, and half of
 * the neighbour before it. Exact in float64, then rounded.
 *
 * @param shift of the last feature's mean
 * @returns [n, d]
 */
export function referenceFeatures(n: number, d: number, seed: number, shift = 0): Float32Array {
  const words = new Int32Array(2 * n * d);
  fillPhilox(words, "bits", 2 * d, { seed: [seed, 0], step: 0, stream: 0 });
  const uniform = (i: number) => ((words[i] >>> 9) + 0.5) * 2 ** -23;
  const centred = (i: number) => uniform(2 * i) + uniform(2 * i + 1) - 1;
  return Float32Array.from({ length: n * d }, (_, i) => {
    const j = i % d;
    const scaled = centred(i) * ((1 + j % 7) / 4) + (j > 0 ? 0.5 * centred(i - 1) : 0);
    return scaled + shift * (j / d);
  });
}

/** Rows of d numbers, each twice. */
export function doubled(features: Float32Array, d: number): Float32Array {
  const result = new Float32Array(2 * features.length);
  for (let row = 0; row < features.length / d; row++) {
    const own = features.subarray(row * d, (row + 1) * d);
    result.set(own, 2 * row * d);
    result.set(own, 2 * row * d + d);
  }
  return result;
}

/**
 * A part of the answers of now, without those that take minutes; undefined where SciPy is not installed.
 */
export async function askSciPy<Part extends keyof FeatureMetrics>(
  part: Part,
): Promise<FeatureMetrics[Part] | undefined> {
  const script = fromFileUrl(new URL("./feature_metrics.py", import.meta.url));
  const python = await findPython("scipy");
  if (!python) return undefined;
  const { success, stdout, stderr } = await new Deno.Command(python, {
    args: ["-B", script, part],
    env: { OMP_NUM_THREADS: "1", OPENBLAS_NUM_THREADS: "1" },
  }).output();
  if (!success) throw new Error(`${script} failed: ${new TextDecoder().decode(stderr)}`);
  return JSON.parse(new TextDecoder().decode(stdout))[part];
}
