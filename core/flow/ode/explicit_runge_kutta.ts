/**
 * @file One stepper for every explicit Runge-Kutta method: Hairer, Nørsett & Wanner, "Solving
 * Ordinary Differential Equations I", sections II.1 and II.4. The method is the tableau.
 */
import type { Attempt, OdeProblem, OdeState, Stepper, Tolerances } from "./stepper.ts";
import type { ErrorEstimate, Tableau } from "./tableaus.ts";

/**
 * A stepper for a tableau. With tolerances it estimates the error of each step, to which end it
 * evaluates f at the end of the step too; the next step starts with that slope.
 */
export function explicitRungeKutta<V>(
  { space, derivative, slope }: OdeProblem<V>,
  tableau: Tableau,
  tolerances?: Tolerances,
): Stepper<V> {
  async function attempt(start: OdeState<V>, endTime: number): Promise<Attempt<V>> {
    const { t, y } = start;
    const h = endTime - t;
    const moved = (weights: readonly number[]) =>
      space.combine([1, ...weights.map((weight) => h * weight)], [y, ...slopes]);

    const slopes = [await slope(start)];
    for (let i = 1; i < tableau.stages.length; i++) {
      const inside = moved(tableau.stages[i]);
      slopes.push(await derivative(t + tableau.nodes[i] * h, inside));
      space.dispose(inside);
    }
    const end: OdeState<V> = { t: endTime, y: moved(tableau.weights) };
    let errorNorm = 0;
    if (tolerances && tableau.error) {
      slopes.push(await slope(end));
      errorNorm = Math.abs(h) * await slopeErrorNorm(tableau.error, slopes, start, end);
    }
    space.dispose(...slopes.slice(1, tableau.stages.length));
    return { end, errorNorm };
  }

  /** The norm of the error divided by h. */
  async function slopeErrorNorm(
    estimate: ErrorEstimate,
    slopes: V[],
    start: OdeState<V>,
    end: OdeState<V>,
  ): Promise<number> {
    const { rtol, atol } = tolerances!;
    const scale = space.errorScale(start.y, end.y, rtol, atol);
    const rows = [estimate.weights, estimate.crudeWeights].filter((row) => row !== undefined);
    const errors = rows.map((row) => space.combine(row, slopes));
    const [fine, crude] = await space.norms(errors, scale);
    space.dispose(scale, ...errors);
    if (crude === undefined || fine === 0) return fine;
    return fine ** 2 / Math.sqrt(fine ** 2 + 0.01 * crude ** 2);
  }

  return { attempt };
}
