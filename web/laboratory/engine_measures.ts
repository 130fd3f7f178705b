/**
 * @file How far a run's samples are from its data: energy distance, negative log-likelihood, and for
 * mixtures the share of samples near a component. The same data and the same draws each time, so that
 * what changes from one measure to the next is the potential.
 */
import { keptPrograms } from "../../core/flow/kept_programs.ts";
import { type Likelihood, openLikelihood } from "../../core/flow/likelihood.ts";
import { openSampler, type Sampler } from "../../core/flow/sampler.ts";
import { pauses } from "../../core/pauses.ts";
import { energyDistance } from "../../core/metrics/energy_distance.ts";
import { fractionWithinModes } from "../../core/metrics/modes.ts";
import { fork, randomKey, tf } from "../../core/tensor/mod.ts";
import type { TrainingProblem } from "../../core/train/training_problem.ts";
import type { Interruption } from "./engine_exact.ts";
import type { PotentialSubject } from "./engine_subjects.ts";
import type { Measures } from "./engine_types.ts";

/** Measures a run; what it compiles and draws it keeps. */
export interface Measurer {
  /** One measure after the other, never two at a time. */
  measure(subject: PotentialSubject, interruption: Interruption): Promise<Measures>;
  dispose(): void;
}

/** Samples, and data beside them, for the energy distance. */
const SAMPLES = 2000;
/** Data whose likelihood is computed, which takes three gradients for each evaluation. */
const LIKELIHOODS = 500;
/** Relative and absolute tolerances of samples and of likelihoods: these to 0.01 nats. */
const TOLERANCE = 1e-3, LIKELIHOOD_TOLERANCE = 3e-3;

/**
 * Samples of a run's data that training does not see.
 *
 * @param stream what they are for: streams of other names are independent
 * @returns [n, 2]
 */
export async function dataOf(
  { data, config }: TrainingProblem,
  n: number,
  stream: string,
): Promise<Float32Array> {
  const draws = tf.tidy(() => data.draw(n, fork(randomKey(config.seed), `laboratory/${stream}`)));
  return await draws.data().finally(() => draws.dispose()) as Float32Array;
}

/** Makes the measurer of a run. */
export function runMeasurer(problem: TrainingProblem): Measurer {
  const { potential, path, config: { seed }, data } = problem;
  const mixture = data.distribution?.mixture;
  // A sampler and a likelihood.
  const kept = keptPrograms(2);
  let truth: Promise<DataToMeasureBy> | undefined;
  return {
    async measure({ step, parameters }, { signal, turns }) {
      const { samples: some, likelihoods, distance } = await (truth ??= dataToMeasureBy(problem));
      const pause = pauses(signal, turns);
      await pause();
      const sampler = await kept.get<Sampler>(
        "samples",
        () => Promise.resolve(openSampler(potential, parameters, path, 1, "changing")),
      );
      sampler.bind(parameters);
      const { samples } = await sampler.draw({
        ...{ n: SAMPLES, seed, solver: "rk45", steps: 1, rtol: TOLERANCE, atol: TOLERANCE },
        ...{ until: null, signal, turns },
      });
      const likelihood = await kept.get<Likelihood>("likelihood", () => {
        const tolerances = { rtol: LIKELIHOOD_TOLERANCE, atol: LIKELIHOOD_TOLERANCE };
        const settings = { ...tolerances, use: "changing" } as const;
        return Promise.resolve(openLikelihood(potential, parameters, path, settings));
      });
      likelihood.bind(parameters);
      const { logDensity } = await likelihood.estimate(likelihoods, { signal, turns });
      await pause();
      return {
        step,
        energyDistance: energyDistance(samples, some, 2),
        energyDistanceOfData: distance,
        negativeLogLikelihood: -logDensity.reduce((sum, value) => sum + value, 0) / LIKELIHOODS,
        withinModes: mixture ? fractionWithinModes(samples, mixture) : null,
      };
    },
    dispose: () => kept.dispose(),
  };
}

/** What the samples are held against. */
interface DataToMeasureBy {
  readonly samples: Float32Array;
  readonly likelihoods: Float64Array;
  /** The energy distance between `samples` and as many others. */
  readonly distance: number;
}

async function dataToMeasureBy(problem: TrainingProblem): Promise<DataToMeasureBy> {
  const samples = await dataOf(problem, SAMPLES, "energy distance");
  const others = await dataOf(problem, SAMPLES, "energy distance of data");
  const likelihoods = Float64Array.from(await dataOf(problem, LIKELIHOODS, "likelihood"));
  return { samples, likelihoods, distance: energyDistance(samples, others, 2) };
}
