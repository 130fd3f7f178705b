/**
 * @file Philox 4×32-10 in WGSL, as a program of TensorFlow.js's WebGPU backend: one thread a value.
 * WGSL has no 64-bit product, so its upper half is put together from 16-bit limbs.
 */
import * as tf from "@tensorflow/tfjs";
import type { PhiloxDistribution } from "./philox.ts";
import { logarithmPolynomial, sineOfReduced } from "./wgsl_polynomials.ts";

const WORKGROUP = 64;

/** The generator in WGSL, function by function; each calls only those before it. */
export const philoxFunctions = {
  multiplyHigh: `
fn multiplyHigh(a : u32, b : u32) -> u32 {
  let aLow = a & 0xffffu; let aHigh = a >> 16u;
  let bLow = b & 0xffffu; let bHigh = b >> 16u;
  let middle = aHigh * bLow + ((aLow * bLow) >> 16u);
  let cross = aLow * bHigh + (middle & 0xffffu);
  return aHigh * bHigh + (middle >> 16u) + (cross >> 16u);
}`,
  philox: `
fn philox(counter : vec4<u32>, seed : vec2<u32>) -> vec4<u32> {
  var c = counter;
  var k = seed;
  for (var round = 0; round < 10; round++) {
    let high0 = multiplyHigh(0xd2511f53u, c.x); let low0 = 0xd2511f53u * c.x;
    let high1 = multiplyHigh(0xcd9e8d57u, c.z); let low1 = 0xcd9e8d57u * c.z;
    c = vec4<u32>(high1 ^ c.y ^ k.x, low1, high0 ^ c.w ^ k.y, low0);
    k = k + vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}`,
  toUniform: `
fn toUniform(word : u32) -> f32 { return (f32(word >> 9u) + 0.5) * 1.1920928955078125e-7; }`,
} as const;

const PHILOX = Object.values(philoxFunctions).join("");

/**
 * The built-in sine and cosine may be off by 2⁻¹¹ and the logarithm by 2⁻²¹; by these draws are those of
 * other devices within some 10⁻⁶.
 */
const NORMAL = `
fn logarithmOfUniform(uniform : f32) -> f32 {
  // uniform = (1 + x)·2^exponent, 1 + x from √½ to √2; 0x3f3504f3 is √½.
  let shifted = bitcast<u32>(uniform) - 0x3f3504f3u;
  let exponent = f32(bitcast<i32>(shifted) >> 23u);
  let x = bitcast<f32>((shifted & 0x007fffffu) + 0x3f3504f3u) - 1.0;
  ${logarithmPolynomial}
  y = y + exponent * -2.12194440e-4 - 0.5 * z;
  return x + y + exponent * 0.693359375;
}
${sineOfReduced}
// The sine of (turns + more)·π/2.
fn sineOfQuarterTurns(turns : f32, more : i32) -> f32 {
  let nearest = round(turns);
  return sineOfReduced((turns - nearest) * 1.57079633, i32(nearest) + more);
}`;

const STORE: Record<PhiloxDistribution, string> = {
  bits: "setOutputAtIndexI32(index, bitcast<i32>(words[lane]));",
  uniform: "setOutputAtIndex(index, toUniform(words[lane]));",
  indices:
    "setOutputAtIndexI32(index, bitcast<i32>(multiplyHigh(words[lane], u32(uniforms.count))));",
  normal: `
    let first = lane & 2u;
    let radius = sqrt(max(0.0, -2.0 * logarithmOfUniform(toUniform(words[first]))));
    // Four times a uniform is exact. The first of a pair is the cosine.
    let turns = 4.0 * toUniform(words[first + 1u]);
    setOutputAtIndex(index, radius * sineOfQuarterTurns(turns, 1 - i32(lane & 1u)));`,
};

/**
 * The program for draws of the given shape; inputs: seed int32 [2], step int32 scalar and, where
 * `hasOffset`, an int32 scalar that is added to the samples' indices.
 */
export function philoxProgram(
  shape: number[],
  distribution: PhiloxDistribution,
  hasOffset: boolean,
) {
  const groups = Math.ceil(tf.util.sizeFromShape(shape) / WORKGROUP);
  // A dispatch may have at most 65,535 workgroups an axis.
  const x = Math.min(groups, 65535);
  return {
    variableNames: ["seed", "step", ...(hasOffset ? ["offset"] : [])],
    uniforms: "perSample : i32, stream : i32, firstSample : i32, count : i32,",
    outputShape: shape,
    workgroupSize: [WORKGROUP, 1, 1] as [number, number, number],
    dispatchLayout: { x: shape.map((_, axis) => axis) },
    dispatch: [x, Math.ceil(groups / x), 1] as [number, number, number],
    size: true,
    shaderKey: `philox_${distribution}${hasOffset ? "_offset" : ""}`,
    getUserCode: () =>
      `${PHILOX}${distribution === "normal" ? NORMAL : ""}
      fn main(index : i32) {
        if (index < uniforms.size) {
          let sample = index / uniforms.perSample;
          let value = u32(index - sample * uniforms.perSample);
          let key = vec2<u32>(bitcast<u32>(i32(seed[0])), bitcast<u32>(i32(seed[1])));
          let counter = vec4<u32>(
            value >> 2u,
            bitcast<u32>(uniforms.firstSample + sample${hasOffset ? " + i32(offset[0])" : ""}),
            bitcast<u32>(i32(step[0])), bitcast<u32>(uniforms.stream));
          let words = philox(counter, key);
          let lane = value & 3u;
          ${STORE[distribution]}
        }
      }`,
  };
}
