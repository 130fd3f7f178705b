/**
 * @file A flow from noise to samples at one time, drawn: images as a grid of large pixels, points of
 * the plane as particles with the way that they have come.
 */
import { effect, type ReadonlySignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Flow } from "../../laboratory/engine_types.ts";
import type { PictureChoices } from "../../laboratory/store_types.ts";
import { drawPlane, planeCache } from "../../pictures/plane_picture.ts";
import { pictureTheme } from "../../pictures/theme.ts";
import { planeView } from "../../pictures/view.ts";
import { flowEnd, flowExtent, type FlowFrames, imagePixels, samplesAt } from "./flow_frames.ts";

/** What is drawn, and when it is. */
export interface FlowCanvasProps {
  readonly flow: FlowFrames;
  /** The time; beyond the flow's end it stays there. */
  readonly u: ReadonlySignal<number>;
  /** Whose flow it is. */
  readonly name: string;
  /** What a screen reader is told of the time: not as often as it changes. */
  readonly told: string;
}

/** A canvas that follows the time by itself, without anything being rendered anew. */
export function FlowCanvas({ flow, u, name, told }: FlowCanvasProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const isPlane = flow.sampleShape.length === 1;
  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    return isPlane ? followPlane(element, flow, u) : followImages(element, flow, u);
  }, [flow]);
  const what = isPlane
    ? `${flow.n.toLocaleString("en")} particles in the plane`
    : flow.n === 1
    ? "One image"
    : `${flow.n} images`;
  return (
    <canvas
      ref={canvas}
      class={isPlane ? "flow-canvas plane" : "flow-canvas images"}
      role="img"
      aria-label={`${what} of ${name} on the way from noise to samples, ${told}`}
    />
  );
}

function followImages(
  canvas: HTMLCanvasElement,
  flow: FlowFrames,
  u: ReadonlySignal<number>,
): () => void {
  const context = canvas.getContext("2d");
  if (!context) return () => {};
  return effect(() => {
    const { width, height, data } = imagePixels(samplesAt(flow, u.value), flow.n, flow.sampleShape);
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    context.putImageData(new ImageData(data, width, height), 0, 0);
  });
}

function followPlane(
  canvas: HTMLCanvasElement,
  flow: FlowFrames,
  u: ReadonlySignal<number>,
): () => void {
  const context = canvas.getContext("2d");
  if (!context) return () => {};
  const extent = flowExtent(flow), end = flowEnd(flow);
  const flows = [laboratoryFlow(flow)];
  const cache = planeCache();
  let theme = pictureTheme(canvas);
  const draw = (time: number) => {
    const ratio = globalThis.devicePixelRatio || 1;
    const side = Math.round(canvas.clientWidth * ratio);
    if (side === 0) return;
    if (canvas.width !== side || canvas.height !== side) canvas.width = canvas.height = side;
    const view = planeView(canvas, extent, ratio);
    const input = { view, cache, flows, choices: particlesAlone, field: null, legend: false };
    drawPlane(context, { ...input, u: Math.min(time, end), trail: trailShare * end }, theme);
  };
  const stop = effect(() => draw(u.value));
  const again = () => {
    theme = pictureTheme(canvas);
    draw(u.peek());
  };
  const observer = new ResizeObserver(again);
  observer.observe(canvas);
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  scheme.addEventListener("change", again);
  return () => {
    stop();
    observer.disconnect();
    scheme.removeEventListener("change", again);
  };
}

/** How far back trails go, as a share of the whole time. */
const trailShare = 0.14;

/** What is drawn of the plane: no field is known here. */
const particlesAlone: PictureChoices = {
  field: "none",
  contours: false,
  velocity: "none",
  particles: true,
  data: false,
  trails: true,
  compare: "learned",
  relief: false,
};

/** A flow of the plane as the laboratory's pictures take it. */
function laboratoryFlow({ n, times, values }: FlowFrames): Flow {
  return {
    subject: { kind: "learned" },
    step: 0,
    n,
    times: Float32Array.from(times),
    positions: values,
    evaluations: 0,
    hessianProducts: 0,
    milliseconds: 0,
  };
}
