/** @file The bar that runs a training: play, one step, reset, and where it is. */
import { useComputed } from "@preact/signals";
import type { RunFacts } from "../../laboratory/engine_types.ts";
import type { LaboratoryPageStore } from "../../laboratory/store_types.ts";
import { formatCount } from "../curves/numbers.ts";
import { useSlowValue } from "../curves/slow_value.ts";
import { Icon } from "./icons.tsx";

const deviceNames = { wasm: "WebAssembly", webgpu: "WebGPU", cpu: "plain TypeScript" } as const;

/** A device in words, as in "WebAssembly, 2 threads". */
export function deviceWords({ device, threads }: RunFacts): string {
  const name = deviceNames[device.name];
  if (device.name === "webgpu") {
    const { description, vendor, architecture } = device.adapter ?? {};
    return [name, description || vendor || architecture].filter(Boolean).join(", ");
  }
  return device.name === "wasm" ? `${name}, ${threads} thread${threads === 1 ? "" : "s"}` : name;
}

/** What the run is at, in a word or a few. */
export function statusWords(store: LaboratoryPageStore): string {
  if (store.status.value === "failed") return "stopped by an error";
  if (store.status.value === "starting") return "loading …";
  if (store.opening.value) return "starting anew …";
  if (store.replay.value) return "replaying";
  if (store.playing.value) return "training";
  if (store.finished.value) return "finished";
  return store.step.value === 0 ? "ready" : "paused";
}

/** The bar. */
export function TransportBar({ store }: { readonly store: LaboratoryPageStore }) {
  const status = useComputed(() => statusWords(store)).value;
  const playing = store.playing.value, finished = store.finished.value;
  const broken = store.status.value === "failed";
  const unready = store.status.value !== "ready" || store.opening.value;
  return (
    <div class="lab-transport" role="group" aria-label="Training">
      <div class="row lab-buttons">
        <button
          type="button"
          class="button primary lab-play"
          disabled={finished || broken}
          title="Space"
          onClick={() => playing ? store.pause() : store.play()}
        >
          <Icon name={playing ? "pause" : "play"} />
          {playing ? "Pause" : "Train"}
        </button>
        <button
          type="button"
          class="button"
          disabled={playing || finished || unready}
          onClick={() => store.stepOnce()}
        >
          <Icon name="step" />
          <span>
            <span class="lab-wide">One</span> step
          </span>
        </button>
        <button
          type="button"
          class="button"
          disabled={unready && !broken}
          onClick={() => store.reset()}
        >
          <Icon name="reset" />
          Reset
        </button>
      </div>
      <StepCount store={store} />
      <p class="lab-status">
        <span class={`badge ${badge(status)}`} role="status">{status}</span>
      </p>
    </div>
  );
}

function badge(status: string): string {
  if (status === "training" || status === "replaying") return "accent";
  return status === "finished" ? "good" : status.startsWith("stopped") ? "bad" : "";
}

function StepCount({ store }: { readonly store: LaboratoryPageStore }) {
  const step = useSlowValue(store.step, 100), speed = useSlowValue(store.stepsPerSecond, 500);
  const steps = store.facts.value?.steps ?? store.settings.value.steps;
  return (
    <div class="lab-steps tabular">
      <span class="lab-step">
        <span class="muted">step</span> <strong>{formatCount(step)}</strong>{" "}
        <span class="muted">of {formatCount(steps)}</span>
      </span>
      <progress max={steps} value={Math.min(step, steps)} aria-label="Steps of the run done" />
      <span class="lab-speed muted">
        {speed > 0 ? `${formatCount(speed)} steps/s` : "– steps/s"}
      </span>
    </div>
  );
}

/** Which device trains, and why that one. */
export function DeviceLine({ store }: { readonly store: LaboratoryPageStore }) {
  const facts = store.facts.value;
  return (
    <p class="lab-device muted">
      {facts
        ? (
          <>
            Trains on <strong>{deviceWords(facts)}</strong> ({facts.device.reason}).
          </>
        )
        : "Trains in this page, on this device."}
    </p>
  );
}
