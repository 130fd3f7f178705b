/**
 * @file The editor of drawn points: sprayed along the way of a mouse, a pen or a finger, or given as
 * numbers. A change is trained on when its stroke has ended.
 */
import { type Signal, useSignal } from "@preact/signals";
import { useEffect, useId, useRef } from "preact/hooks";
import type { ToyName } from "../../../core/data/toy.ts";
import { toyLabels } from "../../laboratory/choices.ts";
import {
  BOUND,
  erased,
  MAX_POINTS,
  parsePoints,
  type Point,
  pointCount,
  sprayed,
} from "../../laboratory/drawing.ts";
import type { LaboratoryPageStore, Stroke } from "../../laboratory/store_types.ts";
import { planeView, toCanvas, toPlane } from "../../pictures/view.ts";
import { Choice } from "../curves/choice.tsx";
import { pageTheme } from "./theme.ts";
import { thumbnailPoints } from "./thumbnails.ts";

/** The least distance of two points of a stroke, and the eraser's reach, in data units. */
const SPACING = 0.22, ERASER = 0.35;
/** Points that a copy of a distribution has. */
const COPIED = 200;
/** Drawings that can be gone back to. */
const HISTORY = 60;
/** Half the side of the editor's square. */
const EXTENT = 5;

type Tool = "draw" | "erase";

/** The editor. */
export function DrawingEditor({ store }: { readonly store: LaboratoryPageStore }) {
  const tool = useSignal<Tool>("draw");
  const past = useSignal<readonly (readonly Stroke[])[]>([]);
  const strokes = store.strokes.value, count = pointCount(strokes);
  const put = (next: readonly Stroke[]) => {
    past.value = [...past.value.slice(1 - HISTORY), strokes];
    store.draw(next);
  };
  const undo = () => {
    const before = past.value.at(-1);
    if (!before) return;
    past.value = past.value.slice(0, -1);
    store.draw(before);
  };
  return (
    <div class="lab-editor">
      <EditorCanvas store={store} tool={tool} put={put} />
      <div class="row lab-tools">
        <Choice
          name="lab-tool"
          legend="Pointer"
          options={{ draw: "Draw", erase: "Erase" }}
          value={tool.value}
          onChange={(value) => tool.value = value}
        />
        <button type="button" class="button" disabled={past.value.length === 0} onClick={undo}>
          Undo
        </button>
        <button type="button" class="button" disabled={count === 0} onClick={() => put([])}>
          Clear
        </button>
      </div>
      <p class="lab-small muted" role="status">
        {count === 0
          ? "Draw at least one point to train on."
          : `${count} of at most ${MAX_POINTS} points.`}
      </p>
      <CopyOf put={put} />
      <Coordinates strokes={strokes} put={put} />
    </div>
  );
}

interface EditProps {
  readonly put: (strokes: readonly Stroke[]) => void;
}

function CopyOf({ put }: EditProps) {
  const id = useId(), name = useSignal<ToyName>("2moons");
  return (
    <div class="row end">
      <div class="field">
        <label for={id}>Start from a copy</label>
        <select
          id={id}
          value={name.value}
          onChange={({ currentTarget }) => name.value = currentTarget.value as ToyName}
        >
          {Object.entries(toyLabels).map(([key, label]) => (
            <option key={key} value={key} selected={key === name.value}>{label}</option>
          ))}
        </select>
      </div>
      <button
        type="button"
        class="button"
        onClick={() => put([{ points: thumbnailPoints(name.value, COPIED), weight: 1 }])}
      >
        Copy
      </button>
    </div>
  );
}

function Coordinates({ strokes, put }: EditProps & { readonly strokes: readonly Stroke[] }) {
  const id = useId(), x = useSignal("0"), y = useSignal("0");
  const text = useSignal<string | null>(null), problem = useSignal<string | null>(null);
  const written = strokes.flatMap(({ points }) =>
    points.map(([x, y]) => `${short(x)}, ${short(y)}`)
  )
    .join("\n");
  const take = (source: string, keep: readonly Stroke[]) => {
    const read = parsePoints(source);
    const room = MAX_POINTS - pointCount(keep);
    if ("problem" in read) problem.value = read.problem;
    else if (read.points.length > room) {
      problem.value = `${read.points.length} more points: there is room for ${room}`;
    } else {
      problem.value = null;
      text.value = null;
      put([...keep, { points: read.points, weight: 1 }]);
    }
  };
  const coordinate = (name: string, value: Signal<string>) => (
    <div class="field">
      <label for={`${id}-${name}`}>{name}</label>
      <input
        id={`${id}-${name}`}
        class="lab-coordinate"
        type="number"
        min={-BOUND}
        max={BOUND}
        step={0.1}
        value={value.value}
        onInput={({ currentTarget }) => value.value = currentTarget.value}
      />
    </div>
  );
  return (
    <details>
      <summary>Points as numbers</summary>
      <div class="lab-coordinates">
        <div class="row end">
          {coordinate("x", x)}
          {coordinate("y", y)}
          <button
            type="button"
            class="button"
            onClick={() => take(`${x.value}, ${y.value}`, strokes)}
          >
            Add point
          </button>
        </div>
        <div class="field">
          <label for={`${id}-all`}>All points, one a line</label>
          <textarea
            id={`${id}-all`}
            rows={6}
            spellcheck={false}
            value={text.value ?? written}
            onInput={({ currentTarget }) => text.value = currentTarget.value}
          />
        </div>
        <button
          type="button"
          class="button"
          disabled={text.value === null}
          onClick={() => take(text.value ?? "", [])}
        >
          Take these points
        </button>
        {problem.value && <p class="notice bad" role="alert">{problem.value}</p>}
      </div>
    </details>
  );
}

