/**
 * @file One of a few: radio buttons that look like joined buttons; some may be unavailable, for a reason.
 */

/** What there is to choose from. */
export interface ChoiceProps<K extends string> {
  /** Of the radio buttons: no other group of the page has it. */
  readonly name: string;
  /** What is chosen: the group's name for people. */
  readonly legend: string;
  /** Whether that is above the buttons (the default), before them, or for screen readers alone. */
  readonly placed?: "above" | "before" | "hidden";
  /** What each is called, by key. */
  readonly options: Readonly<Partial<Record<K, string>>>;
  readonly value: K;
  /** Why some cannot be chosen now. */
  readonly unavailable?: { readonly [key in K]?: string };
  readonly onChange: (value: K) => void;
}

/** The radio buttons. */
export function Choice<K extends string>(
  { name, legend, placed = "above", options, value, unavailable, onChange }: ChoiceProps<K>,
) {
  return (
    <fieldset class={`segments choice-${placed}`}>
      <legend class={placed === "hidden" ? "visually-hidden" : undefined}>{legend}</legend>
      {(Object.entries(options) as [K, string][]).map(([key, label]) => (
        <label key={key} title={unavailable?.[key]}>
          <input
            type="radio"
            name={name}
            value={key}
            checked={key === value}
            disabled={unavailable?.[key] !== undefined}
            onChange={() =>
              onChange(key)}
          />
          {label}
        </label>
      ))}
    </fieldset>
  );
}
