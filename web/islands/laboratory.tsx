/**
 * @file The laboratory: a potential is trained in the page, and all that is known of it is seen at
 * once. Made of panels around one state.
 */
import { effect, useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { CompositionPanel } from "../components/composition_panel/composition_panel.tsx";
import { CurvesPanel } from "../components/curves/curves_panel.tsx";
import { ChoicesPanel } from "../components/laboratory/choices_panel.tsx";
import { DataPanel } from "../components/laboratory/data_panel.tsx";
import { frameLoop } from "../components/laboratory/frames.ts";
import { KeepPanel } from "../components/laboratory/keep_panel.tsx";
import { Notices } from "../components/laboratory/notices.tsx";
import { PicturePanel } from "../components/laboratory/picture_panel.tsx";
import { savedPicture } from "../components/laboratory/saved_picture.ts";
import { pageTheme } from "../components/laboratory/theme.ts";
import { DeviceLine, TransportBar } from "../components/laboratory/transport.tsx";
import { MeasuresPanel } from "../components/measures_panel/measures_panel.tsx";
import { SolverPanel } from "../components/solver_panel/solver_panel.tsx";
import { connect } from "../laboratory/connection.ts";
import { type LaboratoryProps, laboratoryStore } from "../laboratory/state.ts";
import type { Connect, LaboratoryPageStore } from "../laboratory/store_types.ts";

/** What answers to the space bar by itself. */
const CONTROLS = "a, button, input, select, textarea, summary, [contenteditable]";

/** Makes the worker, or says in one line why this browser cannot have one. */
const connectHere: Connect = (events) => {
  if (typeof Worker === "undefined" || typeof WebAssembly === "undefined") {
    throw new Error(
      "this browser has no workers or no WebAssembly, and the laboratory trains with both: open the " +
        "page in a current Chrome, Firefox or Safari",
    );
  }
  return connect(events);
};

/** Space trains and pauses, wherever no control has the focus. */
function listenToSpace(store: LaboratoryPageStore): () => void {
  const handle = (event: KeyboardEvent) => {
    const { target } = event;
    if (event.key !== " " || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
    if (target instanceof Element && target.closest(CONTROLS)) return;
    event.preventDefault();
    if (store.playing.peek()) store.pause();
    else if (!store.finished.peek()) store.play();
  };
  document.addEventListener("keydown", handle);
  return () => document.removeEventListener("keydown", handle);
}

/** The page's content. */
export function LaboratoryIsland(props: LaboratoryProps) {
  const store = useMemo(() => laboratoryStore(props, connectHere), []);
  const frames = useMemo(() => frameLoop(() => store.timePlaying.peek(), store.advance), [store]);
  const theme = useMemo(pageTheme, []);
  const stage = useRef<HTMLDivElement>(null);
  const live = useSignal(false);
  useEffect(() => {
    live.value = true;
    store.start();
    const ends = [
      listenToSpace(store),
      effect(() => {
        if (store.timePlaying.value) frames.run();
      }),
    ];
    return () => {
      ends.forEach((end) => end());
      store.close();
    };
  }, [store]);
  return (
    <div class="laboratory" inert={!live.value}>
      <Head store={store} />
      <TransportBar store={store} />
      <div class="lab-middle">
        <Notices store={store} />
        <PicturePanel store={store} frames={frames} theme={theme} stage={stage} />
        <div class="lab-below">
          <CompositionPanel store={store} />
          <KeepPanel
            store={store}
            picture={() => savedPicture(store, stage.current!, theme.peek())}
          />
        </div>
      </div>
      <div class="lab-left">
        <DataPanel store={store} />
        <ChoicesPanel store={store} />
      </div>
      <div class="lab-right">
        <CurvesPanel store={store} />
        <MeasuresPanel store={store} />
        <SolverPanel store={store} />
      </div>
    </div>
  );
}

function Head({ store }: { readonly store: LaboratoryPageStore }) {
  return (
    <div class="lab-head">
      <h1>Watch a potential landscape form, and particles flow through it</h1>
      <p class="muted">
        A network learns one scalar Φ; its gradient carries noise to data.{" "}
        <span class="lab-wide">
          <kbd>Space</kbd> trains and pauses.
        </span>
      </p>
      <DeviceLine store={store} />
    </div>
  );
}
