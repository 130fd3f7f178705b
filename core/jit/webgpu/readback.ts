/**
 * @file Values from the arena to the host: several buffers by one copy into one staging buffer, which
 * is kept for the next time.
 */
import { JitError } from "../errors.ts";
import { type DeviceState, firstLine, requireNotLost } from "./device_state.ts";

/** The values of an argument or a result on the host. */
export type HostValues = Float32Array | Int32Array;

/** A part of the arena, in bytes, and what it holds. */
export interface Region {
  readonly start: number;
  readonly bytes: number;
  readonly isFloat: boolean;
}

/** Reads parts of an arena. */
export interface Reader {
  /**
   * Copies of regions' values as they are after everything enqueued so far.
   *
   * @throws {JitError} (by the promise) when the device fails or is lost
   */
  read(regions: readonly Region[]): Promise<HostValues[]>;
  dispose(): void;
}

/** How long word of a lost device may come after a read has failed of it, in milliseconds. */
const WORD_OF_LOSS = 100;

/** A reader. `earlierError` is awaited with every read: an error in it fails the read. */
export function createReader(
  device: GPUDevice,
  state: DeviceState,
  arena: GPUBuffer,
  earlierError: () => Promise<GPUError | null> | undefined,
): Reader {
  let spare: GPUBuffer | undefined;
  let disposed = false;

  const takeStaging = (size: number): GPUBuffer => {
    const staging = spare;
    spare = undefined;
    if (staging && staging.size >= size) return staging;
    staging?.destroy();
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    return device.createBuffer({ size: Math.max(16, size), usage, label: "staging" });
  };

  const transfer = async (staging: GPUBuffer, regions: readonly Region[]) => {
    const encoder = device.createCommandEncoder();
    let end = 0;
    const starts = regions.map(({ start, bytes }) => {
      if (bytes > 0) encoder.copyBufferToBuffer(arena, start, staging, end, bytes);
      end += bytes;
      return end - bytes;
    });
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const error = await earlierError();
    if (error) throw error;
    const mapped = staging.getMappedRange();
    const values = regions.map(({ bytes, isFloat }, i) => {
      const slice = mapped.slice(starts[i], starts[i] + bytes);
      return isFloat ? new Float32Array(slice) : new Int32Array(slice);
    });
    staging.unmap();
    return values;
  };

  return {
    async read(regions) {
      const staging = takeStaging(regions.reduce((sum, { bytes }) => sum + bytes, 0));
      try {
        const values = await transfer(staging, regions);
        if (disposed || spare) staging.destroy();
        else spare = staging;
        return values;
      } catch (error) {
        staging.destroy();
        if (disposed) throw new JitError("the program was disposed while it was read");
        await Promise.race([device.lost, new Promise((done) => setTimeout(done, WORD_OF_LOSS))]);
        requireNotLost(state);
        throw new JitError(
          `the WebGPU device failed (${firstLine(error)}): the run's last checkpoint is intact; ` +
            'start again from it, with a smaller batch or the device "wasm"',
        );
      }
    },
    dispose() {
      disposed = true;
      spare?.destroy();
    },
  };
}
