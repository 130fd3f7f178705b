/** @file One plane of the picture, and what it shows in words. */
import type { ReadonlySignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { useSignal } from "@preact/signals";
import type { LaboratoryPageStore } from "../../laboratory/store_types.ts";
import { describePlane } from "../../pictures/describe.ts";
import { drawPlane, type PlaneCache, planeCache } from "../../pictures/plane_picture.ts";
import { type PictureTheme, planeView } from "../../pictures/view.ts";
import type { FrameLoop } from "./frames.ts";
import { PictureCanvas } from "./picture_canvas.tsx";
import type { PlaneSource } from "./plane_views.ts";

/** The words of a picture change at most so often, in milliseconds. */
const WORDS = 1500;
/** How long trails are, in u: seen behind a particle, and not yet a tangle. */
const TRAIL = 0.18;

interface PlaneProps {
  readonly store: LaboratoryPageStore;
  readonly source: PlaneSource;
  readonly frames: FrameLoop;
  readonly theme: ReadonlySignal<PictureTheme>;
}

/** What a plane is drawn from, as it is now; reads every signal that it depends on. */
function planeInput(store: LaboratoryPageStore, source: PlaneSource) {
  const { pictures, comparing, u, uEnd, dataSamples, extent } = store;
  return {
    choices: { ...pictures.value, compare: comparing.value },
    field: source.field(),
    reference: source.reference(),
    flows: source.flows(),
    shapes: source.shapes,
    u: Math.min(u.value, uEnd.value),
    data: dataSamples.value,
    extent: extent.value,
  };
}

/** Draws a plane on a canvas of any size. */
function drawSource(
  context: CanvasRenderingContext2D,
  props: PlaneProps,
  cache: PlaneCache,
  ratio: number,
): void {
  const { extent, ...input } = planeInput(props.store, props.source);
  const view = planeView(context.canvas, extent, ratio);
  drawPlane(context, { ...input, view, cache, trail: TRAIL }, props.theme.value);
}

/** What a plane shows, in words, at leisure. */
function usePlaneWords({ store, source }: PlaneProps): string {
  const words = useSignal("The plane, before anything is known of it.");
  useEffect(() => {
    const tell = () => {
      if (document.hidden) return;
      words.value = describePlane({ whose: source.whose, ...planeInput(store, source) });
    };
    const timer = setInterval(tell, WORDS);
    return () => clearInterval(timer);
  }, [store, source]);
  return words.value;
}

/** The plane. */
export function PlaneFigure(props: PlaneProps) {
  const { source, frames } = props;
  const cache = useMemo(planeCache, [source]);
  return (
    <figure class="figure lab-plane">
      {source.title && <h3>{source.title}</h3>}
      <PictureCanvas
        frames={frames}
        label={usePlaneWords(props)}
        draw={(context, ratio) => drawSource(context, props, cache, ratio)}
      />
    </figure>
  );
}
