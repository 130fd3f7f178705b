import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { decode } from "fast-png";
import { decodeNpy } from "../../core/formats/npy.ts";
import { assertUserError, inTemporaryDirectory, set, tiny, vapo } from "./program.ts";

/** Runs a test beside a tiny trained run called `run`. */
function withRun(test: (cwd: string) => Promise<void>): Promise<void> {
  return inTemporaryDirectory(async (cwd) => {
    const { code, stderr } = await vapo(["train", ...tiny, "--out", "run"], { cwd });
    assertEquals(code, 0, stderr);
    await test(cwd);
  });
}

async function sampled(cwd: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await vapo(["sample", "run", ...args], { cwd });
  assertEquals([code, stderr], [0, ""]);
  return stdout;
}

Deno.test("sample writes a picture beside those that are there", () =>
  withRun(async (cwd) => {
    for (const name of ["step-00000020-seed-0.png", "step-00000020-seed-0-2.png"]) {
      const stdout = await sampled(cwd);
      assertMatch(stdout, /^16 samples of step 20: heun, 8 evaluations, [\d.]+ s on wasm\n/);
      assertStringIncludes(stdout, `  run/samples/${name}\n`);
      const { width, height, channels } = decode(
        await Deno.readFile(`${cwd}/run/samples/${name}`),
      );
      assert(width >= 100 && height >= 100 && channels === 3);
    }
    // The run's own picture is of the same samples.
    assertEquals(
      await Deno.readFile(`${cwd}/run/samples/step-00000020.png`),
      await Deno.readFile(`${cwd}/run/samples/step-00000020-seed-0.png`),
    );
  }));

Deno.test("a .csv, a .npy and a trajectory's end hold the same numbers", () =>
  withRun(async (cwd) => {
    const all = ["--n", "5", "--seed", "7"];
    await sampled(cwd, ...all, "--out", "a.csv", "--trajectory", "t.npy", "--frames", "3");
    await sampled(cwd, ...all, "--out", "deep/down/a.npy");
    const array = decodeNpy(await Deno.readFile(`${cwd}/deep/down/a.npy`));
    assertEquals([array.dtype, array.shape], ["float32", [5, 2]]);

    const [header, ...rows] = (await Deno.readTextFile(`${cwd}/a.csv`)).trimEnd().split("\n");
    assertEquals(header, "x0,x1");
    const numbers = rows.flatMap((row) => row.split(",")).map(Number);
    assertEquals(Float32Array.from(numbers), array.data);

    const trajectory = decodeNpy(await Deno.readFile(`${cwd}/t.npy`));
    assertEquals([trajectory.dtype, trajectory.shape], ["float32", [3, 5, 2]]);
    assertEquals(trajectory.data.slice(20), array.data);
    assert(trajectory.data[0] !== array.data[0]);
  }));

Deno.test("solvers, steps, tolerances, end, checkpoint and seed of the samples", () =>
  withRun(async (cwd) => {
    const values = async (...args: string[]) => {
      const stdout = await sampled(cwd, "--n", "8", "--force", "--out", "a.npy", ...args);
      const { data } = decodeNpy(await Deno.readFile(`${cwd}/a.npy`));
      assert(data.every(Number.isFinite));
      return { stdout, data };
    };
    const distance = (a: ArrayLike<number>, b: ArrayLike<number>) =>
      Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i])));

    const exact = (await values("--solver", "dop853", "--rtol", "1e-5", "--atol", "1e-6")).data;
    const rk45 = await values("--solver", "rk45", "--rtol", "1e-5", "--atol", "1e-6");
    assertAlmostEquals(distance(rk45.data, exact), 0, 1e-3);
    const rk4 = await values("--solver", "rk4", "--steps", "20");
    assertStringIncludes(rk4.stdout, "rk4, 80 evaluations");
    assertAlmostEquals(distance(rk4.data, exact), 0, 1e-3);
    assertStringIncludes((await values("--solver", "rk45", "--steps", "5")).stdout, "rk45, 3");

    const shorter = await values("--solver", "rk4", "--steps", "20", "--until", "0.5");
    assert(distance(shorter.data, rk4.data) > 1e-3);
    const other = await values("--solver", "rk4", "--steps", "20", "--seed", "1");
    assert(distance(other.data, rk4.data) > 1e-1);
    const untrained = await values("--solver", "rk4", "--steps", "20", "--checkpoint", "0");
    assertStringIncludes(untrained.stdout, "8 samples of step 0:");
    assert(distance(untrained.data, rk4.data) > 1e-3);

    const noise = ["--solver", "euler-maruyama", "--steps", "100"];
    const quiet = await values(...noise, "--noise", "0");
    assertAlmostEquals(distance(quiet.data, exact), 0, 0.1);
    assert(distance((await values(...noise, "--noise", "1")).data, exact) > 0.1);
    const refined = await values("--solver", "rk4", "--steps", "20", "--refine", "3");
    assertStringIncludes(refined.stdout, "83 evaluations");
    assert(distance(refined.data, rk4.data) > 0);
  }));

Deno.test("images: a grid, and numbers of [n, height, width, channels] around [-1, 1]", () =>
  inTemporaryDirectory(async (cwd) => {
    const small = set("potential.channels=2", "potential.multipliers=[1]");
    const args = ["mnist16", "--steps", "1", "--batch", "2", "--out", "run", "--device", "wasm"];
    const quick = set("sampling.n=4", "sampling.solver=euler", "sampling.steps=2");
    const { code, stderr } = await vapo(["train", ...args, ...small, ...quick], { cwd });
    assertEquals(code, 0, stderr);
    await sampled(cwd, "--n", "3", "--out", "a.npy");
    assertEquals(decodeNpy(await Deno.readFile(`${cwd}/a.npy`)).shape, [3, 16, 16, 1]);
    await sampled(cwd, "--n", "3", "--out", "a.csv");
    const lines = (await Deno.readTextFile(`${cwd}/a.csv`)).trimEnd().split("\n");
    assertEquals([lines.length, lines[0].split(",").length], [4, 256]);
    await sampled(cwd, "--n", "6", "--out", "a.png");
    const { width, height } = decode(await Deno.readFile(`${cwd}/a.png`));
    assert(width > height); // three columns, two rows
    // A stochastic solver ends where the path does, before the preset's time past it.
    await sampled(cwd, "--solver", "euler-maruyama", "--out", "b.npy");
  }));

Deno.test("sample never writes over a file unless it is told to", () =>
  withRun(async (cwd) => {
    await Deno.writeTextFile(`${cwd}/a.csv`, "mine");
    assertUserError(
      await vapo(["sample", "run", "--out", "a.csv"], { cwd }),
      /^vapo: file a\.csv is there already: .*--force/,
    );
    assertEquals(await Deno.readTextFile(`${cwd}/a.csv`), "mine");
    await sampled(cwd, "--out", "a.csv", "--force");
    assertMatch(await Deno.readTextFile(`${cwd}/a.csv`), /^x0,x1\n/);
  }));
