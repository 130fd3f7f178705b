/**
 * @file The compiler: see `jit.ts`.
 */
export { DeviceMemoryError, JitError } from "./errors.ts";
export {
  type EstimateOptions,
  estimateProgram,
  type ProgramEstimate,
  shapesOf,
  type SpecsOf,
} from "./estimate.ts";
export type { ExplainOptions } from "./explain.ts";
export {
  type HostTree,
  jit,
  type JitOptions,
  type Jitted,
  type PreparedProgram,
  type ProgramStatistics,
  type Session,
} from "./jit.ts";
export type { ProgramCosts } from "./planning.ts";
export type { TensorSpec, TensorTree, Tree } from "./trace/tree.ts";
