/**
 * @file The stepping loops. They ask a stepper for steps and a controller for their sizes, and know
 * the method of neither. With an explicit method the adaptive one does what SciPy's `solve_ivp`
 * does, step for step.
 */
import { NonFiniteError, VapoError } from "../../errors.ts";
import { pauses } from "../../pauses.ts";
import { hermiteWeights } from "./interpolation.ts";
import { controllerOf } from "./methods.ts";
import type { OdeSettings } from "./options.ts";
import { firstStep, smallestStep, type StepSizeController } from "./step_size.ts";
import type { Attempt, OdeProblem, OdeState, Stepper } from "./stepper.ts";

/** A state at a time. */
export interface OdeFrame<V> {
  /** The time. */
  readonly t: number;
  /** The state, which belongs to the caller. */
  readonly y: V;
}

/** An integration under way. */
export interface OdeRun<V> {
  readonly problem: OdeProblem<V>;
  readonly stepper: Stepper<V>;
  readonly settings: OdeSettings<V>;
  /** Where it stands. */
  state: OdeState<V>;
  /** The times of all states so far. */
  readonly t: number[];
  /** Steps that were thrown away. */
  rejected: number;
  /** The states kept so far; the next one is that at `settings.saveAt[trajectory.length]`. */
  readonly trajectory: OdeFrame<V>[];
}

/** Integrates by steps that end at given times. */
export async function integrateFixed<V>(run: OdeRun<V>): Promise<void> {
  const { problem: { space }, stepper, settings } = run;
  const pause = pauses(settings.signal, settings.turns);
  let lastIsFinite: boolean | Promise<boolean> = true;
  const confirm = (finite: boolean) => {
    if (!finite) throw notFinite(run, "the state");
  };
  for (const time of settings.grid!) {
    await pause();
    const attempt = await stepper.attempt(run.state, time, false);
    if (!attempt) throw unsolved(run, time);
    // A device that answers late is asked about one step while it computes the next.
    if (lastIsFinite instanceof Promise) confirm(await lastIsFinite);
    await advance(run, attempt);
    lastIsFinite = space.isFinite(run.state.y);
    if (!(lastIsFinite instanceof Promise)) confirm(lastIsFinite);
  }
  confirm(await lastIsFinite);
}

/** Integrates by steps whose sizes follow from their errors. */
export async function integrateAdaptively<V>(run: OdeRun<V>): Promise<void> {
  const { problem, settings } = run;
  const { begin, end, direction, maxStep } = settings;
  const { controller, order } = controllerOf(settings.method);
  const pause = pauses(settings.signal, settings.turns);
  const span = Math.abs(end - begin);
  if (!await problem.space.isFinite(await problem.slope(run.state))) {
    throw notFinite(run, "the derivative");
  }
  let h = settings.firstStep ?? await firstStep(problem, run.state, {
    ...settings,
    order,
    span,
    longest: Math.min(span, maxStep),
  });
  while (run.state.t !== end) {
    await pause();
    const smallest = smallestStep(run.state.t, direction);
    h = await acceptedStep(run, controller, Math.max(smallest, Math.min(maxStep, h)));
  }
}

/** Takes one step, of a size h or as much smaller as it must be; returns the size for the next. */
async function acceptedStep<V>(
  run: OdeRun<V>,
  controller: StepSizeController,
  h: number,
): Promise<number> {
  const { problem, stepper, settings: { direction, end, maxSteps }, state } = run;
  const smallest = smallestStep(state.t, direction);
  let errorNorm = 0;
  let retry = false;
  for (;;) {
    if (h < smallest) throw Number.isNaN(errorNorm) ? notFinite(run, "the derivative") : stuck(run);
    if (run.t.length + run.rejected > maxSteps) throw exhausted(run);
    const planned = state.t + direction * h;
    const time = direction * (planned - end) > 0 ? end : planned;
    h = Math.abs(time - state.t);
    const attempt = await stepper.attempt(state, time, retry);
    if (!attempt) {
      run.rejected++;
      h /= 2;
      continue;
    }
    ({ errorNorm } = attempt);
    const { accepted, factor } = controller({ h, errorNorm, retry, newton: attempt.newton });
    h *= factor;
    if (accepted) {
      await advance(run, attempt);
      return h;
    }
    run.rejected++;
    retry = true;
    free(problem, attempt.end);
  }
}

/** Makes the end of a step the state, keeping what is wanted of the way there. */
async function advance<V>(run: OdeRun<V>, attempt: Attempt<V>): Promise<void> {
  const { problem, settings: { saveAt, direction, onStep }, state: start, trajectory } = run;
  const { end } = attempt;
  for (;;) {
    const time = saveAt[trajectory.length];
    if (time === undefined || direction * (time - end.t) > 0) break;
    trajectory.push({ t: time, y: await between(problem, start, attempt, time) });
  }
  run.state = end;
  run.t.push(end.t);
  free(problem, start);
  await onStep?.(end.t, end.y);
}

/** The state at a time within a step. */
async function between<V>(
  { space, slope }: OdeProblem<V>,
  start: OdeState<V>,
  { end, interpolate }: Attempt<V>,
  time: number,
): Promise<V> {
  if (time === start.t) return space.copy(start.y);
  if (time === end.t) return space.copy(end.y);
  const h = end.t - start.t;
  const fraction = (time - start.t) / h;
  if (interpolate) return interpolate(fraction);
  const slopes = [await slope(start), await slope(end)];
  return space.combine(hermiteWeights(fraction, h), [start.y, end.y, ...slopes]);
}

function free<V>({ space }: OdeProblem<V>, state: OdeState<V>): void {
  space.dispose(state.y);
  if (state.slope !== undefined) space.dispose(state.slope);
}

/** Where a run stands, for a message. */
function place<V>({ settings: { method }, state, t }: OdeRun<V>): string {
  return `${method} at t = ${short(state.t)} after ${t.length - 1} steps`;
}

const manyOrAdaptive = "take more steps, or let rk45 or radau choose them";

const short = (x: number) => `${Number(x.toPrecision(6))}`;

function notFinite<V>(run: OdeRun<V>, what: string): NonFiniteError {
  const { t, settings: { grid } } = run;
  const size = t.length > 1 ? `, the last of size ${short(t.at(-1)! - t.at(-2)!)}` : "";
  const remedy = grid ? manyOrAdaptive : "end the span before that time";
  return new NonFiniteError(`${place(run)}${size}: ${what} is not finite; ${remedy}`);
}

function unsolved<V>(run: OdeRun<V>, time: number): NonFiniteError {
  return new NonFiniteError(
    `${place(run)}: Newton's iteration found no finite step of size ` +
      `${short(time - run.state.t)}; ${manyOrAdaptive}`,
  );
}

function stuck<V>(run: OdeRun<V>): NonFiniteError {
  const smallest = smallestStep(run.state.t, run.settings.direction);
  return new NonFiniteError(
    `${place(run)}: no step down to ${
      smallest.toExponential(1)
    } is accurate enough; the solution ` +
      "or its slope breaks off there: end the span before that time, or raise rtol and atol",
  );
}

function exhausted<V>(run: OdeRun<V>): VapoError {
  const { settings: { end, maxSteps }, rejected } = run;
  return new VapoError(
    `${
      place(run)
    } (${rejected} rejected) has come no further towards ${end} in ${maxSteps} tries: ` +
      "raise maxSteps, rtol or atol, or choose radau if the problem is stiff",
  );
}
