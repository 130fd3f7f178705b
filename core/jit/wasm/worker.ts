/**
 * @file What a worker of the thread pool runs, as text: a worker made from a Blob (or, where a
 * runtime has Node's worker threads, from a string) needs no file, no permission and no bundler's
 * help. It is sent modules with their memory, and then waits in shared memory for commands.
 */

/** The words of the pool's shared control block, as indices of an Int32Array. */
export const poolControl = {
  /** Number of the last command; workers wait for it to change. */
  sequence: 0,
  /** How many workers sleep. */
  sleepers: 16,
  command: 32,
  program: 33,
  /** How often to run it, or how many MiB are to be freed with it. */
  amount: 34,
  /** Of each worker, from thread 1 on: the last command that it has taken, one line each. */
  taken: (thread: number) => 32 + 16 * thread,
  words: (threads: number) => 32 + 16 * threads,
} as const;

/**
 * What a worker is told to do; to receive is to return to the event loop, for a message or for its
 * end: one that sleeps in shared memory cannot be terminated.
 */
export const poolCommands = { run: 1, receive: 2, drop: 3 } as const;

/** The first message to a worker. */
export interface StartMessage {
  readonly kind: "start";
  readonly control: SharedArrayBuffer;
  readonly thread: number;
  readonly threads: number;
  /** Index into the program's memory (as int32) of the word that a failing thread sets... */
  readonly failureWord: number;
  /** ...and of the one that the others sleep on. */
  readonly wakeWord: number;
}

/** A program for a worker that has been told to receive. */
export interface LoadMessage {
  readonly kind: "load";
  readonly program: number;
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
}

/** What a worker answers to either. */
export interface ReadyMessage {
  readonly error?: string;
}

/** Looks at the sequence before a worker sleeps: about a millisecond, longer than between two steps. */
const spins = 150_000;

/**
 * Makes a garbage collection likely, after so many bytes of memory have been let go: engines know
 * memory only by small objects that stand for it, and may let gigabytes wait. Buffers that are never
 * touched cost next to nothing, but count.
 */
export function provokeCollection(bytes: number): void {
  if (bytes < 2 ** 25) return;
  const size = 2 ** 27;
  try {
    for (let i = 0; i < Math.max(8, 4 * bytes / size); i++) new ArrayBuffer(size);
  } catch {
    // No room for more: the engine has collected what it could.
  }
}

/** The worker's source, as a classic script or a module. */
export const workerSource = `
const port = globalThis.process?.getBuiltinModule?.("node:worker_threads")?.parentPort;
const receive = (handle) => {
  if (port) port.on("message", handle);
  else globalThis.onmessage = ({ data }) => handle(data);
};
const send = (message) => (port ?? globalThis).postMessage(message);

let control, thread, threads, failureWord, wakeWord;
let taken = 0;
const programs = new Map();

receive((message) => {
  if (message.kind === "start") {
    control = new Int32Array(message.control);
    ({ thread, threads, failureWord, wakeWord } = message);
    send({});
  } else {
    try {
      const { program, module, memory } = message;
      const { exports } = new WebAssembly.Instance(module, { env: { memory } });
      programs.set(program, { run: exports.run, memory });
      send({});
    } catch (error) {
      send({ error: String(error) });
    }
  }
  serve();
});

function nextCommand() {
  for (let i = 0; i < ${spins}; i++) {
    if (Atomics.load(control, ${poolControl.sequence}) !== taken) return;
  }
  Atomics.add(control, ${poolControl.sleepers}, 1);
  while (Atomics.load(control, ${poolControl.sequence}) === taken) {
    Atomics.wait(control, ${poolControl.sequence}, taken);
  }
  Atomics.sub(control, ${poolControl.sleepers}, 1);
}

/** Until there is something to receive. */
function serve() {
  for (;;) {
    nextCommand();
    const command = control[${poolControl.command}];
    const program = control[${poolControl.program}];
    const amount = control[${poolControl.amount}];
    taken = Atomics.load(control, ${poolControl.sequence});
    Atomics.store(control, ${poolControl.taken(0)} + 16 * thread, taken);
    if (command === ${poolCommands.receive}) return;
    if (command === ${poolCommands.run}) runProgram(programs.get(program), amount);
    else {
      programs.delete(program);
      provokeCollection(amount * 2 ** 20);
    }
  }
}

const provokeCollection = ${provokeCollection};

function runProgram({ run, memory }, repeat) {
  try {
    run(thread, threads, repeat);
  } catch {
    const words = new Int32Array(memory.buffer);
    Atomics.compareExchange(words, failureWord, 0, 1);
    Atomics.notify(words, wakeWord);
  }
}
`;
