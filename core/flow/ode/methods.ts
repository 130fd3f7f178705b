/**
 * @file The methods by name: what each is, and how to make its stepper and its step-size
 * controller.
 */
import { closestString } from "@std/text";
import { VapoError } from "../../errors.ts";
import { backwardEuler } from "./backward_euler.ts";
import { explicitRungeKutta } from "./explicit_runge_kutta.ts";
import { frozenJacobian } from "./frozen_jacobian.ts";
import { radau, radauOrder } from "./radau.ts";
import {
  elementaryController,
  predictiveController,
  type StepSizeController,
} from "./step_size.ts";
import type { JacobianProduct, OdeProblem, Stepper, Tolerances } from "./stepper.ts";
import * as tableaus from "./tableaus.ts";

/** What there is to know of a method before choosing it. */
export interface OdeMethod {
  /** Order p of the method: with steps of size h the global error is O(h^p). */
  readonly order: number;
  /** Whether it can choose its own step size; otherwise the number of steps has to be given. */
  readonly adaptive: boolean;
  /** Whether each step solves equations, which stiff problems repay. */
  readonly implicit: boolean;
  /** Where the method is from. */
  readonly citation: string;
}

const explicit = {
  "euler": tableaus.euler,
  "midpoint": tableaus.midpoint,
  "heun": tableaus.heun,
  "bogacki-shampine": tableaus.bogackiShampine,
  "rk4": tableaus.rungeKutta4,
  "rk45": tableaus.dormandPrince,
  "dop853": tableaus.dop853,
} as const;

const implicit = {
  "backward-euler": {
    order: 1,
    adaptive: false,
    implicit: true,
    citation: "A.-L. Cauchy, lectures of 1824; C. F. Curtiss, J. O. Hirschfelder, " +
      "Proc. Natl. Acad. Sci. 38(3):235-243 (1952)",
  },
  "radau": {
    order: radauOrder.solution,
    adaptive: true,
    implicit: true,
    citation: "E. Hairer, G. Wanner, Solving Ordinary Differential Equations II, " +
      "section IV.8 (1996); matrix-free by Newton-Krylov",
  },
} as const;

/** The name of a method, as in options and on the command line. */
export type OdeMethodName = keyof typeof explicit | keyof typeof implicit;

/**
 * Every method by name.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { odeMethods } from "vapo";
 * assertEquals(odeMethods.dop853.order, 8);
 * ```
 */
export const odeMethods: Readonly<Record<OdeMethodName, OdeMethod>> = {
  ...Object.fromEntries(
    Object.entries(explicit).map(([name, { order, error, citation }]) => [
      name,
      { order, adaptive: error !== undefined, implicit: false, citation },
    ]),
  ) as Record<keyof typeof explicit, OdeMethod>,
  ...implicit,
};

/**
 * The names of all methods, explicit ones first.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { odeMethodNames, odeMethods } from "vapo";
 * const implicit = odeMethodNames.filter((name) => odeMethods[name].implicit);
 * assertEquals(implicit, ["backward-euler", "radau"]);
 * ```
 */
export const odeMethodNames = Object.keys(odeMethods) as readonly OdeMethodName[];

/**
 * Checks the name of a method.
 *
 * @param name any text
 * @returns the name
 * @throws {VapoError} for one that is not there; it names the nearest that is
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { odeMethodName, VapoError } from "vapo";
 * assertEquals(odeMethodName("rk45"), "rk45");
 * assertThrows(() => odeMethodName("dop835"), VapoError, 'did you mean "dop853"');
 * ```
 */
export function odeMethodName(name: string): OdeMethodName {
  if (Object.hasOwn(odeMethods, name)) return name as OdeMethodName;
  throw new VapoError(
    `unknown ODE method "${name}": expected one of ${odeMethodNames.join(", ")}; ` +
      `did you mean "${closestString(name, odeMethodNames)}"?`,
  );
}

/** What a method is made with. */
export interface StepperOptions<V> extends Tolerances {
  /** Whether its steps are fixed; then it estimates no errors. */
  readonly fixed: boolean;
  readonly jvp?: JacobianProduct<V>;
  readonly krylovDimension: number;
}

/** The stepper of a method. */
export function stepperOf<V>(
  name: OdeMethodName,
  problem: OdeProblem<V>,
  options: StepperOptions<V>,
): Stepper<V> {
  if (isExplicit(name)) {
    return explicitRungeKutta(problem, explicit[name], options.fixed ? undefined : options);
  }
  const jacobian = frozenJacobian(problem, options);
  return name === "radau"
    ? radau(problem, jacobian, options, !options.fixed)
    : backwardEuler(problem, jacobian, options);
}

/** The tableau of an explicit method; undefined for an implicit one. */
export function explicitTableau(name: OdeMethodName): tableaus.Tableau | undefined {
  return (explicit as Partial<Record<OdeMethodName, tableaus.Tableau>>)[name];
}

/** The controller of an adaptive method, and the order of the error estimate that it works with. */
export function controllerOf(
  name: OdeMethodName,
): { controller: StepSizeController; order: number } {
  if (!isExplicit(name)) return { controller: predictiveController(), order: radauOrder.error };
  const { order } = (explicit[name] as tableaus.Tableau).error!;
  return { controller: elementaryController(order), order };
}

function isExplicit(name: OdeMethodName): name is keyof typeof explicit {
  return Object.hasOwn(explicit, name);
}
