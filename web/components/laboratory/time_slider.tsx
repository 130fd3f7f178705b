/** @file The one time u of all pictures: played, or moved by hand, beyond 1 where a flow can go on. */
import { useId } from "preact/hooks";
import type { LaboratoryPageStore } from "../../laboratory/store_types.ts";
import { Icon } from "./icons.tsx";

const speeds = [0.25, 0.5, 1, 2, 4];

/** The slider with its button, marks and value. */
export function TimeSlider({ store }: { readonly store: LaboratoryPageStore }) {
  const id = useId();
  const end = store.uEnd.value, u = Math.min(store.u.value, end);
  const running = store.timePlaying.value;
  const beyond = end > 1;
  return (
    <div class="lab-time" role="group" aria-label="Time of the pictures">
      <button
        type="button"
        class="button lab-time-play"
        aria-label={running ? "Stop time u" : "Play time u"}
        onClick={() => store.timePlaying.value = !running}
      >
        <Icon name={running ? "pause" : "play"} />
      </button>
      <div class="lab-time-slider">
        <label for={id}>
          Time u: noise <span aria-hidden="true">→</span> data
        </label>
        <input
          id={id}
          type="range"
          min={0}
          max={end}
          step={0.001}
          value={u}
          aria-valuetext={timeWords(u, end)}
          onInput={({ currentTarget }) => {
            store.timePlaying.value = false;
            store.u.value = currentTarget.valueAsNumber;
          }}
        />
        <span class={`lab-marks ${beyond ? "beyond" : ""}`} aria-hidden="true">
          <span>0: noise</span>
          {beyond && <span class="lab-mark-one">1: data</span>}
          <span>{beyond ? "2: refined beyond" : `${end.toFixed(2)}: data`}</span>
        </span>
      </div>
      <output for={id} class="tabular lab-u">u = {u.toFixed(3)}</output>
      <div class="lab-speed-choice">
        <label for={`${id}-speed`} class="visually-hidden">Speed of time</label>
        <select
          id={`${id}-speed`}
          value={String(store.timeSpeed.value)}
          onChange={({ currentTarget }) => store.timeSpeed.value = Number(currentTarget.value)}
        >
          {[...new Set([...speeds, store.timeSpeed.value])].map((speed) => (
            <option key={speed} value={String(speed)} selected={speed === store.timeSpeed.value}>
              {speed}×
            </option>
          ))}
        </select>
      </div>
    </div>
  );
}

/** A time in words. */
export function timeWords(u: number, end: number): string {
  const where = u === 0
    ? "the noise"
    : u > 1
    ? "beyond the data, refined"
    : u >= Math.min(end, 1)
    ? "the data"
    : "between noise and data";
  return `u = ${u.toFixed(3)}, ${where}`;
}
