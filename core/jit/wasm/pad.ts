/**
 * @file Padding: the result is filled, then the input copied into its place, both as loops.
 */
import type { Kernel, Loop, View } from "../kernels.ts";
import type { EmitterContext, Phase } from "./emitter.ts";
import { loopPhases } from "./loop.ts";

type PadKernel = Extract<Kernel, { kind: "pad" }>;

/** The phases of padding. */
export function emitPad(context: EmitterContext, kernel: PadKernel): Phase[] {
  const { input, output, extents, size, value } = kernel, { type } = output;
  const addressOf = ({ buffer, offset }: View) => context.address(buffer) + 4 * offset;
  const fill: Loop = {
    extents: [size],
    reducedDimensions: 0,
    reads: [],
    body: [],
    writes: [{
      view: { ...output, offset: 0, strides: [1] },
      value: { kind: "number", value, type },
    }],
  };
  const copy: Loop = {
    extents,
    reducedDimensions: 0,
    reads: [input],
    body: [],
    writes: [{ view: output, value: { kind: "read", index: 0 } }],
  };
  return [fill, copy].flatMap((loop) => loopPhases(context.module, loop, addressOf, 0));
}
