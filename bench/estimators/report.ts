/**
 * @file `deno task bench:estimators`: the choice that decides whether a potential is learned. The two
 * estimators of the energy loss, in the plane, where the error is known exactly, and on digits.
 */
import { Command, InvalidArgumentError, Option } from "commander";
import { toFileUrl } from "@std/path";
import { userPath } from "../../cli/user_paths.ts";
import { VapoError } from "../../core/errors.ts";
import { openDevice } from "../../core/tensor/mod.ts";
import { imagesReport, ratesReport } from "./images_report.ts";
import { planeReport } from "./plane_report.ts";

const RESULTS = new URL("../results/", import.meta.url);
const PICTURES = new URL("../../docs/images/", import.meta.url);

/** The steps of a training on digits, and of one that compares learning rates. */
const STEPS = 2500, RATES_STEPS = 1000;

interface Flags {
  readonly only?: "plane" | "images";
  readonly rates?: boolean;
  readonly fresh?: boolean;
  readonly steps?: number;
  readonly seeds: number;
  readonly samples: number;
  readonly out?: string;
}

function count(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new InvalidArgumentError("expected a whole number from 1 on");
}

function readFlags(): Flags {
  return new Command("bench:estimators")
    .description(
      "compare the estimators of the energy loss; trainings on digits are saved one by one",
    )
    .addOption(new Option("--only <part>", "one part alone").choices(["plane", "images"]))
    .option("--rates", "compare learning rates on digits instead, in shorter trainings")
    .option("--fresh", "do trainings again that were saved")
    .option("--steps <n>", `steps of a training on digits (default: ${STEPS})`, count)
    .option("--seeds <n>", "trainings on digits for each estimator", count, 3)
    .option("--samples <n>", "samples at each measurement on digits", count, 1000)
    .option("--out <dir>", "write everything there, not into bench/results and docs/images")
    .parse(Deno.args, { from: "user" })
    .opts<Flags>();
}

async function report({ only, rates, steps, fresh = false, ...flags }: Flags): Promise<void> {
  const out = flags.out && new URL(`${toFileUrl(userPath(flags.out))}/`);
  const places = { results: out || RESULTS, pictures: out || PICTURES };
  for (const place of Object.values(places)) await Deno.mkdir(place, { recursive: true });
  await openDevice("wasm");
  const options = { ...places, seeds: flags.seeds, samples: flags.samples, fresh };
  if (rates) return await ratesReport({ ...options, steps: steps ?? RATES_STEPS });
  if (only !== "images") await planeReport(places);
  if (only !== "plane") await imagesReport({ ...options, steps: steps ?? STEPS });
}

if (import.meta.main) {
  try {
    await report(readFlags());
  } catch (error) {
    if (!(error instanceof VapoError)) throw error;
    console.error(error.message);
    Deno.exitCode = 2;
  }
}
