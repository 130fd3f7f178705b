/**
 * @file A small flow whose log densities SciPy computes, and the program beside this file that asks it.
 * `deno run -A tests/reference/likelihood.ts` writes tests/fixtures/likelihood.json.
 */
import { fromFileUrl } from "@std/path";
import { gaussianPath } from "../../core/homotopy/gaussian_path.ts";
import { mlpPotential } from "../../core/potential/mlp.ts";
import { openDevice, randomKey, type TensorRecord, tf } from "../../core/tensor/mod.ts";
import { fillPhilox } from "../../core/tensor/philox.ts";
import { perturbedPotential } from "../perturbed_potential.ts";
import { findPython } from "./python.ts";

/** The flow: three dimensions, a prior that is not of unit width. */
export const path = gaussianPath({ omega: 1.5 });
/** Its potential; the output layer is small at the start, so it is moved. */
export const potential = perturbedPotential(
  mlpPotential({ dimension: 3, hidden: [8, 8], timeExplicit: true }),
  0.5,
);

/** What SciPy is asked. */
export interface LikelihoodRequest {
  readonly layers: readonly { readonly kernel: number[][]; readonly bias: number[] }[];
  readonly points: number[][];
  readonly begin: number;
  readonly omega: number;
}

/** Parameters and points, functions of a key alone; the parameters belong to the caller. */
export function likelihoodCase(): { parameters: TensorRecord; points: Float64Array } {
  const key = randomKey(30);
  const parameters = tf.tidy(() => potential.initialize(key));
  tf.dispose([key.seed, key.step]);
  const points = new Float32Array(3 * 40);
  fillPhilox(points, "normal", 3, { seed: [31, 0], step: 0, stream: 0 });
  return { parameters, points: Float64Array.from(points) };
}

/** The request for that case. */
export function likelihoodRequest(
  { parameters, points }: ReturnType<typeof likelihoodCase>,
): LikelihoodRequest {
  const rows = Array.from(
    { length: points.length / 3 },
    (_, i) => [...points.slice(3 * i, 3 * i + 3)],
  );
  const layers = [0, 1, 2].map((i) => ({
    kernel: parameters[`dense${i}.kernel`].arraySync() as number[][],
    bias: parameters[`dense${i}.bias`].arraySync() as number[],
  }));
  return { layers, points: rows, begin: path.uMax, omega: path.options.omega };
}

/** A Python that has SciPy, if there is one. */
export function findSciPy(): Promise<string | undefined> {
  return findPython("scipy.integrate");
}

/** What SciPy answers: log densities in nats. */
export async function askSciPy(python: string, request: LikelihoodRequest): Promise<number[]> {
  const script = fromFileUrl(new URL("likelihood.py", import.meta.url));
  const child = new Deno.Command(python, {
    args: ["-B", script],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(JSON.stringify(request)));
  await writer.close();
  const { success, stdout, stderr } = await child.output();
  if (!success) throw new Error(`likelihood.py failed: ${new TextDecoder().decode(stderr)}`);
  return JSON.parse(new TextDecoder().decode(stdout)).logDensity;
}

if (import.meta.main) {
  await openDevice("cpu");
  const python = await findSciPy();
  if (!python) throw new Error("no Python with SciPy: install it (Debian: python3-scipy)");
  const logDensity = await askSciPy(python, likelihoodRequest(likelihoodCase()));
  const file = new URL("../fixtures/likelihood.json", import.meta.url);
  await Deno.writeTextFile(file, JSON.stringify({ logDensity }) + "\n");
}
