/**
 * @file Programs of made-up kernels, to test the driver and the threads with: each cell of a result
 * depends on two cells of the operand far apart, and on every bit of them, so that a missing barrier
 * shows.
 */
import { control, i32, type ModuleBuilder } from "../../../../core/jit/wasm/assembler.ts";
import type { Step } from "../../../../core/jit/wasm/driver.ts";

/** One made-up kernel: to[i] = a·from[i] + from[(i + shift) mod size] + c for i < size, in int32. */
export interface Mix {
  /** In cells of the arena. */
  readonly from: number;
  readonly to: number;
  readonly size: number;
  readonly shift: number;
  /** What it claims to be worth; by default much, so that threads share it. */
  readonly work?: number;
  /** Traps at this unit. */
  readonly trapAt?: number;
  /** Runs for ever at this unit. */
  readonly hangAt?: number;
}

/** The kernels' code. */
export function mixSteps(mixes: readonly Mix[]) {
  return (module: ModuleBuilder, arena: number): Step[] =>
    mixes.map((mix) => {
      const { from, to, size, shift, work = 1e6 } = mix;
      const code = module.shared(`mix ${size} ${mix.trapAt} ${mix.hangAt}`, () =>
        emitMix(module, mix));
      return {
        name: "mix",
        phases: [{
          code,
          pointers: [arena + 4 * from, arena + 4 * to, shift],
          units: size,
          scratchBytes: 64,
          work,
        }],
        accesses: {
          reads: [{ start: from, end: from + size }],
          writes: [{ start: to, end: to + size }],
        },
      };
    });
}

/** Of a common linear congruential generator. */
const factor = 1664525, summand = 1013904223;

function emitMix(module: ModuleBuilder, { size, trapAt, hangAt }: Mix) {
  const mix = module.function("mix", ["i32", "i32", "i32", "i32", "i32", "i32"]);
  const [start, end, scratch, from, to, shift] = mix.parameters;
  const cell = (base: typeof from, index: number[] | ReturnType<typeof i32.add>) =>
    i32.add(base.get, i32.shl(index, i32.const(2)));
  const other = i32.remU(i32.add(start.get, shift.get), i32.const(size));
  return mix.body(control.block(control.loop(
    control.brIf(i32.geU(start.get, end.get), 1),
    trapAt === undefined ? [] : control.if(i32.eq(start.get, i32.const(trapAt)), [0x00]),
    hangAt === undefined
      ? []
      : control.if(i32.eq(start.get, i32.const(hangAt)), control.loop(control.br(0))),
    // By way of the thread's own scratch, which no other may touch.
    i32.store(
      scratch.get,
      i32.add(
        i32.mul(i32.load(cell(from, start.get)), i32.const(factor)),
        i32.add(i32.load(cell(from, other)), i32.const(summand)),
      ),
    ),
    i32.store(cell(to, start.get), i32.load(scratch.get)),
    start.set(i32.add(start.get, i32.const(1))),
    control.br(0),
  )));
}

/** The same on the host. */
export function mixOnHost(mixes: readonly Mix[], cells: Int32Array, repeat = 1): void {
  for (let r = 0; r < repeat; r++) {
    for (const { from, to, size, shift } of mixes) {
      for (let i = 0; i < size; i++) {
        const other = cells[from + (i + shift) % size];
        cells[to + i] = Math.imul(cells[from + i], factor) + other + summand;
      }
    }
  }
}
