import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { JitError } from "../../../../core/jit/errors.ts";
import type { Plan, Schedule } from "../../../../core/jit/kernels.ts";
import { compileWebGpu } from "../../../../core/jit/webgpu/executable.ts";
import { tf } from "../../../../core/tensor/mod.ts";
import { webgpuTest } from "../../../webgpu.ts";
import {
  loopKernel,
  noise,
  openGpu,
  planOf,
  scheduleOf,
  view,
  withExecutable,
} from "./programs.ts";

/** n ← n + step, in place; and its square before that. */
function counter(size: number): Schedule {
  const schedule = scheduleOf(
    { inputs: [size, size], outputs: [size] },
    loopKernel({
      extents: [size],
      reads: [view(0, [1]), view(1, [1])],
      body: [
        { name: "add", type: "float32", operands: [read(0), read(1)] },
        { name: "square", type: "float32", operands: [read(0)] },
      ],
      writes: [
        { view: view(0, [1]), value: { kind: "value", index: 0 } },
        { view: view(2, [1]), value: { kind: "value", index: 1 } },
      ],
    }),
  );
  return { ...schedule, outputs: [0, 2] };
}

function read(index: number) {
  return { kind: "read", index } as const;
}

webgpuTest("state carries over from run to run", async () => {
  await withExecutable(planOf(counter(3)), async (executable) => {
    executable.writeInput(0, Float32Array.of(0, 10, 20));
    executable.writeInput(1, Float32Array.of(1, 2, 3));
    executable.run();
    executable.run(4);
    assertEquals(await executable.readInput(0), Float32Array.of(5, 20, 35));
    assertEquals(await executable.readOutputs([1, 0]), [
      Float32Array.of(16, 324, 1024),
      Float32Array.of(5, 20, 35),
    ]);
    executable.writeInput(1, Float32Array.of(-1, -1, -1));
    // More than go into one submission.
    executable.run(2000);
    assertEquals(await executable.readOutput(0), Float32Array.of(-1995, -1980, -1965));
  });
});

webgpuTest("reads that overlap each other and runs see the values at their time", async () => {
  await withExecutable(planOf(counter(1)), async (executable) => {
    executable.writeInput(0, Float32Array.of(0));
    executable.writeInput(1, Float32Array.of(1));
    const reads = Array.from({ length: 4 }, () => {
      executable.run();
      return executable.readOutput(0);
    });
    assertEquals((await Promise.all(reads)).map(([value]) => value), [1, 2, 3, 4]);
  });
});

webgpuTest("constants are there, one value a cell or one for all", async () => {
  const schedule: Schedule = {
    buffers: [
      { size: 5, type: "float32", role: "constant", values: Float32Array.of(1, 2, 3, 4, 5) },
      { size: 5, type: "int32", role: "constant", values: Int32Array.of(7) },
    ],
    kernels: [],
    inputs: [],
    outputs: [1, 0],
  };
  await withExecutable(planOf(schedule), async (executable) => {
    executable.run();
    assertEquals(await executable.readOutputs([0, 1]), [
      new Int32Array(5).fill(7),
      Float32Array.of(1, 2, 3, 4, 5),
    ]);
  });
});

webgpuTest("empty arguments and results are empty", async () => {
  const schedule = scheduleOf(
    { inputs: [0], outputs: [0] },
    loopKernel({
      extents: [0],
      reads: [view(0, [1])],
      writes: [{ view: view(1, [1]), value: read(0) }],
    }),
  );
  await withExecutable(planOf(schedule), async (executable) => {
    executable.writeInput(0, new Float32Array(0));
    executable.run();
    assertEquals(await executable.readOutput(0), new Float32Array(0));
  });
});

webgpuTest("tensors of TensorFlow.js cross on the device", async () => {
  const device = openGpu(), size = 1000;
  await withExecutable(planOf(counter(size)), async (executable) => {
    const made = tf.mul(tf.tensor1d(noise(size)), 2);
    const { buffer, tensorRef } = made.dataToGPU();
    executable.copyInputFrom(0, buffer!);
    executable.writeInput(1, new Float32Array(size).fill(1));
    executable.run();
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const target = device.createBuffer({ size: 4 * size, usage });
    executable.copyOutputTo(0, target);
    const result = tf.tensor({ buffer: target, zeroCopy: true }, [size], "float32");
    assertEquals(await tf.neg(result).data(), noise(size).map((x) => -Math.fround(2 * x + 1)));
    executable.copyInputTo(1, target);
    assertEquals(await tf.neg(result).data(), new Float32Array(size).fill(-1));
    tf.dispose([made, tensorRef, result]);
  });
});

