/**
 * @file What a scheduled program consists of: buffers, and a list of kernels that read and write
 * them. A kernel is either a loop nest over affine views (which elementwise work, broadcasts,
 * transpositions, slices and reductions all are, fused), a product, a convolution, or one of a few
 * special ones. Targets turn kernels into code and know nothing of graphs.
 */
import type { DataType, ElementwiseName } from "./elementwise.ts";
import type { PhiloxDistribution } from "../tensor/philox.ts";

/** A contiguous array of 4-byte cells. */
export interface Buffer {
  /** In cells. */
  readonly size: number;
  readonly type: DataType;
  /** Why it is there: an argument, a constant, or made by a kernel (a result too is made by one). */
  readonly role: "input" | "constant" | "temporary";
  /** Of a constant: its values, `size` of them, or one for all. */
  readonly values?: Float32Array | Int32Array;
}

/** Cell `offset + Σ strides[d]·index[d]` of a buffer at the point `index` of an iteration space. */
export interface View {
  /** Index into the program's buffers. */
  readonly buffer: number;
  readonly type: DataType;
  readonly offset: number;
  /** One a dimension of the iteration space; 0 repeats, negative reverses. */
  readonly strides: readonly number[];
}

/** An operand of an instruction. */
export type Operand =
  | { readonly kind: "read"; readonly index: number }
  | { readonly kind: "value"; readonly index: number }
  | { readonly kind: "number"; readonly value: number; readonly type: DataType };

/** One elementwise function; its result is `value` number i, where i is its place in the body. */
export interface Instruction {
  readonly name: ElementwiseName;
  readonly operands: readonly Operand[];
  /** Of the result. */
  readonly type: DataType;
}

/** Where a value goes. */
export interface Write {
  readonly view: View;
  readonly value: Operand;
  /** Reduced over the trailing `reducedDimensions`, along which the view's strides are then 0. */
  readonly reduce?: "sum" | "maximum" | "minimum";
}

/**
 * for every point of an iteration space (outermost first): reads, body, writes. Dimensions of
 * extent 1 are dropped and neighbours that every view walks in one stride are merged, so that the
 * common case is one or two dimensions. No write overlaps a read of another point.
 */
export interface Loop {
  readonly extents: readonly number[];
  /** So many of the last dimensions are reduced by the writes with `reduce`; 0 without such. */
  readonly reducedDimensions: number;
  readonly reads: readonly View[];
  readonly body: readonly Instruction[];
  readonly writes: readonly Write[];
}

/**
 * Work on the result of a product or convolution before it leaves the cache: a loop over
 * [rows, columns] of that result (without reductions). The read number `product` is the result
 * itself: a view of the kernel's `output` with offset 0 and strides [columns, 1]. Where `keep` is
 * false nobody else reads the result and it need not be stored at all.
 */
export interface Epilogue {
  readonly loop: Loop;
  readonly product: number;
  readonly keep: boolean;
}

/** A matrix in a buffer, by strides in cells. */
export interface MatrixView {
  readonly buffer: number;
  readonly offset: number;
  readonly batchStride: number;
  readonly rowStride: number;
  readonly columnStride: number;
}

/** Sizes of a 2-D convolution, in pixels and channels; pads may be negative. */
export interface ConvolutionGeometry {
  readonly batch: number;
  readonly inputHeight: number;
  readonly inputWidth: number;
  readonly inputChannels: number;
  readonly outputHeight: number;
  readonly outputWidth: number;
  readonly outputChannels: number;
  readonly filterHeight: number;
  readonly filterWidth: number;
  readonly strideHeight: number;
  readonly strideWidth: number;
  readonly padTop: number;
  readonly padLeft: number;
}

