/**
 * @file Random draws on four blocks of Philox 4×32-10 at once (tensor/philox.ts says what they are):
 * the same integers and uniform numbers bit by bit, normal ones within the rounding of single
 * precision. Blocks are numbered through all samples, ⌈perSample/4⌉ a sample; lanes hold blocks.
 */
import type { Kernel } from "../kernels.ts";
import {
  type Code,
  control,
  f32x4,
  type FunctionBuilder,
  i32,
  i32x4,
  i64x2,
  type Local,
  type ModuleBuilder,
  v128,
} from "./assembler.ts";
import type { EmitterContext, Phase } from "./emitter.ts";
import { logarithmOfPositive, transposeFour, turn, VectorScope } from "./vector_math.ts";

type PhiloxKernel = Extract<Kernel, { kind: "philox" }>;

const MULTIPLIERS = [0xd2511f53, 0xcd9e8d57] as const;
const WEYL = [0x9e3779b9, 0xbb67ae85] as const;
const ROUNDS = 10;
/** Blocks a unit: a multiple of 4. */
const BLOCKS_A_UNIT = 64;

/** Both halves of the products of four words with a multiplier. */
function multiplyWords(scope: VectorScope, words: Code, multiplier: number): [Code, Code, Code] {
  const low = scope.temporary(), high = scope.temporary(), factor = scope.integer(multiplier | 0);
  return [
    [
      low.set(i64x2.extmulLowI32x4U(words, factor)),
      high.set(i64x2.extmulHighI32x4U(words, factor)),
    ],
    v128.shuffle32(low.get, high.get, [1, 3, 5, 7]),
    v128.shuffle32(low.get, high.get, [0, 2, 4, 6]),
  ];
}

/** The ten rounds on counters (four locals) under a key (two locals); all are overwritten. */
function rounds(scope: VectorScope, counter: readonly Local[], key: readonly Local[]): Code {
  const [c0, c1, c2, c3] = counter, [k0, k1] = key;
  const code: Code[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const mark = scope.mark;
    const [first, high0, low0] = multiplyWords(scope, c0.get, MULTIPLIERS[0]);
    const [second, high1, low1] = multiplyWords(scope, c2.get, MULTIPLIERS[1]);
    code.push(
      first,
      second,
      c0.set(v128.xor(v128.xor(high1, c1.get), k0.get)),
      c2.set(v128.xor(v128.xor(high0, c3.get), k1.get)),
      c1.set(low1),
      c3.set(low0),
    );
    if (round < ROUNDS - 1) {
      code.push(
        k0.set(i32x4.add(k0.get, scope.integer(WEYL[0] | 0))),
        k1.set(i32x4.add(k1.get, scope.integer(WEYL[1] | 0))),
      );
    }
    scope.reuse(mark);
  }
  return code;
}

/** Words as numbers in (0, 1). */
function uniforms(scope: VectorScope, words: readonly Local[]): Code {
  return words.map((word) =>
    word.set(f32x4.mul(
      f32x4.add(f32x4.convertI32x4S(i32x4.shrU(word.get, i32.const(9))), scope.float(0.5)),
      scope.float(2 ** -23),
    ))
  );
}

/** Words as indices below a count: the upper halves of the products with it. */
function indices(scope: VectorScope, words: readonly Local[], count: number): Code {
  return words.map((word) => {
    const mark = scope.mark;
    const [product, high] = multiplyWords(scope, word.get, count);
    scope.reuse(mark);
    return [product, word.set(high)];
  });
}

/** Pairs of uniform numbers as pairs of normal ones: Box and Muller. */
function normals(scope: VectorScope, words: readonly Local[]): Code {
  const code: Code[] = [];
  for (let i = 0; i + 1 < words.length; i += 2) {
    const mark = scope.mark, radius = scope.temporary();
    const logarithm = logarithmOfPositive(scope, words[i].get);
    code.push(
      radius.set(f32x4.sqrt(f32x4.mul(logarithm, scope.float(-2)))),
      turn(scope, words[i + 1].get, (cosine, sine) => [
        words[i].set(f32x4.mul(radius.get, cosine)),
        words[i + 1].set(f32x4.mul(radius.get, sine)),
      ]),
    );
    scope.reuse(mark);
  }
  return code;
}

/** The first `cells` lanes of a local to an address. */
function storeLanes(address: Code, value: Code, cells: number, offset = 0): Code {
  if (cells >= 4) return v128.store(address, value, offset);
  if (cells === 1) return v128.store32Lane(address, value, 0, offset);
  const two = v128.store64Lane(address, value, 0, offset);
  return cells === 2 ? two : [two, v128.store32Lane(address, value, 2, offset + 8)];
}

