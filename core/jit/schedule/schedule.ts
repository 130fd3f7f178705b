/**
 * @file From an optimised graph to kernels: items, fusion, kernels, state in place, and an order.
 * The same graph always gives the same schedule.
 */
import type { Graph } from "../graph.ts";
import type { Buffer, Donation, Kernel, Schedule } from "../kernels.ts";
import { Dependencies } from "./dependencies.ts";
import { replaceArguments } from "./donation.ts";
import { emitKernels } from "./emission.ts";
import { fuse } from "./fusion.ts";
import { type Items, itemsOf } from "./items.ts";
import { namedBuffers, renameBuffers } from "./kernel_buffers.ts";
import { chooseOrder } from "./order.ts";

/**
 * The kernels of a graph. Of each donation the result is in the argument's buffer after a run; other
 * results have buffers of their own (results that are the same node share one).
 *
 * @param graph dead nodes are left out
 * @param donations at most one an argument, of the same size and type
 */
export function schedule(graph: Graph, donations: readonly Donation[] = []): Schedule {
  const donated = new Map(donations.map(({ input, output }) => [output, input]));
  const program = itemsOf(graph, donated);
  const units = fuse(
    program,
    new Map(donations.map(({ input, output }) => [input, program.outputs[output]])),
  );
  const kernels = emitKernels(program, units);
  const dependencies = new Dependencies(kernels);
  const argumentValues = valuesOfArguments(program, graph);
  const replacements = donations.map(({ input, output }) => ({
    argument: argumentValues[input],
    result: program.outputs[output],
  }));
  const { values } = program;
  const inPlace = replaceArguments(replacements, values, kernels, dependencies);
  const stays = new Set(program.outputs);
  const order = chooseOrder({
    kernels,
    dependencies,
    cells: (value) =>
      values[value].origin.kind === "items" && !inPlace.has(value) ? values[value].size : 0,
    stays: (value) => stays.has(value),
  });
  const result = (value: number, output: number) => {
    const input = donated.get(output);
    return input === undefined ? value : argumentValues[input];
  };
  return numberBuffers(
    program,
    order.map((index) => kernels[index]),
    (value) => inPlace.get(value) ?? value,
    argumentValues,
    program.outputs.map(result),
  );
}

/** The value of each argument; of one that the graph does not name, a new one. */
function valuesOfArguments(program: Items, graph: Graph): number[] {
  const values = program.values as Items["values"][number][];
  const known: number[] = [];
  graph.nodes.forEach(({ operation }, node) => {
    const { origin } = values[node];
    if (operation.kind === "input" && origin.kind === "input") known[operation.index] = node;
  });
  return graph.inputs.map(({ shape, type }, index) => {
    const size = shape.reduce((product, extent) => product * extent, 1);
    return known[index] ?? values.push({ size, type, origin: { kind: "input", index } }) - 1;
  });
}

/** Buffers for the values that kernels name: arguments first, then in the order of their first use. */
function numberBuffers(
  { values }: Items,
  kernels: readonly Kernel[],
  placeOf: (value: number) => number,
  argumentValues: readonly number[],
  results: readonly number[],
): Schedule {
  const buffers: Buffer[] = [], numbers = new Map<number, number>();
  const number = (value: number): number => {
    const { origin, size, type } = values[placeOf(value)];
    const place = origin.kind === "input" ? argumentValues[origin.index] : placeOf(value);
    const known = numbers.get(place);
    if (known !== undefined) return known;
    buffers.push(
      origin.kind === "constant"
        ? { size, type, role: "constant", values: origin.values }
        : { size, type, role: origin.kind === "input" ? "input" : "temporary" },
    );
    numbers.set(place, buffers.length - 1);
    return buffers.length - 1;
  };
  const inputs = argumentValues.map(number);
  for (const kernel of kernels) for (const value of namedBuffers(kernel)) number(value);
  const outputs = results.map(number);
  return {
    buffers,
    kernels: kernels.map((kernel) => renameBuffers(kernel, number)),
    inputs,
    outputs,
  };
}
