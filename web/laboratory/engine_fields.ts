/**
 * @file Fields: Φ and its gradient on a grid at one time. One program serves all times, parameters and
 * grids: the points of a grid go through it a piece at a time, so that nothing waits for long.
 */
import { VapoError } from "../../core/errors.ts";
import { keptPrograms } from "../../core/flow/kept_programs.ts";
import { terminalTime } from "../../core/flow/terminal_time.ts";
import { jit } from "../../core/jit/mod.ts";
import { pauses, type Turns } from "../../core/pauses.ts";
import type { Potential } from "../../core/potential/potential.ts";
import {
  batchValueAndGradient,
  compilesPrograms,
  type Tensor,
  type TensorRecord,
  tf,
} from "../../core/tensor/mod.ts";
import { requireWhole } from "../../core/whole_number.ts";
import type { Grid } from "./engine_types.ts";
import type { PotentialSubject } from "./engine_subjects.ts";

/** Values and gradients, row by row. */
export interface FieldValues {
  /** Φ, [n]. */
  readonly potential: Float32Array;
  /** ∇Φ, [n, 2]. */
  readonly velocity: Float32Array;
}

/** Computes fields; what it compiles it keeps. */
export interface FieldMaker {
  /** One field after the other, never two at a time. */
  make(
    subject: PotentialSubject,
    grid: Grid,
    u: number,
    signal: AbortSignal,
  ): Promise<FieldValues>;
  dispose(): void;
}

/** The largest side of a grid. */
const LARGEST_SIZE = 1024;
/** Points that one program takes. */
const PIECE = 4096;
/** Learned and two sums, in two sizes of pieces. */
const PROGRAMS = 6;

/**
 * The points of a grid, row by row from the top: the centres of its cells.
 *
 * @returns [size², 2]
 * @throws {VapoError} for a size that is no whole number from 1 on, or an extent that is not above 0
 */
export function gridPoints({ size, extent }: Grid): Float64Array {
  requireWhole("size", size, 1);
  if (size > LARGEST_SIZE || !(extent > 0 && extent < Infinity)) {
    throw new VapoError(
      `the grid has ${size} cells a side and reaches to ${extent}: expected at most ${LARGEST_SIZE} ` +
        "and a finite number above 0",
    );
  }
  const cell = 2 * extent / size, points = new Float64Array(2 * size * size);
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const i = 2 * (row * size + column);
      points[i] = -extent + (column + 0.5) * cell;
      points[i + 1] = extent - (row + 0.5) * cell;
    }
  }
  return points;
}

/** Makes fields of potentials on the open device. */
export function fieldMaker(turns: Turns): FieldMaker {
  const kept = keptPrograms(PROGRAMS);
  return {
    async make(subject, grid, u, signal) {
      const { key, potential, path, parameters } = subject;
      if (u !== 0) terminalTime(potential, path, u, "time");
      const points = gridPoints(grid), n = points.length / 2;
      // It waits for a turn at once: many fields in a row let others in between them.
      const pause = pauses(signal, turns);
      const piece = Math.min(PIECE, n);
      const program = await kept.get(
        `${key} ${piece}`,
        () => fieldProgram(potential, parameters, piece),
      );
      program.bind(parameters, u);
      const values = { potential: new Float32Array(n), velocity: new Float32Array(2 * n) };
      for (let start = 0; start < n; start += piece) {
        await pause();
        const end = Math.min(n, start + piece), part = new Float32Array(2 * piece);
        part.set(points.subarray(2 * start, 2 * end));
        const { potential, velocity } = await program.run(part);
        values.potential.set(potential.subarray(0, end - start), start);
        values.velocity.set(velocity.subarray(0, 2 * (end - start)), 2 * start);
      }
      return values;
    },
    dispose: () => kept.dispose(),
  };
}

/** Values and gradients of so many points. */
interface FieldProgram {
  /** Parameters, which have to live as long as they are used, and the time. */
  bind(parameters: TensorRecord, u: number): void;
  run(points: Float32Array): Promise<FieldValues>;
  dispose(): void;
}

async function fieldProgram(
  potential: Potential,
  parameters: TensorRecord,
  n: number,
): Promise<FieldProgram> {
  const compute = (x: Tensor, u: Tensor, parameters: TensorRecord) =>
    batchValueAndGradient(
      (x) => potential.apply(parameters, x, tf.mul(tf.ones([n]), u)),
      x,
    );
  if (!compilesPrograms()) return eagerFieldProgram(compute, parameters, n);
  const blank = { x: tf.zeros([n, 2]), u: tf.scalar(0) };
  const session = await jit(compute).load(blank.x, blank.u, parameters)
    .finally(() => tf.dispose(blank));
  const write = (argument: number, tensor: Tensor) => {
    session.write(argument, tensor);
    tensor.dispose();
  };
  return {
    bind(parameters, u) {
      session.write(2, parameters);
      write(1, tf.scalar(u));
    },
    async run(points) {
      write(0, tf.tensor2d(points, [n, 2]));
      session.run();
      const { value, gradient } = await session.read() as Record<string, Float32Array>;
      return { potential: value, velocity: gradient };
    },
    dispose: () => session.dispose(),
  };
}

/** The same, kernel by kernel, on the device that does not compile. */
function eagerFieldProgram(
  compute: (
    x: Tensor,
    u: Tensor,
    parameters: TensorRecord,
  ) => { value: Tensor; gradient: Tensor },
  start: TensorRecord,
  n: number,
): FieldProgram {
  let parameters = start, u = 0;
  return {
    bind(next, time) {
      parameters = next;
      u = time;
    },
    async run(points) {
      const { value, gradient } = tf.tidy(() =>
        compute(tf.tensor2d(points, [n, 2]), tf.scalar(u), parameters)
      );
      const [potential, velocity] = await Promise.all([value.data(), gradient.data()]);
      tf.dispose([value, gradient]);
      return { potential: potential as Float32Array, velocity: velocity as Float32Array };
    },
    dispose() {},
  };
}
