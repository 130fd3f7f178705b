import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { ConfigError } from "../../../core/errors.ts";
import { openDevice, tf } from "../../../core/tensor/mod.ts";
import { openDataSource } from "../../../core/train/data_source.ts";
import { readMetrics } from "../../../core/train/run_directory.ts";
import { memoryStorage } from "../../../core/train/run_storage.ts";
import { train } from "../../../core/train/trainer.ts";
import { trainingProblem } from "../../../core/train/training_problem.ts";
import { settingsConfig } from "../../../web/laboratory/settings_config.ts";
import { tinySettings, trainTo, withEngine } from "./tiny_engine.ts";

const learned = { kind: "learned" } as const;
const field = { subject: learned, u: 0.5, size: 8, extent: 4 } as const;

Deno.test("metrics are those that train() notes, to the last bit", () =>
  withEngine(async (engine, told) => {
    const facts = await engine.open(tinySettings);
    assertEquals([facts.step, facts.steps, facts.metrics], [0, 40, []]);
    assertEquals([facts.device.name, facts.threads, facts.uMax], ["wasm", 1, 0.99]);
    assertEquals([facts.components.length, facts.exact, facts.noise], [8, true, 0.24]);
    await trainTo(engine, told, 40);
    const last = told.progress.at(-1)!;
    assertEquals([last.step, last.playing, last.finished, last.stepsPerSecond], [
      40,
      false,
      true,
      0,
    ]);

    const config = settingsConfig(tinySettings);
    await openDevice("wasm", { threads: 1 });
    const problem = trainingProblem(config, await openDataSource(config.data));
    const storage = memoryStorage();
    await train(problem, { storage });
    assertEquals(told.progress.flatMap(({ metrics }) => metrics), await readMetrics(storage));
    assert("excess" in last.metrics.at(-1)! && "minimum" in last.metrics.at(-1)!);
    // At its end a run stays where it is.
    await engine.play();
    await engine.step();
    assertEquals(told.progress.at(-1)!.step, 40);
  }));

Deno.test("two runs of the same settings are the same at a step, however they came there", () =>
  withEngine(async (engine, told) => {
    const at: Float32Array[] = [];
    for (const way of ["steps", "play", "pauses"]) {
      await engine.open(tinySettings);
      if (way === "steps") { for (let i = 0; i < 13; i++) await engine.step(); }
      if (way === "play") await trainTo(engine, told, 13);
      if (way === "pauses") {
        await trainTo(engine, told, 6);
        await Promise.all([engine.field(field), engine.measure(), trainTo(engine, told, 13)]);
      }
      const { potential, velocity, step } = await engine.field(field);
      assertEquals(step, 13, way);
      at.push(Float32Array.of(...potential, ...velocity));
    }
    assertEquals(at[1], at[0]);
    assertEquals(at[2], at[0]);
  }));

Deno.test("a pause stops at once and for good; a step is one", () =>
  withEngine(async (engine, told) => {
    await engine.open({ ...tinySettings, steps: 100_000 });
    await engine.play();
    await told.until(({ playing, step }) => playing && step > 0);
    await engine.pause();
    const last = told.progress.at(-1)!;
    assertEquals([last.playing, last.finished], [false, false]);
    await engine.step();
    assertEquals(told.progress.at(-1)!.step, last.step + 1);
    assertEquals((await engine.field(field)).step, last.step + 1);
    // Pauses and plays in a row: the last one counts.
    await Promise.all([engine.play(), engine.pause(), engine.play(), engine.pause()]);
    assertEquals(told.progress.at(-1)!.playing, false);
    await Promise.all([engine.pause(), engine.play(last.step + 300)]);
    await told.until(({ step, playing }) => step === last.step + 300 && !playing);
  }));

Deno.test("nothing starves: training, fields, flows and messages all come on", () =>
  withEngine(async (engine, told) => {
    await engine.open({ ...tinySettings, steps: 100_000 });
    await engine.play();
    const fields: number[] = [];
    let flows = 0, turns = 0, going = true;
    const keepOn = async (work: () => Promise<void>) => {
      while (going) await work();
    };
    const all = [
      keepOn(async () => void fields.push((await engine.field(field)).step)),
      keepOn(async () => {
        const choice = { solver: "radau", steps: 1, tolerance: 1e-3 } as const;
        const request = { ...choice, n: 200, seed: 0, until: null, frames: 3 };
        await engine.flow({ ...request, subject: learned });
        flows++;
      }),
      keepOn(async () => {
        await new Promise((resolve) => setTimeout(resolve));
        turns++;
      }),
    ];
    while (!(fields.length >= 20 && flows >= 2 && turns >= 20)) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    going = false;
    await Promise.all(all);
    assert(fields.at(-1)! > fields[0], `${fields}`);
    fields.reduce((before, step) => {
      assert(step >= before);
      return step;
    });
    const steps = told.progress.map(({ step }) => step);
    assertEquals(steps, steps.toSorted((a, b) => a - b));
    assert(told.progress.some(({ stepsPerSecond }) => stepsPerSecond > 0));
  }));

