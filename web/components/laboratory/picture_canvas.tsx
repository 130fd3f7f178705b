/**
 * @file A canvas that fills its place at the screen's own resolution and is drawn again, in the page's
 * loop of frames, whenever a signal that its drawing reads has changed.
 */
import { effect, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { FrameLoop } from "./frames.ts";

/** More device pixels a CSS pixel cost time and cannot be seen. */
const MAX_RATIO = 2;

/** A drawing; it reads every signal that it depends on. */
export type Draw = (context: CanvasRenderingContext2D, ratio: number) => void;

/** What a canvas is given. */
export interface PictureCanvasProps {
  readonly frames: FrameLoop;
  readonly draw: Draw;
  /** What is seen, in words. */
  readonly label: string;
  readonly class?: string;
  readonly onPointerDown?: (event: PointerEvent) => void;
  readonly onPointerMove?: (event: PointerEvent) => void;
  readonly onPointerUp?: (event: PointerEvent) => void;
}

/** Keeps a canvas as large as its place; calls back whenever its size has changed. */
function followSize(canvas: HTMLCanvasElement, changed: (ratio: number) => void): () => void {
  const fit = () => {
    const ratio = Math.min(devicePixelRatio || 1, MAX_RATIO);
    const width = Math.round(canvas.clientWidth * ratio);
    const height = Math.round(canvas.clientHeight * ratio);
    if (width === 0 || height === 0) return;
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    changed(ratio);
  };
  const observer = new ResizeObserver(fit);
  observer.observe(canvas);
  fit();
  return () => observer.disconnect();
}

/** The canvas. */
export function PictureCanvas({ frames, draw, label, ...rest }: PictureCanvasProps) {
  const own = useRef<HTMLCanvasElement>(null);
  const drawing = useRef(draw);
  drawing.current = draw;
  useEffect(() => {
    const canvas = own.current!, context = canvas.getContext("2d");
    if (!context) return;
    const size = signal({ ratio: 0 });
    let endEffect = () => {};
    // The effect draws and so learns what the drawing depends on; a change only asks for a frame.
    const item = frames.add(() => {
      endEffect();
      let first = true;
      endEffect = effect(() => {
        const { ratio } = size.value;
        if (!first) {
          item.invalidate();
          return;
        }
        first = false;
        if (ratio > 0) drawing.current(context, ratio);
      });
    });
    const endSize = followSize(canvas, (ratio) => {
      size.value = { ratio };
      item.invalidate();
    });
    return () => {
      endSize();
      endEffect();
      item.remove();
    };
  }, [frames]);
  return <canvas ref={own} role="img" aria-label={label} {...rest} />;
}
