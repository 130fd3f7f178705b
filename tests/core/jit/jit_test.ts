import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { VapoError } from "../../../core/errors.ts";
import { jit, JitError, type JitOptions } from "../../../core/jit/mod.ts";
import {
  openDevice,
  randomBits,
  randomKey,
  type Tensor,
  type TensorRecord,
  tf,
} from "../../../core/tensor/mod.ts";
import { assignConfig } from "../../../core/train/config.ts";
import { openDataSource } from "../../../core/train/data_source.ts";
import { presetConfig } from "../../../core/train/presets.ts";
import { disposeState, flattenState, type TrainingState } from "../../../core/train/state.ts";
import { initialState } from "../../../core/train/initial_state.ts";
import { trainingProblem } from "../../../core/train/training_problem.ts";
import { wholeStep } from "../../../core/train/training_step.ts";
import { webgpuTest } from "../../webgpu.ts";

type State = TrainingState & TensorRecord;

async function tinyTraining(...settings: string[]) {
  const config = assignConfig(presetConfig("8gaussians"), [
    "potential.hidden=[13,16]",
    "training.batchSize=37",
    ...settings,
  ]);
  const problem = trainingProblem(config, await openDataSource("8gaussians"));
  const program = (threads?: number) =>
    jit(
      wholeStep(problem) as unknown as (state: State) => { state: State; metrics: TensorRecord },
      {
        donate: true,
        threads,
      },
    );
  return { problem, program, start: () => initialState(problem) as State };
}

/** The bits of a state, as text. */
async function bitsOf(state: State): Promise<Record<string, string>> {
  const bits: Record<string, string> = {};
  for (const [name, tensor] of Object.entries(flattenState(state))) {
    const values = await tensor.data() as Float32Array | Int32Array;
    bits[name] = [...new Uint32Array(values.slice().buffer)].join();
  }
  disposeState(state);
  return bits;
}

async function runFor(steps: number, state: State, threads?: number): Promise<State> {
  const { program } = await tinyTraining();
  const session = await program(threads).load(state);
  session.run(steps);
  const after = session.state() as State;
  session.dispose();
  disposeState(state);
  return after;
}

Deno.test("a training run has the same bits on one, two and three threads", async () => {
  await openDevice("wasm");
  const { start } = await tinyTraining();
  const [one, two, three] = await Promise.all(
    [1, 2, 3].map(async (threads) => await bitsOf(await runFor(25, start(), threads))),
  );
  assertEquals(two, one);
  assertEquals(three, one);
});

Deno.test("a run that is taken up again has the bits of one that never stopped", async () => {
  await openDevice("wasm");
  const { start } = await tinyTraining();
  const straight = await bitsOf(await runFor(20, start()));
  const resumed = await bitsOf(await runFor(12, await runFor(8, start())));
  assertEquals(resumed, straight);
});

Deno.test("a compiled step is the eager one", async () => {
  await openDevice("wasm");
  const { problem, program, start } = await tinyTraining();
  const state = start();
  const session = await program().load(state);
  session.run();
  const { metrics } = await session.read() as { metrics: Record<string, Float32Array> };
  const eager = tf.tidy(() => wholeStep(problem)(state).metrics as never) as TensorRecord;
  for (const [name, tensor] of Object.entries(eager)) {
    assertAlmostEquals(metrics[name][0], tensor.dataSync()[0], 2e-5, name);
  }
  session.dispose();
  tf.dispose(eager);
  disposeState(state);
});

Deno.test("ten thousand steps hold memory flat, and nothing is left behind", async () => {
  await openDevice("wasm");
  const { program, start } = await tinyTraining("potential.hidden=[8]", "training.batchSize=8");
  const before = tf.memory().numTensors;
  const state = start();
  const session = await program().load(state);
  session.run(1000);
  await session.read();
  const { rss } = Deno.memoryUsage();
  for (let i = 0; i < 90; i++) {
    session.run(100);
    await session.read();
  }
  const grown = (Deno.memoryUsage().rss - rss) / 2 ** 20;
  assert(grown < 32, `${grown} MiB more`);
  const after = session.state() as State;
  assertEquals(after.counters.step.dataSync()[0], 10_000);
  session.dispose();
  disposeState(after);
  disposeState(state);
  assertEquals(tf.memory().numTensors, before);
});

Deno.test("loading, running and disposing leaves no tensor", async () => {
  await openDevice("wasm");
  const { program, start } = await tinyTraining();
  const before = tf.memory().numTensors;
  const state = start();
  const session = await program().load(state);
  session.run(3);
  disposeState(session.state() as State);
  tf.dispose(session.results() as never);
  session.dispose();
  disposeState(state);
  assertEquals(tf.memory().numTensors, before);
});

