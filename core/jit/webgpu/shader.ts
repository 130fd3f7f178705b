/**
 * @file What the emitters of the WebGPU target share. A kernel becomes one or two dispatches of a
 * compute shader over one storage buffer, the arena. Where operands lie in it is no part of the
 * shader's text but of its parameters (a slice of one uniform buffer), so that kernels of the same
 * form and shape share one pipeline.
 */
import type { DataType } from "../elementwise.ts";
import type { View } from "../kernels.ts";
import { type FunctionName, functions } from "./functions.ts";

/** One dispatch: a shader, its parameters, and how many workgroups. */
export interface Dispatch {
  /** The whole WGSL module; its entry point is `main`. */
  readonly code: string;
  /** 32-bit integers, by slot. */
  readonly parameters: readonly number[];
  readonly workgroups: number;
  /** What it is, for profiles and error messages. */
  readonly label: string;
}

/** A view with its place: cells from the start of the arena to its first cell. */
export interface Place {
  readonly address: number;
  readonly strides: readonly number[];
  readonly type: DataType;
}

/** Where the buffers of a program lie, in cells. */
export type Addresses = (buffer: number) => number;

/** The place of a view. */
export function placeOf({ buffer, offset, strides, type }: View, addresses: Addresses): Place {
  return { address: addresses(buffer) + offset, strides, type };
}

/** Dispatches of more workgroups than an axis may have (65,535) are rows of so many. */
export const WORKGROUPS_PER_ROW = 32768;

/** WGSL's name of a type; a bool is held as i32 throughout. */
export const wgslType = (type: DataType): "f32" | "i32" => type === "float32" ? "f32" : "i32";

const SLOT_LETTERS = "xyzw";

/** Puts a shader together: parameters, functions that it uses, workgroup memory, the body. */
export class Shader {
  // Constants of infinity and NaN are errors in WGSL, so that they come in as parameters.
  readonly #parameters: number[] = [0x7f800000, 0x7fc00000];
  readonly #functions = new Set<FunctionName>();
  readonly #declarations: string[] = [];

  /** @param workgroupSize threads a workgroup */
  constructor(readonly workgroupSize: number) {}

  /** An i32 that is not part of the shader's text; gives the expression that reads it. */
  parameter(value: number): string {
    return slot(this.#parameters.push(value | 0) - 1);
  }

  /** +∞, as an expression. */
  get infinity(): string {
    return `bitcast<f32>(${slot(0)})`;
  }

  /** NaN, as an expression. */
  get nan(): string {
    return `bitcast<f32>(${slot(1)})`;
  }

  /** A call of a function of the library. */
  call(name: FunctionName, ...operands: string[]): string {
    this.#include(name);
    return `${name}(${operands.join(", ")})`;
  }

  #include(name: FunctionName) {
    for (const needed of functions[name].needs ?? []) this.#include(needed);
    this.#functions.add(name);
  }

  /** A declaration beside the entry point: workgroup memory, a function. */
  declare(text: string) {
    this.#declarations.push(text);
  }

  /** A number as a WGSL literal of a type. */
  literal(value: number, type: DataType): string {
    if (type !== "float32") {
      return value === -2147483648 ? "bitcast<i32>(0x80000000u)" : `(${value | 0}i)`;
    }
    const rounded = Math.fround(value);
    if (Number.isNaN(rounded)) return this.nan;
    if (Math.abs(rounded) === Infinity) return `${rounded < 0 ? "-" : ""}${this.infinity}`;
    if (Math.abs(rounded) < 2 ** -126) {
      // A subnormal or a negative zero may be lost as a decimal number.
      return `bitcast<f32>(${new Uint32Array(Float32Array.of(rounded).buffer)[0]}u)`;
    }
    return `(${rounded}f)`;
  }

  /** The dispatch. The body finds the workgroup's number in `block` and the thread's in `lane`. */
  finish(body: string, workgroups: number, label: string): Dispatch {
    const slots = Math.ceil(this.#parameters.length / 4);
    const wide = workgroups > WORKGROUPS_PER_ROW;
    const block = wide ? `group.y * ${WORKGROUPS_PER_ROW}u + group.x` : "group.x";
    const code = `
@group(0) @binding(0) var<storage, read_write> arena : array<u32>;
@group(0) @binding(1) var<uniform> parameters : array<vec4<i32>, ${slots}>;
${[...this.#functions].map((name) => functions[name].code(this)).join("\n")}
${this.#declarations.join("\n")}
@compute @workgroup_size(${this.workgroupSize})
fn main(
  @builtin(workgroup_id) group : vec3<u32>,
  @builtin(local_invocation_index) lane : u32,
) {
let block = ${block};
${body}
}
`;
    return { code, parameters: this.#parameters, workgroups, label };
  }
}

function slot(index: number): string {
  return `parameters[${index >> 2}].${SLOT_LETTERS[index & 3]}`;
}

/** The cell at an index as a value of a type. */
export function load(index: string, type: DataType): string {
  return `bitcast<${wgslType(type)}>(arena[${index}])`;
}

/** A statement that sets the cell at an index. */
export function store(index: string, value: string): string {
  return `arena[${index}] = bitcast<u32>(${value});`;
}

/** A point of an iteration space, in i32 expressions. */
export interface Point {
  readonly extents: readonly number[];
  /** One a dimension. */
  readonly coordinates: readonly string[];
  /** Its number in row-major order, where that is at hand. */
  readonly flat?: string;
}

/**
 * The coordinates of point number `flat` (a u32 expression) of an iteration space: statements that
 * define them under names that begin with `prefix`, and the names.
 */
export function delinearize(flat: string, extents: readonly number[], prefix: string) {
  const lines: string[] = [];
  const coordinates: string[] = new Array(extents.length).fill("0i");
  let rest = flat;
  for (let axis = extents.length - 1; axis >= 0; axis--) {
    const coordinate = coordinates[axis] = `${prefix}${axis}`;
    if (axis === 0) {
      lines.push(`let ${coordinate} = i32(${rest});`);
      break;
    }
    const quotient = `${prefix}${axis}_rest`;
    lines.push(
      `let ${quotient} = ${rest} / ${extents[axis]}u;`,
      `let ${coordinate} = i32(${rest} - ${quotient} * ${extents[axis]}u);`,
    );
    rest = quotient;
  }
  return { lines, coordinates };
}

/** Row-major strides of a contiguous array. */
export function rowMajorStrides(extents: readonly number[]): number[] {
  const strides = new Array<number>(extents.length).fill(1);
  for (let axis = extents.length - 2; axis >= 0; axis--) {
    strides[axis] = strides[axis + 1] * extents[axis + 1];
  }
  return strides;
}

/** Which cell of the arena a view has at a point, as an expression. */
export function cellAt(base: string, strides: readonly number[], point: Point): string {
  const { extents, coordinates, flat } = point;
  const whole = rowMajorStrides(extents);
  const contiguous = extents.every((extent, axis) => extent === 1 || strides[axis] === whole[axis]);
  if (flat !== undefined && contiguous) return `${base} + ${flat}`;
  const terms = strides.flatMap((stride, axis) =>
    stride === 0 || extents[axis] === 1
      ? []
      : [stride === 1 ? coordinates[axis] : `${coordinates[axis]} * ${stride}i`]
  );
  return [base, ...terms].join(" + ");
}
