/**
 * @file The state of the laboratory's page: the run, the pictures' time, what is shown of them, and
 * the address that all of it is written to. Made of signals; components read them.
 */
import { batch, computed, effect, signal } from "@preact/signals";
import {
  type AddressState,
  decodeAddress,
  defaultState,
  encodeAddress,
  type FlowChoice,
  type Presets,
} from "./address.ts";
import { drawnData, pointCount, strokesOf } from "./drawing.ts";
import type { KeptPotential, RunFiles, SolverComparison, Subject } from "./engine_types.ts";
import { browserPage, type PageEnvironment } from "./page_environment.ts";
import { pictureCalls } from "./picture_calls.ts";
import { errorLine, type RunControl, runControl } from "./run_control.ts";
import { fetchRun } from "./run_source.ts";
import type { LaboratoryData, LaboratorySettings } from "./settings.ts";
import type { Connect, LaboratoryPageStore, Stroke } from "./store_types.ts";
import { advanced } from "./time_player.ts";

/** What the server gives the page. */
export interface LaboratoryProps {
  /** The settings that a run of each distribution starts from. */
  readonly presets: Presets;
}

/** How far u goes with potentials that do not know it. */
export const IMPLICIT_END = 2;
/** Half the side of the square that is seen, in data units; more where drawn points need it. */
const EXTENT = 5;
/** A change is opened when no other has followed for so long, in milliseconds. */
const CHANGE_DELAY = 200;
/** The address is written at most every so many milliseconds. */
const ADDRESS_DELAY = 800;

/** Settings with changes; of another distribution, what was left as its preset says is as the new one's. */
export function changedSettings(
  settings: LaboratorySettings,
  changes: Partial<LaboratorySettings>,
  presets: Presets,
): LaboratorySettings {
  const next = { ...settings, ...changes };
  if (next.data.name === settings.data.name) return next;
  const was = presetOf(settings.data, presets), becomes = presetOf(next.data, presets);
  const followed = (Object.keys(was) as (keyof LaboratorySettings)[]).filter((key) =>
    key !== "data" && !(key in changes) && settings[key] === was[key]
  );
  return { ...next, ...Object.fromEntries(followed.map((key) => [key, becomes[key]])) };
}

function presetOf({ name }: LaboratoryData, presets: Presets): LaboratorySettings {
  return presets[name === "points" ? "8gaussians" : name];
}

/** Where u ends: beyond 1 for potentials without time input. */
function timeEnd(run: RunControl, subject: Subject, kept: readonly KeptPotential[]): number {
  const uMax = run.facts.value?.uMax ?? 1, { timeExplicit } = run.settings.value;
  if (subject.kind === "exact") return uMax;
  if (subject.kind === "learned") return timeExplicit ? uMax : IMPLICIT_END;
  const ends = subject.terms.map(({ id }) => {
    const term = kept.find((one) => one.id === id);
    // One that is being dropped is still in the sum for a moment, and goes no further than it did.
    return term && !term.timeExplicit ? IMPLICIT_END : term?.uMax ?? uMax;
  });
  return Math.min(...ends);
}

/** Half the side of a square that holds the data. */
function extentOf({ points }: LaboratoryData): number {
  const farthest = Math.max(0, ...(points ?? []).flat().map(Math.abs));
  return Math.max(EXTENT, Math.ceil(farthest + 0.5));
}

/**
 * Makes the state of a page. Nothing is connected, asked for or written before `start`, so that a
 * server can render the page from it.
 *
 * @param props what the server gives the page
 * @param connect makes the worker, or a fake of it
 * @param page the browser's page, or a fake of it
 */
