/** @file The page of the laboratory, `/`. */
import type { VNode } from "preact";
import { toyNames } from "../../core/data/toy.ts";
import { Island } from "../components/island.tsx";
import { Layout } from "../components/layout.tsx";
import { LaboratoryIsland } from "../islands/laboratory.tsx";
import type { Presets } from "../laboratory/address.ts";
import { defaultSettings } from "../laboratory/settings_config.ts";

/** The settings of every distribution of the plane, by its name. */
function presets(): Presets {
  return Object.fromEntries(toyNames.map((name) => [name, defaultSettings(name)])) as Presets;
}

/** The page, to be rendered by the server. */
export function laboratoryPage(): VNode {
  return (
    <Layout
      title="vapo: potential flows, live"
      description="Train a potential in the page and watch particles flow through its landscape."
      current="laboratory"
      styles={["/static/panels.css", "/static/laboratory.css"]}
    >
      <noscript>
        <p class="notice">
          The laboratory trains in this page and needs JavaScript; what is below does not answer
          without it.
        </p>
      </noscript>
      <Island name="laboratory" component={LaboratoryIsland} props={{ presets: presets() }} />
    </Layout>
  );
}
