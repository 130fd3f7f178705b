/**
 * @file Potentials and training steps written in jax-js, the way its manual recommends: functions of
 * trees of arrays. Its arrays count references: every use of one takes it, and `.ref` keeps it.
 */
import type { PotentialWork } from "../train/works.ts";

/** The library. */
export type Jax = typeof import("npm:@jax-js/jax@0.1.25");
/** Its arrays. */
export type JaxArray = import("npm:@jax-js/jax@0.1.25").Array;
/** Parameters, gradients, moments, by name. */
export type Tree = { [name: string]: JaxArray };

/** What a step carries over. */
export type State = {
  parameters: Tree;
  average: Tree;
  m: Tree;
  v: Tree;
  step: JaxArray;
  key: JaxArray;
};

/** A potential. Its functions leave the parameters, and take x and u. */
export interface Net {
  initialize(): Tree;
  /** Φ [n] at x [n, …] and u [n, 1]. */
  apply(parameters: Tree, x: JaxArray, u: JaxArray): JaxArray;
}

const gelu = ({ lax }: Jax, x: JaxArray) => x.ref.mul(0.5).mul(lax.erf(x.mul(Math.SQRT1_2)).add(1));

/** The MLP of this project, time-explicit. */
function mlp(jax: Jax, { config: { potential } }: PotentialWork): Net {
  if (potential.kind !== "mlp") throw new Error("expected an MLP");
  const { numpy: np, random } = jax;
  const { hidden, timeFeatures } = potential;
  const sizes = [3 + 2 * timeFeatures, ...hidden, 1];
  const depth = sizes.length - 1;
  return {
    initialize() {
      const parameters: Tree = {};
      for (let i = 0; i < depth; i++) {
        const draw = random.normal(random.key(i), [sizes[i], sizes[i + 1]]);
        parameters[`dense${i}.kernel`] = draw.mul(1 / Math.sqrt(sizes[i]));
        parameters[`dense${i}.bias`] = np.zeros([sizes[i + 1]]);
      }
      return parameters;
    },
    apply(parameters, x, u) {
      const features = [x, u.ref];
      for (let k = 0; k < timeFeatures; k++) {
        const angle = u.ref.mul(2 ** k * Math.PI / 2);
        features.push(np.sin(angle.ref), np.cos(angle));
      }
      u.dispose();
      let h = np.concatenate(features, 1);
      for (let i = 0; i < depth; i++) {
        h = np.matmul(h, parameters[`dense${i}.kernel`].ref).add(parameters[`dense${i}.bias`].ref);
        if (i < depth - 1) h = gelu(jax, h);
      }
      return h.reshape([-1]);
    },
  };
}

/** The wide ResNet of this project, time-implicit, images as [n, channels, h, w]. */
function wideResnet(jax: Jax, { config: { potential }, sampleShape }: PotentialWork): Net {
  if (potential.kind !== "wide-resnet") throw new Error("expected a wide ResNet");
  const { numpy: np, random, lax } = jax;
  const { channels, multipliers, blocksPerLevel } = potential;
  const shapes: Record<string, number[]> = { stem: [channels, sampleShape[2], 3, 3] };
  let inputs = channels;
  const levels = multipliers.map((multiplier, level) =>
    Array.from({ length: blocksPerLevel }, (_, index) => {
      const name = `level${level}.block${index}`, outputs = channels * multiplier;
      shapes[`${name}.conv1`] = [outputs, inputs, 3, 3];
      shapes[`${name}.conv2`] = [outputs, outputs, 3, 3];
      if (inputs !== outputs) shapes[`${name}.shortcut`] = [outputs, inputs, 3, 3];
      inputs = outputs;
      return name;
    })
  );
  shapes.head = [1, inputs];
  const weights = (parameters: Tree, name: string) => {
    const v = parameters[`${name}.v`];
    const axes = shapes[name].map((_, axis) => axis).slice(1);
    const norm = np.sqrt(np.square(v.ref).sum(axes, { keepdims: true }));
    const gain = parameters[`${name}.g`].ref.reshape([-1, ...axes.map(() => 1)]);
    return v.ref.mul(gain.div(norm));
  };
  const convolution = (parameters: Tree, name: string, x: JaxArray) =>
    lax.convGeneralDilated(x, weights(parameters, name), [1, 1], "SAME")
      .add(parameters[`${name}.bias`].ref.reshape([-1, 1, 1]));
  const halve = (x: JaxArray) => {
    const [n, c, height, width] = x.shape;
    return x.reshape([n, c, height / 2, 2, width / 2, 2]).mean([3, 5]);
  };
  return {
    initialize() {
      const parameters: Tree = {};
      Object.entries(shapes).forEach(([name, shape], i) => {
        parameters[`${name}.v`] = random.normal(random.key(i), shape).mul(0.05);
        parameters[`${name}.g`] = np.ones([shape[0]]);
        parameters[`${name}.bias`] = np.zeros([shape[0]]);
      });
      return parameters;
    },
    apply(parameters, x, u) {
      u.dispose();
      let h = convolution(parameters, "stem", x);
      levels.forEach((blocks, level) => {
        if (level > 0) h = halve(h);
        for (const name of blocks) {
          const inner = convolution(parameters, `${name}.conv1`, gelu(jax, h.ref));
          const residual = convolution(parameters, `${name}.conv2`, gelu(jax, inner));
          const changes = `${name}.shortcut` in shapes;
          h = (changes ? convolution(parameters, `${name}.shortcut`, h) : h).add(residual);
        }
      });
      const features = gelu(jax, h).sum([2, 3]);
      const head = np.matmul(features, weights(parameters, "head").transpose());
      return head.add(parameters["head.bias"].ref).reshape([-1]);
    },
  };
}