export function laboratoryStore(
  props: LaboratoryProps,
  connect: Connect,
  page: PageEnvironment = browserPage(),
): LaboratoryPageStore {
  const { presets } = props, standard = defaultState(presets);
  const run = runControl(standard.settings, connect, page);
  const u = signal(standard.u), timePlaying = signal(false), timeSpeed = signal(1);
  const subject = signal<Subject>({ kind: "learned" });
  const kept = signal<readonly KeptPotential[]>([]);
  const flowChoice = signal<FlowChoice>(standard.flowChoice);
  const pictures = signal(standard.pictures);
  const comparison = signal<SolverComparison | null>(null);
  const measuring = signal(true);
  const strokes = signal<readonly Stroke[]>([]);
  const addressProblems = signal<readonly string[]>([]);
  const uEnd = computed(() => timeEnd(run, subject.value, kept.value));
  const extent = computed(() => extentOf(run.settings.value.data));
  const inputs = { u, uEnd, timePlaying, subject, flowChoice, comparison, pictures };
  const answers = pictureCalls(run, { ...inputs, extent, measuring }, page);
  const ready = computed(() => run.status.value === "ready" && !run.opening.value);
  let rest = 0;
  /** Counts what was asked for: a run of the server's that comes later than another is left alone. */
  let asked = 0;
  const ends: (() => void)[] = [];

  /** What the run is trained on, even while a drawing has been cleared. */
  const drawnStrokes = computed(() =>
    pointCount(strokes.value) > 0 ? strokes.value : strokesOf(run.settings.value.data)
  );
  const addressState = computed((): AddressState => {
    const opened = run.opened.value, step = run.replay.value?.to ?? run.step.value;
    const named = opened?.served ?? false;
    return {
      settings: named ? presets["8gaussians"] : run.settings.value,
      strokes: named ? [] : drawnStrokes.value,
      step: named && opened!.step === step ? 0 : step,
      u: u.value >= Math.min(1, uEnd.value) && u.value <= 1 ? 1 : rounded(u.value),
      timeSpeed: timeSpeed.value,
      exact: subject.value.kind === "exact",
      pictures: pictures.value,
      flowChoice: flowChoice.value,
    };
  });
  const address = () => encodeAddress(addressState.value, presets);

  /** Takes over what is not of the run. */
  function show(state: AddressState): void {
    batch(() => {
      strokes.value = state.strokes;
      u.value = state.u;
      timeSpeed.value = state.timeSpeed;
      subject.value = { kind: state.exact ? "exact" : "learned" };
      pictures.value = state.pictures;
      flowChoice.value = state.flowChoice;
    });
  }

  async function openServed(name: string, state: AddressState): Promise<void> {
    const mine = asked;
    try {
      const files = await fetchRun(page.fetch, name);
      if (mine !== asked) return;
      show(state);
      await openRun(files, true, state.step);
    } catch (error) {
      if (mine !== asked) return;
      const line = errorLine(error);
      openSettings({ ...state, settings: standard.settings, strokes: [], step: 0 });
      addressProblems.value = [...addressProblems.peek(), `${line}; the default is taken`];
    }
  }

  function openSettings(state: AddressState): void {
    // At once: what u may be depends on the run.
    batch(() => {
      show(state);
      run.open(state.settings, state.step, false);
    });
  }

  async function openRun(files: RunFiles, served = false, until = 0): Promise<void> {
    await run.openFiles(files, served, until);
    strokes.value = strokesOf(run.settings.peek().data);
  }

  /** Opens what the address says. */
  function openAddress(): void {
    const { state, problems } = decodeAddress(page.fragment(), presets);
    addressProblems.value = problems;
    const name = page.run();
    asked++;
    if (name === null) openSettings(state);
    else void openServed(name, state);
  }

  /** A link was put into the address of this page. */
  function follow(): void {
    if (page.fragment().replace(/^#/, "") !== address()) openAddress();
  }

  function watch(): void {
    let cancel: (() => void) | null = null;
    ends.push(
      answers.start(),
      page.listen("hashchange", follow),
      effect(() => {
        if (ready.value && uEnd.value < u.value) u.value = uEnd.value;
      }),
      effect(() => {
        void addressState.value;
        if (!ready.value || cancel) return;
        cancel = page.later(() => {
          cancel = null;
          const { served = false, name } = run.opened.peek() ?? {};
          page.write(address(), served ? name! : null);
        }, ADDRESS_DELAY);
      }),
      () => cancel?.(),
    );
  }

  function change(changes: Partial<LaboratorySettings>): void {
    const next = changedSettings(run.settings.peek(), changes, presets);
    if (next.data.name !== "points") strokes.value = [];
    asked++;
    run.open(next, 0, run.playing.peek() && !run.replay.peek(), CHANGE_DELAY);
  }

  function startAgain(): void {
    batch(() => {
      kept.value = [];
      subject.value = { kind: "learned" };
    });
    if (run.connect()) run.open(run.settings.peek(), 0, false);
  }

  return {
    ...run,
    ...inputs,
    ...answers,
    ...{ kept, timeSpeed, extent, measuring, strokes, addressProblems, address, change, openRun },
    start() {
      if (ends.length > 0) return;
      watch();
      if (run.connect()) openAddress();
    },
    close() {
      ends.splice(0).forEach((end) => end());
      run.close();
    },
    startAgain,
    reset() {
      if (run.status.peek() === "failed") startAgain();
      else run.open(run.settings.peek(), 0, false);
    },
    advance(milliseconds) {
      if (!timePlaying.peek()) {
        rest = 0;
        return;
      }
      const next = advanced({ u: u.peek(), rest }, uEnd.peek(), timeSpeed.peek(), milliseconds);
      rest = next.rest;
      u.value = next.u;
    },
    draw(next) {
      const { data } = run.settings.peek();
      if (pointCount(next) > 0) {
        change({ data: drawnData(next, data.name === "points" ? data.noise : null) });
      }
      strokes.value = next;
    },
  };
}

function rounded(u: number): number {
  return Math.round(u * 1e4) / 1e4;
}
