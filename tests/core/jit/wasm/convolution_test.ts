/** @file Convolutions and their gradients against sums written out. */
import { assert, assertEquals } from "@std/assert";
import type { ConvolutionGeometry } from "../../../../core/jit/kernels.ts";
import {
  type ConvolutionKernel,
  convolutionScratchCells,
  emitConvolution,
} from "../../../../core/jit/wasm/convolution.ts";
import { prepare, relativeError, runEveryWay, uniform, uniformCells } from "./emitted.ts";
import { rowsEpilogue } from "./epilogue.ts";
import {
  convolve,
  filterGradient,
  filterSize,
  inputGradient,
  inputSize,
  outputSize,
} from "./naive_convolution.ts";

interface Options {
  readonly strides?: readonly [number, number];
  /** top, bottom, left, right */
  readonly pads?: readonly [number, number, number, number];
}

function geometryOf(
  [batch, inputHeight, inputWidth, inputChannels]: readonly number[],
  [filterHeight, filterWidth]: readonly [number, number],
  outputChannels: number,
  { strides: [strideHeight, strideWidth] = [1, 1], pads = [0, 0, 0, 0] }: Options = {},
): ConvolutionGeometry {
  const [padTop, padBottom, padLeft, padRight] = pads;
  return {
    ...{ batch, inputHeight, inputWidth, inputChannels, outputChannels },
    ...{ filterHeight, filterWidth, strideHeight, strideWidth, padTop, padLeft },
    outputHeight: Math.floor((inputHeight + padTop + padBottom - filterHeight) / strideHeight) + 1,
    outputWidth: Math.floor((inputWidth + padLeft + padRight - filterWidth) / strideWidth) + 1,
  };
}

const forms = {
  forward: { sizes: [inputSize, filterSize], result: outputSize, expected: convolve },
  inputGradient: { sizes: [outputSize, filterSize], result: inputSize, expected: inputGradient },
  filterGradient: { sizes: [inputSize, outputSize], result: filterSize, expected: filterGradient },
} as const;

function check(
  geometry: ConvolutionGeometry,
  epilogue?: "kept" | "dropped",
): void {
  for (const form of ["forward", "inputGradient", "filterGradient"] as const) {
    const { sizes, result, expected: expectedOf } = forms[form];
    const random = uniform(inputSize(geometry) * 31 + outputSize(geometry));
    const left = uniformCells(sizes[0](geometry), random);
    const right = uniformCells(sizes[1](geometry), random);
    const size = result(geometry);
    const columns = form === "inputGradient" ? geometry.inputChannels : geometry.outputChannels;
    const bias = uniformCells(columns, random);
    const kernel: ConvolutionKernel = {
      ...{ kind: "convolution", form, geometry, left: 0, right: 1, output: 2 },
      ...(epilogue && {
        epilogue: rowsEpilogue(size / columns, columns, {
          ...{ keep: epilogue === "kept", product: 2, bias: 3, output: 4 },
        }),
      }),
    };
    const emitted = prepare(
      [left, right, size, bias, size],
      convolutionScratchCells(kernel),
      (context) => emitConvolution(context, kernel),
    );
    const expected = expectedOf(geometry, left, right);
    const name = `${form} ${JSON.stringify(geometry)}`;
    if (epilogue) {
      const after = expected.map((value, i) => Math.max(0, value + bias[i % columns]));
      const error = relativeError(runEveryWay(emitted, 4), after);
      assert(error < 1e-5, `${name}, epilogue: ${error}`);
    }
    if (epilogue === "dropped") {
      assert(emitted.buffer(2).every(Number.isNaN), name);
    } else {
      const error = relativeError(runEveryWay(emitted, 2), expected);
      assert(error < 1e-5, `${name}: ${error}`);
    }
  }
}

Deno.test("filters of many sizes", () => {
  check(geometryOf([2, 6, 7, 3], [3, 3], 5, { pads: [1, 1, 1, 1] }));
  check(geometryOf([1, 9, 8, 2], [5, 5], 9, { pads: [2, 2, 2, 2] }));
  check(geometryOf([1, 9, 8, 5], [2, 4], 3));
  check(geometryOf([2, 5, 5, 7], [1, 3], 8, { pads: [0, 0, 1, 1] }));
  check(geometryOf([1, 4, 4, 37], [4, 4], 10));
  check(geometryOf([1, 1, 1, 1], [1, 1], 1));
  check(geometryOf([1, 7, 7, 1], [7, 7], 4, { pads: [3, 3, 3, 3] }));
});

