/**
 * @file Checkpoints: `checkpoints/step-00000500/` with every tensor of the state in
 * `state.safetensors` (checksummed) and what is not a tensor in `state.json`. A checkpoint appears
 * whole or not at all; the newest K are kept.
 */
import { FormatError, VapoError } from "../errors.ts";
import {
  decodeSafetensors,
  encodeSafetensors,
  type SafetensorsTensor,
} from "../formats/safetensors.ts";
import { type Tensor, type TensorRecord, tf } from "../tensor/mod.ts";
import type { EvaluationLine } from "./run_directory.ts";
import type { RunStorage } from "./run_storage.ts";
import type { TensorSpec } from "../jit/mod.ts";
import { flattenState, type StateOf, type TrainingState, unflattenState } from "./state.ts";

const DIRECTORY = "checkpoints";
const TENSORS = "state.safetensors";
const FACTS = "state.json";
const VERSION = 1;

const encoder = new TextEncoder(), decoder = new TextDecoder();

/** The directory of a step's checkpoint. */
export function checkpointPath(step: number): string {
  return `${DIRECTORY}/step-${String(step).padStart(8, "0")}`;
}

/**
 * The steps that a run has checkpoints of, oldest first.
 *
 * @param storage the run's directory
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { checkpointSteps, memoryStorage } from "vapo";
 * const storage = memoryStorage();
 * for (const name of ["step-00001000", "step-00000500", "unrelated"]) {
 *   await storage.write(`checkpoints/${name}/state.json`, new Uint8Array());
 * }
 * assertEquals(await checkpointSteps(storage), [500, 1000]);
 * ```
 */
export async function checkpointSteps(storage: RunStorage): Promise<number[]> {
  const names = await storage.list(DIRECTORY);
  const steps = names.map((name) => /^step-(\d{8,})$/.exec(name)?.[1]);
  return steps.filter((step) => step !== undefined).map(Number).sort((a, b) => a - b);
}

/**
 * Writes the state's checkpoint, then removes all but the newest `keep`.
 *
 * @param storage the run's directory
 * @param state stays the caller's
 * @param step steps done
 * @param keep how many checkpoints stay, at least 1
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import {
 *   assignConfig, checkpointSteps, initialState, memoryStorage, openDataSource, openDevice,
 *   presetConfig, saveCheckpoint, trainingProblem,
 * } from "vapo";
 * await openDevice("cpu");
 * const config = assignConfig(presetConfig("rings"), ["potential.hidden=[8]"]);
 * const problem = trainingProblem(config, await openDataSource("rings"));
 * const state = initialState(problem), storage = memoryStorage();
 * for (const step of [100, 200, 300]) await saveCheckpoint(storage, state, step, 2);
 * assertEquals(await checkpointSteps(storage), [200, 300]);
 * ```
 */
export async function saveCheckpoint(
  storage: RunStorage,
  state: TrainingState,
  step: number,
  keep: number,
): Promise<void> {
  await writeState(storage, checkpointPath(step), state, step);
  const steps = await checkpointSteps(storage);
  for (const old of steps.slice(0, -keep)) await storage.remove(checkpointPath(old));
}

/** Writes the state into a directory, which appears whole; `more` goes among its facts. */
async function writeState(
  storage: RunStorage,
  directory: string,
  state: TrainingState,
  step: number,
  more: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const tensors: Record<string, SafetensorsTensor> = {};
  for (const [name, tensor] of Object.entries(flattenState<Tensor>(state))) {
    if (isSaved(name)) tensors[name] = await toTensorData(tensor);
  }
  const facts = { version: VERSION, step, tensors: Object.keys(tensors).length, ...more };
  await storage.writeDirectory(directory, {
    [TENSORS]: encodeSafetensors(tensors, { step: String(step) }),
    [FACTS]: encoder.encode(JSON.stringify(facts, null, 2) + "\n"),
  });
}

/**
 * Puts a checkpoint in its place whose tensors were kept elsewhere, alone. They are looked at when it
 * is read.
 *
 * @param storage the run's directory
 * @param step steps done
 * @param tensors its `state.safetensors`
 */
export async function restoreCheckpoint(
  storage: RunStorage,
  step: number,
  tensors: Uint8Array,
): Promise<void> {
  const facts = { version: VERSION, step };
  await storage.writeDirectory(checkpointPath(step), {
    [TENSORS]: tensors,
    [FACTS]: encoder.encode(JSON.stringify(facts, null, 2) + "\n"),
  });
}

/** Whether a tensor of the state is in a checkpoint: what is zero between two steps is not. */
function isSaved(name: string): boolean {
  return !name.startsWith("accumulated/") && name !== "counters/part";
}

/** The directory of the checkpoint with the best evaluation. */
const BEST = "best";

