/**
 * @file The WASM target's driver: it strings the phases of all kernels into one exported function
 * `run(thread, threads, repeat)` that every thread calls, so that a whole program, or many runs of
 * it, needs no JavaScript on the way.
 *
 * Phases are put into segments with a barrier after each. A large phase is shared: threads take
 * ranges of its units from an atomic counter until there are none. A small one is done by one thread
 * alone, its lane; a chain of small phases that need each other stays on one lane and so needs no
 * barriers, and phases that touch different memory share a segment. The barrier is a centralized one
 * with a generation counter (Hensgen, Finkel and Manber, "Two algorithms for barrier
 * synchronization", 1988; the generation is their sense): it spins for a while, then sleeps.
 */
import { type Accesses, conflict } from "./accesses.ts";
import {
  type Code,
  control,
  type FunctionBuilder,
  i32,
  i64,
  type Local,
  type ModuleBuilder,
} from "./assembler.ts";
import type { Phase } from "./emitter.ts";

/** A kernel as the driver sees it: phases one after another, and what they touch. */
export interface Step {
  /** For messages. */
  readonly name: string;
  readonly phases: readonly Phase[];
  readonly accesses: Accesses;
}

/** A phase that one thread does alone. */
export interface AlonePhase {
  readonly phase: Phase;
  readonly step: number;
  readonly lane: number;
}

/** A phase that threads share, `grain` units at a time. */
export interface SharedPhase {
  readonly phase: Phase;
  readonly step: number;
  readonly grain: number;
}

/** What happens between two barriers: each thread does its lane in order, then helps with the rest. */
export interface Segment {
  readonly alone: readonly AlonePhase[];
  readonly shared: readonly SharedPhase[];
}

/** A phase with less work than this (operations, or cells moved) is not worth sharing. */
const worthSharing = 20_000;
/** Nor is a range of units with less work than this worth a visit to the counter. */
const worthTaking = 4_000;
/** Into so many ranges a thread a phase is divided, so that the last ones even out. */
const rangesPerThread = 6;
/** A chain of small phases moves to another lane when its own is ahead by this much work. */
const laneSlack = 4_000;
/** Segments share no more phases than there are counters. */
const counterCount = 32;

/** Where the words of the control block are, in bytes; each on a line of its own. */
export const controlBlock = {
  arrived: 0,
  generation: 64,
  sleepers: 128,
  failure: 192,
  /** One line for each thread: 1 + the step that it is in. */
  progress: 256,
  /** On the same line: how often in a row the thread has spun in vain. */
  vainWaits: 260,
  /** One line for each shared phase of a segment and thread: units taken of that thread's part. */
  counters: (threads: number) => 256 + 64 * threads,
  /** The whole block's size. */
  bytes: (threads: number) => controlBlock.counters(threads) + 64 * threads * counterCount,
};

/** What the failure word says. */
export const failures = { none: 0, trap: 1, silence: 2 } as const;

/** The lanes of what has been put into a segment and must be finished before a step. */
function lanesNeeded({ placed }: OpenSegment, steps: readonly Step[], step: number): Set<number> {
  const { accesses } = steps[step];
  const needed = placed.filter((other) =>
    other.step === step || conflict(steps[other.step].accesses, accesses)
  );
  return new Set(needed.map(({ lane }) => lane));
}

/**
 * Puts the phases of a program into segments. Every thread count has its own arrangement. Phases with
 * less work than `sharing` are not shared.
 */
export function arrange(
  steps: readonly Step[],
  threads: number,
  sharing = worthSharing,
): Segment[] {
  const segments: Segment[] = [];
  let open = openSegment(threads);
  const close = () => {
    if (open.alone.length + open.shared.length > 0) segments.push(open);
    open = openSegment(threads);
  };
  steps.forEach((step, index) => {
    for (const phase of step.phases.filter(({ units }) => units > 0)) {
      const whole = threads === 1 || phase.units === 1 || phase.work < sharing;
      const lanes = threads === 1 ? new Set<number>() : lanesNeeded(open, steps, index);
      const barrier = whole
        ? lanes.size > 1 || lanes.has(everyLane)
        : lanes.size > 0 || open.shared.length === counterCount;
      if (barrier) close();
      const lane = !whole
        ? everyLane
        : barrier || lanes.size === 0
        ? pickLane(open)
        : [...lanes][0];
      open.placed.push({ step: index, lane });
      if (whole) {
        open.alone.push({ phase, step: index, lane });
        open.load[lane] += phase.work;
        open.lastLane = lane;
      } else open.shared.push({ phase, step: index, grain: grainOf(phase, threads) });
    }
  });
  close();
  return segments;
}

