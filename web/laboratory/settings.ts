/**
 * @file What a run in the laboratory is a function of, as its controls say it. The worker makes a
 * configuration of it (`settings_config.ts`); the address holds what differs from a preset.
 * Nothing here needs the core at run time: the page loads this before the worker.
 */
import type { ToyName } from "../../core/data/toy.ts";
import type { DeviceName } from "../../core/tensor/device.ts";
import type { RunConfig } from "../../core/train/config.ts";

/** The data of a run: a distribution of the plane, or points that somebody has drawn. */
export interface LaboratoryData {
  readonly name: ToyName | "points";
  /** Standard deviation of the isotropic noise, in data units; null is the distribution's own. */
  readonly noise: number | null;
  /** Of each component, not normalised; null is the distribution's own. */
  readonly weights: readonly number[] | null;
  /** Of "points", where they are; null for the others. */
  readonly points: readonly (readonly [number, number])[] | null;
}

/** What a run in the laboratory is a function of. */
export interface LaboratorySettings {
  readonly data: LaboratoryData;
  readonly seed: number;
  readonly device: DeviceName;
  readonly estimator: RunConfig["loss"]["estimator"];
  readonly timeWeight: RunConfig["loss"]["timeWeight"];
  readonly path: RunConfig["path"]["path"];
  readonly timeLaw: RunConfig["path"]["timeLaw"];
  /** σ of the data likelihood and β at the end, in data units. */
  readonly sigma: number;
  readonly timeExplicit: boolean;
  /** Units of each hidden layer. */
  readonly width: number;
  /** Hidden layers. */
  readonly depth: number;
  readonly optimizer: RunConfig["optimizer"]["kind"];
  readonly learningRate: number;
  readonly batchSize: number;
  /** η of the energy loss. */
  readonly spectralGap: number;
  /** Steps of the whole run, which the learning rate's schedule is over. */
  readonly steps: number;
  /**
   * What else differs from the preset of the plane, by key with dots as in "path.delta": of runs that
   * were trained elsewhere.
   */
  readonly other: Readonly<Record<string, unknown>>;
}
