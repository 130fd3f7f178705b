/**
 * @file A WebAssembly assembler, just large enough for the kernels: instructions are functions from
 * code to code (a nested list of bytes, in the order of execution), so that a kernel reads as an
 * expression. Encodings: WebAssembly Core Specification 2.0 with the fixed-width and relaxed SIMD and
 * the threads proposals, chapters "Binary Format".
 */

/** Instructions: bytes, and nested lists of them. */
export type Code = readonly (number | Code)[];

/** Types of values. */
export type ValueKind = "i32" | "i64" | "f32" | "f64" | "v128";

const valueKinds: Record<ValueKind, number> = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  v128: 0x7b,
};

/** LEB128 of an unsigned integer below 2³². */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  do {
    const low = value % 128;
    value = Math.floor(value / 128);
    bytes.push(value > 0 ? low | 128 : low);
  } while (value > 0);
  return bytes;
}

/** LEB128 of a signed 32-bit integer. */
function signed(value: number): number[] {
  const bytes: number[] = [];
  for (value |= 0;;) {
    const low = value & 127;
    value >>= 7;
    const done = (value === 0 && !(low & 64)) || (value === -1 && (low & 64));
    bytes.push(done ? low : low | 128);
    if (done) return bytes;
  }
}

function float32Bytes(value: number): number[] {
  return [...new Uint8Array(Float32Array.of(value).buffer)];
}

function float64Bytes(value: number): number[] {
  return [...new Uint8Array(Float64Array.of(value).buffer)];
}

type Unary = (a: Code) => Code;
type Binary = (a: Code, b: Code) => Code;

const unary = (...opcode: number[]): Unary => (a) => [a, opcode];
const binary = (...opcode: number[]): Binary => (a, b) => [a, b, opcode];
const simd = (opcode: number) => [0xfd, ...unsigned(opcode)];
const simdUnary = (opcode: number): Unary => unary(...simd(opcode));
const simdBinary = (opcode: number): Binary => binary(...simd(opcode));
/** Alignment (as a power of two) and offset of a memory access. */
const memory = (align: number, offset: number) => [align, ...unsigned(offset)];

/** Instructions on i32. Loads and stores take an offset in bytes. */
export const i32 = {
  const: (value: number): Code => [0x41, ...signed(value)],
  eqz: unary(0x45),
  eq: binary(0x46),
  ne: binary(0x47),
  ltS: binary(0x48),
  ltU: binary(0x49),
  gtS: binary(0x4a),
  gtU: binary(0x4b),
  leS: binary(0x4c),
  leU: binary(0x4d),
  geS: binary(0x4e),
  geU: binary(0x4f),
  add: binary(0x6a),
  sub: binary(0x6b),
  mul: binary(0x6c),
  divS: binary(0x6d),
  divU: binary(0x6e),
  remS: binary(0x6f),
  remU: binary(0x70),
  and: binary(0x71),
  or: binary(0x72),
  xor: binary(0x73),
  shl: binary(0x74),
  shrS: binary(0x75),
  shrU: binary(0x76),
  wrapI64: unary(0xa7),
  reinterpretF32: unary(0xbc),
  truncSatF32S: unary(0xfc, 0x00),
  load: (address: Code, offset = 0): Code => [address, 0x28, memory(2, offset)],
  load8U: (address: Code, offset = 0): Code => [address, 0x2d, memory(0, offset)],
  store: (address: Code, value: Code, offset = 0): Code => [
    address,
    value,
    0x36,
    memory(2, offset),
  ],
  atomicLoad: (address: Code, offset = 0): Code => [address, 0xfe, 0x10, memory(2, offset)],
  atomicStore: (address: Code, value: Code, offset = 0): Code => [
    address,
    value,
    0xfe,
    0x17,
    memory(2, offset),
  ],
  /** Adds, and gives the value from before. */
  atomicAdd: (address: Code, value: Code, offset = 0): Code => [
    address,
    value,
    0xfe,
    0x1e,
    memory(2, offset),
  ],
  /** Waits while the cell holds `expected`, for at most so many nanoseconds (i64; −1 for ever). */
  atomicWait: (address: Code, expected: Code, timeout: Code, offset = 0): Code => [
    address,
    expected,
    timeout,
    0xfe,
    0x01,
    memory(2, offset),
  ],
  /** Wakes up to `count` waiters, and gives their number. */
  atomicNotify: (address: Code, count: Code, offset = 0): Code => [
    address,
    count,
    0xfe,
    0x00,
    memory(2, offset),
  ],
};

