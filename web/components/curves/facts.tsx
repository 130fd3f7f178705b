/**
 * @file A few numbers in a row, each with its name.
 */

/** A number in words, and its name. */
export interface Fact {
  readonly label: string;
  readonly value: string;
  /** A word on what it is to be compared with, below it. */
  readonly note?: string;
}

/** The row, as a list of names and values. */
export function Facts({ facts }: { readonly facts: readonly Fact[] }) {
  return (
    <dl class="facts">
      {facts.map(({ label, value, note }) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd class="tabular">
            {value}
            {note && <small>{note}</small>}
          </dd>
        </div>
      ))}
    </dl>
  );
}
