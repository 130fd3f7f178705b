/**
 * @file A flow from noise to samples at one time, drawn: images as a grid of large pixels, points of
 * the plane as particles with the way that they have come.
 */
import { effect, type ReadonlySignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { type PlaneView, planeView, toCanvas } from "../../pictures/view.ts";
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
  const extent = flowExtent(flow);
  const draw = (time: number) => {
    const ratio = globalThis.devicePixelRatio || 1;
    const side = Math.round(canvas.clientWidth * ratio);
    if (canvas.width !== side || canvas.height !== side) canvas.width = canvas.height = side;
    drawParticles(context, planeView(canvas, extent, ratio), flow, time, pageColors(canvas));
  };
  const stop = effect(() => draw(u.value));
  const again = () => draw(u.peek());
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

interface PageColors {
  readonly line: string;
  readonly muted: string;
  readonly accent: string;
}

function pageColors(element: Element): PageColors {
  const style = getComputedStyle(element);
  const color = (token: string) => style.getPropertyValue(token).trim();
  return { line: color("--line"), muted: color("--muted"), accent: color("--accent") };
}

/** How far back a particle's trail goes, as a share of the whole time. */
const trail = 0.12;

function drawParticles(
  context: CanvasRenderingContext2D,
  view: PlaneView,
  flow: FlowFrames,
  u: number,
  colors: PageColors,
): void {
  const { ratio } = view;
  context.clearRect(0, 0, context.canvas.width, context.canvas.height);
  drawAxes(context, view, colors);
  const time = Math.min(u, flowEnd(flow));
  const now = samplesAt(flow, time);
  const back = [0.33, 0.66, 1].map((share) =>
    samplesAt(flow, Math.max(0, time - share * trail * flowEnd(flow)))
  );
  context.strokeStyle = context.fillStyle = colors.accent;
  context.lineWidth = ratio;
  context.globalAlpha = 0.22;
  context.beginPath();
  for (let i = 0; i < now.length; i += 2) {
    context.moveTo(...toCanvas(view, now[i], now[i + 1]));
    for (const then of back) context.lineTo(...toCanvas(view, then[i], then[i + 1]));
  }
  context.stroke();
  context.globalAlpha = 0.85;
  const size = 2.4 * ratio;
  for (let i = 0; i < now.length; i += 2) {
    const [x, y] = toCanvas(view, now[i], now[i + 1]);
    context.fillRect(x - size / 2, y - size / 2, size, size);
  }
  context.globalAlpha = 1;
}

/** A light grid at whole numbers that are not too many, labelled along the edges. */
function drawAxes(context: CanvasRenderingContext2D, view: PlaneView, colors: PageColors): void {
  const { extent, left, top, side, ratio } = view;
  const step = [0.5, 1, 2, 5, 10, 20, 50, 100].find((each) => extent / each <= 3) ?? extent / 3;
  context.strokeStyle = colors.line;
  context.lineWidth = ratio;
  context.fillStyle = colors.muted;
  context.font = `${11 * ratio}px system-ui, sans-serif`;
  for (let k = -Math.floor(extent / step); k * step <= extent; k++) {
    const [x, y] = toCanvas(view, k * step, k * step);
    context.beginPath();
    context.moveTo(x, top);
    context.lineTo(x, top + side);
    context.moveTo(left, y);
    context.lineTo(left + side, y);
    context.stroke();
    const label = String(k * step).replace("-", "−");
    context.fillText(label, x + 3 * ratio, top + side - 4 * ratio);
    if (k !== 0) context.fillText(label, left + 3 * ratio, y - 3 * ratio);
  }
}
