/** @file The few drawn signs of the laboratory's buttons; words beside them say what they mean. */

const paths = {
  play: "M7 4.5v15l12.5-7.5z",
  pause: "M6.5 5h4v14h-4zM13.5 5h4v14h-4z",
  step: "M5 5v14l9.5-7zM16 5h3v14h-3z",
  reset: "M12 5a7 7 0 1 0 7 7h-2.4A4.6 4.6 0 1 1 12 7.4V11l5.5-4.8L12 1.5z",
  link:
    "M9.5 15.9 8 17.4a2.4 2.4 0 0 1-3.4-3.4l3.5-3.5a2.4 2.4 0 0 1 3.4 0l1.5-1.5a4.5 4.5 0 0 0-6.4 0L3.1 12.5a4.5 4.5 0 0 0 6.4 6.4l1.5-1.5zm5-7.8L16 6.6A2.4 2.4 0 0 1 19.4 10l-3.5 3.5a2.4 2.4 0 0 1-3.4 0L11 15a4.5 4.5 0 0 0 6.4 0l3.5-3.5a4.5 4.5 0 0 0-6.4-6.4L13 6.6z",
  picture: "M4 4h16v16H4zm2 2v9.6l4-4.6 3 3.4 2-2.2 3 3.4V6z",
  download: "M10.8 3h2.4v8.6l3.2-3.2 1.7 1.7L12 16.2 5.9 10l1.7-1.7 3.2 3.3zM4 18.6h16V21H4z",
  open: "M3 5h7l2 2.4h9V19H3zm2.2 4.6v7.2h13.6V9.6z",
  die:
    "M4 4h16v16H4zm2.2 2.2v11.6h11.6V6.2zM8 8h2.4v2.4H8zm5.6 5.6H16V16h-2.4zm-2.8-2.8h2.4v2.4h-2.4z",
} as const;

/** A sign, hidden from screen readers. */
export function Icon({ name }: { readonly name: keyof typeof paths }) {
  return (
    <svg class="lab-icon" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true">
      <path d={paths[name]} fill="currentColor" />
    </svg>
  );
}
