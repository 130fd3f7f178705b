import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { evaluate, type Values } from "../../../core/jit/evaluate.ts";
import { GraphBuilder, type Operation, sizeOf, type ValueType } from "../../../core/jit/graph.ts";
import { philox4x32 } from "../../../core/tensor/philox.ts";

await tf.setBackend("cpu");

const float = (...shape: number[]): ValueType => ({ shape, type: "float32" });
const int = (...shape: number[]): ValueType => ({ shape, type: "int32" });
const ramp = (shape: readonly number[], step = 1) =>
  Float32Array.from({ length: sizeOf(shape) }, (_, i) => Math.fround(Math.sin(i * step + 1)));

/** The result of a single operation. */
function apply(operation: Operation, ...operands: [ValueType, Values | number[]][]): number[] {
  const builder = new GraphBuilder();
  const inputs = operands.map(([type], i) => builder.input(`x${i}`, type));
  const node = builder.add(operation, inputs);
  const cells = operands.map(([{ type }, values]) =>
    type === "float32" ? Float32Array.from(values) : Int32Array.from(values)
  );
  return [...evaluate(builder.finish([{ name: "y", node }]), cells)[0]];
}

function assertClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-5) {
  assertEquals(actual.length, expected.length);
  for (let i = 0; i < actual.length; i++) assertAlmostEquals(actual[i], expected[i], tolerance);
}

Deno.test("values are rounded to float32 a node, sums only at the end", () => {
  const numbers = [16777216, 1, 1]; // 2²⁴, where float32 steps are 2
  assertEquals(apply({ kind: "reduce", name: "sum", axes: [0] }, [float(3), numbers]), [16777218]);
  const add: Operation = { kind: "elementwise", name: "add" };
  assertEquals(apply(add, [float(1), [16777216]], [float(1), [1]]), [16777216]);
});

Deno.test("integers wrap at 32 bits", () => {
  const product: Operation = { kind: "elementwise", name: "multiply" };
  assertEquals(apply(product, [int(1), [0x7fffffff]], [int(1), [0x7fffffff]]), [1]);
  const sum: Operation = { kind: "elementwise", name: "add" };
  assertEquals(apply(sum, [int(), [0x7fffffff]], [int(2), [1, 2]]), [-2147483648, -2147483647]);
});

Deno.test("elementwise operations broadcast as TensorFlow.js does", () => {
  const [a, b] = [[3, 1, 2], [4, 1]];
  const expected = tf.div(tf.tensor(ramp(a), [3, 1, 2]), tf.tensor(ramp(b), [4, 1])).dataSync();
  assertClose(
    apply({ kind: "elementwise", name: "divide" }, [float(...a), ramp(a)], [float(...b), ramp(b)]),
    expected,
  );
  const condition: ValueType = { shape: [2], type: "bool" };
  assertEquals(
    apply({ kind: "elementwise", name: "select" }, [condition, [1, 0]], [float(2), [5, 6]], [
      float(),
      [7],
    ]),
    [5, 7],
  );
});

Deno.test("moves of cells agree with TensorFlow.js", () => {
  const shape = [2, 3, 4], values = ramp(shape);
  const x = tf.tensor(values, [2, 3, 4]), operand: [ValueType, Values] = [float(...shape), values];
  const cases: [Operation, tf.Tensor][] = [
    [{ kind: "transpose", permutation: [2, 0, 1] }, tf.transpose(x, [2, 0, 1])],
    [{ kind: "reverse", axes: [0, 2] }, tf.reverse(x, [0, 2])],
    [
      { kind: "slice", begin: [0, 1, 0], size: [2, 2, 2], strides: [1, 1, 3] },
      tf.stridedSlice(x, [0, 1, 0], [2, 3, 4], [1, 1, 3]),
    ],
    [
      { kind: "pad", before: [1, 0, 2], after: [0, 1, 0], interior: [0, 0, 0], value: 9 },
      tf.pad(x, [[1, 0], [0, 1], [2, 0]], 9),
    ],
    [{ kind: "broadcast", shape: [5, 2, 3, 4] }, tf.broadcastTo(x, [5, 2, 3, 4])],
    [{ kind: "reduce", name: "sum", axes: [0, 2] }, tf.sum(x, [0, 2])],
    [{ kind: "reduce", name: "maximum", axes: [1] }, tf.max(x, 1)],
    [{ kind: "reduce", name: "minimum", axes: [0, 1, 2] }, tf.min(x)],
  ];
  for (const [operation, expected] of cases) {
    assertClose(apply(operation, operand), expected.dataSync());
  }
  const concat = apply({ kind: "concat", axis: 1 }, operand, operand);
  assertClose(concat, tf.concat([x, x], 1).dataSync());
  const rows = apply({ kind: "gather" }, operand, [int(2, 2), [1, 0, 1, 1]]);
  assertClose(rows, tf.gather(x, tf.tensor2d([[1, 0], [1, 1]], [2, 2], "int32")).dataSync());
});

