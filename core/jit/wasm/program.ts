/**
 * @file A program in memory: control block | arena | each thread's own scratch, a module compiled
 * for those addresses, and threads to run it.
 */
import { mostWasmPages, wasmPageBytes } from "../../tensor/memory_limits.ts";
import { DeviceMemoryError, JitError, mebibytes } from "../errors.ts";
import { ModuleBuilder } from "./assembler.ts";
import { alignBytes } from "./emitter.ts";
import { arrange, controlBlock, emitDriver, failures, type Step } from "./driver.ts";
import { mayWait, type ThreadPool, threadPool, usableThreads } from "./thread_pool.ts";
import { provokeCollection } from "./worker.ts";

/** What a program is made of. */
export interface ProgramSource {
  /** Cells of memory for operands and results. */
  readonly arenaCells: number;
  /** Emits the kernels for an arena that starts at a byte address. */
  readonly build: (module: ModuleBuilder, arena: number) => readonly Step[];
  /** At most so many threads; fewer where memory cannot be shared or nothing is worth sharing. */
  readonly threads: number;
  /** A phase with less work than this is done by one thread; default 20 000. */
  readonly sharing?: number;
  /** Seconds to wait for another thread's sign of life; default 30. */
  readonly patience?: number;
}

/** A program that can be run. */
export interface WasmProgram {
  readonly memory: WebAssembly.Memory;
  /** Byte address of the arena. */
  readonly arena: number;
  /** So many threads take part. */
  readonly threads: number;
  /** What it took to make, for reports. */
  readonly statistics: {
    readonly bytes: number;
    readonly segments: number;
    readonly phases: number;
    /** Milliseconds. */
    readonly emit: number;
    readonly encode: number;
    readonly compile: number;
    readonly load: number;
  };
  /** @throws {JitError} where a thread fails; the program is lost then */
  run(repeat: number): void;
  dispose(): void;
}

/** Longer than any range of units should take, in seconds. */
const patience = 30;

/**
 * Compiles a program and loads it into threads.
 *
 * @throws {DeviceMemoryError} (by the promise) when there is not enough memory
 */
export async function loadProgram(source: ProgramSource): Promise<WasmProgram> {
  const wanted = usableThreads(source.threads);
  const arena = controlBlock.bytes(wanted), { arenaCells } = source;
  // Before the work of making code for it.
  requireAddressable(arena + 4 * arenaCells, { arenaCells, threads: wanted, scratch: 0 });
  const clock = stopwatch();
  const module = new ModuleBuilder();
  const steps = source.build(module, arena);
  const arranged = arrange(steps, wanted, source.sharing);
  const threads = arranged.some(({ shared }) => shared.length) ? wanted : 1;
  const segments = threads === wanted ? arranged : arrange(steps, 1);

  const phases = segments.flatMap(({ alone, shared }) => [...alone, ...shared]);
  const scratchBytes = alignBytes(Math.max(0, ...phases.map(({ phase }) => phase.scratchBytes)));
  const scratch = alignBytes(arena + 4 * arenaCells);
  const bytesNeeded = scratch + threads * scratchBytes;
  requireAddressable(bytesNeeded, { arenaCells, threads, scratch: scratchBytes });
  const pages = Math.ceil(bytesNeeded / wasmPageBytes);
  emitDriver(module, segments, {
    threads,
    scratch,
    scratchBytes,
    mayWait: threads === 1 || mayWait(),
    patience: source.patience ?? patience,
  });
  const emit = clock();

  const shared = threads > 1;
  const bytes = module.encode({ pages, shared });
  const encode = clock();
  const compiled = await WebAssembly.compile(bytes);
  const compile = clock();
  const memory = allocate(pages, shared);
  const { exports } = await WebAssembly.instantiate(compiled, { env: { memory } });
  const pool = shared ? threadPool(threads) : null;
  // Where workers are not let start, the program is made again, for one thread.
  if (pool && !await pool.started) return await loadProgram(source);
  const number = pool ? await pool.load(compiled, memory) : 0;
  const statistics = {
    bytes: bytes.length,
    segments: segments.length,
    phases: phases.length,
    emit,
    encode,
    compile,
    load: clock(),
  };
  const names = steps.map(({ name }) => name);
  const loaded = { memory, entry: exports.run as Run, pool, number, names };
  return Object.assign(runner(loaded), { arena, threads, statistics });
}

