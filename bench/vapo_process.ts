/**
 * @file `vapo` as a process of its own, for the reports that use it as a user would: what it tells
 * with `--json`, its memory, and its end.
 */
import { fromFileUrl } from "@std/path";
import { VapoError } from "../core/errors.ts";

/** The project's directory, which `deno task` runs in. */
export const PROJECT = fromFileUrl(new URL("../", import.meta.url));

/** An object that `vapo … --json` prints. */
export type VapoEvent = { readonly event: string } & Readonly<Record<string, unknown>>;

/** A process under way. */
export interface VapoProcess {
  /** The most memory it has had so far, in bytes; null where the system does not tell. */
  peakResidentBytes(): Promise<number | null>;
  /** Asks it to stop, as Ctrl-C does. */
  interrupt(): void;
}

/** How a process ended. */
export interface VapoEnd {
  /** Its exit code. */
  readonly code: number;
  /** The last line that it printed on standard error; empty where there is none. */
  readonly lastWords: string;
}

/** What a process is told, and who is told of it. */
export interface VapoOptions {
  /** Told of each event, and of the process while it goes on. */
  readonly onEvent?: (event: VapoEvent, process: VapoProcess) => void | Promise<void>;
  /** Interrupts the process when it is aborted. */
  readonly signal?: AbortSignal;
}

/** Runs `deno task ARGS… --json` to its end; the arguments begin with the name of the task. */
export async function runVapo(
  args: readonly string[],
  { onEvent, signal }: VapoOptions = {},
): Promise<VapoEnd> {
  signal?.throwIfAborted();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", ...args, "--json"],
    cwd: PROJECT,
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const process: VapoProcess = {
    peakResidentBytes: () => peakOfChildren(child.pid),
    interrupt() {
      try {
        child.kill("SIGINT"); // deno task hands it on
      } catch (error) {
        if (!(error instanceof TypeError)) throw error; // it has ended already
      }
    },
  };
  signal?.addEventListener("abort", process.interrupt);
  let lastWords = "";
  const errors = (async () => {
    for await (const line of linesOf(child.stderr)) {
      if (line.trim() !== "") lastWords = line;
    }
  })();
  for await (const line of linesOf(child.stdout)) await onEvent?.(JSON.parse(line), process);
  await errors;
  const { code } = await child.status;
  signal?.removeEventListener("abort", process.interrupt);
  return { code, lastWords };
}

/** Throws what a process said last unless it did what it was asked to. */
export function requireSuccess(args: readonly string[], { code, lastWords }: VapoEnd): void {
  if (code === 0) return;
  throw new VapoError(`vapo ${args.join(" ")} ended with code ${code}: ${lastWords}`);
}

async function* linesOf(bytes: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of bytes.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
  if (rest !== "") yield rest;
}

/** The peak resident set of the largest child of a process: that of `deno task` is the program. */
async function peakOfChildren(parent: number): Promise<number | null> {
  try {
    const children = await Deno.readTextFile(`/proc/${parent}/task/${parent}/children`);
    const peaks = await Promise.all(
      children.trim().split(/\s+/).map(async (child) => {
        const status = await Deno.readTextFile(`/proc/${child}/status`);
        return 1024 * Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1] ?? NaN);
      }),
    );
    const peak = Math.max(...peaks);
    return Number.isFinite(peak) ? peak : null;
  } catch (error) {
    // Linux alone has these files, and the process may end at any time.
    if (error instanceof Deno.errors.NotFound || isGone(error)) return null;
    throw error;
  }
}

/** ESRCH: reading what the system says of a process that ends meanwhile. */
function isGone(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ESRCH";
}