Deno.test("pad puts interior cells between neighbours only", () => {
  const spread: Operation = { kind: "pad", before: [1], after: [0], interior: [2], value: 0 };
  assertEquals(apply(spread, [float(3), [1, 2, 3]]), [0, 1, 0, 0, 2, 0, 0, 3]);
});

Deno.test("products agree with TensorFlow.js, transposed and with either batch 1", () => {
  for (const transposeA of [false, true]) {
    for (const transposeB of [false, true]) {
      for (const [batchA, batchB] of [[2, 2], [1, 2], [2, 1]]) {
        const a = [batchA, ...(transposeA ? [4, 3] : [3, 4])];
        const b = [batchB, ...(transposeB ? [5, 4] : [4, 5])];
        const expected = tf.matMul(
          tf.tensor(ramp(a), a),
          tf.tensor(ramp(b, 2), b),
          transposeA,
          transposeB,
        );
        assertClose(
          apply({ kind: "matmul", transposeA, transposeB }, [float(...a), ramp(a)], [
            float(...b),
            ramp(b, 2),
          ]),
          expected.dataSync(),
        );
      }
    }
  }
});

Deno.test("convolutions and their gradients agree with TensorFlow.js", () => {
  for (const [stride, pad] of [[1, 1], [2, 1], [2, 0], [1, 0]]) {
    const inputShape = [2, 5, 6, 3], filterShape = [3, 3, 3, 2];
    const strides = [stride, stride] as const, pads = [pad, pad, pad, pad] as const;
    const x = tf.tensor4d(ramp(inputShape), [2, 5, 6, 3]);
    const filter = tf.tensor4d(ramp(filterShape, 2), [3, 3, 3, 2]);
    const convolution = (x: tf.Tensor, filter: tf.Tensor) =>
      tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, stride, pad, "NHWC", 1, "floor");
    const y = convolution(x, filter), dy = tf.tensor(ramp(y.shape, 3), y.shape);
    const [dx, dFilter] = tf.grads(convolution)([x, filter], dy);
    const operands = {
      x: [float(...inputShape), ramp(inputShape)] as [ValueType, Values],
      filter: [float(...filterShape), ramp(filterShape, 2)] as [ValueType, Values],
      dy: [float(...y.shape), ramp(y.shape, 3)] as [ValueType, Values],
    };
    assertClose(
      apply({ kind: "conv2d", strides, pads }, operands.x, operands.filter),
      y.dataSync(),
    );
    assertClose(
      apply(
        { kind: "conv2dInputGradient", strides, pads, inputShape },
        operands.dy,
        operands.filter,
      ),
      dx.dataSync(),
    );
    assertClose(
      apply({ kind: "conv2dFilterGradient", strides, pads, filterShape }, operands.x, operands.dy),
      dFilter.dataSync(),
    );
  }
});

Deno.test("philox draws the published words, sample by sample", () => {
  const draw = (firstSample: number, shape: number[]) =>
    apply(
      { kind: "philox", distribution: "bits", stream: 7, firstSample, shape },
      [int(2), [3, 4]],
      [int(), [5]],
    );
  const block = philox4x32(Uint32Array.of(0, 1, 5, 7), Uint32Array.of(3, 4));
  assertEquals(draw(1, [1, 4]), [...Int32Array.from(block)]);
  assertEquals(draw(0, [2, 4]).slice(4), draw(1, [1, 4]));
});

Deno.test("constants, splats and arguments come out as they are", () => {
  const builder = new GraphBuilder();
  const x = builder.input("x", float(2));
  const splat = builder.splat(3, [2, 2]);
  const values = Int32Array.of(1, 0);
  const bools = builder.add({ kind: "constant", values }, [], {
    given: { shape: [2], type: "bool" },
  });
  const graph = builder.finish([
    { name: "splat", node: splat },
    { name: "bools", node: bools },
    { name: "x", node: x },
  ]);
  const results = evaluate(graph, [Float32Array.of(1, 2)]);
  assertEquals(results.map((values) => [...values]), [[3, 3, 3, 3], [1, 0], [1, 2]]);
  assertThrows(() => evaluate(graph, [Float32Array.of(1)]), Error, "argument x has 1 cells");
});