Deno.test("filters of one pixel", () => {
  check(geometryOf([2, 5, 6, 7], [1, 1], 9));
  check(geometryOf([3, 6, 6, 16], [1, 1], 24, { strides: [2, 2] }));
  check(geometryOf([1, 3, 3, 4], [1, 1], 5, { pads: [1, 1, 0, 1] }));
});

Deno.test("strides", () => {
  check(geometryOf([2, 8, 8, 6], [3, 3], 10, { strides: [2, 2], pads: [0, 1, 0, 1] }));
  check(geometryOf([2, 9, 7, 6], [3, 3], 10, { strides: [2, 2], pads: [1, 1, 1, 1] }));
  check(geometryOf([1, 11, 13, 3], [5, 5], 4, { strides: [3, 2], pads: [2, 2, 1, 2] }));
  check(geometryOf([1, 11, 13, 3], [2, 2], 4, { strides: [3, 4] }));
  check(geometryOf([3, 1, 9, 3], [1, 3], 4, { strides: [2, 2], pads: [0, 0, 1, 1] }));
  check(geometryOf([1, 32, 32, 4], [4, 4], 12, { strides: [2, 2], pads: [1, 1, 1, 1] }));
});

Deno.test("pads that cut off", () => {
  check(geometryOf([2, 9, 8, 3], [3, 3], 5, { pads: [-2, 1, 0, -1] }));
  check(geometryOf([2, 9, 8, 3], [3, 3], 5, { strides: [2, 1], pads: [-1, 0, -2, 2] }));
});

Deno.test("many pixels, channels, and sums in parts", () => {
  check(geometryOf([2, 24, 24, 5], [3, 3], 20, { pads: [1, 1, 1, 1] }));
  check(geometryOf([1, 10, 10, 64], [3, 3], 32, { strides: [2, 2], pads: [0, 1, 0, 1] }));
  check(geometryOf([4, 8, 8, 33], [5, 3], 18, { pads: [2, 2, 1, 1] }));
});

Deno.test("few results, or results of few sources", () => {
  const pads = [1, 1, 1, 1] as const;
  check(geometryOf([2, 9, 7, 12], [3, 3], 2, { pads }));
  check(geometryOf([3, 20, 90, 8], [3, 3], 1, { pads }));
  check(geometryOf([2, 8, 8, 33], [5, 4], 4, { pads: [2, 1, 0, 3] }));
  check(geometryOf([2, 9, 8, 2], [3, 3], 7, { strides: [2, 2], pads }));
  check(geometryOf([1, 30, 31, 1], [5, 5], 16, { strides: [2, 3], pads: [2, 2, 1, 2] }));
  check(geometryOf([1, 9, 9, 2], [3, 3], 8, { pads: [-1, 0, 1, -2] }));
  for (const epilogue of ["kept", "dropped"] as const) {
    check(geometryOf([2, 9, 7, 12], [3, 3], 2, { pads }), epilogue);
    check(geometryOf([2, 9, 8, 1], [3, 3], 7, { strides: [2, 2], pads }), epilogue);
  }
});

Deno.test("where Winograd's method pays", () => {
  check(geometryOf([2, 16, 16, 24], [3, 3], 24, { pads: [1, 1, 1, 1] }));
});

Deno.test("epilogues", () => {
  const pads = [1, 1, 1, 1] as const;
  for (const epilogue of ["kept", "dropped"] as const) {
    check(geometryOf([2, 9, 10, 3], [3, 3], 11, { pads }), epilogue);
    check(geometryOf([2, 9, 11, 6], [3, 3], 10, { strides: [2, 2], pads }), epilogue);
    check(geometryOf([2, 5, 6, 7], [1, 1], 9), epilogue);
    check(geometryOf([2, 16, 16, 16], [3, 3], 16, { pads }), epilogue);
  }
});

Deno.test("what is not finite reaches exactly what it touches", () => {
  const geometry = geometryOf([2, 8, 7, 3], [3, 3], 5, { pads: [1, 1, 1, 1] });
  for (const form of ["forward", "inputGradient", "filterGradient"] as const) {
    const { sizes, result, expected: expectedOf } = forms[form];
    for (const value of [NaN, Infinity]) {
      const left = new Float32Array(sizes[0](geometry)).fill(1);
      const right = new Float32Array(sizes[1](geometry)).fill(1);
      left[40] = value;
      const kernel: ConvolutionKernel = {
        ...{ kind: "convolution", form, geometry, left: 0, right: 1, output: 2 },
      };
      const emitted = prepare(
        [left, right, result(geometry)],
        convolutionScratchCells(kernel),
        (context) => emitConvolution(context, kernel),
      );
      assertEquals([...runEveryWay(emitted, 2)], [...expectedOf(geometry, left, right)], form);
    }
  }
});
