/**
 * @file The head of a run's page: what it is at, how fast, how long it will take, and what can be
 * done with it.
 */
import { type ReadonlySignal, useComputed, useSignal } from "@preact/signals";
import type { MetricsLine, SpeedLine } from "../../../core/train/run_directory.ts";
import type { RunDetail } from "../../runs/run_types.ts";
import { formatNumber } from "../curves/numbers.ts";
import type { ConnectionState } from "./run_events.ts";
import { RunControls } from "./run_controls.tsx";
import { RunProgress } from "./run_progress.tsx";
import { durationText, isPlane, median, shapeText } from "./run_text.ts";
import type { SessionRequests } from "./session.ts";
import { StatusBadge } from "./status_badge.tsx";

/** What the head shows. */
export interface RunHeadProps {
  readonly detail: ReadonlySignal<RunDetail>;
  readonly metrics: ReadonlySignal<readonly MetricsLine[]>;
  readonly speed: ReadonlySignal<readonly SpeedLine[]>;
  readonly connection: ReadonlySignal<ConnectionState>;
  readonly requests: SessionRequests;
}

/** The head. */
export function RunHead({ detail: told, metrics, speed, connection, requests }: RunHeadProps) {
  const problem = useSignal<string | null>(null);
  const current = useComputed(() => upToDate(told.value, metrics.value.at(-1)));
  const detail = current.value;
  const { name, status } = detail;
  return (
    <section class="panel run-head" aria-labelledby="run-name">
      <div class="row spread">
        <div class="row">
          <h1 id="run-name">{name}</h1>
          <StatusBadge status={status} />
        </div>
        <div class="row">
          {isPlane(detail) && detail.checkpoints.length > 0 && (
            <a class="button" href={`/?run=${encodeURIComponent(name)}`}>Open in the laboratory</a>
          )}
          <RunControls
            run={detail}
            requests={requests}
            onProblem={(text) => problem.value = text}
          />
        </div>
      </div>
      <RunProgress run={detail} />
      <Facts detail={detail} speed={speed} />
      {detail.problem && <p class="notice bad">{detail.problem}</p>}
      {problem.value && <p class="notice bad" role="alert">{problem}</p>}
      <Connection state={connection} />
    </section>
  );
}

/** Details come every few seconds; lines of metrics come as they are written. */
function upToDate(detail: RunDetail, last: MetricsLine | undefined): RunDetail {
  if (!last || last.step <= detail.step) return detail;
  return { ...detail, step: last.step, loss: last.loss ?? detail.loss };
}

interface FactsProps {
  readonly detail: RunDetail;
  readonly speed: RunHeadProps["speed"];
}

function Facts({ detail, speed }: FactsProps) {
  const { preset, data, sampleShape, device, loss, status } = detail;
  const rate = recentRate(speed.value),
    left = status === "running" ? secondsLeft(detail, rate) : null;
  const facts: readonly (readonly [string, string | null])[] = [
    ["Preset", preset],
    ["Data", [data, shapeText(sampleShape)].filter(Boolean).join(", ") || null],
    ["Device", device],
    ["Loss", loss === null ? null : formatNumber(loss)],
    [
      status === "running" ? "Speed" : "Speed at the end",
      rate === null ? null : `${formatNumber(rate, 3)} samples/s`,
    ],
    ["Time left", left === null ? null : `about ${durationText(rounded(left))}`],
  ];
  return (
    <dl class="run-facts">
      {facts.filter(([, value]) => value).map(([label, value]) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd class="tabular">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Samples a second in the newest lines; null where there is none. */
function recentRate(speed: readonly SpeedLine[]): number | null {
  const rates = speed.slice(-15).map(({ samplesPerSecond }) => samplesPerSecond);
  return median(rates.filter((rate) => rate > 0));
}

/**
 * How long a run will take to its end at a rate, saving and drawing not counted.
 *
 * @param rate samples a second
 * @returns seconds; null where it cannot be said
 */
export function secondsLeft(
  { config, step, steps }: Pick<RunDetail, "config" | "step" | "steps">,
  rate: number | null,
): number | null {
  if (!config || !steps || !rate || step >= steps) return null;
  return (steps - step) * config.training.batchSize / rate;
}

/** An estimate of seconds, no finer than it is worth. */
function rounded(seconds: number): number {
  const grain = seconds < 60 ? 5 : seconds < 600 ? 10 : seconds < 36_000 ? 60 : 3600;
  return Math.max(grain, Math.round(seconds / grain) * grain);
}

function Connection({ state }: { readonly state: ReadonlySignal<ConnectionState> }) {
  const isLost = state.value === "lost";
  return (
    <p role="status" class={isLost ? "notice connection" : "visually-hidden"}>
      {isLost
        ? "Connection lost, trying again. What is here stays; what is missed will follow."
        : ""}
    </p>
  );
}
