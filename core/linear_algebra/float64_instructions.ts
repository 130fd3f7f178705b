/**
 * @file Instructions on f64 and f64x2 that dense linear algebra wants beyond those of the compiler's
 * kernels, in the assembler's terms. Encodings: WebAssembly Core Specification with the fixed-width
 * and relaxed SIMD proposals, chapter "Binary Format".
 */
import { type Code, f64x2, hasRelaxedSimd } from "../jit/wasm/assembler.ts";

/** LEB128 of an unsigned integer below 2³¹: offsets of memory accesses. */
function unsigned(value: number): number[] {
  return value < 128 ? [value] : [value & 127 | 128, ...unsigned(value >>> 7)];
}

/** A 64-bit cell into both lanes. */
export function load64Splat(address: Code, offset = 0): Code {
  return [address, 0xfd, 0x0a, 3, ...unsigned(offset)];
}

/** Both lanes of a vector the same number. */
export function splatFloat64(value: Code): Code {
  return [value, 0xfd, 0x14];
}

/** One lane of a vector. */
export function extractFloat64(vector: Code, lane: 0 | 1): Code {
  return [vector, 0xfd, 0x21, lane];
}

/** A cell of memory. */
export function loadFloat64(address: Code, offset = 0): Code {
  return [address, 0x2b, 3, ...unsigned(offset)];
}

/** Into a cell of memory. */
export function storeFloat64(address: Code, value: Code, offset = 0): Code {
  return [address, value, 0x39, 3, ...unsigned(offset)];
}

/** a·b + c on two lanes: fused where the engine has relaxed SIMD. */
export function multiplyAddFloat64(a: Code, b: Code, c: Code): Code {
  return hasRelaxedSimd() ? [a, b, c, 0xfd, 0x87, 0x02] : f64x2.add(f64x2.mul(a, b), c);
}

/** c − a·b on two lanes. */
export function negativeMultiplyAddFloat64(a: Code, b: Code, c: Code): Code {
  return hasRelaxedSimd() ? [a, b, c, 0xfd, 0x88, 0x02] : f64x2.sub(c, f64x2.mul(a, b));
}
