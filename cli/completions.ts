/**
 * @file `vapo completions`: scripts by which bash, zsh and fish complete the command line, written
 * from the tree of commands itself, so that they cannot fall behind it.
 */
import { Argument, Command, type Option } from "commander";
import { standardOutput } from "./terminal.ts";

/** What a value may be: one of some words, a place on disk, or anything. */
export type ValueKind = readonly string[] | "file" | "directory" | "anything";

/** An option as a shell sees it. */
export interface CompletedOption {
  /** `--out`, or `-h` and `--help`. */
  readonly names: readonly string[];
  readonly description: string;
  /** What follows it; undefined for a switch. */
  readonly value?: ValueKind;
}

/** A command as a shell sees it. */
export interface CompletedCommand {
  /** The words after the program's name: none for the program itself, `["presets", "show"]`. */
  readonly words: readonly string[];
  readonly description: string;
  readonly options: readonly CompletedOption[];
  readonly argument?: ValueKind;
  /** What comes after that, as often as one likes. */
  readonly following?: ValueKind;
  readonly commands: readonly CompletedCommand[];
}

const generators = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;

const epilog = `
To load them in every new shell:
  bash   echo 'source <(vapo completions bash)' >> ~/.bashrc
  zsh    echo 'source <(vapo completions zsh)' >> ~/.zshrc   (after compinit)
  fish   vapo completions fish > ~/.config/fish/completions/vapo.fish`;

/** The command; it completes the program that is handed in. */
export function completionsCommand(program: Command): Command {
  const shell = new Argument("<shell>", "which shell").choices(Object.keys(generators));
  return new Command("completions")
    .description("print a script that completes commands and options in a shell")
    .addArgument(shell)
    .addHelpText("after", epilog)
    .action((shell: keyof typeof generators) => {
      standardOutput.write(generators[shell](completedCommand(program)));
    });
}

/** A command's tree as a shell sees it. */
export function completedCommand(command: Command, words: string[] = []): CompletedCommand {
  const help = command.createHelp();
  const [argument, following] = command.registeredArguments;
  return {
    words,
    description: command.description(),
    options: help.visibleOptions(command).map(completedOption),
    ...(argument && { argument: valueKind(argument.argChoices, argument.name()) }),
    ...(following && { following: valueKind(following.argChoices, following.name()) }),
    commands: command.commands.map((sub) => completedCommand(sub, [...words, sub.name()])),
  };
}

function completedOption(option: Option): CompletedOption {
  const names = [option.short, option.long].filter((name) => name !== undefined);
  if (!option.required && !option.optional) return { names, description: option.description };
  const placeholder = /<(.+)>/.exec(option.flags)?.[1] ?? "";
  const value = valueKind(option.argChoices, placeholder);
  return { names, description: option.description, value };
}

function valueKind(choices: string[] | undefined, placeholder: string): ValueKind {
  if (choices) return choices;
  if (placeholder === "file" || placeholder === "path") return "file";
  return placeholder === "dir" || placeholder === "run" ? "directory" : "anything";
}

/** A command and all below it, itself first. */
function everyCommand(root: CompletedCommand): CompletedCommand[] {
  return [root, ...root.commands.flatMap(everyCommand)];
}

function lastWord({ words }: CompletedCommand): string {
  return words.at(-1) ?? "vapo";
}

// --- bash ---

function bashScript(root: CompletedCommand): string {
  const all = everyCommand(root);
  const steps = all.slice(1).map(({ words }) =>
    `      "${words.slice(0, -1).join(" ")}:${words.at(-1)}") command="${words.join(" ")}" ;;`
  );
  const values = all.flatMap(({ words, options }) =>
    options.filter(({ value }) => value !== undefined).map(({ names, value }) => {
      const patterns = names.map((name) => `"${words.join(" ")}:${name}"`).join(" | ");
      return `    ${patterns}) ${bashReply(value!)}; return ;;`;
    })
  );
  const places = all.map(({ words, options, argument, following, commands }) => {
    const names = options.flatMap(({ names }) => names).join(" ");
    const first = bashReply(commands.length > 0 ? commands.map(lastWord) : argument ?? []);
    const reply = following === undefined
      ? first
      : `if [[ $previous == "${words.at(-1)}" ]]; then ${first}; else ${bashReply(following)}; fi`;
    return `    "${words.join(" ")}") options="${names}"; [[ $current == -* ]] || ${reply} ;;`;
  });
  return `# Completion of vapo in bash. Load it by: source <(vapo completions bash)
_vapo_words() { COMPREPLY=($(compgen -W "$1" -- "$current")); }
_vapo_files() {
  local IFS=$'\\n' # names may hold spaces
  compopt -o filenames 2>/dev/null
  COMPREPLY=($(compgen "$1" -- "$current"))
}
_vapo() {
  local IFS=$' \\n' current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}"
  local command="" options="" i
  COMPREPLY=()
  # bash splits --option=value into three words.
  if [[ $current == "=" ]]; then current=""
  elif [[ $previous == "=" ]]; then previous="\${COMP_WORDS[COMP_CWORD-2]}"; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$command:\${COMP_WORDS[i]}" in
${steps.join("\n")}
    esac
  done
  case "$command:$previous" in
${values.join("\n")}
  esac
  case "$command" in
${places.join("\n")}
  esac
  if [[ $current == -* ]]; then _vapo_words "$options"; fi
}
complete -F _vapo vapo
`;
}

