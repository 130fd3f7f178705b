import { assert, assertEquals, assertThrows } from "@std/assert";
import { ConfigError, VapoError } from "../../../core/errors.ts";
import {
  type GaussianMixture,
  mixtureLogDensity,
  mixturePotential,
  mixtureScore,
  mixtureVelocity,
  mixtureVelocityTensor,
} from "../../../core/homotopy/gaussian_mixture.ts";
import {
  gaussianPath,
  hostConditionalVelocity,
  hostInnovation,
} from "../../../core/homotopy/gaussian_path.ts";
import { openDevice, type Tensor2D, tf } from "../../../core/tensor/mod.ts";
import fixture from "../../fixtures/mixture.json" with { type: "json" };
import { assertClose, derivative, seededNormals } from "./numerics.ts";

const mixtures: Readonly<Record<string, GaussianMixture>> = fixture.mixtures;
const paths = [
  gaussianPath(),
  gaussianPath({ timeLaw: "log-uniform" }),
  gaussianPath({ path: "optimal-transport" }),
];

/** Values that matter only up to a constant: less the first of them. */
function fromFirst(values: ArrayLike<number>): Float64Array {
  return Float64Array.from(values, (value) => value - values[0]);
}

/** n draws of the data, components equally likely, and as many of ε. */
function sampleMixture(mixture: GaussianMixture, n: number, seed: number) {
  const dimension = mixture.means[0].length;
  const noise = seededNormals(n * dimension, seed);
  const eps = seededNormals(n * dimension, seed + 1);
  const choice = seededNormals(n, seed + 2); // its millionths are uniform over the components
  const xbar = noise.map((value, index) => {
    const k = Math.floor(Math.abs(choice[Math.floor(index / dimension)]) * 1e6) %
      mixture.means.length;
    return mixture.means[k][index % dimension] + mixture.std * value;
  });
  return { dimension, xbar, eps };
}

Deno.test("density, score, velocity and potential are the closed forms computed with NumPy", () => {
  for (const expected of fixture.cases) {
    const mixture = mixtures[expected.mixture];
    const x = Float64Array.from(expected.x);
    assertClose(mixtureLogDensity(mixture, x, expected), expected.logDensity, 1e-10);
    assertClose(mixtureScore(mixture, x, expected), expected.score, 1e-10);
    assertClose(mixtureVelocity(mixture, x, expected), expected.velocity, 1e-10);
    const potential = mixturePotential(mixture, x, expected);
    if (expected.potential) {
      assertClose(fromFirst(potential), fromFirst(expected.potential), 1e-10);
    } else assertEquals(expected.alpha, 0);
  }
});

Deno.test("the gradient of the exact potential is the exact velocity, α = 0 included", () => {
  for (const mixture of Object.values(mixtures)) {
    const dimension = mixture.means[0].length;
    const x = seededNormals(4 * dimension, 3).map((value) => 2 * value);
    for (const path of paths) {
      for (const u of [0, 1e-6, 0.01, 0.3, 0.6, 0.9]) {
        const c = path.at(u);
        const width = Math.hypot(c.alpha * mixture.std, c.beta);
        const gradient = x.map((value, index) =>
          derivative(
            (moved) => {
              const at = x.slice();
              at[index] = moved;
              return mixturePotential(mixture, at, c)[Math.floor(index / dimension)];
            },
            value,
            0.01 * width,
          )
        );
        assertClose(gradient, mixtureVelocity(mixture, x, c), 1e-8);
      }
    }
  }
});

Deno.test("at α = 0 the potential and the velocity are their limits", () => {
  const mixture = mixtures.weighted;
  const x = Float64Array.of(0.4, -1.1, 0.3, 2, 0, -0.5);
  const mean = [0, 1, 2].map((j) =>
    mixture.means.reduce((sum, m, k) => sum + mixture.weights![k] * m[j], 0)
  );
  for (const path of [paths[0], paths[2]]) {
    const c = path.at(0);
    assertEquals(c.alpha, 0);
    const velocity = x.map((value, index) => c.alphaDot * mean[index % 3] - value);
    assertClose(mixtureVelocity(mixture, x, c), velocity, 1e-14);
    const potential = [0, 1].map((i) =>
      [0, 1, 2].reduce(
        (sum, j) => sum + c.alphaDot * mean[j] * x[3 * i + j] - 0.5 * x[3 * i + j] ** 2,
        0,
      )
    );
    assertClose(mixturePotential(mixture, x, c), potential, 1e-14);
    for (const u of [1e-15, 1e-12, 1e-9]) {
      assertClose(mixturePotential(mixture, x, path.at(u)), potential, 30 * u + 1e-14);
    }
  }
});