/** Instructions on i64: what products of 32-bit words and time-outs need. */
export const i64 = {
  /** Of a signed 32-bit integer. */
  const: (value: number): Code => [0x42, ...signed(value)],
  add: binary(0x7c),
  mul: binary(0x7e),
  shrU: binary(0x88),
  extendI32U: unary(0xad),
};

/** Instructions on f32. */
export const f32 = {
  const: (value: number): Code => [0x43, ...float32Bytes(value)],
  eq: binary(0x5b),
  ne: binary(0x5c),
  lt: binary(0x5d),
  gt: binary(0x5e),
  le: binary(0x5f),
  ge: binary(0x60),
  abs: unary(0x8b),
  neg: unary(0x8c),
  ceil: unary(0x8d),
  floor: unary(0x8e),
  trunc: unary(0x8f),
  nearest: unary(0x90),
  sqrt: unary(0x91),
  add: binary(0x92),
  sub: binary(0x93),
  mul: binary(0x94),
  div: binary(0x95),
  min: binary(0x96),
  max: binary(0x97),
  convertI32S: unary(0xb2),
  demoteF64: unary(0xb6),
  reinterpretI32: unary(0xbe),
  load: (address: Code, offset = 0): Code => [address, 0x2a, memory(2, offset)],
  store: (address: Code, value: Code, offset = 0): Code => [
    address,
    value,
    0x38,
    memory(2, offset),
  ],
};

/** Instructions on f64: what a few sums want. */
export const f64 = {
  const: (value: number): Code => [0x44, ...float64Bytes(value)],
  add: binary(0xa0),
  sub: binary(0xa1),
  mul: binary(0xa2),
  promoteF32: unary(0xbb),
};

/** Instructions on 128 bits, whatever they hold. Accesses need no alignment. */
export const v128 = {
  load: (address: Code, offset = 0): Code => [address, simd(0x00), memory(2, offset)],
  store: (address: Code, value: Code, offset = 0): Code => [
    address,
    value,
    simd(0x0b),
    memory(2, offset),
  ],
  /** A 32-bit cell into all four lanes. */
  load32Splat: (address: Code, offset = 0): Code => [address, simd(0x09), memory(2, offset)],
  /** A 32-bit cell into lane 0, zeros elsewhere. */
  load32Zero: (address: Code, offset = 0): Code => [address, simd(0x5c), memory(2, offset)],
  load64Zero: (address: Code, offset = 0): Code => [address, simd(0x5d), memory(2, offset)],
  load32Lane: (address: Code, vector: Code, lane: number, offset = 0): Code => [
    address,
    vector,
    simd(0x56),
    memory(2, offset),
    lane,
  ],
  store32Lane: (address: Code, vector: Code, lane: number, offset = 0): Code => [
    address,
    vector,
    simd(0x5a),
    memory(2, offset),
    lane,
  ],
  store64Lane: (address: Code, vector: Code, lane: number, offset = 0): Code => [
    address,
    vector,
    simd(0x5b),
    memory(2, offset),
    lane,
  ],
  not: simdUnary(0x4d),
  and: simdBinary(0x4e),
  andNot: simdBinary(0x4f),
  or: simdBinary(0x50),
  xor: simdBinary(0x51),
  /** Bits of a where the mask is set, of b elsewhere. */
  bitselect: (a: Code, b: Code, mask: Code): Code => [a, b, mask, simd(0x52)],
  anyTrue: simdUnary(0x53),
  /** Lanes of two vectors of four 32-bit lanes: 0 to 3 of a, 4 to 7 of b. */
  shuffle32: (a: Code, b: Code, lanes: readonly [number, number, number, number]): Code => [
    a,
    b,
    simd(0x0d),
    lanes.flatMap((lane) => [4 * lane, 4 * lane + 1, 4 * lane + 2, 4 * lane + 3]),
  ],
};

