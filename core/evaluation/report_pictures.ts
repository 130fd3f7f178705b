/**
 * @file Pictures inside an HTML page: PNG as `data:` addresses (RFC 2397), plots of ours as elements
 * of the page, other SVG as images, in which nothing runs and nothing is loaded.
 */
import type { EvaluationPicture } from "./document.ts";
import { type Markup, markup } from "./report_html.ts";
import { inlineSvg } from "./report_svg.ts";

/** The pictures of an evaluation by the names of their files: PNG bytes, or the text of an SVG file. */
export type ReportPictures = ReadonlyMap<string, Uint8Array | string>;

/**
 * A picture with its caption.
 *
 * @param picture what the evaluation says of it
 * @param pictures the files; one that is missing or damaged is said to be
 * @param number from 1 on, through the page
 */
export function figureMarkup(
  picture: EvaluationPicture,
  pictures: ReportPictures,
  number: number,
): Markup {
  return markup`<figure id="figure-${number}">
${pictureMarkup(picture, pictures.get(picture.file), number)}
<figcaption><b>Figure ${number}.</b> ${picture.caption}</figcaption>
</figure>
`;
}

function pictureMarkup(
  { file, alt }: EvaluationPicture,
  content: Uint8Array | string | undefined,
  number: number,
): Markup {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  if (bytes && file.endsWith(".svg")) {
    const text = typeof content === "string" ? content : new TextDecoder().decode(bytes);
    const inline = inlineSvg(text, { prefix: `f${number}-`, label: alt });
    // A region that scrolls on a narrow screen has to be reached without a pointer.
    return inline
      ? markup`<div class="plot" role="group" aria-label="Figure ${number}" tabindex="0">${inline}</div>`
      : markup`<img class="card" src="${dataAddress(bytes, "image/svg+xml")}" alt="${alt}">`;
  }
  const size = bytes && pngSize(bytes);
  if (size) {
    const [width, height] = size, source = dataAddress(bytes, "image/png");
    return markup`<img src="${source}" alt="${alt}" width="${width}" height="${height}">`;
  }
  const what = bytes ? "is no PNG file" : "was not there when this report was made";
  return markup`<p class="missing">The picture ${file} ${what}. It shows: ${alt}</p>`;
}

/** Width and height that the header of a PNG file gives (ISO/IEC 15948, 5.2 and 11.2.2). */
function pngSize(bytes: Uint8Array): [width: number, height: number] | null {
  const start = "89504e470d0a1a0a0000000d49484452";
  const given = Array.from(bytes.subarray(0, 16), (byte) => byte.toString(16).padStart(2, "0"));
  if (bytes.length < 24 || given.join("") !== start) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return [view.getUint32(16), view.getUint32(20)];
}

/** Bytes as an address that holds them. */
export function dataAddress(bytes: Uint8Array, type: string): string {
  const pieces: string[] = [];
  // A multiple of three, so that the pieces can be joined; as arguments, not too many at once.
  const length = 3 * 4096;
  for (let i = 0; i < bytes.length; i += length) {
    pieces.push(btoa(String.fromCharCode(...bytes.subarray(i, i + length))));
  }
  return `data:${type};base64,${pieces.join("")}`;
}
