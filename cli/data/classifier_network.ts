/**
 * @file What `vapo data mnist-features` and `vapo data fashion-mnist-features` make: the small
 * classifier of a data set, trained here in about a minute. Always on WebAssembly, where the result
 * does not depend on the number of threads, so that as many people as can have the same network.
 */
import { VapoError } from "../../core/errors.ts";
import { trainClassifier, type TrainedClassifier } from "../../core/metrics/classifier_training.ts";
import {
  encodePreparedNetwork,
  type PreparedNetworkIndex,
} from "../../core/metrics/prepared_features.ts";
import { startDevice } from "../device.ts";
import { isThere } from "../run_storage.ts";
import { shownPath } from "../user_paths.ts";
import {
  type ClassifierDataset,
  type ClassifierImages,
  readClassifierImages,
} from "./classifier_images.ts";
import type {
  FeatureNetworkOutcome,
  FeatureNetworkRequest,
  PrepareFeatureNetwork,
} from "./feature_networks.ts";
import { fillNetworkDirectory, networkState } from "./network_directory.ts";

/** What the classes are called. */
const classNames: Readonly<Record<ClassifierDataset, readonly string[]>> = {
  "mnist": ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
  "fashion-mnist": [
    ...["T-shirt", "trouser", "pullover", "dress", "coat"],
    ...["sandal", "shirt", "sneaker", "bag", "ankle boot"],
  ],
};

/** How a classifier is made, for tests. */
export interface ClassifierRecipe {
  /** Updates; default as many as `trainClassifier` does. */
  readonly steps?: number;
}

/**
 * What makes the classifier of a data set: of a prepared set or of IDX files where the request names
 * a source; without one, of the MNIST that comes with the program, or of data/fashion-mnist.
 */
export function prepareClassifier(
  dataset: ClassifierDataset,
  recipe: ClassifierRecipe = {},
): PrepareFeatureNetwork {
  return async (request) => {
    try {
      return await prepare(dataset, request, recipe);
    } catch (error) {
      const { signal } = request;
      if (!signal.aborted || error !== signal.reason) throw error;
      return { kind: "stopped", facts: [] };
    }
  };
}

async function prepare(
  dataset: ClassifierDataset,
  request: FeatureNetworkRequest,
  recipe: ClassifierRecipe,
): Promise<FeatureNetworkOutcome> {
  const network = `${dataset}-classifier` as const;
  const state = await networkState(request, network);
  if (state.kind === "there") {
    await requireSameImages(dataset, request, state.index);
    return { kind: "there", facts: factLines(dataset, state.index) };
  }
  const images = await readClassifierImages(dataset, request);
  if (state.kind === "damaged") request.onNotice(`${state.problem}: made again`);
  let index: PreparedNetworkIndex | undefined;
  const kind = await fillNetworkDirectory(request, network, async () => {
    const trained = await train(dataset, request, images, recipe);
    const made = await encodePreparedNetwork(network, trained.parameters, factsOf(images, trained));
    index = made.index;
    return made.files;
  });
  if (kind === "there") return await prepare(dataset, request, recipe); // another process made it
  return { kind, facts: index ? factLines(dataset, index) : [] };
}

async function train(
  dataset: ClassifierDataset,
  { signal, onNotice, onProgress }: FeatureNetworkRequest,
  { train, test, official }: ClassifierImages,
  { steps }: ClassifierRecipe,
): Promise<TrainedClassifier> {
  signal.throwIfAborted();
  if (!official) {
    onNotice(
      `the images to train on are not the official ones of ${dataset}: the classifier will be ` +
        "another than other people's, and so will distances",
    );
  }
  await startDevice("wasm");
  return await trainClassifier({
    name: `${dataset}-classifier`,
    train,
    test,
    steps,
    signal,
    onProgress: (done, total) => onProgress(done, total, "steps"),
  });
}

/** What the weights are a function of, and how good they are. */
function factsOf(
  { train, checksum, official }: ClassifierImages,
  { steps, seed, test, testAt16 }: TrainedClassifier,
): PreparedNetworkIndex["made"] {
  return {
    trainImages: train.count,
    trainSha256: checksum,
    official,
    device: "wasm",
    steps,
    seed,
    testImages: test.images,
    testErrors: test.errors,
    testErrorsByClass: test.errorsByClass.join(" "),
    testErrorsAt16: testAt16.errors,
  };
}

function factLines(
  dataset: ClassifierDataset,
  { size, sha256, made }: PreparedNetworkIndex,
): string[] {
  const percent = (errors: unknown) =>
    `${(100 * (1 - Number(errors) / Number(made.testImages))).toFixed(2)} %`;
  const names = classNames[dataset], byClass = String(made.testErrorsByClass).split(" ");
  return [
    `a classifier of ours, ${size} features; trained on ${made.trainImages} images in ` +
    `${made.steps} steps`,
    `right on ${percent(made.testErrors)} of ${made.testImages} test images, at 16×16 on ` +
    percent(made.testErrorsAt16),
    `errors: ${byClass.map((errors, i) => `${names[i]} ${errors}`).join(", ")}`,
    `weights ${sha256}`,
    "distances are no FID, and compare only where the weights are the same",
  ];
}

/** A network that is there needs its images no more; where they are named, they have to be the same. */
async function requireSameImages(
  dataset: ClassifierDataset,
  request: FeatureNetworkRequest,
  { made }: PreparedNetworkIndex,
): Promise<void> {
  const { source, location } = request;
  if (source === undefined || !await isThere(source).catch(() => false)) return;
  const { checksum } = await readClassifierImages(dataset, { ...request, unverified: true });
  if (checksum === made.trainSha256) return;
  throw new VapoError(
    `${location} was trained on other images than those of ${shownPath(source)}: choose another ` +
      `--out, or remove ${location}`,
  );
}
