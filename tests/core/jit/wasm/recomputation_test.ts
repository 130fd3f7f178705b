/** @file Filters in the Winograd domain that are made again rather than kept. */
import { assert, assertEquals } from "@std/assert";
import { type Graph, GraphBuilder, type Pads } from "../../../../core/jit/graph.ts";
import { planFunction } from "../../../../core/jit/planning.ts";
import { currentTarget } from "../../../../core/jit/targets.ts";
import { compileWasm } from "../../../../core/jit/wasm/executable.ts";
import { recomputeFilters } from "../../../../core/jit/wasm/recomputation.ts";
import { shapesOf } from "../../../../core/jit/estimate.ts";
import { wideResnetPotential } from "../../../../core/potential/wide_resnet.ts";
import {
  batchValueAndGradient,
  lossAndGradients,
  openDevice,
  randomKey,
  type Scalar,
  type Tensor,
  type TensorRecord,
  tf,
} from "../../../../core/tensor/mod.ts";

const channels = 8;

/** F(4×4, 3×3). */
const method = { strides: [1, 1], tile: [4, 4] } as const;
const size = { filterSize: [3, 3], ...method } as const;

/** Stride-1 convolutions in a row, of filters by their numbers; weights are gains times v. */
function chain(filters: readonly number[]): Graph {
  const b = new GraphBuilder();
  const float = (...shape: number[]) => ({ shape, type: "float32" } as const);
  let x = b.input("x", float(4, 16, 16, channels));
  const made = new Map<number, number>();
  const filterOf = (number: number) => {
    const known = made.get(number);
    if (known !== undefined) return known;
    const v = b.input(`v${number}`, float(3, 3, channels, channels));
    const gain = b.elementwise("squareRoot", b.input(`g${number}`, float(channels)));
    const weights = b.elementwise("multiply", v, gain);
    const filter = b.add({ kind: "winogradFilter", transposed: false, ...method }, [weights]);
    made.set(number, filter);
    return filter;
  };
  const pads: Pads = [1, 1, 1, 1];
  for (const number of filters) {
    x = b.add({ kind: "winogradConv2d", pads, outputChannels: channels, ...size }, [
      ...[x, filterOf(number)],
    ]);
  }
  return b.finish([{ name: "y", node: x }]);
}

/** Of each convolution, the place of its filter among the nodes; and how often weights are made. */
function filtersOf({ nodes }: Graph) {
  return {
    used: nodes.flatMap(({ operation, inputs }) =>
      operation.kind === "winogradConv2d" ? [inputs[1]] : []
    ),
    products:
      nodes.filter(({ operation, shape }) =>
        operation.kind === "elementwise" && operation.name === "multiply" && shape.length === 4
      ).length,
    roots:
      nodes.filter(({ operation }) =>
        operation.kind === "elementwise" && operation.name === "squareRoot"
      ).length,
  };
}

Deno.test("a filter that is used much later is made again, weights and all", () => {
  const graph = chain([0, 1, 2, 3, 4, 5, 0]);
  const before = filtersOf(graph), after = filtersOf(recomputeFilters(graph));
  assertEquals(before.used[0], before.used[6]);
  assert(after.used[0] < after.used[6]);
  assertEquals(new Set(after.used).size, 7);
  assertEquals([before.products, after.products], [6, 7]);
  // What is small is kept.
  assertEquals([before.roots, after.roots], [6, 6]);
});

Deno.test("uses that are close share a filter", () => {
  const { used, products } = filtersOf(recomputeFilters(chain([0, 1, 0, 0, 1, 0])));
  assertEquals(new Set(used).size, 2);
  assertEquals(products, 2);
});

Deno.test("a filter is made just before it is used, and one that is a result stays", () => {
  const graph = chain([0, 1, 2]);
  const { nodes } = recomputeFilters(graph);
  nodes.forEach(({ operation, inputs }, index) => {
    if (operation.kind === "winogradConv2d") assertEquals(inputs[1], index - 1);
  });
  const [filter] = filtersOf(graph).used;
  const asked = { ...graph, outputs: [...graph.outputs, { name: "filter", node: filter }] };
  const { outputs, nodes: kept } = recomputeFilters(asked);
  assertEquals(kept[outputs[1].node].operation.kind, "winogradFilter");
});