function bashReply(value: ValueKind): string {
  if (value === "anything") return ":";
  if (value === "file") return "_vapo_files -f";
  if (value === "directory") return "_vapo_files -d";
  return `_vapo_words "${value.join(" ")}"`;
}

// --- zsh ---

function zshScript(root: CompletedCommand): string {
  return `#compdef vapo
# Completion of vapo in zsh. Load it by: source <(vapo completions zsh)
${everyCommand(root).map(zshFunction).join("\n")}
if [[ $funcstack[1] == _vapo ]]; then _vapo "$@"; else compdef _vapo vapo; fi
`;
}

function zshName({ words }: CompletedCommand): string {
  return ["_vapo", ...words].join("_");
}

function zshFunction(command: CompletedCommand): string {
  const { options, argument, following, commands } = command;
  const specs = options.map(({ names, description, value }) => {
    const text = `[${zshEscaped(description)}]`;
    const value_ = value === undefined ? "" : `:value:${zshAction(value)}`;
    const repeats = names.includes("--set") ? "*" : "";
    return names.length === 1
      ? `    '${repeats}${names[0]}${text}${value_}'`
      : `    '(${names.join(" ")})'{${names.join(",")}}'${text}${value_}'`;
  });
  if (commands.length === 0) {
    const place = argument === undefined ? [] : [`    '1:argument:${zshAction(argument)}'`];
    const others = following === undefined ? [] : [`    '*:argument:${zshAction(following)}'`];
    return `${zshName(command)}() {
  _arguments \\
${[...specs, ...place, ...others].join(" \\\n")}
}`;
  }
  const list = commands.map((sub) => `        '${lastWord(sub)}:${zshEscaped(sub.description)}'`);
  const calls = commands.map((sub) => `        ${lastWord(sub)}) ${zshName(sub)} ;;`);
  return `${zshName(command)}() {
  local curcontext="$curcontext" state line
  local -a commands
  _arguments -C \\
${[...specs, "    '1: :->command'", "    '*:: :->arguments'"].join(" \\\n")}
  case $state in
    command)
      commands=(
${list.join("\n")}
      )
      _describe command commands ;;
    arguments)
      case $line[1] in
${calls.join("\n")}
      esac ;;
  esac
}`;
}

function zshAction(value: ValueKind): string {
  if (value === "anything") return " ";
  if (value === "file") return "_files";
  if (value === "directory") return "_files -/";
  return `(${value.join(" ")})`;
}

function zshEscaped(text: string): string {
  return text.replaceAll("'", "'\\''").replace(/[[\]:]/g, "\\$&");
}

// --- fish ---

function fishScript(root: CompletedCommand): string {
  const lines = everyCommand(root).flatMap((command) => {
    const start = `complete -c vapo -n ${fishQuoted(fishCondition(command))}`;
    const { words, options, argument, following, commands } = command;
    const typed = (count: string) =>
      fishQuoted(`${fishCondition(command)}; and test (count (commandline -opc)) ${count}`);
    const places = following === undefined
      ? argument === undefined ? [] : [`${start} ${fishValue(argument)}`]
      : [
        `complete -c vapo -n ${typed(`-eq ${words.length + 1}`)} ${fishValue(argument!)}`,
        `complete -c vapo -n ${typed(`-gt ${words.length + 1}`)} ${fishValue(following)}`,
      ];
    return [
      ...commands.map((sub) => `${start} -a ${lastWord(sub)} -d ${fishQuoted(sub.description)}`),
      ...places,
      ...options.map((option) => `${start} ${fishOption(option)}`),
    ];
  });
  return `# Completion of vapo in fish. Load it by: vapo completions fish | source
complete -c vapo -f
${lines.join("\n")}
`;
}

/** True where the words of a command have been typed, and none of those below it. */
function fishCondition({ words, commands }: CompletedCommand): string {
  const seen = words.map((word) => `__fish_seen_subcommand_from ${word}`);
  const below = commands.map(lastWord).join(" ");
  const unseen = below === "" ? [] : [`not __fish_seen_subcommand_from ${below}`];
  return [...seen, ...unseen].join("; and ") || "true";
}

function fishOption({ names, description, value }: CompletedOption): string {
  const flags = names.map((name) =>
    name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name[1]}`
  );
  const follows = value === undefined
    ? []
    : value === "file"
    ? ["-r -F"]
    : ["-x", fishValue(value)];
  return [...flags, ...follows, `-d ${fishQuoted(description)}`].filter(Boolean).join(" ");
}

function fishValue(value: ValueKind): string {
  if (value === "anything") return "";
  if (value === "file") return "-F";
  if (value === "directory") return "-a '(__fish_complete_directories)'";
  return `-a '${value.join(" ")}'`;
}

function fishQuoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
