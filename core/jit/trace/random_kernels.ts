/**
 * @file This project's random draws: a kernel of the graph, with the counter as an input.
 */
import type { PhiloxDistribution } from "../../tensor/philox.ts";
import type { Lowering, Lowerings } from "./recorder.ts";

const philox: Lowering = (graph, { seed, step, offset }, attributes) =>
  graph.add({
    kind: "philox",
    distribution: attributes.distribution as PhiloxDistribution,
    stream: attributes.stream as number,
    firstSample: attributes.firstSample as number,
    ...(attributes.count !== undefined && { count: attributes.count as number }),
    shape: attributes.shape as number[],
  }, offset === undefined ? [seed, step] : [seed, step, offset]);

/** The random kernels. */
export const randomKernels: Lowerings = { Philox: philox };
