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

type Pair = readonly [number, number];

/** A convolution, by default of a 3×3 filter without strides. */
function geometryOf(
  [batch, inputHeight, inputWidth, inputChannels]: readonly number[],
  outputChannels: number,
  [top, bottom, left, right]: readonly number[] = [1, 1, 1, 1],
  [filterHeight, filterWidth]: Pair = [3, 3],
  [strideHeight, strideWidth]: Pair = [1, 1],
): ConvolutionGeometry {
  return {
    ...{ batch, inputHeight, inputWidth, inputChannels, outputChannels },
    outputHeight: Math.floor((inputHeight + top + bottom - filterHeight) / strideHeight) + 1,
    outputWidth: Math.floor((inputWidth + left + right - filterWidth) / strideWidth) + 1,
    ...{ filterHeight, filterWidth, strideHeight, strideWidth },
    ...{ padTop: top, padLeft: left },
  };
}

function transformedFilter(kernel: WinogradFilterKernel, filter: Float32Array): Float32Array {
  const { inputChannels: c, outputChannels: o, transposed, filterSize, strides, tile } = kernel;
  const side = (axis: 0 | 1) => (tile[axis] - 1) * strides[axis] + filterSize[axis];
  const planes = side(0) * side(1);
  const size = planes * 8 * (transposed ? Math.ceil(c / 8) * o : Math.ceil(o / 8) * c);
  const emitted = prepare(
    [filter, size],
    winogradFilterScratchCells(kernel),
    (context) => emitWinogradFilter(context, { ...kernel, filter: 0, output: 1 }),
  );
  return runEveryWay(emitted, 1);
}

interface Options {
  readonly transposed?: boolean;
  readonly epilogue?: "kept" | "dropped";
  readonly tile?: Pair;
  /** Of the largest error, relative to the root mean square. */
  readonly most?: number;
}

function check(
  geometry: ConvolutionGeometry,
  { transposed = false, epilogue, tile = [4, 4], most = 1e-5 }: Options = {},
): number {
  const filterSize = [geometry.filterHeight, geometry.filterWidth] as const;
  const taps = filterSize[0] * filterSize[1];
  const { batch, inputHeight, inputWidth, inputChannels: c, outputChannels: o } = geometry;
  const random = uniform(batch * 1009 + inputHeight * 31 + inputWidth * 7 + c + o);
  const x = uniformCells(batch * inputHeight * inputWidth * c, random);
  const filter = uniformCells(taps * c * o, random);
  const bias = uniformCells(o, random);
  // The filter whose transposed twin the convolution uses.
  const original = transposed ? turnAndTranspose(filter, taps, c, o) : filter;
  const rows = batch * geometry.outputHeight * geometry.outputWidth;
  const kernel: WinogradConvolutionKernel = {
    ...{ kind: "winogradConvolution", geometry, tile, input: 0, filter: 1, output: 2 },
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
    ...{ filterSize, strides: [geometry.strideHeight, geometry.strideWidth], tile },
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
    assert(relativeError(runEveryWay(emitted, 4), after) < most, name);
  }
  if (epilogue === "dropped") {
    assert(emitted.buffer(2).every(Number.isNaN));
    return 0;
  }
  const error = relativeError(runEveryWay(emitted, 2), expected);
  assert(error < most, `${name} ${tile}: ${error}`);
  return error;
}

