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
import type { RunStorage } from "./run_storage.ts";
import { flattenState, type TrainingState, unflattenState } from "./state.ts";

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
  const tensors: Record<string, SafetensorsTensor> = {};
  for (const [name, tensor] of Object.entries(flattenState(state))) {
    tensors[name] = await toTensorData(tensor);
  }
  const facts = { version: VERSION, step, tensors: Object.keys(tensors).length };
  await storage.writeDirectory(checkpointPath(step), {
    [TENSORS]: encodeSafetensors(tensors, { step: String(step) }),
    [FACTS]: encoder.encode(JSON.stringify(facts, null, 2) + "\n"),
  });
  const steps = await checkpointSteps(storage);
  for (const old of steps.slice(0, -keep)) await storage.remove(checkpointPath(old));
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
 * @param expected the names and shapes that the run's state has, as {@link initialState} makes it;
 * stays the caller's
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
  expected: TrainingState,
): Promise<TrainingState> {
  const { tensors, where } = await readCheckpoint(storage, step);
  const like = flattenState(expected);
  const unknown = Object.keys(tensors).find((name) => !Object.hasOwn(like, name));
  if (unknown !== undefined) throw otherConfiguration(where, `tensor "${unknown}" is not known`);
  return tf.tidy(() => unflattenState(matchTensors(tensors, like, where)) as never);
}

/**
 * Reads only the averaged parameters of a checkpoint: what is sampled.
 *
 * @param expected parameters of the names and shapes that the run's potential has
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
  step: number,
  expected: TensorRecord,
): Promise<TensorRecord> {
  const { tensors, where } = await readCheckpoint(storage, step);
  const named = Object.entries(expected).map(([name, tensor]) => [`average/${name}`, tensor]);
  return tf.tidy(() =>
    unflattenState(matchTensors(tensors, Object.fromEntries(named), where)).average
  );
}

/** The tensors of a checkpoint, and how its directory is called in messages. */
async function readCheckpoint(
  storage: RunStorage,
  step: number,
): Promise<{ tensors: Readonly<Record<string, SafetensorsTensor>>; where: string }> {
  const directory = checkpointPath(step);
  const where = `${storage.location}/${directory}`;
  const [bytes, facts] = await Promise.all([
    storage.read(`${directory}/${TENSORS}`),
    storage.read(`${directory}/${FACTS}`),
  ]);
  const steps = await checkpointSteps(storage);
  if (!steps.includes(step)) {
    throw new VapoError(
      `no checkpoint of step ${step} in ${storage.location}: expected one of ` +
        (steps.join(", ") || "(there are none)"),
    );
  }
  if (!bytes || !facts) {
    throw new FormatError(
      `${where} is damaged: it has no ${bytes ? FACTS : TENSORS}; ` +
        "remove this checkpoint to go on from the one before it",
    );
  }
  checkFacts(decoder.decode(facts), step, `${where}/${FACTS}`);
  const tensors = withRemedy(
    where,
    () => decodeSafetensors(bytes, `${where}/${TENSORS}`, { checksum: "required" }).tensors,
  );
  return { tensors, where };
}

function withRemedy<T>(where: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new FormatError(`${error.message}; remove ${where} to go on from the one before it`);
  }
}

function checkFacts(text: string, step: number, source: string): void {
  let facts: { version?: unknown; step?: unknown } | null = null;
  try {
    facts = JSON.parse(text);
  } catch {
    // Reported with every other damage below.
  }
  if (facts?.version !== VERSION || facts?.step !== step) {
    throw new FormatError(
      `${source} is damaged: expected version ${VERSION} of step ${step}; ` +
        "remove this checkpoint to go on from the one before it",
    );
  }
}

function matchTensors(
  tensors: Readonly<Record<string, SafetensorsTensor>>,
  expected: TensorRecord,
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
    matched[name] = tf.tensor(data as Float32Array | Int32Array, [...shape], like.dtype);
  }
  return matched;
}

function otherConfiguration(where: string, message: string): FormatError {
  return new FormatError(
    `${where}: ${message}; it belongs to another configuration: restore the config.json that it ` +
      "was made with",
  );
}
