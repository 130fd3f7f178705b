/**
 * @file How the command line is started in a process of its own, with the permissions that its task has
 * and not one more.
 */
import { fromFileUrl } from "@std/path";
import manifest from "../../deno.json" with { type: "json" };
import { VapoError } from "../../core/errors.ts";

/** The project's directory. */
const root = fromFileUrl(new URL("../../", import.meta.url));

/** A program and its arguments. */
export interface ProgramCall {
  readonly program: string;
  readonly args: readonly string[];
}

/** The commands that the server starts. */
export type VapoTask = "train" | "sample";

/** A call of `vapo train …` or `vapo sample …`, as the task of that name in deno.json makes it. */
export function vapoCall(task: VapoTask, args: readonly string[]): ProgramCall {
  const words = manifest.tasks[task].split(" ");
  const script = words.indexOf("cli/main.ts");
  return {
    program: denoProgram(),
    args: [
      ...words.slice(1, script),
      `--config=${root}deno.json`,
      `${root}${words[script]}`,
      ...words.slice(script + 1),
      ...args,
    ],
  };
}

/** A call of a module of this project. */
export function moduleCall(
  module: URL,
  permissions: readonly string[],
  args: readonly string[],
): ProgramCall {
  return {
    program: denoProgram(),
    args: [
      "run",
      "--no-prompt",
      ...permissions,
      `--config=${root}deno.json`,
      fromFileUrl(module),
      ...args,
    ],
  };
}

/**
 * Deno, as this program may start it: `--allow-run=deno` is of the program that the PATH has under that
 * name, which `deno task` and `npx deno task` see to; the file itself need not have that name.
 */
function denoProgram(): string {
  const path = Deno.execPath();
  const mayRun = Deno.permissions.querySync({ name: "run", command: path }).state === "granted";
  return mayRun ? path : "deno";
}

/**
 * Starts a program.
 *
 * @throws {VapoError} where the system does not find it, or Deno does not permit it
 */
export function spawnProgram(
  { program, args }: ProgramCall,
  options: Pick<Deno.CommandOptions, "stdout" | "stderr" | "detached">,
): Deno.ChildProcess {
  try {
    return new Deno.Command(program, { ...options, args: [...args], stdin: "null" }).spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable) {
      throw new VapoError(
        `cannot start ${program}: ${error.message}; start the server by "deno task web", with deno ` +
          "on the PATH",
      );
    }
    throw error;
  }
}

/** The last line of a program's errors: what a user is told, without the program's name. */
export function lastLine(text: string): string | null {
  const lines = text.split("\n").map((line) => line.trimEnd()).filter((line) => line !== "");
  const own = lines.findLast((line) => line.startsWith("vapo: "));
  return own?.slice("vapo: ".length) ?? lines.at(-1) ?? null;
}
