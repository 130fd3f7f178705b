/** @file Keeping what there is: a link, a picture, a run as files; and opening runs again. */
import { type Signal, useSignal } from "@preact/signals";
import { useEffect, useId } from "preact/hooks";
import { errorLine } from "../../laboratory/run_control.ts";
import { fetchPlaneRuns, fetchRun } from "../../laboratory/run_source.ts";
import type { LaboratoryPageStore } from "../../laboratory/store_types.ts";
import type { RunSummary } from "../../runs/run_types.ts";
import { formatCount } from "../curves/numbers.ts";
import { Icon } from "./icons.tsx";
import { openedFiles } from "./opened_files.ts";

interface KeepProps {
  readonly store: LaboratoryPageStore;
  /** The picture that is seen, as PNG. */
  readonly picture: () => Promise<Blob>;
}

/** A name that is a directory's too. */
function runName({ settings, step }: LaboratoryPageStore): string {
  return `${settings.value.data.name}-step-${step.value}`;
}

/** Hands a file to the reader. */
function save(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** The panel. */
export function KeepPanel({ store, picture }: KeepProps) {
  const said = useSignal<string | null>(null);
  const attempt = async (done: string, act: () => Promise<void>) => {
    said.value = null;
    try {
      await act();
      said.value = done;
    } catch (error) {
      store.problem.value = errorLine(error);
    }
  };
  const ready = store.status.value === "ready" && !store.opening.value;
  const name = runName(store);
  const saveRun = async () => {
    const bytes = await store.engine.exportRun(name);
    save(new Blob([bytes as Uint8Array<ArrayBuffer>], { type: "application/zip" }), `${name}.zip`);
  };
  return (
    <section class="panel lab-keep" aria-labelledby="lab-keep-heading">
      <h2 id="lab-keep-heading">Keep and share</h2>
      <div class="row">
        <button
          type="button"
          class="button"
          onClick={() => attempt("The link is copied.", () => copyLink(store))}
        >
          <Icon name="link" />
          Copy link
        </button>
        <button
          type="button"
          class="button"
          onClick={() =>
            attempt("The picture is saved.", async () => save(await picture(), `${name}.png`))}
        >
          <Icon name="picture" />
          Save picture
        </button>
        <button
          type="button"
          class="button"
          disabled={!ready}
          onClick={() =>
            attempt(`Saved ${name}.zip: unzip it, then "vapo sample ${name}".`, saveRun)}
        >
          <Icon name="download" />
          Save run
        </button>
      </div>
      <p class="lab-small muted" role="status">
        {said.value ?? "A link holds settings, drawing, step and view."}
      </p>
      <OpenRun store={store} said={said} />
    </section>
  );
}

async function copyLink(store: LaboratoryPageStore): Promise<void> {
  const opened = store.opened.value, fragment = store.address();
  const query = opened?.served ? `?run=${encodeURIComponent(opened.name)}` : "";
  const link = `${location.origin}${location.pathname}${query}${fragment ? `#${fragment}` : ""}`;
  try {
    await navigator.clipboard.writeText(link);
  } catch {
    throw new Error("the browser does not let this page write to the clipboard: copy the address");
  }
}

function OpenRun(
  { store, said }: { readonly store: LaboratoryPageStore; readonly said: Signal<string | null> },
) {
  const id = useId(), runs = useSignal<readonly RunSummary[]>([]), chosen = useSignal("");
  // A page without its server still trains; then there is nothing to list.
  const list = () =>
    void fetchPlaneRuns((path) => fetch(path)).then((found) => runs.value = found, () => {});
  useEffect(list, []);
  const attempt = (act: () => Promise<void>) =>
    act().then(
      () => said.value = null,
      (error) => store.problem.value = errorLine(error),
    );
  const openFiles = (input: HTMLInputElement) =>
    attempt(async () => {
      const files = [...input.files ?? []];
      // The same file can be chosen again.
      input.value = "";
      if (files.length > 0) await store.openRun(await openedFiles(files));
    });
  const openServed = () =>
    attempt(async () =>
      store.openRun(await fetchRun((path) => fetch(path), chosen.value || runs.value[0].name), true)
    );
  return (
    <details onToggle={({ currentTarget }) => currentTarget.open && list()}>
      <summary>Open a run</summary>
      <div class="lab-open">
        <div class="field">
          <label for={`${id}-files`}>
            A saved run: its .zip, or config.json and state.safetensors
          </label>
          <input
            id={`${id}-files`}
            type="file"
            multiple
            accept=".zip,.json,.jsonl,.safetensors"
            onChange={({ currentTarget }) => openFiles(currentTarget)}
          />
        </div>
        {runs.value.length > 0
          ? (
            <div class="row end">
              <div class="field">
                <label for={`${id}-served`}>A run that "vapo train" has made</label>
                <select
                  id={`${id}-served`}
                  value={chosen.value}
                  onChange={({ currentTarget }) => chosen.value = currentTarget.value}
                >
                  {runs.value.map(({ name, step }) => (
                    <option key={name} value={name}>{`${name}, step ${formatCount(step)}`}</option>
                  ))}
                </select>
              </div>
              <button type="button" class="button" onClick={openServed}>
                <Icon name="open" />
                Open
              </button>
            </div>
          )
          : <p class="muted lab-small">Runs of "vapo train" of points in the plane appear here.</p>}
      </div>
    </details>
  );
}
