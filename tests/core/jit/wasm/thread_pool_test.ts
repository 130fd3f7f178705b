import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { JitError } from "../../../../core/jit/errors.ts";
import { loadProgram, type WasmProgram } from "../../../../core/jit/wasm/program.ts";
import { threadPool } from "../../../../core/jit/wasm/thread_pool.ts";
import { defaultThreads } from "../../../../core/tensor/threads.ts";
import { type Mix, mixOnHost, mixSteps } from "./synthetic.ts";

const n = 48;

/** A chain of kernels that go to and fro between two arrays. */
function chain(length: number, change: (i: number) => Partial<Mix> = () => ({})): Mix[] {
  return Array.from({ length }, (_, i) => ({
    from: i % 2 * n,
    to: (i + 1) % 2 * n,
    size: n,
    shift: 1 + 11 * i % n,
    ...change(i),
  }));
}

function load(mixes: readonly Mix[], threads: number, patience?: number): Promise<WasmProgram> {
  return loadProgram({ arenaCells: 2 * n, build: mixSteps(mixes), threads, patience });
}

function cellsOf(program: WasmProgram): Int32Array {
  return new Int32Array(program.memory.buffer, program.arena, 2 * n);
}

for (const [threads, runs] of [[2, 3000], [3, 100]]) {
  Deno.test(`the same as on one thread in each of many short runs, ${threads} threads`, async () => {
    const mixes = chain(6, (i) => i === 4 ? { work: 100 } : {});
    const program = await load(mixes, threads);
    const cells = cellsOf(program), expected = new Int32Array(2 * n);
    for (let i = 0; i < runs; i++) {
      const repeat = i % 4;
      program.run(repeat);
      mixOnHost(mixes, expected, repeat);
      assertEquals(cells.join() === expected.join(), true, `run ${i}`);
    }
    program.run(1000);
    mixOnHost(mixes, expected, 1000);
    assertEquals(cells.slice(), expected);
    program.dispose();
  });
}

Deno.test("programs share threads, come and go, and are loaded at the same time", async () => {
  const mixes = [chain(2), chain(3), chain(4), chain(5)];
  const [a, b] = await Promise.all([load(mixes[0], 2), load(mixes[1], 2)]);
  const expected = mixes.map(() => new Int32Array(2 * n));
  const check = (program: WasmProgram, i: number) => {
    program.run(2);
    mixOnHost(mixes[i], expected[i], 2);
    assertEquals(cellsOf(program).slice(), expected[i]);
  };
  check(a, 0);
  const loading = load(mixes[2], 2);
  for (let i = 0; i < 50; i++) {
    check(a, 0);
    check(b, 1);
    await Promise.resolve();
  }
  const c = await loading;
  check(c, 2);
  a.dispose();
  a.dispose();
  check(b, 1);
  c.dispose();
  const d = await load(mixes[3], 2);
  check(d, 3);
  check(b, 1);
  const error = assertThrows(() => a.run(1), JitError);
  assert(error.message.includes("disposed"), error.message);
  b.dispose();
  d.dispose();
});

for (const trapAt of [0, n - 1]) {
  Deno.test(`a thread that fails at unit ${trapAt} is an error, not a wait`, async () => {
    const program = await load(chain(5, (i) => i === 3 ? { trapAt } : {}), 2);
    const other = await load(chain(5), 2);
    const error = assertThrows(() => program.run(1), JitError, "last checkpoint");
    assert(error.message.includes("kernel 3 (mix)"), error.message);
    assertThrows(() => program.run(1), JitError);
    // The pool's other programs are lost with it, and new ones get another.
    assertThrows(() => other.run(1), JitError, "compile it again");
    const fresh = await load(chain(5), 2);
    const expected = new Int32Array(2 * n);
    fresh.run(7);
    mixOnHost(chain(5), expected, 7);
    assertEquals(cellsOf(fresh).slice(), expected);
    for (const each of [program, other, fresh]) each.dispose();
  });
}

/** Two small kernels, of which the second is done by the worker alone, and a shared one. */
function workerAlone(change: Partial<Mix>): Mix[] {
  const small = { from: 0, size: n, shift: 1, work: 5000 };
  return [{ ...small, to: n }, { ...small, to: 2 * n, ...change }, { ...chain(1)[0], to: 3 * n }];
}

Deno.test("a worker that fails alone", async () => {
  const program = await loadProgram({
    arenaCells: 4 * n,
    build: mixSteps(workerAlone({ trapAt: 5 })),
    threads: 2,
  });
  const error = assertThrows(() => program.run(1), JitError, "a thread failed");
  assert(error.message.includes("kernel 1 (mix)"), error.message);
  program.dispose();
});

Deno.test("a worker that never comes back is given up, and ended", async () => {
  const program = await loadProgram({
    arenaCells: 4 * n,
    build: mixSteps(workerAlone({ hangAt: 5 })),
    threads: 2,
    patience: 1,
  });
  const error = assertThrows(() => program.run(1), JitError, "a worker thread died");
  assert(error.message.includes("kernel 1 (mix)"), error.message);
  program.dispose();
});

Deno.test("workers that are ended on purpose: the next run says so", async () => {
  const program = await load(chain(3), 2);
  program.run(1);
  threadPool(2).destroy();
  assertThrows(() => program.run(1), JitError, "compile it again");
  program.dispose();
});

Deno.test("too much memory is refused in words", async () => {
  const source = { build: mixSteps(chain(1)), threads: 2 };
  const cells = 2 ** 30;
  await assertRejects(
    () => loadProgram({ ...source, arenaCells: cells }),
    JitError,
    "4096 MiB for tensors",
  );
});

Deno.test("the number of threads by default", () => {
  assertEquals(defaultThreads(), navigator.hardwareConcurrency);
});
