/**
 * @file A slider over a row of values that are not equally far apart, with its value in words.
 */
import { nearestStop } from "./solver_facts.ts";

/** What a slider is over. */
export interface StopSliderProps {
  /** Of the input; no other element of the page has it. */
  readonly id: string;
  readonly label: string;
  /** What else tells it from others, for screen readers: "of solver A". */
  readonly of?: string;
  /** Ascending or descending, above 0. */
  readonly stops: readonly number[];
  /** Any value: the slider is at the nearest stop. */
  readonly value: number;
  readonly format: (value: number) => string;
  readonly onChange: (value: number) => void;
}

/** The slider below its label. */
export function StopSlider({ id, label, of, stops, value, format, onChange }: StopSliderProps) {
  return (
    <div class="field stop-slider">
      <label for={id}>
        <span>
          {label}
          {of && <span class="visually-hidden">{` ${of}`}</span>}
        </span>
        <span class="tabular slider-value" aria-hidden="true">{format(value)}</span>
      </label>
      <input
        id={id}
        type="range"
        min={0}
        max={stops.length - 1}
        step={1}
        value={nearestStop(stops, value)}
        aria-valuetext={format(value)}
        onInput={({ currentTarget }) => onChange(stops[Number(currentTarget.value)])}
      />
    </div>
  );
}
