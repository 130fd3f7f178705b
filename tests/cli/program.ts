/** @file Runs the real program, with the permissions that `deno task vapo` gives it. */
import { fromFileUrl } from "@std/path";
import { assertEquals, assertMatch } from "@std/assert";
import manifest from "../../deno.json" with { type: "json" };

/** The project's directory. */
export const root = fromFileUrl(new URL("../../", import.meta.url));

const taskWords = manifest.tasks.vapo.split(" ").slice(1);

/** What a finished program leaves. */
export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Where and how to run it. */
export interface RunOptions {
  readonly cwd: string;
  readonly env?: Record<string, string>;
  /** A command that the program is run by, as in ["setpriv", "--bounding-set=-all"]. */
  readonly by?: readonly string[];
}

function command(args: readonly string[], { cwd, env, by = [] }: RunOptions): Deno.Command {
  const words = [
    ...by,
    Deno.execPath(),
    ...taskWords.slice(0, -1),
    `--config=${root}deno.json`,
    "--no-lock",
    `${root}${taskWords.at(-1)}`,
    ...args,
  ];
  const options = { cwd, env, stdin: "null", stdout: "piped", stderr: "piped" } as const;
  return new Deno.Command(words[0], { ...options, args: words.slice(1) });
}

/** Runs the program to its end. */
export async function vapo(args: readonly string[], options: RunOptions): Promise<Finished> {
  const { code, stdout, stderr } = await command(args, options).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** A program that runs. */
export interface Running {
  readonly process: Deno.ChildProcess;
  /** Resolves when a line of stdout matches, or to null when there will be none. */
  sees(pattern: RegExp): Promise<string | null>;
  /** Waits for the end. */
  end(): Promise<Finished>;
}

/** Starts the program. */
export function startVapo(args: readonly string[], options: RunOptions): Running {
  const process = command(args, options).spawn();
  const stderr = new Response(process.stderr).text();
  let stdout = "", wake = () => {}, ended = false;
  const reading = (async () => {
    for await (const chunk of process.stdout.pipeThrough(new TextDecoderStream())) {
      stdout += chunk;
      wake();
    }
    ended = true;
    wake();
  })();
  return {
    process,
    async sees(pattern) {
      while (true) {
        const line = stdout.split("\n").slice(0, -1).find((line) => pattern.test(line));
        if (line !== undefined) return line;
        if (ended) return null;
        await new Promise<void>((resolve) => wake = resolve);
      }
    },
    async end() {
      const { code } = await process.status;
      await reading;
      return { code, stdout, stderr: await stderr };
    },
  };
}

/** Runs a test in an empty directory, which is removed after it. */
export async function inTemporaryDirectory(test: (cwd: string) => Promise<void>): Promise<void> {
  const cwd = await Deno.makeTempDir({ prefix: "vapo-test-" });
  try {
    await test(cwd);
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
}

/** `--set` flags. */
export function set(...assignments: string[]): string[] {
  return assignments.flatMap((assignment) => ["--set", assignment]);
}

/** A run of a second: a small potential on a few points, and pictures of a few more. */
export const tiny = [
  ...["--steps", "20", "--batch", "16", "--device", "wasm"],
  ...set("potential.hidden=[8]", "training.logEvery=5", "training.checkpointEvery=10"),
  ...set("sampling.n=16", "sampling.solver=heun", "sampling.steps=4"),
];

/** Asserts that a program ended with a user's error: one line on stderr, exit code 2. */
export function assertUserError(finished: Finished, pattern: RegExp): void {
  assertMatch(finished.stderr, /^vapo: [^\n]+\n$/);
  assertMatch(finished.stderr, pattern);
  assertEquals(finished.stdout, "");
  assertEquals(finished.code, 2);
}

/** Every file below a directory with its bytes, by path; hidden ones left out. */
export async function filesBelow(directory: string): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  const visit = async (path: string) => {
    for await (const { name, isDirectory } of Deno.readDir(`${directory}/${path}`)) {
      const inside = path === "" ? name : `${path}/${name}`;
      if (isDirectory) await visit(inside);
      else if (name !== ".lock") files.set(inside, await Deno.readFile(`${directory}/${inside}`));
    }
  };
  await visit("");
  return new Map([...files].sort(([a], [b]) => a < b ? -1 : 1));
}
