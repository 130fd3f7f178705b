/**
 * @file The entropy of a distribution of the plane, −E[log p] in nats: the negative log-likelihood that
 * no model can be better than.
 */
import type { Distribution } from "../../core/data/toy.ts";
import { type GaussianMixture, mixtureLogDensity } from "../../core/homotopy/gaussian_mixture.ts";

/** At the end of a path without blur: the data themselves. */
const AT_DATA = { alpha: 1, beta: 0, alphaDot: 0, betaDot: 0 };

/** Products of a point with a component that are computed at most: some tens of milliseconds. */
const MOST_TERMS = 4_000_000;

/**
 * The entropy of a distribution in nats, where its density is known.
 *
 * Of a mixture it is a mean over each component by Gauss and Hermite's rule (a product of two), with as
 * many nodes as are quick: no draws, hence no standard error, and 1e-3 or less off for the mixtures of
 * the presets. Beyond 1,000 components it is the mean over every second, third … of them, whose
 * standard error is some 0.03. Of other densities it is a sum over a grid, which counts where its mass
 * is 1 to 0.1 %.
 *
 * @returns null where it is not known, or where there is no density
 */
export function entropyOf({ mixture, density }: Distribution): number | null {
  if (mixture) return mixture.std > 0 ? mixtureEntropy(mixture) : null;
  return density ? densityEntropy(density) : null;
}

function mixtureEntropy(mixture: GaussianMixture): number | null {
  const { means, std } = mixture, count = means.length;
  const weights = mixture.weights ?? means.map(() => 1 / count);
  const side = Math.floor(Math.sqrt(MOST_TERMS / count ** 2));
  const { nodes, shares } = gaussHermite(Math.min(16, Math.max(2, side)));
  const stride = Math.ceil(count ** 2 * nodes.length ** 2 / MOST_TERMS);
  let entropy = 0, total = 0;
  means.forEach(([x, y], k) => {
    if (weights[k] === 0 || k % stride !== 0) return;
    total += weights[k];
    const points = nodes.flatMap((a) => nodes.flatMap((b) => [x + std * a, y + std * b]));
    const values = mixtureLogDensity(mixture, Float64Array.from(points), AT_DATA);
    values.forEach((value, i) => {
      const share = shares[Math.floor(i / nodes.length)] * shares[i % nodes.length];
      entropy -= weights[k] * share * value;
    });
  });
  return total > 0 ? entropy / total : null;
}

/**
 * Nodes and weights of E[f(z)], z ~ N(0, 1): the zeros of the Hermite polynomial of degree n by Newton's
 * iteration from the last zero found, others divided out.
 *
 * Source: Abramowitz and Stegun, "Handbook of Mathematical Functions", 25.4.46, for the weight
 * exp(−z²/2): weights n!/(n² heₙ₋₁²).
 */
function gaussHermite(n: number): { nodes: number[]; shares: number[] } {
  const nodes: number[] = [];
  for (let i = 0; i < n; i++) {
    let z = i === 0 ? Math.sqrt(4 * n + 2) : nodes[i - 1] - 1e-3;
    for (let step = 0; step < 200; step++) {
      const [value, before] = hermite(n, z);
      // he′ₙ = √n heₙ₋₁ in the orthonormal scale.
      const ratio = value / (Math.sqrt(n) * before);
      const others = nodes.reduce((sum, node) => sum + 1 / (z - node), 0);
      const change = ratio / (1 - ratio * others);
      z -= change;
      if (Math.abs(change) < 1e-14 * Math.max(1, Math.abs(z))) break;
    }
    nodes.push(z);
  }
  return { nodes, shares: nodes.map((z) => 1 / (n * hermite(n, z)[1] ** 2)) };
}

/** The orthonormal Hermite polynomials of degrees n and n − 1 of the weight of N(0, 1). */
function hermite(n: number, z: number): [number, number] {
  let before = 0, value = 1;
  for (let k = 0; k < n; k++) {
    [before, value] = [value, (z * value - Math.sqrt(k) * before) / Math.sqrt(k + 1)];
  }
  return [value, before];
}

/** The grid's half width, and cells a side: its lines fall on the edges of the checkerboard. */
const EXTENT = 8, SIDE = 512;

function densityEntropy(density: (x: Float64Array) => Float64Array): number | null {
  const cell = 2 * EXTENT / SIDE;
  let mass = 0, entropy = 0;
  for (let row = 0; row < SIDE; row++) {
    const points = new Float64Array(2 * SIDE);
    for (let column = 0; column < SIDE; column++) {
      points[2 * column] = -EXTENT + (column + 0.5) * cell;
      points[2 * column + 1] = -EXTENT + (row + 0.5) * cell;
    }
    for (const value of density(points)) {
      if (!(value > 0)) continue;
      mass += value * cell * cell;
      entropy -= value * Math.log(value) * cell * cell;
    }
  }
  return Math.abs(mass - 1) < 1e-3 ? entropy : null;
}