Deno.test("the score is the gradient of the log density", () => {
  const mixture = mixtures.ring;
  const x = Float64Array.of(3, 0.8, -1, 1.5);
  for (const path of paths) {
    for (const u of [0, 0.5, 0.9]) {
      const c = path.at(u);
      const width = Math.hypot(c.alpha * mixture.std, c.beta);
      const gradient = x.map((value, index) =>
        derivative(
          (moved) => {
            const at = x.slice();
            at[index] = moved;
            return mixtureLogDensity(mixture, at, c)[index >> 1];
          },
          value,
          0.01 * width,
        )
      );
      assertClose(gradient, mixtureScore(mixture, x, c), 1e-8);
    }
  }
});

Deno.test("density and velocity satisfy the continuity equation", () => {
  for (const mixture of Object.values(mixtures)) {
    const dimension = mixture.means[0].length;
    for (const path of paths) {
      for (const u of [0.1, 0.5, 0.85]) {
        const c = path.at(u);
        const { xbar, eps } = sampleMixture(mixture, 3, 40);
        const width = Math.hypot(c.alpha * mixture.std, c.beta);
        for (let i = 0; i < 3; i++) {
          const x = xbar.map((value, j) => c.alpha * value + c.beta * eps[j])
            .slice(i * dimension, (i + 1) * dimension);
          const density = (at: Float64Array, v = u) =>
            Math.exp(mixtureLogDensity(mixture, at, path.at(v))[0]);
          const change = derivative((v) => density(x, v), u, 1e-3);
          const terms = Array.from(x, (value, j) =>
            derivative(
              (moved) => {
                const at = x.slice();
                at[j] = moved;
                return density(at) * mixtureVelocity(mixture, at, c)[j];
              },
              value,
              0.01 * width,
            ));
          const divergence = terms.reduce((sum, term) => sum + term, 0);
          const scale = Math.max(...[change, ...terms].map(Math.abs));
          assert(
            Math.abs(change + divergence) <= 1e-7 * scale,
            `∂ρ/∂u = ${change}, ∇·(ρv) = ${divergence} at u = ${u}`,
          );
        }
      }
    }
  }
});

Deno.test("E[ν f] = −E[v·∇f] (Stein's identity), with the conditional and the exact velocity", () => {
  const n = 200_000;
  const mixture: GaussianMixture = { means: mixtures.ring.means, std: 0.24 };
  const { xbar, eps } = sampleMixture(mixture, n, 50);
  for (const path of paths) {
    for (const u of [0.2, 0.5]) {
      const c = path.at(u);
      const x = xbar.map((value, j) => c.alpha * value + c.beta * eps[j]);
      const nu = hostInnovation(xbar, eps, c, 2);
      const velocities = [hostConditionalVelocity(xbar, eps, c), mixtureVelocity(mixture, x, c)];
      for (const v of velocities) {
        const sums = { covariance: 0, stein: 0, difference: 0, squared: 0 };
        for (let i = 0; i < n; i++) {
          const [x0, x1] = [x[2 * i], x[2 * i + 1]];
          const covariance = nu[i] * (Math.sin(x0) + 0.3 * x1 ** 2);
          const stein = -(v[2 * i] * Math.cos(x0) + v[2 * i + 1] * 0.6 * x1);
          sums.covariance += covariance / n;
          sums.stein += stein / n;
          sums.difference += (covariance - stein) / n;
          sums.squared += (covariance - stein) ** 2 / n;
        }
        const error = Math.sqrt((sums.squared - sums.difference ** 2) / n);
        const report = `u = ${u}: ${sums.covariance} and ${sums.stein}, standard error ${error}`;
        assert(Math.abs(sums.difference) <= 4 * error, report);
        // Not so wide that anything would pass: the sign and the tenth part are resolved.
        assert(Math.abs(sums.stein) >= 10 * error, report);
      }
    }
  }
});

