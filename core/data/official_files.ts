/**
 * @file Where the data sets that people compare on are handed out, and how to know that a copy is
 * the right one: names, sizes and MD5 sums as their authors or PyTorch's torchvision publish them.
 * The sums themselves are taken outside of `core/`.
 */

/** A file of a data set as its authors hand it out. */
export interface OfficialFile {
  /** Its name, without a directory. */
  readonly name: string;
  /** Where to get it: the file itself, or the page with the link where there is no fixed address. */
  readonly url: string;
  /** Its size. */
  readonly bytes?: number;
  /** Its MD5 sum, 32 lowercase hexadecimal digits. */
  readonly md5?: string;
}

/** What is known of a data set's official copy. */
export interface OfficialDataset {
  /** The page of its authors. */
  readonly homepage: string;
  /** How many images each split has. */
  readonly counts: Readonly<Record<string, number>>;
  /** The files that each split is read from; an archive with all splits comes under each. */
  readonly files: Readonly<Record<string, readonly OfficialFile[]>>;
}

/** A data set whose own files are known. */
export type OfficialName =
  | "mnist"
  | "fashion-mnist"
  | "cifar10"
  | "cifar100"
  | "svhn"
  | "celeba64";

const mnistMirror = "https://ossci-datasets.s3.amazonaws.com/mnist/";
const fashionMnist = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/";
const toronto = "https://www.cs.toronto.edu/~kriz/";
const houseNumbers = "http://ufldl.stanford.edu/housenumbers/";
const celeba = "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html";

function file(directory: string, name: string, bytes: number, md5: string): OfficialFile {
  return { name, url: directory + name, bytes, md5 };
}

const cifar10 = [
  file(toronto, "cifar-10-binary.tar.gz", 170_052_171, "c32a1d4ab5d03f1284b67883e8d87530"),
];

const cifar100 = [
  file(toronto, "cifar-100-binary.tar.gz", 168_513_733, "03b5dce01913d631647c71ecec9e9cb8"),
];

const celebaFiles: readonly OfficialFile[] = [
  {
    name: "img_align_celeba.zip",
    url: celeba,
    bytes: 1_443_490_838,
    md5: "00d2c5bc6d35e252742224ab0c1e8fcb",
  },
  {
    name: "list_eval_partition.txt",
    url: celeba,
    bytes: 2_836_386,
    md5: "d32c9cbf5e040fd4025c592c306e6668",
  },
];

/**
 * Where each data set is handed out, its files' sizes and MD5 sums, and how many images it has.
 *
 * MNIST's page no longer lets its files be fetched; their address is the copy that torchvision
 * takes. CelebA is handed out by hand, from links on its page.
 */
export const officialDatasets: Readonly<Record<OfficialName, OfficialDataset>> = {
  "mnist": {
    homepage: "http://yann.lecun.com/exdb/mnist/",
    counts: { train: 60_000, test: 10_000 },
    files: {
      train: [
        file(
          mnistMirror,
          "train-images-idx3-ubyte.gz",
          9_912_422,
          "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        ),
        file(mnistMirror, "train-labels-idx1-ubyte.gz", 28_881, "d53e105ee54ea40749a09fcbcd1e9432"),
      ],
      test: [
        file(
          mnistMirror,
          "t10k-images-idx3-ubyte.gz",
          1_648_877,
          "9fb629c4189551a2d022fa330f9573f3",
        ),
        file(mnistMirror, "t10k-labels-idx1-ubyte.gz", 4_542, "ec29112dd5afa0611ce80d1b7f02629c"),
      ],
    },
  },
  "fashion-mnist": {
    homepage: "https://github.com/zalandoresearch/fashion-mnist",
    counts: { train: 60_000, test: 10_000 },
    files: {
      train: [
        file(
          fashionMnist,
          "train-images-idx3-ubyte.gz",
          26_421_880,
          "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        ),
        file(
          fashionMnist,
          "train-labels-idx1-ubyte.gz",
          29_515,
          "25c81989df183df01b3e8a0aad5dffbe",
        ),
      ],
      test: [
        file(
          fashionMnist,
          "t10k-images-idx3-ubyte.gz",
          4_422_102,
          "bef4ecab320f06d8554ea6380940ec79",
        ),
        file(fashionMnist, "t10k-labels-idx1-ubyte.gz", 5_148, "bb300cfdad3c16e7a12a480ee83cd310"),
      ],
    },
  },
  "cifar10": {
    homepage: `${toronto}cifar.html`,
    counts: { train: 50_000, test: 10_000 },
    files: { train: cifar10, test: cifar10 },
  },
  "cifar100": {
    homepage: `${toronto}cifar.html`,
    counts: { train: 50_000, test: 10_000 },
    files: { train: cifar100, test: cifar100 },
  },
  "svhn": {
    homepage: houseNumbers,
    counts: { train: 73_257, test: 26_032, extra: 531_131 },
    files: {
      train: [
        file(houseNumbers, "train_32x32.mat", 182_040_794, "e26dedcc434d2e4c54c9b2d4a06d8373"),
      ],
      test: [file(houseNumbers, "test_32x32.mat", 64_275_384, "eb5a983be6a315427106f1b164d9cef3")],
      extra: [
        file(houseNumbers, "extra_32x32.mat", 1_329_278_602, "a93ce644f1a588dc4d68dda5feec44a7"),
      ],
    },
  },
  "celeba64": {
    homepage: celeba,
    counts: { train: 162_770, validation: 19_867, test: 19_962 },
    files: { train: celebaFiles, validation: celebaFiles, test: celebaFiles },
  },
};
