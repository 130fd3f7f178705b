/** @file Every error that a user can cause: one line that names the value, exit code 2, no damage. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import {
  assertUserError,
  filesBelow,
  inTemporaryDirectory,
  type RunOptions,
  set,
  tiny,
  vapo,
} from "./program.ts";

/** Command lines that fail beside a complete run `run` and a directory `full`, and what they say. */
const mistakes: [args: string[], message: RegExp][] = [
  [["trian"], /unknown command 'trian' \(Did you mean train\?\)/],
  [["presets", "foo"], /unknown command "presets foo"/],
  [["train", "--stpes", "3"], /unknown option '--stpes' \(Did you mean --steps\?\)/],
  [["train", "rings", "2moons"], /too many arguments for 'train'.* rings, 2moons/],
  [["train", "8gausians"], /unknown preset "8gausians"; did you mean "8gaussians"\?/],
  [["presets", "show", "ring"], /unknown preset "ring"; did you mean "rings"\?/],
  [["train", "--steps", "0"], /--steps <n>' argument '0' is invalid.*whole number from 1 on/],
  [["train", "--steps", "1e99"], /--steps <n>' argument '1e99' is invalid/],
  [["train", "--seed", "-1"], /--seed <n>' argument '-1' is invalid.*from 0 on/],
  [["train", "--device", "gpu"], /argument 'gpu' is invalid.*auto, wasm, webgpu, cpu/],
  [["train", "--set", "training"], /--set training: expected key=value/],
  [
    ["train", ...set("training.stpes=3")],
    /unknown key "training\.stpes"; did you mean "training\.steps"/,
  ],
  [["train", ...set("training.steps=many")], /training\.steps is "many"/],
  [["train", ...set("potential.hidden=[0]")], /potential\.hidden\.0 is 0/],
  [["train", ...set("data=5", "data.name=rings")], /data is 5: expected keys such as "data\.name"/],
  [["train", ...set("sampling.until=7")], /sampling\.until is 7/],
  [["train", "--config", "none.json"], /cannot read none\.json: there is no such file/],
  [["train", "--config", "full/note.txt"], /full\/note\.txt is not JSON/],
  [
    ["train", "--config", "typo.json"],
    /typo\.json: unknown key "traning"; did you mean "training"/,
  ],
  [["train", "--config", "full"], /cannot read full: it is a directory/],
  [["train", "--data", "full"], /data directory full for data "8gaussians", which is drawn/],
  [
    ["train", "mnist16", "--data", "full"],
    /no data set "mnist" in full: .* train-images-idx3-ubyte; run "vapo data mnist/,
  ],
  [["train", "mnist16", "--data", "cut"], /train-images-idx3-ubyte .*cut short/],
  [["train", "mnist16", "--data", "flipped"], /train-images-idx3-ubyte .*starts with bytes 0 8/],
  [["train", ...tiny, "--out", "full"], /--out full is not empty.*choose another/],
  [["train", ...tiny, "--out", "run"], /--out run is not empty.*use --resume run/],
  [["train", ...tiny, "--out", "full/note.txt"], /full\/note\.txt: there is a file of that name/],
  [
    ["train", ...tiny, "--out", "full/note.txt/x"],
    /full\/note\.txt\/x: a part of the path is a file/,
  ],
  [["train", ...tiny, "--out", "/proc/x"], /cannot make \/proc\/x: /],
  [["train", "--resume", "none"], /cannot open run none: there is no such file or directory/],
  [["train", "--resume", "full"], /full is not a run: it has no config\.json/],
  [["train", "rings", "--resume", "run"], /preset rings with --resume/],
  [
    ["train", "--resume", "run", "--steps", "40", "--batch", "8"],
    /--steps, --batch with --resume/,
  ],
  [["train", "--resume", "run", ...set("seed=1")], /--set with --resume/],
  [["sample"], /missing required argument 'run'/],
  [["sample", "none"], /cannot open run none/],
  [["sample", "full"], /full is not a run/],
  [["sample", "run", "--n", "0"], /--n <n>' argument '0' is invalid/],
  [["sample", "run", "--solver", "rk46"], /argument 'rk46' is invalid.*rk45.*euler-maruyama/],
  [["sample", "run", "--rtol", "-1"], /--rtol <x>' argument '-1' is invalid.*above 0/],
  [
    ["sample", "run", "--out", "a.jpg"],
    /--out a\.jpg has the ending \.jpg: expected \.png, \.npy, \.csv/,
  ],
  [["sample", "run", "--out", "a"], /--out a has no ending/],
  [
    ["sample", "run", "--trajectory", "a.csv"],
    /--trajectory a\.csv has the ending \.csv: expected \.npy/,
  ],
  [["train", "--out", ""], /--out <dir>' argument '' is invalid.*a path/],
  [["train", "--config", ""], /--config <file>' argument '' is invalid/],
  [["train", "--resume", ""], /--resume <dir>' argument '' is invalid/],
  [["train", "mnist16", "--data", ""], /--data <dir>' argument '' is invalid/],
  [["sample", ""], /argument value '' is invalid for argument 'run'.*a path/],
  [["sample", "run", "--out", ""], /--out <file>' argument '' is invalid/],
  [["sample", "run", "--trajectory", ""], /--trajectory <file>' argument '' is invalid/],
  [
    ["sample", "run", "--out", "full/a.npy", "--trajectory", "./full/../full/a.npy"],
    /--out and --trajectory are both full\/a\.npy: name two files/,
  ],
  [["sample", "run", "--n", "1e15"], /1000000000000000 samples of 2 numbers.*--n 33554432 or less/],
  [
    ["sample", "run", "--trajectory", "t.npy", "--frames", "1e9"],
    /16 samples of 2 numbers in 1000000000 frames.*fewer --frames/,
  ],
  [["sample", "run", "--frames", "5"], /--frames 5 without --trajectory/],
  [["sample", "run", "--out", "full/note.txt/a.png"], /cannot write full\/note\.txt\/a\.png: /],
  [
    ["sample", "run", "--checkpoint", "15"],
    /no checkpoint of step 15 in run: expected one of 0, 10, 20/,
  ],
  [["sample", "run", "--checkpoint", "first"], /'first' is invalid.*last, best, or the step/],
  [["sample", "run", "--checkpoint", "best"], /run run has no best checkpoint: .*name a step/],
  [
    ["sample", "run", "--average", "0.5"],
    /--average 0\.5: the run has no such moving average; expected 0\.999/,
  ],
  [
    ["train", "rings", "--batch", "16", "--micro-batch", "5"],
    /training\.microBatch is 5: expected a divisor of training\.batchSize \(16\)/,
  ],
  [["train", "celeba64"], /no data set "celeba64" in data\/celeba64: .*"vapo data celeba64/],
  [["train", "cifar10-small", "--set", "data.name=folder"], /data\.size is null for data "folder"/],
  [["sample", "run", "--noise", "1"], /--noise 1 has no use: solver heun has no noise/],
  [["sample", "run", "--rtol", "1"], /--rtol 1 has no use: solver heun takes equal steps/],
  [
    ["sample", "run", "--solver", "rk45", "--steps", "4", "--atol", "1"],
    /--atol 1 has no use: --steps/,
  ],
  [["sample", "run", "--until", "3"], /until is 3: .* --until 0\.99 or less/],
  [["completions", "tcsh"], /'tcsh' is invalid.*bash, zsh, fish/],
];

/** A directory with a complete run and what else the mistakes above need. */
async function prepare(cwd: string): Promise<void> {
  const { code, stderr } = await vapo(["train", ...tiny, "--out", "run"], { cwd });
  assertEquals(code, 0, stderr);
  for (const name of ["full", "cut", "flipped"]) await Deno.mkdir(`${cwd}/${name}`);
  await Deno.writeTextFile(`${cwd}/full/note.txt`, "{");
  await Deno.writeTextFile(`${cwd}/typo.json`, '{"traning": {}}');
  const idx = new Uint8Array(16 + 2 * 28 * 28);
  idx.set([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 28, 0, 0, 0, 28]);
  await Deno.writeFile(`${cwd}/cut/train-images-idx3-ubyte`, idx.subarray(0, 1000));
  idx[1] ^= 8;
  await Deno.writeFile(`${cwd}/flipped/train-images-idx3-ubyte`, idx);
}

Deno.test("every mistake is one line that names it, and changes nothing on disk", () =>
  inTemporaryDirectory(async (cwd) => {
    await prepare(cwd);
    const before = await filesBelow(cwd);
    // Two at a time: most of each is the program's start.
    const queue = [...mistakes];
    const work = async () => {
      for (let next = queue.shift(); next; next = queue.shift()) {
        assertUserError(await vapo(next[0], { cwd }), next[1]);
      }
    };
    await Promise.all([work(), work()]);
    assertEquals(await filesBelow(cwd), before);
  }));

Deno.test("a damaged checkpoint is refused by name; removed, the run goes on from the one before", () =>
  inTemporaryDirectory(async (cwd) => {
    await vapo(["train", ...tiny, "--out", "run"], { cwd });
    const complete = await filesBelow(`${cwd}/run`);
    const config = JSON.parse(await Deno.readTextFile(`${cwd}/run/config.json`));
    config.training.steps = 30;
    await Deno.writeTextFile(`${cwd}/run/config.json`, JSON.stringify(config));
    const file = "checkpoints/step-00000020/state.safetensors";
    const bytes = complete.get(file)!;
    const flipped = bytes.slice();
    flipped[Math.floor(bytes.length * 0.6)] ^= 4;
    for (const damaged of [flipped, bytes.subarray(0, 777), new Uint8Array()]) {
      await Deno.writeFile(`${cwd}/run/${file}`, damaged);
      const before = await filesBelow(`${cwd}/run`);
      for (const args of [["sample", "run"], ["train", "--resume", "run", "--json"]]) {
        const { code, stderr } = await vapo(args, { cwd });
        assertMatch(stderr, /^vapo: run\/checkpoints\/step-00000020\/state\.safetensors [^\n]+\n$/);
        assertStringIncludes(stderr, "remove run/checkpoints/step-00000020");
        assertEquals(code, 2);
      }
      assertEquals(await filesBelow(`${cwd}/run`), before);
    }
    await Deno.remove(`${cwd}/run/checkpoints/step-00000020`, { recursive: true });
    const { code, stdout } = await vapo(["train", "--resume", "run", "--json"], { cwd });
    assertEquals(code, 0);
    assertStringIncludes(stdout, '"event":"start","directory":"run","step":10,"steps":30');
  }));

Deno.test("a loss that is not finite stops the run, names the step, keeps the last checkpoint", () =>
  inTemporaryDirectory(async (cwd) => {
    const rate = set("optimizer.learningRate=1e30", "optimizer.warmupSteps=0");
    const args = ["train", ...tiny, ...rate, "--json", "--out"];
    const watched = await vapo([...args, "watched", ...set("training.logEvery=1")], { cwd });
    assertEquals(watched.code, 2);
    const step = Number(/not finite at step (\d+); /.exec(watched.stderr)?.[1]);
    const metrics = await Deno.readTextFile(`${cwd}/watched/metrics.jsonl`);
    assertEquals(metrics.trimEnd().split("\n").length, step - 1);

    // Noticed late, at a checkpoint or where the loss is read, it is the same step.
    const unwatched = await vapo([...args, "unwatched", ...set("training.logEvery=20")], { cwd });
    assertMatch(
      unwatched.stderr,
      new RegExp(
        `^vapo: [^\n]*not finite at step ${step}; the checkpoint of step 0 in unwatched [^\n]*\n$`,
      ),
    );
    const { code } = await vapo(["sample", "unwatched", "--out", "a.npy"], { cwd });
    assertEquals(code, 0);
  }));

Deno.test("a solver that finds no finite step says so and writes nothing", () =>
  inTemporaryDirectory(async (cwd) => {
    await vapo(["train", ...tiny, ...set("potential.timeExplicit=false"), "--out", "run"], { cwd });
    const { code, stderr, stdout } = await vapo(
      ["sample", "run", "--solver", "euler", "--steps", "3", "--until", "1e38", "--out", "a.npy"],
      { cwd },
    );
    assertMatch(stderr, /^vapo: [^\n]*euler[^\n]*\n$/);
    assertEquals([code, stdout], [2, ""]);
    assertEquals([...await filesBelow(cwd)].filter(([name]) => !name.startsWith("run/")), []);
  }));

Deno.test("a device that is not there", {
  // The variable leaves no backend of WebGPU that this system could have.
  ignore: Deno.build.os === "windows",
}, () =>
  inTemporaryDirectory(async (cwd) => {
    const options = { cwd, env: { DENO_WEBGPU_BACKEND: "dx12" } };
    assertUserError(
      await vapo(["train", ...tiny, "--device", "webgpu"], options),
      /device "webgpu" is not there: no WebGPU adapter was found; .* --device wasm/,
    );
    assertEquals(await Array.fromAsync(Deno.readDir(cwd)), []);

    await vapo(["train", ...tiny, "--out", "run"], { cwd });
    const config = JSON.parse(await Deno.readTextFile(`${cwd}/run/config.json`));
    config.training.steps = 30;
    config.device = "webgpu";
    await Deno.writeTextFile(`${cwd}/run/config.json`, JSON.stringify(config));
    assertUserError(
      await vapo(["train", "--resume", "run"], options),
      /run run was started on device "webgpu", which does not start here: .* by --device$/m,
    );
  }));

/** Whether a command can be run here. */
async function works(command: string, ...args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(command, { args, stdout: "null", stderr: "null" }).output())
      .success;
  } catch {
    return false;
  }
}

/** Root may write everywhere; without these capabilities it is like everyone else. */
const likeEveryone = Deno.uid() === 0
  ? ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
  : [];
const canBeLikeEveryone = likeEveryone.length === 0 ||
  await works(likeEveryone[0], ...likeEveryone.slice(1), "true");

Deno.test(
  "no permission to write",
  { ignore: !canBeLikeEveryone },
  () =>
    inTemporaryDirectory(async (cwd) => {
      await vapo(["train", ...tiny, "--out", "run"], { cwd });
      await Deno.mkdir(`${cwd}/closed`, { mode: 0o555 });
      const options = { cwd, by: likeEveryone };
      for (
        const args of [
          ["train", ...tiny, "--out", "closed/run"],
          ["train", ...tiny, "--out", "closed"],
          ["sample", "run", "--out", "closed/a.png"],
        ]
      ) {
        assertUserError(await vapo(args, options), /cannot \w+ closed[\w/.]*: no permission/);
      }
    }),
);

const mount = ["unshare", "--map-root-user", "--mount", "sh", "-c"];
const canMount = await works(...mount as [string], "mount -t tmpfs -o size=64k none /mnt");

/** Runs the program where the directory `disk` is a file system of so many kilobytes. */
function onSmallDisk(kilobytes: number, cwd: string): RunOptions {
  const script = `mount -t tmpfs -o size=${kilobytes}k none disk && "$@"; code=$?; ` +
    `find disk -name '.tmp-*' >&2; exit $code`;
  return { cwd, by: [...mount, script, "sh"] };
}

Deno.test("a full disk", { ignore: !canMount }, () =>
  inTemporaryDirectory(async (cwd) => {
    await Deno.mkdir(`${cwd}/disk`);
    const args = ["train", ...tiny, ...set("potential.hidden=[128,128]"), "--out"];
    const full = await vapo([...args, "disk/run", "--json"], onSmallDisk(300, cwd));
    assertMatch(
      full.stderr,
      /^vapo: cannot \w+(?: to)? disk\/run\/[^\n]*: the disk is full[^\n]*\n$/,
    );
    assertEquals(full.code, 2);

    await vapo(["train", ...tiny, "--out", "run"], { cwd });
    assertUserError(
      await vapo(["sample", "run", "--n", "20000", "--out", "disk/a.npy"], onSmallDisk(64, cwd)),
      /cannot write disk\/a\.npy: the disk is full/,
    );
  }));

Deno.test(
  "output that cannot be written",
  { ignore: Deno.build.os !== "linux" },
  () =>
    inTemporaryDirectory(async (cwd) => {
      const by = ["sh", "-c", '"$@" > /dev/full', "sh"];
      assertUserError(
        await vapo(["presets"], { cwd, by }),
        /cannot write to standard output: the disk is full/,
      );
    }),
);

Deno.test("a reader that goes away is no error, and stops no training", () =>
  inTemporaryDirectory(async (cwd) => {
    const unread = async (...args: string[]) => {
      const script = '"$@" | true; exit ${PIPESTATUS[0]}';
      return await vapo(args, { cwd, by: ["bash", "-c", script, "bash"] });
    };
    const quiet = { code: 0, stdout: "", stderr: "" };
    assertEquals(await unread("presets", "show", "rings"), quiet);
    assertEquals(await unread("train", "--help"), quiet);
    assertEquals(await unread("train", ...tiny, "--json", "--out", "run"), quiet);
    await Deno.stat(`${cwd}/run/checkpoints/step-00000020`);
  }));