webgpuTest("kernels of one form share a pipeline wherever their operands lie", async () => {
  const count = 20;
  const schedule = scheduleOf(
    { inputs: Array.from({ length: count }, (_, i) => 100 + i), outputs: [] },
    ...Array.from({ length: count }, (_, i) =>
      loopKernel({
        extents: [100 + i],
        reads: [view(i, [1])],
        body: [{ name: "negate", type: "float32", operands: [read(0)] }],
        writes: [{ view: view(i, [1]), value: { kind: "value", index: 0 } }],
      })),
  );
  await withExecutable(planOf(schedule), async (executable) => {
    assertEquals([executable.dispatches, executable.pipelines], [count, 1]);
    const inputs = Array.from({ length: count }, (_, i) => noise(100 + i, i));
    inputs.forEach((values, i) => executable.writeInput(i, values));
    executable.run();
    for (const i of [0, 7, count - 1]) {
      assertEquals(await executable.readInput(i), inputs[i].map((x) => -x));
    }
    const times = await executable.profile();
    if (!openGpu().features.has("timestamp-query")) return assertEquals(times, undefined);
    assertEquals(times!.map(({ kernel }) => kernel), Array.from({ length: count }, (_, i) => i));
    assert(times!.every(({ milliseconds }) => milliseconds >= 0));
  });
});

webgpuTest("an argument of another size or type is refused by name", async () => {
  await withExecutable(planOf(counter(3)), (executable) => {
    assertThrows(
      () => executable.writeInput(1, new Float32Array(4)),
      JitError,
      "argument 1 got 4 cells of Float32Array: expected 3 of Float32Array",
    );
    assertThrows(() => executable.writeInput(0, new Int32Array(3)), JitError, "Int32Array");
    return Promise.resolve();
  });
});

/** A device of the same adapter with the limits that every one has. */
async function plainDevice(): Promise<GPUDevice> {
  const adapter = await navigator.gpu.requestAdapter();
  return await adapter!.requestDevice();
}

webgpuTest("an arena beyond the device's limits is refused with sizes and the remedy", async () => {
  const device = await plainDevice();
  const limit = device.limits.maxStorageBufferBindingSize;
  const plan: Plan = { ...planOf(counter(3)), arenaSize: limit / 4 + 16 };
  const error = await assertRejects(() => compileWebGpu(plan, device), JitError, "smaller batch");
  const mebibytes = Math.floor(limit / 2 ** 20);
  assert(error.message.includes(`at most ${mebibytes} MiB (the device's maxStorageBufferBinding`));
  device.destroy();
});

webgpuTest("memory that the device refuses is an error with its size", async () => {
  const device = await plainDevice();
  const refusing = new Proxy(device, {
    get(target, key) {
      if (key === "limits") {
        return {
          maxBufferSize: 2 ** 50,
          maxStorageBufferBindingSize: 2 ** 50,
          minUniformBufferOffsetAlignment: 256,
        };
      }
      const member = Reflect.get(target, key);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  const plan: Plan = { ...planOf(counter(3)), arenaSize: 2 ** 38 };
  await assertRejects(
    () => compileWebGpu(plan, refusing),
    JitError,
    "the device refused 1048576 MiB of memory",
  );
  device.destroy();
});

webgpuTest("a lost device is named, and that the checkpoint is intact", async () => {
  const device = await plainDevice();
  const executable = await compileWebGpu(planOf(counter(3)), device);
  executable.run();
  const reading = executable.readOutput(0);
  device.destroy();
  await assertRejects(() => reading, JitError, "checkpoint is intact");
  await device.lost;
  assertThrows(() => executable.run(), JitError, "the WebGPU device was lost (destroyed");
  await assertRejects(() => executable.readOutput(0), JitError, "the WebGPU device was lost");
  await assertRejects(() => compileWebGpu(planOf(counter(3)), device), JitError, "was lost");
  executable.dispose();
});

webgpuTest("a disposed program refuses to run", async () => {
  const executable = await compileWebGpu(planOf(counter(3)), openGpu());
  executable.dispose();
  executable.dispose();
  assertThrows(() => executable.run(), JitError, "disposed");
  await assertRejects(() => executable.readOutput(0), JitError, "disposed");
});