/** Instructions on four i32. */
export const i32x4 = {
  const: (a: number, b = a, c = a, d = a): Code => [
    simd(0x0c),
    [...new Uint8Array(Int32Array.of(a, b, c, d).buffer)],
  ],
  splat: simdUnary(0x11),
  extractLane: (vector: Code, lane: number): Code => [vector, simd(0x1b), lane],
  eq: simdBinary(0x37),
  ne: simdBinary(0x38),
  ltS: simdBinary(0x39),
  gtS: simdBinary(0x3b),
  leS: simdBinary(0x3d),
  geS: simdBinary(0x3f),
  abs: simdUnary(0xa0),
  neg: simdUnary(0xa1),
  allTrue: simdUnary(0xa3),
  shl: simdBinary(0xab),
  shrS: simdBinary(0xac),
  shrU: simdBinary(0xad),
  add: simdBinary(0xae),
  sub: simdBinary(0xb1),
  mul: simdBinary(0xb5),
  minS: simdBinary(0xb6),
  maxS: simdBinary(0xb8),
  truncSatF32x4S: simdUnary(0xf8),
};

/** Products of unsigned 32-bit lanes in 64 bits, for random numbers. */
export const i64x2 = {
  extmulLowI32x4U: simdBinary(0xde),
  extmulHighI32x4U: simdBinary(0xdf),
};

/** Instructions on two f64. */
export const f64x2 = {
  const: (a: number, b = a): Code => [simd(0x0c), float64Bytes(a), float64Bytes(b)],
  promoteLowF32x4: simdUnary(0x5f),
  /** Of lanes 0 and 1. */
  convertLowI32x4S: simdUnary(0xfe),
  /** Into lanes 0 and 1, zeros above. */
  truncSatI32x4SZero: simdUnary(0xfc),
  demoteF32x4Zero: simdUnary(0x5e),
  floor: simdUnary(0x75),
  nearest: simdUnary(0x94),
  add: simdBinary(0xf0),
  sub: simdBinary(0xf1),
  mul: simdBinary(0xf2),
  div: simdBinary(0xf3),
  /** b < a ? b : a, one instruction on x86. */
  pmin: simdBinary(0xf6),
  pmax: simdBinary(0xf7),
};

/** Instructions on four f32. */
export const f32x4 = {
  const: (a: number, b = a, c = a, d = a): Code => [
    simd(0x0c),
    [...new Uint8Array(Float32Array.of(a, b, c, d).buffer)],
  ],
  splat: simdUnary(0x13),
  extractLane: (vector: Code, lane: number): Code => [vector, simd(0x1f), lane],
  eq: simdBinary(0x41),
  ne: simdBinary(0x42),
  lt: simdBinary(0x43),
  gt: simdBinary(0x44),
  le: simdBinary(0x45),
  ge: simdBinary(0x46),
  ceil: simdUnary(0x67),
  floor: simdUnary(0x68),
  trunc: simdUnary(0x69),
  nearest: simdUnary(0x6a),
  abs: simdUnary(0xe0),
  neg: simdUnary(0xe1),
  sqrt: simdUnary(0xe3),
  add: simdBinary(0xe4),
  sub: simdBinary(0xe5),
  mul: simdBinary(0xe6),
  div: simdBinary(0xe7),
  /** NaN where either is. */
  min: simdBinary(0xe8),
  max: simdBinary(0xe9),
  /** b < a ? b : a, one instruction on x86. */
  pmin: simdBinary(0xea),
  pmax: simdBinary(0xeb),
  convertI32x4S: simdUnary(0xfa),
  /** a·b + c, with one rounding or two: needs an engine with relaxed SIMD. */
  relaxedMadd: (a: Code, b: Code, c: Code): Code => [a, b, c, simd(0x105)],
  /** −a·b + c. */
  relaxedNmadd: (a: Code, b: Code, c: Code): Code => [a, b, c, simd(0x106)],
};