/**
 * Writes the state as the run's best by an evaluation, in place of the one before it. It lies beside
 * the other checkpoints and outlives them.
 *
 * @param storage the run's directory
 * @param state stays the caller's
 * @param step steps done
 * @param evaluation what it is the best by: the metric, its value, and what that is a function of
 */
export async function saveBest(
  storage: RunStorage,
  state: TrainingState,
  step: number,
  { metric, value, of }: Pick<EvaluationLine, "metric" | "value" | "of">,
): Promise<void> {
  await writeState(storage, `${DIRECTORY}/${BEST}`, state, step, { metric, value, of });
}

/**
 * The step of the best checkpoint by an evaluation, or null where a run has none.
 *
 * @param storage the run's directory
 * @throws {FormatError} when it is damaged
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { bestStep, memoryStorage } from "vapo";
 * const storage = memoryStorage();
 * assertEquals(await bestStep(storage), null);
 * const facts = new TextEncoder().encode('{"step": 300, "metric": "fid", "value": 16.6}');
 * await storage.write("checkpoints/best/state.json", facts);
 * assertEquals(await bestStep(storage), 300);
 * ```
 */
export async function bestStep(storage: RunStorage): Promise<number | null> {
  const bytes = await storage.read(`${DIRECTORY}/${BEST}/${FACTS}`);
  if (!bytes) return null;
  try {
    const { step } = JSON.parse(decoder.decode(bytes));
    if (Number.isInteger(step)) return step;
  } catch {
    // Reported with every other damage below.
  }
  throw new FormatError(
    `${storage.location}/${DIRECTORY}/${BEST}/${FACTS} is damaged: expected the step it is of; ` +
      "remove that directory, and the next evaluation makes another",
  );
}

async function toTensorData(tensor: Tensor): Promise<SafetensorsTensor> {
  const data = await tensor.data() as Float32Array | Int32Array;
  return data instanceof Int32Array
    ? { dtype: "I32", shape: tensor.shape, data }
    : { dtype: "F32", shape: tensor.shape, data };
}

/**
 * Reads a checkpoint and holds it against the state that the run's configuration makes. Nothing in
 * the storage is changed.
 *
 * @param storage the run's directory
 * @param step one of {@link checkpointSteps}
 * @param expected the names, shapes and types that the run's state has: a state as
 * {@link initialState} makes it, or what {@link stateShapes} says of one
 * @returns the state, which belongs to the caller: see {@link disposeState}
 * @throws {VapoError} when there is no such checkpoint
 * @throws {FormatError} when it is damaged or belongs to another configuration
 * @example
 * ```ts
 * import { assertEquals, assertRejects } from "@std/assert";
 * import {
 *   assignConfig, initialState, loadCheckpoint, memoryStorage, openDataSource, openDevice,
 *   presetConfig, saveCheckpoint, trainingProblem, VapoError,
 * } from "vapo";
 * await openDevice("cpu");
 * const config = assignConfig(presetConfig("rings"), ["potential.hidden=[8]"]);
 * const problem = trainingProblem(config, await openDataSource("rings"));
 * const state = initialState(problem), storage = memoryStorage();
 * await saveCheckpoint(storage, state, 0, 1);
 * const loaded = await loadCheckpoint(storage, 0, state);
 * const kernels = [state, loaded].map(({ parameters }) => parameters["dense0.kernel"].dataSync());
 * assertEquals(kernels[0], kernels[1]);
 * await assertRejects(() => loadCheckpoint(storage, 7, state), VapoError, "expected one of 0");
 * ```
 */
export async function loadCheckpoint(
  storage: RunStorage,
  step: number,
  expected: StateOf<TensorSpec>,
): Promise<TrainingState> {
  const { tensors, where } = await readCheckpoint(storage, step);
  const all = flattenState<TensorSpec>(expected);
  const like = Object.fromEntries(Object.entries(all).filter(([name]) => isSaved(name)));
  const unknown = Object.keys(tensors).find((name) => !Object.hasOwn(like, name));
  if (unknown !== undefined) throw otherConfiguration(where, `tensor "${unknown}" is not known`);
  return tf.tidy(() => {
    const state = matchTensors(tensors, like, where);
    for (const [name, { shape, dtype }] of Object.entries(all)) {
      state[name] ??= tf.zeros([...shape], dtype as "float32");
    }
    return unflattenState(state) as never;
  });
}

