import { assert, assertEquals, assertThrows } from "@std/assert";
import { evaluate } from "../../../../core/jit/evaluate.ts";
import { JitError } from "../../../../core/jit/errors.ts";
import { trace } from "../../../../core/jit/trace/trace.ts";
import { openDevice, type Tensor, tf } from "../../../../core/tensor/mod.ts";
import { webgpuTest } from "../../../webgpu.ts";
import {
  assertAgrees,
  assertNear,
  floats,
  held,
  onDevices,
  run,
  traceCleanly,
} from "./agreement.ts";

Deno.test("inputs and outputs are named by their paths", async () => {
  await openDevice("cpu");
  const big = floats([2000]);
  const { graph, structure } = traceCleanly(
    ({ parameters: { w } }, x, list) => ({ y: tf.mul(w, x), more: [list[0], tf.sum(big)] }),
    [{ parameters: { w: floats([3]) } }, floats([3]), [floats([1]), floats([2])]],
  );
  const names = graph.inputs.map(({ name }) => name);
  assertEquals(names, ["0/parameters/w", "1", "2/0", "2/1", "captured/0"]);
  assertEquals(graph.outputs.map(({ name }) => name), ["y", "more/0", "more/1"]);
  assertEquals(structure.kind, "record");
});

Deno.test("shapes and types are enough", async () => {
  await openDevice("cpu");
  const { graph } = traceCleanly(
    (x, n) => tf.mul(x, tf.cast(n, "float32")),
    // deno-lint-ignore no-explicit-any -- the helper is for tensors
    [{ shape: [3, 1], dtype: "float32" }, { shape: [4], dtype: "int32" }] as any,
  );
  assertEquals(graph.nodes[graph.outputs[0].node].shape, [3, 4]);
});

Deno.test("every node knows the line that asked for it", async () => {
  await openDevice("cpu");
  const { graph } = traceCleanly((x) => tf.exp(tf.mul(x, 2)), [floats([3])]);
  const file = new URL(import.meta.url).pathname;
  for (const { operation, source } of graph.nodes) {
    if (operation.kind !== "input") assert(source?.startsWith(`${file}:`), source);
  }
});

onDevices("what the function closes over is a constant if it is small, an input else", () => {
  const small = floats([1024]), big = floats([1025]), variable = tf.variable(floats([2]));
  const f = (x: Tensor) =>
    tf.addN([
      tf.mul(x, tf.sum(small)),
      tf.mul(x, tf.sum(big)),
      tf.mul(x, tf.max(tf.reshape(big, [25, 41]))),
      tf.mul(x, tf.sum(variable)),
    ]);
  const x = floats([3]);
  assertAgrees("sum", f, [x]);
  const { captured, graph } = traceCleanly(f, [x]);
  assertEquals(captured.map(({ tensor }) => tensor), [big, variable]);
  assertEquals(captured.map(({ input }) => graph.inputs[input].name), ["captured/0", "captured/1"]);
  variable.dispose();
});

onDevices("tensors that share their values are captured once, in each shape", (device) => {
  const big = floats([40, 50]), same = tf.reshape(big, [50, 40]), clone = tf.clone(big);
  const f = (x: Tensor) => tf.addN([x, tf.sum(big), tf.sum(tf.matMul(big, same)), tf.max(clone)]);
  const { captured } = traceCleanly(f, [floats([])]);
  // The WebAssembly backend copies what it clones.
  assertEquals(captured.length, device === "cpu" ? 1 : 2);
  assertAgrees("sum", f, [floats([])], { relative: 1e-5 });
});

Deno.test("tensors of another backend are not moved", async () => {
  await openDevice("cpu");
  const onCpu = floats([5]), bigOnCpu = floats([3000]);
  const cpu = tf.backend();
  await openDevice("wasm");
  const ids = cpu.numDataIds();
  const traced = traceCleanly((x) => tf.mul(tf.sum(bigOnCpu), tf.mul(x, onCpu)), [floats([5])]);
  assertEquals(cpu.numDataIds(), ids);
  assertEquals(traced.captured.length, 1);
});

