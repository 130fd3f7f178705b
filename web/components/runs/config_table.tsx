/**
 * @file A run's configuration section by section, and where it differs from its preset.
 */
import type { RunConfig } from "../../../core/train/config.ts";

/** Keys with dots, and the preset's values as JSON. */
export type PresetDifferences = Readonly<Record<string, string>>;

/** A configuration and its differences. */
export interface ConfigTableProps {
  readonly config: RunConfig;
  /** null where the preset is not known. */
  readonly differences: PresetDifferences | null;
}

/** A heading and the values below it. */
export interface ConfigSection {
  readonly title: string;
  /** Keys with dots. */
  readonly rows: readonly { readonly key: string; readonly name: string; readonly value: string }[];
}

/** The sections of a configuration; what is in none comes first, as "run". */
export function configSections(config: RunConfig): ConfigSection[] {
  const own: ConfigSection["rows"][number][] = [];
  const sections: ConfigSection[] = [];
  for (const [title, value] of Object.entries(config)) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      own.push({ key: title, name: title, value: valueText(value) });
      continue;
    }
    const rows = Object.entries(value).map(([name, inner]) => ({
      key: `${title}.${name}`,
      name,
      value: valueText(inner),
    }));
    sections.push({ title, rows });
  }
  return own.length === 0 ? sections : [{ title: "run", rows: own }, ...sections];
}

/** What is found out or chosen when a run starts: no difference that anybody has made. */
const resolved = [
  ...["device", "preset", "seed"],
  ...["data.checksum", "data.directory", "data.placement"],
];

/** Where a configuration differs from its preset's. */
export function presetDifferences(config: RunConfig, preset: RunConfig): PresetDifferences {
  const values = flat(config), original = flat(preset);
  return Object.fromEntries(
    [...values].filter(([key, value]) => !resolved.includes(key) && original.get(key) !== value)
      .map(([key]) => [key, original.get(key) ?? "not there"]),
  );
}

function flat(config: RunConfig): Map<string, string> {
  return new Map(
    configSections(config).flatMap(({ rows }) =>
      rows.map(({ key, value }) => [key, value] as const)
    ),
  );
}

function valueText(value: unknown): string {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.map(valueText).join(", ");
  return value === null ? "–" : JSON.stringify(value) ?? "–";
}

/** The tables, and the whole as JSON under a fold. */
export function ConfigTable({ config, differences }: ConfigTableProps) {
  const count = Object.keys(differences ?? {}).length;
  return (
    <section class="panel run-config" aria-labelledby="config-heading">
      <h2 id="config-heading">Configuration</h2>
      {differences && (
        <p class="muted">
          {count === 0
            ? `As preset ${config.preset} has it.`
            : `Preset ${config.preset} with ${count} change${count === 1 ? "" : "s"}, marked.`}
        </p>
      )}
      <div class="config-sections">
        {configSections(config).map(({ title, rows }) => (
          <table class="plain config-section" key={title}>
            <caption>{title}</caption>
            <tbody>
              {rows.map(({ key, name, value }) => {
                const original = differences?.[key];
                return (
                  <tr key={key} class={original === undefined ? undefined : "differs"}>
                    <th scope="row">{name}</th>
                    <td class="tabular">
                      {value}
                      {original !== undefined && (
                        <span class="preset-value">changed from {original}</span>
                      )}
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        ))}
      </div>
      <details class="fold">
        <summary>config.json</summary>
        <pre class="json" tabIndex={0}><code>{JSON.stringify(config, null, 2)}</code></pre>
      </details>
    </section>
  );
}
