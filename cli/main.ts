/**
 * @file The program `vapo`: its commands, and how it ends.
 */
import { Command, CommanderError } from "commander";
import manifest from "../deno.json" with { type: "json" };
import { completionsCommand } from "./completions.ts";
import { dataCommand } from "./data.ts";
import { doctorCommand } from "./doctor.ts";
import { evalCommand } from "./eval.ts";
import { exitCodes, printFailure } from "./failures.ts";
import { presetsCommand } from "./presets.ts";
import { sampleCommand } from "./sample.ts";
import { standardError, standardOutput } from "./terminal.ts";
import { trainCommand } from "./train.ts";

/** The whole command line. */
export function vapoProgram(): Command {
  const program = new Command("vapo")
    .description("Variational potential flow: learn a potential, sample along its gradient.")
    .version(manifest.version, "-V, --version")
    .addHelpText("after", "\nStart with: vapo train, then vapo sample runs/8gaussians")
    .addCommand(trainCommand())
    .addCommand(sampleCommand())
    .addCommand(evalCommand())
    .addCommand(dataCommand())
    .addCommand(doctorCommand())
    .addCommand(presetsCommand());
  program.addCommand(completionsCommand(program));
  configure(program, "vapo");
  return program;
}

/** Errors are thrown, not printed, and name the help that has the remedy. */
function configure(command: Command, name: string): void {
  command
    .helpCommand(false)
    .configureOutput({
      writeOut: standardOutput.write,
      writeErr: standardError.write,
      outputError: () => {},
      getOutHelpWidth: standardOutput.columns,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .exitOverride((error) => {
      if (error.exitCode === 0) throw error;
      const message = `${error.message.replace(/\.$/, "")}; see "${name} --help"`;
      throw new CommanderError(error.exitCode, error.code, message);
    });
  for (const sub of command.commands) configure(sub, `${name} ${sub.name()}`);
}

/** Runs a command line; returns the exit code. */
async function run(args: string[]): Promise<number> {
  const program = vapoProgram();
  try {
    if (args.length === 0) program.outputHelp();
    else await program.parseAsync(args, { from: "user" });
    return Deno.exitCode;
  } catch (error) {
    return printFailure(error);
  }
}

if (import.meta.main) {
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    printFailure(event.reason);
    Deno.exit(exitCodes.bug);
  });
  Deno.exit(await run(Deno.args));
}
