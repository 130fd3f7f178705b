/** @file Φ as a landscape, turned by dragging it or by its two sliders. */
import { type ReadonlySignal, useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import type { LaboratoryPageStore } from "../../laboratory/store_types.ts";
import { positionsAt } from "../../pictures/particles.ts";
import { drawRelief } from "../../pictures/relief.ts";
import type { PictureTheme } from "../../pictures/view.ts";
import { SliderField } from "./controls.tsx";
import type { FrameLoop } from "./frames.ts";
import { PictureCanvas } from "./picture_canvas.tsx";

interface ReliefProps {
  readonly store: LaboratoryPageStore;
  readonly frames: FrameLoop;
  readonly theme: ReadonlySignal<PictureTheme>;
}

/** Degrees of turning and tilting a CSS pixel that is dragged. */
const DRAG = 0.5;
const LOWEST = 5, HIGHEST = 85;

function radians(degrees: number): number {
  return degrees * Math.PI / 180;
}

/** From −180 up to 180. */
function wrapped(degrees: number): number {
  return ((degrees + 180) % 360 + 360) % 360 - 180;
}

/** The landscape. */
export function ReliefFigure({ store, frames, theme }: ReliefProps) {
  const turn = useSignal(-30), tilt = useSignal(42);
  const last = useRef<{ x: number; y: number } | null>(null);
  const draw = (context: CanvasRenderingContext2D, ratio: number) => {
    const field = store.field.value, flow = store.flow.value;
    const { width, height } = context.canvas;
    context.clearRect(0, 0, width, height);
    if (!field) return;
    const u = Math.min(store.u.value, store.uEnd.value);
    const particles = store.pictures.value.particles && flow ? positionsAt(flow, u) : undefined;
    drawRelief(context, field, {
      yaw: radians(turn.value),
      pitch: radians(tilt.value),
      theme: theme.value,
      size: { width, height, ratio },
      particles,
    });
  };
  const drag = ({ clientX: x, clientY: y }: PointerEvent) => {
    if (!last.current) return;
    turn.value = Math.round(wrapped(turn.value + (x - last.current.x) * DRAG));
    const tilted = tilt.value + (y - last.current.y) * DRAG;
    tilt.value = Math.round(Math.min(Math.max(tilted, LOWEST), HIGHEST));
    last.current = { x, y };
  };
  return (
    <figure class="figure lab-plane lab-relief">
      <h3>Landscape of Φ</h3>
      <PictureCanvas
        frames={frames}
        label={`Landscape of the potential, turned by ${turn.value} and tilted by ${tilt.value} ` +
          "degrees; drag it or use the sliders below."}
        draw={draw}
        onPointerDown={(event) => {
          (event.currentTarget as Element).setPointerCapture(event.pointerId);
          last.current = { x: event.clientX, y: event.clientY };
        }}
        onPointerMove={drag}
        onPointerUp={() => last.current = null}
      />
      <figcaption class="lab-turning">
        <SliderField
          label="Turn"
          min={-180}
          max={180}
          step={1}
          value={turn.value}
          shown={`${turn.value}°`.replace("-", "−")}
          onInput={(value) => turn.value = value}
        />
        <SliderField
          label="Tilt"
          min={LOWEST}
          max={HIGHEST}
          step={1}
          value={tilt.value}
          shown={`${tilt.value}°`}
          onInput={(value) => tilt.value = value}
        />
      </figcaption>
    </figure>
  );
}
