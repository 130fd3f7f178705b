/**
 * @file `vapo presets`: what there is to train, and the whole configuration of each.
 */
import { Argument, Command } from "commander";
import { VapoError } from "../core/errors.ts";
import { presetConfig, presetDescriptions, presetNames } from "../core/train/presets.ts";
import { standardOutput } from "./terminal.ts";

/** The command. */
export function presetsCommand(): Command {
  const name = new Argument("<name>", "which");
  name.argChoices = [...presetNames];
  const show = new Command("show")
    .description("print a preset's whole configuration, as --config of train takes it")
    .addArgument(name)
    .action((name: string) => standardOutput.line(JSON.stringify(presetConfig(name), null, 2)));
  return new Command("presets")
    .description("list the presets")
    .allowExcessArguments()
    .action((_options: unknown, { args }: Command) => {
      if (args.length === 0) return listPresets();
      throw new VapoError(
        `unknown command "presets ${args.join(" ")}": expected "presets" or "presets show NAME"`,
      );
    })
    .addCommand(show);
}

function listPresets(): void {
  const width = Math.max(...presetNames.map((name) => name.length));
  for (const name of presetNames) {
    standardOutput.line(`${name.padEnd(width)}  ${presetDescriptions[name]}`);
  }
}
