import { assert, assertEquals } from "@std/assert";
import type { PictureChoices } from "../../../web/laboratory/store_types.ts";
import { drawPlane, planeCache, type PlaneInput } from "../../../web/pictures/plane_picture.ts";
import { drawRelief } from "../../../web/pictures/relief.ts";
import { themeOfTokens } from "../../../web/pictures/theme.ts";
import { planeView } from "../../../web/pictures/view.ts";
import { fieldOf, straightFlow, velocityOf } from "./known_fields.ts";

const SIDE = 320;
const theme = themeOfTokens(() => "");
const choices: PictureChoices = {
  field: "potential",
  contours: true,
  velocity: "streamlines",
  particles: true,
  trails: true,
  data: true,
  compare: "learned",
  relief: false,
};
const field = { ...fieldOf(32, 4, (x, y) => x * y), velocity: velocityOf(32, 4, (x, y) => [y, x]) };
const data = Float32Array.of(-3, -3);
const flow = straightFlow([[1, 2]], [[1, -1]], [0, 0.5, 1]);

/** A canvas that only notes what pixels are put on it, and what is drawn on what. */
function withCanvases(
  test: (context: CanvasRenderingContext2D, puts: ImageData[], drawn: object[]) => void,
) {
  const puts: ImageData[] = [], drawn: object[] = [];
  const contextOf = (canvas: object) => {
    const known: Record<string, unknown> = {
      canvas,
      putImageData: (image: ImageData) => puts.push(image),
      drawImage: (image: object) => drawn.push(image),
      measureText: (text: string) => ({ width: 6 * text.length }),
    };
    return new Proxy(known, { get: (target, name: string) => target[name] ?? (() => {}) });
  };
  class FakeCanvas {
    constructor(readonly width: number, readonly height: number) {}
    getContext() {
      return contextOf(this);
    }
  }
  const scope = globalThis as { OffscreenCanvas?: unknown };
  const before = scope.OffscreenCanvas;
  scope.OffscreenCanvas = FakeCanvas;
  try {
    const context = contextOf(new FakeCanvas(SIDE, SIDE)) as unknown as CanvasRenderingContext2D;
    test(context, puts, drawn);
  } finally {
    scope.OffscreenCanvas = before;
  }
}

function inputOf(changes: Partial<PlaneInput> = {}): PlaneInput {
  return {
    view: planeView({ width: SIDE, height: SIDE }, 4),
    choices,
    cache: planeCache(),
    field,
    flows: [flow],
    u: 0.5,
    data,
    ...changes,
  };
}

Deno.test("only what changed is drawn anew", () => {
  withCanvases((context, puts) => {
    const cache = planeCache();
    const putsOf = (changes: Partial<PlaneInput>, colors = theme) => {
      puts.length = 0;
      drawPlane(context, inputOf({ cache, ...changes }), colors);
      return puts.length;
    };
    // The field, lines, particles.
    assertEquals(putsOf({}), 3);
    assertEquals(putsOf({}), 0);
    assertEquals(putsOf({}, { ...theme }), 0);
    assertEquals(putsOf({ u: 0.6 }), 1);
    assertEquals(putsOf({ u: 0.6, field: { ...field } }), 2);
    assertEquals(putsOf({ u: 0.6, data: Float32Array.of(1, 1) }), 2);
    // The data of before, and particles in another colour.
    assertEquals(putsOf({ u: 0.6 }, { ...theme, accent: "#ff0000" }), 2);
  });
});

Deno.test("particles, data and lines are where they belong", () => {
  withCanvases((context, puts) => {
    drawPlane(context, inputOf(), theme);
    const [image, lines, particles] = puts;
    const at = (image: ImageData, x: number, y: number) => {
      const px = Math.floor(SIDE / 8 * (x + 4)), py = Math.floor(SIDE / 8 * (4 - y));
      return [...image.data.subarray(4 * (py * SIDE + px)).slice(0, 4)];
    };
    // The accent of the light theme, at (1, 2) + ½ (1, −1).
    assertEquals(at(particles, 1.5, 1.5), [0x24, 0x57, 0xc5, 255]);
    assertEquals(at(particles, -1.5, -1.5), [0, 0, 0, 0]);
    // Its trail comes from the upper left.
    assert(at(particles, 1.45, 1.55)[3] > 0);
    assert(at(lines, -3, -3)[3] > 0);
    // Φ = xy is high at the upper right and low at the upper left: red and blue.
    const [red, , blue] = at(image, 3.5, 3.5), [red2, , blue2] = at(image, -3.5, 3.5);
    assert(red > blue && blue2 > red2);
    // Centred by the particle, Φ − 1.5² has its strong line of 0 through (1, 2.25).
    assert(at(lines, 1, 2.25)[3] > 100);
  });
});