/** Control flow. Blocks take and give no values; depths count from the innermost block. */
export const control = {
  block: (...body: Code[]): Code => [0x02, 0x40, body, 0x0b],
  loop: (...body: Code[]): Code => [0x03, 0x40, body, 0x0b],
  if: (condition: Code, then: Code, otherwise?: Code): Code => [
    condition,
    0x04,
    0x40,
    then,
    otherwise ? [0x05, otherwise] : [],
    0x0b,
  ],
  br: (depth: number): Code => [0x0c, ...unsigned(depth)],
  brIf: (condition: Code, depth: number): Code => [condition, 0x0d, ...unsigned(depth)],
  return: [0x0f] as Code,
  drop: (value: Code): Code => [value, 0x1a],
  /** a where the condition is not 0, else b. */
  select: (a: Code, b: Code, condition: Code): Code => [a, b, condition, 0x1b],
  memoryFill: (address: Code, byte: Code, bytes: Code): Code => [
    address,
    byte,
    bytes,
    0xfc,
    0x0b,
    0x00,
  ],
  memoryCopy: (to: Code, from: Code, bytes: Code): Code => [to, from, bytes, 0xfc, 0x0a, 0, 0],
};

/** A local variable or parameter. */
export interface Local {
  readonly kind: ValueKind;
  readonly get: Code;
  set(value: Code): Code;
  tee(value: Code): Code;
}

/** A function of a module: to be called, and, once, to be given a body. */
export class FunctionBuilder {
  readonly parameters: readonly Local[];
  readonly #locals: ValueKind[] = [];
  #body: Code | null = null;

  constructor(
    readonly index: number,
    readonly name: string,
    readonly parameterKinds: readonly ValueKind[],
    readonly resultKinds: readonly ValueKind[],
  ) {
    this.parameters = parameterKinds.map((kind, i) => makeLocal(kind, i));
  }

