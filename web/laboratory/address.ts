/**
 * @file The whole state of the laboratory as the fragment of its address: key=value as in TensorFlow
 * Playground (https://playground.tensorflow.org), only what differs from the defaults, so that a link
 * says what is particular to it. What cannot be read is reported, and the default is taken.
 */
import type { ToyName } from "../../core/data/toy.ts";
import {
  compareLabels,
  deviceLabels,
  estimatorLabels,
  fieldLabels,
  optimizerLabels,
  type Options,
  pathLabels,
  solverLabels,
  timeLawLabels,
  timeWeightLabels,
  toyLabels,
  velocityLabels,
} from "./choices.ts";
import { drawnData, MAX_POINTS, type Point, quantised, unquantised } from "./drawing.ts";
import type { LaboratorySettings } from "./settings.ts";
import type { LaboratoryStore, PictureChoices, Stroke } from "./store_types.ts";

/** How particles are drawn and carried. */
export type FlowChoice = LaboratoryStore["flowChoice"]["value"];

/** What an address holds. */
export interface AddressState {
  readonly settings: LaboratorySettings;
  /** The drawing, where the data are points; else empty. */
  readonly strokes: readonly Stroke[];
  /** The training step; a link that is opened trains up to it. */
  readonly step: number;
  /** The pictures' time; 1 stands for the end where that is less. */
  readonly u: number;
  readonly timeSpeed: number;
  readonly exact: boolean;
  readonly pictures: PictureChoices;
  readonly flowChoice: FlowChoice;
}

/** The settings of each distribution of the plane that a run starts from. */
export type Presets = Readonly<Record<ToyName, LaboratorySettings>>;

/** What is drawn on the plane at first. */
export const defaultPictures: PictureChoices = {
  field: "potential",
  contours: true,
  velocity: "arrows",
  particles: true,
  trails: true,
  data: true,
  compare: "learned",
  relief: false,
};

/** How particles are drawn and carried at first. */
export const defaultFlowChoice: FlowChoice = {
  solver: "rk45",
  steps: 100,
  tolerance: 1e-3,
  noise: 0.5,
  n: 500,
  seed: 0,
  until: null,
  refineSteps: 0,
};

/** The state that a page without a fragment starts in. */
export function defaultState(
  presets: Presets,
  name: LaboratorySettings["data"]["name"] = "8gaussians",
): AddressState {
  return {
    settings: presets[name === "points" ? "8gaussians" : name],
    strokes: [],
    step: 0,
    u: 1,
    timeSpeed: 1,
    exact: false,
    pictures: defaultPictures,
    flowChoice: defaultFlowChoice,
  };
}

/** How a value is written. */
interface Codec<T> {
  /** As part of "expected …". */
  readonly expected: string;
  format(value: T): string;
  /** undefined for what is not one. */
  parse(text: string): T | undefined;
}

/** One key of the address, of a state. */
interface Entry {
  readonly key: string;
  readonly expected: string;
  read(state: AddressState): string;
  /** null where the text is not a value. */
  write(state: AddressState, text: string): AddressState | null;
}

function oneOf<K extends string>(options: Options<K>): Codec<K> {
  const names = Object.keys(options) as K[];
  return {
    expected: `one of ${names.join(", ")}`,
    format: (value) => value,
    parse: (text) => names.find((name) => name === text),
  };
}

const NUMBER = /^-?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i;

function parseNumber(text: string): number | undefined {
  return NUMBER.test(text) && Number.isFinite(Number(text)) ? Number(text) : undefined;
}

function numberFrom(min: number, max: number, whole = false): Codec<number> {
  return {
    expected: `a ${whole ? "whole " : ""}number from ${min} to ${max}`,
    format: String,
    parse(text) {
      const value = parseNumber(text);
      const inside = value !== undefined && value >= min && value <= max;
      return inside && (!whole || Number.isInteger(value)) ? value : undefined;
    },
  };
}

