/**
 * @file What the pictures ask of the engine, and when: whenever something that they show has changed,
 * at most so often that training keeps most of the worker's time.
 */
import { computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { isStochastic } from "./choices.ts";
import type { Field, Flow, FlowRequest, Measures, RunFacts, Subject } from "./engine_types.ts";
import type { PageEnvironment } from "./page_environment.ts";
import { makePump, type Pump, type Wanted } from "./pump.ts";
import type { RunControl } from "./run_control.ts";
import type { LaboratoryPageStore, LaboratoryStore, PictureChoices } from "./store_types.ts";

/** Cells a side while something moves, and when all is still. */
const MOVING_GRID = 64, STILL_GRID = 128, SLOW_GRID = 40;
/** A call for a moving grid that took longer, in milliseconds, is for too fine a grid. */
const SLOW = 250;
/** Least milliseconds between two calls: fields 15 a second, flows 1.5 a second while training. */
const FIELD_SPACING = 67, FLOW_SPACING = 670, MEASURE_SPACING = 2000;
/** While training, a kind of call takes at most about one part in so many of the worker's time. */
const FIELD_SHARE = 4, FLOW_SHARE = 5, MEASURE_SHARE = 6;
/** Frames of a flow a unit of u. */
const FRAMES = 60;
/** u is at rest when it has not changed for so long, in milliseconds. */
const REST = 200;

/** What is chosen on the page, which the calls depend on. */
export interface PictureInputs extends
  Pick<
    LaboratoryStore,
    "u" | "uEnd" | "timePlaying" | "subject" | "flowChoice" | "comparison" | "pictures"
  > {
  readonly extent: ReadonlySignal<number>;
  readonly measuring: Signal<boolean>;
}

/** What has come back. */
export interface PictureAnswers extends
  Pick<
    LaboratoryPageStore,
    "field" | "exactField" | "flow" | "exactFlow" | "measures" | "measureNow" | "comparing"
  > {
  /** Asks from now on; what is returned ends it. */
  start(): () => void;
}

/** A subject as a part of a key: what is learned changes with each step. */
function subjectKey(subject: Subject, step: number): string {
  return subject.kind === "learned" ? `learned ${step}` : JSON.stringify(subject);
}

/** What of the comparison with the exact answer can be had. */
function possibleComparison(
  { compare }: PictureChoices,
  facts: RunFacts | null,
  subject: Subject,
): PictureChoices["compare"] {
  return facts?.exact && subject.kind === "learned" ? compare : "learned";
}

/** Makes the calls of the pictures; nothing is asked for until they are started. */
export function pictureCalls(
  run: RunControl,
  inputs: PictureInputs,
  page: PageEnvironment,
): PictureAnswers {
  const field = signal<Field | null>(null), exactField = signal<Field | null>(null);
  const flow = signal<Flow | null>(null), exactFlow = signal<Flow | null>(null);
  const measures = signal<readonly Measures[]>([]);
  const moved = signal(false), movingGrid = signal(MOVING_GRID);
  const { u, uEnd, timePlaying, subject, flowChoice, comparison, pictures, measuring } = inputs;

  const comparing = computed(() =>
    comparison.value
      ? "learned"
      : possibleComparison(pictures.value, run.facts.value, subject.value)
  );
  const ready = computed(() => run.status.value === "ready" && !run.opening.value);
  const gridSize = computed(() =>
    run.playing.value || timePlaying.value || moved.value ? movingGrid.value : STILL_GRID
  );

  function fieldOf(whose: Subject, at: number): Wanted<Field> {
    const request = {
      subject: whose,
      u: Math.round(at * 1e4) / 1e4,
      size: gridSize.value,
      extent: inputs.extent.value,
    };
    const owner = `${run.generation.value} ${subjectKey(whose, run.step.value)}`;
    return {
      key: `${owner} ${request.u} ${request.size} ${request.extent}`,
      ask: () => run.engine.field(request),
    };
  }

  function flowOf(whose: Subject, end: number | null): Wanted<Flow> {
    const frames = Math.round(FRAMES * (end ?? 1)) + 1;
    const request: FlowRequest = { ...flowChoice.value, subject: whose, until: end, frames };
    const owner = `${run.generation.value} ${subjectKey(whose, run.step.value)}`;
    return {
      key: `${owner} ${JSON.stringify(request)}`,
      ask: () => run.engine.flow(request),
    };
  }

  const seesField = computed(() => {
    const { field, velocity, contours, relief } = pictures.value;
    return field === "potential" || velocity !== "none" || contours || relief;
  });
  const seesFlow = computed(() => {
    const { field, particles, trails } = pictures.value;
    return field === "density" || particles || trails;
  });
  const exactSubject: Subject = { kind: "exact" };
  const uMax = computed(() => run.facts.value?.uMax ?? 1);

  const wantedField = computed(() =>
    ready.value && seesField.value ? fieldOf(subject.value, Math.min(u.value, uEnd.value)) : null
  );
  const wantedExactField = computed(() =>
    ready.value && comparing.value !== "learned"
      ? fieldOf(exactSubject, Math.min(u.value, uMax.value))
      : null
  );
  const wantedFlow = computed(() => {
    if (!ready.value || !seesFlow.value || comparison.value) return null;
    const { until, solver } = flowChoice.value;
    const goesOn = uEnd.value > uMax.value && !isStochastic(solver);
    const end = until ?? (goesOn ? uEnd.value : null);
    return flowOf(subject.value, end);
  });
  const wantedExactFlow = computed(() =>
    ready.value && seesFlow.value && comparing.value !== "learned"
      ? flowOf(exactSubject, null)
      : null
  );
  const wantedMeasures = computed((): Wanted<Measures> | null =>
    ready.value && measuring.value && run.step.value > 0
      ? { key: `${run.generation.value} ${run.step.value}`, ask: () => run.engine.measure() }
      : null
  );

  /** A pump of one kind of call; an answer of an earlier run is dropped. */
  function pumpOf<R>(
    wanted: ReadonlySignal<Wanted<R> | null>,
    spacing: number,
    share: number,
    take: (answer: R, milliseconds: number) => void,
  ): { pump: Pump; wanted: ReadonlySignal<Wanted<R> | null> } {
    const current = (key: string) => key.startsWith(`${run.generation.peek()} `);
    const pump = makePump<R>({
      page,
      wanted: () => wanted.peek(),
      spacing: (took) => run.playing.peek() ? Math.max(spacing, share * took) : FIELD_SPACING,
      answered: (answer, key, milliseconds) => current(key) && take(answer, milliseconds),
      failed: (error, key) => current(key) && run.report(error),
    });
    return { pump, wanted };
  }

  /** Measures in the order of their steps, one of a step. */
  function addMeasures(answer: Measures): void {
    const before = measures.peek().filter(({ step }) => step < answer.step);
    measures.value = [...before, answer];
  }

  let measuringNow: Promise<void> | null = null;
  async function measureOnce(): Promise<void> {
    const mine = run.generation.peek();
    try {
      const answer = await run.engine.measure();
      if (mine === run.generation.peek()) addMeasures(answer);
    } catch (error) {
      run.report(error);
    } finally {
      measuringNow = null;
    }
  }
  const measureNow = () => measuringNow ??= measureOnce();

  const pumps = [
    pumpOf(wantedField, FIELD_SPACING, FIELD_SHARE, (answer, milliseconds) => {
      field.value = answer;
      if (answer.size === MOVING_GRID && milliseconds > SLOW) movingGrid.value = SLOW_GRID;
    }),
    pumpOf(wantedExactField, FIELD_SPACING, FIELD_SHARE, (answer) => exactField.value = answer),
    pumpOf(wantedFlow, FLOW_SPACING, FLOW_SHARE, (answer) => flow.value = answer),
    pumpOf(wantedExactFlow, FLOW_SPACING, FLOW_SHARE, (answer) => exactFlow.value = answer),
    pumpOf(wantedMeasures, MEASURE_SPACING, MEASURE_SHARE, addMeasures),
  ];

  function start(): () => void {
    let cancel = () => {};
    const ends = [
      ...pumps.map(({ pump, wanted }) =>
        effect(() => {
          void wanted.value;
          pump.poke();
        })
      ),
      page.listen("visibilitychange", () => pumps.forEach(({ pump }) => pump.poke())),
      effect(() => {
        void u.value;
        cancel();
        moved.value = true;
        cancel = page.later(() => moved.value = false, REST);
      }),
      effect(() => {
        void run.generation.value;
        measures.value = [];
        comparison.value = null;
      }),
      () => cancel(),
    ];
    return () => ends.forEach((end) => end());
  }

  return { field, exactField, flow, exactFlow, measures, measureNow, comparing, start };
}