  /** A new local, zero at first. */
  local(kind: ValueKind): Local {
    this.#locals.push(kind);
    return makeLocal(kind, this.parameterKinds.length + this.#locals.length - 1);
  }

  /** So many new locals. */
  locals(kind: ValueKind, count: number): Local[] {
    return Array.from({ length: count }, () => this.local(kind));
  }

  /** Gives the function its body. */
  body(...code: Code[]): this {
    this.#body = code;
    return this;
  }

  /** A call with these arguments. */
  call(...parameters: Code[]): Code {
    return [parameters, 0x10, ...unsigned(this.index)];
  }

  /** The function as the code section holds it, but for its length. */
  encode(scratch: Bytes): Uint8Array {
    if (!this.#body) throw new Error(`function ${this.name} has no body`);
    scratch.length = 0;
    scratch.append([
      unsigned(this.#locals.length),
      this.#locals.map((kind) => [1, valueKinds[kind]]),
      this.#body,
      0x0b,
    ]);
    return scratch.take();
  }
}

function makeLocal(kind: ValueKind, index: number): Local {
  const bytes = unsigned(index);
  return {
    kind,
    get: [0x20, ...bytes],
    set: (value) => [value, 0x21, ...bytes],
    tee: (value) => [value, 0x22, ...bytes],
  };
}

/** Bytes in the making. */
class Bytes {
  #cells = new Uint8Array(1 << 16);
  length = 0;

  /** Appends nested code. */
  append(code: Code): void {
    for (const part of code) {
      if (typeof part !== "number") {
        this.append(part);
      } else {
        if (this.length === this.#cells.length) this.#grow(this.length + 1);
        this.#cells[this.length++] = part;
      }
    }
  }

  /** Appends as many bytes as there are, after their number. */
  appendCounted(bytes: Uint8Array): void {
    this.append(unsigned(bytes.length));
    this.#grow(this.length + bytes.length);
    this.#cells.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** A copy of the bytes so far. */
  take(): Uint8Array<ArrayBuffer> {
    return this.#cells.slice(0, this.length);
  }

  #grow(size: number): void {
    if (size <= this.#cells.length) return;
    const grown = new Uint8Array(Math.max(size, 2 * this.#cells.length));
    grown.set(this.#cells);
    this.#cells = grown;
  }
}

/** The memory that a module imports, as `env.memory`. Pages are of 64 KiB. */
export interface MemoryImport {
  readonly pages: number;
  readonly shared: boolean;
}

/** A module: one imported memory, and functions. */
export class ModuleBuilder {
  readonly #functions: FunctionBuilder[] = [];
  readonly #exports: [string, FunctionBuilder][] = [];
  readonly #interned = new Map<string, FunctionBuilder>();

  /** A new function; its body comes later. */
  function(
    name: string,
    parameters: readonly ValueKind[],
    results: readonly ValueKind[] = [],
  ): FunctionBuilder {
    const made = new FunctionBuilder(this.#functions.length, name, parameters, results);
    this.#functions.push(made);
    return made;
  }

  /** The function that `make` gives, made once for all calls with the same key. */
  shared(key: string, make: () => FunctionBuilder): FunctionBuilder {
    const known = this.#interned.get(key);
    if (known) return known;
    const made = make();
    this.#interned.set(key, made);
    return made;
  }

  /** Makes a function callable from outside. */
  export(name: string, target: FunctionBuilder): void {
    this.#exports.push([name, target]);
  }

  /** The module's bytes. */
  encode({ pages, shared }: MemoryImport): Uint8Array<ArrayBuffer> {
    const types = new Map<string, { index: number; bytes: number[] }>();
    const typeOf = (f: FunctionBuilder) => {
      const key = `${f.parameterKinds}>${f.resultKinds}`;
      const known = types.get(key);
      if (known) return known.index;
      const kinds = (list: readonly ValueKind[]) => [
        ...unsigned(list.length),
        ...list.map((kind) => valueKinds[kind]),
      ];
      const bytes = [0x60, ...kinds(f.parameterKinds), ...kinds(f.resultKinds)];
      types.set(key, { index: types.size, bytes });
      return types.size - 1;
    };
    const functionTypes = this.#functions.map((f) => unsigned(typeOf(f)));
    const limits = shared ? [3, ...unsigned(pages), ...unsigned(pages)] : [0, ...unsigned(pages)];
    const sections: [number, Code[]][] = [
      [1, [...types.values()].map(({ bytes }) => bytes)],
      [2, [[...text("env"), ...text("memory"), 0x02, ...limits]]],
      [3, functionTypes],
      [7, this.#exports.map(([name, f]) => [...text(name), 0x00, ...unsigned(f.index)])],
    ];
    const out = new Bytes(), content = new Bytes(), scratch = new Bytes();
    const section = (id: number) => {
      out.append([id]);
      out.appendCounted(content.take());
      content.length = 0;
    };
    out.append([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);
    for (const [id, items] of sections) {
      content.append([unsigned(items.length), items]);
      section(id);
    }
    content.append(unsigned(this.#functions.length));
    for (const f of this.#functions) content.appendCounted(f.encode(scratch));
    section(10);
    return out.take();
  }
}

function text(value: string): number[] {
  const bytes = new TextEncoder().encode(value);
  return [...unsigned(bytes.length), ...bytes];
}

let relaxed: boolean | undefined;

/** Whether the engine has relaxed SIMD: asked once, with a module that uses it. */
export function hasRelaxedSimd(): boolean {
  if (relaxed !== undefined) return relaxed;
  const module = new ModuleBuilder();
  const zero = f32x4.const(0);
  module.function("probe", [], ["v128"]).body(f32x4.relaxedMadd(zero, zero, zero));
  return relaxed = WebAssembly.validate(module.encode({ pages: 1, shared: false }));
}
