import type { ComponentChildren, JSX } from "preact";

/** A frame that scrolls sideways when its table is too wide. The keyboard reaches it, too. */
export function ScrollBox({ label, children }: { label: string; children: ComponentChildren }): JSX.Element {
  return (
    <div class="table-wrap" tabIndex={0} role="group" aria-label={label}>
      {children}
    </div>
  );
}
