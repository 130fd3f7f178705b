/**
 * @file This project's unpacking of bytes: four from each word, the lowest first. A word times a power
 * of two has the byte that is wanted at its upper end, and both factors are views of a loop, so that
 * bytes are unpacked in the loop that reads them.
 */
import type { Lowering, Lowerings } from "./recorder.ts";

/** What moves byte 0, 1, 2 or 3 to the upper end. */
const TO_UPPER_END = Int32Array.of(2 ** 24, 2 ** 16, 2 ** 8, 1);

const unpackBytes: Lowering = (graph, { words, rows }, { count }) => {
  const taken = rows === undefined ? words : graph.add({ kind: "gather" }, [words, rows]);
  const [n, w] = graph.shape(taken);
  const factors = graph.constant(TO_UPPER_END, [4], "int32");
  const moved = graph.elementwise("multiply", graph.reshape(taken, [n, w, 1]), factors);
  const bytes = graph.cast(graph.elementwise("upperByte", moved), "float32");
  return graph.slice(graph.reshape(bytes, [n, 4 * w]), [0, 0], [n, count as number]);
};

/** The kernels of bytes. */
export const byteKernels: Lowerings = { UnpackBytes: unpackBytes };
