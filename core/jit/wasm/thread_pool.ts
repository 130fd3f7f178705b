/**
 * @file Threads of the WASM target: workers that share programs' memory with the caller, who is
 * thread 0. One pool a number of threads serves all programs; it starts with the first, and stays:
 * starting a worker takes longer than compiling most programs, and idle ones do not keep a process
 * alive. Idle workers spin for some microseconds and then sleep in shared memory, so that a run
 * starts without the event loop; only a new program goes by message.
 */
import { canShareMemory } from "../../tensor/threads.ts";
import { JitError } from "../errors.ts";
import {
  type LoadMessage,
  poolCommands,
  poolControl,
  type ReadyMessage,
  type StartMessage,
  workerSource,
} from "./worker.ts";
import { controlBlock } from "./driver.ts";

/** Workers and their commands. */
export interface ThreadPool {
  readonly threads: number;
  /** Whether the workers have started; false where that is not allowed, which a warning has said. */
  readonly started: Promise<boolean>;
  /** Gives a program to all workers; its number. */
  load(module: WebAssembly.Module, memory: WebAssembly.Memory): Promise<number>;
  /** Lets all workers start on a program's `run`; the caller then joins in as thread 0. */
  start(program: number, repeat: number): void;
  /** Forgets a program with so many bytes of memory. */
  drop(program: number, bytes: number): void;
  /** Ends the workers at once, whatever they do. Whoever uses the pool gets errors from now on. */
  destroy(): void;
}

/** Seconds without an answer after which an idle worker is taken for dead. */
const patience = 10;

let workersAreRefused = false;

/** So many threads, or one where memory cannot be shared or workers have not been let start. */
export function usableThreads(wanted: number): number {
  return canShareMemory() && !workersAreRefused ? Math.max(1, Math.floor(wanted)) : 1;
}

/** Whether this thread may sleep in shared memory: not where it draws a page. */
export function mayWait(): boolean {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1, 0);
    return true;
  } catch {
    return false;
  }
}

const pools = new Map<number, ThreadPool>();

/** The pool of so many threads. */
export function threadPool(threads: number): ThreadPool {
  const known = pools.get(threads);
  if (known) return known;
  const pool = startPool(threads, () => {
    if (pools.get(threads) === pool) pools.delete(threads);
  });
  pools.set(threads, pool);
  return pool;
}

function startPool(threads: number, onEnd: () => void): ThreadPool {
  const control = new Int32Array(new SharedArrayBuffer(4 * poolControl.words(threads)));
  const sleepy = mayWait();
  let broken: string | null = null;
  let programs = 0;
  const breakDown = (reason: string) => {
    if (broken) return;
    broken = reason;
    onEnd();
    send(poolCommands.receive);
    for (const worker of workers) worker.end();
  };
  const workers = Array.from({ length: threads - 1 }, () => startWorker(breakDown));
  let ended = false;
  const starting = Promise.all(workers.map((worker, i) => {
    const message: StartMessage = {
      kind: "start",
      control: control.buffer as SharedArrayBuffer,
      thread: i + 1,
      threads,
      failureWord: controlBlock.failure / 4,
      wakeWord: controlBlock.generation / 4,
    };
    return worker.ask(message);
  }));
  const started = withPatience(starting).then(() => true, (error: Error) => {
    if (!ended) refuseWorkers(error.message);
    breakDown(error.message);
    return false;
  });
  let ready: Promise<unknown> = started;

  function tell(command: number, program = 0, amount = 0): void {
    if (broken) throw new JitError(broken);
    const last = control[poolControl.sequence];
    for (let thread = 1; thread < threads; thread++) {
      if (!waitFor(control, poolControl.taken(thread), last, sleepy)) {
        breakDown(`worker thread ${thread} does not answer; compile the program again`);
        throw new JitError(broken!);
      }
    }
    send(command, program, amount);
  }

  function send(command: number, program = 0, amount = 0): void {
    control[poolControl.command] = command;
    control[poolControl.program] = program;
    control[poolControl.amount] = amount;
    Atomics.add(control, poolControl.sequence, 1);
    if (Atomics.load(control, poolControl.sleepers)) {
      Atomics.notify(control, poolControl.sequence);
    }
  }

  async function loadNow(message: LoadMessage): Promise<void> {
    tell(poolCommands.receive);
    const answers = await Promise.all(workers.map((worker) => worker.ask(message)));
    const failed = answers.find(({ error }) => error);
    if (failed) throw new JitError(`a worker thread cannot start a program: ${failed.error}`);
  }

  return {
    threads,
    started,
    async load(module, memory) {
      const program = programs++;
      const loaded = ready.then(() => loadNow({ kind: "load", program, module, memory }));
      // The next load waits for this one, whatever becomes of it.
      ready = loaded.catch(() => {});
      try {
        await loaded;
        return program;
      } catch (error) {
        throw error instanceof JitError ? error : new JitError(String(error));
      }
    },
    start: (program, repeat) => tell(poolCommands.run, program, repeat),
    drop(program, bytes) {
      try {
        tell(poolCommands.drop, program, Math.ceil(bytes / 2 ** 20));
      } catch {
        // The workers are gone, and with them all that they held.
      }
    },
    destroy() {
      ended = true;
      breakDown("the threads of this program have been ended; compile it again");
    },
  };
}

