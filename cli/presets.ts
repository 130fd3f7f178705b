/**
 * @file `vapo presets`: what there is to train, and the whole configuration of each.
 */
import { Argument, Command } from "commander";
import { VapoError } from "../core/errors.ts";
import { presetSourceKey } from "../core/train/image_presets.ts";
import {
  presetConfig,
  presetDescriptions,
  presetNames,
  presetSources,
} from "../core/train/presets.ts";
import { showSummary } from "./preset_summary.ts";
import { standardOutput } from "./terminal.ts";

/** The command. */
export function presetsCommand(): Command {
  const name = new Argument("<name>", "which");
  name.argChoices = [...presetNames];
  const show = new Command("show")
    .description("print a preset's whole configuration, as --config of train takes it")
    .addArgument(name)
    .option("--json", "plain JSON, without the comments that say where a value comes from")
    .option("--summary", "print layers, parameters, and what a step costs, in place of settings")
    .action(async (name: string, { json, summary }: { json?: boolean; summary?: boolean }) => {
      if (summary) return await showSummary(name, json);
      standardOutput.line(json ? JSON.stringify(presetConfig(name), null, 2) : commented(name));
    });
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

/** A preset's configuration as JSON with comments: the source of each value at the end of its line. */
function commented(name: string): string {
  const config = presetConfig(name) as unknown as Record<string, unknown>;
  const sources = presetSources(name);
  const lines: { text: string; source?: string }[] = [];
  const write = (record: Record<string, unknown>, path: string, indent: string) => {
    const entries = Object.entries(record);
    entries.forEach(([key, value], i) => {
      const full = path + key, comma = i < entries.length - 1 ? "," : "";
      if (typeof value === "object" && value !== null && !Array.isArray(value)) {
        lines.push({ text: `${indent}"${key}": {` });
        write(value as Record<string, unknown>, `${full}.`, indent + "  ");
        lines.push({ text: `${indent}}${comma}` });
      } else {
        const text = `${indent}"${key}": ${JSON.stringify(value).replaceAll(",", ", ")}${comma}`;
        lines.push({ text, source: sources[full] });
      }
    });
  };
  write(config, "", "  ");
  const width = Math.max(...lines.map(({ text, source }) => source ? text.length : 0));
  const body = lines.map(({ text, source }) =>
    source ? `${text.padEnd(width)}  // ${source}` : text
  );
  const key = Object.keys(sources).length > 0 ? presetSourceKey.map((line) => `// ${line}`) : [];
  return [...key, "{", ...body, "}"].join("\n");
}

function listPresets(): void {
  const width = Math.max(...presetNames.map((name) => name.length));
  for (const name of presetNames) {
    standardOutput.line(`${name.padEnd(width)}  ${presetDescriptions[name]}`);
  }
}
