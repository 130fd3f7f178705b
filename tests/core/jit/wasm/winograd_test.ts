/** @file Winograd's convolutions against convolutions written out. */
import { assert, assertEquals } from "@std/assert";
import type { ConvolutionGeometry, Epilogue, Kernel } from "../../../../core/jit/kernels.ts";
import {
  emitWinogradConvolution,
  type WinogradConvolutionKernel,
  winogradConvolutionScratchCells,
} from "../../../../core/jit/wasm/winograd.ts";
import {
  emitWinogradFilter,
  type WinogradFilterKernel,
  winogradFilterScratchCells,
} from "../../../../core/jit/wasm/winograd_filter.ts";
import {
  emitWinogradGradient,
  winogradGradientScratchCells,
} from "../../../../core/jit/wasm/winograd_gradient.ts";
import { rowsEpilogue } from "./epilogue.ts";
import { convolve, filterGradient, inputSize, outputSize } from "./naive_convolution.ts";
import { prepare, relativeError, runEveryWay, uniform, uniformCells } from "./emitted.ts";

/** A stride-1 convolution of a 3×3 filter. */
function geometryOf(
  [batch, inputHeight, inputWidth, inputChannels]: readonly number[],
  outputChannels: number,
  [top, bottom, left, right]: readonly number[] = [1, 1, 1, 1],
): ConvolutionGeometry {
  return {
    ...{ batch, inputHeight, inputWidth, inputChannels, outputChannels },
    outputHeight: inputHeight + top + bottom - 2,
    outputWidth: inputWidth + left + right - 2,
    ...{ filterHeight: 3, filterWidth: 3, strideHeight: 1, strideWidth: 1 },
    ...{ padTop: top, padLeft: left },
  };
}

function transformedFilter(kernel: WinogradFilterKernel, filter: Float32Array): Float32Array {
  const { inputChannels: c, outputChannels: o, transposed } = kernel;
  const size = 36 * 8 * (transposed ? Math.ceil(c / 8) * o : Math.ceil(o / 8) * c);
  const emitted = prepare(
    [filter, size],
    winogradFilterScratchCells(kernel),
    (context) => emitWinogradFilter(context, { ...kernel, filter: 0, output: 1 }),
  );
  return runEveryWay(emitted, 1);
}

function check(
  geometry: ConvolutionGeometry,
  { transposed = false, epilogue }: { transposed?: boolean; epilogue?: "kept" | "dropped" } = {},
): number {
  const { batch, inputHeight, inputWidth, inputChannels: c, outputChannels: o } = geometry;
  const random = uniform(batch * 1009 + inputHeight * 31 + inputWidth * 7 + c + o);
  const x = uniformCells(batch * inputHeight * inputWidth * c, random);
  const filter = uniformCells(9 * c * o, random);
  const bias = uniformCells(o, random);
  // The filter whose transposed twin the convolution uses.
  const original = transposed ? turnAndTranspose(filter, c, o) : filter;
  const rows = batch * geometry.outputHeight * geometry.outputWidth;
  const kernel: WinogradConvolutionKernel = {
    ...{ kind: "winogradConvolution", geometry, input: 0, filter: 1, output: 2 },
    ...(epilogue && {
      epilogue: rowsEpilogue(rows, o, {
        keep: epilogue === "kept",
        product: 2,
        bias: 3,
        output: 4,
      }),
    }) as { epilogue?: Epilogue },
  };
  const transformed = transformedFilter({
    ...{ kind: "winogradFilter", transposed, filter: 0, output: 1 },
    inputChannels: transposed ? o : c,
    outputChannels: transposed ? c : o,
  }, original);
  const emitted = prepare(
    [x, transformed, rows * o, bias, rows * o],
    winogradConvolutionScratchCells(kernel),
    (context) => emitWinogradConvolution(context, kernel),
  );
  const expected = convolve(geometry, x, filter);
  const name = JSON.stringify(geometry);
  if (epilogue) {
    const after = expected.map((value, i) => Math.max(0, value + bias[i % o]));
    assert(relativeError(runEveryWay(emitted, 4), after) < 1e-5, name);
  }
  if (epilogue === "dropped") {
    assert(emitted.buffer(2).every(Number.isNaN));
    return 0;
  }
  const error = relativeError(runEveryWay(emitted, 2), expected);
  assert(error < 1e-5, `${name}: ${error}`);
  return error;
}

/** [3, 3, c, o] turned by 180° and with channels exchanged: [3, 3, o, c]. */
function turnAndTranspose(filter: Float32Array, c: number, o: number): Float32Array {
  const result = new Float32Array(filter.length);
  for (let tap = 0; tap < 9; tap++) {
    for (let i = 0; i < c; i++) {
      for (let j = 0; j < o; j++) {
        result[((8 - tap) * o + j) * c + i] = filter[(tap * c + i) * o + j];
      }
    }
  }
  return result;
}

Deno.test("images of whole tiles", () => {
  check(geometryOf([2, 8, 8, 8], 8));
  check(geometryOf([1, 16, 12, 24], 24));
  check(geometryOf([3, 4, 4, 16], 32));
  check(geometryOf([1, 32, 32, 64], 64));
});

