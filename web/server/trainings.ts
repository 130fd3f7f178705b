/**
 * @file Trainings that are started, paused and resumed from a page. Each is a `vapo train` of its own,
 * with a small process beside it (`training_process.ts`), that neither the page nor the server takes
 * along when it ends: what is known of it is in locks and files, and another server finds it there.
 *
 * One at a time: a training that anyone has started in the runs directory, by hand too, is in the way
 * of the next one, since they would share the machine. Evaluations and samples are not.
 */
import { join } from "@std/path";
import { fileError, withFileErrors } from "../../cli/file_errors.ts";
import { LOCK_FILE } from "../../cli/run_lock.ts";
import { entryNames, isLeftover } from "../../cli/run_storage.ts";
import type { RunDetail, TrainingQuestion } from "../runs/run_types.ts";
import type { LockWatch } from "./held_lock.ts";
import { readTail } from "./json_lines.ts";
import { Refusal } from "./refusal.ts";
import { findFile, findRun, isMissing, isRunName, type RunPlace } from "./run_paths.ts";
import type { TrainingFacts } from "./run_reader.ts";
import {
  LOCK_IS_HELD,
  type StartedTraining,
  type TrainingExit,
  type TrainingProcess,
} from "./training_process.ts";
import { lastLine, moduleCall, spawnProgram, vapoCall } from "./vapo_command.ts";

/** Where the server notes what it has started, in the runs directory; hidden, so no run. */
export const STATE_DIRECTORY = ".vapo-web";
const STARTED_LOCK = ".lock";

/** Starts and stops trainings. */
export interface Trainings {
  /** What is known of a run's training beside its directory. */
  facts(place: RunPlace): Promise<TrainingFacts>;
  /**
   * Starts a training.
   *
   * @returns the run's name
   * @throws {Refusal} 409 where another is under way, or there is a run of that name
   */
  start(question: TrainingQuestion): Promise<string>;
  /**
   * Asks a training to save its run and end.
   *
   * @throws {Refusal} 404 where there is no such run, 409 where it is not under way
   */
  pause(name: string): Promise<void>;
  /**
   * Goes on with a run.
   *
   * @throws {Refusal} 404 where there is no such run, 409 where there is nothing to go on with, or
   * another training is under way
   */
  resume(name: string): Promise<void>;
}

/** What trainings need. */
export interface TrainingsOptions {
  readonly runs: string;
  readonly locks: LockWatch;
  /** The name of a run that is under way, or null. */
  readonly running: () => Promise<string | null>;
  readonly detail: (name: string) => Promise<RunDetail | null>;
}

/** How long a process that has just taken a lock may take to write its id: milliseconds. */
const LOCK_MILLISECONDS = 50;

