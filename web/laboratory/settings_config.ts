/**
 * @file The laboratory's settings as a run's configuration, and back: what a control sets, what the
 * presets of the plane say of the rest, and by key whatever else differs.
 */
import { toyNames } from "../../core/data/toy.ts";
import { ConfigError, VapoError } from "../../core/errors.ts";
import { parseConfig, type RunConfig } from "../../core/train/config.ts";
import { sampleSpace } from "../../core/train/data_sets.ts";
import { presetConfig } from "../../core/train/presets.ts";
import type { LaboratoryData, LaboratorySettings } from "./settings.ts";

/** Steps between two lines of metrics in the laboratory: of a run of seconds, curves that move. */
const LOG_EVERY = 10;

/** A configuration as JSON has it, which nobody has checked. */
type Sections = Record<string, unknown>;

/**
 * The settings that a preset of the plane stands for: where the laboratory starts.
 *
 * @param preset one of the toy distributions' presets
 * @throws {ConfigError} for a name that is none of them
 */
export function defaultSettings(preset: string): LaboratorySettings {
  if (!isToyName(preset)) {
    throw new ConfigError(
      `the laboratory has no preset "${preset}": expected one of ${toyNames.join(", ")}`,
    );
  }
  return configSettings(planeConfig(preset));
}

/**
 * The configuration of a run: that of the preset of its data, with what the settings say.
 *
 * @param settings stay as they are
 * @returns a whole configuration, checked
 * @throws {ConfigError} one line that names the key, its value and what was expected
 */
export function settingsConfig(settings: LaboratorySettings): RunConfig {
  const config = uncheckedConfig(settings);
  for (const [key, value] of Object.entries(settings.other)) {
    setKey(config, key, value);
  }
  return parseConfig(config, "settings");
}

/**
 * The settings of a configuration: the inverse of {@link settingsConfig}. What no control sets goes
 * into `other`, where it differs from the preset of the data.
 *
 * @param config of a run of points in the plane
 * @throws {VapoError} for any other
 */
export function configSettings(config: RunConfig): LaboratorySettings {
  const { data, potential, path, loss, optimizer, training } = config;
  if (potential.kind !== "mlp" || sampleSpace(data).sampleShape.join() !== "2") {
    throw new VapoError(
      `the run is of "${data.name}": the laboratory expects points in the plane, as in ` +
        toyNames.join(", "),
    );
  }
  const { noise = null, weights = null, points = null } = data.distribution ?? {};
  const settings: LaboratorySettings = {
    data: { name: data.name as LaboratoryData["name"], noise, weights, points },
    seed: config.seed,
    device: config.device,
    estimator: loss.estimator,
    timeWeight: loss.timeWeight,
    path: path.path,
    timeLaw: path.timeLaw,
    sigma: path.timeLaw === "linear-std" ? path.betaMin : path.sigma,
    timeExplicit: potential.timeExplicit,
    width: potential.hidden[0],
    depth: potential.hidden.length,
    optimizer: optimizer.kind,
    learningRate: optimizer.learningRate,
    batchSize: training.batchSize,
    spectralGap: loss.spectralGap,
    steps: training.steps,
    other: {},
  };
  const said = new Map(leaves(uncheckedConfig(settings)));
  const other = leaves(config).filter(([key, value]) =>
    JSON.stringify(value) !== JSON.stringify(said.get(key))
  );
  return { ...settings, other: Object.fromEntries(other) };
}

function isToyName(name: string): name is (typeof toyNames)[number] {
  return (toyNames as readonly string[]).includes(name);
}

/** The preset of the data as the laboratory trains it. */
function planeConfig(name: LaboratoryData["name"]): RunConfig {
  const config = presetConfig(isToyName(name) ? name : toyNames[0]);
  return { ...config, training: { ...config.training, logEvery: LOG_EVERY } };
}

/** What the controls say, laid over the preset of the data. */
function uncheckedConfig(settings: LaboratorySettings): Sections {
  const { data: { name, noise, weights, points }, width, depth, sigma } = settings;
  const base = planeConfig(name);
  const own = noise === null && weights === null && points === null;
  return {
    ...base,
    seed: settings.seed,
    device: settings.device,
    data: { ...base.data, name, distribution: own ? null : { noise, weights, points } },
    path: {
      ...base.path,
      path: settings.path,
      timeLaw: settings.timeLaw,
      sigma,
      betaMin: sigma,
    },
    potential: {
      ...base.potential,
      hidden: Array<number>(depth).fill(width),
      timeExplicit: settings.timeExplicit,
    },
    loss: {
      ...base.loss,
      estimator: settings.estimator,
      timeWeight: settings.timeWeight,
      spectralGap: settings.spectralGap,
    },
    optimizer: {
      ...base.optimizer,
      kind: settings.optimizer,
      learningRate: settings.learningRate,
    },
    training: { ...base.training, batchSize: settings.batchSize, steps: settings.steps },
  };
}

/** Values by key with dots; what is a value whole, such as a list or `data.distribution`, is one. */
function leaves(sections: Sections): [string, unknown][] {
  return Object.entries(sections).flatMap(([name, value]): [string, unknown][] =>
    isSection(value)
      ? Object.entries(value).map(([inner, value]) => [`${name}.${inner}`, value])
      : [[name, value]]
  );
}

function isSection(value: unknown): value is Sections {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Sets one of {@link leaves}; a key that is not there is left to the check of the whole. */
function setKey(config: Sections, key: string, value: unknown): void {
  const dot = key.indexOf(".");
  if (dot < 0) {
    config[key] = value;
    return;
  }
  const name = key.slice(0, dot), section = config[name];
  if (!isSection(section)) {
    throw new ConfigError(
      `settings: unknown key "${key}": expected a key of config.json, as in path.delta`,
    );
  }
  config[name] = { ...section, [key.slice(dot + 1)]: value };
}
