/**
 * @file Inception-v3 (Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, "Rethinking the Inception
 * Architecture for Computer Vision", 2016) as TensorFlow's graph of 2015-12-05 has it, which Fréchet
 * inception distances are measured with. Written once, for whatever runs through it: tensors, or
 * mere numbers of channels, from which the shapes of the parameters follow.
 *
 * Names are those of the widely used port to PyTorch (pytorch-fid's patched torchvision model). Its
 * average poolings count pixels inside the image alone, and the last block pools maxima.
 *
 * Branches of a block that start with a convolution of one pixel share it: their filters beside each
 * other are one product. So does the one behind the average pooling, since a mean of neighbours and a
 * product with a filter of one pixel may be exchanged, bias included: the weights of the mean sum to
 * one at the border too. It then pools fewer channels.
 */

/** Channels of the last feature maps. */
export const inceptionFeatures = 2048;
/** Classes of TensorFlow's graph: ImageNet's 1,000, and some that are not in use. */
export const inceptionClasses = 1008;

/** How a convolution moves over the image. */
export interface ConvolutionWindow {
  /** [height, width] of the filter. */
  readonly size: readonly [number, number];
  readonly stride: 1 | 2;
  /** Zeros around the image that keep its size, or none. */
  readonly padding: "same" | "valid";
}

/** The channels of each branch, by its name in the block. */
export type Branches = Readonly<Record<string, number>>;

/** What the network is made of, on values of a type T. */
export interface InceptionLayers<T> {
  /** Convolution, batch normalisation, ReLU. */
  convolution(x: T, name: string, outputs: number, window: ConvolutionWindow): T;
  /**
   * Convolutions of one pixel with batch normalisation, all of one x: those of `branches` with ReLU,
   * then those of `pooled` without. In their order.
   */
  entries(x: T, block: string, branches: Branches, pooled: Branches): T[];
  /** Means over 3×3 pixels, stride 1, of those inside the image; then ReLU. */
  averagePool(x: T): T;
  /** Maxima over 3×3 pixels, inside the image ("valid") or around each pixel ("same"). */
  maximumPool(x: T, stride: 1 | 2, padding: "same" | "valid"): T;
  /** Channels of all, one after another. */
  concatenate(parts: readonly T[]): T;
}

const same = (height: number, width: number = height): ConvolutionWindow => ({
  ...{ size: [height, width], stride: 1, padding: "same" },
});
const valid = (side: number, stride: 1 | 2): ConvolutionWindow => ({
  ...{ size: [side, side], stride, padding: "valid" },
});

/**
 * Images to the feature maps of the last block: 3 channels of 299×299 → 2048 of 8×8.
 *
 * @param layers what each layer does
 * @param images 3 channels, in [−1, 1]
 */
export function inceptionMaps<T>(layers: InceptionLayers<T>, images: T): T {
  let x = stem(layers, images);
  x = blockA(layers, x, "Mixed_5b", 32);
  x = blockA(layers, x, "Mixed_5c", 64);
  x = blockA(layers, x, "Mixed_5d", 64);
  x = blockB(layers, x, "Mixed_6a");
  x = blockC(layers, x, "Mixed_6b", 128);
  x = blockC(layers, x, "Mixed_6c", 160);
  x = blockC(layers, x, "Mixed_6d", 160);
  x = blockC(layers, x, "Mixed_6e", 192);
  x = blockD(layers, x, "Mixed_7a");
  x = blockE(layers, x, "Mixed_7b", "average");
  return blockE(layers, x, "Mixed_7c", "maximum");
}

/** 299×299 → 35×35. */
function stem<T>({ convolution, maximumPool }: InceptionLayers<T>, images: T): T {
  let x = convolution(images, "Conv2d_1a_3x3", 32, valid(3, 2));
  x = convolution(x, "Conv2d_2a_3x3", 32, valid(3, 1));
  x = convolution(x, "Conv2d_2b_3x3", 64, same(3));
  x = maximumPool(x, 2, "valid");
  x = convolution(x, "Conv2d_3b_1x1", 80, valid(1, 1));
  x = convolution(x, "Conv2d_4a_3x3", 192, valid(3, 1));
  return maximumPool(x, 2, "valid");
}

/** At 35×35 (the paper's figure 5). */
function blockA<T>(layers: InceptionLayers<T>, x: T, block: string, pooled: number): T {
  const { entries, convolution, averagePool, concatenate } = layers;
  const [one, five, double, pool] = entries(
    x,
    block,
    { branch1x1: 64, branch5x5_1: 48, branch3x3dbl_1: 64 },
    { branch_pool: pooled },
  );
  const double2 = convolution(double, `${block}.branch3x3dbl_2`, 96, same(3));
  return concatenate([
    one,
    convolution(five, `${block}.branch5x5_2`, 64, same(5)),
    convolution(double2, `${block}.branch3x3dbl_3`, 96, same(3)),
    averagePool(pool),
  ]);
}

