/**
 * @file From a function to a plan: trace, passes, lowering, schedule and memory plan, all that comes
 * before there is code. It looks at shapes alone, so that a program can be known (what it costs, what
 * memory it needs) long before its arguments exist.
 */
import { JitError } from "./errors.ts";
import type { Graph } from "./graph.ts";
import type { Donation, Kernel, Plan } from "./kernels.ts";
import { optimize, type Stage } from "./passes/pipeline.ts";
import { type SplitGraph, splitStatic } from "./partial_evaluation.ts";
import { kernelBytes, kernelFlops } from "./schedule/cost.ts";
import { planMemory } from "./schedule/memory.ts";
import { schedule } from "./schedule/schedule.ts";
import type { Target } from "./targets.ts";
import { type Trace, trace } from "./trace/trace.ts";
import type { TensorSpec, TensorTree, Tree } from "./trace/tree.ts";

/** What decides what a function is compiled into, beside its arguments. */
export interface PlanningOptions {
  /** Whether the first argument is state. */
  readonly donate: boolean;
  /** Arguments that stay as they are, by their index. */
  readonly fixed: readonly number[];
}

/** A program that only has to be made into code. */
export interface PlannedProgram {
  readonly traced: Trace;
  /** The graph as recorded, and after each pass that changed it. */
  readonly stages: readonly Stage[];
  /** What static arguments determine, and the rest. */
  readonly split: SplitGraph;
  readonly plan: Plan;
  /** When the function had been recorded, as `performance.now()` tells it. */
  readonly tracedAt: number;
}

/** What a program costs and needs, known of its plan. */
export interface ProgramCosts {
  /** Kernels a run; on WebGPU a kernel is one dispatch or two. */
  readonly kernels: number;
  /** Floating-point operations a run. */
  readonly flops: number;
  /** Bytes that the kernels read and write in a run. */
  readonly bytes: number;
  /** Bytes of device memory: arguments, constants, temporaries and results. */
  readonly arenaBytes: number;
  /** The most bytes that are alive at once: no plan can need fewer. */
  readonly livenessBytes: number;
}

/**
 * Plans a function for a target.
 *
 * @param f a function of trees of tensors that returns one
 * @param args tensors, or their shapes and types: values are not looked at
 * @throws {JitError} as {@link trace} does, and for options that do not fit f
 */
export function planFunction(
  f: (...args: never[]) => TensorTree,
  args: readonly Tree<TensorSpec>[],
  { donate, fixed }: PlanningOptions,
  target: Target,
): PlannedProgram {
  requireStatic(fixed, args.length, donate);
  const traced = trace(f, args);
  const tracedAt = performance.now();
  const donations = donate ? findDonations(traced.graph) : [];
  const optimized = optimizeFurther([{ name: "recorded", graph: traced.graph }]);
  const lowered = target.lower(optimized.at(-1)!.graph);
  const whole = optimizeFurther([...optimized, { name: `for ${target.name}`, graph: lowered }]);
  const isStatic = (input: number) => fixed.includes(argumentOf(traced.graph, input));
  const split = splitStatic(whole.at(-1)!.graph, isStatic);
  const stages = split.prologue
    ? optimizeFurther([...whole, { name: "without what is static", graph: split.main }])
    : whole;
  const main = split.prologue ? stages.at(-1)!.graph : split.main;
  const plan = planGraph(main, donations, target);
  const common = { traced, split, tracedAt };
  if (4 * plan.arenaSize <= target.ampleBytes) return { ...common, stages, plan };
  const economized = target.economize(main);
  const smaller = planGraph(economized, donations, target);
  if (smaller.arenaSize >= plan.arenaSize) return { ...common, stages, plan };
  const economy = { name: "made again rather than kept", graph: economized };
  return { ...common, stages: [...stages, economy], plan: smaller };
}

/** From a graph to a plan. */
export function planGraph(graph: Graph, donations: readonly Donation[], target: Target): Plan {
  return planMemory(schedule(graph, donations), { scratchCells: target.scratchCells });
}

/** What a plan costs and needs. */
export function programCosts(plan: Plan): ProgramCosts {
  const sum = (of: (kernel: Kernel) => number) =>
    plan.kernels.reduce((total, kernel) => total + of(kernel), 0);
  return {
    kernels: plan.kernels.length,
    flops: sum(kernelFlops),
    bytes: sum((kernel) => kernelBytes(kernel, plan)),
    arenaBytes: 4 * plan.arenaSize,
    livenessBytes: 4 * plan.livenessBound,
  };
}

/** Runs the passes, and remembers what they did. */
function optimizeFurther(stages: readonly Stage[]): readonly Stage[] {
  return [...stages, ...optimize(stages.at(-1)!.graph).stages];
}

function requireStatic(fixed: readonly number[], count: number, donate: boolean): void {
  for (const argument of fixed) {
    if (donate && argument === 0) {
      throw new JitError(
        "argument 0 is both state and static: expected one of them; leave it out of static",
      );
    }
    if (Number.isInteger(argument) && argument >= 0 && argument < count) continue;
    throw new JitError(
      `static names argument ${argument}: expected a whole number below ${count}, the number of ` +
        "arguments; count from 0",
    );
  }
}

/** Which argument an input of the program is a part of; −1 for a captured tensor. */
export function argumentOf({ inputs }: Graph, input: number): number {
  const [first] = inputs[input].name.split("/");
  return /^\d+$/.test(first) ? Number(first) : -1;
}

/** Whether a result, by its name, is state or a part of it. */
export function isState(name: string): boolean {
  return name === "state" || name.startsWith("state/");
}

/** Pairs the leaves of the first argument with those of the result's `state`. */
function findDonations(graph: Graph): Donation[] {
  const outputs = new Map(graph.outputs.map(({ name, node }, output) => [name, { node, output }]));
  const states = graph.outputs.filter(({ name }) => isState(name));
  const donations: Donation[] = [];
  graph.inputs.forEach(({ name, shape, type }, input) => {
    if (name !== "0" && !name.startsWith("0/")) return;
    const path = `state${name.slice(1)}`;
    const found = outputs.get(path);
    const given = found && graph.nodes[found.node];
    const wanted = `${type}[${shape}]`;
    if (!given || `${given.type}[${given.shape}]` !== wanted) {
      const found = given ? `${given.type}[${given.shape}]` : "nothing";
      throw new JitError(
        `the function returns ${found} as ${path}: expected ${wanted}, as the argument has it; ` +
          "with donate, return the whole state under the name state",
      );
    }
    donations.push({ input, output: found!.output });
  });
  const extra = states.find(({ name }) =>
    !graph.inputs.some((i) => `state${i.name.slice(1)}` === name)
  );
  if (extra || donations.length === 0) {
    throw new JitError(
      extra
        ? `the function returns ${extra.name}, which its first argument does not have: expected ` +
          "the same names; return what is not state beside it"
        : "donate needs a first argument that holds the state: expected at least one tensor in it",
    );
  }
  return donations;
}