Deno.test("weights that come from much else are kept", () => {
  const b = new GraphBuilder();
  const float = (...shape: number[]) => ({ shape, type: "float32" } as const);
  const matrix = b.input("m", float(9 * channels, 9 * channels));
  const product = b.add({ kind: "matmul", transposeA: false, transposeB: false }, [
    matrix,
    b.input("n", float(9 * channels, channels)),
  ]);
  const weights = b.elementwise("sine", b.reshape(product, [3, 3, channels, channels]));
  const filter = b.add({ kind: "winogradFilter", transposed: false, ...method }, [weights]);
  const other = b.input("f", float(36, 1, channels, 8));
  let x = b.input("x", float(4, 16, 16, channels));
  const pads: Pads = [1, 1, 1, 1];
  for (const used of [filter, other, other, other, other, other, filter]) {
    x = b.add({ kind: "winogradConv2d", pads, outputChannels: channels, ...size }, [x, used]);
  }
  const { nodes } = recomputeFilters(b.finish([{ name: "y", node: x }]));
  const count = (kind: string) => nodes.filter(({ operation }) => operation.kind === kind).length;
  assertEquals([count("winogradFilter"), count("elementwise"), count("matmul")], [2, 1, 1]);
});

/** A loss of ∇Φ and its gradients, as training has them. */
function step(parameters: TensorRecord, x: Tensor) {
  const potential = wideResnetPotential({
    imageShape: [16, 16, 3],
    channels: 16,
    multipliers: [1, 2],
    blocksPerLevel: 3,
    timeExplicit: false,
  });
  const time = tf.zeros([x.shape[0]]);
  const { loss, gradients } = lossAndGradients(() => {
    const { value, gradient } = batchValueAndGradient(
      (x) => potential.apply(parameters, x, time),
      x,
    );
    return { loss: tf.add(tf.mean(value), tf.sum(tf.square(gradient))) as Scalar, report: {} };
  }, parameters);
  return { loss, gradients };
}

Deno.test("a step that makes its filters again needs less memory, and does the same", async () => {
  await openDevice("wasm");
  const potential = wideResnetPotential({
    imageShape: [16, 16, 3],
    channels: 16,
    multipliers: [1, 2],
    blocksPerLevel: 3,
    timeExplicit: false,
  });
  const shapes = shapesOf(() => potential.initialize(randomKey(1)));
  const args = [shapes, { shape: [2, 16, 16, 3], dtype: "float32" }];
  const run = async (ampleBytes: number) => {
    const target = { ...currentTarget(), ampleBytes };
    const { plan, stages } = planFunction(step, args, { donate: false, fixed: [] }, target);
    const program = await compileWasm(plan, { threads: 2 });
    plan.inputs.forEach((buffer, input) => {
      const { size } = plan.buffers[buffer];
      const values = Float32Array.from({ length: size }, (_, i) => 0.1 * Math.sin(i * i + input));
      program.writeInput(input, values);
    });
    program.run();
    const results = plan.outputs.map((_, output) => program.readOutput(output));
    program.dispose();
    return { results, arena: plan.arenaSize, last: stages.at(-1)!.name };
  };
  const kept = await run(Infinity), again = await run(0);
  assertEquals(again.last, "made again rather than kept");
  assert(kept.last !== again.last);
  assert(again.arena < 0.9 * kept.arena, `${again.arena} of ${kept.arena} cells`);
  kept.results.forEach((values, output) => {
    const scale = Math.max(1e-12, ...[...values].map(Math.abs));
    values.forEach((value, i) => {
      const difference = Math.abs(value - again.results[output][i]);
      assert(difference <= 1e-5 * scale, `result ${output}, cell ${i}: ${difference} of ${scale}`);
    });
  });
});
