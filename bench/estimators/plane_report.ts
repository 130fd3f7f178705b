/**
 * @file The part of `deno task bench:estimators` in the plane: the default preset is trained with
 * either estimator of the energy loss, with time as an input and without, all else equal; its
 * distance to the exact velocity is measured on the way. Writes a plot, a table and JSON.
 */
import { drawSamples } from "../../core/flow/sampler.ts";
import { energyExcess, type PathBatch } from "../../core/loss/energy_loss.ts";
import { fractionWithinModes } from "../../core/metrics/modes.ts";
import { svgLinePlot } from "../../core/picture/line_plot.ts";
import { fork, randomKey, randomNormal, randomUniform, tf } from "../../core/tensor/mod.ts";
import { assignConfig, type RunConfig } from "../../core/train/config.ts";
import { openDataSource } from "../../core/train/data_source.ts";
import { presetConfig } from "../../core/train/presets.ts";
import { disposeState, type TrainingState } from "../../core/train/state.ts";
import { initialState } from "../../core/train/initial_state.ts";
import { type TrainingProblem, trainingProblem } from "../../core/train/training_problem.ts";
import { openTrainingProgram } from "../../core/train/training_program.ts";
import { markdownTable } from "../markdown_table.ts";

const EVERY = 100;

const contestants: Record<string, string[]> = {
  "Stein, time as input": [],
  "Stein, no time": ["potential.timeExplicit=false"],
  "covariance × β, time as input": ["loss.estimator=covariance", "loss.timeWeight=beta"],
  "covariance, time as input": ["loss.estimator=covariance"],
};

interface Course {
  readonly name: string;
  readonly steps: number[];
  /** E|∇Φ − v*|² along the path, of the averaged parameters. */
  readonly velocityError: number[];
  readonly within: number;
}

/** Positions that every contestant is measured at. */
function validationBatch({ data, path }: TrainingProblem): PathBatch {
  const key = randomKey(777), n = 4096;
  return {
    data: data.draw(n, fork(key, "data")),
    noise: randomNormal(fork(key, "noise"), [n, 2]),
    time: tf.mul(randomUniform(fork(key, "time"), [n]), path.uMax),
  };
}

function velocityError(problem: TrainingProblem, state: TrainingState, batch: PathBatch): number {
  const { potential, path, data } = problem;
  return tf.tidy(() => {
    const { excess } = energyExcess(
      potential,
      state.average,
      batch,
      path,
      data.distribution!.mixture!,
      { estimator: "stein", timeWeight: "one", spectralGap: 0, perDimension: false },
    );
    return 2 * excess.dataSync()[0];
  });
}

async function follow(name: string, config: RunConfig): Promise<Course> {
  const problem = trainingProblem(config, await openDataSource(config.data.name));
  const batch = tf.tidy(() => validationBatch(problem) as never) as PathBatch;
  const steps: number[] = [], errors: number[] = [];
  const program = await openTrainingProgram(problem, initialState(problem));
  for (let step = 1; step <= config.training.steps; step++) {
    await program.step(false);
    if (step % EVERY > 0) continue;
    const state = program.state();
    steps.push(step);
    errors.push(velocityError(problem, state, batch));
    disposeState(state);
    if (step % 1000 === 0) console.error(`${name}: step ${step}, velocity error ${errors.at(-1)}`);
  }
  const state = program.state();
  program.dispose();
  const { samples } = await drawSamples(problem.potential, state.average, problem.path, {
    ...config.sampling,
    seed: 1,
  });
  disposeState(state);
  tf.dispose([batch.data, batch.noise, batch.time]);
  const within = fractionWithinModes(samples, problem.data.distribution!.mixture!, 3);
  return { name, steps, velocityError: errors, within };
}

function table(courses: readonly Course[]): string {
  const rows = courses.map(({ name, velocityError, within }) => [
    name,
    velocityError.at(-1)!.toPrecision(2),
    `${(100 * within).toFixed(1)} %`,
  ]);
  const head = ["estimator", "mean squared velocity error", "samples within 3 std of a mode"];
  return markdownTable(head, rows) + "\n";
}

/**
 * Trains all, on the device that is open, and writes plot, table and JSON.
 *
 * @param places directories that are there
 */
export async function planeReport(
  { results, pictures }: { readonly results: URL; readonly pictures: URL },
): Promise<void> {
  const courses: Course[] = [];
  for (const [name, assignments] of Object.entries(contestants)) {
    courses.push(await follow(name, assignConfig(presetConfig("8gaussians"), assignments)));
  }
  const plot = svgLinePlot({
    title: "Ring of eight Gaussians: the same run, four ways",
    xLabel: "step",
    yLabel: "mean squared error of the velocity",
    yLog: true,
    series: courses.map(({ name, steps, velocityError }) => ({
      name,
      x: steps,
      y: velocityError,
    })),
  });
  await Deno.writeTextFile(new URL("estimators.svg", pictures), plot);
  await Deno.writeTextFile(
    new URL("estimators.json", results),
    `${JSON.stringify(courses, null, 2)}\n`,
  );
  await Deno.writeTextFile(new URL("estimators.md", results), table(courses));
  console.log(table(courses));
}
