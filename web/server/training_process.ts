/**
 * @file The process beside a training that the server has started: it holds the lock that says so, keeps
 * what the training prints in a file, and notes how it ended. It is no child of the server's session,
 * so that both outlive the server, and a server that is started later finds out all the same.
 *
 * Run with one argument, JSON of {@link TrainingProcess}. The line "started" on standard output says
 * that the lock is held and the training's process is there.
 */
import { tryTwice } from "../../cli/run_lock.ts";
import { lastLine, type ProgramCall } from "./vapo_command.ts";

/** What is started, and where it is noted. */
export interface TrainingProcess {
  /** The lock's file, which is given {@link StartedTraining} to hold. */
  readonly lock: string;
  /** The file that what the training prints goes to. */
  readonly log: string;
  /** The run's name. */
  readonly name: string;
  readonly call: ProgramCall;
}

/** What the lock's file says. */
export interface StartedTraining {
  readonly name: string;
}

/** The last line of the log: how the training ended. */
export interface TrainingExit {
  readonly event: "exit";
  readonly code: number;
  readonly signal: string | null;
  /** The last line that it printed on standard error. */
  readonly lastLine: string | null;
}

/** The exit code where another training has the lock. */
export const LOCK_IS_HELD = 4;

const encoder = new TextEncoder();

/** What is looked at of the errors at the end. */
const LAST_ERRORS = 8192;

async function main({ lock, log, name, call }: TrainingProcess): Promise<number> {
  using held = await Deno.open(lock, { read: true, write: true, create: true });
  if (!await tryTwice(held)) return LOCK_IS_HELD;
  await held.truncate(0);
  await held.write(encoder.encode(JSON.stringify({ name } satisfies StartedTraining)));
  using file = await Deno.open(log, { write: true, create: true, truncate: true });
  const { program, args } = call;
  const streams = { stdin: "null", stdout: "piped", stderr: "piped" } as const;
  const child = new Deno.Command(program, { ...streams, args: [...args] }).spawn();
  Deno.stdout.writeSync(encoder.encode("started\n"));
  let errors = "";
  const [{ code, signal }] = await Promise.all([
    child.status,
    keep(child.stdout, file),
    keep(child.stderr, file, (text) => errors = (errors + text).slice(-LAST_ERRORS)),
  ]);
  const exit: TrainingExit = { event: "exit", code, signal, lastLine: lastLine(errors) };
  write(file, encoder.encode(`\n${JSON.stringify(exit)}\n`));
  return 0;
}

async function keep(
  stream: ReadableStream<Uint8Array>,
  file: Deno.FsFile,
  seen: (text: string) => void = () => {},
): Promise<void> {
  const decoder = new TextDecoder();
  for await (const bytes of stream) {
    write(file, bytes);
    seen(decoder.decode(bytes, { stream: true }));
  }
}

/** Writes what a full disk lets it: the training goes on without being noted. */
function write(file: Deno.FsFile, bytes: Uint8Array): void {
  try {
    for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
  } catch {
    // The run itself says where it is.
  }
}

if (import.meta.main) Deno.exit(await main(JSON.parse(Deno.args[0])));
