/**
 * @file Solvers of ordinary differential equations: {@link solveOde} is the entry, `odeMethods` the
 * list. Each part can be read alone: methods as data (`tableaus.ts`), steppers
 * (`explicit_runge_kutta.ts`, `radau.ts`, `backward_euler.ts`), step-size control (`step_size.ts`),
 * the loops (`stepping_loop.ts`), and what the implicit methods stand on (`newton.ts`,
 * `frozen_jacobian.ts`, `shifted_krylov.ts`, `least_squares.ts`).
 */
export {
  type OdeMethod,
  type OdeMethodName,
  odeMethodName,
  odeMethodNames,
  odeMethods,
} from "./methods.ts";
export type { OdeOptions } from "./options.ts";
export { type OdeSolution, solveOde } from "./solve_ode.ts";
export type { OdeFrame } from "./stepping_loop.ts";
export type { Derivative, JacobianProduct } from "./stepper.ts";
