/** @file What the browser test runs in a page and in a worker: threads, of their own kind there. */
import { loadProgram } from "../../../../core/jit/wasm/program.ts";
import { type Mix, mixOnHost, mixSteps } from "./synthetic.ts";

/** What came of it. */
export interface ThreadsOutcome {
  readonly threads?: number;
  /** Whether every run was as on the host. */
  readonly same?: boolean;
  readonly milliseconds?: number;
  readonly error?: string;
}

const n = 64;

/** Runs a program again and again on threads, and on the host. */
export async function runThreads(threads: number): Promise<ThreadsOutcome> {
  try {
    const mixes: Mix[] = Array.from({ length: 12 }, (_, i) => ({
      from: i % 2 * n,
      to: (i + 1) % 2 * n,
      size: n,
      shift: 1 + 7 * i,
      work: i % 3 ? 1e6 : 100,
    }));
    const program = await loadProgram({ arenaCells: 2 * n, build: mixSteps(mixes), threads });
    const cells = new Int32Array(program.memory.buffer, program.arena, 2 * n);
    const expected = new Int32Array(2 * n);
    let same = true;
    const start = performance.now();
    for (let i = 0; i < 50; i++) {
      if (i % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 10));
      program.run(3);
      mixOnHost(mixes, expected, 3);
      same &&= cells.join() === expected.join();
    }
    program.dispose();
    return { threads: program.threads, same, milliseconds: performance.now() - start };
  } catch (error) {
    return { error: String(error) };
  }
}

if ("document" in globalThis) {
  Object.assign(globalThis, { runThreads });
} else if ("onmessage" in globalThis) {
  globalThis.onmessage = async ({ data }: MessageEvent) => {
    globalThis.postMessage(await runThreads(data));
  };
}
