/**
 * @file The works in jax-js, a JAX in TypeScript with a compiler to WebAssembly, on all the threads
 * that it takes, with everything under one `jit` and without: what is faster differs by work.
 */
import { localPeer, type Peer, type Prepared } from "../train/peer.ts";
import type { ConvolutionWork, PotentialWork, ProductWork, Work } from "../train/works.ts";
import {
  batchShape,
  type Jax,
  type JaxArray,
  jaxNet,
  type State,
  stepFunction,
  type Tree,
  velocity,
} from "./jax_js_works.ts";

const VERSION = "0.1.25";

/** Whether the whole of a work is compiled, or its operations one by one. */
type Form = "jit" | "no jit";

const forms: readonly Form[] = ["jit", "no jit"];

function prepareStep(jax: Jax, work: PotentialWork, form: Form): Prepared {
  const { numpy: np, jit, tree, random, blockUntilReady } = jax;
  const images = work.sampleShape.length === 3
    ? random.uniform(random.key(7), [work.residentImages, ...batchShape(work).slice(1)])
    : null;
  const parameters = jaxNet(jax, work).initialize();
  const zeros = () => tree.map((p: JaxArray) => np.zeros(p.shape), parameters) as Tree;
  let state: State = {
    parameters,
    average: tree.ref(parameters),
    m: zeros(),
    v: zeros(),
    step: np.array(new Float32Array([0])).reshape([]),
    key: random.key(1),
  };
  const eager = stepFunction(jax, work, images);
  const step = form === "jit" ? jit(eager) as typeof eager : eager;
  return {
    async run(times) {
      for (let i = 0; i < times; i++) state = step(state);
      await blockUntilReady(state);
    },
    dispose() {
      tree.dispose(state);
      images?.dispose();
    },
  };
}

/** A function of a tree of arrays, which it takes. */
function prepareFunction<T extends Tree>(
  jax: Jax,
  form: Form,
  f: (inputs: T) => JaxArray,
  inputs: T,
): Prepared {
  const { jit, tree, blockUntilReady } = jax;
  const compiled = form === "jit" ? jit(f as (inputs: Tree) => JaxArray) as typeof f : f;
  return {
    async run(times) {
      for (let i = 0; i < times; i++) {
        const result = compiled(tree.ref(inputs));
        await blockUntilReady(result);
        result.dispose();
      }
    },
    dispose: () => tree.dispose(inputs),
  };
}

function prepareVelocity(jax: Jax, work: PotentialWork, form: Form): Prepared {
  const { numpy: np, random, tree } = jax;
  const net = jaxNet(jax, work);
  const inputs = {
    ...net.initialize(),
    x: random.normal(random.key(9), batchShape(work)),
    u: np.full([work.batch, 1], 0.5),
  };
  const f = ({ x, u, ...parameters }: typeof inputs) => {
    const result = velocity(jax, net, parameters, x, u);
    tree.dispose(parameters);
    return result;
  };
  return prepareFunction(jax, form, f, inputs);
}

/** Convolutions, and their derivatives, which are convolutions too. */
function prepareConvolution(jax: Jax, work: ConvolutionWork, form: Form): Prepared {
  const { numpy: np, lax, random } = jax;
  const { inputShape: [n, height, width, inputs], outputs, direction } = work;
  const draw = (seed: number, shape: number[]) => random.normal(random.key(seed), shape);
  const convolve = (a: JaxArray, b: JaxArray) =>
    lax.convGeneralDilated(a, b, [1, 1], [[1, 1], [1, 1]]);
  const x = () => draw(1, [n, inputs, height, width]);
  const dy = () => draw(2, [n, outputs, height, width]);
  const filter = () => draw(3, [outputs, inputs, 3, 3]);
  switch (direction) {
    case "forward":
      return prepareFunction(jax, form, ({ a, b }) => convolve(a, b), { a: x(), b: filter() });
    case "inputGradient":
      return prepareFunction(
        jax,
        form,
        ({ a, b }) => convolve(a, np.flip(b.transpose([1, 0, 2, 3]), [2, 3])),
        { a: dy(), b: filter() },
      );
    case "filterGradient":
      return prepareFunction(
        jax,
        form,
        ({ a, b }) => convolve(a.transpose([1, 0, 2, 3]), b.transpose([1, 0, 2, 3])),
        { a: x(), b: dy() },
      );
  }
}

function prepareProduct(jax: Jax, { m, k, n }: ProductWork, form: Form): Prepared {
  const { numpy: np, random } = jax;
  const inputs = {
    a: random.normal(random.key(1), [m, k]),
    b: random.normal(random.key(2), [k, n]),
  };
  return prepareFunction(jax, form, ({ a, b }) => np.matmul(a, b), inputs);
}

function prepare(jax: Jax, work: Work, form: Form): Prepared {
  if (work.kind === "product") return prepareProduct(jax, work, form);
  if (work.kind === "convolution") return prepareConvolution(jax, work, form);
  return work.kind === "step" ? prepareStep(jax, work, form) : prepareVelocity(jax, work, form);
}

/** The ways to do a work; or why there is none. */
function variants(work: Work) {
  if ("config" in work) {
    const { potential } = work.config;
    const isDeep = potential.kind === "wide-resnet" && potential.blocksPerLevel > 1;
    if (isDeep) return "not asked: minutes a call, by its convolutions' times";
    // Compiled as a part of something larger its convolutions are ten times slower.
    if (potential.kind === "wide-resnet") return [{ form: "no jit" }];
  }
  return forms.map((form) => ({ form }));
}

/** jax-js on its WebAssembly backend; null where it cannot be loaded. */
export async function openJaxJs(): Promise<Peer | null> {
  let jax: Jax;
  try {
    jax = await import("npm:@jax-js/jax@0.1.25");
  } catch (error) {
    console.error(`jax-js is left out: ${(error as Error).message}`);
    return null;
  }
  await jax.init("wasm");
  jax.defaultDevice("wasm");
  return localPeer({
    name: "jax-js",
    describe: () => Promise.resolve({ version: VERSION, backend: "wasm", threads: "all" }),
    variants,
    prepare: (work, { form }) => Promise.resolve(prepare(jax, work, form as Form)),
  });
}
