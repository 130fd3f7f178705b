/** @file The few kinds of control that the laboratory's own panels are made of, each with its label. */
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import type { Options } from "../../laboratory/choices.ts";
import { formatNumber } from "../curves/numbers.ts";

/** What every labelled control has. */
interface Labelled {
  readonly label: string;
  /** Why it matters; seen where explanations are asked for, and told to screen readers always. */
  readonly reason?: string;
  /** Whether the explanation is seen. */
  readonly explained?: boolean;
  /** Whether changing it starts training anew. */
  readonly restarts?: boolean;
}

/** The mark of a choice that starts training anew. */
export function RestartMark() {
  return (
    <span class="lab-restarts" title="Changing this starts training anew">
      <span aria-hidden="true">↻</span>
      <span class="visually-hidden">(starts training anew)</span>
    </span>
  );
}

/** A label, the control below it, and why it matters. */
function Field(
  { label, reason, explained, restarts, children, output }: Labelled & {
    readonly output?: ComponentChildren;
    readonly children: (id: string, describedBy: string | undefined) => ComponentChildren;
  },
) {
  const id = useId(), reasonId = `${id}-reason`;
  return (
    <div class="field lab-field">
      <span class="lab-label">
        <label for={id} title={reason}>{label}</label>
        {restarts && <RestartMark />}
        {output !== undefined && <output for={id}>{output}</output>}
      </span>
      {children(id, reason ? reasonId : undefined)}
      {reason && <p id={reasonId} class="lab-reason" hidden={!explained}>{reason}</p>}
    </div>
  );
}

/** One of several names. */
export function NameField<K extends string>(
  { options, value, onChange, ...labelled }: Labelled & {
    readonly options: Options<K>;
    readonly value: K;
    readonly onChange: (value: K) => void;
  },
) {
  return (
    <Field {...labelled}>
      {(id, describedBy) => (
        <select
          id={id}
          aria-describedby={describedBy}
          value={value}
          onChange={({ currentTarget }) => onChange(currentTarget.value as K)}
        >
          {(Object.entries(options) as [K, string][]).map(([key, name]) => (
            <option key={key} value={key} selected={key === value}>{name}</option>
          ))}
        </select>
      )}
    </Field>
  );
}

/** One of several numbers, and the present one where it is none of them. */
export function NumberField(
  { offered, value, onChange, ...labelled }: Labelled & {
    readonly offered: readonly number[];
    readonly value: number;
    readonly onChange: (value: number) => void;
  },
) {
  const values = offered.includes(value) ? offered : [...offered, value].sort((a, b) => a - b);
  return (
    <Field {...labelled}>
      {(id, describedBy) => (
        <select
          id={id}
          aria-describedby={describedBy}
          value={String(value)}
          onChange={({ currentTarget }) => onChange(Number(currentTarget.value))}
        >
          {values.map((number) => (
            <option key={number} value={String(number)} selected={number === value}>
              {formatNumber(number)}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

/** A number on a slider. */
export function SliderField(
  { min, max, step, value, shown, disabled, onInput, ...labelled }: Labelled & {
    readonly min: number;
    readonly max: number;
    readonly step: number;
    readonly value: number;
    /** The value in words. */
    readonly shown?: string;
    readonly disabled?: boolean;
    readonly onInput: (value: number) => void;
  },
) {
  const words = shown ?? formatNumber(value, 3);
  return (
    <Field {...labelled} output={words}>
      {(id, describedBy) => (
        <input
          id={id}
          type="range"
          aria-describedby={describedBy}
          aria-valuetext={words}
          min={min}
          max={max}
          step={step}
          value={value}
          disabled={disabled}
          onInput={({ currentTarget }) => onInput(currentTarget.valueAsNumber)}
        />
      )}
    </Field>
  );
}

/** A checkbox with its label beside it. */
export function Check(
  { label, checked, onChange }: {
    readonly label: string;
    readonly checked: boolean;
    readonly onChange: (checked: boolean) => void;
  },
) {
  return (
    <label class="check">
      <input
        type="checkbox"
        checked={checked}
        onChange={({ currentTarget }) => onChange(currentTarget.checked)}
      />
      {label}
    </label>
  );
}
