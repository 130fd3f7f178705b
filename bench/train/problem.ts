/**
 * @file Works as TensorFlow.js functions: what both the compiled programs and the eager peer do.
 */
import { drawImages, fromUint8 } from "../../core/data/images.ts";
import { toyDistributions } from "../../core/data/toy.ts";
import {
  batchValueAndGradient,
  randomKey,
  randomNormal,
  type Tensor,
  type TensorRecord,
  tf,
} from "../../core/tensor/mod.ts";
import type { DataSource } from "../../core/train/data_source.ts";
import { initialState } from "../../core/train/initial_state.ts";
import { type TrainingProblem, trainingProblem } from "../../core/train/training_problem.ts";
import type { ConvolutionWork, PotentialWork, ProductWork, Work } from "./works.ts";

/** Random images that lie on the device, under the name of a set of such images. */
function residentImages({ residentImages: count, sampleShape, config }: PotentialWork): DataSource {
  const [height, width, channels] = sampleShape;
  const pixels = Uint8Array.from(
    { length: count * height * width * channels },
    () => 256 * Math.random(),
  );
  const dataset = fromUint8(pixels, [count, height, width, channels]);
  return {
    name: config.data.name,
    sampleShape,
    placement: "device",
    flip: false,
    draw: (n, key) => drawImages(dataset, n, key),
    dispose: () => dataset.words.dispose(),
  };
}

/** The work's data: the ring of Gaussians, or images. The caller disposes it. */
function openWorkData(work: PotentialWork): DataSource {
  if (work.sampleShape.length === 3) return residentImages(work);
  const distribution = toyDistributions["8gaussians"];
  return {
    placement: null,
    flip: false,
    name: "8gaussians",
    sampleShape: work.sampleShape,
    distribution,
    draw: (n, key) => distribution.sample(n, key),
    dispose() {},
  };
}

/** The work's training problem, on data that the caller disposes. */
export function openWorkProblem(work: PotentialWork): TrainingProblem {
  return trainingProblem(work.config, openWorkData(work));
}

/** A function of two tensors, and of a record of parameters that never change. */
export interface TensorProgram {
  readonly f: (a: Tensor, b: Tensor, parameters: TensorRecord) => Tensor;
  readonly a: Tensor;
  readonly b: Tensor;
  readonly parameters: TensorRecord;
  dispose(): void;
}

function program(
  a: Tensor,
  b: Tensor,
  f: TensorProgram["f"],
  parameters: TensorRecord = {},
): TensorProgram {
  return { f, a, b, parameters, dispose: () => tf.dispose([a, b, ...Object.values(parameters)]) };
}

/** ∇Φ at x (a) and u (b). */
function velocityProgram(work: PotentialWork): TensorProgram {
  const problem = openWorkProblem(work);
  const { potential } = problem;
  // A net of its own from the initial state: so scaled that its values are of order 1.
  const { parameters, average, moments, counters } = initialState(problem);
  problem.data.dispose();
  tf.dispose([average, moments, counters]);
  const x = tf.tidy(() => randomNormal(randomKey(1), [work.batch, ...work.sampleShape]));
  const u = tf.fill([work.batch], 0.5);
  const velocity: TensorProgram["f"] = (x, u, parameters) =>
    batchValueAndGradient((x) => potential.apply(parameters, x, u), x).gradient;
  return program(x, u, velocity, parameters);
}

function productProgram({ m, k, n }: ProductWork): TensorProgram {
  return program(tf.randomNormal([m, k]), tf.randomNormal([k, n]), (a, b) => tf.matMul(a, b));
}

function convolutionProgram({ direction, inputShape, outputs }: ConvolutionWork): TensorProgram {
  const [n, height, width, inputs] = inputShape;
  const x = () => tf.randomNormal([...inputShape]);
  const filter = () => tf.randomNormal([3, 3, inputs, outputs]);
  const dy = () => tf.randomNormal([n, height, width, outputs]);
  switch (direction) {
    case "forward":
      return program(
        x(),
        filter(),
        (x, filter) => tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, 1, "same"),
      );
    case "inputGradient":
      return program(
        dy(),
        filter(),
        (dy, filter) =>
          tf.conv2dTranspose(dy as tf.Tensor4D, filter as tf.Tensor4D, [...inputShape], 1, "same"),
      );
    case "filterGradient":
      return program(
        x(),
        dy(),
        (x, dy) =>
          tf.engine().runKernel("Conv2DBackpropFilter", { x, dy }, {
            strides: [1, 1],
            pad: "same",
            dataFormat: "NHWC",
            dimRoundingMode: undefined,
            filterShape: [3, 3, inputs, outputs],
          } as unknown as tf.NamedAttrMap) as Tensor,
      );
  }
}

/** Everything but a step as a function with its arguments. */
export function tensorProgram(work: Exclude<Work, { kind: "step" }>): TensorProgram;
export function tensorProgram(work: Work): TensorProgram;
export function tensorProgram(work: Work): TensorProgram {
  if (work.kind === "product") return productProgram(work);
  if (work.kind === "convolution") return convolutionProgram(work);
  if (work.kind === "velocity") return velocityProgram(work);
  throw new Error(`${work.name} has state: expected a work that is a function of tensors`);
}
