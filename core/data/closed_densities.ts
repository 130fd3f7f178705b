/**
 * @file Densities in the plane that are closed forms: shapes blurred by isotropic Gaussian noise.
 */
import { erf } from "../jit/elementwise.ts";

/**
 * The density in the plane, at distance r from the centre, of a circle of radius R blurred by
 * isotropic noise: exp(−(r² + R²)/2σ²) I₀(rR/σ²)/(2πσ²), in the form that does not overflow.
 */
export function noisyCircleDensity(r: number, circle: number, std: number): number {
  const variance = std * std;
  const scaled = scaledBesselI0(r * circle / variance);
  return Math.exp(-((r - circle) ** 2) / (2 * variance)) * scaled / (2 * Math.PI * variance);
}

const I0_SMALL = [1, 3.5156229, 3.0899424, 1.2067492, 0.2659732, 0.0360768, 0.0045813];
const I0_LARGE = [
  ...[0.39894228, 0.01328592, 0.00225319, -0.00157565, 0.00916281],
  ...[-0.02057706, 0.02635537, -0.01647633, 0.00392377],
];

/** exp(−z) I₀(z) for z ≥ 0, to 5e-7 of it (Abramowitz and Stegun 9.8.1 and 9.8.2). */
function scaledBesselI0(z: number): number {
  const polynomial = (coefficients: number[], t: number) =>
    coefficients.reduceRight((sum, coefficient) => sum * t + coefficient, 0);
  return z < 3.75
    ? Math.exp(-z) * polynomial(I0_SMALL, (z / 3.75) ** 2)
    : polynomial(I0_LARGE, 3.75 / z) / Math.sqrt(z);
}

/**
 * The probability that a point at x, moved by noise, is in [from, to]: ½(erf((to − x)/√2σ) −
 * erf((from − x)/√2σ)); divided by the length, the density at x of the interval blurred.
 */
export function blurredInterval(x: number, from: number, to: number, std: number): number {
  const scale = Math.SQRT1_2 / std;
  return Math.max(0, erf((to - x) * scale) - erf((from - x) * scale)) / 2;
}
