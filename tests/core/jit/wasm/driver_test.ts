import { assertEquals } from "@std/assert";
import { ModuleBuilder } from "../../../../core/jit/wasm/assembler.ts";
import { arrange, type Segment, type Step } from "../../../../core/jit/wasm/driver.ts";
import { loadProgram } from "../../../../core/jit/wasm/program.ts";
import { type Mix, mixOnHost, mixSteps } from "./synthetic.ts";

const n = 64;

/** Segments as lists of what runs in them: "step@lane", or "step" where all threads share it. */
function shape(segments: readonly Segment[]): string[] {
  return segments.map(({ alone, shared }) =>
    [...alone.map(({ step, lane }) => `${step}@${lane}`), ...shared.map(({ step }) => `${step}`)]
      .join(" ")
  );
}

function arrangeMixes(mixes: readonly Partial<Mix>[], threads: number): string[] {
  const whole = mixes.map((mix) => ({ from: 0, to: 0, size: n, shift: 1, ...mix }));
  return shape(arrange(mixSteps(whole)(new ModuleBuilder(), 0), threads));
}

Deno.test("large kernels that need each other are apart, others share a segment", () => {
  const large: Partial<Mix>[] = [
    { from: 0, to: n },
    { from: 0, to: 2 * n }, // reads what the first reads
    { from: n, to: 3 * n }, // needs the first
    { from: 4 * n, to: 0 }, // overwrites what the first two read
    { from: 5 * n, to: 6 * n },
    { from: 5 * n, to: 6 * n }, // writes the same
  ];
  assertEquals(arrangeMixes(large, 2), ["0 1", "2 3 4", "5"]);
});

Deno.test("chains of small kernels need no barrier; independent ones spread over threads", () => {
  const small = (from: number, to: number): Partial<Mix> => ({
    from: from * n,
    to: to * n,
    work: 5000,
  });
  assertEquals(arrangeMixes([small(0, 1), small(1, 2), small(2, 3)], 2), ["0@0 1@0 2@0"]);
  assertEquals(
    arrangeMixes([small(0, 1), small(2, 3), small(1, 4), small(3, 5)], 2),
    ["0@0 1@1 2@0 3@1"],
  );
  // The third needs both lanes.
  const joining: Step[] = mixSteps([0, 1, 2].map((i) => ({
    from: (i + 3) * n,
    to: i * n,
    size: n,
    shift: 1,
    work: 5000,
  })))(new ModuleBuilder(), 0);
  const reads = [{ start: 0, end: 2 * n }];
  const third = { ...joining[2], accesses: { ...joining[2].accesses, reads } };
  assertEquals(shape(arrange([joining[0], joining[1], third], 2)), ["0@0 1@1", "2@0"]);
});

Deno.test("a small kernel waits for a large one that it needs, and not for others", () => {
  const mixes: Partial<Mix>[] = [
    { from: 0, to: n },
    { from: 2 * n, to: 3 * n, work: 10 },
    { from: n, to: 4 * n, work: 10 },
  ];
  assertEquals(arrangeMixes(mixes, 2), ["1@0 0", "2@0"]);
  assertEquals(arrangeMixes(mixes, 1), ["0@0 1@0 2@0"]);
});

Deno.test("phases of one kernel are always apart, but for small ones on one lane", () => {
  const [step] = mixSteps([{ from: 0, to: n, size: n, shift: 1 }])(new ModuleBuilder(), 0);
  const [phase] = step.phases;
  const nothing = { reads: [], writes: [] };
  const of = (...works: number[]): Step => ({
    name: "test",
    phases: works.map((work) => ({ ...phase, work })),
    accesses: nothing,
  });
  assertEquals(shape(arrange([of(1e6, 1e6, 10, 10)], 2)), ["0", "0", "0@0 0@0"]);
});

Deno.test("more shared kernels than counters, and kernels without units", async () => {
  const mixes = Array.from({ length: 70 }, (_, i) => ({
    from: 0,
    to: (i + 1) * n,
    size: i % 7 === 3 ? 0 : n,
    shift: i,
  }));
  const program = await loadProgram({ arenaCells: 71 * n, build: mixSteps(mixes), threads: 2 });
  const cells = new Int32Array(program.memory.buffer, program.arena, 71 * n).fill(5, 0, n);
  const expected = cells.slice();
  program.run(2);
  mixOnHost(mixes, expected);
  assertEquals(cells, expected);
  program.dispose();
});

Deno.test("grains: few ranges a thread, none too small to be worth it", () => {
  const [step] = mixSteps([{ from: 0, to: n, size: 1, shift: 1 }])(new ModuleBuilder(), 0);
  const grain = (units: number, work: number) => {
    const phase = { ...step.phases[0], units, work };
    return arrange([{ ...step, phases: [phase] }], 2)[0].shared[0].grain;
  };
  assertEquals(grain(1200, 1e9), 100);
  assertEquals(grain(1200, 24_000), 200);
  assertEquals(grain(3, 1e9), 1);
});

for (const threads of [1, 2, 3]) {
  Deno.test(`a long program in several functions, ${threads} threads`, async () => {
    // Small ones among large ones, chains and independent ones.
    const mixes: Mix[] = Array.from({ length: 300 }, (_, i) => ({
      from: i % 5 * n,
      to: (i % 5 + 1 + i % 4) % 5 * n,
      size: n - i % 3,
      shift: 1 + i * 37 % n,
      work: i % 3 === 0 ? 1e6 : 5000,
    }));
    const program = await loadProgram({ arenaCells: 5 * n, build: mixSteps(mixes), threads });
    const cells = new Int32Array(program.memory.buffer, program.arena, 5 * n);
    const expected = Int32Array.from(cells, (_, i) => i);
    cells.set(expected);
    program.run(3);
    mixOnHost(mixes, expected, 3);
    assertEquals(cells.slice(), expected);
    assertEquals(program.threads, threads);
    program.dispose();
  });
}
