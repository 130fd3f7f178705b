/** @file The panel of data: which distribution, how noisy, how its parts are weighted, or a drawing. */
import { useRef } from "preact/hooks";
import type { ToyName } from "../../../core/data/toy.ts";
import { reasons, toyLabels } from "../../laboratory/choices.ts";
import type { LaboratoryData } from "../../laboratory/settings.ts";
import type { LaboratoryPageStore, Stroke } from "../../laboratory/store_types.ts";
import { formatNumber } from "../curves/numbers.ts";
import { RestartMark, SliderField } from "./controls.tsx";
import { DrawingEditor } from "./drawing_editor.tsx";
import { dotPath, firstDrawing, thumbnailPoints } from "./thumbnails.ts";

type DataName = LaboratoryData["name"];

/** The most weights that have a slider each. */
const MAX_SLIDERS = 25;

const pictures: readonly (readonly [DataName, string, string])[] = [
  ...(Object.entries(toyLabels) as [ToyName, string][]).map(([name, label]) =>
    [name, label, dotPath(thumbnailPoints(name, name === "25gaussians" ? 150 : 120))] as const
  ),
  ["points", "Draw your own", dotPath(firstDrawing().flat())],
];

/** The panel. */
export function DataPanel({ store }: { readonly store: LaboratoryPageStore }) {
  const { data } = store.settings.value;
  return (
    <section class="panel lab-data" aria-labelledby="lab-data-heading">
      <h2 id="lab-data-heading">Data</h2>
      <DataChoice store={store} chosen={data.name} />
      {data.name === "points" && <DrawingEditor store={store} />}
      <Noise store={store} />
      <Weights store={store} />
    </section>
  );
}

function DataChoice(
  { store, chosen }: { readonly store: LaboratoryPageStore; readonly chosen: DataName },
) {
  return (
    <fieldset class="lab-distributions">
      <legend>
        Distribution <RestartMark />
      </legend>
      {pictures.map(([name, label, path]) => (
        <label key={name} class="lab-distribution">
          <input
            type="radio"
            name="lab-data"
            value={name}
            checked={name === chosen}
            onChange={() => choose(store, name)}
          />
          <svg viewBox="-5 -5 10 10" aria-hidden="true">
            <path d={path} />
          </svg>
          <span>{label}</span>
        </label>
      ))}
    </fieldset>
  );
}

function choose(store: LaboratoryPageStore, name: DataName): void {
  if (name === "points") {
    store.draw(firstDrawing().map((points) => ({ points, weight: 1 })));
  } else {
    store.change({ data: { name, noise: null, weights: null, points: null } });
  }
}

function Noise({ store }: { readonly store: LaboratoryPageStore }) {
  const { data } = store.settings.value, facts = store.facts.value, own = facts?.noise ?? 0;
  const noise = data.noise ?? own;
  const set = (noise: number | null) => store.change({ data: { ...data, noise } });
  return (
    <div class="lab-noise">
      <SliderField
        label="Noise"
        reason={reasons.noise}
        restarts
        min={own === 0 ? 0 : 0.02}
        // An address or a run may have more than most would want to choose.
        max={noise > 1 ? 4 : 1}
        step={0.01}
        value={noise}
        shown={data.noise !== null
          ? undefined
          : facts
          ? `${formatNumber(own, 3)}, its own`
          : "its own"}
        onInput={set}
      />
      <button
        type="button"
        class="button quiet"
        hidden={data.noise === null}
        onClick={() => set(null)}
      >
        Back to its own noise
      </button>
    </div>
  );
}

/** Something that has a weight. */
interface Weighted {
  readonly name: string;
  readonly weight: number;
}

function Weights({ store }: { readonly store: LaboratoryPageStore }) {
  const { data } = store.settings.value, strokes = store.strokes.value;
  const drawn = data.name === "points";
  const known = useRef<Components>({ of: null, names: [] });
  const parts: Weighted[] = drawn
    ? strokes.map(({ points, weight }, i) => ({
      name: `Stroke ${i + 1} (${points.length} point${points.length === 1 ? "" : "s"})`,
      weight,
    }))
    : componentsOf(store, known).map((name, i) => ({
      name,
      weight: data.weights?.[i] ?? 1,
    }));
  if (parts.length < 2) return null;
  const set = (i: number, weight: number) => {
    const weights = parts.map((part, j) => i === j ? weight : part.weight);
    if (!weights.some((value) => value > 0)) return;
    if (drawn) store.draw(withWeights(strokes, weights));
    else {store.change({
        data: {
          ...data,
          weights: weights.every((w) => w === 1) ? null : weights,
        },
      });}
  };
  return (
    <details class="lab-weights">
      <summary>
        Weights of {parts.length} {drawn ? "strokes" : "components"} <RestartMark />
      </summary>
      {parts.length > MAX_SLIDERS && (
        <p class="muted">The first {MAX_SLIDERS} can be weighted here.</p>
      )}
      <div class="lab-sliders">
        {parts.slice(0, MAX_SLIDERS).map(({ name, weight }, i) => (
          <SliderField
            key={i}
            label={name}
            min={isLast(parts, i) ? 0.1 : 0}
            max={4}
            step={0.1}
            value={weight}
            onInput={(value) => set(i, value)}
          />
        ))}
      </div>
    </details>
  );
}

/** What a distribution is made of. */
interface Components {
  readonly of: DataName | null;
  readonly names: readonly string[];
}

/** The components of the data that are chosen; none while their run is opened, which knows them. */
function componentsOf(
  { facts, opening, settings }: LaboratoryPageStore,
  known: { current: Components },
): readonly string[] {
  const { name } = settings.value.data;
  if (facts.value && !opening.value) known.current = { of: name, names: facts.value.components };
  return known.current.of === name ? known.current.names : [];
}

/** Whether all others weigh nothing: then this one has to weigh something. */
function isLast(parts: readonly Weighted[], i: number): boolean {
  return parts.every(({ weight }, j) => i === j || weight === 0);
}

function withWeights(strokes: readonly Stroke[], weights: readonly number[]): Stroke[] {
  return strokes.map((stroke, i) => ({ ...stroke, weight: weights[i] }));
}