/** Goes on with one thread from now on, and says so once. */
function refuseWorkers(reason: string): void {
  if (workersAreRefused) return;
  workersAreRefused = true;
  console.warn(`Compiled programs run on one thread: workers do not start (${reason}).`);
}

/** Rejects where nothing comes of a promise; seconds in which the event loop stands do not count. */
function withPatience<T>(promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    let seconds = 0;
    const timer = setInterval(() => {
      if (++seconds === patience) reject(new JitError(`no answer within ${patience} s`));
    }, 1000);
    promise.finally(() => clearInterval(timer)).then(resolve, reject);
  });
}

/** Waits until a word has a value; false where it never gets it. */
function waitFor(words: Int32Array, index: number, value: number, sleepy: boolean): boolean {
  for (let i = 0; i < 10_000; i++) {
    if (Atomics.load(words, index) === value) return true;
  }
  const deadline = performance.now() + 1000 * patience;
  while (performance.now() < deadline) {
    const now = Atomics.load(words, index);
    if (now === value) return true;
    if (sleepy) Atomics.wait(words, index, now, 1);
  }
  return false;
}

/** A worker that answers each message with one. */
interface AnsweringWorker {
  ask(message: StartMessage | LoadMessage): Promise<ReadyMessage>;
  end(): void;
}

/** What is common to the workers of the web and of Node, as far as it is used here. */
interface RawWorker {
  post(message: unknown): void;
  terminate(): void;
  /** Whether the program goes on for this worker's sake. */
  keepAlive(on: boolean): void;
}

function startWorker(onDeath: (reason: string) => void): AnsweringWorker {
  let answer: { resolve(message: ReadyMessage): void; reject(error: Error): void } | null = null;
  let ending = false;
  let started = false;
  const died = (reason: string) => {
    if (ending) return;
    const message = started
      ? `a worker thread has died (${reason}); its programs' state is lost: compile them again, ` +
        "and go on from the last checkpoint"
      : reason;
    answer?.reject(new JitError(message));
    onDeath(message);
  };
  let raw: RawWorker;
  try {
    raw = rawWorker((message) => answer?.resolve(message), died);
  } catch (error) {
    return { ask: () => Promise.reject(error), end() {} };
  }
  raw.keepAlive(false);
  return {
    async ask(message) {
      raw.keepAlive(true);
      try {
        const reply = await new Promise<ReadyMessage>((resolve, reject) => {
          answer = { resolve, reject };
          raw.post(message);
        });
        started = true;
        return reply;
      } finally {
        answer = null;
        raw.keepAlive(false);
      }
    },
    end() {
      ending = true;
      answer?.reject(new JitError("the threads of this program have been ended"));
      raw.terminate();
    },
  };
}

/** Node's worker threads, as far as they are used. */
interface NodeWorkerThreads {
  readonly Worker: new (source: string, options: { eval: true }) => {
    on(event: string, listener: (value: unknown) => void): void;
    postMessage(message: unknown): void;
    terminate(): void;
    ref(): void;
    unref(): void;
  };
}

/**
 * A worker of the runtime's own kind. Node's, which Deno has too, are preferred where they exist: they
 * alone can be told not to keep the process alive.
 */
function rawWorker(
  onMessage: (message: ReadyMessage) => void,
  onDeath: (reason: string) => void,
): RawWorker {
  const { process } = globalThis as {
    process?: { getBuiltinModule?(name: string): NodeWorkerThreads | undefined };
  };
  const node = process?.getBuiltinModule?.("node:worker_threads");
  if (node) {
    const worker = new node.Worker(workerSource, { eval: true });
    worker.on("message", (message) => onMessage(message as ReadyMessage));
    worker.on("error", (error) => onDeath(String(error)));
    worker.on("exit", (code) => onDeath(`exit code ${code}`));
    return {
      post: (message) => worker.postMessage(message),
      terminate: () => worker.terminate(),
      keepAlive: (on) => on ? worker.ref() : worker.unref(),
    };
  }
  const url = URL.createObjectURL(new Blob([workerSource], { type: "text/javascript" }));
  const worker = new Worker(url, { type: "module" });
  worker.onmessage = ({ data }) => {
    URL.revokeObjectURL(url);
    onMessage(data);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    URL.revokeObjectURL(url);
    // A worker that a page's policy forbids is an event that says nothing.
    onDeath(event.message ?? "a page's Content-Security-Policy needs worker-src blob: for them");
  };
  return {
    post: (message) => worker.postMessage(message),
    terminate: () => worker.terminate(),
    keepAlive: () => {},
  };
}