/** [fh, fw, c, o] turned by 180° and with channels exchanged: [fh, fw, o, c]. */
function turnAndTranspose(
  filter: Float32Array,
  taps: number,
  c: number,
  o: number,
): Float32Array {
  const result = new Float32Array(filter.length);
  for (let tap = 0; tap < taps; tap++) {
    for (let i = 0; i < c; i++) {
      for (let j = 0; j < o; j++) {
        result[((taps - 1 - tap) * o + j) * c + i] = filter[(tap * c + i) * o + j];
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

Deno.test("tiles of other sizes", () => {
  const most = 2e-5;
  for (const tile of [[2, 2], [6, 6], [4, 6], [6, 2]] as const) {
    check(geometryOf([2, 7, 9, 8], 12), { tile, most });
    check(geometryOf([1, 13, 14, 5], 9, [0, 0, 0, 0]), { tile, most, transposed: true });
    check(geometryOf([1, 9, 8, 8], 8, [-1, 1, 0, -2]), { tile, most, epilogue: "dropped" });
  }
});

Deno.test("filters of other sizes along both axes", () => {
  const most = 2e-5;
  const cases: [Pair, Pair][] = [
    [[5, 5], [2, 2]],
    [[5, 5], [4, 4]],
    [[2, 2], [3, 5]],
    [[2, 5], [7, 2]],
    [[4, 6], [5, 3]],
    [[7, 3], [2, 4]],
  ];
  for (const [size, tile] of cases) {
    const pads = [(size[0] - 1) >> 1, size[0] >> 1, (size[1] - 1) >> 1, size[1] >> 1];
    check(geometryOf([2, 9, 11, 7], 10, pads, size), { tile, most });
    check(geometryOf([1, 12, 9, 8], 9, [0, 0, 0, 0], size), { tile, most, transposed: true });
    check(geometryOf([1, 8, 8, 12], 8, pads, size), { tile, most, epilogue: "kept" });
  }
});

Deno.test("filters with taps along one axis", () => {
  for (const [taps, outputs] of [[3, 4], [3, 8], [3, 10], [7, 2], [7, 4], [7, 6], [2, 3], [5, 8]]) {
    const most = taps + outputs > 9 ? 1e-4 : 1e-5, pad = taps >> 1;
    const across = { tile: [1, outputs], most } as const, size = [1, taps] as const;
    check(geometryOf([2, 3, 17, 9], 11, [0, 0, pad, pad], size), across);
    check(geometryOf([1, 17, 8, 16], 8, [0, 0, 0, 0], size), { ...across, epilogue: "dropped" });
    check(geometryOf([3, 5, 20, 5], 12, [1, 0, 1, 2], size), { ...across, transposed: true });
    const down = { tile: [outputs, 1], most } as const, turned = [taps, 1] as const;
    check(geometryOf([2, 17, 3, 9], 11, [pad, pad, 0, 0], turned), down);
    check(geometryOf([1, 8, 17, 16], 8, [0, 0, 0, 0], turned), { ...down, epilogue: "kept" });
    check(geometryOf([3, 20, 5, 5], 12, [1, 2, 0, -1], turned), { ...down, transposed: true });
  }
});

Deno.test("strides of two, by phases", () => {
  for (const tile of [[3, 3], [5, 3], [3, 5]] as const) {
    const most = 1e-5, size = [3, 3] as const, strides = [2, 2] as const;
    check(geometryOf([2, 17, 13, 8], 12, [0, 0, 0, 0], size, strides), { tile, most });
    check(geometryOf([1, 10, 15, 5], 9, [0, 1, 1, 0], size, strides), { tile, most });
    const cut = geometryOf([3, 9, 8, 8], 8, [-1, 1, 2, -2], size, strides);
    check(cut, { tile, most, epilogue: "dropped" });
  }
  check(geometryOf([2, 9, 12, 8], 8, [1, 1, 1, 1], [3, 3], [2, 1]), { tile: [3, 4] });
  check(geometryOf([2, 9, 12, 8], 8, [1, 1, 2, 2], [3, 5], [2, 1]), { tile: [3, 2] });
  check(geometryOf([2, 4, 21, 8], 8, [0, 0, 1, 1], [1, 3], [1, 2]), { tile: [1, 5] });
  check(geometryOf([2, 21, 4, 8], 8, [1, 1, 0, 0], [3, 1], [2, 1]), { tile: [3, 1] });
  check(geometryOf([4, 35, 35, 24], 40, [0, 0, 0, 0], [3, 3], [2, 2]), { tile: [3, 3] });
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
    check(geometryOf([1, 12, 12, channels], 32), { tile: [6, 6], most: 5e-5 });
    const pads = [2, 2, 2, 2];
    check(geometryOf([1, 12, 12, channels], 32, pads, [5, 5]), { tile: [4, 4], most: 5e-5 });
    const across = geometryOf([1, 12, 18, channels], 32, [0, 0, 3, 3], [1, 7]);
    check(across, { tile: [1, 4], most: 2e-5 });
    check(across, { tile: [1, 6], most: 5e-5 });
  }
});

Deno.test("a NaN reaches the whole of what it touches", () => {
  const geometry = geometryOf([2, 8, 8, 8], 8);
  const x = new Float32Array(2 * 64 * 8).fill(1);
  x[(3 * 8 + 5) * 8] = NaN;
  const filter = new Float32Array(9 * 64).fill(1);
  const transformed = transformedFilter({
    ...{ kind: "winogradFilter", transposed: false, filter: 0, output: 1 },
    ...{ filterSize: [3, 3], strides: [1, 1], tile: [4, 4], inputChannels: 8, outputChannels: 8 },
  }, filter);
  const emitted = prepare(
    [x, transformed, 2 * 64 * 8],
    0,
    (context) =>
      emitWinogradConvolution(context, {
        ...{ kind: "winogradConvolution", geometry, tile: [4, 4], input: 0, filter: 1, output: 2 },
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
