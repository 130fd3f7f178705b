/**
 * @file One-dimensional transforms of Winograd's minimal filtering as code, four channels at a time:
 * Bᵀ of input tiles, G of filters, Aᵀ to output tiles (see winograd_points.ts), and for strides of
 * two, by phases: even and odd taps see even and odd pixels, each a convolution without strides.
 */
import { type Code, f32x4, type FunctionBuilder, type Local } from "./assembler.ts";
import { multiplyAdd, negativeMultiplyAdd } from "./emitter.ts";
import { pointPolynomials } from "./winograd_points.ts";

/** Longest sum over channels that is not divided, for accuracy. */
export const longestSum = 64;

/** One 1-D transform. */
export interface Transform {
  /** How many values it takes, */
  readonly inputs: number;
  /** and gives. */
  readonly outputs: number;
  /** Sets up constants in locals, and makes the code of one transform. */
  prepare(f: FunctionBuilder): TransformCode;
}

/** A transform in a function. */
export interface TransformCode {
  /** To be put in front of everything. */
  readonly constants: Code;
  /** Loads all inputs, and stores all outputs. */
  apply(load: (i: number) => Code, store: (i: number, value: Code) => Code): Code;
}

/** What the code of a transform is written with. */
interface TransformScope {
  /** The inputs. */
  readonly x: readonly Local[];
  /** A constant in every lane. */
  constant(value: number): Code;
  store(i: number, value: Code): Code;
  readonly temporaries: readonly Local[];
}

/** A transform with these constants and so many temporaries. */
export function makeTransform(
  { inputs, outputs, constants, temporaries }: {
    readonly inputs: number;
    readonly outputs: number;
    readonly constants: readonly number[];
    readonly temporaries: number;
  },
  code: (scope: TransformScope) => Code,
): Transform {
  return {
    inputs,
    outputs,
    prepare: (f) => {
      const held = new Map([...new Set(constants)].map((value) => [value, f.local("v128")]));
      const x = f.locals("v128", inputs);
      const scope = {
        x,
        temporaries: f.locals("v128", temporaries),
        constant: (value: number) => held.get(value)!.get,
      };
      return {
        constants: [...held].map(([value, local]) => local.set(f32x4.const(value))),
        apply: (load, store) => [
          x.map((local, i) => local.set(load(i))),
          code({ ...scope, store }),
        ],
      };
    },
  };
}

/** Stores e ± o·factor. */
export function plusMinus(
  e: Local,
  o: Local,
  factor: Code,
  store: (i: number, value: Code) => Code,
  first: number,
): Code {
  return [
    store(first, multiplyAdd(o.get, factor, e.get)),
    store(first + 1, negativeMultiplyAdd(o.get, factor, e.get)),
  ];
}

/** Bᵀ of so many points. */
function inputTransform(count: number): Transform {
  const { points, whole, others } = pointPolynomials(count);
  const constants = [...points, ...whole, ...others.flat()];
  return makeTransform(
    { inputs: count, outputs: count, constants, temporaries: 2 },
    ({ x, constant, store, temporaries: [e, o] }) => {
      // Σ coefficient[j]·d[first + 2j], the leading one being 1.
      const even = (coefficients: readonly number[], first: number): Code =>
        coefficients.slice(0, -1).reduceRight<Code>(
          (sum, coefficient, j) => multiplyAdd(x[first + 2 * j].get, constant(coefficient), sum),
          x[first + 2 * (coefficients.length - 1)].get,
        );
      return [
        store(0, even(whole, 0)),
        store(count - 1, even(whole, 1)),
        points.map((p, i) => [
          e.set(even(others[i], 2)),
          o.set(even(others[i], 1)),
          plusMinus(e, o, constant(p), store, 1 + 2 * i),
        ]),
      ];
    },
  );
}

/** Aᵀ from so many points to so many results, two at least. */
function outputTransform(count: number, outputs: number): Transform {
  const { points } = pointPolynomials(count);
  const powers = points.flatMap((p) => Array.from({ length: outputs }, (_, j) => p ** j));
  return makeTransform(
    { inputs: count, outputs, constants: powers, temporaries: 2 * points.length },
    ({ x, constant, store, temporaries }) => {
      const sums = points.map((_, i) => temporaries[2 * i]);
      const differences = points.map((_, i) => temporaries[2 * i + 1]);
      const result = (j: number): Code => {
        const terms = j % 2 === 0 ? sums : differences;
        return terms.reduceRight<Code | null>(
          (sum, term, i) => {
            const power = points[i] ** j;
            if (power === 1) return sum ? f32x4.add(term.get, sum) : term.get;
            return sum
              ? multiplyAdd(term.get, constant(power), sum)
              : f32x4.mul(term.get, constant(power));
          },
          j === outputs - 1 ? x[count - 1].get : null,
        )!;
      };
      return [
        points.map((_, i) => [
          sums[i].set(f32x4.add(x[1 + 2 * i].get, x[2 + 2 * i].get)),
          differences[i].set(f32x4.sub(x[1 + 2 * i].get, x[2 + 2 * i].get)),
        ]),
        store(0, sums.reduce<Code>((sum, term) => f32x4.add(sum, term.get), x[0].get)),
        Array.from({ length: outputs - 1 }, (_, i) => store(i + 1, result(i + 1))),
      ];
    },
  );
}