/** The lane of a shared phase. */
const everyLane = -1;

interface OpenSegment {
  readonly alone: AlonePhase[];
  readonly shared: SharedPhase[];
  readonly placed: { readonly step: number; readonly lane: number }[];
  /** Work of each lane. */
  readonly load: number[];
  lastLane: number;
}

function openSegment(threads: number): OpenSegment {
  return { alone: [], shared: [], placed: [], load: Array(threads).fill(0), lastLane: 0 };
}

/** The lane used last, unless another has clearly less to do. */
function pickLane({ load, lastLane }: OpenSegment): number {
  const least = load.indexOf(Math.min(...load));
  return load[lastLane] > load[least] + laneSlack ? least : lastLane;
}

function grainOf({ units, work }: Phase, threads: number): number {
  const ranges = Math.min(threads * rangesPerThread, Math.max(threads, work / worthTaking));
  return Math.max(1, Math.ceil(units / ranges));
}

/** What the driver is told besides the segments. */
export interface DriverOptions {
  readonly threads: number;
  /** Byte address of the first thread's own scratch, and the bytes of each. */
  readonly scratch: number;
  readonly scratchBytes: number;
  /** Whether thread 0 may sleep: a browser's main thread may only spin. */
  readonly mayWait: boolean;
  /** For so many seconds without any progress of others a thread waits before it gives up. */
  readonly patience: number;
}

/**
 * How often a waiting thread looks at the generation before it sleeps. Some 60 µs are longer than it
 * takes to wake a thread, so that one sleep does not lead to another. But where a scheduler has put
 * both threads on one processor, every look is lost: so after two waits in vain come fourteen short
 * ones of some 3 µs.
 */
const spins = { long: 200_000, short: 10_000 };
/** So many looks stand for a second where sleeping is not allowed. */
const spinsInsteadOfSecond = 2 ** 28;
/** Phases a function: engines compile very long functions badly. */
const phasesPerFunction = 100;

const at = (address: number) => i32.const(address);
/** Ends the thread's run with a RuntimeError. */
const trap: Code = [0x00];

/** Adds `run` to the module. */
export function emitDriver(
  module: ModuleBuilder,
  segments: readonly Segment[],
  options: DriverOptions,
): void {
  const { threads, scratch, scratchBytes } = options;
  const barrier = threads > 1 ? emitBarrier(module, options) : null;
  const bodies = segments.map((segment) => emitSegment(segment, threads, barrier));
  const parts: FunctionBuilder[] = [];
  for (let first = 0; first < segments.length;) {
    const part = module.function(`part${parts.length}`, ["i32", "i32", "i32"]);
    const locals = partLocals(part);
    const code: Code[] = [
      locals.progress.set(
        i32.add(at(controlBlock.progress), i32.shl(locals.thread.get, i32.const(6))),
      ),
    ];
    let phases = 0;
    for (; first < segments.length && phases < phasesPerFunction; first++) {
      code.push(bodies[first](locals));
      phases += segments[first].alone.length + segments[first].shared.length;
    }
    parts.push(part.body(...code));
  }

  const run = module.function("run", ["i32", "i32", "i32"]);
  const [thread, count, repeat] = run.parameters;
  const own = i32.add(at(scratch), i32.mul(thread.get, i32.const(scratchBytes)));
  run.body(
    control.block(control.loop(
      control.brIf(i32.leS(repeat.get, i32.const(0)), 1),
      repeat.set(i32.sub(repeat.get, i32.const(1))),
      ...parts.map((part) => part.call(thread.get, count.get, own)),
      control.br(0),
    )),
  );
  module.export("run", run);
}