/** The potential of a work. */
export function jaxNet(jax: Jax, work: PotentialWork): Net {
  return work.config.potential.kind === "mlp" ? mlp(jax, work) : wideResnet(jax, work);
}

/** [n, …] of a work's samples. */
export function batchShape({ batch, sampleShape }: PotentialWork): number[] {
  if (sampleShape.length === 1) return [batch, ...sampleShape];
  const [height, width, channels] = sampleShape;
  return [batch, channels, height, width];
}

/** ∇Φ; takes x and u, leaves the parameters. */
export function velocity(
  { grad }: Jax,
  net: Net,
  parameters: Tree,
  x: JaxArray,
  u: JaxArray,
): JaxArray {
  const gradient = grad((x: JaxArray) => net.apply(parameters, x, u.ref).sum())(x);
  u.dispose();
  return gradient;
}

/** x, the velocity of its path, and the times of a step, drawn from a key; and the next key. */
function batchFunction(jax: Jax, work: PotentialWork, images: JaxArray | null) {
  const { numpy: np, random } = jax;
  const { config, batch: n } = work;
  const shape = batchShape(work);
  const uMax = 1 - config.path.betaMin / config.path.omega;
  const drawData = (chosen: JaxArray, jitter: JaxArray) => {
    if (images) {
      jitter.dispose();
      const index = np.floor(random.uniform(chosen, [n]).mul(images.shape[0]));
      return np.take(images.ref, index.astype(np.int32), 0);
    }
    const angle = np.floor(random.uniform(chosen, [n, 1]).mul(8)).mul(Math.PI / 4);
    const means = np.concatenate([np.cos(angle.ref), np.sin(angle)], 1).mul(3.6);
    return means.add(random.normal(jitter, shape).mul(0.24));
  };
  return (key: JaxArray) => {
    const keys = random.split(key, 5);
    const next = keys.ref.slice(0);
    const data = drawData(keys.ref.slice(1), keys.ref.slice(2));
    const noise = random.normal(keys.ref.slice(3), shape);
    const u = random.uniform(keys.slice(4), [n, 1]).mul(uMax);
    const time = u.ref.reshape([n, ...shape.slice(1).map(() => 1)]);
    const ratio = time.ref.mul(-1).add(1);
    if (config.path.path === "optimal-transport") {
      const x = time.mul(data.ref).add(ratio.mul(noise.ref));
      return { next, x, v: data.sub(noise), u };
    }
    const x = time.mul(ratio.ref.add(1)).mul(data.ref).add(ratio.ref.mul(noise.ref));
    return { next, x, v: ratio.mul(2).mul(data).sub(noise), u };
  };
}