/** What the function of a kernel is static in. */
interface Shape extends
  Pick<
    PhiloxKernel,
    "distribution" | "stream" | "firstSample" | "count" | "samples" | "perSample"
  > {
  /** Whether the first sample is to be found at a pointer, less the one that is known. */
  readonly hasOffset: boolean;
}

/** The state of a function while it goes from four blocks to the next four. */
interface Cursor {
  /** Of each lane: block within the sample, and sample. */
  readonly block: Local;
  readonly sample: Local;
  /** Blocks that are left in the range. */
  readonly left: Local;
  readonly output: Local;
}

/** Lanes move on by four blocks; wrapped into the next samples. */
function advanceLanes(scope: VectorScope, { block, sample }: Cursor, blocks: number): Code {
  if (blocks === 1) return sample.set(i32x4.add(sample.get, scope.integer(4)));
  const over = scope.temporary();
  return [
    block.set(i32x4.add(block.get, scope.integer(4 % blocks))),
    over.set(i32x4.geS(block.get, scope.integer(blocks))),
    block.set(i32x4.sub(block.get, v128.and(over.get, scope.integer(blocks)))),
    sample.set(
      i32x4.add(
        i32x4.sub(sample.get, over.get),
        scope.integer(Math.floor(4 / blocks)),
      ),
    ),
  ];
}

/** Stores four blocks, one of which may be the last of a range, or of its sample. */
function storeBlocks(
  scope: VectorScope,
  words: readonly Local[],
  { perSample }: Shape,
  cursor: Cursor,
): Code {
  const { output, left, block } = cursor, blocks = Math.ceil(perSample / 4);
  const rest = perSample % 4;
  const move = (cells: number) => output.set(i32.add(output.get, i32.const(4 * cells)));
  if (perSample <= 2) {
    const [a, b] = words, mark = scope.mark, high = scope.temporary();
    scope.reuse(mark);
    const one = (cells: number): Code =>
      perSample === 1
        ? storeLanes(output.get, a.get, cells)
        : cells <= 2
        ? storeLanes(output.get, a.get, 2 * cells)
        : [storeLanes(output.get, a.get, 4), storeLanes(output.get, high.get, 2 * cells - 4, 16)];
    const interleave = perSample === 1 ? [] : [
      high.set(v128.shuffle32(a.get, b.get, [2, 6, 3, 7])),
      a.set(v128.shuffle32(a.get, b.get, [0, 4, 1, 5])),
    ];
    return [
      interleave,
      byCount(left, one),
      move(4 * perSample),
    ];
  }
  if (rest === 0) {
    return [
      transposeFour(scope, words),
      byCount(
        left,
        (cells) =>
          words.slice(0, cells).map((word, i) => storeLanes(output.get, word.get, 4, 16 * i)),
      ),
      move(16),
    ];
  }
  return [
    transposeFour(scope, words),
    words.map((word, i) =>
      control.if(i32.gtS(left.get, i32.const(i)), [
        blocks === 1 ? [storeLanes(output.get, word.get, rest), move(rest)] : control.if(
          i32.eq(i32x4.extractLane(block.get, i), i32.const(blocks - 1)),
          [storeLanes(output.get, word.get, rest), move(rest)],
          [storeLanes(output.get, word.get, 4), move(4)],
        ),
      ])
    ),
  ];
}

/** `make(4)` where four or more are left, else for as many as there are. */
function byCount(left: Local, make: (count: number) => Code): Code {
  const fewer = [1, 2, 3].map((count) =>
    control.if(i32.eq(left.get, i32.const(count)), make(count))
  );
  return control.if(i32.geS(left.get, i32.const(4)), make(4), fewer);
}