/** The parameters and variables of a part of the program. */
interface PartLocals {
  readonly thread: Local;
  readonly threads: Local;
  readonly scratch: Local;
  readonly progress: Local;
  readonly start: Local;
  readonly end: Local;
  /** Whose part is being done, how many parts are left to look at, and where that part ends. */
  readonly part: Local;
  readonly others: Local;
  readonly last: Local;
}

function partLocals(part: FunctionBuilder): PartLocals {
  const [thread, threads, scratch] = part.parameters;
  const [progress, start, end, owner, others, last] = part.locals("i32", 6);
  return { thread, threads, scratch, progress, start, end, part: owner, others, last };
}

/** The code of a segment; a program of one thread has only `alone` phases and no barriers. */
function emitSegment(
  { alone, shared }: Segment,
  threads: number,
  barrier: FunctionBuilder | null,
): (locals: PartLocals) => Code {
  return (locals) => {
    const code: Code[] = [];
    for (let lane = 0; lane < threads; lane++) {
      const own = alone.filter((phase) => phase.lane === lane).map(({ phase, step }): Code => [
        i32.store(locals.progress.get, i32.const(step + 1)),
        callPhase(phase, i32.const(0), i32.const(phase.units), locals.scratch),
      ]);
      if (threads === 1) code.push(...own);
      else if (own.length) code.push(control.if(i32.eq(locals.thread.get, i32.const(lane)), own));
    }
    shared.forEach((phase, i) => {
      code.push(i32.store(locals.progress.get, i32.const(phase.step + 1)));
      const counters = controlBlock.counters(threads) + 64 * threads * i;
      code.push(takeRanges(phase, counters, threads, locals));
    });
    if (barrier) {
      code.push(
        barrier.call(
          locals.thread.get,
          locals.threads.get,
          i32.const(64 * threads * shared.length),
        ),
      );
    }
    return code;
  };
}

function callPhase({ code, pointers }: Phase, start: Code, end: Code, scratch: Local): Code {
  return code.call(start, end, scratch.get, ...pointers.map((pointer) => i32.const(pointer)));
}

/**
 * Ranges of a phase's units: those of the thread's own part first, then of the others' parts, until
 * there are none. Each thread has the same part of the rows in phase after phase, so that most of
 * what it reads is in its own cache (Blumofe and Leiserson, "Scheduling Multithreaded Computations
 * by Work Stealing", 1999).
 */
function takeRanges(
  { phase, grain }: SharedPhase,
  counters: number,
  threads: number,
  locals: PartLocals,
): Code {
  const { thread, start, end, part, others, last, scratch } = locals;
  const each = Math.floor(phase.units / threads), more = i32.const(phase.units % threads);
  // The first of a thread's units: as many for each, and one more for the first few.
  const bound = (lane: Code) =>
    i32.add(
      i32.mul(lane, i32.const(each)),
      control.select(lane, more, i32.ltU(lane, more)),
    );
  const counter = i32.add(at(counters), i32.shl(part.get, i32.const(6)));
  const taken = i32.add(bound(part.get), i32.atomicAdd(counter, i32.const(grain)));
  return [
    part.set(thread.get),
    others.set(i32.const(threads)),
    control.loop(
      last.set(bound(i32.add(part.get, i32.const(1)))),
      control.block(control.loop(
        control.brIf(i32.geU(start.tee(taken), last.get), 1),
        end.set(i32.add(start.get, i32.const(grain))),
        end.set(control.select(end.get, last.get, i32.ltU(end.get, last.get))),
        callPhase(phase, start.get, end.get, scratch),
        control.br(0),
      )),
      part.set(i32.add(part.get, i32.const(1))),
      part.set(control.select(part.get, i32.const(0), i32.ltU(part.get, i32.const(threads)))),
      control.brIf(others.tee(i32.sub(others.get, i32.const(1))), 0),
    ),
  ];
}

/**
 * barrier(thread, threads, bytes of counters to zero): the last thread to arrive zeroes the counters,
 * while all others stand still, and lets them go.
 */