type Run = (thread: number, threads: number, repeat: number) => void;

/** All that has to be let go with a program. */
interface Loaded {
  readonly memory: WebAssembly.Memory;
  readonly entry: Run;
  readonly pool: ThreadPool | null;
  readonly number: number;
  readonly names: readonly string[];
}

function runner(made: Loaded): Pick<WasmProgram, "memory" | "run" | "dispose"> {
  let loaded: Loaded | null = made;
  let lost: JitError | null = null;
  const alive = () => {
    if (lost) throw lost;
    if (!loaded) throw new JitError("a disposed program cannot be used; compile it again");
    return loaded;
  };
  return {
    get memory() {
      return alive().memory;
    },
    run(repeat) {
      const { entry, memory, pool, number, names } = alive();
      const threads = pool?.threads ?? 1;
      pool?.start(number, repeat);
      try {
        entry(0, threads, repeat);
      } catch (error) {
        const words = new Int32Array(memory.buffer);
        if (pool) {
          Atomics.compareExchange(words, controlBlock.failure / 4, failures.none, failures.trap);
          Atomics.notify(words, controlBlock.generation / 4);
          // Whatever the others do to this memory, nobody will look at it again.
          pool.destroy();
        }
        throw lost = failure(words, threads, names, error);
      }
    },
    dispose() {
      if (!loaded) return;
      const { pool, number, memory } = loaded;
      const { byteLength } = memory.buffer;
      loaded = null;
      pool?.drop(number, byteLength);
      provokeCollection(byteLength);
    },
  };
}

/** What is to be said of a run that ended early. */
function failure(
  words: Int32Array,
  threads: number,
  names: readonly string[],
  cause: unknown,
): JitError {
  const silent = words[controlBlock.failure / 4] === failures.silence;
  const places = Array.from({ length: threads }, (_, thread) => {
    if (silent && thread === 0) return [];
    const step = words[(controlBlock.progress + 64 * thread) / 4] - 1;
    return step < 0 ? "its start" : `kernel ${step} (${names[step]})`;
  });
  const where = [...new Set(places.flat())].join(" and ");
  const what = silent ? "a worker thread died" : `a thread failed (${cause})`;
  return new JitError(
    `${what} during ${where}; the program's state is lost: compile it again, and go on from the ` +
      "last checkpoint",
    { cause },
  );
}

/** Refuses what 32-bit addresses do not reach; `scratch` is what each thread has for itself. */
function requireAddressable(
  bytes: number,
  { arenaCells, threads, scratch }: { arenaCells: number; threads: number; scratch: number },
): void {
  const limit = mostWasmPages * wasmPageBytes;
  if (bytes <= limit) return;
  const perThread = scratch > 0 ? `, ${mebibytes(scratch)} for each of ${threads} threads` : "";
  throw new DeviceMemoryError(
    `a program needs ${mebibytes(bytes)} of memory (${mebibytes(4 * arenaCells)} for tensors` +
      `${perThread}): expected at most ${mebibytes(limit)}, which is all that WebAssembly can ` +
      "address; use a smaller batch or a smaller network",
    { bytes, limit },
  );
}

function allocate(pages: number, shared: boolean): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared });
  } catch (error) {
    const bytes = pages * wasmPageBytes;
    throw new DeviceMemoryError(
      `${mebibytes(bytes)} of memory for a program are not to be had; use a smaller batch, or ` +
        "dispose of programs that are no longer needed",
      { bytes, limit: NaN },
      { cause: error },
    );
  }
}

/** Milliseconds since the last call. */
function stopwatch(): () => number {
  let last = performance.now();
  return () => {
    const elapsed = performance.now() - last;
    last += elapsed;
    return elapsed;
  };
}