function short(value: number): string {
  return String(Math.round(value * 1000) / 1000);
}

function EditorCanvas(
  { store, tool, put }: EditProps & {
    readonly store: LaboratoryPageStore;
    readonly tool: Signal<Tool>;
  },
) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const draft = useSignal<readonly Stroke[] | null>(null), last = useRef<Point | null>(null);
  const theme = pageTheme(), strokes = draft.value ?? store.strokes.value;
  useEffect(() => {
    const element = canvas.current!;
    const paint = () => paintPoints(element, strokes, theme.value);
    paint();
    const observer = new ResizeObserver(paint);
    observer.observe(element);
    return () => observer.disconnect();
  }, [strokes, theme.value]);

  const extend = (to: Point) => {
    const before = draft.value;
    if (!before) return;
    if (tool.value === "erase") {
      draft.value = erased(before, to, ERASER);
      return;
    }
    const added = sprayed(last.current, to, SPACING, MAX_POINTS - pointCount(before));
    if (added.length === 0) return;
    const stroke = last.current ? before.at(-1)! : { points: [], weight: 1 };
    const rest = last.current ? before.slice(0, -1) : before;
    last.current = added.at(-1)!;
    draft.value = [...rest, { ...stroke, points: [...stroke.points, ...added] }];
  };
  const at = (event: PointerEvent): Point => {
    const { left, top, width, height } = canvas.current!.getBoundingClientRect();
    return toPlane(planeView({ width, height }, EXTENT), event.clientX - left, event.clientY - top);
  };
  const end = () => {
    const drawn = draft.value;
    draft.value = null;
    last.current = null;
    if (drawn) put(drawn);
  };
  return (
    <canvas
      ref={canvas}
      class={`lab-editor-canvas ${tool.value}`}
      role="img"
      aria-label={`Drawing of ${
        pointCount(strokes)
      } points; draw with a pointer, or give points as numbers below.`}
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        draft.value = store.strokes.value;
        extend(at(event));
      }}
      onPointerMove={(event) => {
        if (!draft.value) return;
        const passed = event.getCoalescedEvents?.() ?? [];
        (passed.length > 0 ? passed : [event]).forEach((one) => extend(at(one)));
      }}
      onPointerUp={end}
      onPointerCancel={end}
    />
  );
}

/** The prior's circles, axes and the points, which are the larger the more they weigh. */
function paintPoints(
  canvas: HTMLCanvasElement,
  strokes: readonly Stroke[],
  { background, ink, faint, accent }: ReturnType<typeof pageTheme>["value"],
): void {
  const ratio = devicePixelRatio || 1, context = canvas.getContext("2d");
  if (!context || canvas.clientWidth === 0) return;
  canvas.width = Math.round(canvas.clientWidth * ratio);
  canvas.height = Math.round(canvas.clientHeight * ratio);
  const view = planeView(canvas, EXTENT, ratio), [x0, y0] = toCanvas(view, 0, 0);
  context.fillStyle = background;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.strokeStyle = faint;
  context.lineWidth = ratio;
  context.beginPath();
  context.moveTo(0, y0);
  context.lineTo(canvas.width, y0);
  context.moveTo(x0, 0);
  context.lineTo(x0, canvas.height);
  for (const radius of [1, 2]) {
    const size = toCanvas(view, radius, 0)[0] - x0;
    context.moveTo(x0 + size, y0);
    context.arc(x0, y0, size, 0, 2 * Math.PI);
  }
  context.stroke();
  context.fillStyle = accent;
  context.strokeStyle = ink;
  for (const { points, weight } of strokes) {
    const radius = 3.2 * ratio * Math.sqrt(Math.min(Math.max(weight, 0.1), 4));
    for (const [x, y] of points) {
      context.beginPath();
      context.arc(...toCanvas(view, x, y), radius, 0, 2 * Math.PI);
      context.fill();
    }
  }
}
