/**
 * @file The data sets that a run can be trained on: their names, and what their samples are like, which
 * is known without reading them.
 */
import {
  configuredDistribution,
  type Distribution,
  type DistributionOptions,
  type ToyName,
  toyNames,
} from "../data/toy.ts";
import { type ImageFormat, imageShape, storedBytes } from "../data/images.ts";

/** A set of images. */
export interface ImageSet {
  /** The name of the prepared set that it is read from, as in `vapo data NAME`. */
  readonly prepared: string;
  /** How its images are stored, and how they are brought to the size that a potential takes. */
  readonly format: ImageFormat;
  /** How many images there are to train on, officially; 0 where nobody knows. */
  readonly count: number;
}

function digits(prepared: string, size: Omit<ImageFormat, "stored">): ImageSet {
  return { prepared, format: { stored: [28, 28, 1], ...size }, count: 60_000 };
}

function colour(prepared: string, side: number, count: number): ImageSet {
  return { prepared, format: { stored: [side, side, 3] }, count };
}

/** The largest set that is taken into a device's memory unasked: an arena has 4 GiB at most. */
const LARGEST_RESIDENT_BYTES = 2 ** 29;

/** Whether so many images are taken into a device's memory where nothing is said. */
export function isResident(format: ImageFormat, count: number): boolean {
  return count * storedBytes(format) <= LARGEST_RESIDENT_BYTES;
}

/** The sets of images whose size is known, by name. */
export const imageSets = {
  "mnist16": digits("mnist", { poolTo: 14, padTo: 16 }),
  "mnist": digits("mnist", { padTo: 32 }),
  "fashion-mnist16": digits("fashion-mnist", { poolTo: 14, padTo: 16 }),
  "fashion-mnist": digits("fashion-mnist", { padTo: 32 }),
  "cifar10": colour("cifar10", 32, 50_000),
  "cifar100": colour("cifar100", 32, 50_000),
  "svhn": colour("svhn", 32, 73_257),
  "celeba64": colour("celeba64", 64, 162_770),
  "lsun-church64": colour("lsun-church64", 64, 126_227),
  "lsun-church128": colour("lsun-church128", 128, 126_227),
  "lsun-bedroom64": colour("lsun-bedroom64", 64, 3_033_042),
  "lsun-bedroom128": colour("lsun-bedroom128", 128, 3_033_042),
} as const satisfies Record<string, ImageSet>;

/** The names of the prepared sets that these are read from. */
export const preparedNames: readonly string[] = [
  ...new Set(Object.values(imageSets).map(({ prepared }) => prepared)),
];

/** The smallest side of images of a folder. */
export const smallestSide = 8;

type ImageSetName = keyof typeof imageSets;

/**
 * The data sets that a run can be trained on.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { dataNames } from "vapo";
 * assert(dataNames.includes("8gaussians") && dataNames.includes("celeba64"));
 * ```
 */
export const dataNames = [
  ...toyNames,
  "points",
  ...Object.keys(imageSets) as ImageSetName[],
  "folder",
] as const;

/** The name of a data set. */
export type DataName = ToyName | "points" | ImageSetName | "folder";

/** Which data set, as a configuration's section says it: all that its samples' kind depends on. */
export interface DataChoice {
  readonly name: DataName;
  /** The side of the images of "folder". */
  readonly size?: number | null;
  /** What of a distribution is not its own, and where points are; default nothing. */
  readonly distribution?: DistributionOptions | null;
}

/** What the samples of a data set are like: all that drawing samples needs to know of it. */
export interface SampleSpace {
  /** The data set's. */
  readonly name: DataName;
  /** [d], or [height, width, channels]. */
  readonly sampleShape: readonly number[];
  /** The distribution itself, for the toy ones. */
  readonly distribution?: Distribution;
}

/**
 * What the samples of a data set are like, without reading it.
 *
 * @param choice the data set's name; for "folder", with the side of its images; for a distribution,
 * with what of it is not its own
 * @throws {ConfigError} where `distribution` does not fit the name, as {@link configuredDistribution}
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { sampleSpace } from "vapo";
 * assertEquals(sampleSpace("mnist16").sampleShape, [16, 16, 1]);
 * assertEquals(sampleSpace({ name: "folder", size: 48 }).sampleShape, [48, 48, 3]);
 * assertEquals(sampleSpace("rings").distribution?.dimension, 2);
 * ```
 */
export function sampleSpace(choice: DataName | DataChoice): SampleSpace {
  if (typeof choice === "string") return sampleSpace({ name: choice });
  const { name } = choice;
  if (isToy(name)) {
    const distribution = configuredDistribution({ name, distribution: choice.distribution });
    return { name, sampleShape: [distribution.dimension], distribution };
  }
  return { name, sampleShape: imageShape(imageSet(choice).format) };
}

/** The set of images of a name that is not a toy distribution's. */
export function imageSet({ name, size }: DataChoice): ImageSet {
  return name === "folder" ? colour("folder", size!, 0) : imageSets[name as ImageSetName];
}

/** Whether a data set is drawn from a distribution of the plane, not read from files. */
export function isToy(name: DataName): name is ToyName | "points" {
  return name === "points" || (toyNames as readonly string[]).includes(name);
}