const whole = (min: number, max: number) => numberFrom(min, max, true);

const truth: Codec<boolean> = {
  expected: "true or false",
  format: String,
  parse: (text) => ({ "true": true, "false": false } as Record<string, boolean>)[text],
};

/** A codec with a word for null. */
function nullable<T>(codec: Codec<T>, word: string): Codec<T | null> {
  return {
    expected: `${codec.expected}, or ${word}`,
    format: (value) => value === null ? word : codec.format(value),
    parse: (text) => text === word ? null : codec.parse(text),
  };
}

const numbers: Codec<readonly number[]> = {
  expected: "numbers of at least 0 with commas between them, not all 0",
  format: (values) => values.join(","),
  parse(text) {
    const values = text.split(",").map(parseNumber);
    const valid = values.every((value) => value !== undefined && value >= 0 && value <= 1e6) &&
      values.some((value) => value! > 0);
    return valid ? values as number[] : undefined;
  },
};

function setting<K extends keyof LaboratorySettings>(
  key: string,
  name: K,
  codec: Codec<LaboratorySettings[K]>,
): Entry {
  return {
    key,
    expected: codec.expected,
    read: ({ settings }) => codec.format(settings[name]),
    write(state, text) {
      const value = codec.parse(text);
      return value === undefined
        ? null
        : { ...state, settings: { ...state.settings, [name]: value } };
    },
  };
}

function datum<K extends "noise" | "weights">(
  name: K,
  codec: Codec<LaboratorySettings["data"][K]>,
): Entry {
  return {
    key: name,
    expected: codec.expected,
    read: ({ settings }) => codec.format(settings.data[name]),
    write(state, text) {
      const value = codec.parse(text);
      if (value === undefined) return null;
      const data = { ...state.settings.data, [name]: value };
      return { ...state, settings: { ...state.settings, data } };
    },
  };
}

function member<S extends "pictures" | "flowChoice", K extends keyof AddressState[S] & string>(
  section: S,
  name: K,
  codec: Codec<AddressState[S][K]>,
  key: string = name,
): Entry {
  return {
    key,
    expected: codec.expected,
    read: (state) => codec.format(state[section][name]),
    write(state, text) {
      const value = codec.parse(text);
      return value === undefined
        ? null
        : { ...state, [section]: { ...state[section], [name]: value } };
    },
  };
}

function plain<K extends "step" | "u" | "timeSpeed" | "exact">(
  name: K,
  codec: Codec<AddressState[K]>,
): Entry {
  return {
    key: name,
    expected: codec.expected,
    read: (state) => codec.format(state[name]),
    write(state, text) {
      const value = codec.parse(text);
      return value === undefined ? null : { ...state, [name]: value };
    },
  };
}

const WHOLE_MAX = Number.MAX_SAFE_INTEGER;

