/**
 * @file The part of `deno task bench:estimators` on digits: one net, data set, path, optimiser and
 * number of steps, with the estimators of the energy loss. Writes a figure, a table and JSON. Each
 * training is saved as it ends, so that a report that was stopped goes on where it was.
 */
import { writeWhole } from "../../cli/run_storage.ts";
import { VapoError } from "../../core/errors.ts";
import { encodePng } from "../../core/picture/rgb_image.ts";
import { markdownTable } from "../markdown_table.ts";
import {
  contestants,
  type Course,
  describeEntry,
  type Digits,
  type Entry,
  follow,
  openDigits,
  type Settings,
  TIMES,
} from "./image_course.ts";
import { estimatorsFigure } from "./image_figure.ts";
import { mean, standardDeviation } from "./statistics.ts";

/** Learning rates that are compared by {@link ratesReport}. */
const RATES = [2e-4, 5e-4, 1e-3, 2e-3, 2e-2];
/** The seed of that comparison, which no training of the report has. */
const RATES_SEED = 100;

/** What a report may be told. */
export interface ImagesOptions {
  /** Where JSON and tables go. */
  readonly results: URL;
  /** Where the figure goes. */
  readonly pictures: URL;
  readonly steps: number;
  /** Seeds 0, 1, …: so many. */
  readonly seeds: number;
  /** Samples at each measurement. */
  readonly samples: number;
  /** Whether trainings that were saved are done again. */
  readonly fresh: boolean;
}

/** A file of trainings. */
interface Saved {
  readonly settings: Settings;
  readonly floor: readonly number[];
  readonly shown: string;
  readonly courses: readonly Course[];
}

/** Trains with each estimator and seed, and writes figure, table and JSON. */
export async function imagesReport(options: ImagesOptions): Promise<void> {
  const seeds = Array.from({ length: options.seeds }, (_, seed) => seed);
  const entries = contestants.flatMap((contestant) =>
    seeds.map((seed) => ({ contestant, learningRate: contestant.learningRate, seed }))
  );
  const saved = await trainAll("estimators-images", entries, options, false);
  const figure = encodePng(estimatorsFigure(saved));
  await writeFile(new URL("estimators-images.png", options.pictures), figure);
  const text = table(saved);
  await writeFile(new URL("estimators-images.md", options.results), encode(text));
  console.log(text);
}

/** Trains each contestant at each rate, measured at the end alone, and writes a table and JSON. */
export async function ratesReport(options: ImagesOptions): Promise<void> {
  const entries = contestants.flatMap((contestant) =>
    RATES.map((learningRate) => ({ contestant, learningRate, seed: RATES_SEED }))
  );
  const saved = await trainAll("estimators-images-rates", entries, options, true);
  const text = ratesTable(saved);
  await writeFile(new URL("estimators-images-rates.md", options.results), encode(text));
  console.log(text);
}

async function trainAll(
  name: string,
  entries: readonly Entry[],
  options: ImagesOptions,
  lastOnly: boolean,
): Promise<Saved> {
  const { steps, samples } = options;
  const settings: Settings = { steps, samples, lastOnly };
  const file = new URL(`${name}.json`, options.results);
  const before = options.fresh ? null : await readSaved(file, settings);
  const courses = (before?.courses ?? []).filter((course) =>
    entries.some((entry) => isOf(course, entry))
  );
  const order = (course: Course) => entries.findIndex((entry) => isOf(course, entry));
  const missing = entries.filter((entry) => !courses.some((course) => isOf(course, entry)));
  if (before && missing.length === 0) return { ...before, courses };
  const digits: Digits = await openDigits(samples);
  const { floor, shown } = digits;
  for (const entry of missing) {
    console.error(`${entries.length - courses.length} to go: ${describeEntry(entry)}`);
    courses.push(await follow(entry, settings, digits));
    courses.sort((a, b) => order(a) - order(b));
    const text = JSON.stringify({ settings, floor, shown, courses }, null, 1);
    await writeFile(file, encode(`${text}\n`));
  }
  digits.data.dispose();
  return { settings, floor, shown, courses };
}

function isOf(course: Course, { contestant, learningRate, seed }: Entry): boolean {
  return course.contestant === contestant.name && course.learningRate === learningRate &&
    course.seed === seed;
}

/** What is there already, of the same settings. */
async function readSaved(file: URL, settings: Settings): Promise<Saved | null> {
  let text: string;
  try {
    text = await Deno.readTextFile(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
  const saved: Saved = JSON.parse(text);
  if (JSON.stringify(saved.settings) === JSON.stringify(settings)) return saved;
  throw new VapoError(
    `${file.pathname} holds trainings of ${saved.settings.steps} steps, measured on ` +
      `${saved.settings.samples} samples: expected ${settings.steps} and ${settings.samples}; ` +
      "pass --out DIR to write elsewhere, or --fresh to start over",
  );
}

const encode = (text: string) => new TextEncoder().encode(text);

/** A file that is there whole or not at all: a report may be stopped at any time. */
async function writeFile(file: URL, bytes: Uint8Array): Promise<void> {
  await writeWhole(decodeURIComponent(file.pathname), bytes);
}

/** Distances at the end, over the seeds. */
function table({ courses, floor }: Saved): string {
  const rows = contestants.map(({ name }) => {
    const own = courses.filter(({ contestant }) => contestant === name);
    const [atOne, past] = TIMES.map((_, i) => own.map(({ distances }) => distances[i].at(-1)!));
    const ratio = mean(past) === null ? "–" : (mean(past)! / mean(floor)!).toFixed(1);
    return [name, rateText(own[0].learningRate), spread(past), ratio, spread(atOne)];
  });
  const head = [
    "estimator",
    "learning rate",
    `distance at u = ${TIMES[1]}`,
    "÷ real digits' own",
    `at u = ${TIMES[0]}`,
  ];
  const real = ["real digits", "–", spread(floor), "1.0", "–"];
  return markdownTable(head, [...rows, real]) + "\n";
}

/** Mean ± standard deviation; the mean of those that have one, and how many have none. */
function spread(values: readonly (number | null)[]): string {
  const finite = values.filter((value) => value !== null);
  const lost = values.length - finite.length;
  const middle = mean(finite), deviation = standardDeviation(finite);
  const text = middle === null
    ? "no samples"
    : `${middle.toFixed(4)}${deviation === null ? "" : ` ± ${deviation.toFixed(4)}`}`;
  return lost > 0 && middle !== null ? `${text} (${lost} of ${values.length} diverged)` : text;
}

function ratesTable({ courses }: Saved): string {
  const rows = contestants.map(({ name }) => [
    name,
    ...RATES.map((rate) => {
      const course = courses.find((c) => c.contestant === name && c.learningRate === rate);
      const value = course?.distances[1].at(-1) ?? null;
      return value === null ? "diverged" : value.toFixed(3);
    }),
  ]);
  return markdownTable(["estimator", ...RATES.map(rateText)], rows) + "\n";
}

const rateText = (rate: number) => rate.toExponential();
