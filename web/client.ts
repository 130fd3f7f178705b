/**
 * @file What every page loads: finds the islands in it and makes each of them live. An island is an
 * element with `data-island`, its name, and `data-props`, what it is given, as JSON.
 */
import { type ComponentType, h, hydrate } from "preact";

/** Each is loaded where a page has it. */
const islands: Readonly<Record<string, () => Promise<ComponentType<never>>>> = {
  laboratory: async () => (await import("./islands/laboratory.tsx")).LaboratoryIsland,
  "run-list": async () => (await import("./islands/run_list.tsx")).RunListIsland,
  "run-view": async () => (await import("./islands/run_view.tsx")).RunViewIsland,
};

for (const element of document.querySelectorAll<HTMLElement>("[data-island]")) {
  const { island = "", props = "{}" } = element.dataset;
  islands[island]?.().then((component) => {
    hydrate(h(component as ComponentType, JSON.parse(props)), element);
    // What is there for tests and for styles: the page answers from here on.
    element.dataset.ready = "";
  });
}