/** G of a filter of so many taps, two at least. */
function filterTransform(count: number, taps: number): Transform {
  const { points, zeroDivisor, divisors } = pointPolynomials(count);
  const evens = points.map((p, i) =>
    Array.from({ length: Math.ceil(taps / 2) }, (_, j) => p ** (2 * j) / divisors[i])
  );
  const odds = points.map((p) =>
    Array.from({ length: Math.floor(taps / 2) }, (_, j) => p ** (2 * j))
  );
  const odd = points.map((p, i) => p / divisors[i]);
  const constants = [1 / zeroDivisor, ...evens.flat(), ...odds.flat(), ...odd];
  return makeTransform(
    { inputs: taps, outputs: count, constants, temporaries: 2 },
    ({ x: g, constant, store, temporaries: [e, o] }) => [
      store(0, f32x4.mul(g[0].get, constant(1 / zeroDivisor))),
      store(count - 1, g[taps - 1].get),
      points.map((_, i) => [
        e.set(
          evens[i].slice(1).reduce<Code>(
            (sum, factor, j) => multiplyAdd(g[2 * j + 2].get, constant(factor), sum),
            f32x4.mul(g[0].get, constant(evens[i][0])),
          ),
        ),
        o.set(
          odds[i].slice(1).reduce<Code>(
            (sum, factor, j) => multiplyAdd(g[2 * j + 3].get, constant(factor), sum),
            g[1].get,
          ),
        ),
        plusMinus(e, o, constant(odd[i]), store, 1 + 2 * i),
      ]),
    ],
  );
}

/** How a convolution is done along one axis. */
export interface AxisMethod {
  readonly taps: number;
  readonly stride: number;
  /** Results of a tile. */
  readonly outputs: number;
}

/** The transforms along one axis. */
export interface AxisTransforms extends AxisMethod {
  /** Pixels of an input tile, and cells of a tile in the Winograd domain. */
  readonly inputs: number;
  readonly input: Transform;
  readonly filter: Transform;
  readonly output: Transform;
}

/** Pixels of an input tile. */
export function tileInputs({ taps, stride, outputs }: AxisMethod): number {
  return (outputs - 1) * stride + taps;
}

/** The transforms along one axis: of a filter of one tap there is nothing to transform. */
export function axisTransforms(method: AxisMethod): AxisTransforms {
  const { taps, stride, outputs } = method;
  const inputs = tileInputs(method);
  if (taps === 1 && outputs === 1) {
    const input = makeTransform(
      { inputs: 1, outputs: 1, constants: [], temporaries: 0 },
      ({ x, store }) => store(0, x[0].get),
    );
    return { ...method, inputs, input, filter: input, output: input };
  }
  if (stride === 1) {
    return {
      ...method,
      inputs,
      input: inputTransform(inputs),
      filter: filterTransform(inputs, taps),
      output: outputTransform(inputs, outputs),
    };
  }
  if (taps !== 3 || stride !== 2) {
    throw new Error(`no method for ${taps} taps with a stride of ${stride}`);
  }
  return { ...method, inputs, ...phasedTransforms(outputs) };
}

/**
 * Three taps with a stride of two, by phases: the outer two see every other pixel, which is
 * F(outputs, 2) without strides; the inner one sees those between, each of which is a product. Of
 * 2m + 1 cells of a tile, the first m + 1 are of the outer taps.
 */
function phasedTransforms(
  outputs: number,
): Pick<AxisTransforms, "input" | "filter" | "output"> {
  const outer = outputs + 1, inputs = outer + outputs;
  const inner = Array.from({ length: outputs }, (_, i) => i);
  const everyOther = (i: number) => 2 * i;
  const output = outputTransform(outer, outputs);
  return {
    input: withRest(
      { ...inputTransform(outer), inputs, outputs: inputs },
      everyOther,
      (load, store) => inner.map((i) => store(outer + i, load(2 * i + 1))),
    ),
    filter: withRest(
      { ...filterTransform(outer, 2), inputs: 3, outputs: inputs },
      everyOther,
      (load, store) => inner.map((i) => store(outer + i, load(1))),
    ),
    output: {
      ...{ inputs, outputs },
      prepare: (f) => {
        const { constants, apply } = output.prepare(f);
        return {
          constants,
          apply: (load, store) =>
            apply(load, (i, value) => store(i, f32x4.add(value, load(outer + i)))),
        };
      },
    },
  };
}

type Load = (i: number) => Code;
type Store = (i: number, value: Code) => Code;

/** A transform whose code takes some of the inputs, and code for the rest. */
function withRest(
  { prepare, ...sizes }: Transform,
  take: (i: number) => number,
  rest: (load: Load, store: Store) => Code,
): Transform {
  return {
    ...sizes,
    prepare: (f) => {
      const { constants, apply } = prepare(f);
      return {
        constants,
        apply: (load, store) => [apply((i) => load(take(i)), store), rest(load, store)],
      };
    },
  };
}