/** One unit of work of a program. All buffers named `output` are contiguous from their start. */
export type Kernel =
  | { readonly kind: "loop"; readonly loop: Loop }
  /** output[b, m, n] = Σ_k a[b, m, k] b[b, k, n], contiguous; rows of an epilogue: batch·m. */
  | {
    readonly kind: "matmul";
    readonly batch: number;
    readonly m: number;
    readonly n: number;
    readonly k: number;
    readonly a: MatrixView;
    readonly b: MatrixView;
    readonly output: number;
    readonly epilogue?: Epilogue;
  }
  /**
   * forward: left x, right filter; inputGradient: left dy, right filter; filterGradient: left x,
   * right dy. Rows of an epilogue are pixels (of a filter gradient: its first three axes).
   */
  | {
    readonly kind: "convolution";
    readonly form: "forward" | "inputGradient" | "filterGradient";
    readonly geometry: ConvolutionGeometry;
    readonly left: number;
    readonly right: number;
    readonly output: number;
    readonly epilogue?: Epilogue;
  }
  | {
    readonly kind: "winogradFilter";
    readonly transposed: boolean;
    /** Of the filter as it is given: height, width. */
    readonly filterSize: readonly [number, number];
    readonly inputChannels: number;
    readonly outputChannels: number;
    readonly strides: readonly [number, number];
    readonly tile: readonly [number, number];
    readonly filter: number;
    readonly output: number;
  }
  | {
    readonly kind: "winogradConvolution";
    readonly geometry: ConvolutionGeometry;
    /** Height and width of output tiles. */
    readonly tile: readonly [number, number];
    readonly input: number;
    readonly filter: number;
    readonly output: number;
    readonly epilogue?: Epilogue;
  }
  /** A copy of `input` (contiguous, of `extents`) into part of a result filled with `value` first. */
  | {
    readonly kind: "pad";
    readonly input: View;
    readonly extents: readonly number[];
    /** The same points in the output. */
    readonly output: View;
    readonly size: number;
    readonly value: number;
  }
  /** Rows of `table` (rowSize cells each) by int32 `indices`. */
  | {
    readonly kind: "gather";
    readonly table: number;
    readonly indices: number;
    readonly rows: number;
    readonly rowSize: number;
    readonly tableRows: number;
    readonly output: number;
  }
  /** Draws; the number in `offset`, where there is one, is added to `firstSample`. */
  | {
    readonly kind: "philox";
    readonly distribution: PhiloxDistribution;
    readonly stream: number;
    readonly firstSample: number;
    /** Of indices: how many there are to draw from. */
    readonly count?: number;
    readonly samples: number;
    readonly perSample: number;
    readonly seed: number;
    readonly step: number;
    readonly offset?: number;
    readonly output: number;
  };

/** A program without addresses. */
export interface Schedule {
  readonly buffers: readonly Buffer[];
  readonly kernels: readonly Kernel[];
  /** The buffer of each argument. */
  readonly inputs: readonly number[];
  /** The buffer of each result (contiguous from its start); several may share one. */
  readonly outputs: readonly number[];
}

/** A program with addresses. */
export interface Plan extends Schedule {
  /** Of each buffer, in cells from the start of the arena; a multiple of the alignment. */
  readonly offsets: readonly number[];
  /** Of each kernel's scratch, where its target asked for some. */
  readonly scratchOffsets: readonly number[];
  /** In cells: the whole arena. */
  readonly arenaSize: number;
  /** In cells: the most that is alive at once, which no plan can be below. */
  readonly livenessBound: number;
}

/**
 * A program on a device. The arguments and state lie in the arena; `run` is synchronous on WASM
 * and enqueues on WebGPU, where reads wait for it.
 */
export interface Executable {
  /** Sets an argument from the host; length is the argument's size. */
  writeInput(index: number, values: Float32Array | Int32Array): void;
  /** Runs the program so many times in a row (state carries over). Default once. */
  run(repeat?: number): void;
  /** A copy of a result's values. */
  readOutput(index: number): Float32Array | Int32Array | Promise<Float32Array | Int32Array>;
  /** Copies of several results' values, in one transfer. */
  readOutputs(indices: readonly number[]): Promise<(Float32Array | Int32Array)[]>;
  /** A copy of an argument's present values (of a donated one: the state). */
  readInput(index: number): Float32Array | Int32Array | Promise<Float32Array | Int32Array>;
  /** Frees everything. */
  dispose(): void;
}

/** How a program's state carries over: after a run, result `output` becomes argument `input`. */
export interface Donation {
  readonly input: number;
  readonly output: number;
}
