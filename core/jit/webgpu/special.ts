/**
 * @file The WGSL of the remaining kernels: padding, gathering of rows, and random draws.
 */
import type { Kernel } from "../kernels.ts";
import { loopDispatches, type PlacedLoop } from "./loop.ts";
import { type Addresses, cellAt, type Dispatch, type Place, placeOf, Shader } from "./shader.ts";

const WORKGROUP = 256;

/** A kernel of one kind. */
type KernelOf<Kind extends Kernel["kind"]> = Extract<Kernel, { kind: Kind }>;

/** Whether greedy division by the strides, outermost first, finds the point that a cell belongs to. */
function stridesNest(strides: readonly number[], extents: readonly number[]): boolean {
  let reach = 0;
  for (let axis = strides.length - 1; axis >= 0; axis--) {
    if (strides[axis] <= reach) return false;
    reach += (extents[axis] - 1) * strides[axis];
  }
  return true;
}

/** The dispatch of a padding kernel: a thread a cell of the result. */
export function padDispatches(
  { input, output, extents, size, value }: KernelOf<"pad">,
  addresses: Addresses,
  label: string,
): Dispatch[] {
  if (size === 0) return [];
  const from = placeOf(input, addresses), to = placeOf(output, addresses);
  if (!stridesNest(to.strides, extents)) {
    const start = addresses(output.buffer);
    return fillAndCopy(size, value, start, extents, from, to).flatMap((loop) =>
      loopDispatches(loop, 0, label)
    );
  }
  const shader = new Shader(WORKGROUP);
  const coordinates = extents.map((_, axis) => `c${axis}`);
  const point = { extents, coordinates };
  const text = [
    `let index = i32(block * ${WORKGROUP}u + lane);`,
    `if (index >= ${shader.parameter(size)}) { return; }`,
    `var rest = index - ${output.offset}i;`,
    "var inside = rest >= 0i;",
    ...to.strides.flatMap((stride, axis) => [
      `let c${axis} = rest / ${stride}i;`,
      `rest -= c${axis} * ${stride}i;`,
      `inside = inside && c${axis} < ${extents[axis]}i;`,
    ]),
    `var bits = bitcast<u32>(${shader.literal(value, from.type)});`,
    `if (inside && rest == 0i) {`,
    `bits = arena[${cellAt(shader.parameter(from.address), from.strides, point)}];`,
    "}",
    `arena[${shader.parameter(addresses(output.buffer))} + index] = bits;`,
  ];
  return [shader.finish(text.join("\n"), Math.ceil(size / WORKGROUP), label)];
}

/** The same in two loops, for views of any kind. */
function fillAndCopy(
  size: number,
  value: number,
  start: number,
  extents: readonly number[],
  from: Place,
  to: Place,
): PlacedLoop[] {
  const { type } = from;
  const place = { address: start, strides: [1], type };
  return [
    {
      extents: [size],
      reducedDimensions: 0,
      reads: [],
      body: [],
      writes: [{ place, value: { kind: "number", value, type } }],
    },
    {
      extents,
      reducedDimensions: 0,
      reads: [from],
      body: [],
      writes: [{ place: to, value: { kind: "read", index: 0 } }],
    },
  ];
}

/** The dispatch of a gathering kernel: a thread a cell. */
export function gatherDispatches(
  { table, indices, rows, rowSize, output }: KernelOf<"gather">,
  addresses: Addresses,
  label: string,
): Dispatch[] {
  const size = rows * rowSize;
  if (size === 0) return [];
  const shader = new Shader(WORKGROUP);
  const text = [
    `let index = block * ${WORKGROUP}u + lane;`,
    `if (index >= ${size}u) { return; }`,
    `let row = bitcast<i32>(arena[${shader.parameter(addresses(indices))} + ` +
    `i32(index / ${rowSize}u)]);`,
    `let cell = row * ${rowSize}i + i32(index % ${rowSize}u);`,
    `arena[${shader.parameter(addresses(output))} + i32(index)] = ` +
    `arena[${shader.parameter(addresses(table))} + cell];`,
  ];
  return [shader.finish(text.join("\n"), Math.ceil(size / WORKGROUP), label)];
}

/** The dispatch of a kernel of random draws: a thread a block of four. See tensor/philox.ts. */
export function philoxDispatches(
  kernel: KernelOf<"philox">,
  addresses: Addresses,
  label: string,
): Dispatch[] {
  const { distribution, samples, perSample, count = 0, offset } = kernel;
  if (samples * perSample === 0) return [];
  const shader = new Shader(64);
  const blocksPerSample = Math.ceil(perSample / 4);
  const size = samples * blocksPerSample;
  const seed = shader.parameter(addresses(kernel.seed));
  const step = shader.parameter(addresses(kernel.step));
  const output = shader.parameter(addresses(kernel.output));
  const part = offset === undefined ? "" : ` + arena[${shader.parameter(addresses(offset))}]`;
  const counter = [
    "drawBlock",
    `bitcast<u32>(${shader.parameter(kernel.firstSample)}) + sample${part}`,
    `arena[${step}]`,
    `bitcast<u32>(${shader.parameter(kernel.stream)})`,
  ];
  const key = `vec2<u32>(arena[${seed}], arena[${seed} + 1])`;
  const eachWord = (value: (word: string) => string) =>
    `vec4<u32>(${[0, 1, 2, 3].map((i) => value(`words[${i}]`)).join(", ")})`;
  const values = {
    bits: () => "words",
    indices: () => {
      const factor = `u32(${shader.parameter(count)})`;
      return eachWord((word) => shader.call("multiplyHigh", word, factor));
    },
    uniform: () => eachWord((word) => `bitcast<u32>(${shader.call("toUniform", word)})`),
    normal: () =>
      `bitcast<vec4<u32>>(vec4<f32>(${shader.call("normalPair", "words.xy")}, ` +
      `${shader.call("normalPair", "words.zw")}))`,
  }[distribution]();
  const text = [
    "let index = block * 64u + lane;",
    `if (index >= u32(${shader.parameter(size)})) { return; }`,
    `let blocksPerSample = u32(${shader.parameter(blocksPerSample)});`,
    "let sample = index / blocksPerSample;",
    "let drawBlock = index % blocksPerSample;",
    `let words = ${shader.call("philox", `vec4<u32>(${counter.join(", ")})`, key)};`,
    `let values = ${values};`,
    `let perSample = u32(${shader.parameter(perSample)});`,
    `let first = ${output} + i32(sample * perSample + drawBlock * 4u);`,
    "let count = min(4u, perSample - drawBlock * 4u);",
    "for (var i = 0u; i < count; i++) { arena[first + i32(i)] = values[i]; }",
  ];
  return [shader.finish(text.join("\n"), Math.ceil(size / 64), label)];
}
