/**
 * @file The values of a potential on many samples, in batches through one compiled program: what
 * histograms of the energy and out-of-distribution detection are made of.
 */
import { imagesOfWords } from "../data/images.ts";
import { ConfigError, NonFiniteError, VapoError } from "../errors.ts";
import { jit } from "../jit/mod.ts";
import { pauses } from "../pauses.ts";
import { type Potential, sampleSize } from "../potential/potential.ts";
import {
  compilesPrograms,
  packBytes,
  type Tensor,
  type TensorRecord,
  tf,
  wordsOfBytes,
} from "../tensor/mod.ts";
import { requireWhole } from "../whole_number.ts";

/** How values of a potential are computed. */
export interface PotentialValuesOptions {
  /** u, for time-explicit potentials, which need it; others do not read it. */
  readonly time?: number;
  /** Samples at a time; the default is 2¹⁸ numbers of samples at a time. */
  readonly batchSize?: number;
  /** Ends the work early; the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Told after each batch. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Φ(x[, u]) of every sample, compiled where the device compiles.
 *
 * @param potential Φ
 * @param parameters the potential's; they stay the caller's
 * @param samples images as bytes, x = byte/127.5 − 1, or the values of x themselves
 * @param shape [n, …sampleShape]
 * @param options time, batches, and how the work is watched
 * @returns [n], float32 numbers
 * @throws {VapoError} where samples and shape do not fit each other or the potential.
 * @throws {ConfigError} where the potential needs a time and there is none, or a batch is none.
 * @throws {NonFiniteError} where a value is not finite.
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { openDevice, type Potential, potentialValues, tf } from "vapo";
 * await openDevice("cpu");
 * // Φ = −½|x|²
 * const potential: Potential = {
 *   sampleShape: [2], timeExplicit: false, initialize: () => ({}),
 *   apply: (_parameters, x) => tf.mul(tf.sum(tf.square(x), 1), -0.5),
 * };
 * const points = Float32Array.of(0, 0, 1, 2, 3, 0);
 * const values = await potentialValues(potential, {}, points, [3, 2], { batchSize: 2 });
 * assertEquals([...values], [0, -2.5, -4.5]);
 * ```
 */
export async function potentialValues(
  potential: Potential,
  parameters: TensorRecord,
  samples: Uint8Array | Float32Array,
  shape: readonly number[],
  { time, batchSize, signal, onProgress }: PotentialValuesOptions = {},
): Promise<Float64Array> {
  const size = sampleSize(potential), [count] = shape;
  requireSamples(potential, samples, shape, time);
  const batch = Math.min(count, batchSize ?? Math.max(1, Math.floor(2 ** 18 / size)));
  requireWhole("batchSize", batch, 1);
  const values = new Float64Array(count);
  const pause = pauses(signal);
  const program = await openProgram(potential, parameters, batch, time ?? 0, samples);
  try {
    for (let start = 0; start < count; start += batch) {
      await pause();
      const end = Math.min(start + batch, count);
      const found = await program.values(samples.subarray(start * size, end * size));
      for (let i = start; i < end; i++) values[i] = requireFinite(found[i - start], i);
      onProgress?.(end, count);
    }
  } finally {
    program.dispose();
  }
  return values;
}

function requireSamples(
  { sampleShape, timeExplicit }: Potential,
  samples: Uint8Array | Float32Array,
  shape: readonly number[],
  time: number | undefined,
): void {
  const expected = [shape[0], ...sampleShape];
  const fits = Number.isInteger(shape[0]) && shape[0] > 0 && shape.join() === expected.join() &&
    samples.length === shape.reduce((product, side) => product * side, 1);
  if (!fits) {
    throw new VapoError(
      `${samples.length} values of shape [${shape.join(", ")}]: expected [n, ` +
        `${sampleShape.join(", ")}] with n from 1 on, as the potential takes them`,
    );
  }
  if (samples instanceof Uint8Array && sampleShape.length !== 3) {
    throw new VapoError(
      `bytes for a potential of shape [${sampleShape.join(", ")}]: expected [height, width, ` +
        "channels]; pass points as float32",
    );
  }
  if (timeExplicit && !Number.isFinite(time)) {
    throw new ConfigError(
      `time is ${time} for a time-explicit potential; expected a number: pass the path's uMax for ` +
        "the potential of data",
    );
  }
}

function requireFinite(value: number, sample: number): number {
  if (Number.isFinite(value)) return value;
  throw new NonFiniteError(
    `the potential of sample ${sample} is ${value}; expected finite values: the training diverged`,
  );
}

/** Values of a batch; one with fewer samples than it was made for is padded. */
interface ValuesProgram {
  values(samples: Uint8Array | Float32Array): Promise<ArrayLike<number>>;
  dispose(): void;
}

async function openProgram(
  potential: Potential,
  parameters: TensorRecord,
  batch: number,
  time: number,
  like: Uint8Array | Float32Array,
): Promise<ValuesProgram> {
  const { sampleShape } = potential, size = sampleSize(potential);
  const bytes = like instanceof Uint8Array;
  const evaluate = (input: Tensor, parameters: TensorRecord): Tensor => {
    const x = bytes
      ? imagesOfWords({ stored: sampleShape as [number, number, number] }, input)
      : input;
    return potential.apply(parameters, x, tf.fill([batch], time));
  };
  const inputOf = (samples: Uint8Array | Float32Array): Tensor => {
    const whole = samples.length === batch * size ? samples : padded(samples, batch * size);
    return whole instanceof Uint8Array
      ? tf.tensor2d(packBytes(whole, size), [batch, wordsOfBytes(size)], "int32")
      : tf.tensor(whole, [batch, ...sampleShape]);
  };
  if (!compilesPrograms()) {
    return {
      async values(samples) {
        const result = tf.tidy(() => evaluate(inputOf(samples), parameters));
        return await result.data().finally(() => result.dispose());
      },
      dispose() {},
    };
  }
  const program = jit(
    (input: Tensor, parameters: TensorRecord) => ({ values: evaluate(input, parameters) }),
    { static: [1] },
  );
  const first = inputOf(like.subarray(0, batch * size));
  const session = await program.load(first, parameters).finally(() => first.dispose());
  return {
    async values(samples) {
      const input = inputOf(samples);
      session.write(0, input);
      input.dispose();
      session.run();
      const { values } = await session.read() as { values: Float32Array };
      return values;
    },
    dispose: () => session.dispose(),
  };
}

/** Filled up with zeros. */
function padded<T extends Uint8Array | Float32Array>(samples: T, length: number): T {
  const whole = new (samples.constructor as new (length: number) => T)(length);
  whole.set(samples);
  return whole;
}