/** Makes the trainings of a runs directory. */
export function openTrainings({ runs, locks, running, detail }: TrainingsOptions): Trainings {
  const state = join(runs, STATE_DIRECTORY);

  /** The run whose training the server's process holds the lock for. */
  async function started(): Promise<string | null> {
    const directory = await Deno.realPath(state).catch(() => null);
    const holder = directory && await locks.holder(directory, STARTED_LOCK);
    if (!holder) return null;
    try {
      return (JSON.parse(holder.text) as StartedTraining).name;
    } catch {
      return ""; // Taken this instant, and not written to yet.
    }
  }

  async function requireIdle(): Promise<void> {
    const other = await started() ?? await running();
    if (other === null) return;
    throw new Refusal(
      409,
      `${other === "" ? "another training" : `run ${other}`} is under way: wait for its end, or ` +
        "pause it",
    );
  }

  async function launch(name: string, args: readonly string[]): Promise<void> {
    await withFileErrors("make", state, () => Deno.mkdir(state, { recursive: true }));
    const call = vapoCall("train", args);
    const training: TrainingProcess = {
      lock: join(state, STARTED_LOCK),
      log: join(state, `${name}.log`),
      name,
      call,
    };
    const permissions = ["--allow-read", "--allow-write", `--allow-run=${call.program}`];
    const module = new URL("training_process.ts", import.meta.url);
    const child = spawnProgram(moduleCall(module, permissions, [JSON.stringify(training)]), {
      stdout: "piped",
      stderr: "piped",
      detached: true,
    });
    await requireStarted(child);
  }

  // Two requests at once do not both find that nothing is under way, or that nobody has paused it.
  const alone = oneAfterAnother();

  return {
    async facts({ name, directory }) {
      const log = join(state, `${name}.log`);
      const [isStarting, problem] = await Promise.all([
        started().then((other) => other === name, () => false),
        lastProblem(log, directory).catch(() => null),
      ]);
      return { isStarting, problem };
    },
    start: (question) =>
      alone(async () => {
        await requireIdle();
        const { preset, seed, steps } = question;
        const { name, directory } = await claim(runs, question, locks);
        const options = Object.entries({ seed, steps })
          .flatMap(([option, value]) => value === null ? [] : [`--${option}`, String(value)]);
        try {
          await launch(name, [preset, "--out", directory, ...options, "--json"]);
        } catch (error) {
          // Only if nothing is in it: then nobody misses it.
          await Deno.remove(directory).catch(() => {});
          throw error;
        }
        return name;
      }),
    pause: (name) =>
      alone(async () => {
        const { directory } = await requirePlace(runs, name);
        if (Deno.build.os === "windows") {
          throw new Refusal(
            409,
            "Windows lets no other program pause it: press Ctrl-C where it runs",
          );
        }
        const process = await lockingProcess(locks, directory);
        if (!process) {
          throw new Refusal(
            409,
            await started() === name
              ? `run ${name} is still starting: pause it in a moment`
              : `run ${name} is not under way: there is nothing to pause`,
          );
        }
        await interruptOnce(process, state, name);
      }),
    resume: (name) =>
      alone(async () => {
        const { directory } = await requirePlace(runs, name);
        await requireIdle();
        const run = await detail(name);
        if (!run?.config) {
          throw new Refusal(409, run?.problem ?? `run ${name} has no configuration to go on with`);
        }
        if (run.status === "finished") {
          throw new Refusal(409, `run ${name} has come to its end: start another`);
        }
        await launch(name, ["--resume", directory, "--json"]);
      }),
  };
}

/** Lets work begin when all that was asked for before it has ended. */
function oneAfterAnother() {
  let last: Promise<unknown> = Promise.resolve();
  return <T>(work: () => Promise<T>): Promise<T> => {
    const turn = last.then(work);
    last = turn.catch(() => {});
    return turn;
  };
}

async function requirePlace(runs: string, name: string): Promise<RunPlace> {
  const place = await findRun(runs, name);
  if (place) return place;
  throw new Refusal(404, `there is no run ${name}`);
}

/** Waits until the process beside a training has told that it is there; then lets it alone. */
async function requireStarted(child: Deno.ChildProcess): Promise<void> {
  const told = child.stdout.getReader();
  const { value } = await told.read();
  if (value) {
    await Promise.all([told.cancel(), child.stderr.cancel()]);
    child.unref();
    return;
  }
  const [{ code }, errors] = await Promise.all([child.status, new Response(child.stderr).text()]);
  if (code === LOCK_IS_HELD) {
    throw new Refusal(409, "another training is under way: wait for its end, or pause it");
  }
  throw new Refusal(500, `the training did not start: ${lastLine(errors) ?? `exit code ${code}`}`);
}

/** Makes the directory of a new run: the one named, or the preset's with a number. */
async function claim(
  runs: string,
  { preset, name: asked }: TrainingQuestion,
  locks: LockWatch,
): Promise<RunPlace> {
  await withFileErrors("make", runs, () => Deno.mkdir(runs, { recursive: true }));
  for (let number = 1;; number++) {
    const name = asked ?? (number === 1 ? preset : `${preset}-${number}`);
    const directory = join(await Deno.realPath(runs), name);
    if (await makeFree(directory, name, locks)) return { name, directory };
    if (asked === null) continue;
    throw new Refusal(409, `there is a run ${name} already: choose another name, or resume it`);
  }
}

