/**
 * @file How a solver's particles look on the plane where two are side by side.
 */

/** How a solver's particles look on the plane: A dots, B rings. */
export function SolverSign({ letter }: { readonly letter: "A" | "B" }) {
  return (
    <svg class={`solver-sign solver-sign-${letter}`} width="12" height="12" aria-hidden="true">
      <circle cx="6" cy="6" r={letter === "A" ? 3.5 : 4} />
    </svg>
  );
}
