/**
 * @file The pictures of samples that a run has drawn on the way, on a slider. The newest is shown
 * until somebody goes back to an earlier one; at the newest again, it goes on following.
 */
import { type ReadonlySignal, useComputed, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { RunDetail } from "../../runs/run_types.ts";
import { formatCount } from "../curves/numbers.ts";
import { isImage, sampleFile } from "./run_text.ts";
import { runPath } from "./session.ts";

/** Milliseconds between two pictures while they play. */
const interval = 450;

/** The pictures of a run. */
export function SampleSlider({ detail }: { readonly detail: ReadonlySignal<RunDetail> }) {
  /** The step that is held fast; null follows the newest. */
  const held = useSignal<number | null>(null);
  const playing = useSignal(false);
  const steps = useComputed(() => detail.value.samples);
  const index = useComputed(() => {
    const at = held.value === null ? -1 : steps.value.indexOf(held.value);
    return at < 0 ? steps.value.length - 1 : at;
  });
  const show = (next: number) => {
    held.value = next >= steps.value.length - 1 ? null : steps.value[Math.max(0, next)];
  };
  useEffect(() => preloaded(detail.value.name, steps.value, index.value), [
    index.value,
    steps.value.length,
  ]);
  useEffect(() => {
    if (!playing.value) return;
    const timer = setInterval(() => {
      show(index.value + 1);
      if (held.value === null) playing.value = false;
    }, interval);
    return () => clearInterval(timer);
  }, [playing.value]);
  const { name, status } = detail.value;
  if (steps.value.length === 0) return <NoSamples detail={detail.value} />;
  const play = () => {
    if (!playing.value && held.value === null) show(0);
    playing.value = !playing.value;
  };
  const step = steps.value[index.value], last = steps.value.length - 1;
  return (
    <section class="panel run-samples" aria-labelledby="samples-heading">
      <h2 id="samples-heading">Samples</h2>
      <SamplePicture detail={detail.value} step={step} />
      {last > 0 && (
        <div class="transport">
          <button type="button" class="button" onClick={play}>
            {playing.value ? "Pause" : "Play"}
            <span class="visually-hidden">the pictures from the first to the newest</span>
          </button>
          <div class="field">
            <label for="sample-step">
              Drawn at step <output for="sample-step">{formatCount(step)}</output>
              {held.value === null && status === "running" && " · following the newest"}
            </label>
            <input
              id="sample-step"
              type="range"
              min={0}
              max={last}
              step={1}
              value={index}
              aria-valuetext={`step ${formatCount(step)}`}
              onInput={(event) => {
                playing.value = false;
                show(event.currentTarget.valueAsNumber);
              }}
            />
          </div>
        </div>
      )}
      {last === 0 && <p class="muted">Drawn at step {formatCount(step)}</p>}
      <p class="visually-hidden" role="status">
        {playing.value ? "" : `Samples of ${name} at step ${formatCount(step)}`}
      </p>
    </section>
  );
}

function SamplePicture({ detail, step }: { readonly detail: RunDetail; readonly step: number }) {
  const picture = useRef<HTMLImageElement>(null);
  const { name, data } = detail;
  /** Enlarged pixels stay squares; a picture made smaller is smoothed. */
  const fit = () => {
    const image = picture.current;
    if (image) image.classList.toggle("enlarged", image.clientWidth > image.naturalWidth);
  };
  useEffect(() => {
    if (!picture.current) return;
    const observer = new ResizeObserver(fit);
    observer.observe(picture.current);
    return () => observer.disconnect();
  }, []);
  const what = isImage(detail)
    ? "Images drawn by the potential, side by side"
    : "Points drawn by the potential over the density of the data";
  return (
    <figure class="figure">
      <img
        ref={picture}
        class="sample-picture"
        src={runPath(name, `/samples/${sampleFile(step)}`)}
        alt={`${what}: ${data ?? name} at step ${formatCount(step)}`}
        onLoad={fit}
      />
    </figure>
  );
}

function NoSamples({ detail }: { readonly detail: RunDetail }) {
  const every = detail.config?.training.sampleEvery;
  return (
    <section class="panel run-samples" aria-labelledby="samples-heading">
      <h2 id="samples-heading">Samples</h2>
      <p class="muted">
        No picture yet{every !== undefined && `; one is drawn every ${formatCount(every)} steps`}.
      </p>
    </section>
  );
}

/** Asks for the pictures beside the one shown, so that going there does not wait. */
function preloaded(name: string, steps: readonly number[], index: number): void {
  for (const step of [steps[index + 1], steps[index - 1], steps[index + 2]]) {
    if (step !== undefined) new Image().src = runPath(name, `/samples/${sampleFile(step)}`);
  }
}
