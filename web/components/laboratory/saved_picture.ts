/** @file The picture that is seen as one PNG, with a caption that says what it is of. */
import type { LaboratoryPageStore } from "../../laboratory/store_types.ts";
import type { PictureTheme } from "../../pictures/view.ts";
import { formatCount, formatNumber } from "../curves/numbers.ts";

/** What a picture is of, in two lines. */
export function pictureCaption({ settings, step, u }: LaboratoryPageStore): string[] {
  const { data, estimator, path, timeLaw, timeExplicit, width, depth, seed, ...rest } =
    settings.value;
  return [
    `${data.name}, step ${formatCount(step.value)}, u = ${formatNumber(u.value, 3)}, seed ${seed}`,
    `${estimator} estimator, ${path}, ${timeLaw}, Φ(x${timeExplicit ? ", u" : ""}) of ` +
    `${depth} × ${width} units, ${rest.optimizer} ${formatNumber(rest.learningRate)}, batch ` +
    `${rest.batchSize}, η ${formatNumber(rest.spectralGap)}, σ ${formatNumber(rest.sigma)} · vapo`,
  ];
}

const GAP = 16, LINE = 20;

/**
 * The canvases of the stage side by side, their titles above and the caption below.
 *
 * @throws {Error} where the browser cannot make a picture
 */
export function savedPicture(
  store: LaboratoryPageStore,
  stage: HTMLElement,
  theme: PictureTheme,
): Promise<Blob> {
  const figures = [...stage.querySelectorAll("figure")];
  const canvases = figures.map((figure) => figure.querySelector("canvas")!);
  const titles = figures.map((figure) => figure.querySelector("h3")?.textContent ?? "");
  const ratio = canvases[0].width / canvases[0].clientWidth || 1;
  const gap = GAP * ratio, line = LINE * ratio;
  const top = gap + (titles.some((title) => title !== "") ? line : 0);
  const widths = canvases.map(({ width }) => width + gap);
  const width = widths.reduce((sum, one) => sum + one, gap);
  const height = top + Math.max(...canvases.map(({ height }) => height)) + gap + 2.4 * line;
  const picture = Object.assign(document.createElement("canvas"), { width, height });
  const context = picture.getContext("2d")!;
  context.fillStyle = theme.background;
  context.fillRect(0, 0, width, height);
  context.fillStyle = theme.ink;
  context.textBaseline = "top";
  const font = (size: number, weight = "") => `${weight} ${size * ratio}px system-ui, sans-serif`;
  let left = gap;
  canvases.forEach((canvas, i) => {
    context.font = font(14, "600");
    context.fillText(titles[i], left, gap);
    context.drawImage(canvas, left, top);
    left += widths[i];
  });
  pictureCaption(store).forEach((text, i) => {
    context.font = font(13);
    const at = height - gap / 2 - (2 - i) * line;
    context.fillText(text, gap, at, width - 2 * gap);
  });
  return new Promise((resolve, reject) =>
    picture.toBlob((blob) => {
      if (blob) resolve(blob);
      else reject(new Error("the browser could not make a PNG of the picture"));
    }, "image/png")
  );
}
