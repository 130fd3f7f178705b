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
import { fitMicroBatch } from "../core/train/micro_batch.ts";
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
  const step = summarizeTraining(config), { limitBytes } = deviceMemory();
  const fitting = fitMicroBatch(
    (size) => summarizeTraining(withMicroBatch(config, size)).memory.total,
    config.training.batchSize,
    limitBytes,
  );
  if (json) {
    const facts = { preset: name, device: device.name, layers, step, limitBytes, fitting };
    standardOutput.line(JSON.stringify(facts));
    return;
  }
  for (const line of layerTable(layers)) standardOutput.line(line);
  standardOutput.line("");
  for (const line of stepLines(config, step)) standardOutput.line(line);
  standardOutput.line(memoryLine(config, device.name, limitBytes, fitting));
}

function withMicroBatch(config: RunConfig, microBatch: number): RunConfig {
  return { ...config, training: { ...config.training, microBatch } };
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
  if (fitting === batchSize) return `fits        ${has}: the batch whole`;
  return fitting === null
    ? `fits        ${has}: not even one sample at a time`
    : `fits        ${has}: --micro-batch ${fitting}`;
}

/** A whole number in groups of three digits. */
function grouped(value: number): string {
  return value.toLocaleString("en-US");
}
