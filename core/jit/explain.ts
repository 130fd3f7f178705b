/**
 * @file A compiled program in words: what the passes did to its graph, its kernels with what each
 * costs, and where its buffers lie.
 */
import type { Graph } from "./graph.ts";
import type { ConvolutionGeometry, Kernel, Loop, Plan, Schedule } from "./kernels.ts";
import { printGraph } from "./print.ts";
import { kernelBytes, kernelFlops } from "./schedule/cost.ts";
import { loopOf } from "./schedule/kernel_buffers.ts";
import { lifetimes } from "./schedule/memory.ts";

/** What there is to explain. */
export interface Explained {
  /** The graph after each pass; the first may be the graph as it was recorded. */
  readonly stages: readonly { readonly name: string; readonly graph: Graph }[];
  readonly schedule: Schedule;
  readonly plan: Plan;
}

/** How much is said. */
export interface ExplainOptions {
  /** Every graph in full, rather than its size. Default false. */
  readonly graphs?: boolean;
  /** How many buffers are listed, the largest first. Default 16. */
  readonly buffers?: number;
}

/**
 * The text: passes, kernels, memory. A line a kernel with its floating-point operations, the bytes it
 * reads and writes, and their ratio.
 */
export function explain(
  { stages, schedule, plan }: Explained,
  { graphs = false, buffers = 16 }: ExplainOptions = {},
): string {
  return [
    section("Passes", explainStages(stages, graphs)),
    section("Kernels", explainKernels(schedule)),
    section("Memory", explainMemory(plan, buffers)),
  ].join("\n");
}

function section(title: string, lines: readonly string[]): string {
  return `${title}\n${lines.map((line) => `  ${line}`.trimEnd()).join("\n")}\n`;
}

function explainStages(stages: Explained["stages"], graphs: boolean): string[] {
  if (stages.length === 0) return ["none changed anything"];
  return stages.flatMap(({ name, graph }) => {
    const line = `${String(graph.nodes.length).padStart(6)} nodes  ${name}`;
    return graphs
      ? [line, ...printGraph(graph).trimEnd().split("\n").map((l) => `  ${l}`)]
      : [line];
  });
}

function explainKernels(schedule: Schedule): string[] {
  const { kernels } = schedule;
  const flops = kernels.map(kernelFlops), bytes = kernels.map((k) => kernelBytes(k, schedule));
  const rows = kernels.map((kernel, i) => [
    String(i),
    ...costCells(flops[i], bytes[i]),
    describeKernel(kernel),
  ]);
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const total = ["", ...costCells(sum(flops), sum(bytes)), `${kernels.length} kernels`];
  return table(["#", "FLOP", "bytes", "FLOP/byte", "what"], [...rows, total], [3, 8, 8, 9]);
}

function costCells(flops: number, bytes: number): string[] {
  return [scaled(flops), scaled(bytes), bytes > 0 ? (flops / bytes).toFixed(2) : "–"];
}

/** Three digits and a unit: 12.3 M. */
function scaled(value: number): string {
  const units = ["", " k", " M", " G", " T"];
  let unit = 0;
  for (; value >= 999.5 && unit < units.length - 1; unit++) value /= 1000;
  return (unit === 0 ? String(value) : value.toPrecision(3)) + units[unit];
}

/** Columns to the right in the given widths, the last one to the left. */
function table(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  widths: readonly number[],
): string[] {
  return [heads, ...rows].map((row) =>
    row.map((text, i) => i < widths.length ? text.padStart(widths[i]) : text).join("  ")
  );
}

/** A kernel in a few words. */
function describeKernel(kernel: Kernel): string {
  const loop = loopOf(kernel);
  const epilogue = loop && kernel.kind !== "loop" ? `, then ${describeLoop(loop)}` : "";
  switch (kernel.kind) {
    case "loop":
      return `loop [${kernel.loop.extents}] ${describeLoop(kernel.loop)}`;
    case "matmul": {
      const batch = kernel.batch > 1 ? `${kernel.batch} × ` : "";
      return `product ${batch}[${kernel.m}, ${kernel.k}]·[${kernel.k}, ${kernel.n}]${epilogue}`;
    }
    case "convolution": {
      const form = {
        forward: "convolution",
        inputGradient: "input gradient",
        filterGradient: "filter gradient",
      }[kernel.form];
      return `${form} ${describeGeometry(kernel.geometry)}${epilogue}`;
    }
    case "winogradConvolution":
      return `Winograd convolution ${describeGeometry(kernel.geometry)} ` +
        `in tiles of ${kernel.tile.join("×")}${epilogue}`;
    case "winogradFilter":
      return `Winograd filter [${kernel.filterSize}] ${kernel.inputChannels} → ` +
        `${kernel.outputChannels} for tiles of ${kernel.tile.join("×")}`;
    case "pad":
      return `pad [${kernel.extents}] into ${kernel.size}`;
    case "gather":
      return `gather ${kernel.rows} rows of ${kernel.rowSize}`;
    case "philox":
      return `draw ${kernel.samples} × ${kernel.perSample}, ${kernel.distribution}` +
        (kernel.count === undefined ? "" : ` below ${kernel.count}`);
  }
}

function describeGeometry(g: ConvolutionGeometry): string {
  const input = [g.batch, g.inputHeight, g.inputWidth, g.inputChannels];
  const filter = [g.filterHeight, g.filterWidth, g.inputChannels, g.outputChannels];
  const strides = g.strideHeight * g.strideWidth > 1 ? `/${g.strideHeight},${g.strideWidth}` : "";
  return `[${input}] * [${filter}]${strides}`;
}

/** Of how many arrays, by which functions, to how many. */
function describeLoop({ extents, reducedDimensions, reads, body, writes }: Loop): string {
  const names = [...Map.groupBy(body, ({ name }) => name)]
    .map(([name, calls]) => calls.length > 1 ? `${name}×${calls.length}` : name);
  const reductions = writes.filter(({ reduce }) => reduce).length;
  const over = `over the last ${extents.slice(-reducedDimensions).join("·")}`;
  return [
    body.length > 0 ? names.join(" ") : reductions > 0 ? "" : "copy",
    `${reads.length} → ${writes.length}`,
    reductions > 0 ? `${reductions} reduced ${over}` : "",
  ].filter((part) => part !== "").join(", ");
}

function explainMemory(plan: Plan, most: number): string[] {
  const { buffers, arenaSize, livenessBound } = plan;
  const alive = lifetimes(plan);
  const largest = buffers.map((_, buffer) => buffer)
    .sort((a, b) => buffers[b].size - buffers[a].size || a - b).slice(0, most);
  const rows = largest.map((buffer) => {
    const { size, role } = buffers[buffer], lifetime = alive[buffer];
    const when = lifetime ? `${lifetime[0]} – ${lifetime[1]}` : "always";
    const isResult = plan.outputs.includes(buffer);
    return [
      ...[String(buffer), scaled(4 * size), scaled(4 * plan.offsets[buffer]), when],
      isResult ? `${role}, result` : role,
    ];
  });
  const ratio = (arenaSize / Math.max(1, livenessBound)).toFixed(3);
  const rest = buffers.length - largest.length;
  return [
    `arena ${scaled(4 * arenaSize)}B, at least ${
      scaled(4 * livenessBound)
    }B alive at once: ${ratio}`,
    ...table(["buffer", "bytes", "at", "kernels", "role"], rows, [6, 8, 8, 11]),
    ...(rest > 0 ? [`and ${rest} smaller ones`] : []),
  ];
}
