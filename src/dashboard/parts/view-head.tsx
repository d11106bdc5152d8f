import type { ComponentChildren, JSX } from "preact";

/** The title of a view, and the controls beside it. */
export function ViewHead({ title, children }: { title: string; children?: ComponentChildren }): JSX.Element {
  return (
    <div class="view-head">
      <h1>{title}</h1>
      {children}
    </div>
  );
}
