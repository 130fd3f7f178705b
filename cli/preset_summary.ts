/**
 * @file What `vapo presets show NAME --summary` prints: layers and shapes, parameters, and what a step
 * costs on the device that would be taken here.
 */
import { byteSize } from "../core/formats/byte_size.ts";
import { describeLayers, type LayerDescription } from "../core/potential/description.ts";
import { deviceMemory } from "../core/tensor/device_memory.ts";
import { configuredPotential } from "../core/train/configured_potential.ts";
import type { RunConfig } from "../core/train/config.ts";
import { sampleSpace } from "../core/train/data_sets.ts";
import { presetConfig } from "../core/train/presets.ts";
import { summarizeTraining, type TrainingSummary } from "../core/train/summary.ts";
import { startDevice } from "./device.ts";
import { standardOutput } from "./terminal.ts";

/** Prints a preset's summary, as text or as one JSON object. */
export async function showSummary(name: string, json = false): Promise<void> {
  const config = presetConfig(name);
  const device = await startDevice(config.device);
  const layers = describeLayers(
    configuredPotential(config.potential, sampleSpace(config.data).sampleShape),
  );
  // A large step takes seconds to plan: what is known is shown meanwhile.
  if (!json) { for (const line of [...layerTable(layers), ""]) standardOutput.line(line); }
  const step = summarizeTraining(config), { limitBytes } = deviceMemory();
  const fitting = fittingPart(config, step, limitBytes);
  if (json) {
    const facts = { preset: name, device: device.name, layers, step, limitBytes, fitting };
    standardOutput.line(JSON.stringify(facts));
    return;
  }
  for (const line of stepLines(config, step)) standardOutput.line(line);
  standardOutput.line(memoryLine(config, device.name, limitBytes, fitting));
}

/**
 * The largest part of the batch that fits, null where one sample does not. Memory is nearly affine
 * in the part's size, so the plans of two sizes tell of all.
 */
function fittingPart(config: RunConfig, step: TrainingSummary, limit: number): number | null {
  const { batchSize } = config.training, whole = step.memory.total;
  if (whole <= limit) return batchSize;
  const one = summarizeTraining({ ...config, training: { ...config.training, microBatch: 1 } });
  if (one.memory.total > limit) return null;
  const slope = (whole - one.memory.total) / (batchSize - 1);
  const most = 1 + (limit - one.memory.total) / slope;
  const sizes = Array.from({ length: batchSize }, (_, i) => batchSize - i);
  return sizes.find((size) => batchSize % size === 0 && size <= most) ?? 1;
}

/** A line a layer: name, kind, output, parameters. */
function layerTable(layers: readonly LayerDescription[]): string[] {
  const rows = [
    ["layer", "kind", "output", "parameters"],
    ...layers.map(({ name, kind, output, parameters }) => [
      name,
      kind,
      output.length === 0 ? "scalar" : output.join("×"),
      parameters === 0 ? "" : grouped(parameters),
    ]),
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) =>
    row.map((cell, i) => i === 3 ? cell.padStart(widths[i]) : cell.padEnd(widths[i])).join("  ")
      .trimEnd()
  );
}

function stepLines({ training }: RunConfig, step: TrainingSummary): string[] {
  const { memory } = step;
  return [
    `parameters  ${grouped(step.parameters)}`,
    `step        batch ${training.batchSize}: ${(step.flops / 1e12).toPrecision(3)} TFLOP, ` +
    `${step.kernels} kernels a part`,
    `memory      ${byteSize(memory.total)} at ${step.microBatch} samples at once: ` +
    `state ${byteSize(memory.state)}, data ${byteSize(memory.data)}, ` +
    `temporaries ${byteSize(memory.temporaries)}`,
  ];
}

function memoryLine(
  { training: { batchSize } }: RunConfig,
  device: string,
  limitBytes: number,
  fitting: number | null,
): string {
  const has = `${device} has ${byteSize(limitBytes)} for one program`;
  if (fitting === batchSize) return `fits        ${has}: the whole batch`;
  return fitting === null
    ? `fits        ${has}: not even one sample at a time`
    : `fits        ${has}: about --micro-batch ${fitting}`;
}

/** A whole number in groups of three digits. */
function grouped(value: number): string {
  return value.toLocaleString("en-US");
}