/** The energy loss with the Stein estimator, as a function that takes all its arguments. */
function lossFunction(jax: Jax, work: PotentialWork) {
  const { numpy: np, tree } = jax;
  const { spectralGap, perDimension } = work.config.loss;
  const net = jaxNet(jax, work);
  const size = work.sampleShape.reduce((product, extent) => product * extent, 1);
  const scale = 1 / work.batch / (perDimension ? size : 1);
  return (parameters: Tree, x: JaxArray, u: JaxArray, v: JaxArray): JaxArray => {
    const gradient = velocity(jax, net, parameters, x.ref, u.ref);
    let loss = gradient.ref.mul(gradient.mul(0.5).sub(v)).sum().mul(scale);
    if (spectralGap > 0) {
      const value = net.apply(parameters, x.ref, u.ref);
      loss = loss.add(np.square(value).sum().mul(0.5 * spectralGap * scale));
    }
    tree.dispose([parameters, x, u]);
    return loss;
  };
}

/** Updates by Adam or LAMB: takes gradient and moments, leaves the parameter and the scalars. */
function updateFunction({ numpy: np }: Jax, { config: { optimizer } }: PotentialWork) {
  const { beta1, beta2, epsilon, kind } = optimizer;
  const norm = (x: JaxArray) => np.sqrt(np.square(x).sum());
  return (
    parameter: JaxArray,
    gradient: JaxArray,
    moments: { m: JaxArray; v: JaxArray },
    { time, rate }: { time: JaxArray; rate: JaxArray },
  ) => {
    const m = moments.m.mul(beta1).add(gradient.ref.mul(1 - beta1));
    const v = moments.v.mul(beta2).add(np.square(gradient).mul(1 - beta2));
    if (kind === "lamb") {
      const direction = m.ref.div(np.sqrt(v.ref).add(epsilon));
      const ratio = np.minimum(norm(parameter.ref), 10).div(norm(direction.ref));
      return { m, v, parameter: parameter.ref.sub(direction.mul(ratio).mul(rate.ref)) };
    }
    const correction = (beta: number) => np.exp(time.ref.mul(Math.log(beta))).mul(-1).add(1);
    const scale = np.sqrt(v.ref.div(correction(beta2))).add(epsilon);
    const update = m.ref.div(correction(beta1)).div(scale).mul(rate.ref);
    return { m, v, parameter: parameter.ref.sub(update) };
  };
}

/** Warm-up, then the cosine; takes the step. */
function rateFunction({ numpy: np }: Jax, { config: { optimizer, training } }: PotentialWork) {
  const { learningRate, warmupSteps } = optimizer;
  return (step: JaxArray) => {
    const warm = np.minimum(step.ref.add(1).mul(1 / warmupSteps), 1);
    const progress = np.clip(step.sub(warmupSteps).mul(1 / (training.steps - warmupSteps)), 0, 1);
    return warm.mul(np.cos(progress.mul(Math.PI)).add(1)).mul(0.5 * learningRate);
  };
}

/** One whole step: draw, both gradients, clipping, optimiser, average. It takes the state. */
export function stepFunction(
  jax: Jax,
  work: PotentialWork,
  images: JaxArray | null,
): (state: State) => State {
  const { numpy: np, valueAndGrad, tree } = jax;
  const { clipNorm, averageDecay } = work.config.optimizer;
  const draw = batchFunction(jax, work, images), loss = lossFunction(jax, work);
  const update = updateFunction(jax, work), rateAt = rateFunction(jax, work);
  return ({ parameters, average, m, v, step, key }) => {
    const { next, x, v: target, u } = draw(key);
    const outcome = valueAndGrad(loss)(tree.ref(parameters), x, u, target);
    const [value, gradients] = outcome as [JaxArray, Tree];
    value.dispose();
    const squares = Object.values(gradients).map((g) => np.square(g.ref).sum());
    const norm = np.sqrt(squares.reduce((a, b) => a.add(b)));
    const clip = np.reciprocal(np.maximum(norm, clipNorm!)).mul(clipNorm!);
    const time = step.ref.add(1), rate = rateAt(step.ref);
    const decay = np.minimum(time.ref.div(time.ref.add(9)), averageDecay);
    const weight = decay.mul(-1).add(1);
    const after: State = {
      parameters: {},
      average: {},
      m: {},
      v: {},
      step: step.add(1),
      key: next,
    };
    for (const [name, old] of Object.entries(parameters)) {
      const gradient = gradients[name].mul(clip.ref);
      const updated = update(old, gradient, { m: m[name], v: v[name] }, { time, rate });
      old.dispose();
      const change = updated.parameter.ref.sub(average[name].ref).mul(weight.ref);
      after.average[name] = average[name].add(change);
      after.parameters[name] = updated.parameter;
      after.m[name] = updated.m;
      after.v[name] = updated.v;
    }
    tree.dispose([clip, time, rate, weight]);
    return after;
  };
}
