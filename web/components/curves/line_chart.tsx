/**
 * @file A chart of curves over a common axis: a title, a canvas with its legend, and the same in words
 * and as a table. On the server it is a title and an empty box of the height that it will have.
 */
import { type ReadonlySignal, type Signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { allPositive, type ChartSeries, nearestPoint, sampledRows } from "./chart_data.ts";
import { isOpenMarker, lookOf, markerPath } from "./chart_marks.ts";
import { type ChartPlot, openPlot, type PlotModel } from "./chart_plot.ts";
import { describeChart } from "./chart_words.ts";
import { formatNumber, formatPosition } from "./numbers.ts";

export type { ChartSeries, Marker } from "./chart_data.ts";

/** What a chart shows. */
export interface LineChartProps {
  /** A few words. */
  readonly title: string;
  /** What is to be known to read it: a sentence below the title. */
  readonly description?: string;
  /** Two are told apart by dashes or markers as well as by colour. */
  readonly series: readonly ChartSeries[];
  /** What the horizontal axis is: "step". */
  readonly xLabel: string;
  /** What the vertical axis is, with its unit: "nats". */
  readonly yLabel: string;
  /** Logarithmic axes (default false), where all that is shown is positive; else linear ones. */
  readonly logX?: boolean;
  readonly logY?: boolean;
  /** Of the canvas, in CSS pixels (default 180). */
  readonly height?: number;
}

/** Rows of the table. */
const TABLE_ROWS = 20;
/** Milliseconds between two changes of what a screen reader is told. */
const WORDS_EVERY = 3000;

/** The chart. */
export function LineChart(
  { title, description, series, xLabel, yLabel, logX = false, logY = false, height = 180 }:
    LineChartProps,
) {
  const hovered = useSignal<number | null>(null);
  const model: PlotModel = {
    series,
    xLabel,
    height,
    logX: logX && allPositive(series.map(({ x }) => x)),
    logY: logY && allPositive(series.map(({ y }) => y)),
  };
  const canvas = usePlot(model, hovered);
  const words = useSlowWords(describeChart({ title, xLabel, series, logY: model.logY }));
  const empty = series.every(({ x }) => x.length === 0);
  return (
    <figure class="figure chart">
      <figcaption class="chart-caption">
        <strong class="chart-title">{title}</strong>
        <span class="chart-unit">{yLabel}{model.logY ? ", log scale" : ""}</span>
        {description && <span class="chart-description">{description}</span>}
      </figcaption>
      <div class="chart-box" role="img" aria-label={words}>
        <svg class="chart-height" width="1" height={height} aria-hidden="true" />
        <div class="chart-canvas" ref={canvas} hidden={empty} />
        {empty && <span class="chart-empty">Nothing to show yet</span>}
      </div>
      <ChartLegend series={series} xLabel={xLabel} hovered={hovered} />
      <ChartFold title={title} series={series} xLabel={xLabel} />
    </figure>
  );
}

/** Draws the model into the element that the reference is given to, as long as it is in the page. */
function usePlot(model: PlotModel, hovered: Signal<number | null>) {
  const element = useRef<HTMLDivElement>(null);
  const plot = useRef<ChartPlot | null>(null);
  const latest = useRef(model);
  latest.current = model;
  useEffect(() => {
    let closed = false;
    openPlot(element.current!, latest.current, (x) => hovered.value = x).then((opened) => {
      if (closed) return opened.close();
      plot.current = opened;
      opened.update(latest.current);
    });
    return () => {
      closed = true;
      plot.current?.close();
      plot.current = null;
    };
  }, []);
  useEffect(() => plot.current?.update(model), [
    model.series,
    model.xLabel,
    model.height,
    model.logX,
    model.logY,
  ]);
  return element;
}

/** Words that change seldom enough to be listened to. */
function useSlowWords(words: string): string {
  const shown = useSignal(words);
  const latest = useRef(words);
  latest.current = words;
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => {
    if (latest.current === shown.peek() || timer.current !== undefined) return;
    timer.current = setTimeout(() => {
      timer.current = undefined;
      shown.value = latest.current;
    }, WORDS_EVERY);
  }, [words]);
  useEffect(() => () => clearTimeout(timer.current), []);
  return shown.value;
}

/** The curves by name, each with its line, and its value under the pointer or at the end. */
export function ChartLegend(
  { series, xLabel, hovered }: {
    readonly series: readonly ChartSeries[];
    readonly xLabel: string;
    readonly hovered: ReadonlySignal<number | null>;
  },
) {
  const position = hovered.value;
  const rows = series.map((one, i) => ({ one, i })).filter(({ one }) => !one.faint);
  const shownAt = rows.map(({ one }) => {
    const at = nearestPoint(one, position ?? Infinity);
    return at < 0 ? null : { x: one.x[at], y: one.y[at] };
  });
  const common = shownAt.find((point) => point !== null)?.x;
  return (
    <ul class="chart-legend">
      {rows.map(({ one, i }, row) => (
        <li key={one.label}>
          <Swatch series={one} index={i} />
          <span>{one.label}</span>
          {!one.scattered && !one.marker && (
            <span class="tabular chart-value">{formatNumber(shownAt[row]?.y)}</span>
          )}
        </li>
      ))}
      {common !== undefined && rows.some(({ one }) => !one.marker) && (
        <li class="chart-position tabular">{xLabel} {formatPosition(common)}</li>
      )}
    </ul>
  );
}

/** A short piece of a curve. Attributes of SVG, since the content policy allows no style attribute. */
function Swatch({ series, index }: { readonly series: ChartSeries; readonly index: number }) {
  const { color, dash } = lookOf(series, index);
  const { marker, scattered } = series;
  return (
    <svg class="chart-swatch" width="26" height="12" aria-hidden="true">
      {!scattered && (
        <line x1="0" y1="6" x2="26" y2="6" stroke={color} stroke-dasharray={dash.join(" ")} />
      )}
      {marker && (
        <path
          d={markerPath(marker, 13, 6, 4)}
          stroke={color}
          fill={isOpenMarker(marker) ? "none" : "var(--surface)"}
        />
      )}
    </svg>
  );
}

/** The fold with the table; its rows are there once it is open. */
function ChartFold(props: Pick<LineChartProps, "title" | "series" | "xLabel">) {
  const open = useSignal(false);
  return (
    <details
      class="chart-fold"
      onToggle={(event) => open.value = (event.currentTarget as HTMLDetailsElement).open}
    >
      <summary>
        Data as a table<span class="visually-hidden">: {props.title}</span>
      </summary>
      {open.value && <ChartTable {...props} />}
    </details>
  );
}

/** The curves as a table: twenty positions, evenly over all, the last among them. */
export function ChartTable(
  { title, series, xLabel }: Pick<LineChartProps, "title" | "series" | "xLabel">,
) {
  const rows = sampledRows(series, TABLE_ROWS);
  return (
    <div class="scroll-x" tabIndex={0} role="region" aria-label={`${title}, data`}>
      <table class="plain tabular chart-table">
        <thead>
          <tr>
            <th scope="col">{xLabel}</th>
            {series.map(({ label }) => <th scope="col" key={label}>{label}</th>)}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ x, values }) => (
            <tr key={x}>
              <th scope="row">{formatPosition(x)}</th>
              {values.map((value, i) => <td key={i}>{formatNumber(value)}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