/** All keys but those of the data's name and points, in the order in which they are written. */
const entries: readonly Entry[] = [
  datum("noise", nullable(numberFrom(0, 4), "own")),
  datum("weights", nullable(numbers, "equal")),
  setting("estimator", "estimator", oneOf(estimatorLabels)),
  setting("timeWeight", "timeWeight", oneOf(timeWeightLabels)),
  setting("path", "path", oneOf(pathLabels)),
  setting("timeLaw", "timeLaw", oneOf(timeLawLabels)),
  setting("sigma", "sigma", numberFrom(1e-4, 1)),
  setting("timeExplicit", "timeExplicit", truth),
  setting("width", "width", whole(1, 1024)),
  setting("depth", "depth", whole(1, 12)),
  setting("optimizer", "optimizer", oneOf(optimizerLabels)),
  setting("learningRate", "learningRate", numberFrom(1e-8, 10)),
  setting("batch", "batchSize", whole(1, 16384)),
  setting("eta", "spectralGap", numberFrom(0, 1000)),
  setting("steps", "steps", whole(1, 10_000_000)),
  setting("seed", "seed", whole(0, WHOLE_MAX)),
  setting("device", "device", oneOf(deviceLabels)),
  plain("step", whole(0, 10_000_000)),
  plain("u", numberFrom(0, 2)),
  plain("timeSpeed", numberFrom(0.05, 20)),
  plain("exact", truth),
  member("pictures", "field", oneOf(fieldLabels)),
  member("pictures", "contours", truth),
  member("pictures", "velocity", oneOf(velocityLabels)),
  member("pictures", "particles", truth),
  member("pictures", "trails", truth),
  member("pictures", "data", truth, "showData"),
  member("pictures", "compare", oneOf(compareLabels)),
  member("pictures", "relief", truth),
  member("flowChoice", "solver", oneOf(solverLabels)),
  member("flowChoice", "steps", whole(1, 10_000), "solverSteps"),
  member("flowChoice", "tolerance", numberFrom(1e-12, 1)),
  member("flowChoice", "noise", {
    ...numberFrom(0, 1000),
    format: (value = 0.5) => String(value),
  }, "solverNoise"),
  member("flowChoice", "n", whole(1, 10_000), "drawn"),
  member("flowChoice", "seed", whole(0, WHOLE_MAX), "drawSeed"),
  member("flowChoice", "until", nullable(numberFrom(1e-3, 100), "end")),
  member("flowChoice", "refineSteps", {
    ...whole(0, 10_000),
    format: (value = 0) => String(value),
  }, "refine"),
];

const dataNames: Options<LaboratorySettings["data"]["name"]> = {
  ...toyLabels,
  points: "drawn points",
};

/**
 * A state as a fragment, without "#".
 *
 * @param presets the defaults of each distribution; what is as they say is left out
 */
export function encodeAddress(state: AddressState, presets: Presets): string {
  const { data, other } = state.settings;
  const parts: [string, string][] = [];
  if (data.name !== "8gaussians") parts.push(["data", data.name]);
  const standard = defaultState(presets, data.name);
  for (const { key, read } of entries) {
    const text = key === "weights" && data.name === "points"
      ? strokeWeights(state.strokes)
      : read(state);
    if (text !== read(standard)) parts.push([key, text]);
  }
  for (const [key, value] of Object.entries(other)) parts.push([key, JSON.stringify(value)]);
  if (data.name === "points") {
    if (state.strokes.length > 1) {
      parts.push(["strokes", state.strokes.map(({ points }) => points.length).join(",")]);
    }
    parts.push(["points", encodePoints(state.strokes.flatMap(({ points }) => [...points]))]);
  }
  return parts.map(([key, text]) => `${escaped(key)}=${escaped(text)}`).join("&");
}

/** Percent-encoded where an address needs it; commas and colons stay readable. */
function escaped(text: string): string {
  return encodeURIComponent(text).replace(/%2C/g, ",").replace(/%3A/g, ":");
}

function strokeWeights(strokes: readonly Stroke[]): string {
  return strokes.every(({ weight }) => weight === 1)
    ? "equal"
    : numbers.format(strokes.map(({ weight }) => weight));
}