Deno.test("a program is made once a signature", async () => {
  await openDevice("wasm");
  let traces = 0;
  const double = jit((x: Tensor) => {
    traces++;
    return tf.mul(x, 2);
  });
  const call = async (...values: number[]) => [...(await double(tf.tensor1d(values))).dataSync()];
  assertEquals(await call(1, 2), [2, 4]);
  assertEquals(await call(3, 4), [6, 8]);
  assertEquals(traces, 1);
  assertEquals(await call(5), [10]);
  assertEquals(traces, 2);
  double.dispose();
});

Deno.test("several results, shared and passed through, and constants", async () => {
  await openDevice("wasm");
  const f = jit(({ x, y }: { x: Tensor; y: Tensor }) => {
    const sum = tf.add(x, y);
    return { sum, again: sum, x, list: [tf.scalar(3), tf.reshape(x, [2, 1])] };
  });
  const { sum, again, x, list } = await f({ x: tf.tensor1d([1, 2]), y: tf.scalar(10) });
  assertEquals([sum, again, x].map((t) => [...t.dataSync()]), [[11, 12], [11, 12], [1, 2]]);
  assertEquals(list.map((t) => t.shape), [[], [2, 1]]);
  assertEquals(list.map((t) => [...t.dataSync()]), [[3], [1, 2]]);
  f.dispose();
});

Deno.test("a thousand arguments and results", async () => {
  await openDevice("wasm");
  const f = jit((terms: Tensor[]) => ({
    sum: terms.reduce((sum, term) => tf.add(tf.mul(sum, 0.5), term)),
    squares: terms.map((term) => tf.square(term)),
  }));
  const terms = Array.from({ length: 1100 }, (_, i) => tf.scalar(i));
  const { sum, squares } = await f(terms);
  assertAlmostEquals(sum.dataSync()[0], 2 * 1099 - 2, 1e-3);
  assertEquals(squares.map((square) => square.dataSync()[0]), terms.map((_, i) => i * i));
  f.dispose();
});

Deno.test("static arguments change nothing but what is done when", async () => {
  await openDevice("wasm");
  const f = (x: Tensor, w: Tensor) => tf.matMul(x as never, tf.softmax(tf.square(w) as never));
  const x = tf.tensor2d([[1, 2], [3, 5]]), w = tf.tensor2d([[0.1, 0.4], [0.2, -0.3]]);
  const plain = await jit(f).load(x, w), split = await jit(f, { static: [1] }).load(x, w);
  plain.run();
  split.run();
  assertEquals([...split.results().dataSync()], [...plain.results().dataSync()]);
  assert(split.statistics.kernels < plain.statistics.kernels);
  assertThrows(() => split.write(1, w), JitError, "argument 1 was declared static");
  plain.dispose();
  split.dispose();
  const called = jit(f, { static: [1] });
  await called(x, w);
  assertEquals([...(await called(x, tf.zeros([2, 2]))).dataSync()], [1.5, 1.5, 4, 4]);
  called.dispose();
});

Deno.test("options that mean nothing are refused", async () => {
  await openDevice("wasm");
  const refused = (options: JitOptions, message: string) =>
    assertRejects(
      () => jit(({ n }: { n: Tensor }) => ({ state: { n } }), options).load({ n: tf.zeros([2]) }),
      VapoError,
      message,
    );
  await refused({ donate: true, static: [0] }, "argument 0 is both state and static");
  await refused({ static: [1] }, "static names argument 1: expected a whole number below 1");
  await refused({ threads: 0 }, "threads is 0: expected a whole number");
  await refused({ threads: NaN }, "threads is NaN");
});

Deno.test("read gives a tree like that of the results, without the state", async () => {
  await openDevice("wasm");
  const f = ({ n }: { n: Tensor }) => ({
    state: { n: tf.add(n, 1) },
    "a/b": n,
    list: [n, { c: tf.greater(n, 0) }],
  });
  const session = await jit(f, { donate: true }).load({ n: tf.scalar(4) });
  session.run();
  const four = Float32Array.of(4), rest = { "a/b": four, list: [four, { c: Int32Array.of(1) }] };
  assertEquals(await session.read(), rest);
  session.dispose();
  // A function without state may call something so.
  const plain = await jit(f).load({ n: tf.scalar(4) });
  plain.run();
  assertEquals(await plain.read(), { state: { n: Float32Array.of(5) }, ...rest });
  assertThrows(() => plain.state(), JitError, "no state");
  plain.dispose();
});

