/** @file The page's colours, for what is drawn on canvases; they follow the reader's theme. */
import { type ReadonlySignal, signal } from "@preact/signals";
import { pictureTheme, themeOfTokens } from "../../pictures/theme.ts";
import type { PictureTheme } from "../../pictures/view.ts";

let shared: ReadonlySignal<PictureTheme> | null = null;

/** The colours of the page, kept up to date; those of the light theme where there is no page. */
export function pageTheme(): ReadonlySignal<PictureTheme> {
  if (shared) return shared;
  if (typeof matchMedia === "undefined") return signal(themeOfTokens(() => ""));
  const present = () => pictureTheme(document.documentElement);
  const theme = signal(present());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    theme.value = present();
  });
  return shared = theme;
}