Deno.test("results may be arguments, captured tensors, constants, and the same twice", async () => {
  await openDevice("cpu");
  const small = floats([2]), big = floats([2000]);
  const f = (x: Tensor) => {
    const y = tf.neg(x);
    return { x, small, big, y, again: y, one: tf.ones([3]) };
  };
  const x = floats([4]);
  const traced = traceCleanly(f, [x]);
  const values = run(traced, [x]);
  const expected = [x, small, big, tf.neg(x), tf.neg(x), tf.ones([3])];
  values.forEach((value, i) =>
    assertEquals([...value.slice(0, 2)], [...expected[i].dataSync().slice(0, 2)])
  );
});

onDevices("tidy, keep, clones and custom gradients work inside", () => {
  const sine = tf.customGrad((x, save) => {
    (save as tf.GradSaveFunc)([x as Tensor]);
    return {
      value: tf.sin(x as Tensor),
      gradFunc: (dy, saved) => tf.mul(dy, tf.mul(2, tf.cos(saved[0]))),
    };
  });
  const f = (x: Tensor) => {
    const kept = tf.tidy(() => tf.keep(tf.square(x)));
    const copy = tf.clone(kept);
    if (!kept.isDisposed) kept.dispose();
    const { value, grads } = tf.valueAndGrads((a: Tensor) => tf.sum(sine(a)))([copy]);
    return { value, gradient: grads[0] };
  };
  assertAgrees("custom", f, [floats([5])]);
});

Deno.test("what is kept or held on to inside is disposed", async () => {
  await openDevice("cpu");
  const outside: Tensor[] = [];
  traceCleanly((x) => {
    outside.push(tf.keep(tf.neg(x)), tf.exp(x));
    return tf.square(x);
  }, [floats([3])]);
  for (const tensor of outside) assert(tensor.isDisposed);
});

Deno.test("a function that throws leaves nothing behind either", async () => {
  await openDevice("wasm");
  const x = floats([3]);
  const before = held();
  const broken = (x: Tensor): Tensor =>
    tf.tidy(() =>
      tf.grad((x) => {
        tf.keep(tf.exp(x));
        throw new RangeError("mine");
      })(x)
    );
  assertThrows(() => trace(broken, [x]), RangeError, "mine");
  assertEquals(held(), before);
  assertAgrees("afterwards", (x) => tf.grad((x) => tf.square(x))(x), [x]);
});

Deno.test("a trace inside an eager gradient does not write on its tape", async () => {
  await openDevice("cpu");
  const x = floats([3]);
  let nodes = 0;
  const gradient = tf.grad((x) => {
    const y = tf.square(x);
    nodes = trace((x: Tensor) => tf.grad((x) => tf.pow(x, 3))(x), [x]).graph.nodes.length;
    return y;
  })(x);
  assert(nodes > 3);
  assertEquals([...gradient.dataSync()], [...tf.mul(x, 2).dataSync()]);
});

Deno.test("tracing again gives the same graph", async () => {
  await openDevice("cpu");
  const x = floats([3, 4]);
  const f = (x: Tensor) => tf.grad((x) => tf.sum(tf.erf(tf.matMul(x, tf.transpose(x)))))(x);
  assertEquals(trace(f, [x]).graph, trace(f, [x]).graph);
});

Deno.test("an argument of a type that graphs do not have is refused", async () => {
  await openDevice("cpu");
  assertThrows(
    () => trace((x: Tensor) => x, [tf.tensor(["a", "b"])]),
    JitError,
    "argument 0 is of type string",
  );
});

webgpuTest("on WebGPU nothing is read: what the function closes over is an input", async () => {
  const x = tf.tensor1d([1, 2, 3]), small = tf.exp(x);
  const traced = traceCleanly((x) => tf.grad((x) => tf.mul(tf.square(x), small))(x), [x]);
  assertEquals(traced.captured.map(({ tensor }) => tensor), [small]);
  const [values] = evaluate(
    traced.graph,
    await Promise.all([x, small].map(async (tensor) => Float32Array.from(await tensor.data()))),
  );
  const expected = await tf.mul(tf.mul(x, 2), small).data();
  assertNear(values, expected, 1e-6, "gradient");
  tf.dispose([x, small]);
});