/** Sets the cursor to a block, counted through all samples. */
function seek(
  target: FunctionBuilder,
  { perSample, samples }: Shape,
  cursor: Cursor,
): Code {
  const [start, end, , , , output] = target.parameters, blocks = Math.ceil(perSample / 4);
  const [first, last, sample, block] = target.locals("i32", 4);
  const code: Code[] = [
    first.set(i32.mul(start.get, i32.const(BLOCKS_A_UNIT))),
    last.set(i32.mul(end.get, i32.const(BLOCKS_A_UNIT))),
    control.if(
      i32.gtU(last.get, i32.const(samples * blocks)),
      last.set(i32.const(samples * blocks)),
    ),
    cursor.left.set(i32.sub(last.get, first.get)),
    sample.set(i32.divU(first.get, i32.const(blocks))),
    block.set(i32.remU(first.get, i32.const(blocks))),
    cursor.output.set(
      i32.add(
        output.get,
        i32.mul(
          i32.add(i32.mul(sample.get, i32.const(perSample)), i32.mul(block.get, i32.const(4))),
          i32.const(4),
        ),
      ),
    ),
    cursor.sample.set(i32x4.splat(sample.get)),
    cursor.block.set(i32x4.splat(block.get)),
  ];
  // Lane l is l blocks further.
  for (let lane = 1; lane < 4; lane++) {
    const mask = i32x4.const(0, lane === 1 ? -1 : 0, lane <= 2 ? -1 : 0, -1);
    code.push(
      block.set(i32.add(block.get, i32.const(1))),
      control.if(i32.eq(block.get, i32.const(blocks)), [
        block.set(i32.const(0)),
        sample.set(i32.add(sample.get, i32.const(1))),
      ]),
      cursor.sample.set(v128.bitselect(i32x4.splat(sample.get), cursor.sample.get, mask)),
      cursor.block.set(v128.bitselect(i32x4.splat(block.get), cursor.block.get, mask)),
    );
  }
  return code;
}

/** The words of four blocks as the distribution's values. */
function values(scope: VectorScope, { distribution, count }: Shape, words: readonly Local[]): Code {
  switch (distribution) {
    case "bits":
      return [];
    case "indices":
      return indices(scope, words, count!);
    case "uniform":
      return uniforms(scope, words);
    case "normal":
      return [uniforms(scope, words), normals(scope, words)];
  }
}

/** A function over units of blocks; pointers: seed, step, output and, if there is one, offset. */
function philoxFunction(module: ModuleBuilder, shape: Shape): FunctionBuilder {
  const { stream, firstSample, hasOffset, perSample } = shape;
  const target = module.function("philox", Array(hasOffset ? 7 : 6).fill("i32"));
  const scope = new VectorScope(target), blocks = Math.ceil(perSample / 4);
  const [start, end, , seed, step, , offset] = target.parameters;
  const words = target.locals("v128", 4), key = target.locals("v128", 2);
  const cursor: Cursor = {
    block: target.local("v128"),
    sample: target.local("v128"),
    left: target.local("i32"),
    output: target.local("i32"),
  };
  const steps = target.local("v128"), seeds = target.locals("v128", 2);
  const firsts = target.local("v128"), known = scope.integer(firstSample | 0);
  const used = perSample <= 2 ? words.slice(0, 2) : words;
  const body: Code = [
    words[0].set(cursor.block.get),
    words[1].set(i32x4.add(cursor.sample.get, firsts.get)),
    words[2].set(steps.get),
    words[3].set(scope.integer(stream | 0)),
    key.map((local, i) => local.set(seeds[i].get)),
    rounds(scope, words, key),
    values(scope, shape, used),
    storeBlocks(scope, words, shape, cursor),
    advanceLanes(scope, cursor, blocks),
    cursor.left.set(i32.sub(cursor.left.get, i32.const(4))),
    control.brIf(i32.gtS(cursor.left.get, i32.const(0)), 0),
  ];
  return target.body(control.if(i32.ltS(start.get, end.get), [
    scope.prologue,
    seeds.map((local, i) => local.set(v128.load32Splat(seed.get, 4 * i))),
    steps.set(v128.load32Splat(step.get)),
    firsts.set(hasOffset ? i32x4.add(known, v128.load32Splat(offset.get)) : known),
    seek(target, shape, cursor),
    control.loop(body),
  ]));
}

/** The phase of random draws: units are blocks. */
export function emitPhilox(context: EmitterContext, kernel: PhiloxKernel): Phase[] {
  const { distribution, stream, firstSample, count, samples, perSample, offset } = kernel;
  if (samples * perSample === 0) return [];
  const hasOffset = offset !== undefined;
  const shape: Shape = { distribution, stream, firstSample, count, samples, perSample, hasOffset };
  const blocks = samples * Math.ceil(perSample / 4);
  return [{
    code: context.module.shared(
      `philox ${JSON.stringify(shape)}`,
      () => philoxFunction(context.module, shape),
    ),
    pointers: [kernel.seed, kernel.step, kernel.output, ...(hasOffset ? [offset] : [])]
      .map((buffer) => context.address(buffer)),
    units: Math.ceil(blocks / BLOCKS_A_UNIT),
    scratchBytes: 0,
    work: blocks * (distribution === "normal" ? 100 : 60),
  }];
}
