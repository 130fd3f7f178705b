/**
 * @file The compiler: see `jit.ts`.
 */
export { JitError } from "./errors.ts";
export type { ExplainOptions } from "./explain.ts";
export {
  type HostTree,
  jit,
  type JitOptions,
  type Jitted,
  type ProgramStatistics,
  type Session,
} from "./jit.ts";
export type { TensorTree } from "./trace/tree.ts";
