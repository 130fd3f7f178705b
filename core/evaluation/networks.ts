/**
 * @file The networks that features are taken from, by name.
 */
import { ConfigError } from "../errors.ts";
import type { FeatureNetworkName } from "../metrics/feature_network.ts";
import { type DataName, imageSet, isToy } from "../train/data_sets.ts";

/** Which network: that of the field, or a small one for digits and clothes. */
export const featureChoices = ["inception", "classifier"] as const;

/** One of {@link featureChoices}. */
export type FeatureChoice = typeof featureChoices[number];

/** The network that a data set's images are compared in where none is named. */
export function defaultFeatures(data: DataName): FeatureChoice {
  return isDigits(data) ? "classifier" : "inception";
}

/**
 * The name of the directory of a prepared network, as `vapo data NAME` takes it.
 *
 * @throws {ConfigError} for a classifier of images that there is none for
 */
export function networkDirectory(
  choice: FeatureChoice,
  data: DataName,
): "inception" | "mnist-features" | "fashion-mnist-features" {
  if (choice === "inception") return "inception";
  if (!isDigits(data)) {
    throw new ConfigError(
      `features "classifier" for data "${data}": expected "inception"; there is a classifier for ` +
        "MNIST and Fashion-MNIST only",
    );
  }
  return data.startsWith("mnist") ? "mnist-features" : "fashion-mnist-features";
}

/** The network that a choice is of. */
export function networkName(choice: FeatureChoice, data: DataName): FeatureNetworkName {
  const directory = networkDirectory(choice, data);
  return directory === "inception"
    ? "inception-v3-fid"
    : directory === "mnist-features"
    ? "mnist-classifier"
    : "fashion-mnist-classifier";
}

/** What a metric's result is called where its features are a classifier's: no such number is an FID. */
const classifierResults: Readonly<Record<string, string>> = {
  fid: "frechet-classifier",
  kid: "kernel-classifier",
  is: "classifier-score",
};

/** The name of a metric's result. */
export function resultName(metric: string, features: FeatureChoice | null): string {
  return features === "classifier" ? classifierResults[metric] ?? metric : metric;
}

/** The metric that has a result of a name. */
export function metricOfResult(result: string): string {
  const known = Object.entries(classifierResults).find(([, name]) => name === result);
  return known?.[0] ?? result;
}

/** Whether a data set is MNIST or Fashion-MNIST, at whatever size. */
function isDigits(data: DataName): boolean {
  if (isToy(data) || data === "folder") return false;
  return ["mnist", "fashion-mnist"].includes(imageSet({ name: data }).prepared);
}