Deno.test("state whose names would be the same with slashes", async () => {
  await openDevice("wasm");
  type State = { "x/y": Tensor; x: { y: Tensor } };
  const session = await jit(
    (state: State) => ({ state: { "x/y": tf.add(state["x/y"], 1), x: { y: tf.neg(state.x.y) } } }),
    { donate: true },
  ).load({ "x/y": tf.scalar(1), x: { y: tf.scalar(5) } });
  session.run(3);
  const { "x/y": sum, x: { y } } = session.state();
  assertEquals([sum.dataSync()[0], y.dataSync()[0]], [4, -5]);
  session.dispose();
});

Deno.test("state that does not come back as it went is refused by name", async () => {
  await openDevice("wasm");
  const load = (f: (state: { n: Tensor }) => Record<string, never>) =>
    jit(f as never, { donate: true }).load({ n: tf.zeros([2]) } as never);
  const refused = (f: (state: { n: Tensor }) => unknown, message: string) =>
    assertRejects(() => load(f as never), JitError, message);
  await refused(({ n }) => ({ total: tf.sum(n) }), "nothing as state/n: expected float32[2]");
  await refused(({ n }) => ({ state: { n: tf.sum(n) } }), "float32[] as state/n");
  await refused(({ n }) => ({ state: { n, m: n } }), "state/m, which its first argument does not");
});

Deno.test("arguments of another shape, type or name are refused", async () => {
  await openDevice("wasm");
  const session = await jit(({ a }: { a: Tensor }) => ({ b: tf.neg(a) })).load({
    a: tf.zeros([2]),
  });
  const write = (tree: Record<string, Tensor>) => () => session.write(0, tree);
  assertThrows(write({ a: tf.zeros([3]) }), JitError, "0/a float32[3]: expected 0/a float32[2]");
  assertThrows(write({ c: tf.zeros([2]) }), JitError, "expected 0/a");
  assertThrows(write({}), JitError, "0 tensors: expected 1");
  assertThrows(() => session.state(), JitError, "no state");
  session.dispose();
  session.dispose();
  assertThrows(() => session.run(), JitError, "disposed");
});

Deno.test("a host read is an error with its line, and the next compilation works", async () => {
  await openDevice("wasm");
  const reads = jit((x: Tensor) => tf.mul(x, tf.sum(x).dataSync()[0]));
  const error = await assertRejects(() => reads(tf.ones([2])), JitError, "Sum");
  assert(/jit_test\.ts:\d+/.test(error.message), error.message);
  const works = jit((x: Tensor) => tf.mul(x, tf.sum(x)));
  assertEquals([...(await works(tf.ones([2]))).dataSync()], [2, 2]);
  works.dispose();
});

Deno.test("explain tells of graph, kernels and memory", async () => {
  await openDevice("wasm");
  const { program, start } = await tinyTraining();
  const state = start();
  const session = await program().load(state);
  const text = session.explain();
  for (const word of ["Kernels", "FLOP", "Memory", "arena", "product [37, 13]·[13, 16]"]) {
    assert(text.includes(word), `${word} in ${text}`);
  }
  const { kernels, arenaBytes, livenessBytes } = session.statistics;
  assert(kernels <= 60, `${kernels} kernels`);
  assert(arenaBytes <= 1.3 * livenessBytes);
  session.dispose();
  disposeState(state);
});

webgpuTest("state stays on a WebGPU device, and random integers are the same", async () => {
  const draw = (step: Tensor) => randomBits({ ...randomKey(5, 0), step }, [9, 5]);
  const program = jit(
    ({ step, x }: { step: Tensor; x: Tensor }) => ({
      state: { step: tf.add(step, tf.scalar(1, "int32")), x: tf.mul(x, 0.5) },
      bits: draw(step),
    }),
    { donate: true },
  );
  const run = async () => {
    const start = { step: tf.scalar(0, "int32"), x: tf.fill([1000], 8) };
    const session = await program.load(start);
    session.run(3);
    const { step, x } = session.state();
    const { bits } = await session.read() as { bits: Int32Array };
    const found = { bits: [...bits], step: [...await step.data()], x: (await x.data())[999] };
    session.dispose();
    return found;
  };
  const onGpu = await run();
  await openDevice("wasm");
  assertEquals(onGpu, await run());
  assertEquals([onGpu.step, onGpu.x], [[3], 1]);
});

webgpuTest("any and all are right where eager TensorFlow.js is not", async () => {
  const f = jit((x: Tensor) => ({ any: tf.any(tf.greater(x, 2)), all: tf.all(tf.less(x, 4), 1) }));
  const { any, all } = await f(tf.tensor2d([[1, 3], [5, 0]]));
  assertEquals([...await any.data()], [1]);
  assertEquals([...await all.data()], [1, 0]);
  f.dispose();
});