function emitBarrier(module: ModuleBuilder, options: DriverOptions): FunctionBuilder {
  const barrier = module.function("barrier", ["i32", "i32", "i32"]);
  const [thread, threads, counters] = barrier.parameters;
  const [generation, polls, line] = barrier.locals("i32", 3);
  const passed = i32.ne(i32.atomicLoad(at(controlBlock.generation)), generation.get);
  return barrier.body(
    generation.set(i32.atomicLoad(at(controlBlock.generation))),
    control.if(
      i32.eq(
        i32.add(i32.atomicAdd(at(controlBlock.arrived), i32.const(1)), i32.const(1)),
        threads.get,
      ),
      [
        i32.atomicStore(at(controlBlock.arrived), i32.const(0)),
        control.block(control.loop(
          control.brIf(i32.eqz(counters.get), 1),
          i32.store(
            counters.tee(i32.sub(counters.get, i32.const(64))),
            i32.const(0),
            controlBlock.counters(options.threads),
          ),
          control.br(0),
        )),
        i32.atomicStore(
          at(controlBlock.generation),
          i32.add(generation.get, i32.const(1)),
        ),
        control.if(i32.atomicLoad(at(controlBlock.sleepers)), wakeAll),
        control.return,
      ],
    ),
    line.set(i32.shl(thread.get, i32.const(6))),
    polls.set(control.select(
      i32.const(spins.long),
      i32.const(spins.short),
      i32.ltU(i32.and(i32.load(line.get, controlBlock.vainWaits), i32.const(15)), i32.const(2)),
    )),
    control.loop(
      control.if(passed, [
        i32.store(line.get, i32.const(0), controlBlock.vainWaits),
        control.return,
      ]),
      control.brIf(polls.tee(i32.sub(polls.get, i32.const(1))), 0),
    ),
    i32.store(
      line.get,
      i32.add(i32.load(line.get, controlBlock.vainWaits), i32.const(1)),
      controlBlock.vainWaits,
    ),
    sleep(barrier, generation, passed, options),
  );
}

const wakeAll = control.drop(i32.atomicNotify(at(controlBlock.generation), i32.const(-1)));

/** Sleeps until the generation changes; traps when another thread has failed or none gets on. */
function sleep(
  barrier: FunctionBuilder,
  generation: Local,
  passed: Code,
  { mayWait, patience, threads }: DriverOptions,
): Code {
  const [thread] = barrier.parameters;
  const [idle, signs, signsBefore, polls, line] = barrier.locals("i32", 5);
  const wait: Code = [
    control.drop(i32.atomicAdd(at(controlBlock.sleepers), i32.const(1))),
    control.drop(
      i32.atomicWait(at(controlBlock.generation), generation.get, i64.const(1_000_000_000)),
    ),
    control.drop(i32.atomicAdd(at(controlBlock.sleepers), i32.const(-1))),
  ];
  const spin: Code = [
    polls.set(i32.const(spinsInsteadOfSecond)),
    control.block(control.loop(
      control.brIf(passed, 1),
      control.brIf(i32.atomicLoad(at(controlBlock.failure)), 1),
      control.brIf(polls.tee(i32.sub(polls.get, i32.const(1))), 0),
    )),
  ];
  const failed = control.if(i32.atomicLoad(at(controlBlock.failure)), trap);
  return control.loop(
    failed,
    mayWait ? wait : control.if(thread.get, wait, spin),
    failed,
    control.if(passed, control.return),
    readSignsOfLife(signs, line, threads),
    idle.set(control.select(
      i32.add(idle.get, i32.const(1)),
      i32.const(0),
      i32.eq(signs.get, signsBefore.get),
    )),
    signsBefore.set(signs.get),
    control.if(i32.gtS(idle.get, i32.const(patience)), [
      i32.atomicStore(at(controlBlock.failure), i32.const(failures.silence)),
      wakeAll,
      trap,
    ]),
    control.br(0),
  );
}

/**
 * Sets `signs` to a number that changes when any thread takes a range, enters another step, or
 * arrives: the sum over the lines of the control block that say so, which lie together.
 */
function readSignsOfLife(signs: Local, line: Local, threads: number): Code {
  return [
    signs.set(i32.atomicLoad(at(controlBlock.arrived))),
    line.set(at(controlBlock.progress)),
    control.loop(
      signs.set(i32.add(signs.get, i32.atomicLoad(line.get))),
      control.brIf(
        i32.ltU(line.tee(i32.add(line.get, i32.const(64))), at(controlBlock.bytes(threads))),
        0,
      ),
    ),
  ];
}