Deno.test("opening another run ends the one before, and requests are answered by the new one", () =>
  withEngine(async (engine, told) => {
    await engine.open({ ...tinySettings, steps: 100_000 });
    await engine.play();
    await told.until(({ step }) => step > 0);
    const request = { n: 500, seed: 0, until: null, frames: 2, subject: learned } as const;
    const pending = [
      engine.field(field),
      engine.flow({ ...request, solver: "radau", steps: 1, tolerance: 1e-4 }),
      engine.measure(),
    ] as const;
    const opened = [1, 2, 3].map((seed) => engine.open({ ...tinySettings, seed }));
    const early = engine.field(field);
    const told0 = told.progress.length;
    const facts = await Promise.all(opened);
    assertEquals(facts.map(({ step }) => step), [0, 0, 0]);
    const [before, flow, measures] = await Promise.all(pending);
    assertEquals([(await early).step, flow.step, measures.step], [0, 0, 0]);
    assert(before.step >= 0);
    // Nothing more is heard of the run that was played.
    assert(told.progress.slice(told0).every(({ step }) => step === 0));
    const last = await engine.field(field);
    await engine.open({ ...tinySettings, seed: 3 });
    assertEquals((await engine.field(field)).potential, last.potential);
  }));

Deno.test("settings that make no run leave the present one as it is", () =>
  withEngine(async (engine, told) => {
    await engine.open(tinySettings);
    await trainTo(engine, told, 3);
    await assertRejects(
      () => engine.open({ ...tinySettings, learningRate: -1 }),
      ConfigError,
      "optimizer.learningRate",
    );
    assertEquals((await engine.field(field)).step, 3);
  }));

Deno.test("a training that diverges stops, with a line that says so", () =>
  withEngine(async (engine, told) => {
    await engine.open({
      ...tinySettings,
      other: { "optimizer.clipNorm": null },
      learningRate: 1e30,
    });
    await engine.play();
    await told.until(({ playing }) => !playing);
    await engine.pause();
    assertEquals(told.failures.length, 1);
    assert(/^the loss or its gradient is not finite at step \d+: lower/.test(told.failures[0]));
    const last = told.progress.at(-1)!;
    assert(!last.playing && last.step < 40);
    // The engine is as good as before.
    assertEquals((await engine.open(tinySettings)).step, 0);
    await trainTo(engine, told, 2);
  }));

Deno.test("runs that are dropped leave no tensors behind", () =>
  withEngine(async (engine, told) => {
    const request = { n: 10, seed: 0, until: null, frames: 2, steps: 4, tolerance: 1e-2 } as const;
    const live = async (seed: number) => {
      await engine.open({ ...tinySettings, seed });
      await trainTo(engine, told, 12);
      await engine.field(field);
      for (const solver of ["rk45", "heun", "radau", "euler-maruyama"] as const) {
        await engine.flow({ ...request, subject: learned, solver, refineSteps: 2 });
      }
      await engine.flow({ ...request, subject: { kind: "exact" }, solver: "stochastic-heun" });
      await engine.measure();
      await engine.dataSamples(10);
      await engine.exportRun("run");
      await engine.drop((await engine.keep("kept")).id);
      return tf.memory().numTensors;
    };
    const first = await live(1);
    for (let seed = 2; seed < 5; seed++) assertEquals(await live(seed), first);
  }));

Deno.test("measures come near those of a perfect sampler as the run goes on", () =>
  withEngine(async (engine, told) => {
    const { entropy } = await engine.open({
      ...tinySettings,
      width: 64,
      batchSize: 256,
      steps: 300,
    });
    const start = await engine.measure();
    assertEquals(start.step, 0);
    await trainTo(engine, told, 300);
    const end = await engine.measure(), again = await engine.measure();
    assertEquals(again, end);
    assertEquals([end.step, end.energyDistanceOfData], [300, start.energyDistanceOfData]);
    assert(end.energyDistance < start.energyDistance / 20, JSON.stringify(end));
    assert(end.energyDistanceOfData > 0 && end.energyDistanceOfData < 0.02);
    assert(end.negativeLogLikelihood < start.negativeLogLikelihood - 1);
    // No model is better than the entropy, but for 500 points' standard error, some 0.045.
    assert(end.negativeLogLikelihood > entropy! - 0.2);
    assert(end.withinModes! > 0.7 && start.withinModes! < 0.2);
    assertAlmostEquals(entropy!, Math.log(8) + Math.log(2 * Math.PI * Math.E * 0.24 ** 2), 1e-3);
    const moons = { name: "2moons", noise: null, weights: null, points: null } as const;
    await engine.open({ ...tinySettings, data: moons });
    assertEquals((await engine.measure()).withinModes, null);
  }));

Deno.test("samples of the data are the data's, the same each time", () =>
  withEngine(async (engine) => {
    await engine.open(tinySettings);
    const samples = await engine.dataSamples(50);
    assertEquals(samples.length, 100);
    assertEquals(await engine.dataSamples(50), samples);
    for (let i = 0; i < 100; i += 2) {
      assertAlmostEquals(Math.hypot(samples[i], samples[i + 1]), 3.6, 1.2);
    }
  }));

Deno.test("on the device that compiles nothing the engine does the same", () =>
  withEngine(async (engine, told) => {
    const small = { ...tinySettings, width: 8, depth: 1, steps: 10 };
    const seen = [];
    for (const device of ["cpu", "wasm"] as const) {
      const facts = await engine.open({ ...small, device });
      assertEquals([facts.device.name, facts.threads], [device, 1]);
      await trainTo(engine, told, 10);
      const { potential, velocity } = await engine.field(field);
      const request = { n: 4, seed: 0, until: null, frames: 3, steps: 5, tolerance: 1e-3 } as const;
      const flows = [];
      for (const solver of ["heun", "rk45", "stochastic-heun"] as const) {
        flows.push(...(await engine.flow({ ...request, solver, subject: learned })).positions);
      }
      const { energyDistance, negativeLogLikelihood } = await engine.measure();
      seen.push([...potential, ...velocity, ...flows, energyDistance, negativeLogLikelihood]);
    }
    const [cpu, wasm] = seen;
    cpu.forEach((value, i) => assertAlmostEquals(value, wasm[i], 2e-3));
  }));
