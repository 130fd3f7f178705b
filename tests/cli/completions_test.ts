import { assert, assertEquals, assertMatch } from "@std/assert";
import { vapoProgram } from "../../cli/main.ts";
import { completedCommand } from "../../cli/completions.ts";
import { solverNames } from "../../core/flow/sampler.ts";
import { presetNames } from "../../core/train/presets.ts";
import { isInstalled } from "../installed.ts";
import { inTemporaryDirectory, vapo } from "./program.ts";

async function output(shell: string, args: string[], cwd: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(shell, { args, cwd }).output();
  assert(success, new TextDecoder().decode(stderr));
  assertEquals(new TextDecoder().decode(stderr), "");
  return new TextDecoder().decode(stdout);
}

/** Words before the cursor, the last one perhaps unfinished, and what completes it. */
const completed: [words: string[], candidates: string[]][] = [
  [["vapo", ""], ["completions", "data", "doctor", "eval", "presets", "sample", "train"]],
  [["vapo", "tr"], ["train"]],
  [["vapo", "train", ""], [...presetNames]],
  [["vapo", "train", "8"], ["8gaussians"]],
  [["vapo", "train", "--re"], ["--resume"]],
  [["vapo", "train", "--d"], ["--data", "--device"]],
  [["vapo", "train", "--device", ""], ["auto", "cpu", "wasm", "webgpu"]],
  [["vapo", "train", "rings", "--device", "w"], ["wasm", "webgpu"]],
  [["vapo", "train", "--steps", ""], []],
  [["vapo", "sample", "some run", "--solver", ""], solverNames],
  [["vapo", "sample", "some run", "--solver", "eu"], ["euler", "euler-maruyama"]],
  [["vapo", "sample", "so"], ["some run"]],
  [["vapo", "train", "--out", "so"], ["some run"]],
  [["vapo", "train", "--config", "so"], ["some run", "some.json"]],
  [["vapo", "data", "lsun-c"], ["lsun-church128", "lsun-church64"]],
  [["vapo", "data", "folder", "--s"], ["--size", "--skip-bad", "--source"]],
  [["vapo", "data", "folder", "--source", "so"], ["some run", "some.json"]],
  [["vapo", "data", "folder", "--out", "so"], ["some run"]],
  [["vapo", "eval", "so"], ["some run"]],
  [["vapo", "eval", "some", "k"], ["kid"]],
  [["vapo", "eval", "some", "kid", "n"], ["neighbours", "nll"]],
  [["vapo", "presets", ""], ["show"]],
  [["vapo", "presets", "show", "mn"], ["mnist", "mnist16"]],
  [["vapo", "completions", ""], ["bash", "fish", "zsh"]],
];

async function inCompletionDirectory(shell: string, test: (cwd: string) => Promise<void>) {
  await inTemporaryDirectory(async (cwd) => {
    const { code, stdout } = await vapo(["completions", shell], { cwd });
    assertEquals(code, 0);
    await Deno.mkdir(`${cwd}/places/some run`, { recursive: true });
    await Deno.writeTextFile(`${cwd}/places/some.json`, "{}");
    await Deno.writeTextFile(`${cwd}/script`, stdout);
    await test(`${cwd}/places`);
  });
}

const bash = `
source ../script
complete -p vapo >&2 || exit 1
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_vapo vapo
((\${#COMPREPLY[@]} == 0)) || printf '%s\\n' "\${COMPREPLY[@]}"
`.replace("complete -p vapo >&2", "complete -p vapo > /dev/null");

Deno.test(
  "bash completes commands, options and values",
  { ignore: !await isInstalled("bash") },
  () =>
    inCompletionDirectory("bash", async (cwd) => {
      for (const [words, candidates] of completed) {
        const found = await output("bash", ["--norc", "-c", bash, "bash", ...words], cwd);
        assertEquals(
          found.split("\n").slice(0, -1).sort(),
          [...candidates].sort(),
          words.join(" "),
        );
      }
      // bash hands --device=w over as three words.
      const split = ["vapo", "train", "--device", "=", "w"];
      const found = await output("bash", ["--norc", "-c", bash, "bash", ...split], cwd);
      assertEquals(found, "wasm\nwebgpu\n");
    }),
);

Deno.test(
  "fish completes commands, options and values",
  { ignore: !await isInstalled("fish") },
  () =>
    inCompletionDirectory("fish", async (cwd) => {
      for (const [words, candidates] of completed) {
        const line = words.map((word) => word.replaceAll(" ", "\\ ")).join(" ");
        const script = `source ../script; complete -C '${line.replaceAll("\\", "\\\\")}'`;
        const found = (await output("fish", ["--no-config", "-c", script], cwd)).split("\n")
          .slice(0, -1).map((row) => row.split("\t")[0].replace(/\/$/, "").replaceAll("\\ ", " "));
        assertEquals(found.sort(), [...candidates].sort(), words.join(" "));
      }
    }),
);

Deno.test(
  "zsh takes the script",
  { ignore: !await isInstalled("zsh") },
  () =>
    inCompletionDirectory("zsh", async (cwd) => {
      const script = "autoload -U compinit && compinit -u -D && source ../script && " +
        "print $_comps[vapo] && functions _vapo_presets_show";
      const found = await output("zsh", ["-f", "-c", script], cwd);
      assertMatch(found, /^_vapo\n_vapo_presets_show \(\) \{/);
      assertMatch(found, /1:argument:\(8gaussians .*\)/);
    }),
);

Deno.test("every option that takes one of some words has them in every script", async () => {
  const tree = completedCommand(vapoProgram());
  const values = tree.commands.flatMap(({ options }) => options.map(({ value }) => value))
    .filter((value) => Array.isArray(value));
  // --device and --solver, of train's evaluations two, of eval's own three
  assertEquals(values.length, 10);
  await inTemporaryDirectory(async (cwd) => {
    for (const shell of ["bash", "zsh", "fish"]) {
      const { stdout } = await vapo(["completions", shell], { cwd });
      for (const value of values) assert(stdout.includes(value.join(" ")), `${shell}: ${value}`);
    }
  });
});
