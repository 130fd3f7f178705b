/** @file The picture: the planes side by side, the landscape, and the time that drives them. */
import { type ReadonlySignal, useComputed } from "@preact/signals";
import type { RefObject } from "preact";
import type { LaboratoryPageStore } from "../../laboratory/store_types.ts";
import type { PictureTheme } from "../../pictures/view.ts";
import type { FrameLoop } from "./frames.ts";
import { PictureChoiceRow } from "./picture_choices.tsx";
import { PlaneFigure } from "./plane_figure.tsx";
import { planeSources } from "./plane_views.ts";
import { ReliefFigure } from "./relief_figure.tsx";
import { TimeSlider } from "./time_slider.tsx";

interface PictureProps {
  readonly store: LaboratoryPageStore;
  readonly frames: FrameLoop;
  readonly theme: ReadonlySignal<PictureTheme>;
  /** Around the canvases, for what saves them. */
  readonly stage: RefObject<HTMLDivElement | null>;
}

/** The panel. */
export function PicturePanel({ stage, ...shared }: PictureProps) {
  const { store } = shared, relief = store.pictures.value.relief;
  const sources = useComputed(() => planeSources(store)).value;
  const count = sources.length + (relief ? 1 : 0);
  return (
    <section class="panel lab-picture" aria-labelledby="lab-picture-heading">
      <h2 id="lab-picture-heading" class="visually-hidden">Picture</h2>
      <div class={`lab-stage planes-${count}`} ref={stage}>
        {sources.map((source) => <PlaneFigure key={source.key} source={source} {...shared} />)}
        {relief && <ReliefFigure {...shared} />}
      </div>
      <TimeSlider store={store} />
      <PictureChoiceRow store={store} />
    </section>
  );
}
