/**
 * @file Colour maps of the plane in a light and in a dark page. What is drawn over them (dots, lines,
 * labels) has to stand out, so in the light they are lightened towards paper, and in the dark the
 * middle of the diverging one is dark, in the manner of "berlin" of F. Crameri's scientific colour
 * maps: blue and red arms that grow equally lighter. Its colours are computed in Oklab
 * (B. Ottosson, "A perceptual color space for image processing", 2020).
 */
import {
  type Colormap,
  coolWarm,
  magma,
  reversed,
  shortened,
} from "../../core/picture/colormap.ts";
import type { Rgb } from "../../core/picture/rgb_image.ts";

const PAPER: Rgb = [255, 255, 255];

/** What the field of the plane is coloured with: values around 0, as potentials. */
export function divergingPalette(dark: boolean): Colormap {
  return dark ? night : pale;
}

/** What densities are coloured with: values from 0. */
export function densityPalette(dark: boolean): Colormap {
  return dark ? embers : ink;
}

/**
 * The power that potentials are coloured with: fine structure where the particles are stays visible
 * beside the steep rim of the plane.
 */
export const POTENTIAL_GAMMA = 0.7;

/** A colour map mixed with one colour, by shares that depend on the place in it. */
export function mixed(colormap: Colormap, color: Rgb, share: (place: number) => number): Colormap {
  const table = new Uint8Array(768);
  for (let i = 0; i < 768; i++) {
    const s = share(Math.floor(i / 3) / 255);
    table[i] = Math.round((1 - s) * colormap.table[i] + s * color[i % 3]);
  }
  return { name: `${colormap.name}, mixed`, table };
}

/** Moreland's map, lightened. */
const pale: Colormap = mixed(
  coolWarm,
  PAPER,
  (place) => 0.28 + 0.35 * (1 - Math.abs(2 * place - 1)),
);
/** Up to its orange: its pale yellow is left to what is drawn on it. */
const embers: Colormap = shortened(magma, 0.86);
/** From paper to dark purple. */
const ink: Colormap = mixed(
  shortened(reversed(magma), 0.8),
  PAPER,
  (place) => place < 0.25 ? (1 - place / 0.25) ** 1.5 : 0,
);
/** Nearly black in the middle, blue below, red above. */
const night: Colormap = nightTable();

function nightTable(): Colormap {
  const table = new Uint8Array(768);
  for (let i = 0; i < 256; i++) {
    const s = Math.abs(i - 127.5) / 127.5;
    const hue = (i < 128 ? 255 : 36) / 180 * Math.PI;
    // Steep colour first, so that the sign of small values is seen.
    const chroma = 0.125 * Math.sin(Math.min(1, 1.25 * s) * Math.PI / 2);
    const lightness = 0.17 + 0.43 * s;
    table.set(rgbOfOklab(lightness, chroma * Math.cos(hue), chroma * Math.sin(hue)), 3 * i);
  }
  return { name: "night", table };
}

/** sRGB of a colour of Oklab, clipped. */
export function rgbOfOklab(lightness: number, a: number, b: number): Rgb {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const linear = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  const [red, green, blue] = linear.map((c) => {
    const v = c <= 0.0031308 ? 12.92 * Math.max(0, c) : 1.055 * c ** (1 / 2.4) - 0.055;
    return Math.round(255 * Math.min(1, v));
  });
  return [red, green, blue];
}