Deno.test("the velocity on tensors agrees with the host's, each point at its own time", async () => {
  await openDevice("cpu");
  const times = [0, 1e-3, 0.3, 0.7, 0.95, 0.99];
  for (const mixture of Object.values(mixtures)) {
    const dimension = mixture.means[0].length;
    const { xbar, eps } = sampleMixture(mixture, times.length, 60);
    for (const path of paths) {
      const rows = times.map((u, i) => {
        const c = path.at(Math.fround(u));
        const row = (values: Float64Array) => values.slice(i * dimension, (i + 1) * dimension);
        const x = row(xbar).map((value, j) => Math.fround(c.alpha * value + c.beta * row(eps)[j]));
        return { x, velocity: mixtureVelocity(mixture, x, c) };
      });
      const x = tf.tensor2d(rows.map((row) => Array.from(row.x)));
      for (const shape of [[times.length], [times.length, 1]]) {
        const c = path.tensorAt(tf.tensor(times, shape));
        const actual = await mixtureVelocityTensor(mixture, x, c).data();
        rows.forEach(({ velocity }, i) =>
          assertClose(actual.slice(i * dimension, (i + 1) * dimension), velocity, 3e-5)
        );
      }
    }
  }
});

Deno.test("the velocity on tensors leaves nothing behind and takes components of weight 0", async () => {
  await openDevice("cpu");
  const mixture = { means: [[2, 0], [-2, 0]], std: 0.1, weights: [1, 0] };
  const x: Tensor2D = tf.tensor2d([[-1.9, 0.1]]);
  const c = gaussianPath().tensorAt(tf.tensor1d([0.9]));
  const before = tf.memory().numTensors;
  const v = mixtureVelocityTensor(mixture, x, c);
  assertEquals(tf.memory().numTensors, before + 1);
  const single = { means: [[2, 0]], std: 0.1 };
  const host = mixtureVelocity(single, Float64Array.of(-1.9, 0.1), gaussianPath().at(0.9));
  assertClose(await v.data(), host, 1e-5);
  assertClose(
    mixtureVelocity(mixture, Float64Array.of(-1.9, 0.1), gaussianPath().at(0.9)),
    host,
    1e-15,
  );
});

Deno.test("the velocity on tensors is differentiable: its divergence is the host's by differences", async () => {
  await openDevice("cpu");
  const mixture = mixtures.ring;
  const host = Float64Array.of(2.1, 1.7, -0.6, 2.9);
  const c = gaussianPath().at(0.5);
  const divergence = (x: Tensor2D) =>
    [0, 1].map((j) => {
      const component = (at: Tensor2D) =>
        tf.slice(mixtureVelocityTensor(mixture, at, gaussianPath().tensorAt(tf.scalar(0.5))), [
          0,
          j,
        ], [2, 1]);
      return tf.slice(tf.grad((at) => tf.sum(component(at as Tensor2D)))(x), [0, j], [2, 1]);
    }).reduce((sum, term) => tf.add(sum, term));
  const expected = [0, 1].map((i) =>
    [0, 1].reduce((sum, j) => {
      const component = (moved: number) => {
        const at = host.slice();
        at[2 * i + j] = moved;
        return mixtureVelocity(mixture, at, c)[2 * i + j];
      };
      return sum + derivative(component, host[2 * i + j], 1e-3);
    }, 0)
  );
  const actual = await divergence(tf.tensor2d(Float32Array.from(host), [2, 2])).data();
  assertClose(actual, expected, 1e-4);
});

Deno.test("mixtures and points that do not fit are errors", () => {
  const c = gaussianPath().at(0.5);
  const x = Float64Array.of(0, 0);
  const wrong: [GaussianMixture, string][] = [
    [{ means: [], std: 1 }, "0 means"],
    [{ means: [[0, 0], [1]], std: 1 }, "lengths 2,1"],
    [{ means: [[0, NaN]], std: 1 }, "expected finite"],
    [{ means: [[0, 0]], std: -1 }, "std -1"],
    [{ means: [[0, 0]], std: 1, weights: [0.5] }, "summing to 0.5"],
    [{ means: [[0, 0]], std: 1, weights: [0.5, 0.5] }, "2 weights"],
    [{ means: [[0, 0], [1, 1]], std: 1, weights: [-1, 2] }, "at least 0"],
  ];
  for (const [mixture, message] of wrong) {
    assertThrows(() => mixtureVelocity(mixture, x, c), ConfigError, message);
  }
  const mixture = { means: [[0, 0]], std: 0 };
  assertThrows(() => mixtureScore(mixture, x.subarray(1), c), VapoError, "dimension 2");
  assertThrows(() => mixtureScore(mixture, x, gaussianPath().at(1)), VapoError, "variance 0");
});
