/**
 * @file How long each dispatch of a run takes, by the device's own clock.
 */
import { type Command, encode } from "./commands.ts";

/** What a dispatch took, of one run. */
export interface DispatchTime {
  /** Which kernel it belongs to, and what that is. */
  readonly kernel: number;
  readonly label: string;
  readonly milliseconds: number;
}

/** A query set has at most 4,096 queries; a dispatch takes two. */
const DISPATCHES_PER_QUERY_SET = 2048;

/** Runs commands once, each in a pass of its own between two timestamps. */
export async function profile(
  device: GPUDevice,
  commands: readonly Command[],
  bindGroup: GPUBindGroup,
): Promise<DispatchTime[]> {
  const times: DispatchTime[] = [];
  for (let start = 0; start < commands.length; start += DISPATCHES_PER_QUERY_SET) {
    const part = commands.slice(start, start + DISPATCHES_PER_QUERY_SET);
    const stamps = await timestamps(device, part, bindGroup);
    part.forEach(({ kernel, label }, i) =>
      times.push({ kernel, label, milliseconds: Number(stamps[2 * i + 1] - stamps[2 * i]) / 1e6 })
    );
  }
  return times;
}

async function timestamps(
  device: GPUDevice,
  commands: readonly Command[],
  bindGroup: GPUBindGroup,
): Promise<BigUint64Array> {
  const count = 2 * commands.length, size = 8 * count;
  const querySet = device.createQuerySet({ type: "timestamp", count });
  const { QUERY_RESOLVE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
  const resolved = device.createBuffer({ size, usage: QUERY_RESOLVE | COPY_SRC });
  const staging = device.createBuffer({ size, usage: COPY_DST | MAP_READ });
  try {
    const encoder = device.createCommandEncoder();
    commands.forEach((command, i) => {
      const pass = encoder.beginComputePass({
        timestampWrites: {
          querySet,
          beginningOfPassWriteIndex: 2 * i,
          endOfPassWriteIndex: 2 * i + 1,
        },
      });
      encode(pass, [command], bindGroup);
      pass.end();
    });
    encoder.resolveQuerySet(querySet, 0, count, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, size);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    return new BigUint64Array(staging.getMappedRange().slice(0));
  } finally {
    querySet.destroy();
    resolved.destroy();
    staging.destroy();
  }
}
