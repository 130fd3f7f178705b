/**
 * @file The flow of a run's samples from noise, frame by frame, and beside it that of another run by
 * the same time. The server computes it when asked to; it takes a while, so nothing is asked for by
 * itself.
 */
import { type ReadonlySignal, type Signal, useComputed, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { FlowQuestion, RunDetail, RunSummary } from "../../runs/run_types.ts";
import { formatCount } from "../curves/numbers.ts";
import { FlowCanvas } from "./flow_canvas.tsx";
import { flowEnd, type FlowFrames, readFlow } from "./flow_frames.ts";
import { isImage, isPlane } from "./run_text.ts";
import { runPath, type SessionRequests } from "./session.ts";

/** Whose flow. */
export interface FlowViewProps {
  readonly detail: RunDetail;
  /** Other runs, one of which can be shown beside it. */
  readonly others: readonly RunSummary[];
  readonly requests: SessionRequests;
}

/** Positions of the slider. */
const frames = 48;
/** Seconds from noise to samples while it plays. */
const playSeconds = 5;
/** Particles of a run in the plane. */
const particles = 1000;

/** A flow that was asked for. */
interface AskedFlow {
  readonly name: Signal<string | null>;
  readonly flow: Signal<FlowFrames | null>;
  readonly busy: Signal<boolean>;
  readonly problem: Signal<string | null>;
  /** The newest checkpoint when what is drawn was asked for. */
  readonly step: Signal<number | null>;
}

function useAskedFlow(name: string | null): AskedFlow {
  return {
    name: useSignal(name),
    flow: useSignal<FlowFrames | null>(null),
    busy: useSignal(false),
    problem: useSignal<string | null>(null),
    step: useSignal<number | null>(null),
  };
}

/** The controls, the canvases, and the time that both of them share. */
export function FlowView({ detail, others, requests }: FlowViewProps) {
  const seed = useSignal("0"), count = useSignal(1);
  const until = useSignal("");
  const own = useAskedFlow(detail.name), beside = useAskedFlow(null);
  const position = useSignal(0), playing = useSignal(false);
  const end = useComputed(() =>
    Math.max(...[own, beside].map(({ flow }) => flow.value ? flowEnd(flow.value) : 0))
  );
  const u = useComputed(() => end.value * position.value / (frames - 1));
  const asking = useRef<AbortController | null>(null);
  useEffect(() => () => asking.current?.abort(), []);
  usePlaying(position, playing);
  const ask = async (flow: AskedFlow, run: RunSummary, n: number) => {
    const step = detail.checkpoints.at(-1) ?? null;
    flow.busy.value = true;
    flow.problem.value = null;
    try {
      const question = {
        n: isPlane(run) ? particles : n,
        seed: Number(seed.value) || 0,
        frames,
        until: flow === own && until.value.trim() ? Number(until.value) : null,
      };
      flow.flow.value = await askFlow(requests, run.name, question, asking.current?.signal);
      flow.name.value = run.name;
      if (flow === own) flow.step.value = step;
    } catch (error) {
      if ((error as Error).name !== "AbortError") flow.problem.value = (error as Error).message;
    }
    flow.busy.value = false;
  };
  /** One after the other: the server computes one flow at a time. */
  const askAll = async (companion: RunSummary | null) => {
    asking.current?.abort();
    const controller = asking.current = new AbortController();
    await ask(own, detail, count.value);
    if (companion && !controller.signal.aborted) await ask(beside, companion, 1);
    if (own.flow.value) start(position, playing);
  };
  const chosen = useSignal("");
  const companion = others.find(({ name }) => name === chosen.value) ?? null;
  const choose = async (name: string) => {
    chosen.value = name;
    beside.flow.value = beside.problem.value = null;
    const run = others.find((each) => each.name === name);
    if (run && own.flow.value) await ask(beside, run, 1);
  };
  const isBusy = own.busy.value || beside.busy.value;
  return (
    <section class="panel run-flow" aria-labelledby="flow-heading">
      <h2 id="flow-heading">From noise to samples</h2>
      <FlowQuestionForm
        detail={detail}
        others={others}
        seed={seed}
        count={count}
        until={until}
        chosen={chosen.value}
        busy={isBusy}
        there={own.flow.value !== null}
        onChoose={choose}
        onAsk={() => askAll(companion)}
      />
      <p role="status" class={isBusy ? "notice" : "visually-hidden"}>
        {isBusy
          ? `Solving the flow of ${own.busy.value ? detail.name : chosen.value}; ` +
            "this takes seconds to a minute …"
          : ""}
      </p>
      {[own, beside].map(({ problem }, i) =>
        problem.value && <p key={i} class="notice bad" role="alert">{problem}</p>
      )}
      {own.flow.value && (
        <FlowStage
          flows={beside.flow.value ? [own, beside] : [own]}
          position={position}
          playing={playing}
          u={u}
          end={end.value}
        />
      )}
      <Staleness detail={detail} step={own.step} there={own.flow.value !== null} />
    </section>
  );
}

async function askFlow(
  requests: SessionRequests,
  name: string,
  question: FlowQuestion,
  signal?: AbortSignal,
): Promise<FlowFrames> {
  const answer = await requests.post(runPath(name, "/flow"), question, signal);
  const times = answer.headers.get("x-vapo-times");
  return readFlow(new Uint8Array(await answer.arrayBuffer()), times);
}

/** Begins at the noise, or shows the end at once where motion is not wanted. */
function start(position: Signal<number>, playing: Signal<boolean>): void {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  position.value = still ? frames - 1 : 0;
  playing.value = !still;
}

/** Moves the position while it plays, to the end and no further. */
function usePlaying(position: Signal<number>, playing: Signal<boolean>): void {
  useEffect(() => {
    if (!playing.value) return;
    let request = 0, before: number | null = null;
    const tick = (now: number) => {
      // A page that was hidden goes on where it was.
      const seconds = before === null ? 0 : Math.min(0.1, (now - before) / 1000);
      before = now;
      position.value = Math.min(
        frames - 1,
        position.peek() + seconds / playSeconds * (frames - 1),
      );
      if (position.peek() === frames - 1) playing.value = false;
      else request = requestAnimationFrame(tick);
    };
    request = requestAnimationFrame(tick);
    return () => cancelAnimationFrame(request);
  }, [playing.value]);
}

interface FlowQuestionFormProps {
  readonly detail: RunDetail;
  readonly others: readonly RunSummary[];
  readonly seed: Signal<string>;
  readonly count: Signal<number>;
  readonly until: Signal<string>;
  readonly chosen: string;
  readonly busy: boolean;
  readonly there: boolean;
  readonly onChoose: (name: string) => void;
  readonly onAsk: () => void;
}

function FlowQuestionForm(props: FlowQuestionFormProps) {
  const { detail, others, seed, count, until, chosen, busy, there, onChoose, onAsk } = props;
  const submit = (event: Event) => {
    event.preventDefault();
    onAsk();
  };
  const another = () => {
    seed.value = String((Number(seed.value) || 0) + 1);
    onAsk();
  };
  const configured = detail.config?.sampling.until;
  return (
    <form class="row end flow-form" onSubmit={submit}>
      {isImage(detail) && <CountChoice count={count} />}
      <div class="field">
        <label for="flow-seed">Seed</label>
        <input
          id="flow-seed"
          class="short"
          type="number"
          min={0}
          step={1}
          required
          value={seed}
          onInput={(event) => seed.value = event.currentTarget.value}
        />
      </div>
      <div class="field">
        <label for="flow-until">To u =</label>
        <input
          id="flow-until"
          class="short"
          type="number"
          min={0.05}
          max={100}
          step="any"
          placeholder={configured ? String(configured) : "end"}
          value={until}
          onInput={(event) => until.value = event.currentTarget.value}
        />
      </div>
      <Companions others={others} chosen={chosen} busy={busy} onChoose={onChoose} />
      <button type="submit" class={there ? "button" : "button primary"} disabled={busy}>
        {there ? "Draw again" : "Draw the flow"}
      </button>
      {there && (
        <button type="button" class="button" disabled={busy} onClick={another}>
          Another seed
        </button>
      )}
    </form>
  );
}

function CountChoice({ count }: { readonly count: Signal<number> }) {
  return (
    <fieldset class="segments">
      <legend>Images</legend>
      {[1, 4, 9, 16].map((n) => (
        <label key={n}>
          <input
            type="radio"
            name="flow-count"
            value={n}
            checked={count.value === n}
            onChange={() => count.value = n}
          />
          {n}
        </label>
      ))}
    </fieldset>
  );
}

interface CompanionsProps extends Pick<FlowQuestionFormProps, "others" | "chosen" | "busy"> {
  readonly onChoose: (name: string) => void;
}

function Companions({ others, chosen, busy, onChoose }: CompanionsProps) {
  const ready = others.filter(({ status, step }) => status !== "damaged" && step > 0);
  const groups = [
    { label: "Points in the plane", runs: ready.filter(isPlane) },
    { label: "Images", runs: ready.filter(isImage) },
  ].filter(({ runs }) => runs.length > 0);
  if (groups.length === 0) return null;
  return (
    <div class="field">
      <label for="flow-beside">Beside it, by the same time</label>
      <select
        id="flow-beside"
        value={chosen}
        disabled={busy}
        onChange={(event) => onChoose(event.currentTarget.value)}
      >
        <option value="">nothing</option>
        {groups.map(({ label, runs }) => (
          <optgroup key={label} label={label}>
            {runs.map(({ name }) => <option key={name} value={name}>{name}</option>)}
          </optgroup>
        ))}
      </select>
    </div>
  );
}

interface FlowStageProps {
  readonly flows: readonly AskedFlow[];
  readonly position: Signal<number>;
  readonly playing: Signal<boolean>;
  readonly u: ReadonlySignal<number>;
  readonly end: number;
}

function FlowStage({ flows, position, playing, u, end }: FlowStageProps) {
  const time = useComputed(() => u.value.toFixed(2));
  const valueText = useComputed(() => `u = ${time.value}`);
  const told = timeText(playing.value, u, end);
  const toggle = () => {
    if (!playing.value && position.value >= frames - 1) position.value = 0;
    playing.value = !playing.value;
  };
  return (
    <div class="flow-stage">
      <div class="flow-pictures">
        {flows.map(({ name, flow }) => (
          <figure class="figure" key={name.value}>
            <FlowCanvas flow={flow.value!} u={u} name={name.value ?? ""} told={told} />
            <figcaption>{flowCaption(name.value ?? "", flow.value!)}</figcaption>
          </figure>
        ))}
      </div>
      <div class="transport">
        <button type="button" class="button" onClick={toggle}>
          {playing.value ? "Pause" : "Play"}
          <span class="visually-hidden">the flow</span>
        </button>
        <div class="field">
          <label for="flow-time">
            Time u = <output for="flow-time">{time}</output>
          </label>
          <input
            id="flow-time"
            type="range"
            min={0}
            max={frames - 1}
            step={1}
            value={position}
            aria-valuetext={valueText}
            onInput={(event) => {
              playing.value = false;
              position.value = event.currentTarget.valueAsNumber;
            }}
          />
          <div class="ends muted" aria-hidden="true">
            <span>noise</span>
            <span>samples, u = {Number(end.toFixed(3))}</span>
          </div>
        </div>
      </div>
    </div>
  );
}

/** The time in words, which stay the same while it moves. */
function timeText(playing: boolean, u: ReadonlySignal<number>, end: number): string {
  const until = `of ${Number(end.toFixed(3))}`;
  return playing ? `moving to u ${until}` : `at time u = ${u.value.toFixed(2)} ${until}`;
}

function flowCaption(name: string, flow: FlowFrames): string {
  const what = flow.sampleShape.length === 1
    ? `${formatCount(flow.n)} particles`
    : flow.n === 1
    ? "one image"
    : `${flow.n} images`;
  return `${name}: ${what}, to u = ${Number(flowEnd(flow).toFixed(3))}`;
}

interface StalenessProps {
  readonly detail: RunDetail;
  readonly step: ReadonlySignal<number | null>;
  readonly there: boolean;
}

function Staleness({ detail, step, there }: StalenessProps) {
  const newest = detail.checkpoints.at(-1);
  if (!there) {
    return (
      <p class="muted">
        {newest === undefined
          ? "There is no checkpoint yet to draw it from."
          : "Noise is carried along the gradient of the potential until it has become a sample."}
      </p>
    );
  }
  return (
    <p class="muted">
      By the checkpoint of step {step.value === null ? "–" : formatCount(step.value)}
      {newest !== undefined && step.value !== null && newest > step.value
        ? `; one of step ${formatCount(newest)} is there now: draw again.`
        : "."}
    </p>
  );
}