/**
 * Reads only averaged parameters of a checkpoint: what is sampled.
 *
 * @param storage the run's directory
 * @param step one of {@link checkpointSteps}, or "best"
 * @param expected the names and shapes of the potential's parameters, or such parameters
 * @param decay of one of the run's further averages; the one that is sampled where it is left out
 * @returns the averaged parameters, by name; the caller disposes of them
 * @throws as {@link loadCheckpoint}
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import {
 *   assignConfig, initialState, loadAverage, memoryStorage, openDataSource, openDevice,
 *   presetConfig, saveCheckpoint, trainingProblem,
 * } from "vapo";
 * await openDevice("cpu");
 * const config = assignConfig(presetConfig("rings"), ["potential.hidden=[4]"]);
 * const state = initialState(trainingProblem(config, await openDataSource("rings")));
 * const storage = memoryStorage();
 * await saveCheckpoint(storage, state, 0, 1);
 * const average = await loadAverage(storage, 0, state.parameters);
 * // Before the first step the average is the parameters.
 * assertEquals(average["dense0.kernel"].dataSync(), state.parameters["dense0.kernel"].dataSync());
 * ```
 */
export async function loadAverage(
  storage: RunStorage,
  step: number | typeof BEST,
  expected: Readonly<Record<string, TensorSpec>>,
  decay?: number,
): Promise<TensorRecord> {
  const { tensors, where } = await readCheckpoint(storage, step);
  const prefix = decay === undefined ? "average/" : `otherAverages/${decay}/`;
  const named = Object.entries(expected).map(([name, spec]) => [`${prefix}${name}`, spec]);
  return tf.tidy(() => {
    const matched = matchTensors(tensors, Object.fromEntries(named), where);
    return Object.fromEntries(
      Object.entries(matched).map(([name, tensor]) => [name.slice(prefix.length), tensor]),
    );
  });
}

/** The tensors of a checkpoint, and how its directory is called in messages. */
async function readCheckpoint(
  storage: RunStorage,
  name: number | typeof BEST,
): Promise<{ tensors: Readonly<Record<string, SafetensorsTensor>>; where: string }> {
  const step = name === BEST ? await bestStep(storage) : name;
  if (step === null) {
    throw new VapoError(
      `no best checkpoint in ${storage.location}: expected one that an evaluation has chosen; ` +
        "name a step",
    );
  }
  const directory = name === BEST ? `${DIRECTORY}/${BEST}` : checkpointPath(step);
  const where = `${storage.location}/${directory}`;
  const [bytes, facts] = await Promise.all([
    storage.read(`${directory}/${TENSORS}`),
    storage.read(`${directory}/${FACTS}`),
  ]);
  const steps = await checkpointSteps(storage);
  if (name !== BEST && !steps.includes(step)) {
    throw new VapoError(
      `no checkpoint of step ${step} in ${storage.location}: expected one of ` +
        (steps.join(", ") || "(there are none)"),
    );
  }
  const remedy = name === BEST
    ? `remove ${where}: the next evaluation makes another`
    : `remove ${where} to go on from the one before it`;
  if (!bytes || !facts) {
    throw new FormatError(
      `${where} is damaged: it has no ${bytes ? FACTS : TENSORS}; ${remedy}`,
    );
  }
  checkFacts(decoder.decode(facts), step, `${where}/${FACTS}`, remedy);
  try {
    const source = `${where}/${TENSORS}`;
    return { tensors: decodeSafetensors(bytes, source, { checksum: "required" }).tensors, where };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new FormatError(`${error.message}; ${remedy}`);
  }
}

function checkFacts(text: string, step: number, source: string, remedy: string): void {
  let facts: { version?: unknown; step?: unknown } | null = null;
  try {
    facts = JSON.parse(text);
  } catch {
    // Reported with every other damage below.
  }
  if (facts?.version !== VERSION || facts?.step !== step) {
    throw new FormatError(
      `${source} is damaged: expected version ${VERSION} of step ${step}; ${remedy}`,
    );
  }
}

function matchTensors(
  tensors: Readonly<Record<string, SafetensorsTensor>>,
  expected: Readonly<Record<string, TensorSpec>>,
  where: string,
): TensorRecord {
  const matched: TensorRecord = {};
  for (const [name, like] of Object.entries(expected)) {
    if (!Object.hasOwn(tensors, name)) {
      throw otherConfiguration(where, `tensor "${name}" is missing`);
    }
    const { shape, data, dtype } = tensors[name];
    const wanted = like.dtype === "int32" ? "I32" : "F32";
    if (dtype !== wanted || shape.join() !== like.shape.join()) {
      throw otherConfiguration(
        where,
        `tensor "${name}" is ${dtype} [${shape}], expected ${wanted} [${like.shape}]`,
      );
    }
    matched[name] = tf.tensor(
      data as Float32Array | Int32Array,
      [...shape],
      like.dtype as "float32",
    );
  }
  return matched;
}

function otherConfiguration(where: string, message: string): FormatError {
  return new FormatError(
    `${where}: ${message}; it belongs to another configuration: restore the config.json that it ` +
      "was made with",
  );
}
