/**
 * @file Dense output: the solution between the ends of a step, by the cubic that has the values and
 * the slopes of both ends (Hairer, Nørsett & Wanner, "Solving Ordinary Differential Equations I",
 * eq. II.6.7). Its error is O(h⁴) within a step, order 3 along a solution: for a method of higher
 * order the states in between are less accurate than those at the ends of the steps.
 */

/**
 * Weights of [y₀, y₁, f₀, f₁] in the cubic Hermite polynomial.
 *
 * @param fraction where in the step, from 0 to 1
 * @param h the (signed) length of the step
 */
export function hermiteWeights(fraction: number, h: number): [number, number, number, number] {
  const x = fraction;
  const toEnd = x * x * (3 - 2 * x);
  return [1 - toEnd, toEnd, h * x * (1 - x) ** 2, h * x * x * (x - 1)];
}