Deno.test("parts of tiles, odd channels, other pads", () => {
  check(geometryOf([1, 1, 1, 8], 8));
  check(geometryOf([2, 5, 7, 9], 11));
  check(geometryOf([2, 11, 6, 10], 4));
  check(geometryOf([1, 13, 9, 4], 21));
  check(geometryOf([2, 7, 10, 12], 17, [0, 0, 0, 0]));
  check(geometryOf([1, 9, 9, 8], 13, [2, 2, 2, 2]));
  check(geometryOf([1, 6, 8, 8], 8, [0, 1, 2, 1]));
  check(geometryOf([1, 9, 8, 8], 8, [-1, 1, 0, -2]));
});

Deno.test("wide images are done in chunks of tiles", () => {
  check(geometryOf([1, 6, 300, 8], 9), { epilogue: "dropped" });
  check(geometryOf([1, 6, 300, 8], 9));
});

Deno.test("transposed filters", () => {
  check(geometryOf([2, 8, 8, 8], 16), { transposed: true });
  check(geometryOf([2, 6, 5, 13], 10), { transposed: true });
});

Deno.test("epilogues", () => {
  for (const epilogue of ["kept", "dropped"] as const) {
    check(geometryOf([3, 10, 9, 8], 12), { epilogue });
    check(geometryOf([8, 4, 4, 8], 16), { epilogue });
  }
});

/** A filter gradient against sums written out; gives its error. */
function checkGradient(geometry: ConvolutionGeometry, epilogue?: "kept" | "dropped"): number {
  const { inputChannels: c, outputChannels: o } = geometry;
  const random = uniform(inputSize(geometry) * 3 + outputSize(geometry));
  const x = uniformCells(inputSize(geometry), random);
  const dy = uniformCells(outputSize(geometry), random);
  const bias = uniformCells(o, random);
  const kernel: Extract<Kernel, { kind: "convolution" }> = {
    ...{ kind: "convolution", form: "filterGradient", geometry, left: 0, right: 1, output: 2 },
    ...(epilogue && {
      epilogue: rowsEpilogue(9 * c, o, {
        ...{ keep: epilogue === "kept", product: 2, bias: 3, output: 4 },
      }),
    }),
  };
  const emitted = prepare(
    [x, dy, 9 * c * o, bias, 9 * c * o],
    winogradGradientScratchCells(kernel),
    (context) => emitWinogradGradient(context, kernel),
  );
  const expected = filterGradient(geometry, x, dy);
  const name = JSON.stringify(geometry);
  if (epilogue) {
    const after = expected.map((value, i) => Math.max(0, value + bias[i % o]));
    assert(relativeError(runEveryWay(emitted, 4), after) < 1e-5, name);
  }
  if (epilogue === "dropped") {
    assert(emitted.buffer(2).every(Number.isNaN));
    return 0;
  }
  const error = relativeError(runEveryWay(emitted, 2), expected);
  assert(error < 1e-5, `${name}: ${error}`);
  return error;
}

Deno.test("filter gradients", () => {
  checkGradient(geometryOf([2, 8, 8, 8], 8));
  checkGradient(geometryOf([3, 5, 7, 9], 11));
  checkGradient(geometryOf([1, 9, 6, 4], 13));
  checkGradient(geometryOf([2, 7, 10, 70], 5));
  checkGradient(geometryOf([2, 7, 10, 12], 17, [0, 0, 0, 0]));
  checkGradient(geometryOf([1, 9, 9, 8], 12, [2, 2, 2, 2]));
});

Deno.test("filter gradients in several chunks of tiles", () => {
  checkGradient(geometryOf([2, 60, 60, 40], 32));
});

Deno.test("filter gradients with epilogues", () => {
  for (const epilogue of ["kept", "dropped"] as const) {
    checkGradient(geometryOf([2, 8, 8, 20], 12), epilogue);
    checkGradient(geometryOf([2, 8, 8, 7], 9), epilogue);
  }
});

Deno.test("errors stay small with many channels", () => {
  for (const channels of [128, 256]) {
    const error = check(geometryOf([1, 12, 12, channels], 32));
    assert(error < 7e-6, `${channels} channels: ${error}`);
  }
});

Deno.test("a NaN reaches the whole of what it touches", () => {
  const geometry = geometryOf([2, 8, 8, 8], 8);
  const x = new Float32Array(2 * 64 * 8).fill(1);
  x[(3 * 8 + 5) * 8] = NaN;
  const filter = new Float32Array(9 * 64).fill(1);
  const transformed = transformedFilter({
    ...{ kind: "winogradFilter", transposed: false, filter: 0, output: 1 },
    ...{ inputChannels: 8, outputChannels: 8 },
  }, filter);
  const emitted = prepare(
    [x, transformed, 2 * 64 * 8],
    0,
    (context) =>
      emitWinogradConvolution(context, {
        ...{ kind: "winogradConvolution", geometry, input: 0, filter: 1, output: 2 },
      }),
  );
  const result = runEveryWay(emitted, 2);
  const expected = convolve(geometry, x, filter);
  expected.forEach((value, i) => {
    if (Number.isNaN(value)) assertEquals(result[i], NaN);
    // Nothing crosses from one image to another.
    if (i >= 64 * 8) assert(Number.isFinite(result[i]));
  });
});
