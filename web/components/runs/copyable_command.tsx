/**
 * @file A command line with a button that copies it.
 */
import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";

/** A command line and what it does. */
export interface CopyableCommandProps {
  readonly label: string;
  readonly command: string;
}

/** Shows the line; where the clipboard is not to be had, copying selects it. */
export function CopyableCommand({ label, command }: CopyableCommandProps) {
  const said = useSignal("");
  const line = useRef<HTMLElement>(null);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(command);
      said.value = "Copied";
    } catch {
      if (line.current) getSelection()?.selectAllChildren(line.current);
      said.value = "Selected: press Ctrl+C";
    }
    setTimeout(() => said.value = "", 2500);
  };
  return (
    <div class="command">
      <span class="muted">{label}</span>
      <div class="command-line">
        <code ref={line} tabIndex={0}>{command}</code>
        <button type="button" class="button quiet" onClick={copy}>
          Copy<span class="visually-hidden">: {label}</span>
        </button>
      </div>
      <span class="muted command-said" role="status">{said}</span>
    </div>
  );
}