/** Makes a directory; false where there is one that holds anything. */
async function makeFree(directory: string, name: string, locks: LockWatch): Promise<boolean> {
  if (!isRunName(name)) throw new Refusal(400, `name ${name} cannot be that of a run`);
  try {
    await Deno.mkdir(directory);
    return true;
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw fileError("make run", name, error);
  }
  try {
    if (await Deno.realPath(directory) !== directory) return false;
    // What a training leaves that never came to its first step.
    const names = await entryNames(directory);
    return names.every((name) => name === LOCK_FILE || isLeftover(name)) &&
      await locks.holder(directory, LOCK_FILE) === null;
  } catch (error) {
    if (isMissing(error)) return false;
    throw fileError("open run", name, error);
  }
}

/** Why the last training of a run failed, where it was started from here and has. */
async function lastProblem(log: string, directory: string): Promise<string | null> {
  const [noted, lock] = await Promise.all([statOrNull(log), findFile(directory, LOCK_FILE)]);
  if (!noted?.isFile) return null;
  // Since then somebody else has been at it.
  if (lock && timeOf(lock.info) > timeOf(noted)) return null;
  const end = (await readTail(log, 16_384)).trimEnd();
  const exit = parseExit(end.slice(end.lastIndexOf("\n") + 1));
  if (!exit || exit.code === 0 || exit.code === 130) return null;
  if (exit.signal) return `its process was ended by ${exit.signal}: see ${log}`;
  return exit.lastLine ?? `its process ended with code ${exit.code}: see ${log}`;
}

function parseExit(line: string): TrainingExit | null {
  try {
    const value = JSON.parse(line) as TrainingExit;
    return value.event === "exit" ? value : null;
  } catch {
    return null;
  }
}

async function statOrNull(path: string): Promise<Deno.FileInfo | null> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

function timeOf({ mtime }: Deno.FileInfo): number {
  return mtime?.getTime() ?? 0;
}

/** The process that holds a run's lock. */
interface LockingProcess {
  readonly id: number;
  /** When it took the lock. */
  readonly since: number;
}

async function lockingProcess(locks: LockWatch, directory: string): Promise<LockingProcess | null> {
  const before = await locks.holder(directory, LOCK_FILE);
  if (!before) return null;
  // Who has just taken the lock has not written its id yet, and the one before it has no part in this.
  await new Promise((resolve) => setTimeout(resolve, LOCK_MILLISECONDS));
  const holder = await locks.holder(directory, LOCK_FILE);
  if (!holder) return null;
  const id = Number(/^(\d{1,9})\n?$/.exec(holder.text)?.[1] ?? NaN);
  if (holder.text === before.text && id > 1 && id !== Deno.pid) return { id, since: holder.since };
  throw new Refusal(409, "the process of the run cannot be told yet: try again in a moment");
}

/** Sends SIGINT to a process, the first time: a second one would end it without saving. */
async function interruptOnce(
  { id, since }: LockingProcess,
  state: string,
  name: string,
): Promise<void> {
  await Deno.mkdir(state, { recursive: true });
  const note = join(state, `${name}.pause`), text = `${id} ${since}\n`;
  if (await Deno.readTextFile(note).catch(() => "") === text) return;
  const module = new URL("interrupt_process.ts", import.meta.url);
  const call = moduleCall(module, ["--allow-run"], [String(id)]);
  const child = spawnProgram(call, { stdout: "null", stderr: "piped" });
  const [{ success }, errors] = await Promise.all([
    child.status,
    new Response(child.stderr).text(),
  ]);
  if (!success) {
    throw new Refusal(500, `process ${id} could not be asked to stop: ${lastLine(errors) ?? "?"}`);
  }
  await withFileErrors("write", note, () => Deno.writeTextFile(note, text));
}
