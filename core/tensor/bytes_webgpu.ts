/**
 * @file The unpacking of bytes in WGSL, as a program of TensorFlow.js's WebGPU backend: one thread a
 * byte.
 */
import * as tf from "@tensorflow/tfjs";

const WORKGROUP = 64;

/**
 * The program for bytes [n, count]; inputs: words int32 [rows, w] and, where `hasRows`, the numbers
 * of n rows, int32 [n].
 */
export function unpackBytesProgram(shape: number[], hasRows: boolean) {
  const groups = Math.ceil(tf.util.sizeFromShape(shape) / WORKGROUP);
  // A dispatch may have at most 65,535 workgroups an axis.
  const x = Math.max(1, Math.min(groups, 65535));
  return {
    variableNames: ["words", ...(hasRows ? ["rows"] : [])],
    uniforms: "count : i32, wordsPerRow : i32,",
    outputShape: shape,
    workgroupSize: [WORKGROUP, 1, 1] as [number, number, number],
    dispatchLayout: { x: shape.map((_, axis) => axis) },
    dispatch: [x, Math.ceil(groups / x), 1] as [number, number, number],
    size: true,
    shaderKey: `unpackBytes${hasRows ? "_rows" : ""}`,
    getUserCode: () =>
      `fn main(index : i32) {
        if (index < uniforms.size) {
          let row = index / uniforms.count;
          let byte = index - row * uniforms.count;
          let source = ${hasRows ? "i32(rows[row])" : "row"};
          let word = bitcast<u32>(i32(words[source * uniforms.wordsPerRow + byte / 4]));
          setOutputAtIndex(index, f32((word >> (8u * u32(byte & 3))) & 255u));
        }
      }`,
  };
}