/** Points as base64url of 16-bit integers, little-endian: x, y, x, y, … */
function encodePoints(points: readonly Point[]): string {
  const bytes = new DataView(new ArrayBuffer(4 * points.length));
  points.flat().forEach((value, i) => bytes.setInt16(2 * i, quantised(value), true));
  const binary = String.fromCharCode(...new Uint8Array(bytes.buffer));
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function decodePoints(text: string): Point[] | undefined {
  if (!/^[\w-]+$/.test(text)) return undefined;
  let binary: string;
  try {
    binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  } catch {
    return undefined;
  }
  if (binary.length % 4 !== 0 || binary.length > 4 * MAX_POINTS) return undefined;
  const bytes = new DataView(Uint8Array.from(binary, (letter) => letter.charCodeAt(0)).buffer);
  const at = (i: number) => unquantised(bytes.getInt16(2 * i, true));
  return Array.from({ length: bytes.byteLength / 4 }, (_, i) => [at(2 * i), at(2 * i + 1)]);
}

/** What an address says, and what of it could not be read. */
export interface DecodedAddress {
  readonly state: AddressState;
  /** One line each: the key, the value, what was expected. */
  readonly problems: readonly string[];
}

/**
 * The state of a fragment.
 *
 * @param fragment without "#"; an empty one is the default state
 * @param presets the defaults of each distribution
 */
export function decodeAddress(fragment: string, presets: Presets): DecodedAddress {
  const given = pairs(fragment), problems: string[] = [];
  const report = (key: string, text: string, expected: string) =>
    problems.push(`${key}=${shortened(text)}: expected ${expected}; the default is taken`);
  const take = (key: string) => {
    const text = given.get(key);
    given.delete(key);
    return text;
  };
  const named = take("data");
  const name = named === undefined ? "8gaussians" : oneOf(dataNames).parse(named);
  if (name === undefined) report("data", named!, oneOf(dataNames).expected);
  let state = defaultState(presets, name);
  const strokes = name === "points" ? readStrokes(take, report) : null;
  for (const entry of entries) {
    const text = take(entry.key);
    if (text === undefined) continue;
    const written = entry.write(state, text);
    if (written) state = written;
    else report(entry.key, text, entry.expected);
  }
  const other: Record<string, unknown> = { ...state.settings.other };
  for (const [key, text] of given) {
    const value = key.includes(".") ? parseJson(text) : undefined;
    if (value !== undefined) other[key] = value;
    else if (key.includes(".")) report(key, text, "JSON");
    else {problems.push(
        `${shortened(key)}=${shortened(text)}: there is no such key; it is left out`,
      );}
  }
  state = { ...state, settings: { ...state.settings, other } };
  if (strokes) {
    const data = drawnData(strokes, state.settings.data.noise);
    state = { ...state, strokes, settings: { ...state.settings, data } };
  }
  return { state, problems };
}

/** The drawing of an address: its points, how many each stroke has, and the strokes' weights. */
function readStrokes(
  take: (key: string) => string | undefined,
  report: (key: string, text: string, expected: string) => void,
): Stroke[] | null {
  const text = take("points") ?? "", sizesText = take("strokes"), weightsText = take("weights");
  const points = decodePoints(text);
  if (!points?.length) {
    report("points", text, `1 to ${MAX_POINTS} points in base64url, four bytes each`);
    return null;
  }
  let sizes = [points.length];
  if (sizesText !== undefined) {
    const given = sizesText.split(",").map(parseNumber);
    const total = given.reduce<number>((sum, size) => sum + (size ?? NaN), 0);
    const whole = given.every((size) => size !== undefined && Number.isInteger(size) && size > 0);
    if (whole && total === points.length) sizes = given as number[];
    else report("strokes", sizesText, `whole numbers that add up to ${points.length}`);
  }
  let weights: readonly number[] = sizes.map(() => 1);
  if (weightsText !== undefined && weightsText !== "equal") {
    const given = numbers.parse(weightsText);
    if (given?.length === sizes.length) weights = given;
    else {report(
        "weights",
        weightsText,
        `${numbers.expected}, one of each of ${sizes.length} strokes`,
      );}
  }
  let next = 0;
  return sizes.map((size, i) => ({
    points: points.slice(next, next += size),
    weight: weights[i],
  }));
}

function pairs(fragment: string): Map<string, string> {
  const result = new Map<string, string>();
  for (const part of fragment.replace(/^#/, "").split("&")) {
    if (part === "") continue;
    const [key, ...rest] = part.split("=");
    result.set(unescaped(key), unescaped(rest.join("=")));
  }
  return result;
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function shortened(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
