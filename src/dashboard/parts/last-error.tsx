import type { JSX } from "preact";

/** Shows the last error of a part, and nothing when `text` is `null`. */
export function LastError({ text }: { text: string | null }): JSX.Element | null {
  if (text === null) return null;
  return (
    <p class="small error">
      <span class="dim">last error</span> {text}
    </p>
  );
}