/** 35×35 → 17×17 (figure 10). */
function blockB<T>(layers: InceptionLayers<T>, x: T, block: string): T {
  const { convolution, maximumPool, concatenate } = layers;
  const double1 = convolution(x, `${block}.branch3x3dbl_1`, 64, valid(1, 1));
  const double2 = convolution(double1, `${block}.branch3x3dbl_2`, 96, same(3));
  return concatenate([
    convolution(x, `${block}.branch3x3`, 384, valid(3, 2)),
    convolution(double2, `${block}.branch3x3dbl_3`, 96, valid(3, 2)),
    maximumPool(x, 2, "valid"),
  ]);
}

/** At 17×17 (figure 6, n = 7). */
function blockC<T>(layers: InceptionLayers<T>, x: T, block: string, inner: number): T {
  const { entries, convolution, averagePool, concatenate } = layers;
  const [one, seven, double, pool] = entries(
    x,
    block,
    { branch1x1: 192, branch7x7_1: inner, branch7x7dbl_1: inner },
    { branch_pool: 192 },
  );
  const seven2 = convolution(seven, `${block}.branch7x7_2`, inner, same(1, 7));
  let doubled = convolution(double, `${block}.branch7x7dbl_2`, inner, same(7, 1));
  doubled = convolution(doubled, `${block}.branch7x7dbl_3`, inner, same(1, 7));
  doubled = convolution(doubled, `${block}.branch7x7dbl_4`, inner, same(7, 1));
  return concatenate([
    one,
    convolution(seven2, `${block}.branch7x7_3`, 192, same(7, 1)),
    convolution(doubled, `${block}.branch7x7dbl_5`, 192, same(1, 7)),
    averagePool(pool),
  ]);
}

/** 17×17 → 8×8. */
function blockD<T>(layers: InceptionLayers<T>, x: T, block: string): T {
  const { entries, convolution, maximumPool, concatenate } = layers;
  const [three, seven] = entries(x, block, { branch3x3_1: 192, branch7x7x3_1: 192 }, {});
  const seven2 = convolution(seven, `${block}.branch7x7x3_2`, 192, same(1, 7));
  const seven3 = convolution(seven2, `${block}.branch7x7x3_3`, 192, same(7, 1));
  return concatenate([
    convolution(three, `${block}.branch3x3_2`, 320, valid(3, 2)),
    convolution(seven3, `${block}.branch7x7x3_4`, 192, valid(3, 2)),
    maximumPool(x, 2, "valid"),
  ]);
}

/** At 8×8 (figure 7). */
function blockE<T>(
  layers: InceptionLayers<T>,
  x: T,
  block: string,
  pooling: "average" | "maximum",
): T {
  const { entries, convolution, averagePool, maximumPool, concatenate } = layers;
  const branches = { branch1x1: 320, branch3x3_1: 384, branch3x3dbl_1: 448 };
  const pooled: Branches = pooling === "average" ? { branch_pool: 192 } : {};
  const [one, three, double, pool] = entries(x, block, branches, pooled);
  const double2 = convolution(double, `${block}.branch3x3dbl_2`, 384, same(3));
  return concatenate([
    one,
    convolution(three, `${block}.branch3x3_2a`, 384, same(1, 3)),
    convolution(three, `${block}.branch3x3_2b`, 384, same(3, 1)),
    convolution(double2, `${block}.branch3x3dbl_3a`, 384, same(1, 3)),
    convolution(double2, `${block}.branch3x3dbl_3b`, 384, same(3, 1)),
    pooling === "average"
      ? averagePool(pool)
      : convolution(maximumPool(x, 1, "same"), `${block}.branch_pool`, 192, valid(1, 1)),
  ]);
}

/** A convolution as the port to PyTorch has it. */
export interface InceptionConvolution {
  /** As in "Mixed_5b.branch1x1". */
  readonly name: string;
  readonly outputs: number;
}

/** A convolution as it is computed: one of the port's, or several beside each other. */
export interface InceptionProduct {
  /** Its parameters are NAME.kernel [height, width, inputs, outputs] and NAME.bias [outputs]. */
  readonly name: string;
  readonly size: readonly [number, number];
  readonly inputs: number;
  /** Their outputs are one after another. */
  readonly parts: readonly InceptionConvolution[];
}

/** The name of what a block's branches share. */
export function entryName(block: string): string {
  return `${block}.entries`;
}

/** The network's convolutions, in the order in which they are computed. */
export const inceptionProducts: readonly InceptionProduct[] = listProducts();

function listProducts(): InceptionProduct[] {
  const products: InceptionProduct[] = [];
  inceptionMaps<number>({
    convolution(inputs, name, outputs, { size }) {
      products.push({ name, size, inputs, parts: [{ name, outputs }] });
      return outputs;
    },
    entries(inputs, block, branches, pooled) {
      const parts = Object.entries({ ...branches, ...pooled })
        .map(([name, outputs]) => ({ name: `${block}.${name}`, outputs }));
      products.push({ name: entryName(block), size: [1, 1], inputs, parts });
      return parts.map(({ outputs }) => outputs);
    },
    averagePool: (channels) => channels,
    maximumPool: (channels) => channels,
    concatenate: (parts) => parts.reduce((sum, channels) => sum + channels, 0),
  }, 3);
  return products;
}
