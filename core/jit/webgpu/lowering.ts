/**
 * @file From kernels to dispatches: which emitter a kernel goes to, and how much scratch it needs.
 */
import type { Epilogue, Kernel, Plan } from "../kernels.ts";
import { convolutionDispatches, convolutionShape } from "./convolution.ts";
import { loopDispatches, loopScratchCells, placeLoop } from "./loop.ts";
import { matmulDispatches, matmulShape, productScratchCells } from "./product.ts";
import type { Dispatch } from "./shader.ts";
import { gatherDispatches, padDispatches, philoxDispatches } from "./special.ts";

/** Cells of scratch memory that a kernel needs on this target, for partial results. */
export function webGpuScratchCells(kernel: Kernel): number {
  switch (kernel.kind) {
    case "loop":
      return loopScratchCells(kernel.loop);
    case "matmul":
      return productScratchCells(matmulShape(kernel));
    case "convolution":
      return productScratchCells(convolutionShape(kernel));
    default:
      return 0;
  }
}

/** The dispatches of kernel number `index` of a plan, in order. */
export function kernelDispatches(plan: Plan, index: number): Dispatch[] {
  const kernel = plan.kernels[index];
  const scratch = plan.scratchOffsets[index] ?? 0;
  const label = kernelLabel(kernel);
  const addresses = (buffer: number) => plan.offsets[buffer];
  switch (kernel.kind) {
    case "loop":
      return loopDispatches(placeLoop(kernel.loop, addresses), scratch, label);
    case "matmul":
      return matmulDispatches(kernel, addresses, scratch, label);
    case "convolution":
      return convolutionDispatches(kernel, addresses, scratch, label);
    case "pad":
      return padDispatches(kernel, addresses, label);
    case "gather":
      return gatherDispatches(kernel, addresses, label);
    case "philox":
      return philoxDispatches(kernel, addresses, label);
    case "winogradFilter":
    case "winogradConvolution":
      throw new Error(`a kernel "${kernel.kind}" belongs to the WebAssembly target`);
  }
}

/** A kernel in a few words. */
function kernelLabel(kernel: Kernel): string {
  switch (kernel.kind) {
    case "loop": {
      const { extents, reducedDimensions, body } = kernel.loop;
      const outer = extents.length - reducedDimensions;
      const shape = extents.map((extent, axis) => axis < outer ? `${extent}` : `Σ${extent}`);
      return `loop ${shape.join("×") || 1}, ${body.length} operations`;
    }
    case "matmul": {
      const { batch, m, n, k } = kernel;
      return `matmul ${batch > 1 ? `${batch}×` : ""}${m}×${n}×${k}${withEpilogue(kernel)}`;
    }
    case "convolution": {
      const { rows, columns, length } = convolutionShape(kernel);
      return `convolution ${kernel.form} ${rows}×${columns}×${length}${withEpilogue(kernel)}`;
    }
    default:
      return kernel.kind;
  }
}

function withEpilogue({ epilogue }: { readonly epilogue?: Epilogue }): string {
  return epilogue ? `, then ${epilogue.loop.body.length} operations` : "";
}
