/**
 * @file What the emitters of the WASM target share: how a kernel becomes phases, each a function
 * over a range of units that threads divide among themselves, with a barrier after each.
 */
import type { Code, FunctionBuilder, ModuleBuilder } from "./assembler.ts";
import { f32x4, hasRelaxedSimd } from "./assembler.ts";

/**
 * One parallel phase of a kernel. The function has the parameters
 * (start, end, scratch, pointer₀, pointer₁, …), all i32: it does the units start ≤ i < end, may use
 * `scratchBytes` of memory of the calling thread's own at `scratch` (64-byte aligned, contents
 * undefined), and finds its operands at the pointers, in bytes. A unit's result may depend on
 * nothing but the operands: never on the range it is done in.
 */
export interface Phase {
  readonly code: FunctionBuilder;
  /** Byte addresses, the arguments after the first three. */
  readonly pointers: readonly number[];
  /** How many units there are; threads take ranges of them. */
  readonly units: number;
  /** Bytes of a thread's own memory that one call needs. */
  readonly scratchBytes: number;
  /** About how many floating-point operations (or cells moved) the whole phase does. */
  readonly work: number;
}

/** What an emitter is given. */
export interface EmitterContext {
  readonly module: ModuleBuilder;
  /** Byte address of a buffer. */
  address(buffer: number): number;
  /** Byte address of the kernel's shared scratch: see `kernelScratchCells`. */
  readonly kernelScratch: number;
}

/** Up to the next multiple of 64 bytes. */
export function alignBytes(bytes: number): number {
  return Math.ceil(bytes / 64) * 64;
}

/** a·b + c: fused where the engine has relaxed SIMD. */
export function multiplyAdd(a: Code, b: Code, c: Code): Code {
  return hasRelaxedSimd() ? f32x4.relaxedMadd(a, b, c) : f32x4.add(f32x4.mul(a, b), c);
}

/** c − a·b. */
export function negativeMultiplyAdd(a: Code, b: Code, c: Code): Code {
  return hasRelaxedSimd() ? f32x4.relaxedNmadd(a, b, c) : f32x4.sub(c, f32x4.mul(a, b));
}