Deno.test("one set alone can be drawn as the second: rings in the second colour", () => {
  withCanvases((context, puts) => {
    for (const shapes of [undefined, ["ring"]] as const) {
      drawPlane(context, inputOf({ shapes, choices: { ...choices, trails: false } }), theme);
    }
    const colorsOf = ({ data }: ImageData) =>
      new Set(
        Array.from({ length: data.length / 4 }, (_, i) => data.slice(4 * i, 4 * i + 4).join()),
      );
    const [disc, ring] = [puts[2], puts[5]].map(colorsOf);
    // Accent and second of the light theme.
    assert(disc.has("36,87,197,255") && !disc.has("180,83,10,255"));
    assert(ring.has("180,83,10,255") && !ring.has("36,87,197,255"));
  });
});

Deno.test("an arrow of a difference is said to be one", () => {
  withCanvases((context) => {
    const said: string[] = [];
    const FakeCanvas = OffscreenCanvas as unknown as { prototype: { getContext(): object } };
    const before = FakeCanvas.prototype.getContext;
    FakeCanvas.prototype.getContext = function () {
      const inner = before.call(this) as Record<string, unknown>;
      return new Proxy(inner, {
        get: (target, name: string) =>
          name === "fillText" ? (text: string) => said.push(text) : target[name],
      });
    };
    const reference = fieldOf(32, 4, (x) => x);
    for (const compare of ["learned", "difference"] as const) {
      const seen: PictureChoices = { ...choices, velocity: "arrows", compare };
      drawPlane(context, inputOf({ reference, choices: seen, legend: true }), theme);
    }
    const keys = said.filter((text) => text.startsWith("|"));
    assertEquals(keys.map((text) => text.split(" = ")[0]), ["|∇Φ|", "|∇Φ − ∇Φ*|"]);
  });
});

Deno.test("nothing known yet, and nothing wished for, is an empty square", () => {
  withCanvases((context, puts, drawn) => {
    drawPlane(context, inputOf({ field: null, flows: [], data: null }), theme);
    assertEquals(puts.length, 0);
    // The axes.
    assertEquals(drawn.length, 1);
  });
});

Deno.test("every choice can be drawn, in light and dark, with what has diverged too", () => {
  withCanvases((context, puts) => {
    const lost = { ...fieldOf(32, 4, () => NaN), velocity: new Float32Array(2048).fill(NaN) };
    const gone = straightFlow([[NaN, Infinity]], [[0, 0]], [0, 1]);
    const cache = planeCache();
    for (const view of ["potential", "density", "none"] as const) {
      for (const velocity of ["arrows", "streamlines", "none"] as const) {
        for (const compare of ["learned", "both", "difference"] as const) {
          for (
            const [shown, flows] of [[field, [flow, flow]], [lost, [gone]], [null, []]] as const
          ) {
            drawPlane(
              context,
              inputOf({
                cache,
                choices: { ...choices, field: view, velocity, compare },
                field: shown,
                reference: field,
                flows,
              }),
              { ...theme, dark: velocity === "none" },
            );
          }
        }
      }
    }
    assert(puts.length > 20);
  });
});

Deno.test("turning a landscape paints it anew and computes nothing else", () => {
  withCanvases((context, puts) => {
    const size = { width: SIDE, height: 200, ratio: 1 };
    for (const yaw of [0, 0.5]) {
      drawRelief(context, field, { yaw, pitch: 0.6, theme, size, particles: [0, 0, NaN, 1] });
    }
    assertEquals(puts.length, 2);
    // Twice as fine as the canvas, and a part of it is covered.
    assertEquals([puts[0].width, puts[0].height], [640, 400]);
    const covered = puts[1].data.filter((_, i) => i % 4 === 3 && puts[1].data[i] > 0).length;
    assert(covered > 20_000 && covered < 200_000, `${covered}`);
  });
});
